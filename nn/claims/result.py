"""What an experiment returns: its numbers, a verdict that the numbers decide, and a picture of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec

from nn.plots import finish, new_figure, style, write_png

P = ParamSpec("P")
Draw = Callable[[Any], None]  # on matplotlib's axes
Judgement = tuple[str, dict[str, bool], Draw]  # what was measured; each part of the claim in words, and if it holds


@dataclass(frozen=True)
class Result:
    """What one experiment found.

    row         of the lecture: C for training, D for dropout, preprocessing and batch normalisation
    statement   the claim in words
    measured    what was measured, on what
    checks      the parts of the claim: what was found, in words with its number, and whether it is as said
    draw        draws the numbers on matplotlib's axes
    numbers     by name; each can be read as an attribute too: ``result.losses``
    """

    row: str
    statement: str
    measured: str
    checks: dict[str, bool]
    draw: Draw = field(compare=False, repr=False)
    numbers: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self)["numbers"][name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r}") from None

    @property
    def word(self) -> str:
        """``borne out``, ``partly borne out`` or ``not borne out``."""
        holds = self.checks.values()
        return "borne out" if all(holds) else "partly borne out" if any(holds) else "not borne out"

    @property
    def verdict(self) -> str:
        """The word with its numbers; what does not hold comes first."""
        holds, fails = (
            "; ".join(found for found, is_so in self.checks.items() if is_so == said) for said in (True, False)
        )
        return f"{self.word}: " + ". As said: ".join(filter(None, [fails and f"not as said: {fails}", holds]))

    def plot(self, where: str | os.PathLike[str] | Any) -> None:
        """Write a PNG to a path, or draw on matplotlib's axes. ImportError says what to install without it."""
        if not isinstance(where, (str, os.PathLike)):
            self.draw(where)
            return
        figure = new_figure(7.6, 4.8, dpi=110)
        axes = figure.subplots()
        self.draw(axes)
        axes.set_title(f"{self.row}  {self.statement}\n{self.word}", fontsize="medium", wrap=True)
        write_png(figure, Path(where))


def claim(row: str, statement: str) -> Callable[[Callable[P, Judgement]], Callable[P, Result]]:
    """Decorate a function of an experiment's numbers that judges them, so that it returns the whole ``Result``."""

    def decorate(judge: Callable[P, Judgement]) -> Callable[P, Result]:
        @wraps(judge)
        def result(*args: P.args, **kwargs: P.kwargs) -> Result:
            numbers = signature(judge).bind(*args, **kwargs).arguments
            return Result(row, statement, *judge(*args, **kwargs), numbers)

        return result

    return decorate


def curves(
    x: Sequence[float],
    labels: Sequence[str],
    series: Sequence[Sequence[float]],
    xlabel: str,
    ylabel: str,
    every: Sequence[Any] = (),
    more: Draw = lambda axes: None,
    **settings: Any,
) -> Draw:
    """A function that draws a labelled line for each of the series over x.

    every      matplotlib's ``markevery`` of each line
    more       draws what else belongs to the picture
    settings   of the axes
    """

    def draw(axes: Any) -> None:
        for k, (label, y) in enumerate(zip(labels, series)):
            axes.plot(x[: len(y)], y, **style(k, markevery=every[k] if every else None), label=label)
        more(axes)
        finish(axes, xlabel, ylabel, **settings)

    return draw
