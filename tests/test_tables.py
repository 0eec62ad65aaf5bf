"""Tests of a user's CSV file: what is read and what is refused, with the place and without silent guesses."""

import csv
import gzip
import io
import math
import re
import sys
from random import Random

import pytest

from nn.cli.csv_tables import read_split, read_table

ROWS = [(f"{i % 7 + 0.5}", "abc"[i % 3], f"{i}", "yes" if i % 2 else "no") for i in range(30)]
HEADER = ("size", "kind", "id", "answer")


def csv_text(rows=ROWS, separator=",", header=HEADER):
    return "\n".join(separator.join(row) for row in [header, *rows]) + "\n"


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "my.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def read(path, **options):
    return read_split(path, "answer", Random(0), **options)


def cells(path, **options):
    """The names of a table's columns, and its rows."""
    frame = read_table(path, **options).written
    return list(frame.columns), frame.values.tolist()


def examples(schema, path):
    return schema.examples(read_table(path))[0]


def test_numbers_stay_and_text_becomes_one_number_for_each_category(write):
    data, schema = read(write(csv_text()), ignore=["id"])
    assert schema.features == ["size", "kind=a", "kind=b", "kind=c"] == data.training.features
    assert data.training.classes == ["no", "yes"]
    table = read_table(write(csv_text()))
    assert schema.examples(table)[0][1] == [1.5, 0.0, 1.0, 0.0]
    assert schema.targets(table)[:3] == [0, 1, 0]
    assert sum(len(part.y) for part in data) == 30


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_and_encodings_are_found(write, separator, encoding):
    rows = [(size, f"größe {kind}", *rest) for size, kind, *rest in ROWS]
    names, found = cells(write(csv_text(rows, separator), encoding))
    assert names == list(HEADER)
    assert found[0] == ["0.5", "größe a", "0", "no"]


def test_a_decimal_comma_is_read_where_semicolons_separate(write):
    rows = [(size.replace(".", ","), *rest) for size, *rest in ROWS]
    _, schema = read(write(csv_text(rows, ";")), ignore=["id"])
    assert examples(schema, write(csv_text(rows, ";")))[1][0] == 1.5


def test_quoted_cells_hold_separators_and_line_ends(write):
    table = read_table(write('a,b\n"1,5","x\ny"\n2,z\n'))
    assert table.written.values.tolist() == [["1,5", "x\ny"], ["2", "z"]]
    assert list(table.frame.index) == [2, 3]  # as a spreadsheet counts its rows


def with_hole(word="", column=0, row=4):
    rows = [list(cells) for cells in ROWS]
    rows[row][column] = word
    return csv_text(rows)


@pytest.mark.parametrize("word", ["", "NA", "?", "nan", "NULL"])
def test_a_missing_value_is_refused_with_row_and_column(write, word):
    with pytest.raises(
        ValueError, match=r"row 6 of the file, column 'size' is .*, a missing value: .*--missing mean"
    ):
        read(write(with_hole(word)), na_values=[word])


@pytest.mark.parametrize("word", ["NA", "?", "nan", "NULL", "-"])
def test_only_empty_cells_and_na_values_are_missing(write, word):
    with pytest.raises(ValueError, match=rf"is '{re.escape(word)}', not a number .*--na-values '{re.escape(word)}'"):
        read(write(with_hole(word)))
    data, _ = read(write(with_hole(word)), na_values=[word, "unknown"], missing="drop")
    assert sum(len(part.y) for part in data) == 29


@pytest.mark.parametrize("names", [("+", "-"), ("none", "mild"), ("NA", "EU"), ("NaN", "null")])
def test_words_that_elsewhere_mean_missing_are_classes_and_categories(write, names):
    rows = [(size, names[i % 2], i_, names[i % 2]) for i, (size, _, i_, _) in enumerate(ROWS)]
    data, schema = read(write(csv_text(rows)), ignore=["id"])
    assert schema.target.categories == sorted(names) == data.training.classes
    assert schema.columns[1].categories == sorted(names)


