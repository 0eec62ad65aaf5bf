"""What several modules share: runs without pictures, Chromium, and one page in it for all tests of a module."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

collect_ignore = ["mutation.py"]  # a program, which --doctest-modules would import; it sets Hypothesis up for itself
AXE = Path(__file__).parent / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def blank_pictures() -> Iterator[None]:
    """Runs write empty pictures: drawing them takes ten times as long as a small run."""
    from autograd.files import write_whole
    from nn.cli import report

    with pytest.MonkeyPatch.context() as patch:
        for name in ("picture", "layers_picture"):
            patch.setattr(report, name, lambda path, *arguments: write_whole(path, b""))
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    # of a module and not of the session: while Playwright runs, asyncio.run raises in this thread
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright drives Chromium here: pip install playwright", exc_type=ImportError
    )
    executable = shutil.which("chromium")
    if not executable:
        pytest.skip("there is no chromium on PATH: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


class Window(NamedTuple):
    page: Any
    complaints: list[str]  # of the console, uncaught errors, and addresses outside of this machine


@pytest.fixture(scope="module")
def window(chromium: Any) -> Iterator[Window]:
    """The page, which costs more to open than most tests take on it."""
    complaints: list[str] = []
    with chromium.new_page() as page:
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url)
        )
        yield Window(page, complaints)


@pytest.fixture
def visit(window: Window) -> Iterator[Callable[..., Any]]:
    """Opens a file in a window of this size and scheme, in place of the one before.

    At the end nothing may have gone wrong on any of them, and no request may have left this machine.
    """
    page, complaints = window

    def visited(
        path: Path, width: int = 1200, height: int = 800, scheme: str = "light", motion: str = "no-preference"
    ) -> Any:
        page.mouse.move(-1, -1)  # pointing at nothing
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion=motion)
        page.goto(path.as_uri())
        return page

    yield visited
    page.goto("about:blank")  # what still ran there says so now or never
    found = complaints[:]
    complaints.clear()
    assert not found


def serious(page: Any, rules: list[str] | None = None) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical on the page as it is now, by all its rules or by these."""
    if not AXE.exists():
        pytest.skip("there is no axe-core in tests/web: npm install --prefix tests/web")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate(
        """async (rules) => (await axe.run(document, {
          resultTypes: ["violations"], ...(rules && { runOnly: rules }) })).violations""",
        rules,
    )
    return [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
