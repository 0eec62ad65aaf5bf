"""Tests of the lab's page in Chromium: touch, time and back, keyboard use, and no errors in the console."""

import re
from math import isclose
from random import Random

import pytest
from conftest import serious

from nn import MLP, SGD, Dataset, binary_cross_entropy, half_squared_error, lab
from nn.data import moons, sine
from nn.laboratory.lessons import lessons
from nn.losses import mean_loss

pytestmark = pytest.mark.browser
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
NUMBER = r"−?\d+(?:\.\d+)?(?:·10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)?"


def moons_lab(rate=0.5, n=30, **options):
    """A page, and what Python makes of the same."""
    model = MLP(2, [4, 3, 1], activation="tanh", rng=Random(0))
    data, optimizer = moons(n, rng=Random(1)), SGD(model.parameters(), rate)
    options = {"title": "Moons", "question": "Which way is back?"} | options
    return lab(model, data, binary_cross_entropy, optimizer, rng=2, **options), model, data, optimizer


def eager_step(model, data, optimizer):
    """Takes a full-batch step; returns the loss before it and the gradients."""
    loss = mean_loss(binary_cross_entropy, model.batch(data.X), data.y)
    optimizer.zero_grad()
    loss.backward()
    gradients = [p.grad for p in optimizer.parameters]
    optimizer.step()
    return loss.data, gradients


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def line(page):
    """The line of mathematics as text, and the words below it."""
    page.evaluate(DRAWN)
    math = "".join(found.text_content() for found in page.locator(".line math").all())
    return math, page.locator(".line small").inner_text()


def status(page):
    page.evaluate(DRAWN)
    return page.locator(".now .plain").inner_text()


def read(text):
    """The numbers in a text."""
    powers = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    found = re.findall(NUMBER, text)
    return [float(re.sub("·10(.*)", lambda m: "e" + m[1].translate(powers), x).replace("−", "-")) for x in found]


@pytest.fixture
def opened(visit, tmp_path):
    """Opens a lab's page."""

    def open_page(made, *arguments, **options):
        return visit(made.save(tmp_path / "lab.html"), *arguments, **options)

    return open_page


# ---- what a touch shows -------------------------------------------------------------------------------------------


def test_at_rest_there_are_six_controls_and_the_numbers_of_epoch_0(opened):
    made, model, data, _ = moons_lab()
    page = opened(made)
    loss = mean_loss(binary_cross_entropy, model.batch(data.X), data.y).data
    assert status(page).startswith(f"epoch 0 · loss {loss:.3g} ·")
    assert read(line(page)[0]) == [pytest.approx(loss, rel=1e-3)]
    visible = [b.inner_text() for b in page.locator(".controls button").all() if b.is_visible()]
    assert visible == ["Back", "Forward", "Backward", "Update", "Run"]
    assert page.locator(".controls .rate input:visible").count() == 2  # one control, to slide and to type


def test_a_weight_is_told_its_gradient_and_the_update_that_follows(opened):
    made, model, data, optimizer = moons_lab()
    page = opened(made)
    w = model.parameters()[3]
    p = page.evaluate("(name) => lab.situation.parameters.indexOf(name)", w.name)
    before = w.data
    loss, gradients = eager_step(model, data, optimizer)
    gradient = gradients[model.parameters().index(w)]
    page.evaluate("(p) => lab.touch({ kind: 'weight', p })", p)
    said, small = line(page)
    assert read(said)[-4:] == pytest.approx([before, -0.5, gradient, w.data], rel=1e-3)
    alone = [q.data for q in model.parameters()]
    for q, g in zip(model.parameters(), gradients):
        q.data += 0.0 if q is w else 0.5 * g  # that weight alone has moved
    was = mean_loss(binary_cross_entropy, model.batch(data.X), data.y).data - loss
    for q, x in zip(model.parameters(), alone):
        q.data = x
    assert small.startswith(f"This is the mean over {len(data.y)} points.")
    assert read(small)[1:] == pytest.approx([-0.5 * gradient**2, was], rel=1e-2)