def test_rows_with_a_missing_value_can_be_dropped(write):
    data, _ = read(write(with_hole()), missing="drop")
    assert sum(len(part.y) for part in data) == 29


def test_the_mean_of_the_training_data_alone_stands_in_for_a_missing_number(write):
    path = write(with_hole())
    data, schema = read(path, missing="mean")
    complete = read(write(csv_text()), ignore=["id"])[0]  # the same split: the same labels and generator
    ids = [round(x[-1]) for x in data.training.X]
    known = [float(ROWS[i][0]) for i in ids if i != 4]
    assert schema.columns[0].fill == pytest.approx(sum(known) / len(known), abs=1e-12)
    assert [len(part.y) for part in data] == [len(part.y) for part in complete]
    [filled] = [x[0] for part in data for x in part.X if x[-1] == 4.0]
    assert filled == schema.columns[0].fill


def test_the_most_frequent_text_of_the_training_data_stands_in_for_a_missing_one(write):
    rows = [(size, "b" if i % 5 else "a", *rest) for i, (size, _, *rest) in enumerate(ROWS)]
    rows[3] = (rows[3][0], "", *rows[3][2:])
    _, schema = read(write(csv_text(rows)), missing="mean")
    assert schema.columns[1].fill == "b"


def test_a_missing_target_is_never_filled(write):
    with pytest.raises(ValueError, match="column 'answer' is '', a missing value"):
        read(write(with_hole(column=3)), missing="mean")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "my.csv: No columns to parse from file; look for an extra cell"),
        ("sep=;\n", "No columns to parse from file"),
        (",,\n", "0 rows of 3 columns"),
        ("a,b\n", "0 rows of 2 columns and 2 names: it needs at least one row"),
        ("a,b\n" + 60 * "1,2\n" + "1,2,3\n", "Expected 2 fields in line 62, saw 3; look for an extra cell"),
        ("a,a\n1,2\n", "column 2 repeats the name 'a': give it a unique name"),
        ("a,\n1,2\n", "column 2 has no name: give it a unique name"),
        ("1.5,2\n3,4\n", "begins with \\['1.5', '2'\\]: the first row, or --names, must name the columns"),
        ("5,1;3,5;setosa\n4,9;3,0;setosa\n", "begins with \\['5,1', '3,5', 'setosa'\\]: the first row, or --names"),
        ('a,b\n1,2\n"1,2\n3,4\n5,6\n', "EOF inside string .*a missing quotation mark"),
        (b"a,b\n1,\x00\n", "contains null bytes; save it as CSV in UTF-8, or pass its --encoding"),
        ("a,b\n1,2\n".encode("utf-16-le"), "contains null bytes"),
        ("a,b\n1,2\n".encode("utf-32"), "contains null bytes"),
        (b"a,b\n1,\x81\n", "decode byte 0x81 .*; save it as CSV in UTF-8, or pass its --encoding"),
        ("a,b\n1,ö\n2,".encode() + b"\xf6\n", "'utf-8' codec can't decode byte 0xf6 "),
        (b"\xff\xfea", "'utf-16-le' codec can't decode byte 0x61 "),
        ("My table\na,b\n1,2\n", "Expected 1 fields in line 2, saw 2; look for an extra cell"),
        ("sep=,\n# in May\na,b\n1,2,3\n", "Expected 2 fields in line 4, saw 3; look for an extra cell"),
        ("# x,y\n1.5,2\n3,4\n", "begins with \\['1.5', '2'\\]: the first row, or --names"),
    ],
    ids=[
        "empty",
        "only sep",
        "only commas",
        "header",
        "ragged",
        "twice",
        "nameless",
        "no header",
        "no header in a German file",
        "quote",
        "binary",
        "UTF-16 without a BOM",
        "UTF-32",
        "bytes",
        "one byte amiss",
        "half a UTF-16",
        "title",
        "rows longer than the names",
        "names behind a hash",
    ],
)
def test_what_is_no_table_is_refused_and_said_where(write, text, words):
    with pytest.raises(ValueError, match=words):
        read_table(write(text))


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa,b\r\n1,2\r\n", b"a,b\r1,2\r", b"\xfe\xff\0a\0,\0b\0\n\0001\0,\0002"]
)
def test_marks_of_order_and_line_ends_are_no_part_of_a_cell(write, content):
    assert cells(write(content)) == (["a", "b"], [["1", "2"]])


