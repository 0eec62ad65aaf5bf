"""The page that walks both passes, driven in Chromium as a student would: what it shows, not what it computes."""

import math
import re
from itertools import count
from pathlib import Path

import pytest
from conftest import serious
from test_javascript import disagreement, frozen, grid, operand_count, source_of, thawed
from test_walking import HOSTILE, large_net, net_232, xyz

from autograd import Value, named
from autograd.__main__ import main
from autograd.functions import log, product
from autograd.graph import topological_order
from autograd.notation import number_text
from autograd.number_systems import javascript
from autograd.table import TABLE, is_constant
from autograd.walking import walk

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright drives Chromium here: pip install playwright", exc_type=ImportError
)
pytestmark = pytest.mark.browser

SCREENS = {"telephone": (360, 740), "desk": (1200, 800), "projector": (1920, 1080)}
SCHEMES = ["light", "dark"]
R, S, Y, F = 0, 2, 3, 6  # the nodes of f = xyz
SECOND_OF_S, END = 13, 15  # steps of f = xyz: ∂f/∂s = 12 + 6 · 2, and the last


@pytest.fixture
def opened(visit, tmp_path):
    """Opens a walk, or a page that is there already."""
    files = (tmp_path / f"{i}.html" for i in count())

    def open_page(root, predict=False, screen="desk", scheme="light", motion="no-preference"):
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
    """The box of a node in the picture that is shown."""
    return page.locator(f"[data-node='{i}']:visible")


def box(page, i):
    """The words in a node's box: number and gradient."""
    return [node(page, i).locator(f".{kind}").text_content() for kind in ("data", "grad")]


def boxes(page):
    """The same of all nodes, in their order."""
    read = """(all) => all.map((g) => [+g.dataset.node,
      g.querySelector(".data").textContent, g.querySelector(".grad").textContent])"""
    return [words for _, *words in sorted(page.locator(".node:visible").evaluate_all(read))]


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def go(page, position):
    """To a step, with the scrubber."""
    part(page, "scrubber").evaluate(
        "(field, position) => { field.value = position; field.dispatchEvent(new Event('input')); }", position
    )


def boxes_of(root):
    """What Python's own run writes into the boxes."""
    for x in topological_order(root):
        x.grad = 0.0
    root.backward()
    rows = []
    for x in topological_order(root):
        sign = "δ" if x.name and x.name[0] == "z" and x.name != "z" else "∂"
        rows.append([number_text(x.data), "" if is_constant(x) else f"{sign} {number_text(x.grad)}"])
    return rows


# ---- both passes ------------------------------------------------------------------------------------------------


def test_f_equals_xyz_ends_with_36_and_24_and_goes_back(opened):
    page = opened(xyz())
    assert box(page, F) == ["", ""]
    for _ in range(END):
        part(page, "next").click()
    assert [box(page, i) for i in (R, S, F)] == [["2", "∂ 36"], ["3", "∂ 24"], ["36", "∂ 1"]]
    ends = re.sub(r"\s", "", text(page, "terms"))
    assert "∂f∂r=36" in ends and "∂f∂s=24" in ends
    for _ in range(2):
        part(page, "back").click()
    assert text(page, "phase") == "Backward pass, 7 of 8"
    assert text(page, "sentence") == "s receives 6 · 2 = 12 from y. ∂f/∂s is now 12 + 12 = 24. Nothing more arrives."
    terms = re.sub(r"\s", "", text(page, "terms"))
    assert "=∂f∂y∂y∂s+∂f∂z∂z∂s" in terms and "=12+12=24" in terms
    assert box(page, R) == ["2", "∂ 18…"]
    press(page, "Home")
    assert box(page, S) == ["3", ""]


def test_the_page_that_the_command_line_writes_ends_with_36_and_24(opened, tmp_path, capsys):
    path = tmp_path / "page.html"
    main(["f = x*y*z; x = r; y = r*s; z = s", "r=2", "s=3", "--html", str(path)])
    page = opened(path)
    press(page, "End")
    ends = re.sub(r"\s", "", text(page, "terms"))
    assert "∂f∂r=36" in ends and "∂f∂s=24" in ends and text(page, "phase") == "Both passes are done"


@pytest.mark.parametrize("build", [xyz, net_232, large_net])
def test_the_boxes_end_with_the_numbers_of_python(opened, build):
    root = build()
    page = opened(root)
    press(page, "End")
    assert boxes(page) == boxes_of(root)


