"""What is seen of a training while it runs: a bar, on a terminal or in a notebook, and a line for each epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn.training import EpochRecord

FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
BESIDE = 37  # columns of the format without its texts, 8 of them for the bar itself


class Cell:
    """The file that a bar is written to in a notebook: its last line is shown below the code, without a widget."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.handle: Any = None
        self.due = 0.0

    def write(self, text: str) -> None:
        """Show the line, at most ten times a second; an empty one clears it. What moves the cursor is left out."""
        line = text.strip()
        if text.startswith("\r") and (monotonic() >= self.due if line else self.handle):
            from IPython.display import display

            show = self.handle.update if self.handle else partial(display, display_id=True)
            self.handle = show({"text/plain": line}, raw=True) or self.handle
            self.due = monotonic() + 0.1

    def flush(self) -> None:
        """Nothing is held back."""


def progress_bar(iterable: Iterable[Any] | None = None, shown: bool = True, **options: Any) -> Any:
    """tqdm's bar on stderr, where that is a terminal, or in a notebook; elsewhere it shows nothing."""
    from tqdm import tqdm

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = getattr(shell, "kernel", None) is not None
    place = {"file": Cell(), "ncols": 100} if in_notebook else {"dynamic_ncols": True, "disable": None}
    options = {"leave": False, "bar_format": FORMAT, **place, **({} if shown else {"disable": True}), **options}
    bar = tqdm(iterable, **options)
    if in_notebook:
        bar.clear = lambda *_: None  # what is printed does not run into it
    return bar


def describe(bar: Any, epoch: int, of: int, records: list[EpochRecord]) -> None:
    """Show on the bar which epoch runs and what the last one measured, as far as there is room."""
    parts = []
    if bar.disable:
        return
    for record in records[-1:]:
        metrics = [m.removeprefix("accuracy ") if _is_validated(record) else m for m in measured(record)[:1]]
        parts = [f"loss {short(record.loss)}", *("validation " * _is_validated(record) + m.strip() for m in metrics)]
    bar.set_description_str(f"epoch {epoch}/{of}", refresh=False)
    while parts and len(bar.desc + ", ".join(parts)) + BESIDE > (bar.format_dict["ncols"] or 80):
        parts.pop()
    bar.set_postfix_str(", ".join(parts))


def epoch_line(record: EpochRecord, epochs: int, width: int) -> str:
    """One epoch in a line of at most ``width`` columns, 60 or more; the metrics are those of the validation data."""
    loss, validated = f"loss {short(record.loss)}", f"validation loss {short(record.validation_loss)}"
    epoch = f"epoch {record.epoch:{len(str(epochs))}}"
    parts = [epoch, loss, *[validated] * _is_validated(record), *measured(record)]
    line = "   ".join(parts)
    if len(line) > width:
        line = "  ".join(parts).replace("validation loss", "validation")
    return line if len(line) <= width else line.replace(f"  {loss}", "")


def measured(record: EpochRecord) -> list[str]:
    """The metrics of its task in words, on validation data where there are some: accuracy, or RMSE and R²."""
    where = "validation_" * _is_validated(record)
    accuracy, rmse, r2 = (getattr(record, where + name) for name in ("accuracy", "rmse", "r2"))
    numbers = [f"RMSE {rmse:#.4g}", f"R² {r2:6.3f}"] if rmse == rmse else []
    return [f"accuracy {accuracy:6.1%}"] if accuracy == accuracy else numbers


def short(loss: float) -> str:
    """A loss in 6 to 8 columns.

    >>> short(0.25), short(123456.7)
    ('0.2500', '1.23e+05')
    """
    return f"{loss:.4f}" if loss < 1e4 else f"{loss:.3g}"


def _is_validated(record: EpochRecord) -> bool:
    return record.validation_loss == record.validation_loss  # NaN is not
