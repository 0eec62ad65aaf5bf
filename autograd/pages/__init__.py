"""What every HTML page shares: one file with its style and script, and the frame that shows it in a notebook."""

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
    """A page that is saved as a file, and in a notebook shows itself."""

    name: str  # what its ``repr`` says that it is
    kind: str  # what it is called where it cannot be saved
    title: str  # what it shows, in a few words
    page: str  # the whole page as text: one HTML file that needs nothing else
    image: str  # a picture of it as SVG, which a notebook shows before it is trusted
    invitation: str  # what that picture is, and what the reader has to do to see more
    height: int  # pixels in a notebook

    def __repr__(self) -> str:
        return printable(f"<{self.name}>")

    def save(self, path: str | Path) -> Path:
        """Write the page and return the path. Raises ValueError for a name that does not end in .html."""
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path.name}: {self.kind} is saved as .html")
        write_whole(path, self.page.encode())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame of its own, over the image."""
        image = b64encode(self.image.encode()).decode()
        return (
            '<div style="display:grid">'  # one place for both: where the frame is taken away, the image's own height
            f'<img alt="{escape(self.invitation)}" '
            f'style="grid-area:1/1;align-self:start;max-width:100%;max-height:{self.height}px" '
            f'src="data:image/svg+xml;base64,{image}">'
            f'<iframe sandbox="allow-scripts allow-downloads allow-forms" title="{escape(self.title)}" '
            f'style="grid-area:1/1;width:100%;height:{self.height}px;border:0" '
            f'srcdoc="{escape(self.page)}"></iframe></div>'
        )


def written(kind: str, title: str, package: str, code: str, css: str = "", **parts: str) -> str:
    """The text of a page.

    kind      the class of its ``main``, and the beginning of all its ids, so that two pages share none
    package   holds page.css, page.js and page.html, with ``${name}`` for the part of that name, ``${id}`` in ids
    code      what comes between the script of all pages and that of the package; css: the same between their styles
    """
    body = own_file("page.html", package)
    parts |= {"kind": kind, "title": escape(title)}
    parts["code"] = own_file("page.js") + own_file("viewer.js") + code + own_file("page.js", package)
    parts["css"] = custom_properties() + own_file("page.css") + css + own_file("page.css", package)
    parts["id"] = f"{kind}-{sha256(repr((body, parts)).encode()).hexdigest()[:8]}-"
    # what is filled in is never searched for places
    return Template(own_file("page.html").replace("${body}", body)).substitute(parts)


def script(value: Any) -> str:
    """JSON that may stand in a ``<script>``: nothing in it can close the element.

    Raises ValueError for NaN and infinities, which JSON has no words for.

    >>> script("</script>")
    '"\\\\u003c/script>"'
    """
    # in ASCII, since half of a surrogate pair, which may stand in a name, is not UTF-8
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def own_file(name: str, package: str = "autograd.pages") -> str:
    """The text of a file that lies beside the code of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
