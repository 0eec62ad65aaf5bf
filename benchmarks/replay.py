"""Compares recorded programs with other libraries: ``python benchmarks/replay.py [--rounds 15] [--only W1]``.

Networks: (W1) the step of micrograd's demo, (W2) a 64-32-10 network on 32 digits, (W3) a 784-50-10 network on 64
synthetic images, (W4) a whole run on moons, recording included. Other graphs: a chain and a random graph, compared
with CasADi, and a tiny GPT. Losses and gradients must agree before anything is timed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from measuring import HERE, run_among_peers

if __name__ == "__main__":
    run_among_peers(__file__)

import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
import torch
from graphs import GPT, GRAPHS, Build, CasADi, Ours, chain, random_graph
from measuring import Step, check, engines, middle, processor, table, take_turns
from scaling import point
from workloads import Workload, demo, images, some_digits, whole_run

import nn
from autograd import Value
from autograd.command_line import OneLineParser
from autograd.replay.buffers import is_finite

AGREE = 1e-6  # relative: some of PyTorch's kernels sum in a different order
PEERS_AT_BEST = {"× NumPy": "NumPy", "× PyTorch": "PyTorch", "× JAX": "JAX"}


def once(make: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of ``make``, and the median seconds of three calls."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        made = make()
        seconds.append(time.perf_counter() - start)
    return made, middle(seconds)


def step_table(title: str, work: Workload, rounds: int, both: bool) -> list[str]:
    jitted = work.jax()
    variants: dict[str, Step] = {
        "NumPy by hand": work.numpy(),
        "PyTorch, Module and SGD": work.torch(),
        "PyTorch, by hand": work.torch_by_hand(),
        "JAX, jit, each loss read": lambda: float(jitted()),
        "JAX, jit, losses read later": work.jax(),
        "JAX, jit, parameters in one vector": work.jax(flat=True),
    }
    sources = [("nn", work.record_nn, work.nn_eager()), ("scalar code", work.record_scalar, work.eager())]
    costs: dict[tuple[str, str], float] = {}
    for code, make, eager in sources if both else sources[:1]:
        for engine in engines():
            program, costs[code, engine] = once(partial(make, engine))
            variants[f"ours, {code}: {engine}"] = work.replayed(program)
        variants[f"ours, {code}: eager"] = eager
    if both:
        variants["micrograd"] = work.micrograd()
    check({name: [float(step()) for _ in range(3)] for name, step in variants.items()}, AGREE)
    seconds = take_turns(variants, rounds)
    return [f"## {title}", "", *table("variant", seconds, PEERS_AT_BEST), "", recording(costs, seconds), ""]


def recording(costs: dict[tuple[str, str], float], seconds: dict[str, list[float]]) -> str:
    """Return a sentence on the cost of making the programs."""
    words = [
        f"{1e3 * cost:.0f} ms, or {cost / middle(seconds[f'ours, {code}: eager']):.1f} eager steps, "
        f"for {code} ({engine})"
        for (code, engine), cost in costs.items()
    ]
    return f"Building the graph, recording and planning takes {'; '.join(words)}."


def casadi_table(title: str, build: Build, operations: int, rounds: int) -> list[str]:
    """Time the value and its gradient with respect to all leaves."""
    peer, ours = CasADi(build, operations), Ours(build, operations)
    variants: dict[str, Step] = {"CasADi, SX function": peer}
    costs, programs = {}, {}
    for engine in engines():
        program, costs["scalar code", engine] = once(partial(ours.record, engine))
        programs[engine] = variants[f"ours, scalar code: {engine}"] = program
    variants["ours, scalar code: eager"] = ours.eager
    found = {name: [step()] for name, step in variants.items()}
    found["CasADi, SX function"] += peer.gradient.tolist()
    found["ours, scalar code: eager"] += [x.grad for x in ours.x]
    for engine, program in programs.items():
        found[f"ours, scalar code: {engine}"] += map(program.gradient, ours.x)
    check(found, 1e-9)
    seconds = take_turns(variants, rounds)
    against = {"× CasADi": "CasADi", "× eager": "ours, scalar code: eager"}
    return [f"## {title}", "", *table("variant", seconds, against), "", recording(costs, seconds), ""]


def gpt_table(rounds: int) -> list[str]:
    eager = GPT()
    variants: dict[str, Step] = {"ours, scalar code: eager": eager.eager}
    costs = {}
    for engine in engines():
        _, costs["scalar code", engine] = once(partial(GPT().record, engine))
        variants[f"ours, scalar code: {engine}"] = GPT().replayed(engine)
    check({name: [step() for _ in range(5)] for name, step in variants.items()}, 1e-9)
    seconds = take_turns(variants, rounds)
    return [
        "## GPT: one layer, 16 wide, 4 heads, 27 letters, a document of 9; forward, backward, Adam", "",
        *table("variant", seconds, {"× eager": "ours, scalar code: eager"}), "", recording(costs, seconds), "",
    ]  # fmt: skip


def cold_table(rounds: int) -> list[str]:
    """Time the first run with an empty and with a filled cache folder, each in a fresh process."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for graph, label in (("table", "every entry of the table"), ("GPT", "the GPT")):
            with TemporaryDirectory() as folder:
                for state in ("empty", "filled"):
                    environment = {**os.environ, "CHAINRULE_CACHE": folder}
                    command = [sys.executable, str(HERE / "cold.py"), graph]
                    done = subprocess.run(command, capture_output=True, check=True, env=environment)
                    kernels = len([*Path(folder).glob("*.o")])
                    found.setdefault(f"| {label} | {kernels} | {state} |", []).append(float(done.stdout))
    rows = [f"{row} {1e3 * middle(times):.0f} |" for row, times in found.items()]
    return [
        "## First compilation: from a graph to its first run in a fresh process, imports included", "",
        "| graph | modules | cache folder | ms |", "|:--|--:|:--|--:|", *rows, "",
    ]  # fmt: skip


