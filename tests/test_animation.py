"""Tests of animations: both passes as an SVG, a GIF, or one picture per step."""

import re
import sys
from bisect import bisect
from random import Random
from xml.etree import ElementTree

import pytest
from slides import net_232, xyz
from test_drawing import HOSTILE, random_graph

from autograd import Value, affine, draw, named, relu, walk
from autograd.colours import LIGHT
from autograd.contributions import gradients, moments
from autograd.drawing import raster
from autograd.graph import topological_order
from autograd.notation import number_text
from nn import MLP, half_squared_error

SVG = "{http://www.w3.org/2000/svg}"


def still(picture, part):
    """An animated SVG as it is after a part of its time, as to what appears."""
    root = ElementTree.fromstring(picture)
    for element in root.iter():
        for change in element.findall(f"{SVG}animate"):
            times = [float(time) for time in change.get("keyTimes").split(";")]
            element.set(change.get("attributeName"), change.get("values").split(";")[bisect(times, part) - 1])
    return ElementTree.tostring(root, encoding="unicode")


def shown(picture):
    """What can be seen of each node's data and gradient; of each wire, its kinds."""
    root = ElementTree.fromstring(picture)
    numbers = {}
    for g in root.iter(f"{SVG}g"):
        if "data-node" in g.attrib:
            texts = [t for t in g.iter(f"{SVG}text") if t.get("opacity") != "0" and "words" not in t.get("class")]
            numbers[int(g.get("data-node"))] = [t.text for t in texts if t.text]
    return numbers


def film(picture, seconds):
    """The same at a time of an animation."""
    return shown(still(picture, seconds / float(re.search(r' dur="([\d.]+)s"', picture)[1])))


# ---- the steps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_the_steps_compute_each_value_after_its_operands_and_sum_to_the_gradients(seed):
    _, f = random_graph(15, seed)
    order = topological_order(f)
    known = {i for i, x in enumerate(order) if not x.parents}
    total = {len(order) - 1: 1.0}
    for m in moments(f):
        if m.phase == "forward":
            assert {order.index(x) for x in order[m.node].parents} <= known
            known.add(m.node)
        elif m.given:
            assert (m.given.node, m.given.parent) == (order[m.node], order[m.receiver])
            node, _, k = m.edge.partition(":")
            assert order[int(node)].parents[int(k)] is m.given.parent
            total[m.receiver] = total.get(m.receiver, 0.0) + m.given.product
    assert known == set(range(len(order)))
    assert {order[i]: x for i, x in total.items()} == {x: g for x, g in gradients(f).items() if x.operation or x.name}


# ---- the animation --------------------------------------------------------------------------------------------


def test_slide_f_equals_xyz_moves_in_25_kb_without_a_script_or_a_request(tmp_path):
    _, _, f = xyz()
    moving = draw(f).animate()
    path = moving.save(tmp_path / "f.svg")
    assert path.stat().st_size <= 25_000
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert not any(e.tag == f"{SVG}script" for e in root.iter())
    links = [a for e in root.iter() for name, a in e.attrib.items() if name.endswith("href") or name.startswith("on")]
    assert links and all(link.startswith("#") for link in links)
    assert "http" not in moving.svg.replace("http://www.w3.org/2000/svg", "")
    assert moving._repr_html_() != draw(f)._repr_html_()