@pytest.mark.parametrize(
    ("cell", "number"),
    [(" +1.5 ", 1.5), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("１２", 12.0), ("1e-400", 0.0), ("\u00a07", 7.0)]
    + [(cell, None) for cell in ("1_000", "1e400", "inf", "0x10", "1 000", "1'000", "−1", "10%", "$5", "1/2")],
)  # fmt: skip
def test_a_cell_is_the_number_that_a_person_reads_or_is_refused(write, cell, number):
    path = write(with_hole(cell))
    if number is None:
        with pytest.raises(
            ValueError, match=r"row 6 of the file, column 'size' is .*, not a number such as 1234.5 .*: correct"
        ):
            read(path)
    else:
        assert examples(read(path)[1], path)[4][0] == number


@pytest.mark.parametrize("shown", [("1_000", "2_000"), ("−1", "−2"), ("1\u00a0000", "2\u00a0000"), ("inf", "-inf")])
def test_a_column_of_what_only_looks_like_numbers_is_not_taken_for_names(write, shown):
    with pytest.raises(ValueError, match=r"row 2 of the file, column 'size' is .*, not a number such as 1234.5"):
        read(write(csv_text([(shown[i % 2], *row[1:]) for i, row in enumerate(ROWS)])))


def test_tables_of_random_cells_are_read_as_they_were_written(write):
    rng = Random(0)
    for _ in range(200):
        width, separator = rng.randint(2, 5), rng.choice(",;\t|")
        names = [f"c{k}" for k in range(width)]
        rows = [
            ["z" + "".join(rng.choices("b ,;\t|\"'\n1.é−", k=rng.randint(0, 6))) for _ in names]
            for _ in range(rng.randint(1, 30))
        ]
        text = io.StringIO()
        quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        lineterminator = rng.choice(["\n", "\r\n"])
        csv.writer(text, delimiter=separator, lineterminator=lineterminator, quoting=quoting).writerows(
            [names, *rows]
        )
        read = cells(write(text.getvalue(), rng.choice(["utf-8", "utf-8-sig", "utf-16"])))
        assert read == (names, [[cell.strip() for cell in row] for row in rows])


def test_large_whole_numbers_are_classes_apart(write):
    def classes(*names):
        return read(write(csv_text([(*row[:3], names[i % 3]) for i, row in enumerate(ROWS)])))[1].target.categories

    assert classes("1000001", "1000002", "2000000.0") == ["1000001", "1000002", "2000000"]
    # which are one float, so only their texts tell them apart
    assert classes("9007199254740993", "9007199254740992", "1") == ["1", "9007199254740992", "9007199254740993"]


def test_a_message_shows_the_beginning_of_a_long_cell_and_a_few_of_many_columns(write):
    with pytest.raises(ValueError, match=r"column 'size' is 'x+\.\.\.x+', not a number") as error:
        read(write(with_hole("x" * 10_000)))
    assert len(str(error.value)) < 300
    wide = "\n".join(",".join(f"{k}{end}" for k in range(1_000)) for end in ("c", "", ".5"))
    with pytest.raises(ValueError, match=r"no column 'answer': its columns are 0c, 1c, 2c, 3c, … 999c$"):
        read(write(wide))


def test_a_class_with_a_single_example_is_trained_on(write):
    data, _ = read(write(csv_text([*ROWS, ("1", "a", "1", "rare")])))
    rare = data.training.classes.index("rare")
    assert [rare in part.y for part in data] == [True, False, False]
    data, _ = read(write(csv_text([(*row[:3], f"{i}") for i, row in enumerate(ROWS)])), task="classification")
    assert [len(part.y) for part in data] == [18, 6, 6]


