"""Pages of their own: one HTML file with its style and script inside, which a notebook shows in a frame."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from autograd.files import write_whole


class Page(ABC):
    """A page that is saved as a file, and in a notebook shows itself."""

    kind: ClassVar[str]  # what it is called where it cannot be saved
    height: ClassVar[int]  # pixels in a notebook
    page: str  # the whole page: one HTML file that needs nothing else

    @abstractmethod
    def title(self) -> str:
        """What it shows, in a few words."""

    @abstractmethod
    def image(self) -> str:
        """A picture of it as SVG, which a notebook shows before it is trusted."""

    @abstractmethod
    def invitation(self) -> str:
        """What that picture is, and what the reader has to do to see more."""

    def save(self, path: str | Path) -> Path:
        """Write the page and return the path. Raises ValueError for a name that does not end in .html."""
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path.name}: {self.kind} is saved as .html")
        write_whole(path, self.page.encode())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame of its own, over the image."""
        image = b64encode(self.image().encode()).decode()
        return (
            f'<div style="position:relative;min-height:{self.height}px">'
            f'<img alt="{escape(self.invitation())}" style="max-width:100%;max-height:{self.height}px" '
            f'src="data:image/svg+xml;base64,{image}">'
            f'<iframe sandbox="allow-scripts" title="{escape(self.title())}" '
            f'style="position:absolute;inset:0;width:100%;height:{self.height}px;border:0" '
            f'srcdoc="{escape(self.page)}"></iframe></div>'
        )


def written(kind: str, title: str, body: str, css: str, code: str, **parts: str) -> str:
    """The text of a page.

    kind         the class of its ``main``, and the beginning of all its ids, so that two pages share none
    body         HTML with ``{{name}}`` where the part of that name goes, and ``{{id}}`` before each id
    css, code    what comes after the style and the script of all pages
    """
    css, code = own_file("page.css") + css, own_file("page.js") + code
    parts |= {"kind": kind, "title": escape(title), "css": css, "code": code}
    parts["id"] = f"{kind}-{sha256(repr((body, parts)).encode()).hexdigest()[:8]}-"
    before, after = own_file("page.html").split("{{body}}")
    # from the outside in, each place once: what is filled in is never searched for places
    pieces = (before + body + after).split("{{")
    return pieces[0] + "".join(parts[name] + rest for name, rest in (piece.split("}}", 1) for piece in pieces[1:]))


def script(value: Any) -> str:
    """JSON that may stand in a ``<script>``: nothing in it can close the element.

    Raises ValueError for NaN and infinities, which JSON has no words for.

    >>> script("</script>")
    '"\\\\u003c/script>"'
    """
    # in ASCII, since half of a surrogate pair, which may stand in a name, is no UTF-8
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def own_file(name: str, package: str = "autograd.pages") -> str:
    """The text of a file that lies beside the code of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
