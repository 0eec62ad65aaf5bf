"""An explanation under its picture: a factor and the edges that it stands for glow together, without a script."""

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

PAGE = """
body { margin: 1rem auto; max-width: 1058px; background: var(--paper); color: var(--ink); overflow-wrap: anywhere }
h1 { font: 600 1rem system-ui, sans-serif; margin: 0 .8em }
"""
LEGIBLE = 0.7  # of the picture's full size; where there is less room, it scrolls
# a local derivative lights its edges in blue, the gradient that arrives in orange; the other edges step back
LIGHT = """&:has(math .local:hover) { --glow: var(--value) }
&:has(math [data-edge]:hover, math [data-edges]:hover) svg .edge { opacity: .15 }"""
# one rule for each edge, one for each node, and one for the same factor in other lines
EDGE = """
&:has([data-edge="{0}"]:hover, [data-edges~="{0}"]:hover) svg [data-edge="{0}"] {edge}
&:has(svg [data-edge="{0}"]:hover) math :is([data-edge="{0}"], [data-edges~="{0}"]) {factor}"""
NODE = """
&:has(math [data-node="{0}"]:hover) svg :is(.box:has([data-node="{0}"]), [data-node="{0}"]) .outline {node}
&:has(svg :is([data-node="{0}"], .box:has(> [data-node="{0}"]:only-of-type)):hover) math [data-node="{0}"] {factor}"""
SAME = "\n&:has(math [{0}]:hover) math [{0}] {factor}"
GLOWS = {
    "edge": "{ opacity: 1 !important; .wire { stroke: var(--glow) } .tip { fill: var(--glow) } }",
    "node": "{ stroke: var(--glow); stroke-width: 3.5px }",
    "factor": "{ background: color-mix(in srgb, currentColor 16%, transparent); border-radius: .2em }",
}


@final
class IllustratedExplanation(TextResult):
    """What ``with_picture`` returns: shows itself in a notebook, and is saved as a page.

    drawing   the picture, ``draw(f, wrt=s)``
    """

    def __init__(self, f: Value, wrt: Value, formulas: str, plain: str) -> None:
        self.drawing = draw(f, wrt=wrt)
        self._formulas, self._plain = formulas, plain

    def __str__(self) -> str:
        return self._plain

    def _repr_html_(self) -> str:
        svg = self.drawing.svg
        width = float(svg.partition('width="')[2].partition('"')[0])
        fit = f"svg {{ max-width: max(100%, {LEGIBLE * width:.0f}px); height: auto }}"
        name = "explain-" + sha256((svg + self._formulas).encode()).hexdigest()[:8]
        picture = f'<div class="scrolls" role="group" tabindex="0" aria-label="The graph">{svg}</div>'
        style = f"#{name} {{ --glow: var(--grad); {fit} {LIGHT}{glowing(svg, self._formulas)} }}"
        return mathml.framed(f'<div id="{name}">{picture}{self._formulas}</div>', self._plain, style)

    def save(self, path: str | Path) -> Path:
        """Write the page, one file, and return the path. Raises ValueError for a name that does not end in .html."""
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path.name}: an explanation is saved as .html")
        title = escape(self.drawing.figure.title)
        style = custom_properties() + PAGE
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        start = f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{style}</style></head>\n'
        write_whole(path, f"{start}<body><main><h1>{title}</h1>{self._repr_html_()}</main></body></html>\n".encode())
        return path


def glowing(svg: str, formulas: str) -> str:
    """The rules by which hovering a factor lights its edges, and hovering an edge or a node its factors."""
    marks = re.findall(r'(data-edges?|data-node)="([^"]+)"', formulas)
    drawn = {kind: set(re.findall(rf'{kind}="([^"]+)"', svg)) for kind in ("data-edge", "data-node")}
    met = {kind: {place for k, places in marks if k[:9] == kind for place in places.split()} for kind in drawn}
    rules = [EDGE.format(place, **GLOWS) for place in sorted(met["data-edge"] & drawn["data-edge"])]
    rules += [NODE.format(place, **GLOWS) for place in sorted(met["data-node"] & drawn["data-node"])]
    same = sorted({f'{kind}="{places}"' for kind, places in marks if kind != "data-node"})
    return "".join([*rules, *(SAME.format(which, **GLOWS) for which in same)])
