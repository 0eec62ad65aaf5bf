"""Measures every picture and page in Chromium: it fits, no text is cut or covered, and its numbers are Python's."""

import json
import re
from random import Random
from typing import NamedTuple

import nbformat
import pytest
from conftest import AXE, ROOT
from gallery import PICTURES
from slides import net_232, xyz

from autograd import Value, affine, draw, exp, log, named, sigmoid, sum, walk
from autograd.graph import topological_order
from autograd.notation import number_text
from autograd.number_systems import floats
from autograd.table import is_constant
from nn import MLP, BatchNorm, binary_cross_entropy

pytestmark = pytest.mark.browser

WINDOWS = {
    "telephone": (360, 740), "telephone on its side": (740, 360), "desk": (1280, 800), "desk at 200 %": (640, 400),
    "projector": (1920, 1080),
}  # fmt: skip
SCHEMES = ["light", "dark"]
COLUMN = 1058  # pixels that JupyterLab gives a picture in a window of 1,280
ETA = 0.1

# ---- what is walked through -------------------------------------------------------------------------------------


def neuron():
    w, a = [Value(0.5, "w_1"), Value(-1.0, "w_2")], [Value(2.0, "a_1"), Value(0.25, "a_2")]
    return named(a=sigmoid(named(z=affine(w, a, Value(0.1, "b")))))


def softmax():
    """−log of a softmax of three, written out."""
    z = [Value(x, f"z_{i}") for i, x in enumerate((1.0, -0.5, 2.0), start=1)]
    e = named(**{f"e_{i}": exp(x) for i, x in enumerate(z, start=1)})
    return named(L=-log(named(p_1=e[0] / named(S=sum(list(e))))))


def batch_norm():
    bn = BatchNorm(1)
    y = bn.batch([[Value(x, f"x_{i}")] for i, x in enumerate((1.0, 2.0, 4.0, -1.5), start=1)])
    return named(L=sum([(row[0] - t) ** 2 for row, t in zip(y, (1.0, 0.0, 0.5, -1.0))]))


def large_net():
    trace = MLP(2, [16, 16, 1], activation="tanh", rng=Random(0)).trace([0.5, -1.0])
    return named(L=binary_cross_entropy(trace.output, 1))


GRAPHS = {
    "xyz": lambda: xyz()[2], "neuron": neuron, "softmax": softmax, "batch norm": batch_norm,
    "2-3-2": lambda: net_232()[2], "2-16-16-1": large_net,
}  # fmt: skip


class Step(NamedTuple):
    phase: str
    data: dict[Value, float]
    grads: dict[Value, float]
    told: list[float]  # the numbers that it is about
    now: Value | None = None
    giver: Value | None = None
    edge: str = ""


def passes(order):
    """Every step as Python computes it: all data and gradients that are known by then, and what it is about."""
    root, grads = order[-1], {}
    data = {x: x.data for x in order if not x.parents}
    yield Step("start", {**data}, {}, [])
    for x in order:
        if x.parents:
            data[x] = x.data
            yield Step("forward", {**data}, {}, [x.data], x)
    grads[root] = 1.0
    yield Step("seed", data, {**grads}, [1.0], root)
    for i, y in reversed([*enumerate(order)]):
        for k, (x, local) in enumerate(zip(y.parents, y.local_derivatives)):
            if not is_constant(x):
                product = grads[y] * local if grads[y] else 0.0
                grads[x] = grads.get(x, 0.0) + product
                yield Step("backward", data, {**grads}, [product, grads[x]], x, y, f"{i}:{k}")


def updated(order, eta=ETA):
    """The loss before the step w ← w − η ∂L/∂w, what the gradient promises, and the loss after it."""
    [*_, last] = passes(order)
    data, grads = {**last.data}, last.grads
    inputs = [x for x in order if not x.parents and not is_constant(x)]
    parameters = [x for x in inputs if re.match(r"[wbγβ][⁰¹²³⁴⁵⁶⁷⁸⁹]*(_|$)", x.name)] or inputs
    promised = order[-1].data
    for x in parameters:
        promised -= eta * grads[x] ** 2
        data[x] -= eta * grads[x]
    for x in order:
        if x.parents:
            data[x] = x.operation.rule(floats, *(data[p] for p in x.parents))[0]
    return [order[-1].data, promised, data[order[-1]]]


