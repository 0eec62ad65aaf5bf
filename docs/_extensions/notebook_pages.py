"""Puts the notebooks on the site: copies them into docs/notebooks with the outputs that were committed.

An output that JupyterLab hides, the answer to a question, is folded; a plot is described by the line that drew it.
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
    """The notebooks and texts that students and instructors read, relative to the folder."""
    found = [*SOURCE.glob("*.ipynb"), SOURCE / "TEACHING.md", SOURCE / "exercises" / "exercises.ipynb"]
    return sorted(path.relative_to(SOURCE) for path in found)


def relinked(text: str, source: Path, page: Path) -> str:
    """The text with its links as they are on the site; a link to a file that the site lacks becomes plain text.

    source   the folder from which the links lead in the repository
    page     where the text is on the site, relative to docs
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
    """The notebook with its links, its hidden answers and its pictures as the site shows them."""
    titles = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            titles += source.startswith("# ")
            if titles > 1:  # a page has one title; what comes after further ones is below it
                source = re.sub(r"^#", "##", source, flags=re.M)
            cell["source"] = relinked(source, (SOURCE / page).parent, Path("notebooks") / page)
            continue
        if cell["metadata"].get("jupyter", {}).get("outputs_hidden"):
            cell["metadata"]["tags"] = ["hide-output"]
            # the first output is the line that JupyterLab leaves visible
            cell["outputs"] = [
                o for o in cell["outputs"] if "The answer:" not in o.get("data", {}).get("text/markdown", "")
            ]
        drew = source.strip().splitlines()[-1:]
        cell["metadata"]["mystnb"] = {"image": {"alt": f"Plot drawn by {' '.join(drew).strip()}"}}
    return notebook


def copy(app: Sphinx) -> None:
    """Write the copies that differ from those of the last build."""
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
    """The same for the site's own pages, whose links lead through the repository."""
    page = Path(app.env.doc2path(docname, base=False))
    if page.suffix == ".md" and page.parts[0] != "notebooks":
        content[0] = relinked(content[0], (DOCS / page).parent, page)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", copy)
    app.connect("source-read", relink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