@pytest.mark.slow
def test_ten_megabytes_are_read_to_the_last_bit(write):
    rng = Random(0)
    rows = [([rng.gauss(0.0, 1.0) for _ in range(5)], rng.choice(["no", "yes"])) for _ in range(100_000)]
    path = write(csv_text([(*map(repr, x), y) for x, y in rows], header=(*"abcde", "answer")))
    assert path.stat().st_size > 9e6
    data, _ = read(path)
    found = sorted((x, data.training.classes[y]) for part in data for x, y in zip(part.X, part.y))
    assert found == sorted(rows)


def texts(n):
    return csv_text([(f"name {i}", "a", f"{i}", "yes" if i % 2 else "no") for i in range(n)])


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (csv_text(), {"target": "colour"}, "no column 'colour': its columns are size, kind"),
        (csv_text(), {"ignore": ["colour"]}, "no column 'colour'"),
        (csv_text(), {"ignore": ["size", "kind", "id"]}, "needs at least one feature"),
        (csv_text([(*row[:3], "yes") for row in ROWS]), {}, "1 different value, yes: a classification needs 2 to 50"),
        (csv_text([(*row[:3], "2.5") for row in ROWS]), {"task": "regression"}, "1 different value, 2.5"),
        (csv_text(), {"task": "regression"}, "column 'answer' is 'no': a regression needs numbers"),
        (texts(60), {}, r"'size' has more than 50 different strings: leave out such columns \(--ignore 'size'\)"),
        (csv_text([(f"name {i}", f"note {i}", f"{i}", "yes" if i % 2 else "no") for i in range(60)]), {},
         r"'size' has more than 50 different strings: leave out such columns \(--ignore 'size' 'kind'\)"),
        (texts(60).replace("name ", "").replace("\n7,", "\n12o,"), {}, "row 9 of the file, column 'size' is '12o'"),
    ],
    ids=["target", "ignore", "no feature", "one class", "constant", "words", "texts", "texts in two", "a letter"],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(write, text, options, words):
    with pytest.raises(ValueError, match=words):
        read_split(write(text), **{"target": "answer", "rng": Random(0), **options})


def test_a_mixture_of_numbers_and_texts_is_refused_however_many_there_are_of_each(write):
    rows = [(("none", "some", "1", "2")[i % 4], *row[1:]) for i, row in enumerate(ROWS)]
    with pytest.raises(ValueError, match=r"row 2 of the file, column 'size' is 'none', not a number .*--categories"):
        read(write(csv_text(rows)))
    assert read(write(csv_text(rows)), categories=["size"])[1].columns[0].categories == ["1", "2", "none", "some"]


@pytest.mark.parametrize("slip", ["1O", "3 cm", "12,345", "inf", "1e999", "10 %", "1'000", "unknown"])
def test_a_slip_among_numbers_does_not_make_names_of_them(write, slip):
    rows = [list(cells) for cells in ROWS]
    rows[4][0] = f'"{slip}"'
    with pytest.raises(
        ValueError, match=r"row 6 of the file, column 'size' is .*, not a number .*--categories 'size'"
    ):
        read(write(csv_text(rows)))
    _, schema = read(write(csv_text(rows)), categories=["size"])
    assert len(schema.columns[0].categories) == 8  # seven sizes and the slip


