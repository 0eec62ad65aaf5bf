"""PNG, GIF and PDF of a picture's SVG, by programs that know neither custom properties nor the fonts of a system.

The same boxes at the same places: ``resvg`` paints pixels, ``typst`` writes vectors and selectable text.
"""

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autograd.colours import LIGHT

FONTS = {  # the first that there is; those that have all of ⁰ ₀ ∂ σ come first
    "system-ui": "'DejaVu Sans','Noto Sans','Segoe UI',Helvetica,Arial,'Liberation Sans',sans-serif",
    "Georgia": "'DejaVu Serif','Noto Serif',Georgia,'Times New Roman','Liberation Serif',serif",
}
PAGE = b'#set document(date: none)\n#set page(width: auto, height: auto, margin: 0pt)\n#image("picture.svg")'
WORD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9" font-family="system-ui">x</text></svg>'
)


def light(svg: str) -> str:
    """The SVG in the light colours, each written where it is used, with fonts that most machines have.

    >>> light('<path fill="var(--ink)"/>') == f'<path fill="{LIGHT["ink"]}"/>'
    True
    """
    svg = re.sub(r"var\(--([\w-]+)\)", lambda m: LIGHT.get(m[1].replace("-", "_"), m[0]), svg)
    return re.sub(r"\b(system-ui|Georgia)\b(?=[^<>{}]*[;}\"])", lambda m: FONTS[m[0]], svg)


def png(svg: str, zoom: float = 2.0) -> bytes:
    """Pixels. Raises ImportError without resvg-py, RuntimeError without any font; both say what to install."""
    resvg = needed("resvg_py", "PNG")
    if not _has_fonts():
        raise RuntimeError("there is no font to write with: apt-get install fonts-dejavu, or pip install matplotlib")
    return bytes(resvg.svg_to_bytes(svg_string=light(svg), zoom=zoom, font_dirs=_brought()))


def pdf(svg: str) -> bytes:
    """One page as large as the picture. Raises ImportError, which says what to install, without typst."""
    page = {"main.typ": PAGE, "picture.svg": light(svg).encode()}
    return bytes(needed("typst", "PDF").compile(page, font_paths=_brought()))


def needed(package: str, what: str) -> Any:
    """A package of the extra ``render``. Raises ImportError, which says what to install, without it."""
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(
            f"{what} needs {package}: pip install 'chainrule[render]'; .svg and .html need nothing"
        ) from None


@cache
def _brought() -> list[str]:
    """The folder of the fonts that Matplotlib brings, DejaVu and STIX, where it is installed."""
    found = find_spec("matplotlib")
    return [str(Path(found.origin).parent / "mpl-data/fonts/ttf")] if found and found.origin else []


@cache
def _has_fonts() -> bool:
    """Where there is none, text would be left out silently."""
    paint, word = import_module("resvg_py").svg_to_bytes, light(WORD)
    return bool(paint(svg_string=word, font_dirs=_brought()) != paint(svg_string=word.replace(">x<", "><")))
