"""A user's own table: a CSV file as examples and labels, with whatever cannot be a number named by row and column.

All this happens before the first node is made, so nothing here knows a Value. What a table's columns are is learned
once, from the file that a network is trained on, and kept with the run: new rows are read the same way.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from nn.data import Dataset, Split, split

MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none"})
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# what a person would take for a number and is none here: 12,345  1'000  10 %  inf  1e999
LIKE_A_NUMBER = re.compile(r"[+-]?[€$£]? ?(\d[\d.,' ]*|inf(inity)?)([eE][+-]?\d+)?[%€$£]?", re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
SEPARATORS = (",", ";", "\t", "|")
MOST_CATEGORIES = 50
WAYS = ("refuse", "drop", "mean")


class Table(NamedTuple):
    """The cells of a file as text.

    columns       their names, from the first row
    rows, lines   the cells of each row, and the line of the file on which it ends
    separator     what stands between the cells
    """

    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str = ","

    @property
    def decimal_comma(self) -> bool:
        """Whether 3,5 is a number, as where ; separates."""
        return self.separator != ","

    def place(self, i: int, column: str) -> str:
        """Where a cell stands, for a message."""
        return f"row {i + 1} (line {self.lines[i]}), column {column!r}"

    def number(self, cell: str) -> float | None:
        """The number that a cell holds, None where it is text."""
        text = cell.replace(",", ".") if self.decimal_comma else cell
        return float(text) if NUMBER.fullmatch(text) and abs(float(text)) < 1e300 else None


class Column(NamedTuple):
    """What a column holds.

    categories   the texts that occur, in alphabetical order; None for a column of numbers
    fill         what stands in for a missing value: the training data's mean, or its most frequent text
    """

    name: str
    categories: list[str] | None
    fill: float | str | None = None


class Schema(NamedTuple):
    """How a table's rows become examples and labels; as JSON, part of a run's configuration."""

    columns: list[Column]
    target: Column

    @property
    def features(self) -> list[str]:
        """The names of the numbers of an example: a column of text has one for each of its categories."""
        return [
            f"{c.name}={category}" if c.categories else c.name
            for c in self.columns
            for category in c.categories or [""]
        ]

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Schema:
        """The schema that ``_asdict`` and JSON made lists of."""
        return cls([Column(*column) for column in state["columns"]], Column(*state["target"]))

    def examples(self, table: Table) -> list[list[float]]:
        """Each row as numbers, the columns found by name. ValueError, with the place, for what cannot be one."""
        absent = [c.name for c in self.columns if c.name not in table.columns]
        if absent:
            raise ValueError(f"the column {absent[0]!r} is not in the table, which has {', '.join(table.columns)}")
        places = [table.columns.index(c.name) for c in self.columns]
        return [
            [x for c, k in zip(self.columns, places) for x in _encode(table, i, c, row[k])]
            for i, row in enumerate(table.rows)
        ]

    def labels(self, table: Table) -> list[int]:
        """The label of each row, its place among the target's categories."""
        k = table.columns.index(self.target.name)
        return [self._label(table, i, row[k]) for i, row in enumerate(table.rows)]

    def known(self, table: Table) -> Table:
        """The rows whose class is known: none where the table has no column for it."""
        if self.target.name not in table.columns:
            return _take(table, [])
        k = table.columns.index(self.target.name)
        return _take(table, [i for i, row in enumerate(table.rows) if not _is_missing(row[k])])

    def __str__(self) -> str:
        """How the columns are read, in one line."""
        numbers = [c.name for c in self.columns if c.categories is None]
        parts = [f"{len(numbers)} number{'s' * (len(numbers) != 1)} ({_few(numbers)})"] if numbers else []
        parts += [f"{c.name}, one of {_few(c.categories)}" for c in self.columns if c.categories is not None]
        return f"{'; '.join(parts)}; to learn: {self.target.name}, one of {_few(self.target.categories or [])}"

    def _label(self, table: Table, i: int, cell: str) -> int:
        classes = self.target.categories or []
        name = _class_name(table, cell)
        if name not in classes:
            raise ValueError(f"{table.place(i, self.target.name)} is {cell!r}: the classes are {', '.join(classes)}")
        return classes.index(name)


def read_table(path: str | PathLike[str]) -> Table:
    """Read a CSV file: UTF-8 (with a BOM or not), UTF-16 with one, else Windows-1252; separated by , ; tab or |.

    The first row names the columns. Raises OSError, or ValueError, which says where, for a file that is no table:
    binary, empty, with a row that is longer or shorter than the first, with a name given twice or none; or where a
    comma may be a decimal one or not.
    """
    text = _text(path, Path(path).read_bytes())
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    rows, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    if len(rows) < 2:
        raise ValueError(f"{path} has {len(rows)} rows: it needs the names of its columns and at least one row more")
    columns, rows, lines = rows[0], rows[1:], lines[1:]
    table = Table(columns, rows, lines, separator)
    if table.decimal_comma:
        _check_commas(table)
    if "" in columns:
        raise ValueError(f"{path}: column {columns.index('') + 1} has no name; the first row needs to name each")
    name, times = Counter(columns).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{path} has {times} columns named {name!r}: each needs a name of its own")
    if all(NUMBER.fullmatch(name) for name in columns):
        raise ValueError(f"{path} begins with the row {columns[:4]}: the first row needs to name the columns")
    for row, line in zip(rows, lines):
        if len(row) != len(columns):
            raise ValueError(
                f"{path}, line {line}, has {len(row)} cells and the first row {len(columns)}: every row needs as many"
            )
    return table


