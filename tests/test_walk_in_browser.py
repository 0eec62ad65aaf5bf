"""Tests of the page of ``walk`` in Chromium, driven like a student: the display, not the computation."""

import math
import re
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from conftest import serious
from test_javascript import disagreement, frozen, grid, operand_count, source_of, thawed
from test_walking import HOSTILE, large_net, mixture, net_232, neuron, xyz

from autograd import Value, named
from autograd.__main__ import main
from autograd.contributions import contributions
from autograd.functions import log, logsumexp, product, relu, sqrt
from autograd.graph import leaves, topological_order
from autograd.notation import number_text
from autograd.number_systems import javascript
from autograd.table import TABLE, is_constant
from autograd.walking import walk
from autograd.walking.page_data import GraphData

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright drives Chromium here: pip install playwright", exc_type=ImportError
)
pytestmark = pytest.mark.browser

# a telephone upright and lying, a desk, the same at 200 %, a projector
SCREENS = {"telephone": (360, 740), "lying": (740, 360), "desk": (1280, 800), "doubled": (640, 400),
           "projector": (1920, 1080)}  # fmt: skip
SCHEMES = ["light", "dark"]
R, S, Y, F = 0, 2, 3, 6  # the nodes of f = xyz
FIRST_OF_S, SECOND_OF_S, END, UPDATE = 9, 13, 15, 16  # steps of f = xyz: ∂f/∂s = 12 + 6 · 2, both gradients, the last


@pytest.fixture
def opened(visit, tmp_path):
    """Opens a walk, or a page that is there already."""
    files = (tmp_path / f"{i}.html" for i in count())

    def open_page(root, predict=False, screen="desk", scheme="light", motion="reduce"):
        path = root if isinstance(root, Path) else walk(root, predict=predict).save(next(files))
        return visit(path, *SCREENS[screen], scheme, motion)

    return open_page


def part(page, name):
    """An element by its name on the page."""
    return page.locator(f"[id$='-{name}']")


def text(page, name):
    """What stands there, its joints undone that keep lines together."""
    return plain(part(page, name).text_content())


def plain(words):
    return words.replace("\u00a0", " ").replace("\u2060", "").strip()


def node(page, i):
    """The place of a node in the picture that is shown."""
    return page.locator(f".node[data-node='{i}']:visible")


def box(page, i):
    """The words in a node's place: number and gradient."""
    return [node(page, i).locator(f".{kind}").text_content() for kind in ("data", "grad")]


def boxes(page):
    """The same of all nodes, in their order."""
    read = """(all) => all.filter((g) => g.getClientRects().length).map((g) => [+g.dataset.node,
      g.querySelector(".data").textContent, g.querySelector(".grad").textContent])"""
    return [words for _, *words in sorted(page.locator(".node").evaluate_all(read))]


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def go(page, position):
    """To a step, with the scrubber."""
    part(page, "scrubber").evaluate(
        "(field, position) => { field.value = position; field.dispatchEvent(new Event('input')); }", position
    )


def end(page):
    """To the end of both passes, the step before the update."""
    press(page, "End")
    press(page, "ArrowLeft")


def boxes_of(root):
    """What Python's own run writes into the boxes."""
    for x in topological_order(root):
        x.grad = 0.0
    root.backward()
    rows = []
    for x in topological_order(root):
        sign = "δ" if x.name and x.name[0] == "z" and x.name != "z" else "∂"
        if not is_constant(x):  # it stands in the formulas
            rows.append([number_text(x.data, 4), f"{sign} {number_text(x.grad, 4)}"])
    return rows


# ---- both passes ------------------------------------------------------------------------------------------------


def test_inputs_stand_in_the_order_of_layer_letter_and_index(opened):
    page = opened(net_232())
    labels = page.locator(".fields input:not([type=range])").evaluate_all("(all) => all.map((e) => e.ariaLabel)")
    assert labels[:8] == ["a⁰₁", "a⁰₂", "b¹₁", "b¹₂", "b¹₃", "w¹₁₁", "w¹₁₂", "w¹₂₁"] and labels[-1] == "w²₂₃"


def test_f_equals_xyz_ends_with_36_and_24_and_goes_back(opened):
    page = opened(xyz())
    assert box(page, F) == ["", ""]
    for _ in range(END):
        part(page, "next").click()
    assert [box(page, i) for i in (R, S, F)] == [["2", "∂ 36"], ["3", "∂ 24"], ["36", "∂ 1"]]
    ends = re.sub(r"\s", "", text(page, "formula"))
    assert "∂f∂r=36" in ends and "∂f∂s=24" in ends
    for _ in range(2):
        part(page, "back").click()
    assert text(page, "phase") == "Backward, 7 of 8"
    assert (
        text(page, "sentence")
        == "s receives 6 · 2 = 12 from y. ∂f/∂s is now 12 + 12 = 24. This was the last contribution."
    )
    formula = re.sub(r"\s", "", text(page, "formula"))
    assert formula == "∂f∂s=∂f∂y∂y∂s+∂f∂z∂z∂s=6·2+12=24"
    assert re.sub(r"\s", "", text(page, "aside")) == "∂y∂s=r"
    assert box(page, R) == ["2", "∂ 18…"]
    press(page, "Home")
    assert box(page, S) == ["3", ""]


