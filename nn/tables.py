"""A user's own table: a CSV file as examples and labels, with whatever cannot be a number named by row and column.

All this happens before the first node is made, so nothing here knows a Value. What a table's columns are is learned
once, from the file that a network is trained on, and kept with the run: new rows are read the same way.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf
from os import PathLike
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from autograd.errors import called, clipped
from autograd.number_systems import floats
from nn.data import Dataset, Split, split

MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none"})
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# what a person would take for a number and is none here: 12,345  1'000  1_000  −1  10 %  inf  1e999
LIKE_A_NUMBER = re.compile(r"[+−-]?[€$£]? ?(\d[\d.,'_\s]*|inf(inity)?)([eE][+−-]?\d+)?[%€$£]?", re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
SEPARATORS = (",", ";", "\t", "|")
MOST_CATEGORIES = 50
WAYS = ("refuse", "drop", "mean")
LONGEST_SHOWN = 40  # characters of a cell or a name in a message


class Table(NamedTuple):
    """The cells of a file as text.

    columns       their names, from the first row, and where in a row they are
    rows, lines   the cells of each row, and the line of the file on which it ends
    separator     what stands between the cells
    """

    columns: dict[str, int]
    rows: list[list[str]]
    lines: list[int]
    separator: str = ","

    @property
    def decimal_comma(self) -> bool:
        """Whether 3,5 is a number, as where ; separates."""
        return self.separator != ","

    def place(self, i: int, column: str) -> str:
        """Where a cell stands and what it holds, for a message."""
        cell = self.rows[i][self.columns[column]]
        return f"row {i + 1} (line {self.lines[i]}), column {_shown(column)} is {_shown(cell)}"

    def number(self, cell: str) -> float | None:
        """The number that a cell holds, None where it is text."""
        text = cell.replace(",", ".") if self.decimal_comma else cell
        number = float(text) if NUMBER.fullmatch(text) else inf
        return number if abs(number) < 1e300 else None


class Column(NamedTuple):
    """What a column holds.

    categories   the texts that occur, in alphabetical order; None for a column of numbers
    fill         what stands in for a missing value: the training data's mean, or its most frequent text
    """

    name: str
    categories: list[str] | None
    fill: float | str | None = None


class Schema(NamedTuple):
    """How a table's rows become examples and labels; as JSON, part of a run's configuration.

    counting   the features that go up by 1 from row to row: they say where a row stands, and nothing about what it is
    """

    columns: list[Column]
    target: Column
    counting: list[str] = []  # noqa: RUF012  (never changed)

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
        columns = [Column(*column) for column in state["columns"]]
        return cls(columns, Column(*state["target"]), state.get("counting", []))

    def examples(self, table: Table) -> list[list[float]]:
        """Each row as numbers, the columns found by name. ValueError, with the place, for what cannot be one."""
        absent = [c.name for c in self.columns if c.name not in table.columns]
        if absent:
            raise ValueError(f"the column {absent[0]!r} is not in the table, which has {_few(table.columns)}")
        places = [table.columns[c.name] for c in self.columns]
        return [
            [x for c, k in zip(self.columns, places) for x in _encode(table, i, c, row[k])]
            for i, row in enumerate(table.rows)
        ]

    def labels(self, table: Table) -> list[int]:
        """The label of each row, its place among the target's categories."""
        classes = self.target.categories or []
        names = [_class_name(table, row[table.columns[self.target.name]]) for row in table.rows]
        for i, name in enumerate(names):
            if name not in classes:
                raise ValueError(f"{table.place(i, self.target.name)}: the classes are {_few(classes)}")
        return [classes.index(name) for name in names]

    def known(self, table: Table) -> Table:
        """The rows whose class is known: none where the table has no column for it."""
        if self.target.name not in table.columns:
            return _take(table, [])
        k = table.columns[self.target.name]
        return _take(table, [i for i, row in enumerate(table.rows) if row[k].lower() not in MISSING])

    def __str__(self) -> str:
        """How the columns are read, in one line."""
        numbers = [c.name for c in self.columns if c.categories is None]
        parts = [f"{len(numbers)} number{'s' * (len(numbers) != 1)} ({_few(numbers)})"] if numbers else []
        texts = [c for c in [*self.columns, self.target] if c.categories is not None]
        *told, learned = [f"{called(c.name, '')}, one of {_few(c.categories or [])}" for c in texts]
        return f"{'; '.join([*parts, *told])}; to learn: {learned}"


