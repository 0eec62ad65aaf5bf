"""Time and memory by the number of edges, eager and replayed: ``python benchmarks/scaling.py [--most 7]``.

A tanh network with a squared error, for more and more examples, once in plain scalar code (sums of products, two
edges a node) and once with nn's layers (an edge for each factor of a product). Each point has a process of its own,
whose resident memory is read before and after. Slopes are those of the logarithm over that of the edges, over the
upper half of the points: 1 is linear.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

from autograd.command_line import OneLineParser

HERE = Path(__file__).resolve().parent
KINDS = {"scalar code": 5_200, "nn's layers": 2_800}  # edges of one example, about
QUANTITIES = {
    "eager": "eager step: build and differentiate",
    "record": "record and plan, once",
    "replay": "replayed step",
    "graph memory": "the graph",
    "replay memory": "the program beside it",
}

POINT = """
import json, os, random, resource, sys, time
from autograd import Value, collector_paused, record, tanh
from autograd.graph import topological_order
import numpy
import nn
kind, examples = sys.argv[1], int(sys.argv[2])
n_in, n, n_out = (2, 4, 1) if examples == 0 else (20, 50, 10)
examples = examples or 10
rng = random.Random(0)
X = [[rng.uniform(-1, 1) for _ in range(n_in)] for _ in range(examples)]
model = nn.MLP(n_in, [n, n_out], activation="tanh", rng=rng)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def loss_of(X):
    if kind == "scalar code":
        outputs = []
        for a in X:
            for l, layer in enumerate((model.net.layers[0], model.net.layers[2])):
                a = [sum((w * a_k for w, a_k in zip(row, a)), b) for row, b in zip(layer.W, layer.b)]
                a = [tanh(z) for z in a] if l == 0 else a
            outputs.append(a)
    else:
        outputs = [a if isinstance(a, list) else [a] for a in model.batch(X)]
    return sum((a * a for output in outputs for a in output)) * (1.0 / len(outputs))

def seconds(run, least=0.2):
    once = []
    while sum(once) < least or not once:
        start = time.perf_counter()
        run()
        once.append(time.perf_counter() - start)
    return sorted(once)[len(once) // 2]

def eager():
    with collector_paused():
        loss = loss_of(X)
        model.zero_grad()
        loss.backward()
        del loss

record(tanh(Value(1.0)))  # what is imported late
leaves = [[Value(x) for x in row] for row in X]
found, before = {}, resident()
with collector_paused():
    loss = loss_of(leaves)
found["graph memory"] = max(resident() - before, 1)
found["edges"] = sum(len(node.parents) for node in topological_order(loss))
before = resident()
start = time.perf_counter()
program = record(loss, inputs=[leaves], parameters=model.parameters(), engine="replay")
found["record"] = time.perf_counter() - start
found["replay memory"] = max(resident() - before, 1)
program([X])
array = numpy.array(X)
found["replay"] = seconds(lambda: program([array]))
del program, loss
found["eager"] = seconds(eager)
print(json.dumps(found))
"""


def point(kind: str, examples: int) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", POINT, kind, str(examples)], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def slope(points: list[dict[str, float]], quantity: str) -> float:
    """d log quantity / d log edges by least squares, over the points of the upper half."""
    upper = points[len(points) // 2 :]
    xs = [math.log(p["edges"]) for p in upper]
    ys = [math.log(p[quantity]) for p in upper]
    x0, y0 = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x0) * (y - y0) for x, y in zip(xs, ys)) / sum((x - x0) ** 2 for x in xs)


def draw(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 8), sharex=True, sharey="row", layout="constrained")
    colours = {"eager": "#D55E00", "record": "#E69F00", "replay": "#0072B2"}
    colours |= {"graph memory": "#D55E00", "replay memory": "#0072B2"}
    for column, (kind, points) in enumerate(found.items()):
        edges = [p["edges"] for p in points]
        for quantity, label in QUANTITIES.items():
            memory = "memory" in quantity
            ax = axes[int(memory)][column]
            scale = 2**20 if memory else 1.0
            style = "o-" if quantity in ("eager", "graph memory") else "s--"
            ax.loglog(
                edges, [p[quantity] / scale for p in points], style, color=colours[quantity],
                label=f"{label}: slope {slope(points, quantity):.2f}",
            )  # fmt: skip
        axes[0][column].set_title(kind)
        axes[1][column].set_xlabel("edges of the graph")
        for row in (0, 1):
            axes[row][column].legend(frameon=False, loc="upper left")
            axes[row][column].margins(y=0.25)  # room for the legend
            axes[row][column].grid(alpha=0.3)
    axes[0][0].set_ylabel("seconds")
    axes[1][0].set_ylabel("MiB")
    figure.suptitle(f"Time and memory by edges (Python {platform.python_version()}, one BLAS thread)")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = OneLineParser(description="Time and memory by the number of edges.")
    parser.add_argument("--most", type=float, default=7.0, help="the largest graph has 10 to this power of edges (7)")
    parser.add_argument("--out", type=Path, default=HERE / "scaling.png", help="the plot (benchmarks/scaling.png)")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for kind, each in KINDS.items():
        sizes = [0] + [
            max(1, round(10**k / each)) for k in (3.7, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0) if k <= options.most
        ]
        found[kind] = []
        for examples in sizes:
            found[kind].append(point(kind, examples))
            last = found[kind][-1]
            print(
                f"{kind:12} {int(last['edges']):>10,} edges: eager {1e3 * last['eager']:10.2f} ms, record "
                f"{1e3 * last['record']:9.1f} ms, replay {1e3 * last['replay']:8.3f} ms; graph "
                f"{last['graph memory'] / 2**20:8.1f} MiB, program {last['replay memory'] / 2**20:7.1f} MiB",
                flush=True,
            )
        for quantity in QUANTITIES:
            print(f"{kind:12} slope of {quantity}: {slope(found[kind], quantity):.2f}")
    draw(found, options.out)


if __name__ == "__main__":
    main()
