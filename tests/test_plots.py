"""Tests of the plots of a run: they show the model's numbers, in the units and classes of its task."""

import math
import sys
from io import BytesIO
from random import Random

import pytest

from autograd import Value
from autograd.colours import LIGHT, MARKERS
from nn import (
    MLP,
    SGD,
    Dataset,
    Training,
    accuracy,
    binary_cross_entropy,
    confusion_matrix,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_squared_error,
    plots,
)
from nn.data import Split, moons
from nn.diagnostics import Diagnosis

Figure = pytest.importorskip("matplotlib.figure").Figure
to_hex, to_rgb = pytest.importorskip("matplotlib.colors").to_hex, pytest.importorskip("matplotlib.colors").to_rgb


@pytest.fixture
def ax():
    axes = Figure().subplots()
    yield axes
    axes.figure.savefig(BytesIO(), format="png")  # whatever was put on it can be drawn


def trained(model, loss, data, validation=None, epochs=3, rate=0.1):
    training = Training(
        model, loss, SGD(model.parameters(), rate), data, validation, epochs=epochs, rng=Random(2), progress=False
    )
    diagnosis = Diagnosis(training)
    for _ in training:
        diagnosis.measure()
    return training, diagnosis


def sine(n=20, units=(250.0, 40.0), outputs=1):
    rng = Random(5)
    X = [[rng.uniform(-3.0, 3.0)] for _ in range(n)]
    y = [math.sin(x) for (x,) in X]
    return Dataset(X, y if outputs == 1 else [[y_i, -y_i] for y_i in y], features=["width"], units=units)


def blobs(classes, names=(), n=30):
    rng = Random(4)
    y = [i % classes for i in range(n)]
    X = [[rng.gauss(2.0 * math.cos(2.0 * k), 0.5), rng.gauss(2.0 * math.sin(2.0 * k), 0.5)] for k in y]
    return Dataset(X, y, names)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def points(ax):
    scattered = [drawn for drawn in ax.collections if not hasattr(drawn, "levels")]
    return [tuple(point) for drawn in scattered for point in drawn.get_offsets().tolist()]


def boundaries(ax):
    """All points of the lines that are drawn between the areas."""
    return [
        point
        for drawn in ax.collections
        if hasattr(drawn, "levels")
        for path in drawn.get_paths()
        for point in path.vertices.tolist()
    ]


# ---- the loss and δ ----------------------------------------------------------------------------------------------


def test_the_loss_is_that_of_the_records_with_the_best_epoch_marked(ax):
    data = moons(20, rng=Random(0))
    training, _ = trained(MLP(2, [3, 1], rng=Random(0)), binary_cross_entropy, data, moons(10, rng=Random(1)), 6)
    assert plots.loss(training.records, ax) is ax
    lines = [line.get_xydata().tolist() for line in ax.lines]
    best = min(training.records, key=lambda record: record.validation_loss)
    assert lines == [
        [[r.epoch, r.loss] for r in training.records],
        [[r.epoch, r.validation_loss] for r in training.records],
        [[best.epoch, best.validation_loss]],
    ]
    assert legend(ax) == ["training", "validation", f"best, epoch {best.epoch}"]


def test_values_are_blue_and_gradients_orange_from_light_to_dark_and_never_dashed(ax):
    training, diagnosis = trained(MLP(2, [4, 3, 1], rng=Random(0)), hinge, hinge_moons(), hinge_moons())
    plots.deltas(diagnosis, ax)
    lightness = [sum(to_rgb(line.get_color())) for line in ax.lines]
    assert lightness == sorted(lightness, reverse=True) and len(set(lightness)) == 3
    assert ax.lines[1].get_color() == LIGHT["grad"] == plots.style(0, "grad")["color"]
    for k in range(len(MARKERS)):  # no two lines look alike, and all can be seen
        red, green, blue = to_rgb(plots.style(k)["color"])
        assert blue > red and 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.55
    looks = {(look["color"], look["marker"]) for look in map(plots.style, range(len(MARKERS)))}
    assert len(looks) == len(MARKERS)
    other = Figure().subplots()
    plots.loss(training, other)
    assert other.lines[0].get_color() == LIGHT["value"]
    assert {line.get_linestyle() for line in [*ax.lines, *other.lines]} == {"-", "None"}