def read_table(path: str | PathLike[str]) -> Table:
    """Read a CSV file: UTF-8 (with a BOM or not), UTF-16 with one, else Windows-1252; separated by , ; tab or |.

    The first row names the columns. Raises OSError, or ValueError, which says where, for a file that is no table:
    binary, empty, with a row that is longer or shorter than the first, with a name given twice or none; or where a
    comma may be a decimal one or not.
    """
    text = _text(path, Path(path).read_bytes())
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        begun = 0
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
            begun = reader.line_num
    except csv.Error as error:
        raise ValueError(
            f"{path}, the row that begins in line {begun + 1}: {error}; is a quotation mark missing, or one too many?"
        ) from None
    if len(rows) < 2:
        raise ValueError(f"{path} has {len(rows)} rows: it needs the names of its columns and at least one row more")
    names, rows, lines = rows[0], rows[1:], lines[1:]
    if "" in names:
        raise ValueError(f"{path}: column {names.index('') + 1} has no name; the first row needs to name each")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{path} has {times} columns named {_shown(name)}: each needs a name of its own")
    if all(NUMBER.fullmatch(name) for name in names):
        raise ValueError(f"{path} begins with the row {names[:4]}: the first row needs to name the columns")
    for row, line in zip(rows, lines):
        if len(row) != len(names):
            raise ValueError(
                f"{path}, line {line}, has {len(row)} cells and the first row {len(names)}: every row needs as many"
            )
    table = Table({name: k for k, name in enumerate(names)}, rows, lines, separator)
    if table.decimal_comma:
        _check_marks(table)
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
            raise ValueError(f"{path} has no column {name!r}: it has {_few(table.columns)}")
    if missing not in WAYS:
        raise ValueError(f"missing = {missing!r}: it is {', '.join(WAYS)}")
    for name in categories:
        if name == target or name in ignore:
            raise ValueError(f"categories = {name!r}: it is the target, or left out, and not read as a feature")
    used = [name for name in table.columns if name not in ignore or name == target]
    whole, table = table, _without_missing(table, used, target, missing)
    columns = [_column(table, name, name in categories) for name in used if name != target]
    schema = Schema(columns, Column(target, _classes(table, target)), _counting(whole, columns))
    if not schema.columns:
        raise ValueError(f"{path} has no column beside the target {target!r}: there is nothing to learn from")
    places = Dataset([[float(i)] for i in range(len(table.rows))], schema.labels(table), [], [])
    parts = [[int(i) for [i] in part.X] for part in split(places, rng=rng)]
    if missing == "mean":
        schema = schema._replace(columns=[_filled(c, _take(table, parts[0])) for c in schema.columns])
    tables, classes = [_take(table, part) for part in parts], schema.target.categories or []
    return Split(*(Dataset(schema.examples(t), schema.labels(t), classes, schema.features) for t in tables)), schema


def _counting(table: Table, columns: Sequence[Column]) -> list[str]:
    def is_counting(name: str) -> bool:
        numbers = (table.number(row[table.columns[name]]) for row in table.rows)
        return all(a is not None and b is not None and b - a == 1.0 for a, b in pairwise(numbers))

    plain = [column.name for column in columns if column.categories is None and len(table.rows) > 2]
    return [name for name in plain if is_counting(name)]


def _shown(text: str) -> str:
    return repr(clipped(text, LONGEST_SHOWN))


def _few(names: Iterable[str]) -> str:
    """The names on one line, or some of them where they are many."""
    short = [called(name, "''") for name in names]
    return ", ".join(short if len(short) <= 6 else [*short[:4], f"… {short[-1]}"])


def _take(table: Table, places: Sequence[int]) -> Table:
    return table._replace(rows=[table.rows[i] for i in places], lines=[table.lines[i] for i in places])


def _text(path: str | PathLike[str], content: bytes) -> str:
    """The text of a file, by its BOM, else as UTF-8, else as Windows-1252, which old spreadsheets write.

    ValueError for UTF-8 with a byte that does not belong there: read as Windows-1252, every ö would become Ã¶.
    """
    encodings = ["utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"]
    if encodings == ["utf-8-sig"] and content.decode("utf-8-sig", "ignore").isascii():
        encodings.append("cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError as error:
            line = content[: error.start].decode(encoding, "ignore").count("\n") + 1
    else:
        tried = " or ".join(encodings).replace("-sig", "")
        raise ValueError(f"{path}, line {line}, is not text in {tried}: save the table as CSV in UTF-8")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path}, line {line}, holds bytes of 0: save the table as CSV in UTF-8")
    return text


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


def _check_marks(table: Table) -> None:
    """Where , does not separate, 3,5 is a number: ValueError for a table in which it, or 3.5, may as well be 35."""
    commas: list[tuple[int, str]] = []
    points: list[tuple[int, str]] = []
    for name, k in table.columns.items():
        cells = [row[k] for row in table.rows]
        commas += [(i, name) for i, x in enumerate(cells) if "," in x and table.number(x) is not None]
        pointed = [(i, name) for i, x in enumerate(cells) if "." in x and table.number(x) is not None]
        points += pointed
        # where ; separates, commas are decimal by custom, and a point is too, but perhaps in 1.234 beside 999
        whole = [len(x) for x in cells if x.isdecimal()] if table.separator == ";" else []
        if not commas and whole and max(whole) <= 3:
            _refuse_thousands(table, pointed, "point")
    if commas and points:
        raise ValueError(
            f"{table.place(*commas[0])} and {table.place(*points[0])}: decimals need to be marked alike in a table, "
            "and thousands not at all"
        )
    if table.separator != ";":
        _refuse_thousands(table, commas, "comma")