def read_split(
    path: str | PathLike[str], target: str, rng: Random, missing: str = "refuse", ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> tuple[Split, Schema]:  # fmt: skip
    """The examples of a CSV file in three parts, and how they were read.

    target       the column to learn: its distinct texts or whole numbers are the classes
    missing      refuse: a missing value is an error that says where; drop: rows with one are left out; mean: the
                 mean, or for text the most frequent, of the training data stands in
    ignore       columns to leave out, as an identifier
    categories   columns whose cells are names even where they look like numbers, as a postcode

    Raises OSError and ValueError as ``read_table``, and ValueError for a column that is not there, a missing value
    that is refused, a target with fewer than two classes, text in more than fifty categories, text among numbers.
    """
    table = read_table(path)
    for name in (target, *ignore, *categories):
        if name not in table.columns:
            raise ValueError(f"{path} has no column {name!r}: it has {', '.join(table.columns)}")
    if missing not in WAYS:
        raise ValueError(f"missing = {missing!r}: it is {', '.join(WAYS)}")
    for name in categories:
        if name == target or name in ignore:
            raise ValueError(f"categories = {name!r}: it is the target, or left out, and not read as a feature")
    used = [name for name in table.columns if name not in ignore or name == target]
    table = _without_missing(table, used, target, missing)
    schema = Schema(
        [_column(table, name, name in categories) for name in used if name != target],
        Column(target, _classes(table, target)),
    )
    if not schema.columns:
        raise ValueError(f"{path} has no column beside the target {target!r}: there is nothing to learn from")
    places = Dataset([[float(i)] for i in range(len(table.rows))], schema.labels(table), [], [])
    parts = [[int(i) for [i] in part.X] for part in split(places, rng=rng)]
    if missing == "mean":
        schema = schema._replace(columns=[_filled(c, _take(table, parts[0])) for c in schema.columns])
    return Split(*(_dataset(schema, _take(table, part)) for part in parts)), schema


def counting(table: Table, schema: Schema) -> list[str]:
    """The features that go up by 1 from row to row: they say where a row stands, and nothing about what it is."""
    found = []
    for column in schema.columns:
        k = table.columns.index(column.name)
        numbers = [table.number(row[k]) for row in table.rows]
        steps = {None if a is None or b is None else b - a for a, b in pairwise(numbers)}
        if column.categories is None and len(numbers) > 2 and steps == {1.0}:
            found.append(column.name)
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= 6 else [*names[:4], f"… {names[-1]}"])


def _dataset(schema: Schema, table: Table) -> Dataset:
    classes = schema.target.categories or []
    return Dataset(schema.examples(table), schema.labels(table), classes, schema.features)


def _take(table: Table, places: Sequence[int]) -> Table:
    return table._replace(rows=[table.rows[i] for i in places], lines=[table.lines[i] for i in places])