def test_numbers_are_names_where_it_is_asked_for(write):
    rows = [(f"{8000 + i % 3}", *rest) for i, (_, *rest) in enumerate(ROWS)]
    data, schema = read(write(csv_text(rows)), categories=["size"])
    assert schema.features[:3] == ["size=8000", "size=8001", "size=8002"]
    assert {tuple(x[:3]) for x in data.training.X} == {(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)}
    for column in ("answer", "kind"):
        with pytest.raises(ValueError, match=rf"categories = \['{column}'\]"):
            read(write(csv_text()), categories=[column], ignore=["kind"])


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_marks_that_may_be_of_decimals_or_of_thousands_are_refused(write, separator):
    def sizes(*cells):
        return csv_text([(cells[i % len(cells)], *rest) for i, (_, *rest) in enumerate(ROWS)], separator)

    with pytest.raises(ValueError, match=r"row 2 .* is '1,5' and row 3 .* is '2.5': the decimal mark is ambiguous"):
        read(write(sizes("1,5", "2.5")))
    if separator != ";":  # where the comma is a decimal one by custom
        with pytest.raises(ValueError, match=r"row 2 .* is '1,234': the decimal mark is ambiguous"):
            read(write(sizes("1,234", "999")))
    else:
        with pytest.raises(ValueError, match=r"row 2 .* is '1\.234': the decimal mark is ambiguous"):
            read(write(sizes("1.234", "999")))
    plain = [("1.234", "0.5", "999"), ("0.123", "999")]
    for decimals in plain if separator == ";" else [*plain, ("1.234", "999.000"), ("1.234", "1000")]:
        path = write(sizes(*decimals))
        assert examples(read(path)[1], path)[0][0] == float(decimals[0])
    _, schema = read(write(sizes("1,234", "0,5")), ignore=["id"])
    assert examples(schema, write(sizes("1,234", "0,5")))[0][0] == 1.234


def test_a_schema_says_how_the_columns_are_read(write):
    _, schema = read(write(csv_text()))
    assert str(schema) == "2 numbers (size, id); kind, one of a, b, c; to predict: answer, one of no, yes"