def memory_table() -> list[str]:
    """Measure the bytes per node of a program in addition to its graph, including the map from nodes to places."""
    rows = []
    for kind in GRAPHS:
        for engine in engines():
            found = point(kind, 10**6, engine)
            held = found["memory"] / found["nodes"]
            rows.append(f"| {kind} | {engine} | {found['nodes']:,} | {held:.0f} |")
    return [
        "## Memory: bytes per node of a program, in addition to its graph", "",
        "| graph | engine | nodes | held |", "|:--|:--|--:|--:|", *rows, "",
    ]  # fmt: skip


def run_table(rounds: int) -> list[str]:
    variants: dict[str, Step] = {
        f"engine={engine!r}": partial(whole_run, engine) for engine in ("eager", "replay", "auto")
    }
    check({name: [run()] for name, run in variants.items()}, AGREE)
    return [
        "## W4: 100 epochs of mini-batch SGD on 200 moons, 2-16-16-1, 10 examples a step, recording included", "",
        *table("variant", take_turns(variants, rounds), {"× eager": "engine='eager'"}), "",
    ]  # fmt: skip


def vectorisation_table(rounds: int) -> list[str]:
    """Answer the lecture's question whether a batch is faster: the time per example, by batch size."""
    rows = []
    for m in (1, 32, 1024):
        work = some_digits(m)
        variants = {"eager": work.nn_eager(), "NumPy by hand": work.numpy()}
        variants |= {engine: work.replayed(work.record_nn(engine)) for engine in engines()}
        seconds = take_turns(variants, rounds)
        each = (f"{1e6 * middle(times) / m:.1f}" for times in seconds.values())
        rows.append(f"| {m:,} | {' | '.join(each)} |")
    return [
        "## Vectorisation: 64-32-10 tanh, microseconds per example, by batch size", "",
        f"| examples | {' | '.join(variants)} |", "|--:|" + "--:|" * len(variants), *rows, "",
    ]  # fmt: skip