def test_without_validation_data_the_training_loss_alone_is_drawn_and_a_negative_one_is_seen(ax):
    data = moons(10, rng=Random(0))
    training, _ = trained(MLP(2, [1], rng=Random(0)), lambda output, y: binary_cross_entropy(output, y) - 5.0, data)
    plots.loss(training, ax)  # the training itself, which does not go on by that
    assert legend(ax) == ["training"] and len(training.records) == 3
    assert ax.get_ylim()[0] <= min(record.loss for record in training.records) < 0.0


def test_deltas_are_those_of_the_diagnosis_layer_by_layer(ax):
    _, diagnosis = trained(MLP(2, [4, 3, 1], activation="tanh", rng=Random(0)), hinge, hinge_moons())
    plots.deltas(diagnosis, ax)
    assert [line.get_ydata().tolist() for line in ax.lines] == [
        [epoch[l].delta for epoch in diagnosis.records] for l in range(3)
    ]
    assert ax.get_yscale() == "log" and {text.get_text() for text in ax.texts} == {"δ¹", "δ²", "δ³"}
    other = Figure().subplots()
    plots.deltas(diagnosis.records, other)
    assert [line.get_ydata().tolist() for line in other.lines] == [line.get_ydata().tolist() for line in ax.lines]


# ---- classes ------------------------------------------------------------------------------------------------------


def hinge_moons():
    data = moons(30, rng=Random(0))
    return data._replace(y=[2 * y - 1 for y in data.y], classes=())


CUTS = {
    "a logit at 0": (binary_cross_entropy, "linear", moons(30, rng=Random(0)), 0.0),
    "a sigmoid at one half": (half_squared_error, "sigmoid", moons(30, rng=Random(0)), 0.5),
    "a number between the labels": (mean_squared_error, "linear", moons(30, rng=Random(0)), 0.5),
    "a score at 0": (hinge, "linear", hinge_moons(), 0.0),
    "a number between −1 and +1": (half_squared_error, "tanh", hinge_moons(), 0.0),
}


@pytest.mark.parametrize("case", CUTS)
def test_the_boundary_is_where_the_task_cuts_the_output(ax, case):
    loss, output, data, cut = CUTS[case]
    model = MLP(2, [4, 1], activation="tanh", output=output, rng=Random(0))
    trained(model, loss, data, epochs=10)
    plots.boundary(model, data, ax)
    found = boundaries(ax)
    assert len(found) > 20
    for x in found[::7]:
        unit = model(x).data
        assert unit == pytest.approx(cut, abs=0.02)  # a line through a grid of 80 cells a side
    assert legend(ax) == (["−1", "+1"] if data.y[0] == -1 else ["upper", "lower"])
    assert sorted(points(ax)) == sorted(map(tuple, data.X))


