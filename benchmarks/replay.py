"""A step with its update, replayed and by others: ``python benchmarks/replay.py [--rounds 15] [--out table.md]``.

Four workloads: (W1) micrograd's demo step, (W2) a 64-32-10 network on 32 digits, (W3) a 784-50-10 network on 64
made-up images, (W4) a whole run on moons, recording included. The variants take turns in one process with one BLAS
thread, so that a drift of the machine meets all of them; before anything is timed their losses have to agree. The
peers are installed into an environment that this script makes beside itself; pip needs to know an index that has
PyTorch's CPU builds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv-replay"
PYTHON = ENVIRONMENT / "bin" / "python"
PEERS = ["micrograd==0.1.0", "torch==2.13.0+cpu", "jax[cpu]==0.10.2"]
OURS = ["numpy>=1.26", "scikit-learn>=1.4", "tqdm"]
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_ENABLE_X64": "1",
}  # fmt: skip

if __name__ == "__main__" and Path(sys.executable) != PYTHON:  # begin again in the environment of the peers
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *PEERS, *OURS], check=True)
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parent)}
    raise SystemExit(subprocess.run([PYTHON, __file__, *sys.argv[1:]], env=environment).returncode)

import gc  # noqa: E402
import math  # noqa: E402
import platform  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from importlib.metadata import version  # noqa: E402
from itertools import pairwise  # noqa: E402
from typing import Any  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import micrograd.engine  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import nn  # noqa: E402
from autograd import Value, collector_paused, exp, log, record, tanh  # noqa: E402
from autograd.command_line import OneLineParser  # noqa: E402
from autograd.replay.buffers import is_finite  # noqa: E402
from nn.data import Dataset, digits, moons  # noqa: E402
from nn.losses import mean_loss  # noqa: E402

Step = Callable[[], float]
AGREE = 1e-6  # relative, of each of the first losses
SLOW = 0.3  # seconds: what takes longer is timed in five rounds


class Workload:
    """A network, its batch and its loss, as arrays that every variant begins with.

    W, b         first weights, rows are "to"
    X, y         the batch; y are labels, or −1 and +1 for the hinge loss
    activation   of the hidden layers
    decay        λ of λ Σ p² over all parameters
    """

    def __init__(self, sizes: list[int], X: Any, y: Any, activation: str, rate: float, decay: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        self.W = [rng.uniform(-1, 1, (to, of)) / math.sqrt(of) for of, to in pairwise(sizes)]
        self.b = [np.zeros(to) for to in sizes[1:]]
        self.X, self.y = np.array(X, dtype=np.float64), np.array(y)
        self.T = np.eye(sizes[-1])[self.y] if sizes[-1] > 1 else self.y.astype(np.float64)
        self.sizes, self.activation, self.rate, self.decay = sizes, activation, rate, decay
        self.hinge = sizes[-1] == 1

    # ---- by hand: the lecture's matrices ---------------------------------------------------------------------------

    def numpy(self) -> Step:
        W, b = [w.copy() for w in self.W], [b.copy() for b in self.b]
        X, y, T, rate, decay, m = self.X, self.y, self.T, self.rate, self.decay, len(self.X)
        relu = self.activation == "relu"

        def step() -> float:
            A, Z = [X], []
            for l, (w, c) in enumerate(zip(W, b)):
                Z.append(A[-1] @ w.T + c)
                last = l == len(W) - 1
                A.append(Z[-1] if last else np.maximum(Z[-1], 0.0) if relu else np.tanh(Z[-1]))
            if self.hinge:
                margin = 1.0 - y * Z[-1][:, 0]
                loss = np.maximum(margin, 0.0).mean()
                delta = (np.where(margin > 0.0, -y, 0.0) / m)[:, None]
            else:
                largest = Z[-1].max(axis=1, keepdims=True)
                powers = np.exp(Z[-1] - largest)
                total = powers.sum(axis=1, keepdims=True)
                loss = (np.log(total) + largest - (Z[-1] * T).sum(axis=1, keepdims=True)).mean()
                delta = (powers / total - T) / m
            if decay:
                loss += decay * (sum((w * w).sum() for w in W) + sum((c * c).sum() for c in b))
            for l in reversed(range(len(W))):
                dW, db = delta.T @ A[l], delta.sum(axis=0)
                if l:
                    slope = Z[l - 1] > 0.0 if relu else 1.0 - A[l] * A[l]
                    delta = (delta @ W[l]) * slope
                if decay:
                    dW, db = dW + 2.0 * decay * W[l], db + 2.0 * decay * b[l]
                W[l] -= rate * dW
                b[l] -= rate * db
            return float(loss)

        return step

    # ---- peers -----------------------------------------------------------------------------------------------------

    def torch(self) -> Step:
        layers: list[Any] = []
        for l, (w, b) in enumerate(zip(self.W, self.b)):
            linear = torch.nn.Linear(w.shape[1], w.shape[0], dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w))
                linear.bias.copy_(torch.from_numpy(b))
            hidden = torch.nn.ReLU() if self.activation == "relu" else torch.nn.Tanh()
            layers += [linear] if l == len(self.W) - 1 else [linear, hidden]
        model = torch.nn.Sequential(*layers)
        optimizer = torch.optim.SGD(model.parameters(), lr=self.rate)
        X = torch.from_numpy(self.X)
        y = torch.from_numpy(self.y.astype(np.float64 if self.hinge else np.int64))
        parameters = list(model.parameters())

        def step() -> float:
            z = model(X)
            loss = torch.relu(1.0 - y * z[:, 0]).mean() if self.hinge else torch.nn.functional.cross_entropy(z, y)
            if self.decay:
                loss = loss + self.decay * sum((p * p).sum() for p in parameters)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def jax(self) -> Step:
        X, y, T = jnp.array(self.X), jnp.array(self.y, dtype=jnp.float64), jnp.array(self.T)

        def loss_of(parameters: Any, X: Any, y: Any, T: Any) -> Any:
            a = X
            for l, (w, b) in enumerate(parameters):
                a = a @ w.T + b
                if l < len(parameters) - 1:
                    a = jax.nn.relu(a) if self.activation == "relu" else jnp.tanh(a)
            if self.hinge:
                loss = jax.nn.relu(1.0 - y * a[:, 0]).mean()
            else:
                loss = (jax.scipy.special.logsumexp(a, axis=1) - (a * T).sum(axis=1)).mean()
            if self.decay:
                loss += self.decay * sum((p * p).sum() for pair in parameters for p in pair)
            return loss

        @jax.jit
        def update(parameters: Any, X: Any, y: Any, T: Any) -> Any:
            loss, gradient = jax.value_and_grad(loss_of)(parameters, X, y, T)
            return loss, jax.tree.map(lambda p, g: p - self.rate * g, parameters, gradient)

        state = [[(jnp.array(w), jnp.array(b)) for w, b in zip(self.W, self.b)]]

        def step() -> float:
            loss, state[0] = update(state[0], X, y, T)
            jax.block_until_ready(state[0])
            return float(loss)

        return step

    # ---- scalar code, micrograd's way: nothing says that there are layers ------------------------------------------

    def scalar(self, Number: Any, X: Any, T: Any) -> tuple[Any, list[Any]]:
        """The loss in plain scalar code, for micrograd's Values and ours."""
        layers = [
            [([Number(x) for x in row], Number(c)) for row, c in zip(w.tolist(), b.tolist())]
            for w, b in zip(self.W, self.b)
        ]
        parameters = [p for layer in layers for row, c in layer for p in (*row, c)]
        ours = Number is Value
        losses = []
        for x, t in zip(X, T):
            for l, layer in enumerate(layers):
                x = [sum((w * a for w, a in zip(row, x)), c) for row, c in layer]
                if l < len(layers) - 1:
                    x = [z.relu() if self.activation == "relu" else tanh(z) if ours else micrograd_tanh(z) for z in x]
            if self.hinge:
                losses.append((1.0 - t * x[0]).relu())
            elif ours:
                losses.append(log(sum(exp(z) for z in x)) - sum(t_k * z for t_k, z in zip(t, x)))
            else:
                losses.append(micrograd_cross_entropy(x, t))
        total = sum(losses) * (1.0 / len(losses))
        if self.decay:
            total = total + self.decay * sum(p * p for p in parameters)
        return total, parameters

    def micrograd(self) -> Step:
        return self._scalar_step(micrograd.engine.Value)

    def eager(self) -> Step:
        step = self._scalar_step(Value)

        def paused() -> float:
            with collector_paused():
                return step()

        return paused

    def _scalar_step(self, Number: Any) -> Step:
        state = [[p.tolist() for p in self.W], [p.tolist() for p in self.b]]
        X, T = self.X.tolist(), self.T.tolist()

        def step() -> float:
            begin = self.W, self.b
            self.W, self.b = [np.array(w) for w in state[0]], [np.array(b) for b in state[1]]
            try:
                inputs = [[Number(x) for x in row] for row in X]
                total, parameters = self.scalar(Number, inputs, T)
            finally:
                self.W, self.b = begin
            total.backward()
            for p in parameters:
                p.data -= self.rate * p.grad
            numbers = iter(p.data for p in parameters)
            for w, b in zip(*state):
                for row, j in zip(w, range(len(b))):
                    row[:] = [next(numbers) for _ in row]
                    b[j] = next(numbers)
            return float(total.data)

        return step

    # ---- recorded --------------------------------------------------------------------------------------------------

    def leaves(self) -> tuple[Any, Any]:
        X = [[Value(x) for x in row] for row in self.X.tolist()]
        one = self.hinge
        return X, [Value(t) if one else [Value(t_k) for t_k in t] for t in self.T.tolist()]

    def record_scalar(self) -> Any:
        X, T = self.leaves()
        with collector_paused():
            total, parameters = self.scalar(Value, X, T)
        return record(total, inputs=[X, T], parameters=parameters)

    def model(self) -> Any:
        model = nn.MLP(self.sizes[0], self.sizes[1:], activation=self.activation)
        state = {}
        for path, (w, b) in zip(sorted({k.rsplit(".", 1)[0] for k in model.state_dict()}), zip(self.W, self.b)):
            state |= {f"{path}.W": w.tolist(), f"{path}.b": b.tolist()}
        model.load_state_dict(state)
        return model

    def nn_loss(self, model: Any, X: Any, T: Any) -> Value:
        loss = mean_loss(nn.hinge if self.hinge else nn.cross_entropy, model.batch(X), T)
        # λ Σ p² is twice the penalty ½ λ Σ p²
        return loss + nn.l2_penalty(model.parameters(), 2.0 * self.decay) if self.decay else loss

    def record_nn(self) -> Any:
        model = self.model()
        X, T = self.leaves()
        with collector_paused():
            loss = self.nn_loss(model, X, T)
        return record(loss, inputs=[X, T], parameters=model.parameters())

    def replayed(self, program: Any) -> Step:
        """Steps of a program; the arrays of parameters are its own until the process ends."""
        run = nn.training_on(program, nn.SGD(program.parameters, self.rate)).__enter__()
        X, T = self.X, self.T
        return lambda: run([X, T])

    def nn_eager(self) -> Step:
        model = self.model()
        optimizer = nn.SGD(model.parameters(), self.rate)
        X = self.X.tolist()
        y = self.y.tolist()

        def step() -> float:
            with collector_paused():
                loss = self.nn_loss(model, X, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                return loss.data

        return step


def micrograd_tanh(z: Any) -> Any:
    t = math.tanh(z.data)
    out = micrograd.engine.Value(t, (z,), "tanh")

    def backward() -> None:
        z.grad += (1.0 - t * t) * out.grad

    out._backward = backward
    return out


def micrograd_cross_entropy(z: Any, t: Any) -> Any:
    """−log softmax at the label, as one node: micrograd has neither exp nor log."""
    largest = max(x.data for x in z)
    powers = [math.exp(x.data - largest) for x in z]
    total = sum(powers)
    out = micrograd.engine.Value(
        math.log(total) + largest - sum(t_k * x.data for t_k, x in zip(t, z)), tuple(z), "cross_entropy"
    )

    def backward() -> None:
        for x, power, t_k in zip(z, powers, t):
            x.grad += (power / total - t_k) * out.grad

    out._backward = backward
    return out


# ---- workloads ----------------------------------------------------------------------------------------------------


def demo() -> Workload:
    data = moons(100, noise=0.1, rng=random.Random(7))
    return Workload([2, 16, 16, 1], data.X, [2 * label - 1 for label in data.y], "relu", 0.1, 1e-4)


def some_digits(m: int = 32) -> Workload:
    data = digits()
    return Workload([64, 32, 10], data.X[:m], data.y[:m], "tanh", 0.1)


def images() -> Workload:
    rng = np.random.default_rng(1)
    return Workload([784, 50, 10], rng.uniform(0, 1, (64, 784)), rng.integers(0, 10, 64), "tanh", 0.05)


def whole_run(engine: str) -> float:
    """100 epochs of mini-batch SGD on moons; the last loss."""
    data = moons(200, noise=0.1, rng=random.Random(7))
    model = nn.MLP(2, [16, 16, 1], rng=random.Random(0))
    training = nn.Training(
        model, nn.binary_cross_entropy, nn.SGD(model.parameters(), 0.1), Dataset(*data), epochs=100, batch_size=10,
        rng=random.Random(1), progress=False, engine=engine,
    )  # fmt: skip
    return list(training)[-1].loss


# ---- measuring ----------------------------------------------------------------------------------------------------


def check(losses: dict[str, list[float]]) -> None:
    """SystemExit where the first losses of two variants differ."""
    expected = losses["NumPy by hand"]
    for name, found in losses.items():
        for a, b in zip(found, expected):
            if not abs(a - b) <= AGREE * abs(b):
                raise SystemExit(f"{name} has the losses {found}, NumPy {expected}: nothing is timed")


def take_turns(variants: dict[str, Step], rounds: int, least: float = 0.05) -> dict[str, list[float]]:
    """Seconds a step of each, round by round; in a round each takes steps for ``least`` seconds."""
    counts = {}
    for name, step in variants.items():
        start = time.perf_counter()
        step()
        once = time.perf_counter() - start
        if once < least:
            start = time.perf_counter()
            for _ in range(10):
                step()
            once = (time.perf_counter() - start) / 10
        counts[name] = max(1, round(least / once)), once
    found: dict[str, list[float]] = {name: [] for name in variants}
    for i in range(rounds):
        for name, step in variants.items():
            count, once = counts[name]
            if once > SLOW and i >= 5:
                continue
            gc.collect()
            start = time.perf_counter()
            for _ in range(count):
                step()
            found[name].append((time.perf_counter() - start) / count)
    return found


def measured(seconds: dict[str, list[float]], against: str) -> list[str]:
    """Rows of the table: the median, and the median of the rounds' ratios to one of the variants."""
    rows = []
    for name, times in seconds.items():
        ratio = statistics.median(b / a for a, b in zip(times, seconds[against]))
        rows.append(f"| {name} | {1e3 * statistics.median(times):.3f} | {ratio:.3g} |")
    return rows


def step_table(title: str, work: Workload, rounds: int, both: bool) -> list[str]:
    variants: dict[str, Step] = {"NumPy by hand": work.numpy(), "PyTorch, eager": work.torch()}
    variants["JAX, jit"] = work.jax()
    recording: list[str] = []
    for name, make, eager in [
        ("recorded from nn", work.record_nn, work.nn_eager),
        *([("recorded from plain scalar code", work.record_scalar, work.eager)] if both else []),
    ]:
        programs, seconds = [], []
        for _ in range(3):
            gc.collect()
            start = time.perf_counter()
            programs[:] = [make()]
            seconds.append(time.perf_counter() - start)
        variants[name] = work.replayed(programs[0])
        step = eager()
        variants["eager, " + name.removeprefix("recorded from ")] = step
        step()
        start = time.perf_counter()
        step()
        once = time.perf_counter() - start
        cost = statistics.median(seconds)
        recording.append(f"{name}: {1e3 * cost:.0f} ms, {cost / once:.1f} eager steps of the same code")
    if both:
        variants["micrograd"] = work.micrograd()
    check({name: [step() for _ in range(3)] for name, step in _fresh(work, variants).items()})
    rows = measured(take_turns(variants, rounds), "NumPy by hand")
    return [
        f"## {title}", "", "| variant | ms a step | speed, of NumPy's |", "|:--|--:|--:|", *rows, "",
        "Building the graph, recording and planning: " + "; ".join(recording) + ".", "",
    ]  # fmt: skip


def _fresh(work: Workload, variants: dict[str, Step]) -> dict[str, Step]:
    """The same variants, from the first weights."""
    made: dict[str, Callable[[], Step]] = {
        "NumPy by hand": work.numpy, "PyTorch, eager": work.torch, "JAX, jit": work.jax,
        "recorded from nn": lambda: work.replayed(work.record_nn()), "eager, nn": work.nn_eager,
        "recorded from plain scalar code": lambda: work.replayed(work.record_scalar()),
        "eager, plain scalar code": work.eager, "micrograd": work.micrograd,
    }  # fmt: skip
    return {name: made[name]() for name in variants}


def run_table(rounds: int) -> list[str]:
    variants = {"engine='eager'": lambda: whole_run("eager"), "engine='auto'": lambda: whole_run("auto")}
    losses = {name: run() for name, run in variants.items()}
    first, second = losses.values()
    if not abs(first - second) <= AGREE * abs(first):
        raise SystemExit(f"the whole run ends at {losses}: nothing is timed")
    seconds = take_turns(variants, rounds)
    rows = measured(seconds, "engine='eager'")
    return [
        "## W4: 100 epochs of mini-batch SGD on 200 moons, 2-16-16-1, 10 examples a step, recording included", "",
        "| variant | ms | speed, of the eager engine's |", "|:--|--:|--:|", *rows, "",
    ]  # fmt: skip


def vectorisation_table(rounds: int) -> list[str]:
    """The lecture's question whether a batch is faster: time an example, by the size of the batch."""
    rows = []
    for m in (1, 32, 1024):
        work = some_digits(m)
        variants = {"eager": work.nn_eager(), "replay": work.replayed(work.record_nn()), "numpy": work.numpy()}
        seconds = take_turns(variants, rounds)
        each = (f"{1e6 * statistics.median(times) / m:.1f}" for times in seconds.values())
        rows.append(f"| {m:,} | {' | '.join(each)} |")
    return [
        "## Vectorisation: 64-32-10 tanh, microseconds an example, by the examples of a batch", "",
        "| examples | eager, nn | replayed | NumPy by hand |", "|--:|--:|--:|--:|", *rows, "",
    ]  # fmt: skip


def parts_table(rounds: int) -> list[str]:
    """Where the time of a replayed step goes: its parts one by one, beside the whole and NumPy's."""
    found: dict[str, list[float]] = {}
    for work in (some_digits(), images()):
        program, optimizer = work.record_nn(), nn.SGD([Value(0.0)], work.rate)
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
            "examples and targets fed": lambda program=program, work=work: program.feed([work.X, work.T]),
            "all numbers finite?": all_of([partial(is_finite, x) for x in (computed, gradient, w)]),
            "the update": partial(optimizer.update, w, gradient, ()),
            "NumPy by hand": work.numpy(),
        }
        with np.errstate(all="ignore"):
            for name, times in take_turns(parts, rounds).items():
                found.setdefault(name, []).append(1e6 * statistics.median(times))
    rows = [f"| {name} | {' | '.join(f'{t:.1f}' for t in times)} |" for name, times in found.items()]
    return [
        "## Where the time of a step goes: microseconds of its parts, each by itself", "",
        "| part | W2 | W3 |", "|:--|--:|--:|", *rows, "",
        "By itself a part finds its numbers in the cache; what is missing to the whole is Python between the parts, "
        "and numbers that are fetched again.", "",
    ]  # fmt: skip


