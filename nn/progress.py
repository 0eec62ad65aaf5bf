"""What is seen of a training while it runs: a bar, on a terminal or in a notebook, and a line for each epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from math import isnan
from typing import TYPE_CHECKING, Any

from nn.evaluation import Metrics

if TYPE_CHECKING:
    from nn.training import EpochRecord

FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
BESIDE = 29  # columns of the format without its texts, 8 of them for the bar itself


def progress_bar(iterable: Iterable[Any] | None = None, shown: bool = True, **options: Any) -> Any:
    """tqdm's bar on stderr, where that is a terminal, or in the output of a notebook; elsewhere it shows nothing."""
    from tqdm import tqdm

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = getattr(shell, "kernel", None) is not None
    place = {"file": sys.stdout, "ncols": 100} if in_notebook else {"dynamic_ncols": True, "disable": None}
    options = {"leave": False, "bar_format": FORMAT, **place, **({} if shown else {"disable": True}), **options}
    return tqdm(iterable, **options)


def describe(bar: Any, epoch: int, of: int, records: list[EpochRecord]) -> None:
    """Show on the bar which epoch runs and what the last one measured, as far as there is room."""
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
    return {
        name: f"{x:.4f}" if x < 1e4 else f"{x:.3g}" for name, x in losses.items() if not isnan(x)
    }, metrics.texts()
