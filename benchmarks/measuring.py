"""Shared code of the benchmarks: the environment with the other libraries, interleaved timing, and tables.

Variants take turns in one process with one BLAS thread, so that a drift in the machine's speed affects all of them.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv-replay"
PYTHON = ENVIRONMENT / "bin" / "python"
PEERS = ["micrograd==0.1.0", "torch==2.13.0+cpu", "jax[cpu]==0.10.2", "casadi==3.8.2"]
OURS = ["numpy>=1.26", "scikit-learn>=1.4", "tqdm", "matplotlib>=3.8", "llvmlite>=0.44", "platformdirs>=4"]
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_ENABLE_X64": "1",
}  # fmt: skip
SLOW = 0.3  # seconds: slower variants are timed in only five rounds

Step = Callable[[], Any]  # returns its loss, or something whose float() waits for it, or None


def run_among_peers(script: str) -> None:
    """Restart the script in the environment with the other libraries, unless it already runs there.

    The environment is created next to this file; pip must know an index that has PyTorch's CPU builds.
    """
    if Path(sys.executable) == PYTHON:
        return
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *PEERS, *OURS], check=True)
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parent)}
    raise SystemExit(subprocess.run([PYTHON, script, *sys.argv[1:]], env=environment).returncode)


def check(found: Mapping[str, Sequence[float]], tolerance: float) -> None:
    """Raise SystemExit if the numbers of two variants differ by more than the tolerance times the largest."""
    first, expected = next(iter(found.items()))
    for name, numbers in found.items():
        off = max(abs(a - b) for a, b in zip(numbers, expected, strict=True))
        if not off <= tolerance * max(map(abs, expected)):
            raise SystemExit(f"{name} differs by {off} from {first}: nothing is timed")


def take_turns(variants: Mapping[str, Step], rounds: int, least: float = 0.05) -> dict[str, list[float]]:
    """Return the seconds per step of each variant, by round; in a round each runs for about ``least`` seconds."""
    for step in variants.values():
        _seconds(step, 1)  # the first call may compile
    once = {name: _seconds(step, 1) for name, step in variants.items()}
    counts = {name: max(1, round(least / _seconds(step, max(1, min(20, int(least / once[name]))))))
              for name, step in variants.items()}  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in variants}
    for i in range(rounds):
        for name, step in variants.items():
            if once[name] <= SLOW or i < 5:
                gc.collect()
                found[name].append(_seconds(step, counts[name]))
    return found


def _seconds(step: Step, count: int) -> float:
    """Return the seconds per step over ``count`` steps, including the wait for the last result."""
    last: Any = 0.0
    start = time.perf_counter()
    for _ in range(count):
        last = step()
    if last is not None:
        float(last)
    return (time.perf_counter() - start) / count


def middle(times: Sequence[float]) -> float:
    return statistics.median(times)


def table(first: str, seconds: Mapping[str, Sequence[float]], against: Mapping[str, str]) -> list[str]:
    """Return a table with one row per variant: its median time, and the median ratios of speed over the rounds.

    against   the start of the variants' names for each column title; the fastest of these variants counts
    """
    columns = {
        title: min((name for name in seconds if name.startswith(start)), key=lambda name: middle(seconds[name]))
        for title, start in against.items()
        if any(name.startswith(start) for name in seconds)
    }
    rows = [f"| {first} | ms | {' | '.join(columns)} |", "|:--|--:|" + "--:|" * len(columns)]
    for name, times in seconds.items():
        ratios = [middle([b / a for a, b in zip(times, seconds[other])]) for other in columns.values()]
        rows.append(f"| {name} | {1e3 * middle(times):.3f} | {' | '.join(f'{ratio:.3g}' for ratio in ratios)} |")
    return rows


def resident() -> int:
    """Return the resident bytes of this process, after releasing free memory."""
    import ctypes

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def engines() -> list[str]:
    """Return the available engines of a program: the compiled one is an extra."""
    from autograd import Value, record

    found = ["replay"]
    try:
        record(Value(1.0) * 2.0, engine="compiled")
        found.append("compiled")
    except (ImportError, ValueError):
        pass
    return found


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