def all_of(steps: list[Callable[[], object]]) -> Any:
    """One function that runs them all."""

    def run() -> None:
        for step in steps:
            step()

    return run


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def main() -> None:
    parser = OneLineParser(description="A step with its update, replayed and by others.")
    parser.add_argument("--rounds", type=int, default=15, help="how often each variant takes its turn (15)")
    parser.add_argument(
        "--out", type=Path, default=HERE / "replay.md", help="the table's file (benchmarks/replay.md)"
    )
    parser.add_argument(
        "--only",
        choices=["W1", "W2", "W3", "W4", "vectorisation", "parts"],
        help="one workload; the table is printed alone",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # in this thread: nothing waits to be woken
    tables = {
        "W1": lambda: step_table(
            "W1: micrograd's demo step: 2-16-16-1 relu, hinge loss and L2, 100 moons", demo(), options.rounds, True
        ),
        "W2": lambda: step_table(
            "W2: 64-32-10 tanh, softmax cross-entropy, 32 digits", some_digits(), options.rounds, True
        ),
        "W3": lambda: step_table("W3: 784-50-10 tanh, 64 made-up images", images(), options.rounds, False),
        "W4": lambda: run_table(5),
        "vectorisation": lambda: vectorisation_table(options.rounds),
        "parts": lambda: parts_table(options.rounds),
    }
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "jax", "micrograd"))
    text = [
        "# Replay beside others", "",
        f"`python benchmarks/replay.py`: medians of {options.rounds} interleaved rounds, float64, one BLAS thread. "
        f"{processor()}; Python {platform.python_version()}, {versions}.", "",
    ]  # fmt: skip
    for name, table in tables.items():
        if options.only in (None, name):
            print(f"{name} …", file=sys.stderr, flush=True)
            text += table()
    print("\n".join(text))
    if options.only is None:
        options.out.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
