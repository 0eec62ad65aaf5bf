"""Tests of a drawing's page in Chromium: mouse, keys and touch, groups that open and close, and name search."""

import re
from random import Random

import pytest
from conftest import serious
from slides import net_232, xyz

from autograd import Value, named
from autograd.drawing import draw
from autograd.drawing.display_graph import display
from autograd.drawing.grouping import Groups
from autograd.graph import topological_order
from nn import MLP, half_squared_error

pytestmark = pytest.mark.browser
WINDOWS = [(360, 740, "dark"), (740, 360, "light"), (1280, 800, "light")]
INSIDE = """(frame, selector) => { const f = frame.getBoundingClientRect();
  return [...frame.querySelectorAll(selector)].filter((g) => { const b = g.getBoundingClientRect();
    return b.left < f.left || b.top < f.top || b.right > f.right || b.bottom > f.bottom; }).length; }"""
COVERED = """(frame) => { const c = frame.querySelector(".zoom").getBoundingClientRect();
  return [...frame.querySelectorAll(".box, .weight")].filter((g) => { const b = g.getBoundingClientRect();
    return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom; }).length; }"""


def mini_batch(count):
    """The loss of a 3-12-1 network on so many random examples."""
    random, model = Random(0), MLP(3, [12, 1], rng=Random(0))
    losses = [half_squared_error(model([random.random() for _ in range(3)]), [1.0]) for _ in range(count)]
    loss = named(L=sum(losses, Value(0.0)))
    loss.backward()
    return loss


@pytest.fixture
def opened(visit, tmp_path):
    return lambda drawing, *size, **media: visit(drawing.save(tmp_path / "page.html"), *size, **media)


def frame(page):
    return page.locator(".viewer")


def size(page, selector):
    """On the screen, once the picture stands still."""
    page.wait_for_timeout(400)  # it moves for 260 ms
    return page.locator(selector).first.bounding_box()["width"]


@pytest.mark.parametrize(("width", "height", "scheme"), WINDOWS)
@pytest.mark.parametrize("root", [lambda: xyz()[-1], lambda: net_232()[-1], lambda: mini_batch(30)])
def test_all_is_shown_and_the_buttons_cover_no_box(opened, root, width, height, scheme):
    page = opened(draw(root()), width, height, scheme=scheme)
    assert frame(page).evaluate(INSIDE, ".box, .weight") == frame(page).evaluate(COVERED) == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert width == 740 or not serious(page)  # the same elements and colours as upright


def test_wheel_keys_buttons_and_a_double_click_zoom_and_0_shows_all(opened):
    page = opened(draw(net_232()[-1]))
    whole = size(page, ".box")
    box = page.locator("[data-box='z¹_1']").bounding_box()
    page.mouse.move(box["x"], box["y"])
    page.mouse.wheel(0, -100)
    assert size(page, ".box") > 1.1 * whole
    now = page.locator("[data-box='z¹_1']").bounding_box()
    assert [now["x"], now["y"]] == pytest.approx([box["x"], box["y"]], abs=1.0)  # what is under the mouse stays there
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 20, steps=3)
    page.mouse.up()
    moved = page.locator("[data-box='z¹_1']").bounding_box()
    assert [moved["x"] - now["x"], moved["y"] - now["y"]] == pytest.approx([30, 20], abs=1.0)
    for zoom in (lambda: frame(page).press("+"), page.get_by_label("Zoom in").click, lambda: frame(page).dblclick()):
        frame(page).press("0")
        assert size(page, ".box") == pytest.approx(whole, abs=0.5)
        zoom()
        assert size(page, ".box") > 1.4 * whole


def test_two_fingers_zoom_and_one_moves(opened):
    page = opened(draw(net_232()[-1]), 360, 740)
    whole = size(page, ".box")
    send = page.context.new_cdp_session(page).send

    def touch(kind, *points):
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", (150, 300), (200, 300))
    for i in range(8):
        touch("touchMove", (150 - 5 * i, 300), (200 + 5 * i, 300))
    touch("touchEnd")
    assert size(page, ".box") > 1.8 * whole
    assert page.evaluate("visualViewport.scale") == 1.0
    before = page.locator(".box").first.bounding_box()["x"]
    touch("touchStart", (150, 300))
    for i in range(8):
        touch("touchMove", (150 + 5 * i, 300))
    touch("touchEnd")
    assert page.locator(".box").first.bounding_box()["x"] > before + 20


@pytest.mark.parametrize("motion", ["no-preference", pytest.param("reduce", marks=pytest.mark.slow)])
def test_groups_open_by_click_key_and_zoom_and_lead_back(opened, motion):
    page = opened(draw(mini_batch(30)), motion=motion)

    def path(*names):
        page.locator(f"nav button:last-child:text-is('{names[-1]}')").wait_for()
        page.wait_for_timeout(600)
        return page.locator("nav button").all_inner_texts() == [*names]

    page.locator("[data-box='layer 1']").click()
    page.locator("[data-box='z¹_3']").focus()
    page.keyboard.press("Enter")
    page.locator("[data-box='z¹_3, w']").click()
    page.locator("[data-box='w¹_31']").wait_for()
    assert path("all", "layer 1", "z¹₃", "z¹₃, w")
    page.keyboard.press("Escape")
    page.locator("[data-box='rest of layer 1']").click()
    assert path("all", "layer 1") and not serious(page)
    page.locator("nav button").first.click()
    assert path("all")
    page.locator("[data-box='layer 1']").hover()
    for turn, place in ((-100, ["all", "layer 1"]), (100, ["all"])):
        for _ in range(12):
            page.mouse.wheel(0, turn)
        assert path(*place)


def test_a_name_is_found_in_the_picture_and_in_what_is_closed(opened):
    page = opened(draw(mini_batch(30)))
    field = page.get_by_label("Find")
    field.fill("w1_31")
    for found in ("layer 1", "z¹_3", "z¹_3, w", "w¹_31"):
        page.locator(f".glow[data-box='{found}']").wait_for()
        assert page.locator("[role=status]").inner_text() == "1 found"
        field.press("Enter")
    page.wait_for_timeout(400)
    assert frame(page).evaluate(INSIDE, ".glow") == 0


def test_a_group_without_room_on_the_page_says_how_it_is_seen(opened, monkeypatch):
    monkeypatch.setattr("autograd.drawing.scenes.MOST_BYTES", 9_000)
    page = opened(draw(mini_batch(30)))
    page.locator("[data-box='layer 1']").click()
    page.locator("[data-box='z¹_12']").click()
    assert page.locator("[role=status]").inner_text() == 'draw(…, open="z¹_12") shows the nodes inside.'


def test_a_picture_too_wide_for_a_notebook_stands_in_a_viewer():
    x, y = Value(0.5, "x"), Value(2.0, "y")
    assert "<iframe" not in draw(x * y)._repr_html_()
    for i in range(60):
        x = named(**{f"x_{i}": x * y})
    assert "<iframe" in draw(x, direction="right")._repr_html_()


@pytest.mark.slow
def test_a_hundred_thousand_nodes_open_collapsed_with_at_most_400_boxes_in_a_scene():
    loss = mini_batch(2_900)
    groups = Groups(display([loss], topological_order(loss)))
    assert len(groups.shown.nodes) > 100_000
    for name in groups.names[::10]:
        assert len(groups.collapsed([name]).nodes) <= 400
    page = draw(loss)._page()
    assert len(page.page.encode()) < 4e6
    assert len(re.findall(r'<g class="box', page.page)) < 20