def test_update_says_what_it_promised_and_what_it_was(opened):
    made, model, data, optimizer = moons_lab()
    page = opened(made)
    loss, gradients = eager_step(model, data, optimizer)
    after = mean_loss(binary_cross_entropy, model.batch(data.X), data.y).data
    press(page, "Update")
    said, small = line(page)
    assert read(said) == pytest.approx([after - loss], rel=1e-3)
    assert read(small) == pytest.approx([-0.5 * sum(g * g for g in gradients), after - loss], rel=1e-2)
    assert status(page).startswith(f"epoch 1 · loss {after:.3g}")


def test_a_unit_is_told_its_delta_as_the_sum_over_its_edges(opened):
    made, model, data, _ = moons_lab()
    page = opened(made)
    trace = model.trace(data.X[4])
    binary_cross_entropy(trace.output, data.y[4]).backward()
    page.evaluate("lab.touch({ kind: 'point', i: 4 }, false), lab.touch({ kind: 'unit', l: 2, j: 1 })")
    said, small = line(page)
    z, a = trace.z[2][1], trace.a[2][1]
    w = model.net.layers[4].W[0][1]
    delta = trace.z[3][0].grad
    shown = read(said)
    assert shown[-4:] == pytest.approx([delta, w.data, 1 - a.data**2, z.grad], rel=1e-3)
    assert any(isclose(x, a.data, rel_tol=1e-3) for x in shown) and read(small)[:2] == pytest.approx(
        [z.data, 5], rel=1e-3
    )
    page.locator(".unit").nth(7).click()  # the second touch opens it
    operations = page.locator(".network text.name").all_text_contents()
    assert [operations.count(sign) for sign in ("×", "+", "tanh")] == [4, 1, 1]
    press(page, "Back to the network")
    assert page.locator(".network .unit").count() == 10


def test_a_point_is_dragged_added_flipped_and_removed_and_back_undoes_each(opened):
    made, _, data, _ = moons_lab()
    page = opened(made)
    box = page.locator("canvas[id$=plane]").bounding_box()
    x, y = page.evaluate("lab.plane.pixel(lab.machine.points[3].x)")
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 30, steps=4)
    page.mouse.up()
    moved = page.evaluate("lab.machine.points[3].x")
    where = page.evaluate("(at) => lab.plane.at(at)", {"clientX": box["x"] + 30, "clientY": box["y"] + 30})
    assert moved == pytest.approx(where, abs=0.02) and moved != data.X[3]
    page.mouse.click(box["x"] + 12, box["y"] + box["height"] - 12)
    press(page, "Add lower here")
    assert page.evaluate("lab.machine.points.length") == 31
    press(page, "Flip its class")
    assert page.evaluate("lab.machine.points[30].y") == 0
    press(page, "Remove it")
    assert page.evaluate("lab.machine.points.length") == 30
    for expected in (31, 31, 30):
        page.evaluate("lab.phase = 0")  # else Back leads through the passes that a touch has shown
        press(page, "Back")
        assert page.evaluate("lab.machine.points.length") == expected
    press(page, "Back")
    assert page.evaluate("lab.machine.points[3].x") == data.X[3]


def test_back_goes_through_phases_and_updates_to_the_bit(opened):
    page = opened(moons_lab()[0])
    state = "JSON.stringify([lab.phase, [...lab.machine.shared]])"
    seen = [page.evaluate(state)]
    for name in ("Forward", "Backward", "Update", "Forward", "Backward"):
        press(page, name)
        seen.append(page.evaluate(state))
    for expected in seen[-2::-1]:
        press(page, "Back")
        assert page.evaluate(state) == expected


