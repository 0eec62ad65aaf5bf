"""Loads a CSV file as examples and targets; errors name the row and the column.

pandas reads the cells as strings. The meaning of the columns is inferred from the training file and stored with the
run, so that new rows are read in the same way.
"""

import codecs
import gzip
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from io import StringIO
from os import PathLike
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unicodedata import normalize

from autograd.text import called, counted, shown
from nn.data import Dataset, Split, split

# numbers in a format that is not supported: 12,345  1'000  −1  10 %  inf  1e999
LIKE_A_NUMBER = r"(?i)[+−-]?[€$£]? ?(?:\d[\d.,'_\s]*|inf(?:inity)?)(?:e[+−-]?\d+)?[%€$£]?"
THOUSANDS = r"[+-]?[1-9]\d{0,2}[.,]\d{3}"  # could also be a decimal fraction
# Excel's line sep=; followed by blank lines and comments such as "# in May", "##" or "#"; "#id" is a column name
BEFORE = re.compile(r"(?:sep=([^\r\n])?.*\n)?(?:(?:#(?:[ #].*)?)?\r?\n)*", re.IGNORECASE)
MOST_CLASSES, MOST_WHOLE = 50, 20  # a target with more than 20 different integers is a quantity
READING = ("sep", "decimal", "thousands", "encoding", "na_values", "names")  # parameters of pandas.read_csv
MISSING_RULES, TASKS = ("refuse", "drop", "mean"), ("classification", "regression")


class Table(NamedTuple):
    """The cells of a file as strings, indexed by line number. An unnamed first column is an index, named ""."""

    frame: Any  # a pandas.DataFrame with NaN for missing values
    written: Any  # a pandas.DataFrame with every cell as in the file
    sep: str
    decimal: str
    thousands: str

    def find(self, name: str) -> str:
        """Return the column with this name, or the only one with an equivalent name, such as x1 for x₁."""
        names = list(filter(None, self.frame.columns))
        alike = [name] if name in names else [x for x in names if normalize("NFKC", x) == normalize("NFKC", name)]
        if len(alike) != 1:
            raise ValueError(f"the table has no column {name!r}: its columns are {_few(names)}")
        return alike[0]

    def numbers(self, name: str) -> Any:
        """Return the numbers in a column, with NaN for text, missing values and absolute values of 1e300 or more."""
        dot, group, cells = re.escape(self.decimal), re.escape(self.thousands), self.frame[name].fillna("")
        whole = rf"(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)"
        good = cells.str.fullmatch(rf"[+-]?(?:{whole}(?:{dot}\d*)?|{dot}\d+)(?:[eE][+-]?\d+)?")
        digits = cells.where(good, "nan").str.replace(self.thousands, "", regex=False)
        numbers = digits.str.replace(self.decimal, ".", regex=False).astype(float)
        return numbers.where(numbers.abs() < 1e300)

    def class_names(self, name: str) -> Any:
        """Return the classes in a column as strings, where 1.0 is the class 1."""
        return self.frame[name].str.replace(r"^(\d+)[.,]0*$", r"\1", regex=True)

    def place(self, row: int, name: str) -> str:
        """Return the location and content of a cell, for a message."""
        return f"row {row} of the file, column {shown(name)} is {shown(self.written.at[row, name])}"


class Column(NamedTuple):
    """The meaning of a column."""

    name: str
    categories: list[str] | None  # its strings in alphabetical order; None for a column of numbers
    fill: float | str | None = None  # replaces a missing value: the mean or the most frequent string in training


