"""The base of all HTML pages: one file with its style and script, and the frame that shows it in a notebook."""

import json
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from autograd.colours import custom_properties
from autograd.files import write_whole
from autograd.text import printable


@dataclass(frozen=True, repr=False)
class Page:
    """A page that can be saved as a file, and that displays itself in a notebook."""

    name: str  # the text that ``repr`` shows in angle brackets
    kind: str  # for errors, such as "a drawing"
    title: str
    page: str  # the text of the HTML file, which needs no other file
    image: str  # a picture of the page as SVG, which a notebook shows before it is trusted
    invitation: str  # the picture's alternative text, which says how to see more
    height: int  # pixels in a notebook

    def __repr__(self) -> str:
        return printable(f"<{self.name}>")

    def save(self, path: str | Path) -> Path:
        """Write the page and return the path. Raises ValueError for a name that does not end in .html."""
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path.name}: {self.kind} can only be saved as .html")
        write_whole(path, self.page.encode())
        return path

    def _repr_html_(self) -> str:
        """Return the page in a frame on top of the image."""
        image = b64encode(self.image.encode()).decode()
        return (
            '<div style="display:grid">'  # both share a grid cell; if the frame is removed, the image sets the height
            f'<img alt="{escape(self.invitation)}" '
            f'style="grid-area:1/1;align-self:start;max-width:100%;max-height:{self.height}px" '
            f'src="data:image/svg+xml;base64,{image}">'
            f'<iframe sandbox="allow-scripts allow-downloads allow-forms" title="{escape(self.title)}" '
            f'style="grid-area:1/1;width:100%;height:{self.height}px;border:0" '
            f'srcdoc="{escape(self.page)}"></iframe></div>'
        )


def written(kind: str, title: str, package: str, code: str, css: str = "", **parts: str) -> str:
    """Return the text of a page.

    kind      the class of its ``main``, and the prefix of its ids, so that two pages share none
    package   contains page.css, page.js and page.html, with ``${name}`` for the part of that name, ``${id}`` in ids
    code      comes between the script of all pages and that of the package; css: likewise between their styles
    """
    body = own_file("page.html", package)
    parts |= {"kind": kind, "title": escape(title)}
    parts["code"] = own_file("page.js") + own_file("viewer.js") + code + own_file("page.js", package)
    parts["css"] = custom_properties() + own_file("page.css") + css + own_file("page.css", package)
    parts["id"] = f"{kind}-{sha256(repr((body, parts)).encode()).hexdigest()[:8]}-"
    # one substitution, so that inserted text is never searched for placeholders
    return Template(own_file("page.html").replace("${body}", body)).substitute(parts)


def script(value: Any) -> str:
    """Return JSON for a ``<script>`` element, which nothing in it can close.

    Raises ValueError for NaN and infinities, which JSON cannot express.

    >>> script("</script>")
    '"\\\\u003c/script>"'
    """
    # in ASCII, because a name may contain half of a surrogate pair, which UTF-8 cannot encode
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def own_file(name: str, package: str = "autograd.pages") -> str:
    """Return the text of a file in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
