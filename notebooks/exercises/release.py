"""One notebook, two versions: ``python release.py source.ipynb release.ipynb`` takes the solutions out.

What stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` becomes a place for the student's own; outputs go.
The marks, and the metadata of the cells that are graded, are nbgrader's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograd.command_line import OneLineParser, command_line
from autograd.files import write_whole

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[ \t]*$", re.DOTALL | re.MULTILINE)


def without_solution(source: str) -> str:
    """A cell's code with each solution replaced. ValueError for a mark without its other.

    >>> print(without_solution("def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION"))
    def f(x):
        # YOUR CODE HERE
        raise NotImplementedError()
    """
    text = REGION.sub(lambda region: "\n".join(region[1] + line for line in STUB), source)
    if "### BEGIN SOLUTION" in text or "### END SOLUTION" in text:
        raise ValueError("a ### BEGIN SOLUTION without its ### END SOLUTION, or the other way round")
    return text


def release(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook that students get."""
    cells = []
    for cell in notebook["cells"]:
        cell = dict(cell)
        if cell["cell_type"] == "code":
            lines = without_solution("".join(cell["source"])).splitlines(keepends=True)
            cell |= {"source": lines, "outputs": [], "execution_count": None}
        cells.append(cell)
    return {**notebook, "cells": cells}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Raises SystemExit, with status 2 after one line about what is wrong."""
    program = "python release.py"
    parser = OneLineParser(prog=program, description="Take the solutions out of a notebook.")
    parser.add_argument("source", type=Path, metavar="SOURCE.ipynb", help="the notebook with solutions")
    parser.add_argument("target", type=Path, metavar="RELEASE.ipynb", help="the students' version, to be written")
    options = parser.parse_args(arguments)
    with command_line(program):
        try:
            notebook = release(json.loads(options.source.read_text(encoding="utf-8")))
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{options.source} is not a notebook: {type(error).__name__} {error}") from None
        write_whole(options.target, f"{json.dumps(notebook, indent=1, ensure_ascii=False)}\n".encode())


if __name__ == "__main__":
    main()