def test_the_page_that_the_command_line_writes_ends_with_36_and_24(opened, tmp_path, capsys):
    path = tmp_path / "page.html"
    main(["f = x*y*z; x = r; y = r*s; z = s", "r=2", "s=3", "--html", str(path)])
    page = opened(path)
    go(page, END)
    ends = re.sub(r"\s", "", text(page, "formula"))
    assert "∂f∂r=36" in ends and "∂f∂s=24" in ends and text(page, "phase") == "End"


@pytest.mark.parametrize("build", [xyz, net_232, large_net])
def test_the_boxes_end_with_the_numbers_of_python(opened, build):
    root = build()
    page = opened(root)
    end(page)
    assert boxes(page) == boxes_of(root)


def states(root):
    """What Python's own passes have found at each step, as the boxes say it, up to the end."""
    order = topological_order(root)
    data = {x: "" if x.parents else number_text(x.data, 4) for x in order}
    grad, total = dict.fromkeys(order, ""), dict.fromkeys(order, 0.0)
    given = [c for c in contributions(root) if not is_constant(c.parent)]
    left = Counter(c.parent for c in given)

    def rows():
        return [[data[x], grad[x]] for x in order if not is_constant(x)]

    yield rows()
    for x in order:
        if x.parents:
            data[x] = number_text(x.data, 4)
            yield rows()
    grad[root] = "∂ 1"
    yield rows()
    for c in given:
        total[c.parent] += c.product
        left[c.parent] -= 1
        sign = "δ" if re.match("z[⁰¹²³⁴⁵⁶⁷⁸⁹]", c.parent.name or "") else "∂"
        number = number_text(total[c.parent], 4)
        grad[c.parent] = f"{sign} {number}" + "…" * (left[c.parent] > 0)
        yield rows()
    yield rows()


@pytest.mark.parametrize("build", [xyz, neuron, mixture, net_232])
def test_the_numbers_are_pythons_at_every_step(opened, build):
    page = opened(build())
    for expected in states(build()):
        assert boxes(page) == expected, text(page, "phase")
        press(page, "ArrowRight")
    assert text(page, "phase") == "Update"


def test_the_forward_formula_is_the_slides(opened):
    page = opened(xyz())
    press(page, "ArrowRight", 2)
    assert re.sub(r"\s", "", text(page, "formula")) == "y=r·s=2·3=6"
    assert page.locator(".edge.feeding:visible").count() == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_are_orange_and_values_blue_in_formulas_as_in_the_picture(opened, scheme):
    page = opened(xyz(), scheme=scheme)
    go(page, SECOND_OF_S)
    colour = "([e, property]) => getComputedStyle(document.querySelector(e))[property]"
    orange, blue = (page.evaluate(colour, [f".node .{kind}", "fill"]) for kind in ("grad", "data"))
    assert orange != blue
    for role in (".formula .upstream", ".formula .grad"):
        assert page.evaluate(colour, [role, "color"]) == orange
    for role in (".formula .local", ".aside .local"):
        assert page.evaluate(colour, [role, "color"]) == blue
    assert page.evaluate(colour, [".edge.carrying .wire", "stroke"]) == orange
    assert page.evaluate(colour, [".formula .faded", "color"]) not in (orange, blue)
    go(page, 2)
    assert page.evaluate(colour, [".edge.feeding .wire", "stroke"]) == blue
    assert page.evaluate(colour, [".formula .value", "color"]) == blue


def test_while_more_is_to_come_no_formula_claims_the_gradient(opened):
    page = opened(xyz())
    go(page, FIRST_OF_S)
    assert re.sub(r"\s", "", text(page, "formula")) == "∂f∂s=∂f∂z∂z∂s+⋯=12·1+⋯sofar12"
    assert box(page, S) == ["3", "∂ 12…"]


def test_the_edge_that_is_travelled_is_lit(opened):
    page = opened(xyz())
    press(page, "ArrowRight", SECOND_OF_S)
    carrying = page.locator(".edge.carrying:visible")
    assert carrying.evaluate_all("(edges) => edges.map((e) => e.dataset.edge)") == [f"{Y}:1"]
    locals_ = page.locator("svg .local:visible").evaluate_all(
        "(all) => all.map((e) => [e.dataset.edge, e.textContent]).filter(([, words]) => words)"
    )
    assert locals_ == [[f"{Y}:1", "· 2"]]


def test_what_carried_nothing_is_thin(opened):
    x, w = Value(-1.0, "x"), Value(2.0, "w")
    page = opened(named(f=relu(x) * w))
    end(page)
    width = "(all) => all.map((e) => parseFloat(getComputedStyle(e).strokeWidth))"
    assert sorted(page.locator(".edge:visible .wire").evaluate_all(width)) == [0.8, 0.8, 1.5]  # ∂f/∂relu = w alone


def test_in_a_dense_net_what_has_passed_is_thin_but_for_what_the_node_receives(opened):
    page = opened(large_net())
    end(page)
    passed = page.locator(".edge.passed:visible")
    width = "(all) => all.map((e) => getComputedStyle(e.querySelector('.wire') ?? e).strokeWidth)"
    assert passed.count() > 100 and set(passed.evaluate_all(width)) <= {"0.7px"}


def test_a_click_on_a_node_leads_to_its_step(opened):
    page = opened(xyz())
    node(page, Y).click()
    assert text(page, "phase") == "Forward, 2 of 5"