def test_predict_mode_asks_before_it_shows(opened):
    made, model, data, optimizer = moons_lab()
    page = opened(made)
    _, gradients = eager_step(model, data, optimizer)
    p = page.evaluate("(name) => lab.situation.parameters.indexOf(name)", model.parameters()[0].name)
    page.evaluate("lab.predict(true)")
    page.evaluate("(p) => lab.touch({ kind: 'weight', p })", p)
    _, small = line(page)
    assert not read(small) and "raise" in small
    press(page, "It rises")
    assert line(page)[1].startswith("Right." if gradients[0] < 0 else "No, the opposite.")


# ---- what goes wrong is answered by a sentence ---------------------------------------------------------------------


def test_what_cannot_be_is_answered_by_a_sentence_and_changes_nothing(opened):
    page = opened(moons_lab()[0])
    state = "JSON.stringify([[...lab.machine.shared], lab.machine.points, lab.machine.rate])"
    before = page.evaluate(state)
    for edit in (
        {"kind": "rate", "number": -1}, {"kind": "move", "i": 0, "x": [1e300, 1e300]}, {"kind": "batch", "number": 0},
        {"kind": "weight", "p": 0, "number": 1e308},
    ):  # fmt: skip
        page.evaluate("(edit) => lab.edit(edit)", edit)
        assert line(page)[1].endswith(".") and page.evaluate(state) == before
    rate = page.locator("[id$=rate]").last
    rate.fill("soon")
    rate.press("Enter")
    assert "η" in line(page)[1] and page.evaluate(state) == before
    rate.fill("1e307")
    rate.press("Enter")
    for _ in range(3):
        press(page, "Update")
    assert "No update" in line(page)[1]
    page.evaluate("lab.go(0)")
    for _ in range(30):
        page.evaluate("lab.edit({ kind: 'remove', i: 0 })")
    assert "no point" in line(page)[1] and status(page).startswith("epoch 0 · loss –")
    press(page, "Update")
    press(page, "Run")
    assert page.evaluate("lab.machine.steps") == 0


def test_one_class_alone_still_learns(opened):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    data = Dataset(moons(10, rng=0).X, [1] * 10)
    page = opened(lab(model, data, binary_cross_entropy, SGD(model.parameters(), 0.5), rng=1))
    page.evaluate("lab.steps(50)")
    assert status(page).endswith("100 % right")


# ---- for everybody -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_lab(opened, scheme):
    page = opened(moons_lab()[0], 1280, 800, scheme)
    press(page, "Moons")
    page.locator(".now .plain").click()
    assert not serious(page)
    page.evaluate("lab.touch({ kind: 'point', i: 0 }, false), lab.touch({ kind: 'unit', l: 1, j: 0 })")
    assert not serious(page)
    page.evaluate("lab.network.open(1, 0)")
    assert not serious(page)


