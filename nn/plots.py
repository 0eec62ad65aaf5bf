"""Plots training runs and trained models with matplotlib.

Each function draws on the Axes ``ax``, or on a new pyplot figure, and returns the Axes. Values are blue and gradients
orange. Each class has a marker, which is hollow for training examples and solid for the test examples of a Split.
Without matplotlib, they raise ImportError and name the package to install.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import accumulate
from math import inf, isfinite
from pathlib import Path
from typing import Any

from autograd.colours import LIGHT, MARKERS
from autograd.files import write_whole
from autograd.text import clipped, text_name
from nn.data import Dataset, Split
from nn.diagnostics import Diagnosis, LayerRecord
from nn.evaluation import CLASSIFICATION, REGRESSION, Task, confusion_matrix, outputs_at, task_for, task_of
from nn.module import Module, index_name
from nn.records import EpochRecord
from nn.training import Training

Layers = Sequence[Sequence[LayerRecord]]  # one sequence per epoch

SHADES = (0.5, 1.0, 0.0, 0.75, 0.25)  # darkness of the 1st, 2nd, … line: 0 is light, 1 is dark


def loss(records: Sequence[EpochRecord] | Training, ax: Any = None) -> Any:
    """Plot the losses by epoch, with a diamond at the lowest validation loss. Raises ValueError without records."""
    records = records.records if isinstance(records, Training) else records
    if not records:
        raise ValueError("there are no records to plot: train first")
    ax, epochs, lowest = _axes(ax), [r.epoch for r in records], min(r.loss for r in records)
    ax.plot(epochs, [r.loss for r in records], **style(0, marker="", linewidth=2.5), label="training")
    if validated := [r for r in records if isfinite(r.validation_loss)]:
        best = min(validated, key=lambda r: r.validation_loss)
        thin = style(1, linewidth=1.2, markevery=max(1, len(epochs) // 10))
        ax.plot(epochs, [r.validation_loss for r in records], **thin, label="validation")
        diamond = style(1, marker="D", linestyle="", markersize=8, markerfacecolor=LIGHT["ink"], clip_on=False)
        ax.plot(best.epoch, best.validation_loss, **diamond, label=f"best, epoch {best.epoch}")
    return finish(ax, "epoch", "mean loss", title="Loss", ylim=(min(0.0, 1.1 * lowest), None))


def boundary(model: Module, data: Dataset | Split, ax: Any = None) -> Any:
    """Plot the predicted class over the plane of two inputs, darker for larger margins, and the examples.

    For two classes, the first is green and the second purple. For more, each area is grey and contains the marker of
    its class. Raises ValueError unless there are two inputs, and for a regression.
    """
    task, parts = _task(CLASSIFICATION, model, data)
    points = [x for _, part in parts for x in part.X]
    if len(points[0]) != 2:
        raise ValueError(f"boundary needs 2 inputs, not {len(points[0])}: use nn.plots.confusion")
    ax = _axes(ax)
    import numpy as np

    xs, ys, plane = _plane(points, 81)
    leads = np.array([task.leads(units) for units in _outputs(model, plane)]).reshape(len(ys), len(xs), -1)
    names, winners = task.names(parts[0][1], leads.shape[2]), leads.argmax(2)
    most, few = min(leads.max(), 6.0) or 1.0, len(names) < 3  # for a logit of 6, σ is almost 1
    look = {"cmap": colormap(*(("minus", "paper", "plus") if few else ("paper", "edge"))), "vmin": -most * few}
    place = {"extent": (xs[0], xs[-1], ys[0], ys[-1]), "origin": "lower", "aspect": "auto", "zorder": 0.6}
    ax.imshow(leads[..., 1] if few else leads.max(2), vmax=most, alpha=0.6, interpolation="bilinear", **look, **place)
    for k, name in enumerate(names):
        if k and leads[..., k].min() < 0.0 < leads[..., k].max():
            ax.contour(xs, ys, leads[..., k], levels=[0.0], colors=LIGHT["ink"], linewidths=1.5)
        for role, part in parts:
            _scatter(ax, k, [x for x, y in zip(part.X, part.y) if task.label_of(y) == k], words(name), role)
        if not few and (cells := np.argwhere(winners == k)).size:
            i, j = cells[np.hypot(*(cells - cells.mean(0)).T).argmin()]  # the cell closest to the centre
            ax.plot(xs[j], ys[i], **style(k, color="none", markeredgecolor=LIGHT["quiet"], markersize=18, zorder=0.8))
    xlabel, ylabel = map(words, parts[0][1].features[:2] or ("x₁", "x₂"))
    return finish(ax, xlabel, ylabel, title="Decision boundary")


def fit(model: Module, data: Dataset | Split, ax: Any = None, target: str = "y") -> Any:
    """Plot a regression in the units of the target: a curve for one input, else predicted against true numbers.

    target   the name of the target on the axes

    Raises ValueError for a classification.
    """
    task, parts = _task(REGRESSION, model, data)
    ax, inputs = _axes(ax), [x[0] for _, part in parts for x in part.X]
    is_curve = len(parts[0][1].X[0]) == 1
    for k, name, role, x, true, predicted in _pairs(task, model, parts, target):
        _scatter(ax, k, list(zip(x, true) if is_curve else zip(true, predicted)), name, role)
    if not is_curve:
        ax.axline((true[0], true[0]), slope=1.0, color=LIGHT["edge"], label="predicted = true")
        return finish(ax, f"true {words(target)}", f"predicted {words(target)}", title="Predicted against true")
    xs = [min(inputs) + (max(inputs) - min(inputs)) * i / 200 for i in range(201)]
    for k, curve in enumerate(zip(*map(task.in_units, _outputs(model, [[x] for x in xs])))):
        ax.plot(xs, curve, **style(k, markevery=40, linewidth=2), label="predicted")
    return finish(ax, words([*parts[0][1].features, "x"][0]), words(target), title="Fit")


def residuals(model: Module, data: Dataset | Split, ax: Any = None, target: str = "y") -> Any:
    """Plot the residuals of a regression, true − predicted, against its predictions; see also ``fit``."""
    task, parts = _task(REGRESSION, model, data)
    ax = _axes(ax)
    for k, name, role, _, true, predicted in _pairs(task, model, parts, target):
        _scatter(ax, k, [(a, y - a) for y, a in zip(true, predicted)], name, role)
    ax.axhline(0.0, color=LIGHT["edge"])
    return finish(ax, f"predicted {words(target)}", "true − predicted", title="Residuals")


def confusion(model: Module, data: Dataset | Split, ax: Any = None) -> Any:
    """Plot ``nn.confusion_matrix``, using the test data of a Split. Raises ValueError for a regression."""
    task, parts = _task(CLASSIFICATION, model, data)
    role, part = parts[-1]
    ax, counts = _axes(ax), confusion_matrix(model, part)
    ax.imshow(counts, cmap=colormap("fill", "value"))
    largest = max(map(max, counts))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                ink = LIGHT["fill" if count > largest / 2 else "ink"]
                ax.text(j, i, str(count), ha="center", va="center", color=ink)
    names = [words(name) for name in task.names(part, len(counts))]
    ax.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 3 else 30)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="predicted", ylabel="true", title="Test examples" if role else "Confusion matrix")
    return ax


def equation(*terms: str | tuple[str, Any], marked: Mapping[str, Any] | None = None) -> Any:
    """Plot an equation of matrices as tables of numbers, with positive and negative numbers in two colours.

    terms    tables (name, array), where a vector is a column, and signs: ("W", W), ("a", a), "=", ("z", z)
    marked   entries to frame, by the name of their table: an index (row, column) of numbers or slices
    """
    import numpy as np

    tables: list[tuple[str, Any]] = [(term, None) if isinstance(term, str) else term for term in terms]
    tables = [(name, X if X is None else np.asarray(X, float).reshape(len(X), -1)) for name, X in tables]
    height = max(len(X) for _, X in tables if X is not None)
    ends = [*accumulate((0.5 if X is None else X.shape[1] + 0.4 for _, X in tables), initial=0.0)]
    ax = _axes(None, 0.72 * ends[-1], 0.42 * height + 0.5)
    from matplotlib.patches import Rectangle

    for (name, X), left, right in zip(tables, ends, ends[1:]):
        if X is None:
            ax.text((left + right) / 2, 0.0, name, ha="center", va="center", fontsize=14)
            continue
        left, top = left + 0.2, -len(X) / 2
        place = (left, left + X.shape[1], -top, top)
        largest = np.abs(X).max() or 1.0
        ax.imshow(X, cmap=colormap("minus", "paper", "plus"), vmin=-2.0 * largest, vmax=2.0 * largest, extent=place)
        for (j, k), x in np.ndenumerate(X):
            ax.text(left + k + 0.5, top + j + 0.5, f"{x:.4g}".replace("-", "−"), ha="center", va="center", fontsize=9)
        ax.text(left + X.shape[1] / 2, top - 0.2, name, ha="center", va="bottom", fontsize=12)
        if marked and name in marked:
            rows, columns = (np.arange(n)[which].reshape(-1) for n, which in zip(X.shape, marked[name]))
            corner = (left + columns[0], top + rows[0])
            frame = Rectangle(corner, len(columns), len(rows), fill=False, edgecolor=LIGHT["grad"], linewidth=2.5)
            ax.add_patch(frame).set_zorder(3)
    ax.set(xlim=(0.0, ends[-1]), ylim=(height / 2 + 0.1, -height / 2 - 0.8), aspect="auto")
    ax.axis("off")
    return ax


def deltas(layers: Diagnosis | Layers, ax: Any = None) -> Any:
    """Plot ‖δ‖ of each layer by epoch on a log scale, from a Diagnosis or its ``records``."""
    records = layers.records if isinstance(layers, Diagnosis) else layers
    if not records or isinstance(records, Training) or isinstance(records[0], EpochRecord):
        raise ValueError("deltas needs an nn.diagnostics.Diagnosis: call its measure() after each epoch")
    return _by_layer(ax, records, "‖δ‖ of an example", "Does δ reach every layer?", "δ", lambda layer: layer.delta)


def picture(
    path: Path, model: Module, data: Split, records: Sequence[EpochRecord], title: str, target: str = "y"
) -> None:
    """Write a PNG of the loss next to the boundary (for two inputs), the confusion matrix, or fit and residuals."""
    is_regression = task_of(model, data.training).kind == REGRESSION
    figure = new_figure(15 if is_regression else 11, 4.6)
    figure.suptitle(words(title, 100))
    axes = figure.subplots(1, 3 if is_regression else 2)
    loss(records, axes[0])
    if is_regression:
        for plot, ax in zip((fit, residuals), axes[1:]):
            plot(model, data, ax, target).locator_params(axis="x", nbins=5)  # keeps numbers such as 150000 apart
    else:
        (boundary if len(data.training.X[0]) == 2 else confusion)(model, data, axes[1])
    write_png(figure, path)


def layers_picture(path: Path, layers: Layers, title: str) -> None:
    """Write a PNG of ‖δ‖, the change of W and the fraction of dead or saturated units of each layer by epoch."""
    figure = new_figure(11, 4.2)
    figure.suptitle(words(title, 100))
    left, middle, right = figure.subplots(1, 3)
    deltas(layers, left)
    change, stuck = "How fast do the weights change?", "Units dead or saturated"
    _by_layer(middle, layers, "‖ΔW‖ / ‖W‖ in the epoch", change, "W", lambda layer: layer.change)
    fraction = {"yscale": "linear", "ylim": (-0.02, 1.02)}
    _by_layer(right, layers, "fraction", stuck, "a", lambda layer: max(layer.dead, layer.saturated), **fraction)
    write_png(figure, path)


# ---- general plots of numbers --------------------------------------------------------------------------------------


def panels(n: int) -> Any:
    """Return n Axes side by side, for the ``ax`` of other functions."""
    return _figure(min(10.0, 2.5 * n + 3.0), 3.4).subplots(1, n)


def lines(
    curves: Mapping[str, Any], xlabel: str, ylabel: str, ax: Any = None, *, token: str = "value",
    level: float | Mapping[str, float] | None = None, **settings: Any,
) -> Any:  # fmt: skip
    """Plot a line for each named curve, which is a list of numbers at 0, 1, 2, …, or a pair of lists (xs, ys).

    token      "value" for blue, "grad" for orange
    level      height of a thin horizontal line; {"name": y} adds it to the legend
    settings   settings of the Axes, such as ``yscale="log"`` or ``title="Loss"``
    """
    ax = _axes(ax, 6.4, 3.6)
    for k, (name, curve) in enumerate(curves.items()):
        xs, ys = curve if isinstance(curve, tuple) else (range(len(curve)), curve)
        ax.plot(xs, ys, **style(k, token, markevery=max(1, len(xs) // 10)), label=name)
    for name, y in (level if isinstance(level, Mapping) else {"": level}).items():
        if y is not None:
            ax.axhline(y, color=LIGHT["edge"], linewidth=0.8, zorder=0.9, label=name)
    return finish(ax, xlabel, ylabel, **settings)


def ground(
    decide: Module | Callable[[Sequence[float]], Any] | None, data: Dataset, ax: Any = None, title: str = ""
) -> Any:
    """Plot examples of the classes 0 and 1 over the areas in which an output is negative or positive.

    decide   a model with one output, or a function of one example that returns a number or a node of any engine;
             None to plot only the examples
    """
    import numpy as np

    ax = _axes(ax, 5.0, 3.6)
    is_first = ax is ax.figure.axes[0]  # panels share the legend of the first
    xs, ys, plane = _plane(data.X, 41)
    if decide is not None:
        outputs = _outputs(decide, plane) if isinstance(decide, Module) else map(decide, plane)
        z = [getattr(out, "data", out) for out in outputs]
        look = {"levels": [-inf, 0.0, inf], "colors": [LIGHT["minus"], LIGHT["plus"]], "alpha": 0.4}
        ax.contourf(xs, ys, np.clip(np.reshape(z, (len(ys), -1)), -1e9, 1e9), **look)
    for k in (0, 1):
        _scatter(ax, k, [x for x, y in zip(data.X, data.y) if y == k], f"class {k}" * is_first, "")
    return finish(ax, "x₁", "x₂", title=title)


def dots(
    groups: Mapping[Any, Sequence[float]], xlabel: str, ylabel: str, level: float | None = None, token: str = "grad"
) -> Any:
    """Plot the numbers of each group as dots in a row, with a larger dot for several equal numbers."""
    ax = _axes(None, 6.4, 3.2)
    for row, numbers in enumerate(groups.values()):
        for x in set(numbers):
            ax.scatter(x, row, s=60 * numbers.count(x), color=LIGHT[token])
    if level is not None:
        ax.axvline(level, color=LIGHT["edge"], linewidth=0.8, zorder=0.9)
    return finish(ax, xlabel, ylabel, yticks=range(len(groups)), yticklabels=groups, ylim=(-0.5, len(groups) - 0.5))


def boxes(rows: Mapping[str, Sequence[Sequence[Any]]], xlabel: str) -> Any:
    """Plot each row of groups as adjacent boxes that list their members, such as the batches of an epoch."""
    ax = _axes(None, 6.4, 2.2)
    for row, groups in enumerate(rows.values()):
        left = 0
        for group in groups:
            ax.barh(row, len(group), left=left, color=LIGHT["value_wash"], edgecolor=LIGHT["value"])
            ax.text(left + len(group) / 2, row, ", ".join(map(str, group)), ha="center", va="center")
            left += len(group)
    return finish(ax, xlabel, "", yticks=range(len(rows)), yticklabels=rows)


def histograms(samples: Mapping[str, Sequence[float]], xlabel: str, marks: Mapping[str, float] | None = None) -> Any:
    """Plot a histogram with 50 bins for each sample, and a vertical line for each mark."""
    ax, numbers = _axes(None, 6.4, 3.2), [x for sample in samples.values() for x in sample]
    bins = [min(numbers) + (max(numbers) - min(numbers)) * i / 50 for i in range(51)]
    for k, (name, sample) in enumerate(samples.items()):
        look = {"linewidth": len(samples) - 0.5 * k, "color": style(k)["color"]}
        ax.hist(sample, bins=bins, histtype="step", label=name, **look)
    for k, (name, x) in enumerate((marks or {}).items()):
        ax.axvline(x, color=style(k, "grad")["color"], label=name)
    return finish(ax, xlabel, "count")


def arrows(vectors: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> Any:
    """Plot each vector in the plane as an arrow from the origin with its name at the tip; the first one is thin."""
    ax, orange = _axes(None, 4.2, 4.2), LIGHT["grad"]
    for k, (name, (x, y)) in enumerate(vectors.items()):
        line = {"arrowstyle": "-|>", "color": orange, "linewidth": 2.5 if k else 1.0, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x, y), (0.0, 0.0), arrowprops=line)
        beside = {"xytext": (-6, 4), "ha": "right"} if x < y else {"xytext": (6, -2), "ha": "left"}
        ax.annotate(name, (x, y), textcoords="offset points", color=orange, **beside)
    reach = 1.1 * max(abs(x) for tip in vectors.values() for x in tip)
    return finish(ax, xlabel, ylabel, xlim=(-0.2 * reach, reach), ylim=(-0.05 * reach, reach), aspect="equal")


# ---- panels of data, images and tables -----------------------------------------------------------------------------


def clouds(groups: Mapping[str, Any], xlabel: str = "first", ylabel: str = "second", small: bool = False) -> Any:
    """Plot each group of points in the plane in a panel, with shared axes through 0; return the panels."""
    panels = _panels(len(groups), 2.6, sharex=True, sharey=True)
    for ax, (title, points) in zip(panels, groups.items()):
        for line in (ax.axhline, ax.axvline):
            line(0.0, color=LIGHT["edge"], linewidth=0.8)
        ax.plot(*zip(*points), **style(0, linestyle="none", markersize=2 if small else 6))
        ax.set(title=title, xlabel=xlabel, aspect="equal")
        ax.margins(0.1)
    panels[0].set_ylabel(ylabel)
    return panels


def valleys(datasets: Mapping[str, Any]) -> Any:
    """Plot contours of the mean loss ½ (w x)² over centred X, for a linear unit with two weights; return the panels.

    Each data set X has a panel. The dots are the steps of gradient descent with the learning rate that reaches the
    minimum along the steepest direction in one step.
    """
    import numpy as np

    panels = _panels(len(datasets), 3.4)
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    for ax, (title, X) in zip(panels, datasets.items()):
        C = np.cov(np.array(X).T, bias=True)
        curvatures, directions = np.linalg.eigh(C)
        for size in np.linspace(0.2, 1.0, 5):
            radii = 1.9 * size * (curvatures[0] / curvatures) ** 0.5
            ellipse = directions @ (radii[:, None] * [np.cos(angle), np.sin(angle)])
            ax.plot(*ellipse, color=LIGHT["value"], linewidth=1)
        w = [np.array([-1.5, 1.0])]
        for _ in range(20):
            w.append(w[-1] - C @ w[-1] / curvatures[1])
        ax.plot(*zip(*w), "o-", color=LIGHT["grad"], markersize=4, linewidth=1)
        ax.plot(0.0, 0.0, "*", color=LIGHT["ink"], markersize=10)
        ax.set(title=title, xlabel="w₁ − optimum", aspect="equal", xlim=(-2.0, 2.0), ylim=(-2.0, 2.0))
    panels[0].set_ylabel("w₂ − optimum")
    return panels


def images(rows_of_pixels: Sequence[Sequence[float]], titles: Sequence[object], columns: int = 8) -> None:
    """Plot square images, each a flat list of pixels, dark on white and with a title."""
    side, rows = round(len(rows_of_pixels[0]) ** 0.5), -(-len(titles) // columns)
    figure = _figure(10.0, rows * (5.0 / columns + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for ax, pixels, title in zip(panels, rows_of_pixels, titles):
        ax.imshow([pixels[i : i + side] for i in range(0, side * side, side)], cmap="gray_r")
        ax.set_title(title, fontsize=9)
    for ax in figure.axes:
        ax.axis("off")


def squares(
    tables: Mapping[str, Sequence[Sequence[float]]], labels: Sequence[str], xlabel: str = "", ylabel: str = ""
) -> Any:
    """Plot each square table of non-negative numbers in a panel, with darker squares for larger numbers."""
    panels = _panels(len(tables), 10.0 / len(tables) if len(tables) > 1 else 5.2)
    for ax, (title, table) in zip(panels, tables.items()):
        full = [[*row, *[0.0] * (len(labels) - len(row))] for row in table]
        ax.imshow(full, cmap=colormap("paper", "value"))
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
        for set_ticks in (ax.set_xticks, ax.set_yticks):
            set_ticks(range(len(labels)), [*labels])
    return panels


def bars(counts: Mapping[str, float], xlabel: str, written: str = "{:,}", **settings: Any) -> Any:
    """Plot a horizontal bar for each number, labelled in the format ``written``."""
    ax = _axes(None, 6.4, 0.8 + 0.25 * len(counts))
    drawn = ax.barh(list(counts), list(counts.values()), color=LIGHT["value"])
    ax.bar_label(drawn, [written.format(count) for count in counts.values()], padding=3)
    ax.invert_yaxis()
    return finish(ax, xlabel, "", **settings)


def _panels(count: int, size: float, **shared: Any) -> Any:
    return _figure(size * count, size + 0.3).subplots(1, count, squeeze=False, **shared)[0]


def _figure(width: float, height: float) -> Any:
    new_figure(1, 1)  # raises ImportError without matplotlib
    from matplotlib import pyplot

    return pyplot.figure(figsize=(width, height), layout="constrained")


def new_figure(width: float, height: float, dpi: int = 120) -> Any:
    """Return a figure of this size in inches. Raises ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'chainrule[plot]'") from None
    return Figure(figsize=(width, height), layout="constrained", dpi=dpi)