def test_play_goes_on_by_itself_and_pauses(opened):
    page = opened(xyz())
    part(page, "play").click()
    assert text(page, "play") == "Pause"
    playwright.expect(part(page, "phase")).to_contain_text("Forward", timeout=20_000)
    part(page, "play").click()
    assert text(page, "play") == "Play"


def leave(page, name, typed):
    """Types into a field and leaves it."""
    field = part(page, name)
    field.fill(typed)
    field.blur()
    return field


# ---- inputs that are changed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "r"), [("2,5", 2.5), ("−1", -1.0), ("1/3", 1 / 3), ("0", 0.0), ("1e3", 1000.0)])
def test_an_input_that_is_changed_shows_pythons_new_run(opened, typed, r):
    page = opened(xyz())
    end(page)
    part(page, "more").click()
    leave(page, f"input-{R}", typed)
    assert boxes(page) == boxes_of(xyz(r))
    part(page, "reset").click()
    assert box(page, R) == ["2", "∂ 36"]


def test_a_weight_of_the_net_that_is_changed_shows_pythons_new_run(opened):
    root = net_232()
    page = opened(root)
    end(page)
    order = topological_order(root)
    at = next(i for i, x in enumerate(order) if x.name == "w¹_11")
    part(page, "more").click()
    leave(page, f"input-{at}", "-0.75")
    fresh = net_232(w_11=-0.75)
    assert boxes(page) == boxes_of(fresh)


def test_a_slider_changes_an_input(opened):
    page = opened(xyz())
    end(page)
    part(page, "more").click()
    page.get_by_role("slider", name="r, slider").fill("1")
    assert box(page, S) == ["3", "∂ 6"]  # 2r²s at r = 1
    assert part(page, f"input-{R}").input_value() == "1"


def test_a_domain_error_is_named_and_the_last_good_numbers_stay(opened):
    page = opened(named(L=log(Value(0.5, "p")) * Value(2.0, "w")))
    end(page)
    part(page, "more").click()
    before = boxes(page)
    field = leave(page, "input-0", "0")
    assert plain(part(page, "fault").text_content()) == "log at p = 0: needs p > 0. The page keeps p = 0.5."
    assert field.get_attribute("aria-invalid") == "true"
    assert boxes(page) == before
    leave(page, "input-0", "0.5x")
    assert "“0.5x” cannot be read as a number" in part(page, "fault").text_content()
    leave(page, "input-0", "1")
    assert part(page, "fault").text_content() == "" and box(page, 0) == ["1", "∂ 2"]


# ---- predict, then reveal ---------------------------------------------------------------------------------------


SLIPS = {
    "0": "the sign is flipped",
    "-24": "the sign is flipped",
    "14": "the upstream gradient, ∂f/∂y, is forgotten",
    "12": "the sum so far, 12, is overwritten instead of added to",
    "18": "the local derivative, ∂y/∂s, is forgotten",
}


def asked(opened, root, position, **options):
    """A page at a step whose number is asked for."""
    page = opened(root, **options)
    go(page, position)
    part(page, "predict").click()
    return page


def guess(page, typed):
    part(page, "answer").fill(typed)
    press(page, "Enter")


@pytest.mark.parametrize(("typed", "slip"), SLIPS.items())
def test_a_wrong_prediction_names_the_slip_and_shows_nothing(opened, typed, slip):
    page = asked(opened, xyz(), SECOND_OF_S)
    assert box(page, S) == ["3", "?"]
    assert "24" not in page.locator("main").inner_text()
    part(page, "answer").fill(typed)
    page.get_by_role("button", name="Check").click()
    assert slip in plain(part(page, "verdict").inner_text())
    assert part(page, "verdict").get_attribute("data-verdict") == "wrong"
    assert box(page, S) == ["3", "?"] and "24 " not in page.locator(".step").inner_text().replace("-24", "")
    assert "∂y" not in text(page, "formula")  # the slip is hint enough


def test_a_right_prediction_is_shown_and_enter_leads_on(opened):
    page = asked(opened, xyz(), SECOND_OF_S)
    assert part(page, "answer").evaluate("(e) => e === document.activeElement")
    guess(page, "24,0")
    assert "✓ Correct: 24." in text(page, "verdict") and box(page, S) == ["3", "∂ 24"]
    press(page, "Enter")
    assert text(page, "phase") == "Backward, 8 of 8" and box(page, R) == ["2", "?"]


def test_a_solved_step_asks_no_more(opened):
    page = asked(opened, xyz(), FIRST_OF_S)
    guess(page, "24")
    assert "24 is ∂f/∂s at the end; after this step only a part" in text(page, "verdict")
    guess(page, "12")
    for _ in range(2):
        assert not part(page, "question").is_visible() and text(page, "formula").endswith("so far12")
        part(page, "next").click()
        assert part(page, "answer").evaluate("(e) => e === document.activeElement")
        part(page, "back").click()


def test_the_last_hint_of_a_copy_is_its_operands_number(opened):
    page = asked(opened, xyz(), 1)
    for typed in ("7", "8"):
        guess(page, typed)
    assert "The numbers are shown above" in text(page, "verdict") and plain(text(page, "formula")) == "x =r =2"


