"""Pictures of a training run: what it learned, and how it came there."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from autograd.errors import clipped, text_name
from autograd.files import write_whole
from nn.data import Dataset, Split
from nn.diagnostics import LayerRecord
from nn.evaluation import confusion_matrix, outputs_of
from nn.module import Module
from nn.training import EpochRecord

# Okabe & Ito's colours, told apart by the colour-blind, each with a marker of its own
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
MARKERS = (("o", BLUE), ("^", ORANGE), ("s", GREEN))
# one for each layer, in turn: Okabe & Ito's colours once more, with line styles
LINES = tuple(
    zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"), ("-", "--", "-.", ":", "-", "--"))
)


def picture(
    path: Path, model: Module, data: Split, records: Sequence[EpochRecord], best: EpochRecord | None, title: str
) -> None:
    """Write a PNG: the loss by epoch; beside it the decision boundary (two inputs) or the confusion matrix.

    Raises ImportError, which says what to install, without matplotlib.
    """
    figure = new_figure(11, 4.6)
    figure.suptitle(words(title, 100))
    left, right = figure.subplots(1, 2)
    _draw_losses(left, records, best)
    if len(data.training.X[0]) == 2:
        _draw_boundary(right, model, data)
    else:
        _draw_confusion(right, model, data.test)
    write_png(figure, path)


def layers_picture(path: Path, layers: Sequence[Sequence[LayerRecord]], title: str) -> None:
    """Write a PNG of the layers by epoch: the size of δ, how much W changed, the share of units that are stuck.

    Raises ImportError, which says what to install, without matplotlib.
    """
    figure = new_figure(11, 4.2)
    figure.suptitle(words(title, 100))
    sizes, changes, stuck = figure.subplots(1, 3)
    epochs = range(1, len(layers) + 1)
    for k in range(len(layers[0])):
        colour, style = LINES[k % len(LINES)]
        options: dict[str, Any] = {"color": colour, "linestyle": style, "label": f"layer {k + 1}"}
        options |= {"marker": "o", "markersize": 3} if len(layers) == 1 else {}
        column = [epoch[k] for epoch in layers]
        sizes.plot(epochs, [layer.delta for layer in column], **options)
        changes.plot(epochs, [layer.change for layer in column], **options)
        stuck.plot(epochs, [max(layer.dead, layer.saturated) for layer in column], **options)
    for axes in (sizes, changes):
        if any(y > 0.0 for line in axes.lines for y in line.get_ydata()):
            axes.set_yscale("log")
    sizes.set(xlabel="epoch", ylabel="‖δ‖ of an example", title="Does δ reach every layer?")
    changes.set(xlabel="epoch", ylabel="‖ΔW‖ / ‖W‖ in the epoch", title="How fast do the weights change?")
    stuck.set(xlabel="epoch", ylabel="share", title="Units dead or saturated", ylim=(-0.02, 1.02))
    for axes in (sizes, changes, stuck):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    write_png(figure, path)


def new_figure(width: float, height: float, dpi: int = 120) -> Any:
    """A figure of these inches. ImportError says what to install without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'chainrule[plot]'") from None
    return Figure(figsize=(width, height), layout="constrained", dpi=dpi)


def write_png(figure: Any, path: Path) -> None:
    """Write the figure to a file, whole or not at all."""
    image = BytesIO()
    figure.savefig(image, format="png")
    write_whole(path, image.getvalue())


def words(name: str, most: int = 24) -> str:
    r"""A name for matplotlib: on one line, short, and no formula between its dollars.

    >>> words("$x$"), words("_x")
    ('\\$x\\$', ' _x')
    """
    plain = clipped(text_name(name), most).replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain  # a legend leaves out what begins with _


def _draw_losses(axes: Any, records: Sequence[EpochRecord], best: EpochRecord | None) -> None:
    epochs = [r.epoch for r in records]
    axes.plot(epochs, [r.loss for r in records], color=BLUE, label="training")
    axes.plot(epochs, [r.validation_loss for r in records], color=ORANGE, linestyle="--", label="validation")
    if best:
        axes.plot([best.epoch], [best.validation_loss], "D", color=ORANGE, label=f"best, epoch {best.epoch}")
    axes.set(xlabel="epoch", ylabel="mean loss", title="Loss", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_boundary(axes: Any, model: Module, data: Split, steps: int = 80) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    points = [x for part in data for x in part.X]
    sides = [(min(column) - 0.3, max(column) + 0.3) for column in zip(*points)]
    xs, ys = ([low + (high - low) * i / steps for i in range(steps + 1)] for low, high in sides)
    heights = [[_height(output) for output in outputs_of(model, [[x, y] for x in xs])] for y in ys]
    most = max(abs(h) for row in heights for h in row) or 1.0
    colours = LinearSegmentedColormap.from_list("classes", ["#9CC9E8", "#FFFFFF", "#F3BC94"])
    axes.pcolormesh(xs, ys, heights, cmap=colours, vmin=-min(most, 6.0), vmax=min(most, 6.0), shading="nearest")
    axes.contour(xs, ys, heights, levels=[0.0], colors="black", linewidths=1.5)
    for label, name in enumerate(data.training.classes):
        marker, colour = MARKERS[label % len(MARKERS)]
        for part, face, size, role in ((data.training, colour, 18, "training"), (data.test, "white", 30, "test")):
            chosen = [x for x, y in zip(part.X, part.y) if y == label]
            axes.scatter(
                [x[0] for x in chosen], [x[1] for x in chosen], s=size, marker=marker, facecolor=face,
                edgecolor=colour, linewidth=1.2, label=f"{words(name)}, {role}",
            )  # fmt: skip
    xlabel, ylabel = map(words, data.training.features[:2])
    axes.set(xlabel=xlabel, ylabel=ylabel, title="Decision boundary")
    axes.legend(fontsize="small", loc="upper right", framealpha=0.9)


def _height(output: Any) -> float:
    """The logit of one unit; of two, by how much the second leads the first."""
    return float(output[1].data - output[0].data if isinstance(output, list) else output.data)


def _draw_confusion(axes: Any, model: Module, test: Dataset) -> None:
    counts = confusion_matrix(model, test)
    n = len(counts)
    axes.imshow(counts, cmap="Blues")
    largest = max(map(max, counts))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                colour = "white" if count > largest / 2 else "black"
                axes.text(j, i, str(count), ha="center", va="center", color=colour)
    axes.set(xticks=range(n), yticks=range(n), xlabel="predicted", ylabel="true", title="Test examples")
    names = [words(name) for name in test.classes]
    axes.set_xticklabels(names, rotation=0 if max(map(len, names)) < 3 else 30)
    axes.set_yticklabels(names)
