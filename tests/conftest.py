"""Shared helpers: other Python processes, refused commands, runs without plots, the site, and pages in Chromium."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# programs, which --doctest-modules would import; mutation.py sets Hypothesis up for itself
collect_ignore = ["mutation.py", "engines"]
ROOT = Path(__file__).parent.parent
WEB = ROOT / "tests" / "web"
REFERENCES = json.loads((ROOT / "tests/references/references.json").read_text(encoding="utf-8"))  # PyTorch's numbers
ALL = ("minor", "moderate", "serious", "critical")  # what axe calls the impact of what it finds
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


# ---- the documentation site --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site: docs/_build/html if that is up to date, else one that all workers share."""
    if not (WEB / "node_modules" / "katex").is_dir():
        pytest.skip("the site needs KaTeX: npm install --prefix tests/web")
    built = ROOT / "docs" / "_build" / "html"
    if (built / ".built").exists() and (built / ".built").stat().st_mtime > newest_source():
        return built
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    target, told = shared / "site", shared / "site.txt"
    try:
        (shared / "site.lock").mkdir()
    except FileExistsError:  # another worker builds it
        for _ in range(600):
            if told.exists():
                break
            time.sleep(1)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", target],
            capture_output=True, encoding="utf-8", cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        )  # fmt: skip
        (shared / "site.part").write_text(done.stdout + done.stderr, encoding="utf-8")
        (shared / "site.part").rename(told)
    assert told.read_text(encoding="utf-8") == "", told.read_text(encoding="utf-8")[-3000:]
    return target


def newest_source() -> float:
    """When a file that the site is made of changed last."""
    made = {"_build", "notebooks", "__pycache__"}
    return max(
        path.stat().st_mtime
        for folder in ("autograd", "docs", "nn", "notebooks")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not made & set(path.relative_to(ROOT / folder).parts)
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The address of the site on this machine, without a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# ---- Chromium ----------------------------------------------------------------------------------------------------


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


def violations(
    page: Any, rules: list[str] | None = None, impacts: Container[str] = ALL
) -> list[tuple[str, list[str]]]:
    """What axe finds on the page as it is now, by all its rules or by these."""
    if not AXE.exists():
        pytest.skip("there is no axe-core in tests/web: npm install --prefix tests/web")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate(
        """async (rules) => (await axe.run(document, {
          resultTypes: ["violations"], ...(rules && { runOnly: rules }) })).violations""",
        rules,
    )
    return [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found if v["impact"] in impacts]


def serious(page: Any, rules: list[str] | None = None) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical."""
    return violations(page, rules, ("serious", "critical"))
