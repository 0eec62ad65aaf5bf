"""Adds the notebooks to the site: copies them into docs/notebooks with their committed outputs.

An output that JupyterLab hides (the answer to a question) is folded. The alternative text of a plot is the line of
code that drew it.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parent.parent
SOURCE, TARGET = DOCS.parent / "notebooks", DOCS / "notebooks"
LINK = re.compile(r"\[([^]]*)\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def pages() -> list[Path]:
    """Return the notebooks and texts for students and instructors, relative to the folder."""
    found = [*SOURCE.glob("*.ipynb"), SOURCE / "TEACHING.md", SOURCE / "exercises" / "exercises.ipynb"]
    return sorted(path.relative_to(SOURCE) for path in found)


def relinked(text: str, source: Path, page: Path) -> str:
    """Return the text with its links adapted to the site; a link to a file that the site lacks becomes plain text.

    source   the folder in the repository to which the links are relative
    page     the path of the text on the site, relative to docs
    """

    def link(match: re.Match[str]) -> str:
        words, path, anchor = match[1], match[2], match[3] or ""
        file = (source / path).resolve()
        if file.is_relative_to(SOURCE):
            if file.relative_to(SOURCE) not in pages():
                return words if file.exists() else match[0]
            file = TARGET / file.relative_to(SOURCE)
        elif not file.is_relative_to(DOCS):
            return words if file.exists() else match[0]
        return f"[{words}]({Path(os.path.relpath(file, (DOCS / page).parent)).as_posix()}{anchor})"

    return LINK.sub(link, text)


def prepared(notebook: dict[str, Any], page: Path) -> dict[str, Any]:
    """Return the notebook with links, hidden answers and pictures adapted to the site."""
    titles = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            titles += source.startswith("# ")
            if titles > 1:  # a page has one title, so further titles and their sections move one level down
                source = re.sub(r"^#", "##", source, flags=re.M)
            cell["source"] = relinked(source, (SOURCE / page).parent, Path("notebooks") / page)
            continue
        if cell["metadata"].get("jupyter", {}).get("outputs_hidden"):
            cell["metadata"]["tags"] = ["hide-output"]
            # omit the line that JupyterLab leaves visible
            cell["outputs"] = [
                o for o in cell["outputs"] if "The answer:" not in o.get("data", {}).get("text/markdown", "")
            ]
        drew = source.strip().splitlines()[-1:]
        cell["metadata"]["mystnb"] = {"image": {"alt": f"Plot drawn by {' '.join(drew).strip()}"}}
    return notebook


def copy(app: Sphinx) -> None:
    """Write the copies that differ from those of the previous build."""
    for page in pages():
        text = (SOURCE / page).read_text(encoding="utf-8")
        if page.suffix == ".ipynb":
            text = json.dumps(prepared(json.loads(text), page), ensure_ascii=False, indent=1)
        else:
            text = relinked(text, (SOURCE / page).parent, Path("notebooks") / page)
        target = TARGET / page
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def relink(app: Sphinx, docname: str, content: list[str]) -> None:
    """Adapt the links in the site's other pages, which are relative to the repository."""
    page = Path(app.env.doc2path(docname, base=False))
    if page.suffix == ".md" and page.parts[0] != "notebooks":
        content[0] = relinked(content[0], (DOCS / page).parent, page)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", copy)
    app.connect("source-read", relink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
