"""Makes the pictures of the gallery: ``python docs/make_pictures.py`` runs the code in gallery.md and saves them."""

import ast
import doctest
import re
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

HERE = Path(__file__).parent
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n\n!\[(?P<words>[^]]*)\]\(gallery/(?P<file>[\w.]+)\)$", re.DOTALL | re.MULTILINE
)


class Example(NamedTuple):
    """An example of the gallery: lines of code, and the picture that they show."""

    code: str
    words: str  # the alternative text of the picture
    file: str

    def run(self) -> Any:
        """Run the code and return the value of its last expression, as a notebook does."""
        *lines, last = ast.parse(self.code).body
        names: dict[str, Any] = {}
        exec(compile(ast.Module(lines, []), self.file, "exec"), names)
        return eval(compile(ast.Expression(last.value), self.file, "eval"), names)  # type: ignore[attr-defined]


def examples(page: str | None = None) -> list[Example]:
    """Return the examples on the gallery's page."""
    text = (HERE / "gallery.md").read_text(encoding="utf-8") if page is None else page
    return [Example(**match.groupdict()) for match in BLOCK.finditer(text)]


def save(shown: Any, path: Path) -> None:
    """Save the result of an example as a picture."""
    if path.name == "lab.png":
        photograph(shown, path)
    elif hasattr(shown, "figure") and path.suffix == ".png":
        shown.figure.savefig(path, dpi=90)
    elif hasattr(shown, "image"):  # a page
        path.write_text(shown.image, encoding="utf-8")
    else:
        getattr(shown, "drawing", shown).save(path)


def photograph(page: Any, path: Path) -> None:
    """Save a screenshot of the lab after a lesson has run. Requires Pillow, Playwright and Chromium."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1060, "height": 760})
        window.goto(page.save(Path(folder) / "lab.html").as_uri())
        window.get_by_role("button", name="Run").click()
        window.wait_for_timeout(4_000)
        window.screenshot(path=path)
        browser.close()
    Image.open(path).quantize(128).save(path, optimize=True)


def first_run(path: Path) -> None:
    """Save the plot at the end of "The first five minutes" by running the page's examples. Requires Pillow."""
    from matplotlib import use
    from PIL import Image

    use("Agg")
    with TemporaryDirectory() as folder, chdir(folder):
        doctest.testfile(str(HERE / "first_five_minutes.md"), module_relative=False)
        Image.open(path.name).convert("RGB").quantize(128).save(path, optimize=True)


def main(names: list[str]) -> None:
    """Make all pictures, or those in ``names``."""
    if not names or "first_run.png" in names:
        first_run(HERE / "gallery" / "first_run.png")
    for example in examples():
        if not names or example.file in names:
            save(example.run(), HERE / "gallery" / example.file)


if __name__ == "__main__":
    main(sys.argv[1:])
