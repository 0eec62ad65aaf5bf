"""Installs the project and runs its demo, tests or notebooks, or builds its site: ``python3 run.py demo``.

Works from a fresh clone, and needs only Python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SHARED = ["--numprocesses", "auto", "--dist", "worksteal"]  # on all cores; -n0 runs in one process
EXTRAS = {"demo": "datasets,plot", "docs": "docs", "notebooks": "notebooks", "test": "test"}
PACKAGES = ROOT / "tests" / "web"  # what npm installs there is needed by the site too
SITE = ROOT / "docs" / "_build" / "html"


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in EXTRAS:
        stop("usage: python3 run.py demo | docs [--serve] | notebooks [jupyter lab options] | test [pytest options]")
    if sys.version_info < (3, 11):  # noqa: UP036  (an older Python may well run this file)
        stop(f"Python 3.11 or newer is needed, but this is {sys.version.split()[0]}: try python3.12 run.py")
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "docs" and rest not in ([], ["--serve"]):
        stop(f"docs takes only the option --serve, not {' '.join(rest)}")
    install(EXTRAS[command])
    if command == "test":
        print("collecting the tests on each core, then running them", flush=True)
        sys.exit(subprocess.call([PYTHON, "-m", "pytest", *SHARED, *rest], cwd=ROOT))
    if command == "notebooks":
        sys.exit(subprocess.call([PYTHON, "-m", "jupyterlab", "notebooks", *rest], cwd=ROOT))
    if command == "docs":
        build_site()
        if not rest:
            print(f"the site is in {SITE}; python3 run.py docs --serve opens it with search and the Try-it page")
        else:
            serve(SITE)
        return
    for data in ("digits", "moons"):
        status = subprocess.call([PYTHON, "-m", "nn", data], cwd=ROOT)
        if status:
            sys.exit(status)
    print(f"pictures and weights are in {ROOT / 'runs'}")


def build_site():
    """Build the documentation with Sphinx; treat warnings as errors."""
    if not has_packages():
        npm = shutil.which("npm")
        if not npm:
            stop("the site needs KaTeX and Pyodide from npm: install nodejs and npm, then run this again")
        print("installing KaTeX and Pyodide from npm", flush=True)
        if subprocess.call([npm, "install", "--prefix", PACKAGES, "--silent", "--no-audit", "--no-fund"], cwd=ROOT):
            stop("npm could not install KaTeX and Pyodide; its message is above")
    print("building the site: about a minute the first time, then only what has changed", flush=True)
    if subprocess.call([PYTHON, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", SITE], cwd=ROOT):
        stop("the site has warnings, which count as errors; they are listed above")


def has_packages():
    return all((PACKAGES / "node_modules" / name).is_dir() for name in ("katex", "pyodide"))


def serve(folder, port=8000):
    """Serve a folder on this machine until Ctrl-C."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = partial(Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:  # the port is taken: use any free one
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with server:
        print(f"the site is at http://127.0.0.1:{server.server_port}/ until Ctrl-C", flush=True)
        server.serve_forever()


def install(extras):
    """Create .venv and install the project in it, unless this was already done with this pyproject.toml."""
    wanted = f"{extras}\n{(ROOT / 'pyproject.toml').read_text(encoding='utf-8')}"
    stamp = VENV / f"installed-{extras.replace(',', '-')}"
    if PYTHON.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"installing into {VENV}: once, and again when pyproject.toml changes", flush=True)
    try:
        if not PYTHON.exists():
            import venv

            venv.create(VENV, with_pip=True, clear=True)
        pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
        follow([*pip, "--editable", f"{ROOT}[{extras}]"])
    except (ImportError, subprocess.CalledProcessError) as error:
        if "ensurepip" in str(error) or isinstance(error, ImportError):
            shutil.rmtree(VENV, ignore_errors=True)  # an environment without pip must not count as complete
            stop("this Python cannot create virtual environments: install python3-venv, then run this again")
        stop(f"the installation failed: {error}; pip's message is above")
    stamp.write_text(wanted, encoding="utf-8")


def follow(command):
    """Run a command, and show its latest line of output in place if stdout is a terminal."""
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True) as process:
        for line in process.stdout:
            show_in_place(line.strip(), width)
    show_in_place("", width)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def show_in_place(words, width):
    if width:
        print(f"\r{words[:width]:{width}}\r", end="", flush=True)


def stop(message):
    """Print a one-line message and exit with status 2."""
    print(f"run.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
