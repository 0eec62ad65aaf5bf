"""Animates both passes: in one SVG, which needs no script, or in one SVG for each step.

Blue dots carry values forward along the wires, and orange dots carry contributions back; the area of a dot shows the
size of its contribution. A number appears when its dot arrives. Without motion, the end of both passes is shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby, pairwise
from operator import attrgetter
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from autograd.contributions import Moment, moments
from autograd.drawing.figure import typeset
from autograd.drawing.svg import style_sheet
from autograd.graph import topological_order
from autograd.notation import derivative, labels, number_text
from autograd.staleness import refuse_changed
from autograd.value import Value

MOST_STEPS = 200
START, TRAVEL, INSIDE, APART, REST, END = 1.2, 1.1, 0.4, 0.5, 0.3, 4.0  # seconds
VALUE, LARGEST, LEAST = 4.0, 7.5, 2.0  # radii of dots
ROOM = 44  # pixels below the picture of a step, for its formula
XMLNS = ' xmlns="http://www.w3.org/2000/svg"'
MOVING = """.picture .dot{fill:var(--value)}.picture .back{fill:var(--grad)}
.picture .trace{fill:none;stroke:var(--grad)}
@media (prefers-reduced-motion:reduce){.picture *{opacity:1!important;stroke-dasharray:none!important}
.picture .dot,.picture .passing{display:none}}"""
STEPS = """.picture .waiting .outline{stroke-dasharray:4 3}.picture .now .outline{stroke:var(--grad);stroke-width:3}
.picture .giver .outline{stroke:var(--grad);stroke-width:2}.picture .feeding .wire{stroke:var(--value);stroke-width:3}
.picture .feeding .tip{fill:var(--value)}.picture .passed .wire,.picture .carrying .wire{stroke:var(--grad)}
.picture .carrying .wire{stroke-width:3.5}.picture .back,.picture .passed .ahead,.picture .carrying .ahead{opacity:0}
.picture .passed .back,.picture .carrying .back{opacity:1;fill:var(--grad)}.picture .step{font-size:17px}
.picture[data-phase="forward"] .now .outline{stroke:var(--value)}
.picture[data-phase="forward"] .node.now .data,.picture[data-phase="backward"] .node.now .grad{font-weight:bold}"""


class _Parts:
    """A graph, its steps, and the elements of its live picture, whose wires have arrowheads at both ends."""

    def __init__(self, f: Value, live: str, style: str) -> None:
        refuse_changed(f)
        self.order = topological_order(f)
        self.steps, self.names = moments(f, self.order), list(labels(self.order, f).values())
        self.root = fromstring(live.replace(XMLNS, "", 1))
        SubElement(self.root, "style").text = style_sheet() + style
        groups = list(self.root.iter("g"))
        self.nodes = {int(g.attrib["data-node"]): g for g in groups if "data-node" in g.attrib}
        edges = {g.attrib["data-edge"]: g for g in groups if "data-edge" in g.attrib}
        if any(m.receiver not in self.nodes or (m.given and m.edge not in edges) for m in self.steps):
            raise ValueError(
                "this picture does not show every step: use draw(f, collapse=False) without fold or unfold"
            )
        inside = {g: box for box in groups if "data-box" in box.attrib for g in box.iter("g")}
        self.boxes = {i: inside.get(g, g) for i, g in self.nodes.items()}  # a weight is in no box
        weights = {m.edge for m in self.steps if self.nodes[m.receiver].get("class") == "node weight"}
        # only edges along which a dot can be seen
        self.edges = {name: g for name, g in edges.items() if "inner" not in g.get("class", "") or name in weights}

    def into(self, node: int) -> list[str]:
        return [name for name, g in self.edges.items() if name.startswith(f"{node}:") and len(g) > 1]

    def text(self, node: int, kind: str) -> Element:
        return next(text for text in self.nodes[node].iter("text") if kind in text.get("class", "").split())

    def grad(self, node: int, total: float) -> str:
        return f"{derivative('', self.names[node])[0]} {number_text(total, 4)}"

    def written(self) -> str:
        return tostring(self.root, encoding="unicode").replace("<svg", "<svg" + XMLNS, 1)


def animated(f: Value, live: str) -> str:
    """Return the live picture of f's graph with both passes animated.

    Raises ValueError if the picture does not show every step, or if inputs of f have changed since it was computed.
    """
    parts = _Parts(f, live, MOVING)
    plan = list(_schedule(parts))
    seconds = max(land for *_, land in plan) + END
    loop = {"dur": f"{seconds:.1f}s", "repeatCount": "indefinite"}
    # prefixes the wires' ids, because a page may contain several pictures
    prefix = f"wire-{sha256(live.encode()).hexdigest()[:6]}"

    def change(element: Element, attribute: str, *stops: tuple[float, object]) -> None:
        times, values = zip(*stops)
        stages = {"attributeName": attribute, "values": ";".join(map(str, values)), "calcMode": "discrete"}
        SubElement(element, "animate", stages | {"keyTimes": ";".join(f"{t / seconds:.4g}" for t in times)} | loop)

    def move(edge: str, start: float, land: float, radius: float, points: str) -> None:
        next(parts.edges[edge].iter("path")).set("id", name := f"{prefix}-{edge.replace(':', '-')}")
        kind = "dot back" if points[0] == "1" else "dot"
        dot = SubElement(dots, "circle", {"class": kind, "r": f"{radius:.1f}", "opacity": "0"})
        change(dot, "opacity", (0, 0), (start, 1), (land, 0))
        times = {"keyPoints": points, "keyTimes": f"0;{start / seconds:.4g};{land / seconds:.4g};1"}
        ease = {"calcMode": "spline", "keySplines": "0 0 1 1;.4 0 .4 1;0 0 1 1"}
        SubElement(SubElement(dot, "animateMotion", times | ease | loop), "mpath", {"href": f"#{name}"})

    dots = SubElement(next(g for g in parts.root.iter("g") if g.get("class") == "edges"), "g")
    back = {name: tip for name, edge in parts.edges.items() for tip in edge if tip.get("class") == "tip back"}
    for name, tip in back.items():
        parts.edges[name].remove(tip)
    computed: dict[Element, float] = {}
    landed: dict[int, list[tuple[float, float]]] = defaultdict(list)
    largest = max((abs(m.given.product) for m in parts.steps if m.given), default=0.0) or 1.0
    for m, start, land in plan:
        if m.phase == "forward":
            change(parts.text(m.node, "data"), "opacity", (0, 0), (land, 1))
            computed[next(parts.boxes[m.node].iter("rect"))] = land  # overwritten until its last number lands
            for name in parts.into(m.node):
                move(name, start, land, VALUE, "0;0;1;1")
            continue
        product = m.given.product if m.given else 1.0
        landed[m.receiver].append((land, product + (landed[m.receiver][-1][1] if landed[m.receiver] else 0.0)))
        if m.edge in parts.edges:
            share, edge = abs(product / largest), parts.edges[m.edge]
            move(m.edge, start, land, max(LEAST, LARGEST * share**0.5), "1;1;0;0")
            if m.edge in back and product:  # from now on, the wire points back
                wire, ahead = edge.findall("path")
                ahead.attrib |= {"class": "tip passing", "opacity": "0"}
                change(ahead, "opacity", (0, 1), (land, 0))
                look = {"class": "trace", "d": wire.get("d", ""), "stroke-width": f"{1.3 + 3.0 * share:.1f}"}
                turned = SubElement(edge, "g")
                turned.extend([Element("path", look), back[m.edge]])
                change(turned, "opacity", (0, 0), (land, 1))
    for box, land in computed.items():
        change(box, "stroke-dasharray", (0, "4 3"), (land, "4 0"))
    for i, sums in landed.items():
        text = parts.text(i, "grad")
        for (since, total), (until, _) in pairwise(sums):
            kinds = f"{text.get('class')} passing"
            so_far = SubElement(parts.nodes[i], "text", text.attrib | {"class": kinds, "opacity": "0"})
            so_far.text = parts.grad(i, total) + "…"
            change(so_far, "opacity", (0, 0), (since, 1), (until, 0))
        text.text = parts.grad(i, sums[-1][1])
        change(text, "opacity", (0, 0), (sums[-1][0], 1))
    return parts.written()


def _schedule(parts: _Parts) -> Iterator[tuple[Moment, float, float]]:
    """Yield each step with the times when it starts and ends: levels in turn, contributions to one node in turn."""
    time, level = START, attrgetter("level")
    for _, together in groupby(sorted(parts.steps, key=level), level):
        received, lands = Counter[int](), [time]
        for m in together:
            start = time + APART * received[m.receiver]
            received[m.receiver] += 1
            moves = m.edge in parts.edges or (m.phase == "forward" and parts.into(m.node))
            lands.append(start + (TRAVEL if moves else INSIDE))
            yield m, start, lands[-1]
        time = max(lands) + REST


def step_pictures(f: Value, live: str) -> Iterator[str]:
    """Yield the live picture of f's graph at each step, with the step's formula below it.

    Raises ValueError for more than 200 steps, or if inputs of f have changed since it was computed.
    """
    parts = _Parts(f, live, STEPS)
    if len(parts.steps) > MOST_STEPS:
        count = f"{len(parts.steps):,} steps are more than the limit of {MOST_STEPS}"
        raise ValueError(f"frames: {count}: use walk(node).frames(…) for a part of the graph")
    width, height = int(parts.root.get("width", "")), int(parts.root.get("height", "")) + ROOM
    parts.root.attrib |= {"height": str(height), "viewBox": f"0 0 {width} {height}"}
    below = SubElement(parts.root, "g", {"transform": f"translate({width / 2:g} {height - ROOM / 2:g})"})
    last = {parts.boxes[m.node]: m for m in parts.steps if m.phase == "forward"}
    for m in parts.steps:
        if m.phase == "forward":
            parts.text(m.node, "data").text = ""
            _mark(parts.boxes[m.node], "waiting")
    total: dict[int, float] = {}
    final = {m.receiver: m for m in parts.steps if m.phase != "forward"}
    for m in parts.steps:
        states = [(parts.boxes[m.receiver], "now"), (parts.nodes[m.receiver], "now")]
        if m.phase == "forward":
            number = parts.order[m.node].data
            parts.text(m.node, "data").text = number_text(number, 4)
            _mark(parts.boxes[m.node], "waiting", on=last[parts.boxes[m.node]] is not m)
            states += [(parts.edges[name], "feeding") for name in parts.into(m.node)]
            title = parts.nodes[m.node].findtext("title", "").partition("\n")[0]
            words = typeset(f"{title} = ") + _number(number, "data")
        else:
            before = f"{_number(total[m.receiver], 'grad')} + " if m.receiver in total else ""
            total[m.receiver] = total.get(m.receiver, 0.0) + (m.given.product if m.given else 1.0)
            so_far = "" if final[m.receiver] is m else "…"
            parts.text(m.receiver, "grad").text = parts.grad(m.receiver, total[m.receiver]) + so_far
            node, name, root = parts.names[m.node], parts.names[m.receiver], parts.names[-1]
            words = typeset(f"{derivative(root, name)}{' so far' * bool(so_far)} = ")
            if m.given:
                states.append((parts.boxes[m.node], "giver"))
                factors = f"{_number(m.given.upstream, 'grad', True)} · {_number(m.given.local, 'data', True)} = "
                words += before + typeset(f"{derivative(root, node)} · ∂{node}/∂{name} = ") + before + factors
            if m.edge in parts.edges:
                states.append((parts.edges[m.edge], "carrying"))
                _mark(parts.edges[m.edge], "passed")
            words += _number(total[m.receiver], "grad")
        for element, kind in states:
            _mark(element, kind)
        parts.root.set("data-phase", m.phase)
        below[:] = [fromstring(f'<text class="step">{words}</text>')]
        yield parts.written()
        for element, kind in states:
            _mark(element, kind, on=False)


def _mark(element: Element, kind: str, on: bool = True) -> None:
    kinds = [k for k in element.get("class", "").split() if k != kind]
    element.set("class", " ".join([*kinds, kind] if on else kinds))


def _number(x: float, kind: str, is_factor: bool = False) -> str:
    """Write a number in its colour, in brackets if it is a negative factor."""
    words = f"({number_text(x)})" if is_factor and x < 0.0 else number_text(x)
    return f'<tspan class="{kind}">{words}</tspan>'