def parts_table(rounds: int) -> list[str]:
    """Time the parts of a replayed step separately, next to the whole step and a step of NumPy."""
    found: dict[str, list[float]] = {}
    for work in (some_digits(), images()):
        program, optimizer = work.record_nn("replay"), nn.SGD([Value(0.0)], work.rate)
        step = work.replayed(program)
        steps = [*program.plan.forward, *program.plan.backward]
        products = [one for one in steps if getattr(one, "func", None) is np.matmul]
        others = [one for one in steps if one not in products]
        w, gradient = program.parameter_array, program.gradient_array
        computed = program.memory.values[program.plan.first_computed : program.memory.used]
        parts: dict[str, Any] = {
            "a step, recorded from nn": step,
            f"{len(products)} matrix products": all_of(products),
            f"{len(others)} other operations on arrays": all_of(others),
            "feeding examples and targets": lambda program=program, work=work: program.feed([work.X, work.T]),
            "checking that all numbers are finite": all_of([partial(is_finite, x) for x in (computed, gradient, w)]),
            "the update": all_of([partial(optimizer.update, w, gradient, ())]),
            "NumPy by hand": work.numpy(),
        }
        with np.errstate(all="ignore"):
            for name, times in take_turns(parts, rounds).items():
                found.setdefault(name, []).append(1e6 * middle(times))
    rows = [f"| {name} | {' | '.join(f'{t:.1f}' for t in times)} |" for name, times in found.items()]
    return [
        "## Parts of a step on arrays: microseconds of each, timed separately", "",
        "| part | W2 | W3 |", "|:--|--:|--:|", *rows, "",
        "A part that is timed separately finds its numbers in the cache. The rest of the whole step is Python code "
        "between the parts, and fetching numbers again.", "",
    ]  # fmt: skip


def all_of(steps: list[Callable[[], object]]) -> Any:
    """Return a function that runs all steps."""

    def run() -> None:
        for step in steps:
            step()

    return run


def main() -> None:
    parser = OneLineParser(description="Compare recorded programs with other libraries.")
    parser.add_argument("--rounds", type=int, default=15, help="how many rounds to time each variant (15)")
    parser.add_argument(
        "--out", type=Path, default=HERE / "replay.md", help="the file for the tables (benchmarks/replay.md)"
    )
    names = ["W1", "W2", "W3", "W4", "chain", "random", "GPT", "cold", "memory", "vectorisation", "parts"]
    parser.add_argument("--only", choices=names, help="print only this table")
    options = parser.parse_args()
    rounds = options.rounds
    torch.set_num_threads(1)
    # synchronous dispatch: measurements show that JAX is as fast with it, and faster if each loss is read
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    tables: list[Callable[[], list[str]]] = [
        lambda: step_table("W1: micrograd's demo: 2-16-16-1 relu, hinge and L2, 100 moons", demo(), rounds, True),
        lambda: step_table("W2: 64-32-10 tanh, softmax cross-entropy, 32 digits", some_digits(), rounds, True),
        lambda: step_table("W3: 784-50-10 tanh, 64 synthetic images", images(), rounds, False),
        lambda: run_table(5),
        lambda: casadi_table("A chain of 10⁵ operations: + × tanh sin in turn", chain, 10**5, rounds),
        lambda: casadi_table("A random graph of 10⁵ operations", random_graph, 10**5, rounds),
        lambda: gpt_table(rounds),
        lambda: cold_table(5) if "compiled" in engines() else [],
        memory_table,
        lambda: vectorisation_table(rounds),
        lambda: parts_table(rounds),
    ]  # fmt: skip
    packages = ["numpy", "torch", "jax", "casadi", "micrograd", *(["llvmlite"] if "compiled" in engines() else [])]
    text = [
        "# Recorded programs compared with other libraries", "",
        f"`python benchmarks/replay.py`: medians of {rounds} interleaved rounds, float64, one BLAS thread. "
        "Each × column gives the speed relative to the fastest variant of the library or engine in its heading, "
        "computed round by round. "
        f"{processor()}; Python {platform.python_version()}, "
        f"{', '.join(f'{name} {version(name)}' for name in packages)}.", "",
    ]  # fmt: skip
    for name, make in zip(names, tables, strict=True):
        if options.only in (None, name):
            print(f"{name} …", file=sys.stderr, flush=True)
            text += make()
    print("\n".join(text))
    if options.only is None:
        options.out.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
