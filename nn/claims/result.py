"""What an experiment hands back: numbers, a verdict that the numbers decide, and a picture of them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from autograd.files import write_whole

# Okabe & Ito's colours, each with a marker and a line style of its own: told apart without colour too
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "^", "linestyle": "--"},
    {"color": "#009E73", "marker": "s", "linestyle": "-."},
    {"color": "#CC79A7", "marker": "D", "linestyle": ":"},
    {"color": "#E69F00", "marker": "v", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
)


class Check(NamedTuple):
    """One thing that the claim says: what was found, in words with its number, and whether that is what was said."""

    found: str
    holds: bool


class Result(ABC):
    """The numbers of one experiment; each subclass is a dataclass of them.

    statement   the claim in words
    row         its row of the lecture: C for training, D for dropout, preprocessing and batch normalisation
    """

    statement: ClassVar[str]
    row: ClassVar[str]

    @abstractmethod
    def measured(self) -> str:
        """What was measured, on what."""

    @abstractmethod
    def checks(self) -> list[Check]:
        """The claim taken apart, each part judged by the numbers."""

    @abstractmethod
    def draw(self, axes: Any) -> None:
        """Draw the numbers on matplotlib's axes."""

    @property
    def word(self) -> str:
        """``borne out``, ``partly borne out`` or ``not borne out``."""
        right, all_of_them = sum(check.holds for check in self.checks()), len(self.checks())
        return "borne out" if right == all_of_them else "partly borne out" if right else "not borne out"

    @property
    def verdict(self) -> str:
        """The word with its numbers; what does not hold comes first."""
        checks = self.checks()
        holds = "; ".join(check.found for check in checks if check.holds)
        fails = "; ".join(check.found for check in checks if not check.holds)
        return f"{self.word}: " + ". As said: ".join(filter(None, [fails and f"not as said: {fails}", holds]))

    def plot(self, where: str | os.PathLike[str] | Any) -> None:
        """Write a PNG to a path, or draw on matplotlib's axes. ImportError says what to install without it."""
        if not isinstance(where, (str, os.PathLike)):
            self.draw(where)
            return
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError("pictures need matplotlib: pip install 'chainrule[plot]'") from None
        figure = Figure(figsize=(7.6, 4.8), layout="constrained", dpi=110)
        axes = figure.subplots()
        self.draw(axes)
        axes.set_title(f"{self.row}  {self.statement}\n{self.word}", fontsize="medium", wrap=True)
        image = BytesIO()
        figure.savefig(image, format="png")
        write_whole(Path(where), image.getvalue())


def style(k: int, **more: Any) -> dict[str, Any]:
    """How the k-th line is drawn."""
    return {**STYLES[k % len(STYLES)], "markersize": 4, **more}


def finish(axes: Any, xlabel: str, ylabel: str, legend: bool = True) -> None:
    """Labels, a grid and a legend."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(fontsize="small", framealpha=0.9)


def bars(
    axes: Any, groups: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], numbers: bool = True
) -> None:
    """Bars side by side, hatched so that they are told apart without colour, with their numbers above if asked."""
    width = 0.8 / len(series)
    for k, (label, heights) in enumerate(series):
        places = [g + (k - (len(series) - 1) / 2) * width for g in range(len(groups))]
        drawn = axes.bar(
            places, heights, width * 0.92, label=label, color=STYLES[k]["color"], hatch=("", "//", "..", "xx")[k],
            edgecolor="white",
        )  # fmt: skip
        if numbers:
            axes.bar_label(drawn, fmt="{:.2g}", fontsize="x-small")
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.15)