def test_the_forward_formula_is_the_slides(opened):
    page = opened(xyz())
    press(page, "ArrowRight", 2)
    assert re.sub(r"\s", "", text(page, "formula")) == "y=r·s=2·3=6"
    assert page.locator(".edge.feeding:visible").count() == 2


def test_the_edge_that_is_travelled_is_lit(opened):
    page = opened(xyz())
    press(page, "ArrowRight", SECOND_OF_S)
    carrying = page.locator(".edge.carrying:visible")
    assert carrying.evaluate_all("(edges) => edges.map((e) => e.dataset.edge)") == [f"{Y}:1"]
    assert carrying.locator(".local").text_content() == "· 2"


def test_a_click_on_a_node_leads_to_its_step(opened):
    page = opened(xyz())
    node(page, Y).click()
    assert text(page, "phase") == "Forward pass, 2 of 5"


def test_play_goes_on_by_itself_and_pauses(opened):
    page = opened(xyz())
    part(page, "play").click()
    assert text(page, "play") == "Pause"
    playwright.expect(part(page, "phase")).to_contain_text("Forward pass", timeout=20_000)
    part(page, "play").click()
    assert text(page, "play") == "Play"


# ---- inputs that are changed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "r"), [("2,5", 2.5), ("−1", -1.0), ("1/3", 1 / 3), ("0", 0.0), ("1e3", 1000.0)])
def test_an_input_that_is_changed_shows_pythons_new_run(opened, typed, r):
    page = opened(xyz())
    press(page, "End")
    part(page, f"input-{R}").fill(typed)
    assert boxes(page) == boxes_of(xyz(r))
    part(page, "reset").click()
    assert box(page, R) == ["2", "∂ 36"]


def test_a_weight_of_the_net_that_is_changed_shows_pythons_new_run(opened):
    root = net_232()
    page = opened(root)
    press(page, "End")
    order = topological_order(root)
    at = next(i for i, x in enumerate(order) if x.name == "w¹_11")
    part(page, f"input-{at}").fill("-0.75")
    fresh = net_232(w_11=-0.75)
    assert boxes(page) == boxes_of(fresh)


def test_a_slider_changes_an_input(opened):
    page = opened(xyz())
    press(page, "End")
    page.get_by_role("slider", name="r, slider").fill("1")
    assert box(page, S) == ["3", "∂ 6"]  # 2r²s at r = 1
    assert part(page, f"input-{R}").input_value() == "1"


def test_a_domain_error_is_named_and_the_last_good_numbers_stay(opened):
    page = opened(named(L=log(Value(0.5, "p")) * Value(2.0, "w")))
    press(page, "End")
    before = [box(page, i) for i in range(4)]
    field = part(page, "input-0")
    field.fill("0")
    assert plain(part(page, "fault").text_content()) == "log at p = 0: needs p > 0. The page keeps p = 0.5."
    assert field.get_attribute("aria-invalid") == "true"
    assert [box(page, i) for i in range(4)] == before
    field.fill("0.5x")
    assert "“0.5x” is no number" in part(page, "fault").text_content()
    field.fill("1")
    assert part(page, "fault").text_content() == "" and box(page, 0) == ["1", "∂ 2"]


# ---- predict, then reveal ---------------------------------------------------------------------------------------


SLIPS = {
    "0": "the sign is turned round",
    "-24": "the sign is turned round",
    "14": "the upstream, ∂f/∂y, is forgotten",
    "12": "the sum so far, 12, is overwritten instead of added to",
    "18": "the local derivative, ∂y/∂s, is forgotten",
}


@pytest.mark.parametrize(("typed", "slip"), SLIPS.items())
def test_a_wrong_prediction_names_the_slip_and_shows_nothing(opened, typed, slip):
    page = opened(xyz(), predict=True)
    go(page, SECOND_OF_S)
    assert box(page, S) == ["3", "∂ ?"]
    assert "24" not in page.locator("main").inner_text()
    part(page, "answer").fill(typed)
    page.get_by_role("button", name="Check").click()
    assert slip in plain(part(page, "verdict").inner_text())
    assert part(page, "verdict").get_attribute("data-verdict") == "wrong"
    assert box(page, S) == ["3", "∂ ?"] and "24 " not in page.locator(".step").inner_text().replace("-24", "")


