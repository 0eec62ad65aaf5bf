"""A progress bar for a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def progress_bar(iterable: Iterable[Any] | None = None, shown: bool = True, **options: Any) -> Any:
    """tqdm's bar on stderr, where that is a terminal, or in the output of a notebook; elsewhere it shows nothing."""
    from tqdm import tqdm

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = getattr(shell, "kernel", None) is not None
    place = {"file": sys.stdout, "ncols": 100} if in_notebook else {"dynamic_ncols": True, "disable": None}
    options = {"leave": False, "bar_format": FORMAT, **place, **({} if shown else {"disable": True}), **options}
    return tqdm(iterable, **options)