def test_slide_a_still_format_of_an_animation_shows_the_end_of_both_passes(tmp_path):
    _, _, f = xyz()
    moving = draw(f).animate()
    assert shown(moving.svg) == film(moving.svg, 13.0)
    assert moving.save(tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_slide_numbers_appear_when_they_are_computed_and_s_gets_12_and_then_24():
    _, _, f = xyz()
    svg = draw(f).animate().svg
    steps = [film(svg, seconds / 4) for seconds in range(56)]
    r, x, s, y, v1, z, root = range(7)
    assert steps[0] == {r: ["2"], x: [], s: ["3"], y: [], v1: [], z: [], root: []}
    histories = {i: list(dict.fromkeys(tuple(step[i]) for step in steps)) for i in range(7)}
    assert histories == {
        r: [("2",), ("2", "∂ 18…"), ("2", "∂ 36")],
        x: [(), ("2",), ("2", "∂ 18")],
        s: [("3",), ("3", "∂ 12…"), ("3", "∂ 24")],
        y: [(), ("6",), ("6", "∂ 6")],
        v1: [(), ("12",), ("12", "∂ 3")],
        z: [(), ("3",), ("3", "∂ 12")],
        root: [(), ("36",), ("36", "∂ 1")],
    }
    first = {i: next(t for t, step in enumerate(steps) if step[i] != steps[0][i]) for i in range(7)}
    assert first[y] < first[v1] < first[root] < first[s] < first[r]


def test_an_animation_changes_no_gradient_and_needs_none():
    _, _, f = xyz()
    still_there = draw(f).animate().svg
    assert not any(x.grad for x in topological_order(f))
    f.backward()
    assert draw(f).animate().svg.count("<circle") == still_there.count("<circle")


def test_the_area_of_a_dot_tells_how_much_it_carries():
    _, _, f = xyz()
    svg = draw(f).animate().svg
    radii = [float(r) for r in re.findall(r'<circle class="dot back" r="([\d.]+)"', svg)]
    carried = [m.given.product for m in moments(f) if m.given]
    assert sorted(r**2 for r in radii) == pytest.approx([7.5**2 * c / 18.0 for c in sorted(carried)], rel=0.05)


def test_what_carries_nothing_leaves_no_trace():
    x, y = Value(-1.0, "x"), Value(2.0, "y")
    svg = draw(named(f=relu(x) + y)).animate().svg
    assert svg.count('class="trace"') == svg.count('class="tip back"') == 2  # from f to its operands, not to x
    assert film(svg, 8.0)[0] == ["−1", "∂ 0"]


def test_a_network_moves_along_its_weights_which_get_their_gradients():
    model, _, L = net_232()
    svg = draw(L).animate().svg
    seconds = float(re.search(r' dur="([\d.]+)s"', svg)[1])
    order, end, begin = topological_order(L), film(svg, seconds), film(svg, 0.0)
    slope = gradients(L)
    for w in model.parameters():
        i = order.index(w)
        assert begin[i] == [number_text(w.data, 4)]
        assert end[i] == [number_text(w.data, 4), f"∂ {number_text(slope[w], 4)}"]
    z = next(i for i, x in enumerate(order) if x.name == "z¹_1")
    assert end[z][1].startswith("δ ")


@pytest.mark.parametrize(
    ("drawn", "complaint"),
    [
        (lambda x, f: draw(MLP(2, [2], rng=Random(0))), "animate: only the graph of a single Value"),
        (lambda x, f: draw([f, x]), "only the graph of a single Value can move"),
        (lambda x, f: draw(f, wrt=x), "paths from wrt are highlighted"),
        (lambda x, f: draw(f, fold=True), r"collapse=False\) without fold"),
        (lambda x, f: draw(f, collapse=True), r"collapse=False\) without fold"),
        (lambda x, f: draw(random_graph(150, 0)[1]), r"\d+ boxes are more than the limit of 60: .*draw\(node\)"),
    ],
)
def test_a_drawing_without_a_place_for_each_step_does_not_move(drawn, complaint):
    x = Value(2.0, "x")
    f = named(f=(x * x) * (x + 1.0))
    with pytest.raises(ValueError, match=complaint):
        drawn(x, f).animate()


def test_passes_over_changed_inputs_are_refused():
    _, s, f = xyz()
    s.data = 5.0
    for moving in (lambda: draw(f).animate(), lambda: walk(f).frames("nowhere")):
        with pytest.raises(ValueError, match="s changed since f was computed"):
            moving()


def test_a_gif_has_the_frames_of_the_svg_and_says_what_it_needs(tmp_path, monkeypatch):
    images = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(raster, "FRAMES", 2)
    x = Value(3.0, "x")
    moving = draw(named(f=x * x)).animate()
    with images.open(moving.save(tmp_path / "f.gif")) as image:
        assert image.n_frames > 5 and image.info["loop"] == 0
        assert image.size == tuple(int(n) for n in re.search(r'width="(\d+)" height="(\d+)"', moving.svg).groups())
        grounds = set()
        for i in range(image.n_frames):
            image.seek(i)
            grounds.add(image.convert("RGB").getpixel((0, 0)))
    [ground] = grounds  # of a palette of 64 colours
    assert max(abs(a - b) for a, b in zip(ground, bytes.fromhex(LIGHT["paper"][1:]))) <= 4
    for drawing, name in ((draw(x * x), "still.gif"), (moving, "f.html")):
        with pytest.raises(ValueError, match=f"{name}: a drawing can be saved as .svg,"):
            drawing.save(tmp_path / name)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"GIF needs pillow: pip install 'chainrule\[render\]'"):
        moving.save(tmp_path / "f.gif")


VISIBLE = """() => [...document.querySelectorAll('.data, .grad, .dot')].filter(e =>
  getComputedStyle(e).opacity > 0.5 && getComputedStyle(e).display !== 'none').map(e => e.textContent || e.tagName)"""


@pytest.mark.browser
def test_chromium_plays_it_and_shows_the_end_to_whoever_wants_no_motion(visit, tmp_path):
    _, _, f = xyz()
    path = draw(f).animate().save(tmp_path / "f.svg")
    page = visit(path)
    page.evaluate("document.documentElement.pauseAnimations()")
    seen = []
    for seconds in (0.2, 1.8, 8.2, 13.0):
        page.evaluate(f"document.documentElement.setCurrentTime({seconds})")
        seen.append(sorted(filter(None, page.evaluate(VISIBLE))))
    everything = sorted("2 ∂ 36|3 ∂ 24|2 ∂ 18|6 ∂ 6|12 ∂ 3|3 ∂ 12|36 ∂ 1".replace(" ∂", "|∂").split("|"))
    assert seen[0] == ["2", "3"]
    assert seen[1] == ["2", "3", "circle", "circle", "circle", "circle"]
    assert seen[2].count("circle") == 3 and "∂ 12" in seen[2] and "∂ 24" not in seen[2]
    assert seen[3] == everything
    page = visit(path, motion="reduce")
    assert sorted(filter(None, page.evaluate(VISIBLE))) == everything
    assert page.evaluate(
        "[...document.querySelectorAll('.ahead')].every(e => getComputedStyle(e).display === 'none')"
    )