# ---- how a page is measured -------------------------------------------------------------------------------------

MEASURE = r"""
const R = (e) => e.getBoundingClientRect();
const isShown = (e) => e.getClientRects().length > 0
  && e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const shown = (selector, within = document) => [...within.querySelectorAll(selector)].filter(isShown);
const short = ({ textContent }) => textContent.trim().replace(/\s+/g, " ").slice(0, 40);
const meet = (a, b) => ({ left: Math.max(a.left, b.left), right: Math.min(a.right, b.right),
  top: Math.max(a.top, b.top), bottom: Math.min(a.bottom, b.bottom) });
const overlap = (a, b, by) => {
  const { left, right, top, bottom } = meet(a, b);
  return right - left > by && bottom - top > by;
};
const inside = (a, b, by = 0.5) => a.left >= b.left - by && a.right <= b.right + by
  && a.top >= b.top - by && a.bottom <= b.bottom + by;
const points = ({ left, right, top, bottom }, by = 1) => [[left + by, top + by], [right - by, top + by],
  [left + by, bottom - by], [right - by, bottom - by], [(left + right) / 2, (top + bottom) / 2]];
const screenOf = () => ({ left: 0, top: 0, right: innerWidth, bottom: innerHeight });
const isPage = (e) => e === document.documentElement || e === document.body;
function* upFrom(e) { for (let at = e; at instanceof Element; at = at.parentElement) yield at; }

/** What of the window an element's content can show in, when all that clips it is taken off. */
function frameOf(e) {
  let frame = screenOf();
  for (const at of upFrom(e)) {
    const { overflowX, overflowY } = getComputedStyle(at);
    if (!isPage(at) && `${overflowX} ${overflowY}` !== "visible visible") frame = meet(frame, R(at));
  }
  return frame;
}

/** What scrolls a region, itself or what is around it; the region where that is only the page. */
function areaOf(region) {
  for (const at of upFrom(region)) {
    if (isPage(at)) break;
    if (/auto|scroll/.test(getComputedStyle(at).overflow)) return at;
  }
  return region;
}

const pen = document.createElement("canvas").getContext("2d");
const metrics = new Map();
function inkOf(words, { fontStyle, fontWeight, fontSize, fontFamily }) {
  const font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`, key = `${font}|${words}`;
  if (!metrics.has(key)) { pen.font = font; metrics.set(key, pen.measureText(words)); }
  return metrics.get(key);
}

/** The runs of a text, each with its size and the rectangle of its ink, which has no room above and below. */
function runsOf(text) {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT), runs = [];
  const { a, b, c, d } = text.getScreenCTM(), scale = Math.sqrt(Math.abs(a * d - b * c));
  while (walker.nextNode()) {
    const words = walker.currentNode.data.trim(), parent = walker.currentNode.parentElement;
    if (!words || !isShown(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const { left, right, bottom } = R(range), style = getComputedStyle(parent), ink = inkOf(words, style);
    const base = bottom - ink.fontBoundingBoxDescent * scale;
    runs.push({ text, style, isIndex: parent.matches(".sub"), size: parseFloat(style.fontSize) * scale,
      rect: { left, right, top: base - ink.actualBoundingBoxAscent * scale,
        bottom: base + ink.actualBoundingBoxDescent * scale } });
  }
  return runs;
}

const outlineOf = (e) => e.closest(".weight, .box")?.querySelector(":scope > .outline");

/** Whether a rectangle lies in a shape, in its round corners too. */
function fills(rect, shape) {
  const back = shape.getScreenCTM().inverse();
  return points(rect).every(([x, y]) => shape.isPointInFill(new DOMPoint(x, y).matrixTransform(back)));
}

const rgba = (css) => { const [r, g, b, a = 1] = css.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
const over = ([r, g, b, a], [R, G, B]) => [[r, R], [g, G], [b, B]].map(([x, y]) => a * x + (1 - a) * y);
const channel = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b) + 0.05;
function contrast({ text, style }, paper) {
  const fill = outlineOf(text) && rgba(getComputedStyle(outlineOf(text)).fill);
  const ground = fill ? over(fill, paper) : paper, [r, g, b, a] = rgba(style.fill);
  const opacity = [...upFrom(text)].reduce((product, e) => product * getComputedStyle(e).opacity, a);
  const [x, y] = [light(over([r, g, b, opacity], ground)), light(ground)];
  return Math.max(x, y) / Math.min(x, y);
}

/** What is wrong with a picture in itself, at whatever scale it is shown. */
function faultsOf(svg, hasContrasts) {
  const found = [], paper = svg.querySelector(".paper");
  const runs = shown("text", svg).flatMap(runsOf).sort((a, b) => a.rect.left - b.rect.left);
  runs.forEach((run, i) => {
    const { text, rect } = run, outline = outlineOf(text);
    for (let j = i + 1; j < runs.length && runs[j].rect.left < rect.right; j++) {
      if (runs[j].text === text || !overlap(rect, runs[j].rect, 0.6)) continue;
      found.push(`texts overlap: ${short(text)} | ${short(runs[j].text)}`);
    }
    if (outline && !fills(rect, outline)) found.push(`text leaves its box: ${short(text)}`);
    const ratio = hasContrasts ? contrast(run, rgba(getComputedStyle(paper).fill)) : 5;
    if (ratio < 4.49) found.push(`contrast ${ratio.toFixed(2)}: ${short(text)}`);
  });
  const boxes = shown(".box > .outline", svg).map((e) => [e.parentElement, R(e)]);
  boxes.forEach(([g, a], i) => boxes.slice(0, i).forEach(([h, b]) => {
    if (g !== h && overlap(a, b, 1)) found.push(`boxes overlap: ${short(g)} | ${short(h)}`);
  }));
  for (const { text, rect } of runs.filter((run) => !run.text.closest(".box"))) {
    for (const [g, r] of boxes) if (overlap(rect, r, 1)) found.push(`label on a box: ${short(text)} | ${short(g)}`);
  }
  return [found, runs];
}

/** A picture by itself: what is wrong with it, its width, its smallest type but for indices, and its smallest. */
function still(svg) {
  const [found, runs] = faultsOf(svg, true), frame = R(svg);
  for (const { rect, text } of runs) if (!inside(rect, frame)) found.push(`text leaves the picture: ${short(text)}`);
  for (const e of shown(".outline", svg)) {
    if (!inside(R(e), frame, 1)) found.push(`box leaves the picture: ${short(e.parentElement)}`);
  }
  const least = (some) => Math.min(...some.map(({ size }) => size));
  const width = frame.right - frame.left;
  return { found, width, type: least(runs.filter(({ isIndex }) => !isIndex)), index: least(runs) };
}

const part = (name) => document.querySelector(`[id$="-${name}"]`);
const plain = (words = "") => words.replace(/[\u2060-\u2062]/g, "").replace(/\s+/g, " ").trim();

/** What is wrong with the place of the formula or the sentence. */
function* misplaced(name) {
  const region = part(name);
  if (!plain(region.textContent)) return;
  const area = areaOf(region), r = R(area), sees = meet(r, screenOf());
  if (!inside(r, screenOf())) yield `${name} leaves the window`;
  if (r.bottom - r.top < 14) yield `${name} has ${(r.bottom - r.top).toFixed(0)} px of height`;
  if (area === region && area.scrollWidth > area.clientWidth + 1) yield `${name} is wider than its place`;
  for (const control of shown("nav, footer, .controls")) {
    if (!control.contains(region) && overlap(sees, R(control), 1)) yield `${name} under the controls`;
  }
  for (const [x, y] of points(sees, 5)) {
    const hit = document.elementFromPoint(x, y);
    if (hit && !area.contains(hit) && !hit.contains(area)) yield `${name} covered: ${hit.tagName} ${short(hit)}`;
  }
}

/** What is wrong with the place of the two boxes of the step. */
function* unseen(svg, frame) {
  for (const node of shown(".now, .giver", svg)) {
    const r = R(outlineOf(node)), role = node.matches(".now") ? "receiver" : "giver";
    const hits = points(r, 4).map(([x, y]) => document.elementFromPoint(x, y));
    if (!inside(r, frame)) yield `${role} out of view: ${short(node)}`;
    else if (!hits.every((e) => e && (svg.contains(e) || e.contains(svg)))) yield `${role} covered: ${short(node)}`;
  }
}

/** A step of the walk: what is wrong, and what it says. */
function step(hasContrasts) {
  const [svg] = shown("svg.picture"), frame = frameOf(svg);
  const [found, runs] = faultsOf(svg, hasContrasts);
  found.push(...unseen(svg, frame), ...misplaced("formula"), ...misplaced("sentence"));
  const isWhole = shown(".outline", svg).every((e) => inside(R(e), frame));
  for (const { text, rect } of runs) if ((isWhole || text.matches(".local, .sum")) && !inside(rect, frame)) {
    found.push(`text cut by the frame: ${short(text)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the window");
  const node = (g) => Number(g.dataset.node);
  return {
    found, isWhole, phase: document.querySelector("[data-phase]").dataset.phase,
    cells: [...svg.querySelectorAll(".node[data-node]")].map((g) =>
      [node(g), ...[".data", ".grad"].map((kind) => plain(g.querySelector(kind)?.textContent))]),
    marked: [".now", ".giver"].map((state) => shown(state, svg).map(node)),
    carrying: [...svg.querySelectorAll(".edge.carrying")].map((g) => g.dataset.edge),
    type: Math.min(...runs.map(({ size }) => size)),
    told: `${plain(part("formula").textContent)} ; ${plain(part("sentence").textContent)}`,
    page: plain(document.querySelector("main").innerText),
  };
}

const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

/** Every step by the arrow key, or one of `stride`, to which the scrubber leads; of `few` of them one's contrasts. */
async function allSteps(count, stride, few) {
  const steps = [], field = part("scrubber");
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  for (let i = 0; i < count; i += stride) {
    if (stride > 1) Object.assign(field, { value: Math.max(0, i - 1) }).dispatchEvent(new Event("input"));
    press(i ? "ArrowRight" : "Home");
    await frames();
    steps.push(step(steps.length % few === 0));
  }
  return JSON.stringify(steps); // which is handed over far faster
}
Object.assign(window, { still, step, frames, allSteps, shown, part, areaOf, R });
"""


