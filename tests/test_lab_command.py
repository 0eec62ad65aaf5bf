"""Tests of ``python -m nn lab``: its use of data and options, the file that it writes, and its one-line errors."""

import json
import re
import webbrowser
from pathlib import Path
from random import Random
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from nn import accuracy
from nn.__main__ import configuration, main, parser
from nn.cli.experiment import LAB, situation
from nn.laboratory import Situation


@pytest.fixture(autouse=True)
def opened(monkeypatch, tmp_path):
    """What a browser was asked to open; the working folder is empty."""
    found = []
    monkeypatch.setattr(webbrowser, "open", lambda url: found.append(url) or True)
    monkeypatch.chdir(tmp_path)
    return found


def shown(path):
    """The situations of a page."""
    page = Path(path).read_text(encoding="utf-8")
    [text] = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    return json.loads(text)["situations"]


def saved(*words):
    main(["lab", *map(str, words), "--save", "lab.html"])
    [one] = shown("lab.html")
    return one


def test_without_data_the_lessons_are_saved_and_nothing_is_opened(capsys, opened):
    main(["lab", "--save", "lab.html"])
    assert capsys.readouterr().out == "lab: lab.html\n" and opened == []
    assert len({one["title"].split(" / ")[0] for one in shown("lab.html")}) == 8
    assert [path.name for path in Path().iterdir()] == ["lab.html"]


def test_without_a_name_the_page_is_opened_from_a_folder_of_its_own(capsys, opened):
    main(["lab", "moons"])
    [url] = opened
    path = Path(url2pathname(urlparse(url).path))
    assert url.startswith("file:") and capsys.readouterr().out == f"lab: {path}\n"
    assert shown(path)[0]["title"] == "moons" and list(Path().iterdir()) == []
    path.unlink()
    path.parent.rmdir()


def test_where_there_is_no_browser_a_second_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    main(["lab", "moons"])
    said = capsys.readouterr()
    assert said.out.startswith("lab: ") and said.err.startswith("no browser was found") and said.err.count("\n") == 1


@pytest.mark.parametrize("name", ["moons", "circles", "xor", "spirals", "sine"])
def test_a_toy_set_has_100_points_few_units_and_steps_as_on_the_slides(name):
    one = saved(name)
    assert len(one["points"]) == 100 and one["batch_size"] == 10 and one["optimizer"]["name"] == "SGD"
    assert max(len(layer["W"]) for layer in one["layers"]) <= 8
    assert one["task"]["kind"] == ("regression" if name == "sine" else "classification")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_by_default_the_moons_are_parted_within_1000_steps(seed):
    config = configuration(parser().parse_args(["moons", "--seed", str(seed)])) | LAB
    options = situation(config, 100)
    training = Situation(**options).training
    training.progress, training.epochs = False, 100
    assert any(accuracy(training.model, training.training) >= 0.98 for _ in training)


def test_options_reach_the_page():
    one = saved(
        "--hidden", 5, 3, "circles", "--activation", "relu", "--optimizer", "adam", "--learning-rate", 0.02,
        "--batch-size", 8, "--dropout", 0.25, "--batchnorm", "--examples", 40, "--noise", 0.0, "--seed", 7,
    )  # fmt: skip
    assert [len(layer["W"]) for layer in one["layers"]] == [5, 3, 1]
    assert [(layer["g"], layer["p"], len(layer["gamma"])) for layer in one["layers"]] == [
        ("relu", 0.25, 5), ("relu", 0.25, 3), ("", 0.0, 0)
    ]  # fmt: skip
    assert (one["optimizer"]["name"], one["optimizer"]["rate"], one["batch_size"]) == ("Adam", 0.02, 8)
    assert len(one["points"]) == 40
    radii = {round(sum(x_k**2 for x_k in point["x"]) ** 0.5, 6) for point in one["points"]}
    assert len(radii) == 2  # without noise
    assert saved("moons", "--seed", 1)["shared"] != saved("moons", "--seed", 2)["shared"]
    assert saved("moons", "--seed", 1)["shared"] == saved("moons", "--seed", 1)["shared"]
    assert saved("moons", "--hidden")["parameters"] == ["w¹_11", "w¹_12", "b¹_1"]


@pytest.mark.parametrize("most", [20, 100])
def test_of_a_table_as_many_rows_are_shown_and_its_names_and_units_stay(most):
    pytest.importorskip("pandas")
    rng = Random(0)
    rows = [(rng.gauss(5.0, 2.0), rng.gauss(50.0, 9.0)) for _ in range(120)]
    lines = [f"{a},{b},{'red' if a > 5.0 else 'blue'},{100.0 + a * b}" for a, b in rows]
    Path("table.csv").write_text("\n".join(["width,height,kind,price", *lines]) + "\n")
    one = saved("table.csv", "--target", "kind", "--ignore", "price", "--examples", most)
    assert one["features"] == ["width (standardised)", "height (standardised)"] and one["task"]["classes"] == [
        "blue",
        "red",
    ]
    assert len(one["points"]) == most and one["title"] == "table"
    for k in range(2):  # standardised
        assert abs(sum(point["x"][k] for point in one["points"])) < 1e-9
    one = saved("table.csv", "--target", "price", "--ignore", "kind", "--examples", most)
    mean, deviation = one["task"]["units"]
    assert one["task"]["kind"] == "regression" and 300.0 < mean < 400.0 and deviation > 50.0
    assert abs(sum(point["y"] for point in one["points"])) < 1e-9


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nothing"], "DATA 'nothing' is neither a file nor one of"),
        (["--hidden", "3"], "--hidden requires DATA, as in: python -m nn lab moons"),
        (["moons", "--save", "lab.txt"], "--save lab.txt: the page is an HTML file; name it lab.html"),
        (["moons", "--save", "nowhere/lab.html"], "No such file or directory"),
        (["moons", "--examples", "2"], "--examples 2: it must be between 5 and 500"),
        (["moons", "--target", "y"], "--target requires a file, not moons"),
        (["moons", "--noise", "-1"], "noise = -1.0"),
        (["iris", "--noise", "1"], "--noise requires data"),
        (
            ["moons", "--optimizer", "adam", "--momentum", "0.5"],
            "--momentum requires optimizer sgd or rmsprop, not adam",
        ),
        (["moons", "--learning-rate", "0"], "learning_rate"),
        (["moons", "--batchnorm", "--batch-size", "1"], "batch_size"),
        (["moons", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["moons", "--hidden", "250", "250"], "weights"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_writes_nothing(refused, opened, words, line):
    assert line in refused(main, "lab", *words)
    assert opened == [] and list(Path().iterdir()) == []