# ---- one picture for each step --------------------------------------------------------------------------------


def formula(picture):
    [text] = [t for t in ElementTree.fromstring(picture).iter(f"{SVG}text") if t.get("class") == "step"]
    return "".join(text.itertext()).replace("\xa0", " ")


def marked(picture, kind):
    """The boxes, or edges, in a state."""
    found = [g for g in ElementTree.fromstring(picture).iter(f"{SVG}g") if kind in g.get("class", "").split()]
    return [g.get("data-box") or g.get("data-edge") for g in found if g.get("data-box") or g.get("data-edge")]


def test_slide_each_step_of_f_equals_xyz_is_a_file_with_its_formula(tmp_path):
    _, _, f = xyz()
    paths = walk(f).frames(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"step-{i:02}.svg" for i in range(1, 15)]
    pictures = [path.read_text(encoding="utf-8") for path in paths]
    assert [formula(picture) for picture in pictures] == [
        "x = r = 2", "y = r · s = 6", "v1 = x · y = 12", "z = s = 3", "f = v1 · z = 36",
        "∂f/∂f = 1",
        "∂f/∂v1 = ∂f/∂f · ∂f/∂v1 = 1 · 3 = 3", "∂f/∂z = ∂f/∂f · ∂f/∂z = 1 · 12 = 12",
        "∂f/∂s so far = ∂f/∂z · ∂z/∂s = 12 · 1 = 12", "∂f/∂x = ∂f/∂v1 · ∂v1/∂x = 3 · 6 = 18",
        "∂f/∂y = ∂f/∂v1 · ∂v1/∂y = 3 · 2 = 6", "∂f/∂r so far = ∂f/∂y · ∂y/∂r = 6 · 3 = 18",
        "∂f/∂s = 12 + ∂f/∂y · ∂y/∂s = 12 + 6 · 2 = 24", "∂f/∂r = 18 + ∂f/∂x · ∂x/∂r = 18 + 18 · 1 = 36",
    ]  # fmt: skip
    assert marked(pictures[1], "now") == ["y"] and marked(pictures[1], "feeding") == ["3:0", "3:1"]
    assert marked(pictures[1], "waiting") == ["v₁", "z", "f"]
    last_s = pictures[12]
    assert (marked(last_s, "giver"), marked(last_s, "now"), marked(last_s, "carrying")) == (["y"], ["s"], ["3:1"])
    assert sorted(marked(last_s, "passed")) == ["3:0", "3:1", "4:0", "4:1", "5:0", "6:0", "6:1"]
    assert shown(pictures[-1]) == {
        0: ["2", "∂ 36"], 1: ["2", "∂ 18"], 2: ["3", "∂ 24"], 3: ["6", "∂ 6"], 4: ["12", "∂ 3"], 5: ["3", "∂ 12"],
        6: ["36", "∂ 1"],
    }  # fmt: skip


def test_steps_of_a_network_know_its_deltas_and_write_negative_factors_in_brackets(tmp_path):
    _, _, L = net_232()
    formulas = [formula(path.read_text(encoding="utf-8")) for path in walk(L).frames(tmp_path)]
    [delta] = [words for words in formulas if words.startswith("δ²1 =")]
    assert re.fullmatch(r"δ²1 = ∂L/∂a²1 · ∂a²1/∂z²1 = \(−0\.\d+\) · 0\.\d+ = −0\.\d+", delta)


def test_hostile_names_stay_words_when_they_move_and_in_each_step(tmp_path):
    values = [Value(float(i + 1), name) for i, name in enumerate(HOSTILE)]
    f = named(f=affine(values[:13], values[13:26], values[26]))
    f.name = "<f>&\"'"
    pictures = [draw(f).animate().svg] + [path.read_text(encoding="utf-8") for path in walk(f).frames(tmp_path)]
    for picture in pictures:
        tags = {e.tag.removeprefix(SVG) for e in ElementTree.fromstring(picture).iter()}
        assert not tags & {"script", "b", "i", "foreignObject", "a"}


def test_more_steps_than_a_folder_should_hold_are_refused(tmp_path):
    model = MLP(2, [16, 16, 1], rng=Random(0))
    L = named(L=half_squared_error(model([0.5, -1.0]), 1.0))
    with pytest.raises(ValueError, match=r"frames: \d+ steps are more than the limit of 200: use walk\(node\)"):
        walk(L).frames(tmp_path / "steps")
    assert not (tmp_path / "steps").exists()
