"""Shows an explanation below its picture; a factor and its edges are highlighted together, without JavaScript."""

import re
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import final

from autograd import mathml
from autograd.colours import custom_properties
from autograd.drawing import draw
from autograd.explanation.wrapping import TextResult
from autograd.files import write_whole
from autograd.value import Value

LEGIBLE = 0.7  # as a fraction of the picture's full size; any smaller, and the picture scrolls
# hovering over a local derivative turns its edges blue, over an upstream gradient orange; other edges fade
LIGHT = """ --glow: var(--grad); &:has(math .local:hover) { --glow: var(--value) }
&:has(math :is([data-edge], [data-edges]):hover) svg .edge { opacity: .15 }"""
DRAWN = """{ opacity: 1 !important;
.wire, .outline { stroke: var(--glow) } .outline { stroke-width: 3.5px } .tip { fill: var(--glow) } }"""
WRITTEN = """{ --wash: color-mix(in srgb, currentColor 16%, transparent);
background: var(--wash); box-shadow: 0 0 0 .2em var(--wash); border-radius: .1em }"""


@final
class IllustratedExplanation(TextResult):
    """The result of ``with_picture``, which is rendered in a notebook and can be saved as a page.

    drawing   the picture, ``draw(f, wrt=s)``
    """

    def __init__(self, f: Value, wrt: Value, formulas: str, plain: str) -> None:
        self.drawing, self._formulas, self._plain = draw(f, wrt=wrt), formulas, plain

    def __str__(self) -> str:
        return self._plain

    def _repr_html_(self) -> str:
        svg = self.drawing.svg
        name = "explain-" + sha256((svg + self._formulas).encode()).hexdigest()[:8]
        least = LEGIBLE * float(svg.partition('width="')[2].partition('"')[0])
        fit = f" svg {{ max-width: max(100%, {least:.0f}px); height: auto }}\n"
        picture = f'<div class="scrolls" role="group" tabindex="0" aria-label="The graph">{svg}</div>'
        style = f"#{name} {{{LIGHT}{fit}{glowing(svg, self._formulas)} }}"
        return mathml.framed(f'<div id="{name}">{picture}{self._formulas}</div>', self._plain, style)

    def save(self, path: str | Path) -> Path:
        """Write the page as a single file and return its path.

        Raises ValueError for a name that does not end in .html.
        """
        path, title = Path(path), escape(self.drawing.figure.title)
        if path.suffix != ".html":
            raise ValueError(f"{path.name}: an explanation must be saved as .html")
        style = custom_properties() + "body { margin: 1rem auto; max-width: 1058px; background: var(--paper) }"
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        body = f'<main class="formulas"><h1>{title}</h1>{self._repr_html_()}</main>'
        start = f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{style}</style></head>\n'
        write_whole(path, f"{start}<body>{body}</body></html>\n".encode())
        return path


def glowing(svg: str, formulas: str) -> str:
    """Return the CSS that makes a factor highlight its edges, and an edge or a node its factors in all lines."""
    marks = re.findall(r'data-(edge|node)s?="([^"]+)"', formulas)
    drawn, written = [], [f"math [{x}]:hover) math [{x}]" for x in set(re.findall(r'data-edges?="[^"]+"', formulas))]
    for kind, place in {(kind, place) for kind, places in marks for place in places.split()}:
        own = f'[data-{kind}="{place}"]'
        factors = f'math :is({own}, [data-{kind}s~="{place}"])'
        if own[1:-1] in svg:
            drawn.append(f"{factors}:hover) svg :is({own}, .box:has(> {own}:only-of-type))")
            written.append(f"svg {own}:hover, svg .outline:hover ~ {own}:only-of-type) {factors}")
    return "\n".join(
        ", ".join(f"&:has({x}" for x in sorted(these)) + f" {style}"
        for these, style in ((drawn, DRAWN), (written, WRITTEN))
        if these
    )
