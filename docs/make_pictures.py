"""Makes the README's drawings and the contact sheet of the gallery: ``python docs/make_pictures.py``.

The sheet is photographed by Chromium: each drawing placed by dot on light, beside it placed by the built-in layout on
dark. The gallery itself stands with the tests that measure it.
"""

import shutil
import sys
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from gallery import NEURONS, PICTURES, WIDE, net_232, slide  # noqa: E402  (the folder has to be found first)

from autograd import draw  # noqa: E402

STYLE = """
body { margin: 0; width: 1800px; font: 20px Helvetica, Arial, sans-serif; background: #fff; }
.row { display: grid; grid-template-columns: 1fr 1fr; }
.half { padding: 14px 18px; color: #1b1b1b; }
.half[data-jp-theme-light="false"] { background: #15181d; color: #f1f3f5; }
h2 { font-size: 20px; margin: 0 0 8px; }
.wide svg { max-width: 1764px; max-height: 640px; }
.row svg { max-width: 864px; max-height: 700px; }
svg {  height: auto; display: block; }
"""


def half(name: str, engine: str, is_light: bool) -> str:
    drawing = PICTURES[name](None if name in NEURONS else engine)
    placed = "" if name in NEURONS else f", placed by {engine}"
    title = escape(f"{name}{placed}")
    return f'<div class="half" data-jp-theme-light="{str(is_light).lower()}"><h2>{title}</h2>{drawing.svg}</div>'


def contact_sheet() -> str:
    rows = []
    for name in PICTURES:
        both = half(name, "dot", True) + half(name, "built-in", False)
        rows.append(f'<div class="{"wide" if name in WIDE else "row"}">{both}</div>')
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(rows)}"


def photograph(page: str, path: Path) -> None:
    chromium = shutil.which("chromium") or sys.exit("the contact sheet needs Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        sheet = browser.new_page(viewport={"width": 1800, "height": 1000})
        sheet.set_content(page)
        sheet.screenshot(path=path, full_page=True)
        browser.close()


if __name__ == "__main__":  # a test runner that collects docs/ imports this file
    slide("built-in").save(HERE / "f.svg")
    draw(net_232()[1]).save(HERE / "network.svg")
    photograph(contact_sheet(), HERE / "gallery.png")
