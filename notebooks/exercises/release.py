"""Makes the students' version of the exercises: a notebook without solutions, with one student's numbers.

    python release.py exercises.ipynb mara.ipynb --student mara        Mara's numbers instead of ada's
    python release.py exercises.ipynb class --class names.txt          class/NAME/exercises.ipynb for each line

The repository's exercises.ipynb and a key are made from the notebook with solutions:

    python release.py source/back-propagation/exercises.ipynb exercises.ipynb
    python release.py source/back-propagation/exercises.ipynb key.ipynb --student mara --solutions

The text of an exercise (its question, numbers and hints) is written from its definition in nn.lecture.exercises. The
code between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` is replaced by a stub, and outputs are removed. The
markers, and the metadata of graded cells, are nbgrader's.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograd.command_line import OneLineParser, command_line
from autograd.files import write_whole
from nn.lecture.exercises import EXERCISES

STUB = "# YOUR CODE HERE"
REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[ \t]*$", re.DOTALL | re.MULTILINE)
COURSE = re.compile(r"\bCourse\(.*?\)(?=  #|$)", re.MULTILINE)
TEXT_OF = re.compile(r"(?<=The numbers in this file were generated from the name \*\*).*?(?=\*\*)")
STUDENT = "ada"  # the committed file contains this student's numbers


def without_solution(source: str) -> str:
    """Return a cell's code with each solution replaced by a stub.

    Raises ValueError for a BEGIN or END marker without its counterpart.

    >>> print(without_solution("def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION"))
    def f(x):
        # YOUR CODE HERE
    """
    text = REGION.sub(lambda region: region[1] + STUB, source)
    if "### BEGIN SOLUTION" in text or "### END SOLUTION" in text:
        raise ValueError("found a ### BEGIN SOLUTION without its ### END SOLUTION, or an END without its BEGIN")
    return text


def text(name: str, student: str, number: int, points: float) -> str:
    """Return the text of an exercise: its question with the student's numbers, its notebook, and its hints.

    >>> print(text("mul", "ada", 2, 1)[:50])
    ## 2. mul: The local derivatives of ×
    <BLANKLINE>
    *[Notebook
    """
    exercise = EXERCISES[name]
    taught = f"[Notebook {exercise.notebook[:2].lstrip('0')}](../{exercise.notebook})"
    hints = "\n\n".join(
        f"<details><summary>Hint {i}</summary>\n\n{hint}\n\n</details>" for i, hint in enumerate(exercise.hints, 1)
    )
    question = exercise.question(exercise.problem(student))
    worth = f"{points:g} point{'s' * (points != 1)}"
    return f"## {number}. {name}: {exercise.title}\n\n*{taught}, {worth}.* {question}\n\n{hints}"


def release(notebook: dict[str, Any], student: str = STUDENT, solutions: bool = False) -> dict[str, Any]:
    """Return the notebook with a student's numbers, without the solutions unless ``solutions`` is true."""
    points = {
        cell["metadata"]["nbgrader"]["grade_id"].removeprefix("check-"): cell["metadata"]["nbgrader"]["points"]
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade")
    }
    cells, number, named = [], 0, json.dumps(student, ensure_ascii=False)
    for cell in notebook["cells"]:
        cell, source = dict(cell), "".join(cell["source"])
        if name := cell["metadata"].get("exercise"):
            number += 1
            source = text(name, student, number, points[name])
        elif cell["cell_type"] == "code":
            source = COURSE.sub(lambda _: f"Course({named}, text_of={named})", source)
            cell |= {"outputs": [], "execution_count": None}
            source = source if solutions else without_solution(source)
        else:
            source = TEXT_OF.sub(lambda _: student, source)
        cells.append(cell | {"source": source.splitlines(keepends=True)})
    return {**notebook, "cells": cells}


def class_names(path: Path) -> list[str]:
    """Return the names in a file, one per line. Raises ValueError if they cannot be the names of separate folders."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8") from None
    found: dict[str, str] = {}
    for number, name in enumerate(map(str.strip, lines), start=1):
        if name in (".", "..") or re.search(r'[\\/:*?"<>|]', name):
            raise ValueError(
                f'{path}, line {number}: {name!r} cannot be the name of a folder: write it without \\ / : * ? " < > |'
            )
        folder = unicodedata.normalize("NFC", name).casefold().rstrip(". ")  # its name on macOS and Windows
        if name and folder in found:
            raise ValueError(
                f"{path}, line {number}: {found[folder]!r} and {name!r} can be the same folder: make them differ"
            )
        if name:
            found[folder] = name
    if not found:
        raise ValueError(f"{path} contains no names: write one per line")
    return list(found.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Raises SystemExit with status 2 after a one-line message if the input is wrong."""
    program = "python release.py"
    parser = OneLineParser(prog=program, description="Make the students' version of the exercises' notebook.")
    parser.add_argument(
        "source", type=Path, metavar="SOURCE.ipynb", help="exercises.ipynb, or the notebook with solutions"
    )
    parser.add_argument(
        "target", type=Path, metavar="TARGET", help="the notebook to write, or the folder with --class"
    )
    parser.add_argument(
        "--student", default=STUDENT, metavar="NAME", help=f"the name that determines the numbers ({STUDENT})"
    )
    parser.add_argument(
        "--class", dest="names", type=Path, metavar="NAMES.txt", help="make a notebook for the name on each line"
    )
    parser.add_argument("--solutions", action="store_true", help="keep the solutions of SOURCE, to make a key")
    options = parser.parse_args(arguments)
    with command_line(program):
        try:
            notebook = json.loads(options.source.read_text(encoding="utf-8"))
            if options.solutions and not any("### BEGIN SOLUTION" in "".join(c["source"]) for c in notebook["cells"]):
                raise ValueError(
                    f"{options.source} contains no solutions: use source/back-propagation/exercises.ipynb"
                )
            targets = {options.target: options.student}
            if options.names:
                targets = {options.target / name / "exercises.ipynb": name for name in class_names(options.names)}
            made = {path: release(notebook, name, options.solutions) for path, name in targets.items()}
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{options.source} is not a notebook: {type(error).__name__} {error}") from None
        for path, finished in made.items():
            if options.names:
                path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, f"{json.dumps(finished, indent=1, ensure_ascii=False)}\n".encode())
        print(
            f"{len(made)} notebook{'s' * (len(made) != 1)} in {options.target}/" if options.names else options.target
        )


if __name__ == "__main__":
    main()