def measuring(page):
    page.evaluate(f"() => {{ {MEASURE} }}")
    return page


NUMBER = re.compile(r"−?(?:\d+(?:\.\d+)?(?:e−?\d+|·10−?\d+)?|∞)")


def numbers(text):
    """The numbers of a text, with powers of ten as number_text writes them."""
    joined = text.replace(" · 10", "·10").replace("− ", "−")
    return {found.replace("·10", "e") for found in NUMBER.findall(joined)}


def violations(page, rules=None):
    """All that axe finds by these rules, or by all of its own, be it only moderate."""
    if not AXE.exists():
        pytest.skip("there is no axe-core in tests/web: npm install --prefix tests/web")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate(
        """async (rules) => (await axe.run(document, {
          resultTypes: ["violations"], ...(rules && { runOnly: rules }) })).violations""",
        rules,
    )
    return [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in found]


def violations_in_both(page):
    """The same in either scheme; in the dark only of contrasts, as nothing but colours is different there."""
    found = []
    for scheme, rules in zip(SCHEMES, (None, ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        found += [(scheme, *violation) for violation in violations(page, rules)]
    return found


# ---- walk -------------------------------------------------------------------------------------------------------


def wrong_numbers(cells, order, data, grads):
    """Boxes whose numbers are not Python's at this step; what is not computed yet has to be empty."""
    found = []
    for i, shown_data, shown_grad in cells:
        x = order[i]
        expected = number_text(data[x], 4) if x in data else ""
        if shown_data.strip("…?") != expected:
            found.append(f"{x.name or i}: data {shown_data!r}, Python has {expected!r}")
        expected = number_text(grads[x], 4) if x in grads and not is_constant(x) else ""
        if shown_grad.strip("∂δ…?= ") != expected:
            found.append(f"{x.name or i}: gradient {shown_grad!r}, Python has {expected!r}")
    return found


def complaints(steps, expected, order, least=0.0, whole=False):
    """Each step's number, and what is wrong there."""
    found, seen = [], {i for i, x in enumerate(order) if not is_constant(x)}
    for page, (i, step) in zip(steps, expected, strict=True):
        wrong = [*page["found"], *wrong_numbers(page["cells"], order, step.data, step.grads)]
        if missing := seen - {cell[0] for cell in page["cells"]}:
            wrong.append(f"no cells for the nodes {missing}")
        if page["phase"] != step.phase:
            wrong.append(f"phase {page['phase']}, in Python {step.phase}")
        marked = [[order.index(x)] if x in order else [] for x in (step.now, step.giver)]
        if page["marked"] != marked:
            wrong.append(f"receives and gives {page['marked']}, in Python {marked}")
        if step.edge and step.edge not in page["carrying"]:
            wrong.append(f"edge {page['carrying']}, in Python {step.edge}")
        missing = {number_text(x) for x in step.told} - numbers(page["told"])
        if missing:
            wrong.append(f"{missing} neither in formula nor in sentence: {page['told']}")
        if page["type"] < least:
            wrong.append(f"type of {page['type']:.1f} px")
        if whole and not page["isWhole"]:
            wrong.append("boxes out of view")
        found += [f"step {i}: {what}" for what in dict.fromkeys(wrong)]
    return found


def walked(visit, path, build, size, scheme, least=0.0, whole=False):
    root = build()
    order = topological_order(root)
    page = measuring(visit(walk(root).save(path / "walk.html"), *WINDOWS[size], scheme, motion="reduce"))
    expected = list(enumerate(passes(order)))
    # a step of a large net takes a tenth of a second, and its layers consist of many steps of one kind; in the dark
    # it is contrasts that are measured, which change little from step to step
    stride = (23 if len(expected) > 200 else 1) * (1 if scheme == "light" else 5)
    few = 12 if scheme == "light" else 1
    steps = json.loads(page.evaluate(f"allSteps({len(expected)}, {stride}, {few})"))
    return complaints(steps, expected[::stride], order, least, whole)


SHORT = [("xyz", "telephone", "light"), ("neuron", "telephone on its side", "light"), ("xyz", "desk", "dark")]
# dark differs from light in its colours alone, which are the same in every window: each graph is walked in it once
CASES = [(name, size, "light") for name in GRAPHS for size in WINDOWS] + [(name, "desk", "dark") for name in GRAPHS]


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [pytest.param(*case, marks=() if case in SHORT else pytest.mark.slow) for case in CASES],
)
def test_every_step_is_in_view_uncovered_and_pythons(visit, tmp_path, name, size, scheme):
    assert walked(visit, tmp_path, GRAPHS[name], size, scheme) == []


@pytest.mark.slow
def test_the_whole_2_3_2_net_is_in_view_at_every_step_at_a_desk(visit, tmp_path):
    assert walked(visit, tmp_path, GRAPHS["2-3-2"], "desk", "light", least=9.0, whole=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", WINDOWS)
def test_giver_and_receiver_come_into_view_where_things_move(visit, tmp_path, size):
    page = measuring(visit(walk(net_232()[2]).save(tmp_path / "walk.html"), *WINDOWS[size]))
    page.locator("[id$='-speed']").evaluate(
        "(select) => { select.value = 4; select.dispatchEvent(new Event('change')); }"
    )
    found = []
    for i in range(1, 60):
        page.keyboard.press("ArrowRight")
        if i % 6 == 0:
            page.wait_for_timeout(350)  # the picture moves for 260 ms, the dots at this speed for 175
            page.wait_for_function("!document.querySelector('.drop')")
            found += [f"step {i}: {what}" for what in page.evaluate("frames().then(() => step(false).found)")]
    assert found == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "xyz" else pytest.mark.slow) for name in GRAPHS]
)
def test_the_update_keeps_what_python_promises(visit, tmp_path, name):
    order = topological_order(GRAPHS[name]())
    page = measuring(visit(walk(order[-1]).save(tmp_path / "walk.html"), motion="reduce"))
    page.keyboard.press("End")
    told = set()
    for _ in range(3):  # the update is the last step, or follows on it
        told |= numbers(page.evaluate("step(false)")["page"])
        page.keyboard.press("ArrowRight")
    assert {number_text(x) for x in updated(order)} <= told


