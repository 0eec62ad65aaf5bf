"""Chooses the layout: ``dot`` on PATH, else pygraphviz, else the built-in one, so that it always draws.

Graphviz sees only sizes and numbers, never a name, and lays out one point for each pixel.
"""

import json
import subprocess
from importlib import import_module
from shutil import which

from autograd.drawing.figure import LABEL_HEIGHT, RANKDIR, Figure, Placement, Point, Route, text_width
from autograd.drawing.layered import layered

PATIENCE = 30  # seconds


class Unavailable(RuntimeError):
    """This engine is not installed, or failed; the message says what to install."""


def run_dot(source: str, format: str, program: str = "dot") -> bytes:
    """What the Graphviz on PATH makes of a graph. Raises Unavailable."""
    if (executable := which("dot")) is None:
        raise Unavailable("there is no Graphviz on PATH: apt-get install graphviz, or brew install graphviz")
    command = [executable, f"-K{program}", f"-T{format}"]
    try:
        run = subprocess.run(command, input=source.encode(), capture_output=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"dot failed: {error}") from None
    if run.returncode or not run.stdout:
        raise Unavailable(f"dot failed: {run.stderr.decode(errors='replace').strip()}")
    return run.stdout


def run_pygraphviz(source: str, format: str, program: str = "dot") -> bytes:
    """The same from pygraphviz, whose wheels bring Graphviz along. Raises Unavailable."""
    try:
        result: bytes = import_module("pygraphviz").AGraph(string=source).draw(format=format, prog=program)
    except ImportError:
        raise Unavailable("there is no pygraphviz: pip install 'chainrule[render]'") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"pygraphviz failed: {error}") from None
    return result


GRAPHVIZ = {"dot": run_dot, "pygraphviz": run_pygraphviz}


def run_graphviz(source: str, format: str, program: str = "dot", engine: str | None = None) -> tuple[bytes, str]:
    """From this engine, or whichever of the two there is; and its name. Raises Unavailable with what each said."""
    failures = []
    for name in [engine] if engine else GRAPHVIZ:
        try:
            return GRAPHVIZ[name](source, format, program), name
        except Unavailable as failure:
            failures.append(str(failure))
    raise Unavailable("; ".join(failures))


def placed(figure: Figure, engine: str | None = None) -> Placement:
    """Positions from the requested engine, or else from the first that is available.

    Raises ValueError for an unknown engine, Unavailable for a requested one that is missing.
    """
    if engine not in (None, *GRAPHVIZ, "built-in"):
        raise ValueError(f"engine {engine!r}: there are {', '.join(GRAPHVIZ)}, built-in")
    if engine != "built-in":
        try:
            return _read(*run_graphviz(_skeleton(figure), "json0", engine=engine))
        except Unavailable:
            if engine:
                raise
    return layered(figure)


def _skeleton(figure: Figure) -> str:
    """The figure's sizes in DOT: boxes are numbers, labels empty tables of the right size."""
    index = {box: i for i, box in enumerate(figure.boxes)}
    lines = [f"rankdir={RANKDIR[figure.direction]} nodesep=0.25 ranksep=0.45"]
    lines.append('node [shape=box fixedsize=true label=""]')
    lines += [f"{i} [width={box.width / 72:.4f} height={box.height / 72:.4f}]" for box, i in index.items()]
    for i, wire in enumerate(figure.wires):
        size = f'WIDTH="{text_width(wire.label) + 8:.0f}" HEIGHT="{LABEL_HEIGHT}"'
        table = f'<<TABLE BORDER="0" FIXEDSIZE="TRUE" {size}><TR><TD></TD></TR></TABLE>>'
        room = f"label={table}" if wire.label else ""
        lines.append(f"{index[wire.tail]} -> {index[wire.head]} [id={i} arrowsize=0.7 {room}]")
    return "digraph {\n" + "\n".join(lines) + "\n}\n"


def _read(answer: bytes, engine: str) -> Placement:
    """Positions out of Graphviz's JSON, in which y grows upwards."""
    graph = json.loads(answer)
    _, _, width, height = map(float, graph["bb"].split(","))

    def point(text: str) -> Point:
        x, y = text.split(",")
        return float(x), height - float(y)

    centres = [point(box["pos"]) for box in sorted(graph["objects"], key=lambda box: int(box["name"]))]
    routes = []
    for wire in sorted(graph.get("edges", ()), key=lambda wire: int(wire["id"])):
        tip, *points = map(point, wire["pos"].removeprefix("e,").split())
        routes.append(Route(points, tip, point(wire["lp"]) if "lp" in wire else None))
    return Placement(width, height, centres, routes, engine)
