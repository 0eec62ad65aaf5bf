"""The record of one epoch, and how it is shown: as a line of text and on a progress bar."""

from __future__ import annotations

from math import isnan, nan
from typing import Any, NamedTuple

from nn.evaluation import Metrics

BESIDE = 29  # columns of a bar without its texts, 8 of them for the bar itself


class EpochRecord(NamedTuple):
    """One epoch in numbers.

    loss, accuracy, rmse, r2    over the training examples, each measured before its batch's update; without penalties
    validation_…                after the epoch; NaN without validation data
    gradient_evaluations        examples differentiated since the start
    updates                     optimiser steps since the start
    gradient_norm               of the mean of the batches' gradients, each taken before its update, with penalties
                                and before clipping; with a single batch, of the gradient of the training loss
    learning_rate               of the last step

    Metrics that do not fit the task are NaN: accuracy is for labels, rmse and r2 are for numbers.
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


def describe(bar: Any, epoch: int, of: int, records: list[EpochRecord]) -> None:
    """Show on a progress bar which epoch runs and what the last one measured, as far as there is room."""
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
    """One epoch in a line of at most ``width`` columns, 60 or more; the metrics are those of the validation data."""
    losses, metrics = _measured(record)
    numbers = [f"{name} {text:>6}" for name, text in {**losses, **metrics}.items()]
    parts = [f"epoch {record.epoch:{len(str(epochs))}}", *numbers]
    line = "   ".join(parts)
    if len(line) > width:
        line = "  ".join(parts).replace("validation loss", "validation")
    return line if len(line) <= width else line.replace(f"  {parts[1]}", "")


def _measured(record: EpochRecord) -> tuple[dict[str, str], dict[str, str]]:
    """Losses and metrics by name; the metrics are of the validation data where there are some."""
    losses = {"loss": record.loss, "validation loss": record.validation_loss}
    where = "" if isnan(record.validation_loss) else "validation_"
    metrics = Metrics(*(getattr(record, where + name) for name in Metrics._fields))
    texts = {name: f"{x:.4f}" if x < 1e4 else f"{x:.3g}" for name, x in losses.items() if not isnan(x)}
    return texts, metrics.texts()