def test_a_sum_moves_to_where_the_window_shows_it(visit, tmp_path):
    page = measuring(visit(walk(xyz()[2]).save(tmp_path / "walk.html"), motion="reduce"))
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    found = {}
    for size, (width, height) in WINDOWS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(100)  # until the picture has followed
        assert page.locator(".sum:visible").text_content() == "12 + 12 = 24"
        found[size] = page.evaluate("step(false).found")
    assert found == {size: [] for size in WINDOWS}


SPOILS = {
    "giver out of view": "giver.setAttribute('transform', 'translate(-400 0)')",
    "receiver covered": "cover(now)",
    "formula covered": "cover(part('formula'))",
    "sentence under the controls": "move(areaOf(part('sentence')), shown('nav, footer, .controls')[0])",
    "sentence leaves the window": "areaOf(part('sentence')).style.translate = '0 900px'",
    "text leaves its box": "svg.querySelector('.node text').textContent = 'too long '.repeat(9)",
    "texts overlap": "data.setAttribute('y', Number(data.getAttribute('y')) + 14)",
    "boxes overlap": "giver.setAttribute('transform', now.getAttribute('transform'))",
    "contrast": "data.style.fill = 'rgb(170, 170, 170)'",
    "the page is wider": "document.querySelector('main').style.width = '3000px'",
}