def write_png(figure: Any, path: Path) -> None:
    """Write the figure to a PNG file atomically."""
    image = BytesIO()
    figure.savefig(image, format="png")
    write_whole(path, image.getvalue())


def words(name: str, most: int = 24) -> str:
    r"""Shorten a name to one line, and escape characters that matplotlib would interpret as a formula.

    >>> words("$x$"), words("_x")
    ('\\$x\\$', ' _x')
    """
    plain = clipped(text_name(name), most).replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain  # legends omit labels that begin with _


def shade(token: str, darkness: float) -> str:
    """Return a colour from autograd.colours in hexadecimal, lighter for a darkness below ½ and darker above."""
    other, by = ("paper", 0.3) if darkness < 0.5 else ("ink", 0.75)
    pairs = ([int(LIGHT[name][i : i + 2], 16) for i in (1, 3, 5)] for name in (token, other))
    return "#" + "".join(f"{round(x + (y - x) * by * abs(2.0 * darkness - 1.0)):02X}" for x, y in zip(*pairs))


def colormap(*tokens: str) -> Any:
    """Return a matplotlib colormap that interpolates colours from autograd.colours, such as minus, paper and plus."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("", [LIGHT[token] for token in tokens])


def style(k: int, token: str = "value", **more: Any) -> dict[str, Any]:
    """Return the style of the k-th line: a shade of the colour and a hollow marker."""
    look = {"color": shade(token, SHADES[k % len(SHADES)]), "marker": MARKERS[k % len(MARKERS)], "markersize": 5}
    return {**look, "markerfacecolor": LIGHT["fill"], **more}


def finish(axes: Any, xlabel: str, ylabel: str, **settings: Any) -> Any:
    """Set labels, a grid, a legend and other settings of the Axes; return the Axes."""
    axes.set(xlabel=xlabel, ylabel=ylabel, **settings)
    axes.grid(color=LIGHT["hair"])
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if xlabel == "epoch":
        axes.locator_params(axis="x", integer=True)
    if any(axes.get_legend_handles_labels()[1]):
        axes.legend(fontsize="small", framealpha=0.9)
    return axes


def _axes(ax: Any, width: float = 6.4, height: float = 4.8) -> Any:
    return _figure(width, height).subplots() if ax is None else ax


def _task(kind: str, model: Module, data: Any) -> tuple[Task, list[tuple[str, Dataset]]]:
    """Return the task, which must be of this kind, and the parts of the data with their roles."""
    if not isinstance(data, (Dataset, Split)):
        raise TypeError(f"a plot needs an nn.Dataset or an nn.data.Split, not {type(data).__name__}")
    parts = [("training", data.training), ("test", data.test)] if isinstance(data, Split) else [("", data)]
    return task_for(kind, model, parts[0][1]), parts


def _pairs(task: Task, model: Module, parts: Sequence[tuple[str, Dataset]], target: str) -> Iterator[Any]:
    """Yield (k, name, role, first inputs, true numbers, predicted numbers) for each part and output unit k."""
    for role, part in parts:
        true, predicted = (zip(*map(task.in_units, rows)) for rows in (part.y, _outputs(model, part.X)))
        for k, (y, a) in enumerate(zip(true, predicted)):
            yield k, words(f"{target} {k + 1}" if k else target), role, [x[0] for x in part.X], y, a


def _plane(points: Sequence[Sequence[float]], n: int) -> tuple[Any, Any, list[list[float]]]:
    """Return the n xs and n ys of a grid slightly larger than the range of the points, and its points by row."""
    import numpy as np

    xs, ys = (np.linspace(min(column) - 0.3, max(column) + 0.3, n) for column in zip(*points))
    return xs, ys, [[float(x), float(y)] for y in ys for x in xs]


def _outputs(model: Module, X: Sequence[Sequence[float]]) -> Any:
    return outputs_at(model, X).T.tolist()


def _scatter(ax: Any, k: int, points: Sequence[Sequence[float]], name: str, role: str) -> None:
    inside, outline = ("ink", "paper") if role == "test" else ("fill", "ink")
    look = {"facecolor": LIGHT[inside], "edgecolor": LIGHT[outline], "linewidth": 1.0, "s": 36}
    xs, ys = ([x[i] for x in points] for i in (0, 1))
    ax.scatter(xs, ys, marker=style(k)["marker"], label=f"{name}, {role}" if role else name, **look)


def _by_layer(
    ax: Any, layers: Layers, ylabel: str, title: str, letter: str, of: Callable[[LayerRecord], float], **settings: Any
) -> Any:
    """Plot a line for each layer, darker for later ones and labelled at its end, on a log scale if possible."""
    ax, columns = _axes(ax), [[of(layer) for layer in column] for column in zip(*layers)]
    token, last = "grad" if letter == "δ" else "value", len(columns) - 1
    for k, column in enumerate(columns):
        look = style(k, color=shade(token, k / max(last, 1)), markevery=max(1, len(layers) // 6))
        ax.plot(range(1, len(layers) + 1), column, **look)
    scale = "log" if any(y > 0.0 for column in columns for y in column) else "linear"
    finish(ax, "epoch", ylabel, title=title, **{"yscale": scale, **settings})
    ends = ax.transAxes.inverted().transform(ax.transData.transform([[0.0, column[-1]] for column in columns]))
    place, look = -1.0, {"transform": ax.transAxes, "va": "center", "fontsize": "small", "color": LIGHT[token]}
    for more, (end, k) in enumerate(sorted((end, k) for k, (_, end) in enumerate(ends))):
        place = min(max(0.0, end, place + 0.06), 1.0 - 0.06 * (last - more))
        ax.text(1.02, place, index_name(letter, k + 1), **look)
    return ax