def test_nothing_is_revealed_without_a_guess_and_hints_come_one_by_one(opened):
    page = asked(opened, xyz(), SECOND_OF_S)
    part(page, "next").click()
    assert "Predict first" in text(page, "verdict") and box(page, S) == ["3", "?"]
    press(page, "Escape")
    go(page, 99)
    assert text(page, "phase") == "Backward, 7 of 8" and text(page, "next") == "▶"
    guess(page, "777")
    assert "∂y" in text(page, "formula") and "6" not in text(page, "formula")  # the rule in symbols
    guess(page, "778")
    assert re.sub(r"\s", "", text(page, "formula")).endswith("=6·2+12=?")  # and in numbers
    assert not part(page, "next").evaluate("(e) => e.classList.contains('proposed')")
    guess(page, "779")
    assert "Press Reveal to see the number" in text(page, "verdict") and box(page, S) == ["3", "?"]
    assert part(page, "next").evaluate("(e) => e.classList.contains('proposed')")
    part(page, "next").click()
    assert box(page, S) == ["3", "∂ 24"]
    part(page, "next").click()
    guess(page, "1")
    guess(page, "36")
    assert text(page, "tally") == "0 right, 1 with help, 1 revealed"


def test_a_page_that_begins_with_predicting_asks_for_the_first_number(opened):
    page = opened(xyz(), predict=True)
    go(page, 99)
    assert text(page, "phase") == "Forward, 1 of 5" and box(page, 1) == ["?", ""]
    part(page, "turn").click()  # what comes before is given
    assert text(page, "sentence") == "The backward pass starts at f. What is ∂f/∂f?" and box(page, F) == ["36", "?"]
    guess(page, "1")
    assert text(page, "tally") == "1 right, 0 with help, 0 revealed"


# ---- steps of other sizes, the update ---------------------------------------------------------------------------


@pytest.mark.parametrize("build", [xyz, net_232, mixture])
@pytest.mark.parametrize("grain", ["node", "layer"])
def test_larger_steps_end_with_the_numbers_of_python(opened, build, grain):
    root = build()
    page = opened(root)
    part(page, "grain").select_option(grain)
    end(page)
    assert boxes(page) == boxes_of(root)


def test_what_a_node_receives_is_one_step(opened):
    page = opened(xyz())
    part(page, "grain").select_option("node")
    part(page, "turn").click()
    press(page, "ArrowRight", 4)
    assert text(page, "sentence") == "s receives contributions from z and y: 12 + 12 = 24."
    assert re.sub(r"\s", "", text(page, "formula")) == "∂f∂s=∂f∂y∂y∂s+∂f∂z∂z∂s=6·2+12·1=24"
    assert page.locator(".edge.carrying:visible").count() == 2
    assert page.locator(".sum:visible").text_content() == "12 + 12 = 24"


def updated(build, rate, names=""):
    """The graph after one step of gradient descent in Python, and L before, as promised and after."""
    root = build()
    root.backward()
    moved = [x for x in leaves(root) if not is_constant(x) and (not names or x.name[0] in names)]
    before, promised = root.data, root.data - rate * sum(x.grad**2 for x in moved)
    numbers = {x.name: (x.data - rate * x.grad, x.grad) for x in moved}
    fresh = build()
    for x in leaves(fresh):
        x.data, x.grad = numbers.get(x.name, (x.data, 0.0))
    data = GraphData(topological_order(fresh)).data
    rows = []
    for x in topological_order(fresh):
        if not is_constant(x):
            rows.append([number_text(data[x], 4), f"∂ {number_text(x.grad, 4)}" if x.name in numbers else ""])
    return rows, [before, promised, data[fresh]]


@pytest.mark.parametrize(("build", "names"), [(xyz, ""), (neuron, "wb"), (net_232, "wb")])
@pytest.mark.parametrize("rate", ["0.1", "0.003", "0,5"])
def test_the_update_shows_pythons_numbers_and_the_promise(opened, build, names, rate):
    page = opened(build())
    press(page, "End")
    assert text(page, "phase") == "Update"
    leave(page, "rate", rate)
    rows, losses = updated(build, float(rate.replace(",", ".")), names)
    assert boxes(page) == rows
    figures = part(page, "aside").locator("math").all_text_contents()
    said = [plain(x).partition("=")[2].replace(" ", "") for x in figures]
    assert said == [number_text(x).replace("e−", "·10−") for x in losses]
    assert "η times the sum of the squared gradients" in text(page, "sentence")


def test_again_goes_on_from_the_updated_inputs(opened):
    page = opened(net_232())
    press(page, "End")
    after = part(page, "aside").locator("math").last.text_content().replace("after", "")
    part(page, "next").click()
    assert text(page, "phase") == "Inputs · round 2"
    press(page, "End")
    assert part(page, "aside").locator("math").first.text_content().replace("before", "") == after


def test_an_update_into_the_forbidden_says_so(opened):
    page = opened(log(Value(0.5, "p")))
    press(page, "End")
    leave(page, "rate", "1")
    assert text(page, "sentence") == "log at p = −1.5: needs p > 0. With a smaller η, f stays defined."
    part(page, "next").click()
    assert text(page, "phase") == "Update"
    leave(page, "rate", "-1")
    assert part(page, "rate").get_attribute("aria-invalid") == "true"
    assert text(page, "verdict") == "η must be a positive number; the page keeps 1."
    leave(page, "rate", "0.1")
    assert text(page, "verdict") == ""


def test_a_moved_input_shows_what_its_gradient_promised(opened):
    page = opened(xyz())
    end(page)
    part(page, "more").click()
    leave(page, f"input-{R}", "2.02")
    assert text(page, "sentence") == "r +0.02: the gradient promises 36 · 0.02 = +0.72; f changed by +0.7236."
    leave(page, f"input-{R}", "2")
    assert text(page, "sentence") == "r −0.02: the gradient promises 36.36 · (−0.02) = −0.7272; f changed by −0.7236."
    press(page, "Escape")
    part(page, "back").click()
    assert "promises" not in text(page, "sentence")


