"""A drawing in every format: it shows itself in a notebook, is saved as a file, or handed over as Graphviz.

SVG, HTML and Mermaid are written here and need nothing. PNG and PDF are Graphviz's own rendering of ``to_dot()``:
the same boxes, words and colours, in its fonts and laid out by it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, final

from autograd.colours import DARK, LIGHT
from autograd.drawing.engines import Unavailable, run_graphviz
from autograd.drawing.figure import Figure, Placement
from autograd.drawing.sources import digraph, mermaid
from autograd.drawing.svg import svg
from autograd.files import write_whole
from autograd.text import printable, text_name

LEGIBLE = 0.7  # of the full size


@final
class Drawing:
    """A picture of a graph or a network. In a notebook it shows itself.

    figure      its boxes, wires and captions
    placement   where they stand
    engine      what gave the positions: dot, pygraphviz or built-in; columns for a network
    svg         the picture as text
    """

    def __init__(self, figure: Figure, placement: Placement) -> None:
        self.figure, self.placement = figure, placement
        self.engine = placement.engine
        self.svg = svg(figure, placement)

    def __repr__(self) -> str:
        return printable(f"<{text_name(self.figure.title)}; placed by {self.engine}>")

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """An image, which a notebook shows before it is trusted, too; it follows Jupyter's theme."""
        name = self.svg.partition('id="')[2].partition('"')[0]
        themes = f'[data-jp-theme-light="true"] .{name}{{color-scheme:light}}'
        themes += f'[data-jp-theme-light="false"] .{name}{{color-scheme:dark}}'
        source = f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"
        words = escape(text_name(self.figure.title))
        picture = f'<img class="{name}" alt="{words}" style="{self._scaling()}" src="{source}">'
        return f'<style>{themes}</style><div style="overflow-x:auto">{picture}</div>'

    def to_dot(self) -> Any:
        """A ``graphviz.Digraph`` to restyle. Raises ImportError, which says what to install, without the package."""
        return digraph(self.figure, self.placement)

    def save(self, path: str | Path) -> Path:
        """Write .svg, .html, .md (Mermaid), .dot, .png or .pdf, as the name ends, and return the path.

        Raises ValueError for another ending; ImportError or RuntimeError, which say what to install, where .dot lacks
        the graphviz package, or .png and .pdf lack Graphviz itself.
        """
        path = Path(path)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".svg": lambda: self.svg,
            ".html": self._page,
            ".md": lambda: mermaid(self.figure),
            ".dot": lambda: str(self.to_dot().source),
            ".png": lambda: self._rendered("png"),
            ".pdf": lambda: self._rendered("pdf"),
        }
        if path.suffix not in writers:
            raise ValueError(f"{path.name}: a drawing is saved as {', '.join(writers)}")
        content = writers[path.suffix]()
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path

    def _scaling(self) -> str:
        """As wide as the page, but no smaller than can be read: beyond that it scrolls."""
        width = float(self.svg.partition('width="')[2].partition('"')[0])
        return f"max-width:max(100%,{LEGIBLE * width:.0f}px);height:auto"

    def _page(self) -> str:
        canvas = f"body{{margin:1rem;background:{LIGHT['canvas']}}}"
        dark = f"@media (prefers-color-scheme:dark){{body{{background:{DARK['canvas']}}}}}"
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
            f"<title>{escape(text_name(self.figure.title))}</title>"
            f"<style>{canvas}{dark}svg{{{self._scaling()}}}</style></head>\n<body>{self.svg}</body></html>\n"
        )

    def _rendered(self, format: str) -> bytes:
        graph = self.to_dot()
        if format == "png":
            graph.attr(dpi="144")
        try:
            return run_graphviz(graph.source, format, graph.engine)
        except Unavailable as error:
            raise RuntimeError(f".{format} is rendered by Graphviz: {error}; .svg and .html need nothing") from None