def test_classes_that_are_whole_numbers_are_in_their_order_and_written_shortly(write):
    data, _ = read(write(csv_text([(*row[:3], f"{i % 11}.0") for i, row in enumerate(ROWS * 3)])))
    assert data.training.classes == [str(i) for i in range(11)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: ("x", *row[1:]), "row 2 of the file, column 'size' is 'x': it must be a number"),
        (lambda row: ("", *row[1:]), "column 'size' is '': it must be a number; correct it or drop the row"),
        (lambda row: (row[0], "", *row[2:]), "column 'kind' is '': it must be one of a, b, c; correct it"),
        (lambda row: ("inf", *row[1:]), "it must be a number"),
        (lambda row: ("1_000", *row[1:]), "it must be a number"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(write, change, words):
    _, schema = read(write(csv_text()))
    table = read_table(write(csv_text([change(ROWS[0]), *ROWS[1:]])))
    with pytest.raises(ValueError, match=words):
        schema.examples(table)


def test_new_rows_are_found_by_the_names_of_their_columns_and_need_no_target(write):
    _, schema = read(write(csv_text()))
    table = read_table(write("id,extra,kind,size\n7,9,c,2.5\n"))
    assert schema.examples(table) == ([[2.5, 0.0, 0.0, 1.0, 7.0]], [])
    with pytest.raises(ValueError, match="the table has no column 'size': its columns are id, kind"):
        schema.examples(read_table(write("id,kind\n7,c\n")))


def test_a_column_that_counts_the_rows_is_found(write):
    path = write(csv_text())
    _, schema = read(path)
    assert schema.counting == ["id"]  # size goes up and starts again, kind is text
    _, without = read(path, ignore=["id"])
    assert without.counting == []
    _, schema = read(write(with_hole(column=2)), missing="drop")
    assert schema.counting == []


# ---- targets that are numbers ----------------------------------------------------------------------------------


def priced(*prices):
    return csv_text([(*row[:3], prices[i % len(prices)]) for i, row in enumerate(ROWS)])


@pytest.mark.parametrize(
    ("cells", "task", "categories"),
    [
        (["1.5", "2.5", "4"], None, None),  # not all whole
        ([f"{1000 + 10 * i}" for i in range(30)], None, None),  # whole, and too many for classes
        ([f"{i}" for i in range(11)], None, None),  # fewer than three rows for each
        (["3", "4", "5"], None, ["3", "4", "5"]),
        (["0", "1"], None, ["0", "1"]),
        (["3", "4", "5"], "regression", None),
        (["1.5", "2.5"], "classification", ["1.5", "2.5"]),
        (["low", "high"], None, ["high", "low"]),
        (["1", "2", "3+"], "classification", ["1", "2", "3+"]),
    ],
)
def test_a_target_is_a_number_or_a_class_by_its_values_or_as_the_task_says(write, cells, task, categories):
    path = write(priced(*cells))
    data, schema = read(path, task=task)
    assert schema.target.categories == categories
    if categories is None:
        assert schema.targets(read_table(path)) == [float(cells[i % len(cells)]) for i in range(30)]
        assert all(type(y) is float for part in data for y in part.y) and data.training.classes == []
    assert sum(len(part.y) for part in data) == 30


@pytest.mark.parametrize("slip", ["12..5", "1,5", "12 €", "unknown", "1.5.2024"])
def test_a_slip_among_the_numbers_of_a_target_does_not_make_classes_of_them(write, slip):
    rows = [(*row[:3], f'"{slip}"' if i == 4 else f"{i * 1.5}") for i, row in enumerate(ROWS)]
    with pytest.raises(ValueError, match=r"row 6 of the file, column 'answer' is .*, not a number .*--task class"):
        read(write(csv_text(rows)))


def test_the_introduction_says_whether_numbers_are_classes(write):
    assert str(read(write(priced("1.5", "2")))[1]).endswith(
        "; to predict: answer, a number (--task classification for classes)"
    )
    assert str(read(write(priced("3", "4", "5")))[1]).endswith(
        "answer, one of 3, 4, 5 (--task regression for a number)"
    )
    assert str(read(write(csv_text()))[1]).endswith("answer, one of no, yes")


# ---- files as they occur ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a,b\n1.5,x\n2,y\n", {}),
        ("sep=;\na;b\n1.5;x\n2;y\n", {}),
        ("SEP=|\r\na|b\r\n1.5|x\r\n2|y\r\n", {}),
        ("# measured, in May,\n# by hand\na,b\n1.5,x\n2,y\n", {}),
        ("a,b,\n1.5,x,\n2,y,\n", {}),
        ("\n\n# measured\n\n##\r\n#\na,b\n1.5,x\n2,y\n", {}),
        ("a,b\n1.5,x\n\n2,y\n,\n,\n", {}),
        ("1.5,x\n2,y\n", {"names": ["a", "b"]}),
        ("a~b\n1.5~x\n2~y\n", {"sep": "~"}),
        ("a;b\n1,5;x\n2;y\n", {}),
        ("a,b\n1:5,x\n2,y\n", {"decimal": ":"}),
    ],
    ids=["plain", "sep", "sep and |", "comments", "trailing", "before", "blank", "names", "~", "comma", ":"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_programs_write_around_a_table_is_not_read_as_data(write, text, options, pack):
    table = read_table(write(pack(text.encode())), **options)
    assert list(table.written.columns) == ["a", "b"]
    assert table.numbers("a").tolist() == [1.5, 2.0] and table.written["b"].tolist() == ["x", "y"]


@pytest.mark.parametrize("index", ["0 1 2", "1 2 3", "Mazda Fiat Volvo", "a3 a1 a2"])
def test_an_index_without_a_name_is_no_feature_and_is_written_back(write, index):
    rows = "".join(f"{name},{k}.5,{k % 2}\n" for k, name in enumerate(index.split()))
    table = read_table(write(f",a,b\n{rows}"))
    assert table.written.to_csv(index=False, lineterminator="\n") == f",a,b\n{rows}"
    with pytest.raises(ValueError, match="no column '': its columns are a, b"):
        table.find("")
    _, schema = read_split(write(f",a,b\n{rows * 5}"), "b", Random(0))
    assert schema.features == ["a"] and schema.counting == [""]  # and a line says so


def test_names_that_stand_behind_a_hash_are_names(write):
    assert cells(write("#id,b\n1.5,x\n")) == (["#id", "b"], [["1.5", "x"]])


@pytest.mark.parametrize(
    ("cell", "options", "number"),
    [
        ("1.234,5", {"decimal": ",", "thousands": "."}, 1234.5),
        ("-1.234.567", {"decimal": ",", "thousands": "."}, -1234567.0),
        ("1234,5", {"decimal": ",", "thousands": "."}, 1234.5),
        ("1'234.5", {"thousands": "'"}, 1234.5),
        ("1.234", {"decimal": "."}, 1.234),
        ("1.234", {"thousands": "."}, 1234.0),
        ("1.234,5", {"thousands": "."}, 1234.5),
        ("1.5", {"thousands": "."}, None),
        ("12..5", {"decimal": ",", "thousands": "."}, None),
        ("1.23,5", {"decimal": ",", "thousands": "."}, None),
        ("1.5", {"decimal": ","}, None),
    ],
)
def test_thousands_are_grouped_by_three_or_are_no_number(write, cell, options, number):
    table = read_table(write(f"a;b\n{cell};x\n"), **options)
    assert table.numbers("a").tolist() == pytest.approx(
        [math.nan if number is None else number], nan_ok=True, abs=0.0
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decimal": ",", "thousands": ","}, "decimal = ',': it must be a single character"),
        ({"sep": "ab"}, "sep = 'ab'"),
        ({"decimal": "x"}, "decimal = 'x'"),
        ({"encoding": "utf-9"}, "unknown encoding: utf-9; save it as CSV in UTF-8, or pass its --encoding"),
        ({"encoding": "ascii"}, "'ascii' codec can't decode byte 0xc3 .*--encoding"),
        ({"names": ["a"]}, "2 rows of 2 columns and 1 name: it needs at least one row, and a name for each"),
    ],
)
def test_ways_of_writing_that_cannot_be_are_refused(write, options, words):
    with pytest.raises(ValueError, match=words):
        read_table(write("a,b\n1,é\n"), **options)


