"""The measurements of an epoch, and how they are shown in a line of text and on a progress bar."""

import sys
from collections.abc import Iterable
from math import isnan, nan
from typing import Any, NamedTuple

FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
BESIDE = 29  # columns of the progress bar without its texts, including 8 for the bar


class Metrics(NamedTuple):
    """Metrics of predictions; those that do not apply are NaN. For several units, rmse and r2 are means."""

    accuracy: float = nan  # fraction of examples whose class is predicted correctly
    rmse: float = nan  # √(1/n Σ (y − a)²), in the units of the target
    r2: float = nan  # 1 − Σ (y − a)² / Σ (y − ȳ)²: 1 is perfect, 0 is as good as always predicting the mean ȳ

    def texts(self) -> dict[str, str]:
        """Return the metrics that apply, formatted, by name.

        >>> Metrics(accuracy=0.975).texts(), Metrics(rmse=15432.1, r2=0.5).texts()
        ({'accuracy': '97.5%'}, {'RMSE': '15432', 'R²': '0.500'})
        """
        if not isnan(self.accuracy):
            return {"accuracy": f"{self.accuracy:.1%}"}
        texts = {"RMSE": to_digits(self.rmse, 4), "R²": f"{self.r2:.3f}"}
        return {name: text for name, text in texts.items() if text != "nan"}


def to_digits(value: float, digits: int = 6) -> str:
    """Format a number with this many significant digits, without an exponent below a billion."""
    return f"{value:.0f}" if 10.0**digits <= abs(value) < 1e9 else f"{value:.{digits}g}"


class EpochRecord(NamedTuple):
    """The measurements of one epoch.

    loss, accuracy, rmse, r2    over the training data, measured for each batch before its update, without penalties
    validation_…                over the validation data, measured after the epoch; NaN without such data
    gradient_evaluations        number of examples differentiated since the start
    updates                     number of optimiser steps since the start
    gradient_norm               norm of the mean of the batches' gradients, with penalties and before clipping; for a
                                single batch, the gradient norm of the training loss before the update
    learning_rate               learning rate of the last step

    Metrics that do not fit the task are NaN: accuracy applies to labels, rmse and r2 to numbers.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    gradient_evaluations: int
    updates: int
    gradient_norm: float
    learning_rate: float
    rmse: float = nan
    r2: float = nan
    validation_rmse: float = nan
    validation_r2: float = nan


def progress_bar(iterable: Iterable[Any] | None = None, shown: bool = True, **options: Any) -> Any:
    """Return a tqdm bar, which is shown on stderr if that is a terminal, or in the output of a notebook cell."""
    from tqdm import tqdm

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = getattr(shell, "kernel", None) is not None
    place = {"file": sys.stdout, "ncols": 100} if in_notebook else {"dynamic_ncols": True, "disable": None}
    options = {"leave": False, "bar_format": FORMAT, **place, **({} if shown else {"disable": True}), **options}
    return tqdm(iterable, **options)


def describe(bar: Any, epoch: int, of: int, records: list[EpochRecord]) -> None:
    """Show the current epoch on a progress bar, and the metrics of the last one if they fit."""
    if bar.disable:
        return
    bar.set_description_str(f"epoch {epoch}/{of}", refresh=False)
    parts = []
    for record in records[-1:]:
        losses, metrics = _measured(record)
        where = "validation " * (len(losses) > 1)
        parts = [f"loss {losses['loss']}", *(f"{where}{name} {text}" for name, text in [*metrics.items()][:1])]
    while parts and len(bar.desc + ", ".join(parts)) + BESIDE > (bar.format_dict["ncols"] or 80):
        parts.pop()
    bar.set_postfix_str(", ".join(parts))


def epoch_line(record: EpochRecord, epochs: int, width: int) -> str:
    """Format an epoch in at most ``width`` ≥ 60 columns, with the metrics of ``_measured``."""
    losses, metrics = _measured(record)
    numbers = [f"{name} {text:>6}" for name, text in {**losses, **metrics}.items()]
    parts = [f"epoch {record.epoch:{len(str(epochs))}}", *numbers]
    line = "   ".join(parts)
    if len(line) > width:
        line = "  ".join(parts).replace("validation loss", "validation")
    return line if len(line) <= width else line.replace(f"  {parts[1]}", "")


def _measured(record: EpochRecord) -> tuple[dict[str, str], dict[str, str]]:
    """Return losses and metrics by name; the metrics are those on the validation data if there are any."""
    losses = {"loss": record.loss, "validation loss": record.validation_loss}
    where = "" if isnan(record.validation_loss) else "validation_"
    metrics = Metrics(*(getattr(record, where + name) for name in Metrics._fields))
    texts = {name: f"{x:.4f}" if x < 1e4 else f"{x:.3g}" for name, x in losses.items() if not isnan(x)}
    return texts, metrics.texts()