def test_a_right_prediction_is_shown_and_enter_leads_on(opened):
    page = opened(xyz(), predict=True)
    go(page, SECOND_OF_S)
    part(page, "answer").fill("24,0")
    press(page, "Enter")
    assert "✓ Right: 24." in text(page, "verdict") and box(page, S) == ["3", "∂ 24"]
    press(page, "Enter")
    assert text(page, "phase") == "Backward pass, 8 of 8" and box(page, R) == ["2", "∂ ?"]
    assert text(page, "next") == "Reveal"
    part(page, "next").click()
    assert box(page, R) == ["2", "∂ 36"]


# ---- by keys, by ear, without motion ----------------------------------------------------------------------------


def tab_to(page, name, most=30):
    """Tabs to an element; every stop on the way shows that it has the focus."""
    for _ in range(most):
        press(page, "Tab")
        held = page.evaluate("""() => {
          const e = document.activeElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(e);
          const { left, right, top, bottom } = e.getBoundingClientRect();
          const [x, y] = [(left + right) / 2, (top + bottom) / 2];
          const met = document.elementFromPoint(x, y);
          const hasRing = outlineStyle === "solid" && outlineWidth === "3px";
          return { id: e.id, isSeen: e.matches(":focus-visible") && hasRing,
            isCovered: !(met && (e.contains(met) || met.contains(e))) };
        }""")
        assert held["isSeen"] and not held["isCovered"], held
        if held["id"].endswith(f"-{name}"):
            return
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.parametrize("screen", ["telephone", "desk"])
def test_keys_alone_walk_predict_and_change_an_input(opened, screen):
    page = opened(xyz(), screen=screen)
    tab_to(page, "predict")
    press(page, "Enter")
    assert part(page, "predict").get_attribute("aria-pressed") == "true"
    press(page, "ArrowRight", 3)  # to y, by way of x, whose number is revealed
    assert text(page, "phase") == "Forward pass, 2 of 5"
    tab_to(page, "answer")
    page.keyboard.type("6")
    press(page, "Enter")
    assert "✓ Right" in text(page, "verdict")
    tab_to(page, "next")
    press(page, "Enter")
    assert text(page, "phase") == "Forward pass, 3 of 5"
    press(page, "Home")
    tab_to(page, f"input-{R}")
    press(page, "Control+a")
    page.keyboard.type("5")
    assert part(page, "fault").text_content() == ""
    press(page, "Shift+Tab", 2)  # out of the field, whose arrow keys are its own
    press(page, "End")
    assert box(page, S) == boxes_of(xyz(5.0))[S]
    assert page.evaluate("document.activeElement.matches(':focus-visible')")


def test_arrow_keys_move_between_the_nodes(opened):
    page = opened(xyz())
    press(page, "End")
    page.locator(".node[tabindex='0']:visible").focus()
    press(page, "ArrowDown", 3)  # from f round to r, and by x to s
    press(page, "Enter")
    assert text(page, "phase") == "Backward pass, 7 of 8"  # the last contribution to s
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


def test_reduced_motion_stands_still(opened):
    for motion, name in (("reduce", "none"), ("no-preference", "carry")):
        page = opened(xyz(), motion=motion)
        press(page, "ArrowRight", 10)
        wire = page.locator(".edge.carrying:visible .wire")
        assert wire.evaluate("(wire) => getComputedStyle(wire).animationName") == name


# ---- how it looks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_leaves_the_window(opened, screen):
    page = opened(net_232(), screen=screen)
    width, height = SCREENS[screen]
    for position, large in ((0, False), (12, False), (40, False), (40, True), (54, True)):
        go(page, position)
        if (part(page, "large").get_attribute("aria-pressed") == "true") != large:
            part(page, "large").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("back", "next"):  # the controls stay in reach
            assert part(page, name).bounding_box()["y"] + part(page, name).bounding_box()["height"] <= height


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_is_kept(opened, scheme):
    page = opened(net_232(), scheme=scheme)
    grounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 29)"}
    for now in (scheme, *SCHEMES):
        page.emulate_media(color_scheme=now)
        assert page.locator("main").evaluate("(e) => getComputedStyle(e).backgroundColor") == grounds[now]


