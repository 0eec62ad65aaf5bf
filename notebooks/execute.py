"""Executes notebooks in place, all or those named: ``python notebooks/execute.py 01-the-chain-rule.ipynb``.

The output of a cell below a **Predict:** is hidden (metadata ``jupyter.outputs_hidden``). JupyterLab shows the first
line of a hidden output next to its three dots, which would give the answer away, so each starts with a neutral line.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
VEIL = {"text/markdown": "The answer:"}


def is_hidden(cell: nbformat.NotebookNode) -> bool:
    """Return whether the output of a cell is hidden until the reader expands it."""
    return cell.cell_type == "code" and bool(cell.metadata.get("jupyter", {}).get("outputs_hidden"))


def execute(path: Path) -> None:
    """Run all cells of a notebook in order, and save it with the outputs."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=240, record_timing=False, coalesce_streams=True, resources=where).execute()
    for cell in filter(is_hidden, notebook.cells):
        if cell.outputs and cell.outputs[0].get("data") != VEIL:
            cell.outputs.insert(0, nbformat.v4.new_output("display_data", VEIL))
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(FOLDER.glob("*.ipynb")):
        print(path, flush=True)
        execute(path)
