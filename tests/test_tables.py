"""A user's own CSV: what is read, what is refused, and where; nothing is guessed in silence."""

from random import Random

import pytest

from nn.tables import Schema, counting, read_split, read_table

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


def test_numbers_stay_and_text_becomes_one_number_for_each_category(write):
    data, schema = read(write(csv_text()), ignore=["id"])
    assert schema.features == ["size", "kind=a", "kind=b", "kind=c"] == data.training.features
    assert data.training.classes == ["no", "yes"]
    table = read_table(write(csv_text()))
    assert schema.examples(table)[1] == [1.5, 0.0, 1.0, 0.0]
    assert schema.labels(table)[:3] == [0, 1, 0]
    assert sum(len(part.y) for part in data) == 30


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_and_encodings_are_found(write, separator, encoding):
    rows = [(size, f"größe {kind}", *rest) for size, kind, *rest in ROWS]
    table = read_table(write(csv_text(rows, separator), encoding))
    assert table.columns == list(HEADER)
    assert table.rows[0] == ["0.5", "größe a", "0", "no"]


def test_a_decimal_comma_is_read_where_semicolons_separate(write):
    rows = [(size.replace(".", ","), *rest) for size, *rest in ROWS]
    _, schema = read(write(csv_text(rows, ";")), ignore=["id"])
    assert schema.examples(read_table(write(csv_text(rows, ";"))))[1][0] == 1.5


def test_quoted_cells_hold_separators_and_line_ends(write):
    table = read_table(write('a,b\n"1,5","x\ny"\n2,z\n'))
    assert table.rows == [["1,5", "x\ny"], ["2", "z"]]
    assert table.lines == [3, 4]


def with_hole(word="", column=0, row=4):
    rows = [list(cells) for cells in ROWS]
    rows[row][column] = word
    return csv_text(rows)


@pytest.mark.parametrize("word", ["", "NA", "?", "nan", "NULL"])
def test_a_missing_value_is_refused_with_row_and_column(write, word):
    with pytest.raises(ValueError, match=r"row 5 \(line 6\), column 'size' is missing .*--missing mean"):
        read(write(with_hole(word)))


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
    with pytest.raises(ValueError, match="column 'answer' is missing"):
        read(write(with_hole(column=3)), missing="mean")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 rows"),
        ("a,b\n", "1 rows"),
        ("a,b,c\n1,2,3\n1,2\n", "line 3, has 2 cells and the first row 3"),
        ("a,a\n1,2\n", "2 columns named 'a'"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("1,2\n3,4\n", "first row needs to name the columns"),
        ('a,b\n"1,2\n', "line "),
        (b"a,b\n1,\x00\n", "bytes of 0"),
        (b"a,b\n1,\x81\n", "not text in utf-8-sig or cp1252"),
        (b"\xff\xfea", "not text in utf-16"),
    ],
    ids=["empty", "header", "ragged", "twice", "nameless", "no header", "quote", "binary", "bytes", "half a UTF-16"],
)
def test_what_is_no_table_is_refused_and_said_where(write, text, words):
    with pytest.raises(ValueError, match=words):
        read_table(write(text))


def texts(n):
    return csv_text([(f"name {i}", "a", f"{i}", "yes" if i % 2 else "no") for i in range(n)])


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (csv_text(), {"target": "colour"}, "no column 'colour': it has size, kind"),
        (csv_text(), {"ignore": ["colour"]}, "no column 'colour'"),
        (csv_text(), {"missing": "guess"}, "refuse, drop, mean"),
        (csv_text(), {"ignore": ["size", "kind", "id"]}, "nothing to learn from"),
        (csv_text([(*row[:3], "yes") for row in ROWS]), {}, "'yes' in every row"),
        (csv_text([(*row[:3], f"{i + 0.5}") for i, row in enumerate(ROWS)]), {}, "not all whole"),
        (texts(60), {}, "'size' holds text of 60 kinds"),
        (texts(60).replace("name ", "").replace("\n7,", "\n12o,"), {}, r"row 8 \(line 9\), column 'size' is '12o'"),
    ],
    ids=["target", "ignore", "missing", "no feature", "one class", "real target", "texts", "a letter"],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(write, text, options, words):
    with pytest.raises(ValueError, match=words):
        read_split(write(text), **{"target": "answer", "rng": Random(0), **options})