def test_a_damaged_archive_is_refused(write):
    with pytest.raises(ValueError, match=r"my.csv: Compressed file ended before"):
        read_table(write(gzip.compress(b"a,b\n1,2\n")[:-9]))


def test_names_are_found_where_they_differ_in_form_alone(write):
    table = read_table(write("x1,ﬁt,x₂,x2\n1,2,3,4\n"))
    assert [table.find(name) for name in ("x₁", "fit", "x₂", "x2")] == ["x1", "ﬁt", "x₂", "x2"]
    with pytest.raises(ValueError, match="no column 'x²'"):
        table.find("x²")  # which may be either


def test_a_category_that_was_not_seen_is_zeros_and_a_sentence(write):
    _, schema = read(write(csv_text()))
    rows = [("1.5", "d", "0", "no"), ("1.5", "a", "0", "no"), ("1.5", "e", "0", "no")]
    X, unknown = schema.examples(read_table(write(csv_text(rows))))
    assert X == [[1.5, 0.0, 0.0, 0.0, 0.0], [1.5, 1.0, 0.0, 0.0, 0.0], [1.5, 0.0, 0.0, 0.0, 0.0]]
    assert unknown == [
        "row 2 of the file, column 'kind' is 'd': 2 rows with a category not seen in training, "
        "encoded as 0 for a, b, c"
    ]