def test_typing_is_judged_when_it_pauses_and_not_on_the_way(opened):
    page = opened(xyz())
    end(page)
    part(page, "more").click()
    part(page, f"input-{R}").fill("")
    for key in "-1e-3":
        part(page, f"input-{R}").press(key)
        assert part(page, "fault").text_content() == "" and box(page, R)[0] == "2"
    playwright.expect(node(page, R).locator(".data")).to_have_text("−0.001", timeout=5_000)


# ---- what moves, what glows -------------------------------------------------------------------------------------


def test_what_arrives_runs_along_its_wire_and_the_number_changes_when_it_lands(opened):
    page = opened(xyz(), motion="no-preference")
    go(page, SECOND_OF_S - 1)
    press(page, "ArrowRight")
    assert box(page, S) == ["3", "∂ 12…"] and page.locator(".drop").count() == 1
    playwright.expect(node(page, S).locator(".grad")).to_have_text("∂ 24", timeout=5_000)
    assert page.locator(".drop").count() == 0
    assert page.locator(".sum:visible").text_content() == "12 + 12 = 24"


def test_a_step_that_is_overtaken_leaves_no_dot_and_no_old_number(opened):
    page = opened(net_232(), motion="no-preference")
    press(page, "ArrowRight", 25)
    go(page, END)
    press(page, "End")
    press(page, "ArrowLeft")
    assert page.locator(".drop").count() == 0 and boxes(page) == boxes_of(net_232())


def test_the_area_of_a_dot_tells_how_much_arrives(opened):
    page = opened(xyz(), motion="no-preference")
    radii = {}
    for position in range(6, END - 1):
        go(page, position)
        press(page, "ArrowRight")
        edge = page.locator(".edge.carrying:visible").get_attribute("data-edge")
        radii[edge] = float(page.locator(".drop").get_attribute("r"))
    # the contributions 3 · 6 = 18 from x on the way to r and 1 · 12 = 12 to z
    assert math.isclose((radii["1:0"] / radii["6:1"]) ** 2, 18 / 12)


def test_reduced_motion_stands_still_with_the_same_numbers(opened):
    page = opened(xyz(), motion="reduce")
    go(page, SECOND_OF_S - 1)
    press(page, "ArrowRight")
    assert page.locator(".drop").count() == 0 and box(page, S) == ["3", "∂ 24"]
    assert page.locator(".sum:visible").text_content() == "12 + 12 = 24"
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_term_and_its_edge_light_each_other(opened):
    page = opened(xyz())
    go(page, SECOND_OF_S)
    edge = page.locator(f".edge[data-edge='{Y}:1']:visible")
    term = page.locator(f".formula [data-edge='{Y}:1']").first
    glows = "(e) => e.classList.contains('glow')"
    for point in (lambda: term.hover(), lambda: edge.locator(".hit").hover(force=True), lambda: term.focus()):
        point()
        assert edge.evaluate(glows) and term.evaluate(glows)
        page.mouse.move(2, 2)
        part(page, "back").focus()
        page.locator(f".formula [data-node='{Y}']").first.hover()
        assert not edge.evaluate(glows) and node(page, Y).evaluate(glows)


# ---- by keys, by ear, without motion ----------------------------------------------------------------------------


def tab_to(page, name, most=40):
    """Tabs to an element; every stop on the way shows that it has the focus."""
    for _ in range(most):
        press(page, "Tab")
        held = page.evaluate("""() => {
          const e = document.activeElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(e);
          const { left, right, top, bottom } = e.getBoundingClientRect();
          const [x, y] = [(left + right) / 2, (top + bottom) / 2];
          const met = document.elementFromPoint(x, y);
          const hasRing = outlineStyle === "solid" && parseFloat(outlineWidth) >= 2;
          return { id: e.id, isSeen: e.matches(":focus-visible") && hasRing,
            isCovered: !(met && ((e.closest(".box") ?? e).contains(met) || met.contains(e))) };
        }""")
        assert held["isSeen"] and not held["isCovered"], held
        if held["id"].endswith(f"-{name}"):
            return
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.parametrize("screen", ["telephone", "desk"])
def test_keys_alone_walk_predict_and_change_an_input(opened, screen):
    page = opened(xyz(), screen=screen)
    press(page, "ArrowRight", 2)
    tab_to(page, "predict")
    press(page, "Enter")
    assert part(page, "predict").get_attribute("aria-pressed") == "true"
    assert text(page, "phase") == "Forward, 2 of 5"
    page.keyboard.type("6")  # the field has the focus
    press(page, "Enter")
    assert "✓ Correct" in text(page, "verdict")
    press(page, "Enter")  # Next has it now
    assert text(page, "phase") == "Forward, 3 of 5"
    tab_to(page, "predict")
    press(page, "Enter")
    tab_to(page, "more")
    press(page, "Enter")
    tab_to(page, f"input-{R}")
    press(page, "Control+a")
    page.keyboard.type("5")
    assert part(page, "fault").text_content() == ""
    press(page, "Shift+Tab")  # out of the field, whose arrow keys are its own
    end(page)
    assert box(page, S) == boxes_of(xyz(5.0))[S]
    assert page.evaluate("document.activeElement.matches(':focus-visible')")


