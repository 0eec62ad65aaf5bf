"""Tests of the notebooks: they run, print the committed outputs, hide answers, and cut nothing off."""

import math
import re
import statistics
from itertools import pairwise

import nbformat
import pytest
from conftest import ROOT
from execute import VEIL, is_hidden
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ("image/svg+xml", "image/png")

LONG = ("03", "04", "05", "06", "07", "08", "appendix-a", "appendix-b")  # take seconds each
ANSWER = re.compile(r"<details><summary>Answer</summary>\n\n.+\n</details>\Z", re.DOTALL)

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


def pictures(cell):
    """The drawings and plots of a cell."""
    found = (output.get("data", {}) for output in cell.get("outputs", []))
    return [data[kind] for data in found for kind in PICTURES if kind in data]


def drawings(cell):
    """The SVG of a cell's drawings."""
    return [text for text in pictures(cell) if text.startswith("<svg")]


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
    [pytest.param(path, marks=pytest.mark.slow if path.stem.startswith(LONG) else ()) for path in NOTEBOOKS],
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
    assert statistics.median(words.values()) < 90
    assert [start for start, count in words.items() if count > 120] == []


@on_each
def test_plotting_takes_few_lines(path):
    """The mathematics can be read without matplotlib, which nn.plots has."""
    plotting = re.compile(r"\b(plt|plots|ax|axes|figure|fig|panels?|left|right)\b[\w.\[\]]*\(")
    for cell in read(path).cells:
        lines = [line for line in cell.source.splitlines() if line.strip()] if cell.cell_type == "code" else []
        first = next((i for i, line in enumerate(lines) if plotting.search(line)), len(lines))
        assert len(lines) - first <= 6, cell.source


@on_each
def test_pictures_come_early_and_often_and_each_but_once(path):
    cells = read(path).cells
    pictured = [i for i, cell in enumerate(cells) if shows_a_picture(cell)]
    assert pictured and pictured[0] < 5
    ends = [*pictured, len(cells)]
    gaps = [b - a for a, b in pairwise(ends)]
    assert max(gaps) <= 10, pictured
    drawn = [re.sub(r'id="[^"]*"|#[\w-]+', "", text) for cell in cells for text in pictures(cell)]
    assert len(drawn) == len(set(drawn))


@on_each
def test_the_reader_predicts_before_the_answer(path):
    """An answer ends its question, folded away, and a cell right below that computes it hides its output."""
    cells = read(path).cells
    asked = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and "**Predict:**" in cell.source]
    assert len(asked) >= 4
    assert [cells[i].source for i in asked if not ANSWER.search(cells[i].source)] == []
    assert [
        cells[i + 1].source for i in asked if cells[i + 1].cell_type == "code" and not is_hidden(cells[i + 1])
    ] == []
    # JupyterLab shows the first line of a hidden output: `python notebooks/execute.py` puts this one there
    assert all(cell.outputs[0].data == VEIL for cell in cells if is_hidden(cell) and cell.outputs)


@pytest.mark.slow
@pytest.mark.browser
@on_each
def test_nothing_is_cut_off_at_1200_pixels(path, visit, tmp_path):
    exporter = pytest.importorskip(
        "nbconvert", reason="nbconvert writes the page: pip install nbconvert"
    ).HTMLExporter(template_name="lab", mathjax_url="", require_js_url="")
    notebook = read(path)
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)  # the hidden outputs too
    page_file = tmp_path / "book.html"
    page_file.write_text(exporter.from_notebook_node(notebook)[0], encoding="utf-8")
    page = visit(page_file)
    assert page.locator(".jp-CodeCell").count() > 5
    assert page.evaluate(
        """() => [...document.querySelectorAll(".jp-Cell *")].filter((e) => e.scrollWidth > e.clientWidth + 2 &&
            e.clientWidth && ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)).map(
            (e) => `${e.className}: ${e.textContent.slice(0, 60)}, ${e.scrollWidth} in ${e.clientWidth}`)"""
    ) == []  # fmt: skip


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?")
BY_HAND = {  # what readers compute themselves, and no cell prints
    "2.001": 2 + 0.001, "0.5349": 1 - 0.4651, "39,200": 784 * 50, "0.0207": 0.02069036849247156,
    "0.0333": 0.03329657267757379, "262,144": 4**9, "21,784": 10 * 1.5**9 * (1.5**10 - 1), "2.25": 1.5**2,
    "1.118": math.sqrt(1.25), "1.342": 1.5 / math.sqrt(1.25), "2.65": math.atanh(0.99),
    "2.13": 2.13, "1,797": 1797,  # PyTorch's version, and the images of digits
}  # fmt: skip


def numbers(text):
    """The numbers in a text, with how they are written."""
    return [
        (word, float(word.replace(",", "").replace("−", "-"))) for word in NUMBER.findall(text.replace("{,}", ","))
    ]


@on_each
def test_a_number_in_the_text_is_in_an_output(path):
    """Of those with a point or a comma and three digits or more, to the digits that the text gives."""
    cells, shown = read(path).cells, set(BY_HAND.values())
    for cell in cells:
        drawn = [re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL) for text in drawings(cell)]
        for text in [cell.source, texts(cell), *drawn] if cell.cell_type == "code" else []:
            shown |= {x for _, x in numbers(text)}
    for cell in (cell for cell in cells if cell.cell_type == "markdown"):
        for word, x in numbers(re.sub(r"`[^`]*`|\]\([^)]*\)", "", cell.source)):
            if re.search(r"[.,]\d", word) and len(re.sub(r"\D", "", word).strip("0")) >= 3:
                half = 0.501 * 10.0 ** -len(word.partition(".")[2])
                assert any(abs(number - x) <= half for number in shown), (word, cell.source)


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