@pytest.mark.parametrize("width", [360, 820, 1920])
def test_nothing_is_wider_than_the_window(opened, width):
    page = opened(moons_lab()[0], width, 740)
    page.evaluate("lab.steps(20), lab.touch({ kind: 'weight', p: 0 })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator(".controls footer").bounding_box()
    assert box["y"] + box["height"] <= 741


def test_a_saved_page_starts_where_it_was(opened, visit, tmp_path):
    page = opened(moons_lab()[0])
    page.evaluate(
        "lab.steps(7), lab.edit({ kind: 'move', i: 2, x: [0.1, 0.2] }), lab.edit({ kind: 'rate', number: 0.25 })"
    )
    state = "JSON.stringify([[...lab.machine.shared], lab.machine.points, lab.machine.rate, lab.machine.steps])"
    before, buttons = page.evaluate(state), page.locator("button").count()
    with page.expect_download() as download:
        page.evaluate("lab.save()")
    download.value.save_as(tmp_path / "saved.html")
    page = visit(tmp_path / "saved.html")
    assert page.evaluate(state) == before and page.locator("button").count() == buttons


def test_a_regression_shows_its_curve_and_rmse(opened):
    model = MLP(1, [4, 1], activation="tanh", rng=0)
    page = opened(lab(model, sine(20, rng=0), half_squared_error, SGD(model.parameters(), 0.1), rng=1))
    assert re.search(r"RMSE 0\.\d+$", status(page))
    assert page.evaluate("lab.reading.isCurve && lab.surface.outputs[0].length") == 72


def click_at_random(page, count, seed):
    """Clicks, keys and drags anywhere on the page."""
    rng = Random(seed)
    size = page.viewport_size
    for _ in range(count):
        x, y = rng.uniform(0, size["width"]), rng.uniform(0, size["height"])
        kind = rng.choice(["click", "click", "drag", "key", "wheel", "button"])
        if kind == "click":
            page.mouse.click(x, y)
        elif kind == "drag":
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(rng.uniform(0, size["width"]), rng.uniform(0, size["height"]), steps=3)
            page.mouse.up()
        elif kind == "key":
            page.keyboard.press(
                rng.choice(["Tab", "Enter", "ArrowLeft", "ArrowUp", "Delete", "Space", "Escape", "+", "0"])
            )
        elif kind == "wheel":
            page.mouse.move(x, y)
            page.mouse.wheel(0, rng.choice([-300, 300]))
        else:
            page.evaluate(
                "(k) => { const all = [...document.querySelectorAll('button')];"
                " const shown = all.filter((one) => one.offsetParent && !one.id.endsWith('save'));"
                " shown[k % shown.length].click(); }",
                rng.randrange(1000),
            )  # fmt: skip


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_random_clicks_raise_no_error(opened, count):
    page = opened(moons_lab()[0])
    click_at_random(page, count, count)  # ``visit`` fails on any complaint
    assert page.evaluate("Number.isFinite(lab.machine.shared[0])")


# ---- every task of the lessons by keys alone -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def lessons_file(tmp_path_factory):
    return lab(lessons()).save(tmp_path_factory.mktemp("lab") / "lessons.html")


class Keys:
    """A reader without a mouse: Tab until a name has the focus, then a key."""

    def __init__(self, page):
        self.page = page

    def focus(self, name):
        named = "(() => { const it = document.activeElement; return it.ariaLabel || it.textContent; })()"
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(named) == name:
                return
        raise AssertionError(f"Tab never came to {name!r}")

    def press(self, *names):
        for name in names:
            self.focus(name)
            self.page.keyboard.press("Enter")
            self.page.evaluate(DRAWN)

    def unit(self, l, j):
        """Go to a unit by arrows from where Tab enters the network, and touch it."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("Boolean(document.activeElement.closest('.unit'))"):
                break
        for _ in range(12):
            self.page.keyboard.press("ArrowLeft")
        for key, count in (("ArrowUp", 16), ("ArrowRight", l), ("ArrowDown", j)):
            for _ in range(count):
                self.page.keyboard.press(key)
        self.page.keyboard.press("Enter")
        self.page.evaluate(DRAWN)

    def weight(self, l, j, name):
        self.unit(l, j)
        self.press(name)
        return line(self.page)

    def run(self, epoch):
        """Run, and pause when the epoch has come."""
        self.press("Run")
        self.page.evaluate(
            "(epoch) => new Promise((done) => { const look = () => (!lab.running || lab.machine.epoch >= epoch"
            " ? done() : requestAnimationFrame(look)); look(); })",
            epoch,
        )
        if self.page.evaluate("lab.running"):
            self.press("Pause")
        assert self.page.evaluate("lab.machine.epoch") >= epoch


@pytest.fixture
def keys(visit, lessons_file):
    """Opens a lesson by keys, in one of its situations."""

    def open_lesson(lesson, variant=""):
        found = Keys(visit(lessons_file, motion="reduce"))
        if lesson != "One neuron":
            found.press("One neuron", lesson)
        if variant:
            found.press(variant)
        return found

    return open_lesson


def accuracy_of(page):
    return float(status(page).split(" · ")[-1].removesuffix(" % right"))


def test_keys_alone_answer_one_neuron(keys):
    reader = keys("One neuron")
    reader.press("Backward")
    first, second = (read(reader.weight(1, 0, name)[0])[-2] for name in ("w¹₁₁", "w¹₁₂"))
    assert first / second == pytest.approx(4.0, rel=1e-3)


def test_keys_alone_answer_the_slides(keys):
    reader = keys("The slides' 2-3-2 network")
    reader.press("Backward")
    reader.unit(1, 1)
    shown = read(line(reader.page)[0])
    assert shown[-1] == pytest.approx(0.02713772559021196, rel=1e-3)
    assert shown[-6] * shown[-5] * shown[-2] == pytest.approx(0.02149404073763791, rel=1e-2)
    assert shown[-4] * shown[-3] * shown[-2] == pytest.approx(0.00564368485257405, rel=1e-2)


@pytest.mark.parametrize(("variant", "least", "most"), [("no hidden unit", 80, 95), ("four units", 97, 100)])
def test_keys_alone_answer_why_hidden_layers(keys, variant, least, most):
    reader = keys("Why hidden layers", variant)
    reader.run(100)
    assert least <= accuracy_of(reader.page) <= most


@pytest.mark.parametrize(("variant", "least", "most"), [("ten sigmoids", 3.5, 4.6), ("with tanh", 0.9, 1.4)])
def test_keys_alone_answer_vanishing_gradients(keys, variant, least, most):
    reader = keys("Vanishing gradients", variant)
    reader.press("Backward")
    deltas = []
    for l in (5, 6):
        reader.unit(l, 0)
        deltas.append(read(line(reader.page)[0])[-1])
    assert least <= deltas[1] / deltas[0] <= most


def test_keys_alone_answer_symmetry(keys):
    reader = keys("Symmetry of equal weights", "equal weights")
    reader.press("Backward")
    gradients = [read(reader.weight(1, j, f"w¹{index}")[0])[-2] for j, index in enumerate(["₁₁", "₂₁", "₃₁", "₄₁"])]
    assert len(set(gradients)) == 1 and gradients[0] != 0.0


@pytest.mark.slow  # some hundred keys
def test_keys_alone_kill_a_unit_and_bring_it_back(keys):
    reader = keys("Dropout's redundancy", "no dropout")
    reader.run(200)
    before = accuracy_of(reader.page)
    left = []
    for j in range(6):
        reader.unit(1, j)
        reader.press("Kill")
        left.append(accuracy_of(reader.page))
        reader.press("Bring back")
        assert accuracy_of(reader.page) == before
    assert min(left) < before - 15


@pytest.mark.slow  # some hundred keys
def test_keys_alone_answer_all_positive_inputs(keys):
    for variant, expected in (("positive", 0), ("zero-centred", 2)):
        reader = keys("All-positive inputs", variant)
        opposite = 0
        for _ in range(3):
            first, second = (read(reader.weight(1, 0, name)[0])[-2] for name in ("w¹₁₁", "w¹₁₂"))
            opposite += first * second < 0.0
            reader.press("Update")
        assert opposite == expected


def test_keys_alone_answer_batch_normalisation(keys):
    reader = keys("Batch normalisation", "batch norm")
    reader.run(100)
    assert float(status(reader.page).split("loss ")[1].split(" ")[0]) < 0.03
    _, small = reader.weight(1, 0, "b¹₁")
    assert "0 up to rounding" in small or read(small)[-2:] == [0.0, 0.0]


def test_keys_alone_move_add_and_remove_a_point(keys):
    reader = keys("One neuron")
    page = reader.page
    page.evaluate("document.querySelector('canvas[id$=plane]').focus()")
    for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    moved = page.evaluate("[lab.machine.points[lab.point].x, lab.situation.points[lab.point].x]")
    assert all(new > old for new, old in zip(*moved))
    page.keyboard.press("Delete")
    assert page.evaluate("lab.machine.points.length") == 7
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    reader.press("Add 1 here")
    assert page.evaluate("lab.machine.points.length") == 8