def test_arrow_keys_move_between_the_nodes(opened):
    page = opened(xyz())
    end(page)
    page.locator(".node[tabindex='0']:visible").focus()
    press(page, "ArrowDown", 3)  # from f round to r, and by x to s
    press(page, "Enter")
    assert text(page, "phase") == "Backward, 7 of 8"  # the last contribution to s
    assert node(page, S).evaluate("(box) => box === document.activeElement")


def test_each_step_is_said_to_those_who_listen(opened):
    page = opened(xyz())
    assert part(page, "sentence").get_attribute("aria-live") == "polite"
    said = set()
    for _ in range(END):
        press(page, "ArrowRight")
        said.add(text(page, "sentence"))
    assert len(said) == END and all(said)


def test_a_node_is_a_button_whose_name_says_its_numbers(opened):
    page = opened(xyz())
    assert page.get_by_role("button", name="y, not computed yet").count() == 1
    go(page, SECOND_OF_S - 1)
    assert page.get_by_role("button", name="s = 3, ∂f/∂s = 12 so far").count() == 1
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    names = {n["name"]["value"] for n in tree if n.get("role", {}).get("value") == "button"}
    assert "s = 3, ∂f/∂s = 12 so far" in names and "f = 36, ∂f/∂f = 1" in names


# ---- how it looks -----------------------------------------------------------------------------------------------


def softmax_of_three():
    z = [Value(x, f"z_{i}") for i, x in enumerate((1.0, 2.0, -1.0), 1)]
    return named(L=logsumexp(*z) - z[1])


def batch_norm_of_four():
    x = [Value(v, f"x_{i}") for i, v in enumerate((1.0, 2.0, 4.0, -1.0), 1)]
    mean = named(μ=(x[0] + x[1] + x[2] + x[3]) * 0.25)
    deviation = sqrt(named(**{"σ²": sum((x_i - mean) ** 2 for x_i in x) * 0.25}) + 1e-5)
    y = [Value(1.5, "γ") * named(x̂=(x_i - mean) / deviation) + Value(0.2, "β") for x_i in x]
    return named(L=sum((y_i - 1.0) ** 2 for y_i in y))


# at each of some steps: is all in the window, is each end of the step in view, is a word cut or covered
LOOK = """([from, stride]) => {
  const named = (id) => document.querySelector(`[id$="-${id}"]`), scrubber = named("scrubber"), found = [];
  const place = (e) => e.getBoundingClientRect();
  const isInside = (a, b) =>
    a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const meet = (a, b) => a.right > b.left && a.left < b.right && a.bottom > b.top && a.top < b.bottom;
  const [step, controls] = [".step", ".controls"].map((one) => document.querySelector(one));
  for (let i = from; i <= scrubber.max; i += stride) {
    scrubber.value = i;
    scrubber.dispatchEvent(new Event("input"));
    const at = named("phase").textContent;
    const frame = [...document.querySelectorAll(".wide, .tall")].find((e) => e.clientWidth);
    const ends = [...frame.querySelectorAll(".now, .giver")].map((e) => e.closest(".box, .weight"));
    const zoom = place(frame.querySelector(".zoom"));
    for (const end of ends) {
      const p = place(end);
      if (!p.width || !isInside(p, place(frame))) found.push([at, "out of view"]);
      if (zoom.width && meet(p, zoom)) found.push([at, "covered"]);
    }
    for (const id of ["formula", "aside", "sentence"]) {
      const e = named(id);
      const isCut = !isInside(place(e), place(step)) || e.scrollWidth > e.clientWidth + 1;
      if (e.textContent && isCut) found.push([at, `${id} is cut`]);
    }
    if (place(step).bottom > place(controls).top + 1) found.push([at, "under the controls"]);
    if (controls.clientHeight > 64) found.push([at, "more than a row of controls"]);
    const { documentElement: { scrollWidth, scrollHeight } } = document;
    const isWide = scrollWidth > innerWidth || scrollHeight > innerHeight;
    const isBeyond = place(controls).bottom > innerHeight + 1 || isWide;
    if (isBeyond) found.push([at, "beyond the window"]);
  }
  return found;
}"""


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize(
    "build",
    [
        xyz,
        neuron,
        softmax_of_three,
        net_232,
        *(pytest.param(build, marks=pytest.mark.slow) for build in (batch_norm_of_four, large_net)),
    ],
)
def test_giver_receiver_and_words_are_in_view_at_every_step(opened, build, screen):
    page = opened(build(), screen=screen)
    stride = {large_net: 23}.get(build, 1)
    assert page.evaluate(LOOK, [0, stride]) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_hints_are_not_cut(opened, screen):
    page = asked(opened, xyz(), SECOND_OF_S, screen=screen)
    for typed in ("-24", "777", "778"):
        guess(page, typed)
        step = page.locator(".step")
        assert step.evaluate("(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth")
        more = part(page, "more").bounding_box()
        assert more["x"] + more["width"] <= SCREENS[screen][0] - 4


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_leaves_the_window(opened, screen):
    page = opened(net_232(), screen=screen)
    width, height = SCREENS[screen]
    part(page, "more").click()
    for position, large in ((0, False), (12, False), (40, False), (40, True), (54, True)):
        go(page, position)
        if (part(page, "large").get_attribute("aria-pressed") == "true") != large:
            part(page, "large").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("back", "next", "more"):  # the controls stay in reach
            place = part(page, name).bounding_box()
            assert place["y"] + place["height"] <= height and place["x"] + place["width"] <= width