def _text(path: str | PathLike[str], content: bytes) -> str:
    """The text of a file, by its BOM, else as UTF-8, else as Windows-1252, which old spreadsheets write."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in content:
        raise ValueError(f"{path} holds bytes of 0: it is no text file; save the table as CSV")
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path} is not text in {' or '.join(encodings)}: save the table as CSV in UTF-8")


def _separator(text: str) -> str:
    """The separator that cuts the first rows into the most cells, all rows into equally many where one does."""
    head = "".join(text.splitlines(keepends=True)[:20])

    def cut(separator: str) -> tuple[bool, int]:
        try:
            reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator, skipinitialspace=True)
            counts = [len(row) for row in reader if row]
        except csv.Error:
            return False, 0
        most = max(counts, default=0)
        return most > 1 and len(set(counts)) == 1, counts[0] if counts else 0

    return max(SEPARATORS, key=cut)


def _check_commas(table: Table) -> None:
    """Where , does not separate, 3,5 is a number: ValueError for a table in which it may as well be 35."""
    cells = [(i, name, cell) for i, row in enumerate(table.rows) for name, cell in zip(table.columns, row)]
    commas = [found for found in cells if "," in found[2] and table.number(found[2]) is not None]
    points = [found for found in cells if "." in found[2] and table.number(found[2]) is not None]
    if not commas:
        return
    i, name, cell = commas[0]
    if points:
        k, other, point = points[0]
        raise ValueError(
            f"{table.place(i, name)} is {cell!r} and {table.place(k, other)} is {point!r}: decimals need to be "
            "marked alike in a table, and thousands not at all"
        )
    if table.separator != ";" and all(THOUSANDS.fullmatch(cell) for _, _, cell in commas):
        raise ValueError(
            f"{table.place(i, name)} is {cell!r}, and the comma may mark decimals or thousands: write "
            f"{cell.replace(',', '.')} or {cell.replace(',', '')}"
        )


def _is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _without_missing(table: Table, used: Sequence[str], target: str, missing: str) -> Table:
    """The table without rows that miss a value, where they are to be dropped; ValueError where they are refused."""
    places = [(name, table.columns.index(name)) for name in used]
    kept = []
    for i, row in enumerate(table.rows):
        found = [name for name, k in places if _is_missing(row[k])]
        if not found or (missing == "mean" and target not in found):
            kept.append(i)
        elif missing != "drop":
            name = target if missing == "mean" else found[0]
            raise ValueError(
                f"{table.place(i, name)} is missing ({row[table.columns.index(name)]!r}): drop such rows or, but for "
                "the target, let the training data's mean stand in (--missing drop, --missing mean)"
            )
    if not kept:
        raise ValueError(f"each of the {len(table.rows)} rows misses a value: none is left to learn from")
    return _take(table, kept)


def _column(table: Table, name: str, are_names: bool) -> Column:
    k = table.columns.index(name)
    cells = [(i, row[k]) for i, row in enumerate(table.rows) if not _is_missing(row[k])]
    text = [(i, cell) for i, cell in cells if table.number(cell) is None]
    if not text and not are_names:
        return Column(name, None)
    # a slip in a column of numbers must not make names of all of them
    slips = text if 2 * len(text) < len(cells) else [(i, cell) for i, cell in text if LIKE_A_NUMBER.fullmatch(cell)]
    if slips and not are_names:
        i, cell = slips[0]
        raise ValueError(
            f"{table.place(i, name)} is {cell!r}, no number as 1234.5: mend it, take the column's cells as names "
            f"(--categories {name!r}) or leave it out (--ignore {name!r})"
        )
    categories = sorted({cell for _, cell in cells})
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f"the column {name!r} holds text of {len(categories)} kinds, more than {MOST_CATEGORIES}: leave it out "
            f"(--ignore {name!r})"
        )
    return Column(name, categories)


def _class_name(table: Table, cell: str) -> str:
    """A class by its text; 1 and 1.0 are the same."""
    number = table.number(cell)
    return f"{number:g}" if number is not None and number == int(number) else cell


def _classes(table: Table, target: str) -> list[str]:
    k = table.columns.index(target)
    numbers = [table.number(row[k]) for row in table.rows]
    names = {_class_name(table, row[k]) for row in table.rows}
    in_order = [n for n in numbers if n is not None]
    if len(in_order) == len(numbers) and any(n != int(n) for n in in_order):
        raise ValueError(
            f"the target {target!r} holds {len(names)} different numbers that are not all whole: classes are texts "
            "or whole numbers; put the numbers into classes first, as low and high"
        )
    if len(names) > MOST_CATEGORIES:
        raise ValueError(f"the target {target!r} has {len(names)} classes: at most {MOST_CATEGORIES} can be learned")
    if len(names) < 2:
        raise ValueError(
            f"the target {target!r} is {next(iter(names))!r} in every row: it needs at least two classes"
        )
    return sorted(names, key=float) if len(in_order) == len(numbers) else sorted(names)


def _filled(column: Column, table: Table) -> Column:
    """The column with what stands in for a missing value, learned from this table alone."""
    k = table.columns.index(column.name)
    cells = [row[k] for row in table.rows if not _is_missing(row[k])]
    if not cells:
        raise ValueError(f"the column {column.name!r} is missing in all training rows: leave it out (--ignore)")
    if column.categories is None:
        numbers = [n for n in map(table.number, cells) if n is not None]
        return column._replace(fill=sum(numbers) / len(numbers))
    return column._replace(fill=min(Counter(cells).most_common(), key=lambda pair: (-pair[1], pair[0]))[0])


def _encode(table: Table, i: int, column: Column, cell: str) -> list[float]:
    """A cell as numbers: itself, or 1 for its category and 0 for the others."""
    value: float | str | None = cell
    if _is_missing(cell):
        if column.fill is None:
            raise ValueError(
                f"{table.place(i, column.name)} is missing ({cell!r}): the network was trained on rows without "
                "missing values; fill it in, leave the row out, or train with --missing mean"
            )
        value = column.fill
    if column.categories is None:
        number = value if isinstance(value, float) else table.number(str(value))
        if number is None:
            raise ValueError(f"{table.place(i, column.name)} is {cell!r}: it needs a number")
        return [number]
    if value not in column.categories:
        raise ValueError(
            f"{table.place(i, column.name)} is {cell!r}: the network knows {', '.join(column.categories)} there"
        )
    return [float(value == category) for category in column.categories]
