"""Compares the training step of micrograd's demo with ours: ``python benchmarks/micrograd_step.py [ROUNDS]``.

"adopt" reads micrograd's graph into ours, before or after micrograd's backward pass; after it, the gradients are also
compared. "adopted and replayed" is the step of a program recorded from the adopted graph.

The network is 2-16-16-1 with hinge loss and L2 on a full batch of 100 moons; the fifth step of a fresh process is
timed. The processes of the variants take turns, so that a drift in the machine's speed affects all of them. The
script installs micrograd from PyPI into an environment next to itself.
"""

import platform
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from autograd.command_line import OneLineParser  # noqa: E402  (needs the path above)

ENVIRONMENT = HERE / ".venv-micrograd"
PYTHON = ENVIRONMENT / "bin" / "python"

NETWORK = """
import random
random.seed(1337)

class Neuron:
    def __init__(self, n, nonlinear):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(n)]
        self.b = Value(0)
        self.nonlinear = nonlinear
    def __call__(self, x):
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return act.relu() if self.nonlinear else act
    def parameters(self):
        return [*self.w, self.b]

def make(sizes):
    pairs = list(zip(sizes, sizes[1:]))
    return [[Neuron(i, k < len(pairs) - 1) for _ in range(o)] for k, (i, o) in enumerate(pairs)]

def forward(layers, x):
    for layer in layers:
        x = [neuron(x) for neuron in layer]
    return x[0]

layers = make([2, 16, 16, 1])
parameters = [p for layer in layers for neuron in layer for p in neuron.parameters()]

def loss():
    inputs = [[Value(u) for u in x] for x in X]
    scores = [forward(layers, x) for x in inputs]
    losses = [(1 + -yi * s).relu() for yi, s in zip(y, scores)]
    return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum((p * p for p in parameters))

def step(k):
    total = loss()
    for p in parameters:
        p.grad = 0
    total.backward()
    for p in parameters:
        p.data -= (1.0 - 0.9 * k / 100) * p.grad
    return total
"""

LAYERS = """
import random
from nn import MLP, SGD, hinge
model = MLP(2, [16, 16, 1], rng=random.Random(1337))
# the derivative of alpha * sum p² is 2 alpha p: the optimiser's weight decay
optimizer = SGD(model.parameters(), 1.0, weight_decay=2e-4)
from nn.data import Dataset
from nn import Training
training = Training(
    model, hinge, optimizer, Dataset(X, y, [], []), batch_size=len(y), progress=False, engine="eager"
)
epochs = iter(training)
def step(k):
    optimizer.learning_rate = 1.0 - 0.9 * k / 100
    return next(epochs)
"""

ADOPT = """
from autograd import adopt
theirs = loss()
def step(k):
    return adopt(theirs)
"""

ADOPT_AFTER = ADOPT + "theirs.backward()\n"

REPLAY = """
from autograd import adopt, record
program = record(adopt(loss()), parameters=parameters)

def step(k):
    program()
    program.parameter_array -= (1.0 - 0.9 * k / 100) * program.gradient_array
"""

DATA = """
import math, random
_rng = random.Random(7)
X, y = [], []
for i in range(100):
    t = _rng.uniform(0, math.pi)
    p = (math.cos(t), math.sin(t)) if i % 2 == 0 else (1 - math.cos(t), 0.5 - math.sin(t))
    X.append([c + _rng.gauss(0, 0.1) for c in p])
    y.append(1 if i % 2 == 0 else -1)
"""

TIMED = """
import contextlib, gc, time
{collector}
for k in range(5):
    start = time.perf_counter()
    with {around}:
        total = step(k)
    seconds = time.perf_counter() - start
print(seconds)
"""

OURS, THEIRS = "from autograd import Value, collector_paused", "from micrograd.engine import Value"
OPEN, PAUSED = "contextlib.nullcontext()", "collector_paused()"
VARIANTS = {
    "micrograd": (THEIRS, NETWORK, "", OPEN),
    "micrograd, collector off": (THEIRS, NETWORK, "gc.disable()", OPEN),
    "scalar by scalar": (OURS, NETWORK, "", OPEN),
    "scalar by scalar, collector_paused": (OURS, NETWORK, "", PAUSED),
    "scalar by scalar, collector off": (OURS, NETWORK, "gc.disable()", OPEN),
    "nn's layers and training loop": (OURS, LAYERS, "", OPEN),
    "adopt": (THEIRS, NETWORK + ADOPT, "", OPEN),
    "adopt after its backward pass": (THEIRS, NETWORK + ADOPT_AFTER, "", OPEN),
    "adopted and replayed": (THEIRS, NETWORK + REPLAY, "", OPEN),
}


def seconds(variant):
    imports, network, collector, around = VARIANTS[variant]
    code = "\n".join([imports, DATA, network, TIMED.format(collector=collector, around=around)])
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parent)
    return float(done.stdout)


def main():
    parser = OneLineParser(description="Compare the training step of micrograd's demo with ours.")
    parser.add_argument("rounds", nargs="?", type=int, default=7, metavar="ROUNDS", help="runs of each variant (7)")
    rounds = parser.parse_args().rounds
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        pip = [PYTHON, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "micrograd==0.1.0", "numpy", "tqdm"], check=True)
    found = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            found[variant].append(seconds(variant))
    print(
        f"Python {platform.python_version()}, {platform.machine()}; fifth step, median of {rounds} interleaved runs"
    )
    for variant, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(found["micrograd"], times))
        print(f"{variant:36} {1000 * statistics.median(times):8.1f} ms   {ratio:6.1f}× micrograd")


if __name__ == "__main__":
    main()