def test_the_whole_net_is_in_view_at_a_desk_in_type_that_can_be_read(opened):
    page = opened(net_232())
    frame = page.locator(".graph").bounding_box()
    for place in page.locator(".box:visible, .weight:visible").all():
        at = place.bounding_box()
        assert frame["x"] <= at["x"] and at["x"] + at["width"] <= frame["x"] + frame["width"]
        assert frame["y"] <= at["y"] and at["y"] + at["height"] <= frame["y"] + frame["height"]
    sizes = "(all) => all.map((t) => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"
    assert min(page.locator(".picture text:visible, .picture tspan:visible").evaluate_all(sizes)) >= 9


def test_a_window_that_is_turned_shows_the_other_picture_with_its_marks(opened):
    page = opened(net_232(), screen="telephone")
    go(page, 21)
    for width, height in ((360, 420), (360, 740), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        assert page.locator(".seat:visible").count() == 1
        seat, row = (page.locator(one).bounding_box() for one in (".seat:visible", ".node.now:visible .words"))
        assert seat["y"] < row["y"] + row["height"] / 2 < seat["y"] + seat["height"] < row["y"] + 2.2 * row["height"]
        assert page.evaluate(LOOK, [21, 99]) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_is_kept(opened, scheme):
    page = opened(net_232(), scheme=scheme)
    grounds = {"light": "rgb(253, 253, 251)", "dark": "rgb(20, 23, 26)"}
    for now in (scheme, *SCHEMES):
        page.emulate_media(color_scheme=now)
        assert page.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor") == grounds[now]


OUTSIDE = """() => {
  const frame = [...document.querySelectorAll(".wide, .tall")].find((e) => e.clientWidth);
  const room = frame.getBoundingClientRect();
  return [...frame.querySelectorAll(".box")].map((box) => box.getBoundingClientRect()).filter((box) =>
    box.left < room.left || box.right > room.right || box.top < room.top || box.bottom > room.bottom).length;
}"""


@pytest.mark.parametrize("screen", ["telephone", "lying", "doubled"])
def test_all_is_in_view_at_the_start_the_end_and_the_update(opened, screen):
    page = opened(net_232(), screen=screen)
    for position in (0, 999, int(part(page, "scrubber").get_attribute("max")) - 1):
        go(page, position)
        page.wait_for_timeout(100)
        assert page.evaluate(OUTSIDE) == 0
        go(page, 20)
        assert page.evaluate(OUTSIDE) > 0  # what can be read
    press(page, "End")
    turn = part(page, "stage").get_attribute("data-turn")
    for _ in range(2):
        part(page, "more").click()
        page.wait_for_timeout(200)
        assert page.evaluate(OUTSIDE) == 0 and part(page, "stage").get_attribute("data-turn") == turn
    width, height = SCREENS[screen]
    page.set_viewport_size({"width": height, "height": width})
    page.wait_for_timeout(200)
    assert page.evaluate(OUTSIDE) == 0


def test_no_button_covers_a_box_on_a_small_touch_screen(chromium, tmp_path):
    path = walk(softmax_of_three()).save(tmp_path / "page.html")
    with chromium.new_page(viewport={"width": 360, "height": 740}, has_touch=True) as page:
        page.goto(path.as_uri())
        assert page.locator(".zoom:visible").count() == 0
        fields = page.locator("input:not([type=range])")  # whose keyboards have a minus and an e
        keyboards = "(all) => [...new Set(all.map((e) => e.inputMode + e.enterKeyHint))]"
        assert fields.evaluate_all(keyboards) == ["textgo"]


def test_who_asks_for_the_whole_of_a_large_graph_keeps_it(opened):
    page = opened(large_net())
    go(page, 60)
    assert page.evaluate(OUTSIDE) > 3
    page.get_by_role("button", name="show all").click()
    for position in (60, 150, 300):
        go(page, position)
        assert page.evaluate(OUTSIDE) == 0


# every text of the picture: does it leave its box or meet its neighbour, how large is it, how does it contrast
TEXTS = """() => [...document.querySelectorAll(".box, .weight")].flatMap((g) => {
  if (!g.getClientRects().length) return [];
  const inside = (a, b) =>
    a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const apart = (a, b) =>
    a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 6 || b.bottom <= a.top + 6;
  const rgb = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((c) => (c / 255) ** 2.2);
  const light = (color) => rgb(color).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0.05);
  const ratio = (a, b) => Math.max(light(a), light(b)) / Math.min(light(a), light(b));
  const texts = [...g.querySelectorAll("text")].filter((t) => t.textContent.trim());
  const at = new Map(texts.map((t) => [t, t.getBoundingClientRect()]));
  const [box, seat] = [g.querySelector(".outline"), g.querySelector(".seat")];
  return texts.map((t) => ({ words: t.textContent,
    isInside: inside(at.get(t), box.getBoundingClientRect()),
    isApart: texts.every((other) => other === t || apart(at.get(t), at.get(other))),
    size: parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a,
    contrast: Math.min(...[box, seat ?? box].map((e) =>
      ratio(getComputedStyle(t).fill, getComputedStyle(e).fill))) }));
})"""


@pytest.mark.parametrize("screen", ["telephone", "desk", "projector"])
def test_the_words_in_the_boxes_fit_and_can_be_read(opened, screen):
    tiny = Value(-1.23456e-101, "a long name of x")
    for root in (xyz(), net_232(), named(**{"another long name": (tiny * -1.98765e-105).tanh() * tiny})):
        page = opened(root, screen=screen)
        for position in (0, 4, 20, 999):
            go(page, position)
            is_whole = text(page, "phase") in ("Inputs", "Update") and screen == "telephone"  # however small
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                for found in page.evaluate(TEXTS):
                    assert found["isInside"] and found["isApart"], (scheme, found)
                    assert found["contrast"] >= 4.5, (scheme, found)
                    assert is_whole or found["size"] >= (13 if screen == "projector" else 8.5), (scheme, found)


# ---- what axe finds ---------------------------------------------------------------------------------------------


def findings(page):
    """What axe calls serious or critical in either scheme; the second differs from the first in its colours alone."""
    found = []
    for scheme, rules in zip(SCHEMES, (None, ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        found += serious(page, rules)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("screen", ["telephone", "desk"])
def test_axe_finds_nothing_serious(opened, screen):
    for root, positions in ((xyz(), (3, SECOND_OF_S, END)), (net_232(), (24,))):
        page = opened(root, screen=screen, motion="reduce")
        for position in positions:
            go(page, position)
            assert findings(page) == []
        part(page, "more").click()
        go(page, 999)
        assert findings(page) == []
        part(page, "predict").click()
        go(page, SECOND_OF_S)
        for typed in ("12345", "no number", "0.00012345"):
            guess(page, typed)
            assert findings(page) == []
        page.locator(".fields input").first.fill("no number")
        page.locator(".fields input").first.blur()
        assert part(page, "fault").text_content() and findings(page) == []


def test_axe_would_find_faults_that_are_planted(opened):
    page = opened(xyz())
    part(page, "scrubber").evaluate("(e) => e.removeAttribute('aria-label')")
    part(page, "sentence").evaluate("(e) => { e.style.color = '#bbbbbb'; }")
    assert {"color-contrast", "label"} <= {rule for rule, _ in findings(page)}


def test_axe_would_find_a_fault_that_is_planted_in_the_dark_scheme_alone(opened):
    page = opened(xyz())
    page.add_style_tag(content="@media (prefers-color-scheme: dark) { [id$='-sentence'] { color: #444 !important } }")
    assert serious(page) == []
    assert {rule for rule, _ in findings(page)} == {"color-contrast"}


# ---- strangers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", ["telephone", "desk"])
def test_hostile_names_do_nothing(opened, screen):
    x = [Value(1.5, name) for name in HOSTILE]
    page = opened(named(**{"<img src=x onerror=alert(1)>": product(*x)}), screen=screen)
    for _ in range(2):
        press(page, "ArrowRight", 6)
        assert page.locator("script, img, b").count() == 1  # the page's own script
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen][0]


def test_infinite_numbers_are_walked(opened):
    page = opened(named(f=Value(math.inf, "x") * Value(2.0, "y")))
    end(page)
    assert box(page, 0) == ["∞", "∂ 2"] and box(page, 1) == ["2", "∂ ∞"]


def test_the_frame_in_a_notebook_runs_without_the_notebooks_trust(opened, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{walk(xyz())._repr_html_()}", encoding="utf-8")
    page = opened(path)
    assert page.locator("img").evaluate("(image) => image.naturalWidth") > 300
    assert not page.locator("iframe").evaluate("(frame) => frame.contentDocument")  # the sandbox keeps it apart
    inside = page.frame_locator("iframe")
    inside.locator("[id$='-next']").click()
    inside.locator("[id$='-next']").click()
    assert inside.locator("[id$='-phase']").inner_text() == "Forward, 2 of 5"
    inside.locator("[id$='-predict']").click()
    inside.locator("[id$='-answer']").fill("6")
    inside.locator("[id$='-answer']").press("Enter")  # a form without the frame's leave would do nothing, silently
    assert inside.locator("[id$='-tally']").inner_text().startswith("1 right")
    # a notebook that is not trusted shows no frame, and should not show its empty place either
    below = page.locator("iframe").evaluate(
        "(frame) => { const all = frame.parentNode; frame.remove(); "
        "return all.clientHeight - all.querySelector('img').clientHeight; }"
    )
    assert 0 <= below < 10


# ---- the calculus -----------------------------------------------------------------------------------------------

RUN = r"""([prelude, cases]) => {
  const thaw = (x) => Number(x.slice(1)), freeze = (x) => Object.is(x, -0) ? "#-0" : `#${x}`;
  return cases.map(({ source, points }) => {
    const run = new Function(`${prelude}; return ${source}`)();
    return points.map((point) => { const [value, locals] = run(...point.map(thaw));
      return [freeze(value), locals.map(freeze)]; });
  });
}"""


@pytest.mark.slow  # test_javascript.py asks node in every run
def test_every_primitive_in_chromium_gives_the_engines_numbers(chromium):
    points = {name: grid(operand_count(entry)) for name, entry in TABLE.items()}
    cases = [
        {"source": source_of(entry), "points": [list(map(frozen, at)) for at in points[name]]}
        for name, entry in TABLE.items()
    ]
    with chromium.new_page() as page:
        given = thawed(page.evaluate(RUN, [javascript.PRELUDE, cases]))
    assert {name: disagreement(name, results) for name, results in zip(TABLE, given)} == dict.fromkeys(TABLE)
