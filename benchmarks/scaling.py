"""Measures time and memory by the number of operations: ``python benchmarks/scaling.py [--most 7]``.

Each of the three graphs in ``graphs.py`` is run by the eager engine, by a program on NumPy arrays, by a compiled
program, and by an SX function of CasADi. A step computes the value and its gradient with respect to 64 leaves. Each
point is measured in a separate process, whose resident memory is read before and after. Slopes are fitted on
logarithmic scales to the upper half of the points: 1 is linear. Points beyond the limits of memory or time are
reported and left out.
"""

from __future__ import annotations

import json
import math
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import HERE, engines, middle, processor, resident, run_among_peers

if __name__ == "__main__":
    run_among_peers(__file__)

from graphs import GRAPHS, CasADi, Ours

from autograd import collector_paused, record
from autograd.command_line import OneLineParser
from autograd.graph import topological_order

MOST_MEMORY = 20 * 2**30
MOST_SECONDS = 300.0
COLOURS = {"eager": "#D55E00", "replay": "#E69F00", "compiled": "#0072B2", "casadi": "#999999"}
LABELS = {"eager": "eager", "replay": "NumPy replay", "compiled": "compiled", "casadi": "CasADi SX"}
ROWS = {"step": "seconds per step", "make": "seconds to build, record and plan", "memory": "memory, MiB"}


def measure(kind: str, operations: int, engine: str) -> dict[str, Any]:
    """Measure the seconds to make a program and per step, and the memory of the program or the eager graph."""
    # a first run, to import and compile everything
    if engine == "casadi":
        CasADi(GRAPHS[kind], 100)
    elif engine == "eager":
        Ours(GRAPHS[kind], 100).eager()
    else:
        Ours(GRAPHS[kind], 3000).record(engine)()
    ours = Ours(GRAPHS[kind], operations)
    before, start = resident(), time.perf_counter()
    found: dict[str, Any] = {"operations": operations}
    run: Callable[[], Any] = ours.eager
    graph = None if engine == "casadi" else ours.graph()
    if engine == "eager":
        once = time.perf_counter() - start
        found["memory"] = resident() - before
        start = time.perf_counter()
        with collector_paused():
            graph.backward()  # type: ignore[union-attr]
        once += time.perf_counter() - start
    else:
        before = before if graph is None else resident()
        run = CasADi(GRAPHS[kind], operations) if graph is None else record(graph, parameters=ours.x, engine=engine)
        found["make"] = time.perf_counter() - start
        run()
        found["memory"] = resident() - before
        once = seconds(run)
    found["nodes"] = 0 if graph is None else len(topological_order(graph))
    found["step"] = once if once > 1.0 else seconds(run)
    return found


def seconds(run: Callable[[], Any], least: float = 0.3) -> float:
    """Return the median seconds of a run."""
    times: list[float] = []
    while sum(times) < least:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return middle(times)


def point(kind: str, operations: int, engine: str) -> dict[str, Any]:
    """Run ``measure`` in a separate process. Raises MemoryError or TimeoutError if it exceeds the limits."""
    command = [sys.executable, str(HERE / "scaling.py"), "--point", kind, str(operations), engine]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"more than {MOST_SECONDS:.0f} s") from None
    if done.returncode:
        if "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
            raise MemoryError(f"more than {MOST_MEMORY // 2**30} GiB")
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def slope(points: list[dict[str, Any]], quantity: str) -> float:
    """Return d log quantity / d log operations, by least squares over the upper half of the points."""
    upper = points[len(points) // 2 :]
    xs = [math.log(p["operations"]) for p in upper]
    ys = [math.log(p[quantity]) for p in upper]
    x0, y0 = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x0) * (y - y0) for x, y in zip(xs, ys)) / sum((x - x0) ** 2 for x in xs)


def draw(found: dict[tuple[str, str], list[dict[str, Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 3, figsize=(14, 12), sharex=True, sharey="row", layout="constrained")
    for column, kind in enumerate(GRAPHS):
        for row, (quantity, title) in enumerate(ROWS.items()):
            ax = axes[row][column]
            for engine, label in LABELS.items():
                least = 10**4 if quantity == "memory" else 0  # pages are 4 KiB
                points = [p for p in found.get((kind, engine), []) if quantity in p and p["operations"] >= least]
                if len(points) > 2:
                    scale = 2**20 if quantity == "memory" else 1.0
                    curve = "the graph" if (quantity, engine) == ("memory", "eager") else label
                    ax.loglog(
                        [p["operations"] for p in points], [p[quantity] / scale for p in points], "o-",
                        color=COLOURS[engine], label=f"{curve}: slope {slope(points, quantity):.2f}",
                    )  # fmt: skip
            if ax.lines:
                ax.legend(frameon=False, loc="upper left")
            ax.margins(y=0.25)  # room for the legend
            ax.grid(alpha=0.3)
            ax.set_ylabel("" if column else title)
        axes[0][column].set_title(kind)
        axes[2][column].set_xlabel("operations of the graph")
    figure.suptitle(f"Time and memory by operations ({processor()}, Python {platform.python_version()}, one thread)")
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = OneLineParser(description="Measure time and memory by the number of operations.")
    parser.add_argument(
        "--most", type=float, default=7.0, help="the exponent of the largest graph: 10 to this power operations (7)"
    )
    parser.add_argument(
        "--out", type=Path, default=HERE / "scaling.png", help="the file for the plot (benchmarks/scaling.png)"
    )
    parser.add_argument(
        "--point", nargs=3, metavar=("GRAPH", "OPERATIONS", "ENGINE"), help="measure one point and print it as JSON"
    )
    options = parser.parse_args()
    if options.point:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        kind, operations, engine = options.point
        print(json.dumps(measure(kind, int(operations), engine)))
        return
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for kind in GRAPHS:
        for engine in ("eager", *engines(), "casadi"):
            found[kind, engine] = []
            for exponent in (2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7):
                operations, start = round(10**exponent), time.perf_counter()
                if exponent > options.most:
                    break
                try:
                    p = point(kind, operations, engine)
                except (MemoryError, TimeoutError) as error:
                    print(f"{kind:12} {engine:8} {operations:>10,} operations: left out ({error})", flush=True)
                    break
                found[kind, engine].append(p)
                print(
                    f"{kind:12} {engine:8} {operations:>10,} operations: step {1e3 * p['step']:11.3f} ms, made in "
                    f"{1e3 * p.get('make', 0.0):9.1f} ms, {p['memory'] / 2**20:8.1f} MiB",
                    flush=True,
                )
                if 10 * (time.perf_counter() - start) > 2 * MOST_SECONDS:
                    print(f"{kind:12} {engine:8} larger graphs: left out (they would take too long)", flush=True)
                    break
        draw(found, options.out)


if __name__ == "__main__":
    main()
