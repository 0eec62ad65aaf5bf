"""Tests the lecture's claims by experiments on scalar nodes: their numbers decide which claims are borne out."""

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import fill, wrap

from autograd.text import printable
from nn.lecture.claims import layer_claims as layers, training_claims as training
from nn.lecture.claims.trials import Result
from nn.records import progress_bar

__all__ = ["CLAIMS", "Result", "listing", "run", "table"]

CLAIMS: dict[str, Callable[[int], Result]] = {
    "progress": training.progress, "zero-start": training.zero_start, "unstable": training.unstable,
    "settling": training.settling, "batch-noise": training.batch_noise, "architecture": training.architecture,
    "redundancy": layers.redundancy, "ensemble": layers.ensemble, "all-positive": training.all_positive,
    "bn-shift": layers.shift, "bn-scale": layers.scale, "bn-rates": layers.higher_rates,
    "bn-saturating": layers.saturating, "bn-dropout": layers.less_dropout,
}  # fmt: skip
COLUMNS = {"claim": 27, "row": 3, "measured": 30, "verdict": 34}  # widths; they add up to 94, without the gaps


def run(names: Sequence[str] | None = None, seed: int = 0, out: Path | None = None) -> Iterator[Result]:
    """Run the experiments with these names, or all of them, and yield each result as soon as it is ready.

    A picture of each is written to the folder ``out``. A terminal shows a progress bar. Raises ValueError for
    an unknown name before anything runs.

    >>> [result.word for result in run(["unstable"])]
    ['borne out']
    """
    chosen = check_names(names)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)

    def results() -> Iterator[Result]:
        with progress_bar(chosen) as bar:
            for name in bar:
                bar.set_description_str(name)
                result = CLAIMS[name](seed)
                if out is not None:
                    result.plot(out / f"{name}.png")
                yield result

    return results()


def check_names(names: Sequence[str] | None) -> list[str]:
    """Return the names, by default all of them. Raises ValueError for an unknown name."""
    for name in names or ():
        if name not in CLAIMS:
            raise ValueError(f"unknown claim {name!r}: choose from {', '.join(CLAIMS)}")
    return list(names or CLAIMS)


def table(results: Sequence[Result], width: int = 100) -> str:
    """Format the results as a table of at most ``width`` columns, 60 or more.

    Its columns are the claim, the row of the lecture, what was measured and the verdict.
    """
    widths = [3 if name == "row" else share * (width - 9) // 91 for name, share in COLUMNS.items()]
    rule = ["─" * n for n in widths]
    rows: list[Sequence[str]] = [[*COLUMNS], rule]
    for result in results:
        cells = map(printable, (result.statement, result.row, result.measured, result.verdict))
        rows += zip_longest(*(wrap(cell, n, break_on_hyphens=False) for cell, n in zip(cells, widths)), fillvalue="")
        rows.append(rule)
    return "\n".join("  ".join(cell.ljust(n) for cell, n in zip(row, widths)).rstrip() for row in rows)


def listing(names: Sequence[str] | None = None, width: int = 200) -> str:
    """List the names, by default all of them, each with its experiment. Raises ValueError for an unknown name."""
    lines = [f"{name:<14} {(CLAIMS[name].__doc__ or '').splitlines()[0]}" for name in check_names(names)]
    return "\n".join(
        fill(printable(line), width, subsequent_indent=" " * 15, break_on_hyphens=False) for line in lines
    )
