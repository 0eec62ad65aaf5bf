"""Pictures of a training run: what it learned, and how it came there."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from nn.checkpoint import write_whole
from nn.data import Dataset, Split
from nn.module import Module
from nn.training import EpochRecord, outputs_of, predict

# Okabe & Ito's colours, told apart by the colour-blind, each with a marker of its own
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
MARKERS = (("o", BLUE), ("^", ORANGE), ("s", GREEN))


def picture(
    path: Path, model: Module, data: Split, records: Sequence[EpochRecord], best: EpochRecord | None, title: str
) -> None:
    """Write a PNG: the loss by epoch; beside it the decision boundary (two inputs) or the confusion matrix.

    Raises ImportError, which says what to install, without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'chainrule[plot]'") from None
    figure = Figure(figsize=(11, 4.6), layout="constrained", dpi=120)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_losses(left, records, best)
    if len(data.training.X[0]) == 2:
        _draw_boundary(right, model, data)
    else:
        _draw_confusion(right, model, data.test)
    image = BytesIO()
    figure.savefig(image, format="png")
    write_whole(path, image.getvalue())


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
    (low1, high1), (low2, high2) = [
        (min(x[i] for x in points) - 0.3, max(x[i] for x in points) + 0.3) for i in (0, 1)
    ]
    xs = [low1 + (high1 - low1) * i / steps for i in range(steps + 1)]
    ys = [low2 + (high2 - low2) * i / steps for i in range(steps + 1)]
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
                edgecolor=colour, linewidth=1.2, label=f"{name}, {role}",
            )  # fmt: skip
    axes.set(xlabel=data.training.features[0], ylabel=data.training.features[1], title="Decision boundary")
    axes.legend(fontsize="small", loc="upper right", framealpha=0.9)


def _height(output: Any) -> float:
    """The logit of one unit; of two, by how much the second leads the first."""
    return float(output[1].data - output[0].data if isinstance(output, list) else output.data)


def _draw_confusion(axes: Any, model: Module, test: Dataset) -> None:
    n = len(test.classes)
    counts = [[0] * n for _ in range(n)]
    for output, y in zip(outputs_of(model, test.X), test.y):
        counts[y][predict(output)] += 1
    axes.imshow(counts, cmap="Blues")
    largest = max(map(max, counts))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                axes.text(
                    j, i, str(count), ha="center", va="center", color="white" if count > largest / 2 else "black"
                )
    axes.set(xticks=range(n), yticks=range(n), xlabel="predicted", ylabel="true", title="Test examples")
    axes.set_xticklabels(test.classes, rotation=0 if max(map(len, test.classes)) < 3 else 30)
    axes.set_yticklabels(test.classes)
