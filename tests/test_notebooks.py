"""The notebooks keep their promises: they run, print what is committed, are short to read and full of pictures."""

import re
import statistics
from itertools import pairwise

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ("image/svg+xml", "image/png")

LONG = ("03", "04", "05", "06", "07", "08", "ap")  # take seconds each

on_each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def texts(cell):
    """What a code cell printed or returned, as plain text; pictures and pages by what they call themselves."""
    found = []
    for output in cell.get("outputs", []):
        found.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    # matrices against scalars: 0, or a last digit where another processor's matrix product rounds otherwise
    rounding = r"largest difference (0|\d(\.\d)?e-1[6-9]( \(rounding\))?)(?![\d.]*\d)"
    return re.sub(rounding, "they agree", "".join(found))


def shows_a_picture(cell):
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if any(kind in data for kind in PICTURES) or re.search("<svg|<iframe", data.get("text/html", "")):
            return True
    return False


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 3


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem[:2] in LONG else ()) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs_and_prints_what_is_committed(path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")  # a bar shows the time
    notebook = read(path)
    committed = [texts(cell) for cell in notebook.cells]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
    assert [texts(cell) for cell in notebook.cells] == committed


@on_each
def test_cells_are_short(path):
    cells = read(path).cells
    code = [len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code"]
    words = {cell.source[:40]: len(cell.source.split()) for cell in cells if cell.cell_type == "markdown"}
    assert statistics.median(code) <= 8
    assert [start for start, count in words.items() if count > 120] == []


@on_each
def test_pictures_come_early_and_often(path):
    pictured = [i for i, cell in enumerate(read(path).cells) if shows_a_picture(cell)]
    assert pictured and pictured[0] < 3
    ends = [*pictured, len(read(path).cells)]
    gaps = [b - a for a, b in pairwise(ends)]
    assert max(gaps) <= 6, pictured


@on_each
def test_the_reader_predicts_before_the_answer(path):
    cells = read(path).cells
    predictions = [i for i, cell in enumerate(cells) if "**Predict:**" in cell.source]
    assert len(predictions) >= 4
    assert all(any(cell.cell_type == "code" for cell in cells[i + 1 : i + 3]) for i in predictions[:-1])


@on_each
def test_nothing_stale_nothing_of_this_machine(path):
    notebook = read(path)
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/root/|/home/|/work/|/tmp/", text)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)


@on_each
def test_links_lead_somewhere(path):
    for cell in read(path).cells:
        for target in re.findall(r"\]\(([^)#]+)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert target.startswith("https://") or (path.parent / target).exists(), target