def test_without_pandas_a_line_says_what_to_install(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[tables\]'"):
        read_table(write(csv_text()))


def rows_of(n, *cells, separator=","):
    """n lines; a cell is a function of the line's number."""
    return "".join(separator.join(cell(i) for cell in cells) + "\n" for i in range(n))


def german(i):
    return f"{30 + i * 1.7:.1f}".replace(".", ",")


def one_of(*names):
    return lambda i: names[i % len(names)]


def decimal(i):
    return f"{i * 7 % 11 / 3:.2f}"


FILES = {
    "iris.data, without names": (
        rows_of(60, decimal, decimal, one_of("setosa", "virginica")),
        {"target": "species"}, "begins with .*: the first row, or --names, must name the columns",
    ),
    "iris.data, named": (
        rows_of(60, decimal, decimal, one_of("setosa", "virginica")) + "\n",
        {"target": "kind", "names": ["sl", "sw", "kind"]}, (["sl", "sw"], ["setosa", "virginica"]),
    ),
    "a German Excel file": (
        ("Größe;Straße;Miete\n" + rows_of(60, german, one_of("Südstraße", "Münzgasse"), german, separator=";"))
        .replace("\n", "\r\n").encode("cp1252"),
        {"target": "Miete"}, (["Größe", "Straße=Münzgasse", "Straße=Südstraße"], None),
    ),
    "Excel's Unicode text": (
        ("weight\tkind\n" + rows_of(40, decimal, one_of("cat", "dog"), separator="\t")).encode("utf-16"),
        {"target": "kind"}, (["weight"], ["cat", "dog"]),
    ),
    "decimal commas between commas": (
        "weight,price\n" + rows_of(60, german, german),
        {"target": "price"}, "Expected 2 fields in line 2, saw 4; look for an extra cell",
    ),
    "pandas' to_csv, in gzip": (
        gzip.compress((",cyl,weight,mpg\n" + rows_of(60, str, one_of("4", "6", "8"), decimal, decimal)).encode()),
        {"target": "mpg"}, (["cyl", "weight"], None),
    ),
    "adult.data": (
        "age, work, region, income\n" + rows_of(60, decimal, one_of("Private", "?"), one_of("NA", "EU", "US"),
                                                one_of("<=50K", ">50K"), separator=", "),
        {"target": "income", "na_values": ["?"], "missing": "mean"},
        (["age", "work=Private", "region=EU", "region=NA", "region=US"], ["<=50K", ">50K"]),
    ),
    "an instrument's log": (
        "sep=;\n# measured on 12 May\n#\ntemp;rate\n" + rows_of(40, decimal, decimal, separator=";"),
        {"target": "rate"}, (["temp"], None),
    ),
    "salaries with thousands": (
        "years,salary\n" + rows_of(40, decimal, lambda i: f'"{30 + i},{100 + i}"'),
        {"target": "salary"}, r"column 'salary' is '30,100', not a number .*--thousands",
    ),
    "salaries, said how": (
        "years,salary\n" + rows_of(40, decimal, lambda i: f'"{30 + i},{100 + i}"'),
        {"target": "salary", "thousands": ",", "sep": ","}, (["years"], None),
    ),
    "Excel's empty rows and columns": (
        "a,b,y,,\n" + rows_of(40, decimal, decimal, one_of("+", "-"), one_of(""), one_of("")) + ",,,,\n,,,,\n",
        {"target": "y"}, (["a", "b"], ["+", "-"]),
    ),
    "titanic.csv": (
        "PassengerId,Survived,Age,Name\n" + rows_of(80, str, one_of("0", "1"), one_of("22", "38.5", ""),
                                                    lambda i: f'"Doe, Mr. {i}"'),
        {"target": "Survived"}, r"row 4 of the file, column 'Age' is '', a missing value: .*--missing drop",
    ),
    "winequality.csv": (
        '"fixed acidity";"density";"quality"\n' + rows_of(60, decimal, decimal, one_of("3", "4", "5"), separator=";"),
        {"target": "quality"}, (["fixed acidity", "density"], ["3", "4", "5"]),
    ),
    "a slip": (
        "x,y\n" + rows_of(40, decimal, lambda i: "12..5" if i == 7 else f"{i * 1.5}"),
        {"target": "y"}, "row 9 of the file, column 'y' is '12..5', not a number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_as_it_occurs_is_learned_or_refused_in_one_clear_line(write, name):
    text, options, expected = FILES[name]
    path = write(text)
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected) as error:
            read_split(path, rng=Random(0), **options)
        assert "\n" not in str(error.value)
    else:
        data, schema = read_split(path, rng=Random(0), **options)
        assert (schema.features, schema.target.categories) == expected
        assert min(len(part.y) for part in data) >= 8