@pytest.mark.parametrize("slip", ["1O", "3 cm", "12,345", "inf", "1e999", "10 %", "1'000", "unknown"])
def test_a_slip_among_numbers_does_not_make_names_of_them(write, slip):
    rows = [list(cells) for cells in ROWS]
    rows[4][0] = f'"{slip}"'
    with pytest.raises(ValueError, match=r"row 5 \(line 6\), column 'size' is .*, no number .*--categories 'size'"):
        read(write(csv_text(rows)))
    _, schema = read(write(csv_text(rows)), categories=["size"])
    assert len(schema.columns[0].categories) == 8  # seven sizes and the slip


def test_numbers_are_names_where_it_is_asked_for(write):
    rows = [(f"{8000 + i % 3}", *rest) for i, (_, *rest) in enumerate(ROWS)]
    data, schema = read(write(csv_text(rows)), categories=["size"])
    assert schema.features[:3] == ["size=8000", "size=8001", "size=8002"]
    assert {tuple(x[:3]) for x in data.training.X} == {(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)}
    for column in ("answer", "kind"):
        with pytest.raises(ValueError, match=f"categories = '{column}'"):
            read(write(csv_text()), categories=[column], ignore=["kind"])


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_marks_that_may_be_of_decimals_or_of_thousands_are_refused(write, separator):
    def sizes(*cells):
        return csv_text([(cells[i % len(cells)], *rest) for i, (_, *rest) in enumerate(ROWS)], separator)

    with pytest.raises(
        ValueError, match=r"row 1 .* is '1,5' and row 2 .* is '2.5': decimals need to be marked alike"
    ):
        read(write(sizes("1,5", "2.5")))
    if separator != ";":  # where the comma is a decimal one by custom
        with pytest.raises(ValueError, match=r"may mark decimals or thousands: write 1\.234 or 1234"):
            read(write(sizes("1,234", "999")))
    _, schema = read(write(sizes("1,234", "0,5")), ignore=["id"])
    assert schema.examples(read_table(write(sizes("1,234", "0,5"))))[0][0] == 1.234


def test_a_schema_says_how_the_columns_are_read(write):
    _, schema = read(write(csv_text()))
    assert str(schema) == "2 numbers (size, id); kind, one of a, b, c; to learn: answer, one of no, yes"


def test_classes_that_are_whole_numbers_are_in_their_order_and_written_shortly(write):
    data, _ = read(write(csv_text([(*row[:3], f"{i % 11}.0") for i, row in enumerate(ROWS * 3)])))
    assert data.training.classes == [str(i) for i in range(11)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: ("x", *row[1:]), r"row 1 \(line 2\), column 'size' is 'x': it needs a number"),
        (lambda row: (row[0], "d", *row[2:]), "column 'kind' is 'd': the network knows a, b, c"),
        (lambda row: ("", *row[1:]), "trained on rows without missing values"),
        (lambda row: ("inf", *row[1:]), "it needs a number"),
        (lambda row: ("1_000", *row[1:]), "it needs a number"),
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
    assert schema.examples(table) == [[2.5, 0.0, 0.0, 1.0, 7.0]]
    with pytest.raises(ValueError, match="'size' is not in the table"):
        schema.examples(read_table(write("id,kind\n7,c\n")))


def test_a_column_that_counts_the_rows_is_found(write):
    path = write(csv_text())
    _, schema = read(path)
    assert counting(read_table(path), schema) == ["id"]  # size goes up and starts again, kind is text
    _, without = read(path, ignore=["id"])
    assert counting(read_table(path), without) == []
    path = write(with_hole("NA", column=2))
    _, schema = read(path, missing="drop")
    assert counting(read_table(path), schema) == []


def test_a_schema_survives_json(write):
    import json

    _, schema = read(write(with_hole()), missing="mean")
    assert Schema.from_json(json.loads(json.dumps(schema._asdict()))) == schema
