"""What several test files share: other Pythons, refused commands, runs without pictures, and pages in Chromium."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# programs, which --doctest-modules would import; mutation.py sets Hypothesis up for itself
collect_ignore = ["mutation.py", "engines"]
ROOT = Path(__file__).parent.parent
WEB = ROOT / "tests" / "web"
REFERENCES = json.loads((ROOT / "tests/references/references.json").read_text(encoding="utf-8"))  # PyTorch's numbers
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


def python(
    *arguments: object, cwd: Path = ROOT, input: str | None = None, encoding: str | None = "utf-8",
    timeout: float | None = None, **environment: str,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """Runs another Python, which imports this copy of the packages, and returns its status and output.

    encoding      of its output; None for bytes
    environment   variables beside those of this process
    """
    text = {} if encoding is None else {"PYTHONIOENCODING": encoding}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, cwd=cwd, input=input, encoding=encoding,
        timeout=timeout, env={**os.environ, "PYTHONPATH": str(ROOT), **text, **environment},
    )  # fmt: skip


def printed(code: str, *arguments: object, **options: Any) -> str:
    """What a program prints that has to end well and without a word on stderr."""
    done = python("-c", code, *arguments, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
    return str(done.stdout)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls a command line that must end with status 2 after one line on stderr; returns that line.

    ``prints`` allows output before it.
    """

    def line(main: Callable[[list[str]], None], *words: object, prints: bool = False) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = capsys.readouterr()
        assert (left.value.code, said.err.count("\n")) == (2, 1) and (prints or not said.out), said
        return said.err.removesuffix("\n")

    return line


@pytest.fixture(scope="module")
def blank_pictures() -> Iterator[None]:
    """Runs write empty pictures: drawing them takes ten times as long as a small run."""
    from autograd.files import write_whole
    from nn.cli import runs

    with pytest.MonkeyPatch.context() as patch:
        for name in ("picture", "layers_picture"):
            patch.setattr(runs, name, lambda path, *arguments: write_whole(path, b""))
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