def _refuse_thousands(table: Table, places: Sequence[tuple[int, str]], mark: str) -> None:
    """ValueError where each of these numbers is like 1,234 or 1.234."""
    cells = [table.rows[i][table.columns[name]] for i, name in places]
    if cells and all(THOUSANDS.fullmatch(cell.replace(".", ",")) for cell in cells):
        other, none = cells[0].translate(str.maketrans(",.", ".,")), cells[0].translate(str.maketrans("", "", ",."))
        raise ValueError(
            f"{table.place(*places[0])}, and the {mark} may mark decimals or thousands: write {other} or {none}"
        )


def _without_missing(table: Table, used: Sequence[str], target: str, missing: str) -> Table:
    """The table without rows that miss a value, where they are to be dropped; ValueError where they are refused."""
    places = [(name, table.columns[name]) for name in used]
    kept = []
    for i, row in enumerate(table.rows):
        found = [name for name, k in places if row[k].lower() in MISSING]
        if not found or (missing == "mean" and target not in found):
            kept.append(i)
        elif missing != "drop":
            name = target if missing == "mean" else found[0]
            raise ValueError(
                f"{table.place(i, name)}, a missing value: drop such rows or, but for the target, let the training "
                "data's mean stand in (--missing drop, --missing mean)"
            )
    if not kept:
        raise ValueError(f"each of the {len(table.rows)} rows misses a value: none is left to learn from")
    return _take(table, kept)


def _column(table: Table, name: str, are_names: bool) -> Column:
    cells = [row[table.columns[name]] for row in table.rows]
    text = [i for i, cell in enumerate(cells) if table.number(cell) is None and cell.lower() not in MISSING]
    if not text and not are_names:
        return Column(name, None)
    known = [cell for cell in cells if cell.lower() not in MISSING]
    # a slip in a column of numbers must not make names of all of them
    slips = text if 2 * len(text) < len(known) else [i for i in text if LIKE_A_NUMBER.fullmatch(cells[i])]
    if slips and not are_names:
        raise ValueError(
            f"{table.place(slips[0], name)}, no number as 1234.5: mend it, take the column's cells as names "
            f"(--categories {name!r}) or leave it out (--ignore {name!r})"
        )
    categories = sorted(set(known))
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f"the column {name!r} holds text of {len(categories)} kinds, more than {MOST_CATEGORIES}: leave it out "
            f"(--ignore {name!r})"
        )
    return Column(name, categories)


def _class_name(table: Table, cell: str) -> str:
    """A class by its text; 1 and 1.0 are the same, as far as floats tell whole numbers apart."""
    number = table.number(cell)
    return str(int(number)) if number is not None and number == int(number) and abs(number) < 2**53 else cell


def _classes(table: Table, target: str) -> list[str]:
    cells = {row[table.columns[target]] for row in table.rows}
    numbers = [table.number(cell) for cell in cells]
    names = {_class_name(table, cell) for cell in cells}
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
    if len(in_order) < len(numbers):
        return sorted(names)
    return sorted(names, key=lambda name: (table.number(name) or 0.0, name))


def _filled(column: Column, table: Table) -> Column:
    """The column with what stands in for a missing value, learned from this table alone."""
    k = table.columns[column.name]
    cells = [row[k] for row in table.rows if row[k].lower() not in MISSING]
    if not cells:
        raise ValueError(f"the column {column.name!r} is missing in all training rows: leave it out (--ignore)")
    if column.categories is None:
        numbers = [n for n in map(table.number, cells) if n is not None]
        return column._replace(fill=floats.sum(numbers) / len(numbers))
    return column._replace(fill=min(Counter(cells).most_common(), key=lambda pair: (-pair[1], pair[0]))[0])


def _encode(table: Table, i: int, column: Column, cell: str) -> list[float]:
    """A cell as numbers: itself, or 1 for its category and 0 for the others."""
    value: float | str | None = cell if column.categories is not None else table.number(cell)
    if cell.lower() in MISSING:
        value = column.fill
        if value is None:
            raise ValueError(
                f"{table.place(i, column.name)}, a missing value: the network was trained on rows without one; fill "
                "it in, leave the row out, or train with --missing mean"
            )
    if column.categories is None:
        if not isinstance(value, float):
            raise ValueError(f"{table.place(i, column.name)}: it needs a number")
        return [value]
    if value not in column.categories:
        raise ValueError(f"{table.place(i, column.name)}: the network knows {_few(column.categories)} there")
    return [float(value == category) for category in column.categories]