class Schema(NamedTuple):
    """The conversion of rows of a table to examples and targets. The configuration of a run stores it as JSON."""

    columns: list[Column]
    target: Column
    # features that increase by 1 from row to row, and may just number the rows; "" for an index
    counting: Sequence[str] = ()

    @property
    def features(self) -> list[str]:
        """The names of the features in an example; a column of strings becomes one feature per category."""
        return [f"{c.name}={x}" if c.categories else c.name for c in self.columns for x in c.categories or [""]]

    def examples(self, table: Table) -> tuple[list[list[float]], list[str]]:
        """Return each row as numbers, and a sentence for each column with an unknown category.

        Raises ValueError for text among numbers, and for a missing value if there is no replacement.
        """
        columns, unknown = [], []
        for name, categories, fill in self.columns:
            name = table.find(name)
            cells = table.frame[name] if categories else table.numbers(name)
            cells = cells if fill is None else cells.where(table.frame[name].notna(), fill)
            if cells.isna().any():
                needed = f"one of {_few(categories)}" if categories else "a number"
                place = table.place(cells.isna().idxmax(), name)
                raise ValueError(f"{place}: it must be {needed}; correct it or drop the row")
            columns += [(cells == x).astype(float) for x in categories] if categories else [cells]
            new = cells[~cells.isin(categories or cells)]
            if categories and len(new):
                place = f"{table.place(new.index[0], name)}: {counted(len(new), 'row')}"
                unknown.append(f"{place} with a category not seen in training, encoded as 0 for {_few(categories)}")
        return [list(row) for row in zip(*columns)], unknown

    def targets(self, table: Table) -> list[float]:
        """Return the target of each row, a number or the index of a class; NaN if it is missing or unknown."""
        if self.target.name not in table.frame.columns:
            return [math.nan] * len(table.frame)
        if not self.target.categories:
            return list(table.numbers(self.target.name))
        places = {x: k for k, x in enumerate(self.target.categories)}
        return list(table.class_names(self.target.name).map(places).astype(float))

    def __str__(self) -> str:
        """Describe the columns in one line."""
        numbers = [c.name for c in self.columns if c.categories is None]
        parts = [f"{counted(len(numbers), 'number')} ({_few(numbers)})"] if numbers else []
        parts += [f"{called(c.name, '')}, one of {_few(c.categories)}" for c in self.columns if c.categories]
        kind, classes = "a number (--task classification for classes)", self.target.categories
        if classes is not None:
            either = len(classes) > 2 and all(name.isdecimal() for name in classes)
            kind = f"one of {_few(classes)}" + " (--task regression for a number)" * either
        return f"{'; '.join(parts)}; to predict: {called(self.target.name, '')}, {kind}"