@pytest.mark.parametrize("words", SPOILS)
def test_the_measurement_sees_what_is_wrong(visit, tmp_path, words):
    page = measuring(visit(walk(xyz()[2]).save(tmp_path / "walk.html"), motion="reduce"))
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("step(true)")["found"] == []
    found = page.evaluate(f"""() => {{
      const [svg] = shown("svg.picture"), boxOf = (e) => shown(e, svg)[0].closest(".box");
      const [now, giver] = [boxOf(".now"), boxOf(".giver")], data = now.querySelector(".data");
      const cover = (e) => document.body.insertAdjacentHTML("beforeend",
        `<i style="position:fixed;left:${{R(e).left}}px;top:${{R(e).top}}px;width:300px;height:200px"></i>`);
      const move = (e, to) => {{ e.style.translate = `0 ${{R(to).top - R(e).top}}px`; }};
      {SPOILS[words]};
      return step(true).found;
    }}""")
    assert [complaint for complaint in found if words in complaint]


def test_a_wrong_number_is_seen(visit, tmp_path):
    _, s, f = xyz()
    order = topological_order(f)
    page = measuring(visit(walk(f).save(tmp_path / "walk.html"), motion="reduce"))
    expected = [*enumerate(passes(order))][:1]
    cells = page.evaluate("step(false)")
    assert not complaints([cells], expected, order)
    s.data = 3.001
    assert complaints([cells], [*enumerate(passes(order))][:1], order) == ["step 0: s: data '3', Python has '3.001'"]


