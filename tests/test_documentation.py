"""Tests that the documentation is true: its code runs as written, and every path and module that it names exists."""

import os
import re
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*arguments, cwd=ROOT):
    """Run a Python that imports the packages in ``cwd`` first, then ours."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(cwd), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", cwd=cwd, env=environment, timeout=300
    )


def test_one_page_trains_moons_from_a_product_in_at_most_150_lines():
    page = ROOT / "docs" / "one_page.py"
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150
    done = run(str(page))
    assert done.stderr == ""
    losses = [float(loss) for loss in re.findall(r"epoch .+ loss (\S+)", done.stdout)]
    assert len(losses) == 11
    assert losses[-1] < 0.1 * losses[0]
    learned, unseen = map(float, re.findall(r"([\d.]+)% of", done.stdout))
    assert learned == 100.0
    assert unseen > 98.0
    assert float(re.search(r"class 1 with probability (\S+)", done.stdout)[1]) > 0.95
    # another C library may move the boundary by a character
    shown = re.search(r"^```\n( +A\n.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)[1]
    drawn = done.stdout[done.stdout.rindex("\n", 0, done.stdout.index(" A\n")) + 1 :]
    assert SequenceMatcher(None, shown, drawn[: len(shown)], autojunk=False).ratio() > 0.95