@pytest.mark.parametrize("screen", SCREENS)
def test_the_boxes_of_the_step_are_in_view_and_uncovered(opened, screen):
    page = opened(net_232(), screen=screen, motion="reduce")
    look = """() => {
      const named = (boxes) => boxes.map((box) => box.parentElement.dataset.node);
      const shown = (which) => [...document.querySelectorAll(which)].filter((box) => box.getClientRects().length);
      const covered = shown(".node.now .box, .node.giver .box").filter((box) => {
        const { left, right, top, bottom } = box.getBoundingClientRect();
        const corners = [[left + 9, top + 9], [right - 9, top + 9], [left + 9, bottom - 9], [right - 9, bottom - 9]];
        return !corners.every(([x, y]) => box.parentElement.contains(document.elementFromPoint(x, y)));
      });
      return [named(shown(".node.now .box")), named(covered)];
    }"""
    seen = 0
    for _ in range(60):
        press(page, "ArrowRight")
        about, covered = page.evaluate(look)
        seen += len(about)
        assert len(about) <= 1 and not {*about} & {*covered}, text(page, "phase")
        assert screen == "telephone" or not covered, text(page, "phase")  # there the giver may be too far
    assert seen > 40


def test_a_step_far_away_in_a_large_graph_is_brought_into_view(opened):
    page = opened(large_net(), motion="reduce")
    for position in (20, 150, 300, 60):
        go(page, position)
        frame, now = page.locator(".wide").bounding_box(), page.locator(".wide .now").bounding_box()
        assert frame["x"] <= now["x"] and now["x"] + now["width"] <= frame["x"] + frame["width"]
        assert frame["y"] <= now["y"] and now["y"] + now["height"] <= frame["y"] + frame["height"]


# every text of the picture: does it leave its box or meet its neighbour, how large is it, how does it contrast
TEXTS = """() => [...document.querySelectorAll(".node")].filter((g) => g.getClientRects().length).flatMap((g) => {
  const inside = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 4 || b.bottom <= a.top + 4;
  const rgb = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((c) => (c / 255) ** 2.2);
  const light = (color) => rgb(color).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0.05);
  const ratio = (a, b) => Math.max(light(a), light(b)) / Math.min(light(a), light(b));
  const texts = [...g.querySelectorAll("text")].filter((t) => t.textContent.trim());
  const at = new Map(texts.map((t) => [t, t.getBoundingClientRect()]));
  const box = g.querySelector(".box");
  return texts.map((t) => ({ words: t.textContent,
    isInside: inside(at.get(t), box.getBoundingClientRect()),
    isApart: texts.every((other) => other === t || apart(at.get(t), at.get(other))),
    size: parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a,
    contrast: ratio(getComputedStyle(t).fill, getComputedStyle(box).fill) * getComputedStyle(g).opacity }));
})"""


@pytest.mark.parametrize("screen", SCREENS)
def test_the_words_in_the_boxes_fit_and_can_be_read(opened, screen):
    tiny = Value(-1.23456e-101, "a long name of x")
    for root in (xyz(), net_232(), named(**{"another long name": (tiny * -1.98765e-105).tanh() * tiny})):
        page = opened(root, screen=screen)
        if screen == "projector":
            part(page, "large").click()
        for position in (0, 20, 999):
            go(page, position)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                for found in page.evaluate(TEXTS):
                    assert found["isInside"] and found["isApart"], (scheme, found)
                    assert found["contrast"] >= 4.5, (scheme, found)
                    assert found["size"] >= (13 if screen == "projector" else 9.5), (scheme, found)


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
        part(page, "predict").click()
        assert findings(page) == []
        go(page, SECOND_OF_S)
        for typed in ("12345", "no number"):
            part(page, "answer").fill(typed)
            press(page, "Enter")
            assert findings(page) == []
        page.locator(".fields input").first.fill("no number")
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
    press(page, "End")
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
    assert inside.locator("[id$='-phase']").inner_text() == "Forward pass, 2 of 5"


# ---- the calculus -----------------------------------------------------------------------------------------------

RUN = r"""([prelude, cases]) => {
  const thaw = (x) => Number(x.slice(1)), freeze = (x) => Object.is(x, -0) ? "#-0" : `#${x}`;
  return cases.map(({ source, points }) => {
    const run = new Function(`${prelude}; return ${source}`)();
    return points.map((point) => { const [value, locals] = run(...point.map(thaw));
      return [freeze(value), locals.map(freeze)]; });
  });
}"""


def test_every_primitive_in_chromium_gives_the_engines_numbers(chromium):
    points = {name: grid(operand_count(entry)) for name, entry in TABLE.items()}
    cases = [
        {"source": source_of(entry), "points": [list(map(frozen, at)) for at in points[name]]}
        for name, entry in TABLE.items()
    ]
    with chromium.new_page() as page:
        given = thawed(page.evaluate(RUN, [javascript.PRELUDE, cases]))
    assert {name: disagreement(name, results) for name, results in zip(TABLE, given)} == dict.fromkeys(TABLE)