def read_table(
    path: str | PathLike[str], *, sep: str | None = None, decimal: str | None = None, thousands: str | None = None,
    encoding: str | None = None, na_values: Sequence[str] | None = None, names: Sequence[str] | None = None,
) -> Table:  # fmt: skip
    """Read a CSV file, which may be compressed with gzip, with the parameters of ``pandas.read_csv``.

    The defaults are detected: the separator is whichever of , ; tab | fits, or that of Excel's line ``sep=;``; the
    encoding is UTF-8, UTF-16 with a BOM, or Windows-1252; the decimal mark is a comma if cells are not separated by
    commas and no number has a decimal point. Only empty cells and ``na_values`` are missing values. Blank lines and
    comments, ``# …``, are skipped before the header.

    Raises ImportError without pandas, OSError, and ValueError for a file that is not a table.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError("reading tables needs pandas: pip install 'chainrule[tables]'") from None
    for option, mark in {"sep": sep, "decimal": decimal, "thousands": thousands}.items():
        if mark is not None and (len(mark) != 1 or mark.isalnum() or [decimal, thousands].count(mark) > 1):
            rule = (
                "it must be a single character that is not a letter or digit, and decimal and thousands must differ"
            )
            raise ValueError(f"{option} = {mark!r}: {rule}")
    text, names = _text(path, encoding), list(names or ())
    before: Any = BEFORE.match(text)  # always matches, at least the empty string
    sep, skipped = sep or before[1] or max(";\t|,", key=partial(_fit, text[before.end() :])), before[0].count("\n")
    try:
        frame = pandas.read_csv(
            StringIO(text, newline=""), sep=sep, header=None, skiprows=skipped, dtype=str, na_filter=False,
            skipinitialspace=True, skip_blank_lines=False,
        ).map(str.strip)  # fmt: skip
    except (pandas.errors.EmptyDataError, pandas.errors.ParserError) as error:
        found = f"{path}: {str(error).strip().rpartition('C error: ')[2]}"
        raise ValueError(f"{found}; look for an extra cell, a missing quotation mark, or an empty file") from None
    frame.index += skipped + 1
    frame = frame[(frame != "").any(axis=1)]
    if not names and len(frame):
        names, frame = list(frame.iloc[0]), frame.iloc[1:]
        # an integer such as 2019 may be a name
        if any(re.fullmatch(r"[+-]?\d*[.,]\d+([eE][+-]?\d+)?", name) for name in names):
            raise ValueError(f"{path} begins with {names[:4]}: the first row, or --names, must name the columns")
    rows, width = frame.shape
    if not rows or len(names) != width:
        found = f"{counted(rows, 'row')} of {counted(width, 'column')} and {counted(len(names), 'name')}"
        raise ValueError(f"{path} has {found}: it needs at least one row, and a name for each column")
    frame.columns = names
    frame = frame.loc[:, (frame.columns != "") | (frame != "").any()]  # each line may end with a separator
    for k, (name, is_taken) in enumerate(zip(frame.columns, frame.columns.duplicated())):
        if is_taken or (k and not name):  # pandas and R write an unnamed index as the first column
            fault = f"repeats the name {shown(name)}" if name else "has no name"
            raise ValueError(f"{path}: column {k + 1} {fault}: give it a unique name")
    frames = frame.mask(frame.isin(["", *(na_values or ())])), frame
    table = Table(*frames, sep, decimal or (".", ",")[thousands == "."], thousands or "")
    return table if decimal or thousands or sep == "," else table._replace(decimal=_decimal(table))


def read_split(
    path: str | PathLike[str], target: str, rng: Random, missing: str = "refuse", ignore: Sequence[str] = (),
    categories: Sequence[str] = (), task: str | None = None, **reading: Any,
) -> tuple[Split, Schema]:  # fmt: skip
    """Read a CSV file as training, validation and test data; return them with their schema.

    missing      treatment of missing values: "refuse" raises an error that locates the value, "drop" drops the row,
                 and "mean" fills in the mean, or the most frequent string, of the training data
    ignore       columns to leave out, such as an identifier
    categories   columns of categories that look like numbers, such as postcodes
    task         "classification" or "regression"; by default, strings are classes, and so are integers with at most
                 20 different values, each in at least three rows on average
    reading      options of ``read_table``

    Raises the errors of ``read_table``, and ValueError for unknown columns and for data that cannot be learned.
    """
    table = read_table(path, **reading)
    target, ignore, categories = table.find(target), [*map(table.find, ignore)], [*map(table.find, categories)]
    used = [name for name in table.frame.columns if name and name not in ignore and name != target]
    if not set(categories) <= set(used):
        raise ValueError(f"categories = {categories}: they must not contain the target or an ignored column")
    if not used:
        raise ValueError(f"{path} has no column besides the target {target!r}: it needs at least one feature")
    rising = [name for name in used if name not in categories and (table.numbers(name).diff()[1:] == 1.0).all()]
    counting = [""] * ("" in table.frame.columns) + rising * (len(table.frame) > 2)
    holes = table.frame[[*used, target]].isna()
    refused = (holes[[target]] if missing == "mean" else holes).stack()
    if missing == "drop":
        table = table._replace(frame=table.frame[~holes.any(axis=1)])
    elif refused.any():
        remedy = "or, except in the target, fill in the mean of the training data (--missing mean)"
        place = f"{table.place(*refused.idxmax())}, a missing value"
        raise ValueError(f"{place}: drop such rows (--missing drop), {remedy}")
    if not len(table.frame):
        raise ValueError(f"--missing drop would drop all {len(holes)} rows: each has a missing value")
    columns = [_column(table, name, name in categories) for name in used]
    schema = Schema(columns, _target(table, target, task), counting)
    y, classes = schema.targets(table), schema.target.categories or []
    y = [*map(int, y)] if classes else y
    rows = split(Dataset(range(len(y)), y, classes), rng=rng)
    parts = [[int(i) for [i] in part.X] for part in rows]
    if missing == "mean":
        known = table._replace(frame=table.frame.iloc[parts[0]])
        fills = [known.frame[c.name].mode().get(0) if c.categories else known.numbers(c.name).mean() for c in columns]
        schema = schema._replace(columns=[column._replace(fill=fill) for column, fill in zip(columns, fills)])
    data = Dataset(schema.examples(table)[0], y, classes, schema.features)
    return Split(*map(data.take, parts)), schema


def _few(names: Iterable[str]) -> str:
    """Join the names, or the first four and the last, with commas."""
    short = [called(name, "''") for name in names]
    return ", ".join(short if len(short) <= 6 else [*short[:4], f"… {short[-1]}"])


def _text(path: str | PathLike[str], encoding: str | None) -> str:
    """Return the text of a file, decoded as its BOM indicates, as UTF-8, or as Windows-1252 from old spreadsheets."""
    content = Path(path).read_bytes()
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        guess = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
        # a file that contains any UTF-8 is UTF-8: a single damaged byte must not turn every ö into Ã¶
        if guess == "utf-8" and content.decode(guess, "ignore").isascii():
            guess = "cp1252"
        text = content.decode(encoding or guess).removeprefix("\ufeff")
        if "\0" in text:
            raise UnicodeError("it contains null bytes")
    except (OSError, EOFError, zlib.error, UnicodeError, LookupError) as error:
        raise ValueError(f"{path}: {error}; save it as CSV in UTF-8, or pass its --encoding") from None
    return text


def _fit(text: str, mark: str) -> tuple[bool, int, int]:
    """Score a separator by whether it occurs equally often in each of the first rows, and by how often."""
    first = "\n".join(text.split("\n", 50)[:50])
    found = [row.count(mark) for row in re.sub('"[^"]*"?', "cell", first).splitlines() if row] or [0]
    return 0 < found[0] == min(found) == max(found), found[0], max(found)


def _decimal(table: Table) -> str:
    """Return the decimal mark of a table without commas as separators. Raises ValueError if it is ambiguous."""
    cells = table.frame.stack()
    found = {mark: cells[cells.str.fullmatch(rf"[+-]?\d*[{mark}]\d+(?:[eE][+-]?\d+)?")] for mark in ",."}
    decimal = "," if len(found[","]) else "."
    places = [table.place(*cells.index[0]) for cells in found.values() if len(cells)]
    # files with ; usually have decimal commas, and others decimal points; if not, 1.234 may mean 1234
    by_custom = (table.sep == ";") == (decimal == ",")
    if len(places) > 1 or (places and not by_custom and found[decimal].str.fullmatch(THOUSANDS).all()):
        raise ValueError(f"{' and '.join(places)}: the decimal mark is ambiguous; pass --decimal or --thousands")
    return decimal


def _has_text(table: Table, name: str, remedy: str) -> bool:
    """Return whether a column contains text. Raises ValueError for text among numbers or like a number."""
    numbers = table.numbers(name)
    text = table.frame[name][numbers.isna()].dropna()
    slips = text if numbers.notna().any() else text[text.str.fullmatch(LIKE_A_NUMBER)]
    if len(slips):
        place, cell = table.place(slips.index[0], name), shown(slips.iloc[0])
        rule = f"not a number such as 1234{table.decimal}5 (--decimal, --thousands)"
        raise ValueError(f"{place}, {rule}: correct it, declare it missing (--na-values {cell}), {remedy}")
    return len(text) > 0


def _column(table: Table, name: str, are_categories: bool) -> Column:
    remedy = f"read the column as categories (--categories {name!r}), or leave it out (--ignore {name!r})"
    if not are_categories and not _has_text(table, name, remedy):
        return Column(name, None)
    categories = sorted(table.frame[name].dropna().unique())
    if len(categories) > MOST_CLASSES:
        wide = table.frame.loc[:, table.frame.nunique() > MOST_CLASSES]
        texts = " ".join(repr(x) for x in wide if x == name or not table.numbers(x).count())
        found = f"column {name!r} has more than {MOST_CLASSES} different strings"
        raise ValueError(f"{found}: leave out such columns (--ignore {texts})")
    return Column(name, categories)


def _target(table: Table, name: str, task: str | None) -> Column:
    numbers = table.numbers(name)
    if task != "classification":
        text, n = _has_text(table, name, "or read all as classes (--task classification)"), numbers.nunique()
        if text and task == "regression":
            raise ValueError(f"{table.place(numbers.index[0], name)}: a regression needs numbers")
        fractions, many = (numbers % 1.0).any(), n > MOST_WHOLE or len(numbers) < 3 * n > 6
        if not text and n > 1 and (task or fractions or many):
            return Column(name, None)
    classes = dict(zip(table.class_names(name), numbers))
    if not 2 <= len(classes) <= MOST_CLASSES:
        found = f"{counted(len(classes), 'different value')}, {_few(classes)}"
        raise ValueError(f"target {name!r} has {found}: a classification needs 2 to {MOST_CLASSES}")
    return Column(name, sorted(classes, key=None if numbers.isna().any() else lambda x: (classes[x], x)))