# ---- what axe finds ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", ["telephone", "desk"])
@pytest.mark.parametrize("name", GRAPHS)
def test_axe_finds_nothing_on_a_walk(visit, tmp_path, name, size):
    root = GRAPHS[name]()
    page = visit(walk(root).save(tmp_path / "walk.html"), *WINDOWS[size], motion="reduce")
    steps = len(list(passes(topological_order(root))))
    scrubber = page.locator("[id$='-scrubber']")
    found = {}
    for at in (0, min(steps // 2, 80), min(steps - 1, 160), 9999):  # the start, each pass, the update
        scrubber.evaluate("(e, at) => { e.value = at; e.dispatchEvent(new Event('input')); }", at)
        found[at] = violations_in_both(page)
    assert {at: wrong for at, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_on_the_pages_of_drawings(visit, tmp_path):
    for i, drawing in enumerate((draw(xyz()[2]), draw(net_232()[1]), draw(large_net()))):
        page = visit(drawing.save(tmp_path / f"{i}.html"), *WINDOWS["desk"])
        assert violations_in_both(page) == []


# ---- pictures that stand still ----------------------------------------------------------------------------------

# what a notebook's cell shows, its images written out so that they can be measured; or that it is a frame
SHOWN = """([html, column]) => {
  document.body.innerHTML = `<div style="width:${column}px">${html}</div>`;
  document.body.style.margin = 0;
  const frame = document.querySelector("iframe");
  if (frame) return { frame: frame.getBoundingClientRect().width };
  for (const image of document.querySelectorAll("img[src^='data:image/svg']")) {
    const bytes = Uint8Array.from(atob(image.src.split("base64,")[1]), (c) => c.charCodeAt(0));
    const svg = new DOMParser().parseFromString(new TextDecoder().decode(bytes), "image/svg+xml").documentElement;
    svg.setAttribute("style", image.getAttribute("style") ?? "");
    image.replaceWith(document.importNode(svg, true));
  }
  return { frame: null };
}"""


def unfit(page, html):
    """What is wrong with a picture in a notebook's column."""
    page.set_viewport_size({"width": COLUMN, "height": 800})
    page.set_content("<!doctype html><meta charset=utf-8><meta name=color-scheme content='light dark'><body>")
    frame = page.evaluate(SHOWN, [html, COLUMN])["frame"]
    if frame:
        return [] if frame <= COLUMN else [f"a frame of {frame:.0f} px"]
    measuring(page)
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for i in range(page.locator("svg").count()):
            measured = page.evaluate(f"still(document.querySelectorAll('svg')[{i}])")
            found += measured["found"]
            if measured["width"] > COLUMN + 0.5:
                found.append(f"{measured['width']:.0f} px wide")
            if measured["type"] < 10.95 or measured["index"] < 8.95:
                found.append(f"type of {measured['type']:.1f} px, indices of {measured['index']:.1f} px")
    return list(dict.fromkeys(found))


FEW = ("f = xyz, with the paths from s", "a neuron", "the 2-3-2 net as neurons")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in PICTURES]
)
def test_a_picture_of_the_gallery_fits_a_notebooks_column(window, name):
    assert unfit(window.page, PICTURES[name]()._repr_html_()) == []


def drawings(path):
    """What the cells of a notebook show that draw something, as HTML."""
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/svg+xml" in data:
                yield number, data.get("text/html") or data["image/svg+xml"]


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path.stem[:2] in ("01", "02") else pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_the_pictures_of_a_notebook_fit_its_column(window, path):
    found = {number: unfit(window.page, html) for number, html in drawings(path)}
    assert found
    assert {number: wrong for number, wrong in found.items() if wrong} == {}


GALLERY = ROOT / "docs" / "gallery"


def test_a_page_shows_every_picture_of_the_gallerys_folder():
    pages = [path.read_text(encoding="utf-8") for path in GALLERY.parent.rglob("*.md")]
    shown = {file for page in pages for file in re.findall(r"\]\((?:\.\./)*gallery/([\w-]+\.\w+)\)", page)}
    assert shown == {path.name for path in GALLERY.iterdir()} and len(shown) > 10


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_on_the_page_of_the_gallery_fits_a_column(window, path):
    svg = path.read_text(encoding="utf-8").replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
    assert unfit(window.page, svg) == []