@pytest.mark.parametrize("units", [2, 3, 5, 8])
def test_of_several_classes_each_has_its_area_and_lines_lie_where_two_lead_alike(ax, units):
    data = blobs(units, [f"class {k}" for k in range(units)], 40)
    model = MLP(2, [8, units], activation="tanh", rng=Random(0))
    trained(model, cross_entropy, data, epochs=10)
    plots.boundary(model, data, ax)
    found = boundaries(ax)
    for x in found[:: len(found) // 20]:
        first, second = sorted((unit.data for unit in model(x)), reverse=True)[:2]
        assert first - second < 0.1  # of logits that differ by several; a line through a grid of 80 cells a side
    [image] = ax.images
    areas, (left, right, bottom, top) = image.get_array(), image.get_extent()
    assert areas.shape == (81, 81) and left < right and bottom < top
    outputs = [unit.data for unit in model([left, top])]
    first, second = sorted(outputs)[:-3:-1]
    lead = outputs[1] - outputs[0] if units == 2 else first - second  # of two classes with its sign
    assert areas[80, 0] == pytest.approx(lead, rel=1e-9)
    large = [line.get_marker() for line in ax.lines]
    found = {max(range(units), key=lambda k: model(x)[k].data) for x in data.X}
    assert set(large) >= {MARKERS[k] for k in found} if units > 2 else not large
    assert legend(ax) == [f"class {k}" for k in range(units)]
    scattered = [drawn for drawn in ax.collections if not hasattr(drawn, "levels")]
    assert len({(str(d.get_edgecolor()), str(d.get_paths()[0].vertices)) for d in scattered}) == units


def test_of_a_split_training_examples_are_hollow_and_test_examples_solid(ax):
    data, test = moons(20, rng=Random(0)), moons(10, rng=Random(1))
    model = MLP(2, [1], rng=Random(0))
    trained(model, binary_cross_entropy, data)
    plots.boundary(model, Split(data, data, test), ax)
    assert legend(ax) == ["upper, training", "upper, test", "lower, training", "lower, test"]
    assert sorted(points(ax)) == sorted(map(tuple, data.X + test.X))
    inside = {d.get_label(): to_hex(d.get_facecolor()[0]).upper() for d in ax.collections if "," in d.get_label()}
    assert all(colour == LIGHT["ink" if name.endswith("test") else "fill"] for name, colour in inside.items())


def test_the_confusion_is_the_numeric_one_under_the_names_of_the_classes(ax):
    for loss, data, units in ((cross_entropy, blobs(3, ["red", "green", "blue"]), 3), (hinge, hinge_moons(), 1)):
        model = MLP(2, [units], rng=Random(1))
        trained(model, loss, data, epochs=1)
        ax.clear()
        plots.confusion(model, data, ax)
        counts = confusion_matrix(model, data)
        assert ax.images[0].get_array().tolist() == counts
        assert sum(map(sum, counts)) == len(data.y)
        assert sum(counts[k][k] for k in range(len(counts))) / len(data.y) == pytest.approx(accuracy(model, data))
        names = ["red", "green", "blue"] if units == 3 else ["−1", "+1"]
        assert [label.get_text() for label in ax.get_xticklabels()] == names
        assert [label.get_text() for label in ax.get_yticklabels()] == names
        assert {text.get_text() for text in ax.texts} == {str(n) for row in counts for n in row if n}


# ---- regressions --------------------------------------------------------------------------------------------------


def test_a_fit_over_one_input_is_the_curve_in_the_targets_units(ax):
    data, model = sine(), MLP(1, [4, 1], activation="tanh", rng=Random(0))
    trained(model, mean_squared_error, data)
    plots.fit(model, data, ax, target="price")
    [curve] = ax.lines
    for x, price in curve.get_xydata()[::40].tolist():
        assert price == pytest.approx(250.0 + 40.0 * model([x]).data, rel=1e-12)
    assert points(ax) == [(x, 250.0 + 40.0 * y) for [x], y in zip(data.X, data.y)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "price")


def test_a_fit_over_several_inputs_is_what_is_predicted_against_what_is_true(ax):
    rng = Random(1)
    X = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(12)]
    data = Dataset(X, [a - b for a, b in X], units=(10.0, 2.0))
    model = MLP(2, [3, 1], rng=Random(0))
    trained(model, half_squared_error, data)
    plots.fit(model, data, ax)
    expected = [(10.0 + 2.0 * y, 10.0 + 2.0 * model(x).data) for x, y in zip(data.X, data.y)]
    assert points(ax) == [pytest.approx(pair, rel=1e-12) for pair in expected]
    assert ax.lines[0].get_slope() == 1.0 and ax.lines[0].get_xy1()[0] == ax.lines[0].get_xy1()[1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true y", "predicted y")


def test_residuals_are_true_minus_predicted_for_each_output(ax):
    data, model = sine(outputs=2), MLP(1, [3, 2], activation="tanh", rng=Random(0))
    trained(model, mean_squared_error, data)
    plots.residuals(model, data, ax, target="force")
    expected = []
    for k in range(2):
        for x, y in zip(data.X, data.y):
            a = model(x)[k].data
            expected.append((250.0 + 40.0 * a, 40.0 * (y[k] - a)))
    assert points(ax) == [pytest.approx(pair, rel=1e-9, abs=1e-9) for pair in expected]
    assert legend(ax) == ["force", "force 2"]


@pytest.mark.parametrize("inputs", [1, 2])
def test_the_picture_of_a_regressions_run_is_its_loss_fit_and_residuals_in_its_units(inputs, tmp_path, monkeypatch):
    figures, rng = [], Random(1)
    monkeypatch.setattr(plots, "write_png", lambda figure, path: figures.append(figure))
    X = [[rng.gauss(0.0, 1.0) for _ in range(inputs)] for _ in range(12)]
    data = Dataset(X, [sum(x) for x in X], units=(10.0, 2.0))
    model = MLP(inputs, [3, 1], rng=Random(0))
    training, _ = trained(model, half_squared_error, data, data)
    plots.picture(tmp_path / "picture.png", model, Split(data, data, data), training.records, "houses", "price")
    [figure] = figures
    titles = ["Loss", "Fit" if inputs == 1 else "Predicted against true", "Residuals"]
    assert [ax.get_title() for ax in figure.axes] == titles
    assert [ax.get_ylabel() for ax in figure.axes][1].endswith("price")
    assert len(points(figure.axes[1])) == len(points(figure.axes[2])) == 24


# ---- figures and errors -------------------------------------------------------------------------------------------


def test_without_axes_pyplot_makes_a_figure(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    training, diagnosis = trained(MLP(2, [3, 1], rng=Random(0)), binary_cross_entropy, moons(10, rng=Random(0)))
    data, model = training.training, training.model
    before = set(pyplot.get_fignums())
    drawn = [
        plots.loss(training), plots.boundary(model, data), plots.confusion(model, data), plots.deltas(diagnosis),
    ]  # fmt: skip
    figures = [pyplot.figure(k) for k in sorted(set(pyplot.get_fignums()) - before)]
    assert [ax.figure for ax in drawn] == figures
    assert [ax.get_title() for ax in drawn] == [
        "Loss", "Decision boundary", "Confusion matrix", "Does δ reach every layer?",
    ]  # fmt: skip
    for figure in figures:
        pyplot.close(figure)


def test_without_matplotlib_each_plot_says_what_to_install(monkeypatch):
    training, diagnosis = trained(MLP(2, [3, 1], rng=Random(0)), binary_cross_entropy, moons(10, rng=Random(0)))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (
        lambda: plots.loss(training),
        lambda: plots.boundary(training.model, training.training),
        lambda: plots.confusion(training.model, training.training),
        lambda: plots.deltas(diagnosis),
    ):
        with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'chainrule\[plot\]'"):
            draw()


def test_what_cannot_be_drawn_is_named_with_its_remedy(ax):
    three = Dataset([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [0, 1])
    one = Dataset([[1.0], [2.0]], [0, 1])
    model = MLP(3, [1], rng=Random(0))
    with pytest.raises(ValueError, match=r"boundary needs 2 inputs, not 3: use nn.plots.confusion"):
        plots.boundary(model, three, ax)
    with pytest.raises(ValueError, match="boundary needs 2 inputs, not 1"):
        plots.boundary(MLP(1, [1], rng=Random(0)), one, ax)
    for draw in (plots.fit, plots.residuals):
        with pytest.raises(ValueError, match=r"is a classification: .* plots.boundary or confusion"):
            draw(model, three, ax)
    regression = MLP(1, [1], rng=Random(0))
    training, _ = trained(regression, mean_squared_error, sine())
    for draw in (plots.boundary, plots.confusion):
        with pytest.raises(ValueError, match=r"is a regression: .* plots.fit or residuals"):
            draw(regression, sine(), ax)
    own = MLP(1, [1], rng=Random(0))
    trained(own, lambda output, y: abs(output - y), sine())
    with pytest.raises(ValueError, match=r"does not declare its outputs: add @nn.outputs_are"):
        plots.fit(own, sine(), ax)
    with pytest.raises(TypeError, match=r"a plot needs an nn.Dataset or an nn.data.Split, not list"):
        plots.boundary(model, three.X, ax)
    for none in ([], Training(regression, mean_squared_error, SGD(regression.parameters(), 0.1), sine())):
        with pytest.raises(ValueError, match="there are no records to plot: train first"):
            plots.loss(none, ax)
    for none in ([], Diagnosis(training), training, training.records):
        with pytest.raises(ValueError, match=r"deltas needs an nn.diagnostics.Diagnosis: call its measure\(\)"):
            plots.deltas(none, ax)
    assert not ax.lines and not ax.collections and not ax.images and len(training.records) == 3


# ---- the sample of δ ----------------------------------------------------------------------------------------------


def test_the_sample_takes_the_first_of_each_class_in_turn_and_a_regressions_evenly():
    data = Dataset([[float(i)] for i in range(9)], [2, 2, 2, 2, 0, 0, 1, 1, 2])
    training, diagnosis = trained(MLP(1, [3], rng=Random(0)), cross_entropy, data, epochs=1)
    assert [x for (x,) in training.task.sample(data, 5).X] == [4.0, 6.0, 0.0, 5.0, 7.0]
    assert sorted(diagnosis.sample.X) == data.X  # fewer than it would take: all of them
    numbers = Dataset([[float(i)] for i in range(10)], [i / 7.0 for i in range(10)])
    training, _ = trained(MLP(1, [1], rng=Random(0)), mean_squared_error, numbers, epochs=1, rate=0.001)
    assert [x for (x,) in training.task.sample(numbers, 5).X] == [0.0, 2.0, 4.0, 6.0, 8.0]


# ---- numbers of one's own ----------------------------------------------------------------------------------------


def test_lines_are_the_numbers_by_place_or_by_their_own_x_and_a_level_is_thin(ax):
    assert plots.lines({"a": [3.0, 1.0], "b": ([5, 7], [2.0, 4.0])}, "t", "η", ax, level={"best": 1.5}) is ax
    assert [line.get_xydata().tolist() for line in ax.lines[:2]] == [[[0, 3], [1, 1]], [[5, 2], [7, 4]]]
    assert ax.lines[2].get_linewidth() < 1.0 and set(ax.lines[2].get_ydata()) == {1.5}
    assert legend(ax) == ["a", "b", "best"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("t", "η")


def test_one_line_without_a_name_needs_no_legend(ax):
    plots.lines({"": [1.0, 2.0]}, "t", "w", ax, level=1.0, token="grad", yscale="log")
    assert ax.get_legend() is None and ax.get_yscale() == "log"
    assert to_hex(ax.lines[0].get_color()).upper() == plots.shade("grad", 0.5)


@pytest.mark.parametrize("decide", [lambda x: x[0] - 0.5, lambda x: Value(x[0] - 0.5)], ids=["numbers", "nodes"])
def test_ground_is_divided_where_any_function_changes_its_sign(ax, decide):
    data = moons(20, rng=Random(0))
    plots.ground(decide, data, ax)
    [areas] = [drawn for drawn in ax.collections if hasattr(drawn, "levels")]
    right = areas.get_paths()[1].vertices
    assert min(x for x, _ in right) == pytest.approx(0.5, abs=1e-9)
    assert sorted(points(ax)) == sorted(map(tuple, data.X))


def test_ground_of_a_model_is_its_decision_and_of_none_the_examples(ax):
    data = moons(20, rng=Random(0))
    plots.ground(MLP(2, [3, 1], rng=Random(0)), data, ax)
    assert [drawn for drawn in ax.collections if hasattr(drawn, "levels")]
    alone = plots.ground(None, data)
    assert not [drawn for drawn in alone.collections if hasattr(drawn, "levels")]
    assert legend(alone) == ["class 0", "class 1"]


def test_panels_of_grounds_share_a_legend():
    panels = [plots.ground(None, moons(20, rng=Random(0)), ax) for ax in plots.panels(2)]
    assert legend(panels[0]) == ["class 0", "class 1"] and panels[1].get_legend() is None


def test_dots_are_larger_for_equal_numbers():
    ax = plots.dots({1: [0.0, 2.0], 2: [1.0, 1.0]}, "gradient", "m", level=1.0)
    assert sorted((*drawn.get_offsets().tolist()[0], drawn.get_sizes()[0]) for drawn in ax.collections) == [
        (0.0, 0.0, 60.0), (1.0, 1.0, 120.0), (2.0, 0.0, 60.0)
    ]  # fmt: skip
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2"]


def test_boxes_are_as_wide_as_their_batches():
    ax = plots.boxes({"m = 2": [[4, 2], [7]]}, "evaluations")
    assert [(box.get_x(), box.get_width()) for box in ax.patches] == [(0, 2), (2, 1)]
    assert [text.get_text() for text in ax.texts] == ["4, 2", "7"]


def test_histograms_share_their_bins_and_mark_numbers():
    ax = plots.histograms({"a": [0.0, 0.0, 10.0], "b": [5.0]}, "w", marks={"mean": 5.0})
    assert set(legend(ax)) == {"a", "b", "mean"}
    assert max(patch.get_xy()[:, 1].max() for patch in ax.patches) == 2.0


def test_arrows_end_at_their_vectors():
    ax = plots.arrows({"g": (3.0, 4.0), "clipped": (0.6, 0.8)}, "first", "second")
    tips = [text.xy for text in ax.texts if text.arrow_patch is not None]
    assert tips == [(3.0, 4.0), (0.6, 0.8)]
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["g", "clipped"]


def test_panels_are_side_by_side():
    left, right = plots.panels(2)
    assert left.figure is right.figure and left.get_position().x1 < right.get_position().x0


def test_an_equation_writes_every_number_and_frames_what_is_marked():
    W, a = [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], [0.5, -1.0]
    z = [-0.15, 0.55, -0.85]
    ax = plots.equation(("W", W), ("a", a), "=", ("z", z), marked={"W": (1, slice(None)), "z": (1, 0)})
    written = [text.get_text() for text in ax.texts]
    assert written[:7] == ["0.1", "0.2", "0.3", "−0.4", "−0.5", "0.6", "W"]
    assert written[7:] == ["0.5", "−1", "a", "=", "−0.15", "0.55", "−0.85", "z"]
    row, entry = ax.patches
    assert (row.get_width(), row.get_height()) == (2, 1) and (entry.get_width(), entry.get_height()) == (1, 1)
    assert row.get_y() == entry.get_y() == -0.5  # the middle row of three


def test_clouds_share_their_axes_and_show_every_point():
    panels = plots.clouds({"as they come": [(1.0, 2.0), (3.0, -4.0)], "halved": [(0.5, 1.0), (1.5, -2.0)]})
    assert [ax.get_title() for ax in panels] == ["as they come", "halved"]
    assert panels[0].get_xlim() == panels[1].get_xlim() and panels[0].get_ylim() == panels[1].get_ylim()
    assert panels[1].lines[-1].get_xydata().tolist() == [[0.5, 1.0], [1.5, -2.0]]


def test_the_ellipses_of_a_valley_join_weights_of_equal_loss_and_fit_into_the_frame():
    X = [(-2.0, -4.0), (0.0, -2.0), (2.0, 6.0)]
    [ax] = plots.valleys({"X": X})
    *ellipses, path, _ = (line.get_xydata() for line in ax.lines)
    for points in ellipses:
        losses = [sum((w[0] * x[0] + w[1] * x[1]) ** 2 for x in X) for w in points]
        assert max(losses) - min(losses) < 1e-9 * max(losses)  # rounding
    lengths = [math.hypot(*w) for w in ellipses[-1]]
    assert max(lengths) / min(lengths) == pytest.approx((21.080332901 / 0.253000432) ** 0.5, rel=3e-3)  # 200 points
    assert max(abs(number) for w in ellipses[-1] for number in w) < 2.0 and len(path) == 21


def test_gradient_descent_in_a_round_valley_arrives_in_one_step():
    *_, path, _ = (line.get_xydata() for line in plots.valleys({"": [(1, 0), (-1, 0), (0, 1), (0, -1)]})[0].lines)
    assert path[0].tolist() == [-1.5, 1.0] and path[1].tolist() == pytest.approx([0.0, 0.0])


def test_images_and_squares_show_their_numbers():
    from matplotlib import pyplot

    plots.images([[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]], ["a", "b"], columns=2)
    shown = [ax.images[0].get_array().tolist() for ax in pyplot.gcf().axes]
    assert shown == [[[0.0, 1.0], [2.0, 3.0]], [[3.0, 2.0], [1.0, 0.0]]]
    [ax] = plots.squares({"reads": [[1.0], [0.25, 0.75]]}, "xy")
    assert ax.images[0].get_array().tolist() == [[1.0, 0.0], [0.25, 0.75]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]


def test_bars_have_their_numbers_behind_them():
    ax = plots.bars({"dot": 1200, "add": 3}, "operations")
    assert [text.get_text() for text in ax.texts] == ["1,200", "3"]
