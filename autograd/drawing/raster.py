"""Converts a picture's SVG to PNG, GIF and PDF, with renderers that support no custom properties or system fonts.

All boxes keep their positions. resvg renders pixels; Typst writes vectors and text that can be selected.
"""

import re
from bisect import bisect
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import groupby
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from xml.etree.ElementTree import fromstring, tostring

from autograd.colours import LIGHT
from autograd.drawing.layered import halfway

FRAMES = 12  # per second of a GIF

FONTS = {  # fallbacks for the families that pictures name; fonts with all of ⁰ ₀ ∂ σ come first
    "system-ui": "'DejaVu Sans','Noto Sans','Segoe UI',Helvetica,Arial,'Liberation Sans',sans-serif",
    "Georgia": "'DejaVu Serif','Noto Serif',Georgia,'Times New Roman','Liberation Serif',serif",
}
WORD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text y="9" font-family="system-ui">x</text></svg>'
PAGE = b'#set document(date: none)\n#set page(width: auto, height: auto, margin: 0pt)\n#image("picture.svg")'
NO_FONT = "no font was found: run apt-get install fonts-dejavu, or pip install matplotlib, which includes a font"


def light(svg: str) -> str:
    """Return the SVG with light colours in place of custom properties, and with fonts that most machines have.

    >>> light('<path fill="var(--ink)"/>') == f'<path fill="{LIGHT["ink"]}"/>'
    True
    """
    svg = re.sub(r"var\(--([\w-]+)\)", lambda m: LIGHT.get(m[1].replace("-", "_"), m[0]), svg)
    return re.sub(r"\b(system-ui|Georgia)\b(?=[^<>{}]*[;}\"])", lambda m: FONTS[m[0]], svg)


def png(svg: str, zoom: int = 2) -> bytes:
    """Return a PNG, ``zoom`` times as large. Raises ImportError without resvg, RuntimeError without a font."""
    if not _renders_text():
        raise RuntimeError(NO_FONT)
    return _painted(svg, zoom)


def pdf(svg: str) -> bytes:
    """Return a PDF of one page, as large as the picture. Raises ImportError without Typst."""
    files = {"main.typ": PAGE, "picture.svg": light(svg).encode()}
    # ``root`` does not need to contain the files; its default, the working folder, may be unreadable
    return bytes(needed("typst", "PDF needs typst").compile(files, root=gettempdir(), font_paths=_fonts()))


def gif(svg: str) -> bytes:
    """Return an animated SVG as a GIF. Raises the same errors as ``png``."""
    image = needed("PIL.Image", "GIF needs pillow")
    count = int(FRAMES * float(svg.partition(' dur="')[2].partition("s")[0]))
    stills = [(shown, len(list(same))) for shown, same in groupby(_still(svg, i / count) for i in range(count))]
    frames = [image.open(BytesIO(png(shown, 1))).convert("RGB") for shown, _ in stills]
    palette = frames[-1].quantize(64)
    first, *others = (frame.quantize(palette=palette, dither=0) for frame in frames)
    lasting, content = [round(1000 * n / FRAMES) for _, n in stills], BytesIO()
    first.save(content, "GIF", save_all=True, append_images=others, duration=lasting, loop=0)
    return content.getvalue()


def needed(package: str, why: str, install: str = "'chainrule[render]'; .svg needs no extra") -> Any:
    """Import a package. If it is missing, raises ImportError, which says why it is needed and what to install."""
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(f"{why}: pip install {install}") from None


def _painted(svg: str, zoom: int = 1) -> bytes:
    paint = needed("resvg_py", "PNG and GIF need resvg-py").svg_to_bytes
    return bytes(paint(svg_string=light(svg), zoom=zoom, background=LIGHT["paper"], font_dirs=_fonts()))


def _still(svg: str, part: float) -> str:
    """Return a still picture at a fraction of an animation's duration, from the keys that ``animation`` writes."""
    root = fromstring(svg)
    ways = {f"#{path.get('id')}": path.get("d", "") for path in root.iter() if path.get("d")}
    for element in root.iter():
        for change in list(element):
            at = [float(time) for time in change.get("keyTimes", "").split(";") if time]
            if change.get("keyPoints"):
                done = min(max((part - at[1]) / (at[2] - at[1]), 0.0), 1.0)
                points: list[tuple[float, float]] = []
                for kind, numbers in re.findall("([MLC])([^MLC]+)", ways[change[0].get("href", "")]):
                    xs = [float(x) for x in re.findall(r"-?[\d.]+", numbers)]
                    points += list(zip(xs[::2], xs[1::2])) * (3 if kind == "L" else 1)  # a line as a curve
                x, y = halfway(points, 1.0 - done if "back" in element.get("class", "") else done)
                element.set("transform", f"translate({x:.1f} {y:.1f})")
            elif at:
                values = change.get("values", "").split(";")
                element.set(change.get("attributeName", ""), values[bisect(at, part) - 1])
    return tostring(root, encoding="unicode")


@cache
def _renders_text() -> bool:
    """Return whether text is rendered: without a font, the renderer silently omits it."""
    return _painted(WORD) != _painted(WORD.replace(">x<", "><"))


def _fonts() -> list[str]:
    """Return the folder of the fonts in Matplotlib, if it is installed."""
    found = find_spec("matplotlib")
    return [str(Path(found.origin).parent / "mpl-data/fonts/ttf")] if found and found.origin else []
