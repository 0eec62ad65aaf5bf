"""Loads a CSV file as examples and targets, and reports what cannot be learned by row and column.

pandas reads the cells as text. The meaning of the columns is inferred once, from the file that a network is trained
on, and stored with the run, so that new rows are read the same way.
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

# numbers to a reader, but not in a form that is read here: 12,345  1'000  −1  10 %  inf  1e999
LIKE_A_NUMBER = r"(?i)[+−-]?[€$£]? ?(?:\d[\d.,'_\s]*|inf(?:inity)?)(?:e[+−-]?\d+)?[%€$£]?"
THOUSANDS = r"[+-]?[1-9]\d{0,2}[.,]\d{3}"  # or a fraction
# Excel's sep=; blank lines and comments: "# in May", "##" or "#", where "#id" is a name
BEFORE = re.compile(r"(?:sep=([^\r\n])?.*\n)?(?:(?:#(?:[ #].*)?)?\r?\n)*", re.IGNORECASE)
MOST_CLASSES, MOST_WHOLE = 50, 20  # a target with more different whole numbers is a quantity
READING = ("sep", "decimal", "thousands", "encoding", "na_values", "names")  # as pandas.read_csv calls them
MISSING_RULES, TASKS = ("refuse", "drop", "mean"), ("classification", "regression")


class Table(NamedTuple):
    """The cells of a file as text, by row of the file. A first column without a name is an index, called ""."""

    frame: Any  # a pandas.DataFrame with NaN for missing values
    written: Any  # the same with every cell as in the file
    sep: str
    decimal: str
    thousands: str

    def find(self, name: str) -> str:
        """The column with this name, or the only one whose name is equal up to form, as x₁ and x1 are."""
        names = list(filter(None, self.frame.columns))
        alike = [name] if name in names else [x for x in names if normalize("NFKC", x) == normalize("NFKC", name)]
        if len(alike) != 1:
            raise ValueError(f"the table has no column {name!r}: it has {_few(names)}")
        return alike[0]

    def numbers(self, name: str) -> Any:
        """The numbers in a column; NaN for text, a missing value, and 1e300 or more."""
        dot, group, cells = re.escape(self.decimal), re.escape(self.thousands), self.frame[name].fillna("")
        whole = rf"(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)"
        good = cells.str.fullmatch(rf"[+-]?(?:{whole}(?:{dot}\d*)?|{dot}\d+)(?:[eE][+-]?\d+)?")
        digits = cells.where(good, "nan").str.replace(self.thousands, "", regex=False)
        numbers = digits.str.replace(self.decimal, ".", regex=False).astype(float)
        return numbers.where(numbers.abs() < 1e300)

    def class_names(self, name: str) -> Any:
        """The classes in a column by their text; 1.0 is the class 1."""
        return self.frame[name].str.replace(r"^(\d+)[.,]0*$", r"\1", regex=True)

    def place(self, row: int, name: str) -> str:
        """The place and content of a cell, for a message."""
        return f"row {row} of the file, column {shown(name)} is {shown(self.written.at[row, name])}"


class Column(NamedTuple):
    """The meaning of a column."""

    name: str
    categories: list[str] | None  # its texts in alphabetical order; None for a column of numbers
    fill: float | str | None = None  # of a missing value: the training data's mean, or its most frequent text


class Schema(NamedTuple):
    """How rows of a table become examples and targets. A run's configuration stores it as JSON."""

    columns: list[Column]
    target: Column
    # features that go up by 1 from row to row, and may only count the rows; "" for an index
    counting: Sequence[str] = ()

    @property
    def features(self) -> list[str]:
        """The name of each number of an example; a column of text has a number for each category."""
        return [f"{c.name}={x}" if c.categories else c.name for c in self.columns for x in c.categories or [""]]

    def examples(self, table: Table) -> tuple[list[list[float]], list[str]]:
        """Each row as numbers, with columns found by name, and a sentence for each column with an unknown category.

        Raises ValueError for text among numbers, and for a missing value if training had none.
        """
        columns, unknown = [], []
        for name, categories, fill in self.columns:
            name = table.find(name)
            cells = table.frame[name] if categories else table.numbers(name)
            cells = cells if fill is None else cells.where(table.frame[name].notna(), fill)
            if cells.isna().any():
                needed = f"a text, such as {_few(categories)}" if categories else "a number"
                place = table.place(cells.isna().idxmax(), name)
                raise ValueError(f"{place}: it needs {needed}: mend it or leave out the row")
            columns += [(cells == x).astype(float) for x in categories] if categories else [cells]
            new = cells[~cells.isin(categories or cells)]
            if categories and len(new):
                place = f"{table.place(new.index[0], name)}: {counted(len(new), 'row')}"
                unknown.append(f"{place} with a category not seen in training, read as 0 for {_few(categories)}")
        return [list(row) for row in zip(*columns)], unknown

    def targets(self, table: Table) -> list[float]:
        """The number of each row, or the index of its class; NaN if it is missing or unknown."""
        if self.target.name not in table.frame.columns:
            return [math.nan] * len(table.frame)
        if not self.target.categories:
            return list(table.numbers(self.target.name))
        places = {x: k for k, x in enumerate(self.target.categories)}
        return list(table.class_names(self.target.name).map(places).astype(float))

    def __str__(self) -> str:
        """The meaning of the columns in one line."""
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
    """Read a CSV file, which may be compressed by gzip, with the parameters of ``pandas.read_csv``.

    The defaults are detected: the separator is the one of , ; tab | that fits, or that of Excel's line ``sep=;``; the
    encoding is UTF-8, UTF-16 with a BOM, or Windows-1252; the decimal mark is a comma if that separates no cells and
    no point marks decimals. Only empty cells and ``na_values`` are missing. Blank lines and comments, ``# …``, are
    skipped before the header.

    Raises ImportError without pandas, OSError, and ValueError for a file that is not a table.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError("pandas reads tables: pip install 'chainrule[tables]'") from None
    for option, mark in {"sep": sep, "decimal": decimal, "thousands": thousands}.items():
        if mark is not None and (len(mark) != 1 or mark.isalnum() or [decimal, thousands].count(mark) > 1):
            raise ValueError(f"{option} = {mark!r}: it needs to be one character, which marks nothing else")
    text, names = _text(path, encoding), list(names or ())
    before: Any = BEFORE.match(text)  # it matches, if only the empty text
    sep, skipped = sep or before[1] or max(";\t|,", key=partial(_fit, text[before.end() :])), before[0].count("\n")
    try:
        frame = pandas.read_csv(
            StringIO(text, newline=""), sep=sep, header=None, skiprows=skipped, dtype=str, na_filter=False,
            skipinitialspace=True, skip_blank_lines=False,
        ).map(str.strip)  # fmt: skip
    except (pandas.errors.EmptyDataError, pandas.errors.ParserError) as error:
        said = f"{path}: {str(error).strip().rpartition('C error: ')[2]}"
        raise ValueError(f"{said}; is there a cell too many, a quotation mark missing, or nothing in it?") from None
    frame.index += skipped + 1
    frame = frame[(frame != "").any(axis=1)]
    if not names and len(frame):
        names, frame = list(frame.iloc[0]), frame.iloc[1:]
        if any(re.fullmatch(r"[+-]?\d*[.,]\d+([eE][+-]?\d+)?", name) for name in names):  # 2019 may be a name
            raise ValueError(f"{path} begins with {names[:4]}: the first row, or --names, needs to name the columns")
    rows, width = frame.shape
    if not rows or len(names) != width:
        found = f"{counted(rows, 'row')} of {counted(width, 'column')} and {counted(len(names), 'name')}"
        raise ValueError(f"{path} has {found}: it needs at least one row, and a name for each column")
    frame.columns = names
    frame = frame.loc[:, (frame.columns != "") | (frame != "").any()]  # each line may end with a separator
    for k, (name, is_taken) in enumerate(zip(frame.columns, frame.columns.duplicated())):
        if is_taken or (k and not name):  # pandas and R write an index without a name first
            raise ValueError(f"{path}: column {k + 1} is named {shown(name)}: it needs a name of its own")
    frames = frame.mask(frame.isin(["", *(na_values or ())])), frame
    table = Table(*frames, sep, decimal or (".", ",")[thousands == "."], thousands or "")
    return table if decimal or thousands or sep == "," else table._replace(decimal=_decimal(table))


def read_split(
    path: str | PathLike[str], target: str, rng: Random, missing: str = "refuse", ignore: Sequence[str] = (),
    categories: Sequence[str] = (), task: str | None = None, **reading: Any,
) -> tuple[Split, Schema]:  # fmt: skip
    """Read a CSV file as examples in three parts, and return the schema by which they were read.

    missing      what to do about a missing value: "refuse" raises an error that names its place, "drop" leaves out
                 the row, "mean" fills in the training data's mean, or its most frequent text
    ignore       columns to leave out, such as an identifier
    categories   columns whose cells are names even if they look like numbers, such as a postcode
    task         "classification" or "regression"; by default, texts are classes, and so are whole numbers with at
                 most 20 values, each in at least three rows on average
    reading      as for ``read_table``

    Raises what ``read_table`` raises, and ValueError for what cannot be found, read or learned.
    """
    table = read_table(path, **reading)
    target, ignore, categories = table.find(target), [*map(table.find, ignore)], [*map(table.find, categories)]
    used = [name for name in table.frame.columns if name and name not in ignore and name != target]
    if not set(categories) <= set(used):
        raise ValueError(f"categories = {categories}: the target, and what is left out, is not read as a feature")
    if not used:
        raise ValueError(f"{path} has no column besides the target {target!r}: there is nothing to learn from")
    rising = [name for name in used if name not in categories and (table.numbers(name).diff()[1:] == 1.0).all()]
    counting = [""] * ("" in table.frame.columns) + rising * (len(table.frame) > 2)
    holes = table.frame[[*used, target]].isna()
    refused = (holes[[target]] if missing == "mean" else holes).stack()
    if missing == "drop":
        table = table._replace(frame=table.frame[~holes.any(axis=1)])
    elif refused.any():
        remedy = "in columns other than the target, fill in the training data's mean (--missing mean)"
        place = f"{table.place(*refused.idxmax())}, a missing value"
        raise ValueError(f"{place}: leave such rows out (--missing drop) or, {remedy}")
    if not len(table.frame):
        raise ValueError(f"each of the {len(holes)} rows misses a value: there are no others to learn from")
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
    """The names on one line, or the first four and the last."""
    short = [called(name, "''") for name in names]
    return ", ".join(short if len(short) <= 6 else [*short[:4], f"… {short[-1]}"])


def _text(path: str | PathLike[str], encoding: str | None) -> str:
    """The text of a file, decoded by its BOM, as UTF-8, or as Windows-1252, which old spreadsheets write."""
    content = Path(path).read_bytes()
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        guess = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
        # a file that is mostly UTF-8 stays so: one damaged byte must not turn every ö into Ã¶
        if guess == "utf-8" and content.decode(guess, "ignore").isascii():
            guess = "cp1252"
        text = content.decode(encoding or guess).removeprefix("\ufeff")
        if "\0" in text:
            raise UnicodeError("it holds bytes of 0")
    except (OSError, EOFError, zlib.error, UnicodeError, LookupError) as error:
        raise ValueError(f"{path}: {error}; save it as CSV in UTF-8, or say its --encoding") from None
    return text


def _fit(text: str, mark: str) -> tuple[bool, int, int]:
    """A score of a separator: whether it occurs equally often in the first rows, and how often."""
    first = "\n".join(text.split("\n", 50)[:50])
    found = [row.count(mark) for row in re.sub('"[^"]*"?', "cell", first).splitlines() if row] or [0]
    return 0 < found[0] == min(found) == max(found), found[0], max(found)


def _decimal(table: Table) -> str:
    """The decimal mark, if commas do not separate cells. Raises ValueError if both readings are possible."""
    cells = table.frame.stack()
    found = {mark: cells[cells.str.fullmatch(rf"[+-]?\d*[{mark}]\d+(?:[eE][+-]?\d+)?")] for mark in ",."}
    decimal = "," if len(found[","]) else "."
    places = [table.place(*cells.index[0]) for cells in found.values() if len(cells)]
    # by custom, decimals have commas if ; separates, else points; otherwise 1.234 may be 1234
    by_custom = (table.sep == ";") == (decimal == ",")
    if len(places) > 1 or (places and not by_custom and found[decimal].str.fullmatch(THOUSANDS).all()):
        raise ValueError(f"{' and '.join(places)}: say what marks decimals or thousands (--decimal, --thousands)")
    return decimal


def _holds_text(table: Table, name: str, remedy: str) -> bool:
    """Whether a column holds text. Raises ValueError for a slip among numbers instead of taking all as text."""
    numbers = table.numbers(name)
    text = table.frame[name][numbers.isna()].dropna()
    slips = text if numbers.notna().any() else text[text.str.fullmatch(LIKE_A_NUMBER)]
    if len(slips):
        place, cell = table.place(slips.index[0], name), shown(slips.iloc[0])
        rule = f"not a number such as 1234{table.decimal}5 (--decimal, --thousands)"
        raise ValueError(f"{place}, {rule}: mend it, call it missing (--na-values {cell}), {remedy}")
    return len(text) > 0


def _column(table: Table, name: str, are_names: bool) -> Column:
    remedy = f"take all as names (--categories {name!r}) or leave the column out (--ignore {name!r})"
    if not are_names and not _holds_text(table, name, remedy):
        return Column(name, None)
    categories = sorted(table.frame[name].dropna().unique())
    if len(categories) > MOST_CLASSES:
        wide = table.frame.loc[:, table.frame.nunique() > MOST_CLASSES]
        texts = " ".join(repr(x) for x in wide if x == name or not table.numbers(x).count())
        raise ValueError(f"column {name!r} holds over {MOST_CLASSES} texts: leave out all such (--ignore {texts})")
    return Column(name, categories)


def _target(table: Table, name: str, task: str | None) -> Column:
    numbers = table.numbers(name)
    if task != "classification":
        text, n = _holds_text(table, name, "or take all as classes (--task classification)"), numbers.nunique()
        if text and task == "regression":
            raise ValueError(f"{table.place(numbers.index[0], name)}: a regression needs numbers")
        fractions, many = (numbers % 1.0).any(), n > MOST_WHOLE or len(numbers) < 3 * n > 6
        if not text and n > 1 and (task or fractions or many):
            return Column(name, None)
    classes = dict(zip(table.class_names(name), numbers))
    if not 2 <= len(classes) <= MOST_CLASSES:
        found = f"{counted(len(classes), 'different value')}, {_few(classes)}"
        raise ValueError(f"target {name!r} has {found}: classes need 2 to {MOST_CLASSES}")
    return Column(name, sorted(classes, key=None if numbers.isna().any() else lambda x: (classes[x], x)))
