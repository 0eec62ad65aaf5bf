"""Numbers from PyTorch (float64) that the tests compare with. Run it by hand where PyTorch 2 is installed:

    pip install torch==2.13.0
    python tests/references/make_references.py

It writes ``references.json`` and ``random_graphs.txt`` beside itself; the tests read these and need no PyTorch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
from random_graphs import random_function, random_point  # noqa: E402

torch.set_default_dtype(torch.float64)
VERSION = torch.__version__.split("+")[0]


def number(x: float | torch.Tensor) -> torch.Tensor:
    """A constant as PyTorch wants it."""
    return x if isinstance(x, torch.Tensor) else torch.tensor(x)


PRIMITIVES = {
    "identity": (lambda x: x * 1.0, [[1.5], [-0.7]]),
    "neg": (lambda x: -x, [[1.5], [-0.7]]),
    "exp": (torch.exp, [[0.3], [-2.0], [5.0]]),
    "log": (torch.log, [[0.3], [7.0]]),
    "sqrt": (torch.sqrt, [[0.3], [7.0]]),
    "log2": (torch.log2, [[0.3], [7.0], [1.0]]),
    "sin": (torch.sin, [[0.3], [-2.0], [5.0]]),
    "cos": (torch.cos, [[0.3], [-2.0], [5.0]]),
    "tanh": (torch.tanh, [[0.3], [-2.0], [4.0]]),
    "sigmoid": (torch.sigmoid, [[0.3], [-2.0], [5.0]]),
    "softplus": (lambda x: F.softplus(x, threshold=1e9), [[0.3], [-2.0], [5.0]]),
    "log1p": (torch.log1p, [[0.3], [-0.9], [1e-12]]),
    "expm1": (torch.expm1, [[0.3], [-2.0], [1e-12]]),
    "tan": (torch.tan, [[0.3], [-2.0], [5.0]]),
    "atan": (torch.atan, [[0.3], [-2.0], [50.0]]),
    "asin": (torch.asin, [[0.3], [-0.9], [1e-12]]),
    "acos": (torch.acos, [[0.3], [-0.9], [0.999]]),
    "sinh": (torch.sinh, [[0.3], [-2.0], [1e-12]]),
    "cosh": (torch.cosh, [[0.3], [-2.0], [5.0]]),
    "log_sigmoid": (F.logsigmoid, [[0.3], [-2.0], [-40.0]]),
    "elu": (F.elu, [[0.3], [-2.0], [-1e-12]]),
    "silu": (F.silu, [[0.3], [-2.0], [5.0]]),
    "erf": (torch.erf, [[0.3], [-2.0], [1e-12]]),
    "erfc": (torch.erfc, [[0.3], [-2.0], [5.0]]),
    "gelu": (F.gelu, [[0.3], [-2.0], [-8.0]]),
    "relu": (torch.relu, [[0.3], [-2.0], [0.0]]),
    "abs": (torch.abs, [[0.3], [-2.0], [0.0]]),
    "sign": (torch.sign, [[0.3], [-2.0], [0.0]]),
    "floor": (torch.floor, [[0.3], [-2.5], [4.0]]),
    "detach": (lambda x: x.detach() + 0.0 * x, [[0.3], [-2.0]]),
    "add": (torch.add, [[0.3, -2.0]]),
    "sub": (torch.sub, [[0.3, -2.0]]),
    "mul": (torch.mul, [[0.3, -2.0], [4.0, 0.5]]),
    "div": (torch.div, [[0.3, -2.0], [4.0, 0.5]]),
    "power": (
        lambda x, p: x ** p.item(),
        [[0.3, 3.0], [-2.0, 3.0], [-2.0, -2.0], [2.0, 0.5], [0.0, 0.0], [0.0, 1.0]],
    ),
    "pow": (torch.pow, [[0.3, -2.0], [4.0, 0.5], [0.0, 2.0]]),
    "atan2": (torch.atan2, [[0.3, -2.0], [-0.3, -2.0], [4.0, 0.5]]),
    # PyTorch differentiates neither of these two
    "heaviside": (
        lambda x, y: torch.heaviside(x.detach(), number(y).detach()) + 0.0 * x,
        [[0.3, 0.5], [-2.0, 0.5], [0.0, 0.5]],
    ),
    "greater": (lambda x, y: (x > y) + 0.0 * (x + y), [[0.3, -2.0], [1.0, 4.0], [2.0, 2.0]]),
    # no bound is met: there PyTorch takes 1 where two halves are meant
    "clamp": (torch.clamp, [[0.3, -2.0, 5.0], [0.3, 1.0, 5.0], [7.0, 1.0, 5.0]]),
    "maximum": (
        lambda *x: torch.amax(torch.stack(x), 0),
        [[0.3, -2.0], [1.0, 4.0], [2.0, 2.0], [0.3, -2.0, 5.0], [2.0, -1.0, 2.0], [3.0, 3.0, 3.0]],
    ),
    "minimum": (
        lambda *x: torch.amin(torch.stack(x), 0),
        [[0.3, -2.0], [1.0, 4.0], [2.0, 2.0], [0.3, -2.0, 5.0], [2.0, 3.0, 2.0], [3.0, 3.0, 3.0]],
    ),
    "hypot": (
        lambda *x: torch.linalg.vector_norm(torch.stack([number(x_i) for x_i in x])),
        [[0.3, -2.0], [0.3, -2.0, 5.0], [0.0, 0.0], [-7.0]],
    ),
    "where": (lambda c, x, y: torch.where(c != 0.0, x, y), [[1.0, 0.3, -2.0], [0.0, 0.3, -2.0]]),
    "sum": (lambda *x: torch.stack(x).sum(), [[0.3, -2.0, 5.0]]),
    "product": (lambda *x: torch.stack(x).prod(), [[0.3, -2.0, 5.0], [0.0, -2.0, 5.0]]),
    "dot": (lambda *x: torch.dot(torch.stack(x[:2]), torch.stack(x[2:])), [[0.3, -2.0, 5.0, 0.7]]),
    "affine": (lambda *x: torch.dot(torch.stack(x[:2]), torch.stack(x[2:4])) + x[4], [[0.3, -2.0, 5.0, 0.7, 0.2]]),
    "logsumexp": (lambda *x: torch.logsumexp(torch.stack(x), 0), [[0.3, -2.0, 5.0], [1000.0, 1001.0, 0.0]]),
}


def primitives() -> dict:
    found = {}
    for name, (function, points) in PRIMITIVES.items():
        found[name] = []
        for at in points:
            operands = [torch.tensor(x, requires_grad=True) for x in at]
            value = function(*operands)
            value.backward()
            locals_ = [0.0 if x.grad is None else x.grad.item() for x in operands]
            found[name].append({"at": at, "value": value.item(), "locals": locals_})
    return found


def losses() -> dict:
    z = [[0.3, -1.2, 2.0], [40.0, 0.0, -40.0]]
    cases = {
        "half_squared_error": [(z[0], [1.0, 0.0, 0.5], lambda a, y: 0.5 * ((y - a) ** 2).sum())],
        "mean_squared_error": [(z[0], [1.0, 0.0, 0.5], F.mse_loss)],
        "cross_entropy": [(row, label, F.cross_entropy) for row in z for label in (0, 1, 2)],
        "binary_cross_entropy": [
            ([x], y, lambda a, t: F.binary_cross_entropy_with_logits(a, t))
            for x in (0.3, -30.0, 30.0)
            for y in (0.0, 1.0)
        ],
        "hinge": [
            ([x], y, lambda a, t: torch.relu(1.0 - t * a).sum()) for x in (0.3, -2.0, 2.0) for y in (-1.0, 1.0)
        ],
    }
    found: dict = {}
    for name, rows in cases.items():
        found[name] = []
        for output, target, loss in rows:
            a = torch.tensor(output, requires_grad=True)
            if name == "cross_entropy":
                value = loss(a[None], torch.tensor([target]))
            else:
                y = torch.tensor(target)
                value = loss(a, y.expand(1) if y.dim() == 0 else y)
            value.backward()
            found[name].append({"output": output, "target": target, "value": value.item(), "grad": a.grad.tolist()})
    return found


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd with momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "sgd with weight decay": (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}),
    "sgd with both": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.02}),
    "adam": (torch.optim.Adam, {"lr": 0.1}),
    "adam with weight decay": (
        torch.optim.Adam,
        {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    ),
    "sgd with nesterov": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "sgd with nesterov and weight decay": (
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.02, "nesterov": True},
    ),
    "adamw": (torch.optim.AdamW, {"lr": 0.1}),
    "adamw with weight decay": (
        torch.optim.AdamW,
        {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    ),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.02}),
    "rmsprop with all": (
        torch.optim.RMSprop,
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.05, "momentum": 0.5},
    ),
}


def optimizers() -> dict:
    """20 steps on f(u, v) = (u − 1)² + sin(v) u + v²/4 from (2, −1)."""
    found = {}
    for name, (make, options) in OPTIMIZERS.items():
        u, v = torch.tensor(2.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
        optimizer = make([u, v], **options)
        path = []
        for _ in range(20):
            optimizer.zero_grad()
            ((u - 1.0) ** 2 + torch.sin(v) * u + v * v / 4.0).backward()
            optimizer.step()
            path.append([u.item(), v.item()])
        found[name] = {"options": options, "path": path}
    return found


def training_run() -> dict:
    """A 2-4-3 tanh network with cross-entropy, 5 epochs of mini-batches of 4 on 12 points, SGD with momentum."""
    rng = Random(7)
    X = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(12)]
    y = [i % 3 for i in range(12)]
    W1 = [[rng.gauss(0, 0.7) for _ in range(2)] for _ in range(4)]
    W2 = [[rng.gauss(0, 0.7) for _ in range(4)] for _ in range(3)]
    b1, b2 = [0.1, -0.1, 0.2, 0.0], [0.0, 0.05, -0.05]
    orders = []
    for _ in range(5):
        order = list(range(12))
        rng.shuffle(order)
        orders.append(order)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))
    with torch.no_grad():
        for parameter, start in zip(model.parameters(), (W1, b1, W2, b2)):
            parameter.copy_(torch.tensor(start))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5)
    losses = []
    for order in orders:
        for k in range(0, 12, 4):
            batch = order[k : k + 4]
            loss = F.cross_entropy(model(torch.tensor([X[i] for i in batch])), torch.tensor([y[i] for i in batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {
        "X": X, "y": y, "start": {"W1": W1, "b1": b1, "W2": W2, "b2": b2}, "orders": orders, "losses": losses,
        "end": dict(zip(("W1", "b1", "W2", "b2"), (p.tolist() for p in model.parameters()))),
    }  # fmt: skip


def schedules() -> dict:
    """The learning rates of 25 steps, from 0.4 on."""
    S = torch.optim.lr_scheduler
    makers = {
        "constant": lambda o: S.LambdaLR(o, lambda t: 1.0),
        "linear": lambda o: S.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=20),
        "exponential": lambda o: S.ExponentialLR(o, gamma=0.9),
        "step": lambda o: S.StepLR(o, step_size=7, gamma=0.5),
        "cosine": lambda o: S.CosineAnnealingLR(o, T_max=25, eta_min=0.05),
        "warm-up": lambda o: S.SequentialLR(
            o,
            [S.LinearLR(o, start_factor=1 / 5, end_factor=1.0, total_iters=4), S.ExponentialLR(o, gamma=0.9)],
            milestones=[5],
        ),
    }
    found = {}
    for name, make in makers.items():
        optimizer = torch.optim.SGD([torch.tensor(1.0, requires_grad=True)], lr=0.4)
        scheduler = make(optimizer)
        found[name] = []
        for _ in range(25):
            found[name].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return found


def clipping() -> dict:
    grads = [3.0, -4.0, 0.5, -0.01]
    found: dict = {"grads": grads, "norm": {}, "value": {}}
    for largest in (0.5, 2.0, 100.0):
        for name, clip in (("norm", nn.utils.clip_grad_norm_), ("value", nn.utils.clip_grad_value_)):
            parameters = [torch.tensor(0.0, requires_grad=True) for _ in grads]
            for p, g in zip(parameters, grads):
                p.grad = torch.tensor(g)
            clip(parameters, largest)
            found[name][str(largest)] = [p.grad.item() for p in parameters]
    return found


def first_weights() -> dict:
    """Gains, and the standard deviations of 300 × 100 weights from the initialisers."""
    torch.manual_seed(0)
    names = ("linear", "sigmoid", "tanh", "relu")
    gains = {name: nn.init.calculate_gain(name) for name in names}
    gains["leaky_relu"] = nn.init.calculate_gain("leaky_relu", 0.01)
    W = torch.empty(100, 300)
    makers = {
        "xavier_uniform": nn.init.xavier_uniform_,
        "xavier_normal": nn.init.xavier_normal_,
        "he_uniform": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
        "he_normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
        "uniform": lambda w: nn.init.uniform_(w, -1.0, 1.0),
        "normal": nn.init.normal_,
    }
    return {"gains": gains, "std": {name: make(W).std(correction=0).item() for name, make in makers.items()}}


def dropout() -> list:
    """Forward and backward with the mask that PyTorch drew, and in evaluation."""
    torch.manual_seed(0)
    found = []
    for p, training in ((0.5, True), (0.2, True), (0.0, True), (1.0, True), (0.5, False)):
        x = torch.randn(6, requires_grad=True)
        y = F.dropout(x, p, training=training)
        upstream = torch.randn(6)
        (y * upstream).sum().backward()
        found.append({
            "p": p, "training": training, "x": x.tolist(), "kept": (y != 0).tolist(), "y": y.tolist(),
            "upstream": upstream.tolist(), "dx": x.grad.tolist(),
        })  # fmt: skip
    return found


def batch_norm() -> list:
    """10 mini-batches of 3 units in training, running statistics after each; then evaluation, with gradients too."""
    found = []
    for options in ({}, {"eps": 1e-3, "momentum": 0.3}):
        torch.manual_seed(1)
        layer = nn.BatchNorm1d(3, **options)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([2.0, 0.5, -1.0]))
            layer.bias.copy_(torch.tensor([0.5, 0.0, -2.0]))
        case: dict = {"options": options, "gamma": layer.weight.tolist(), "beta": layer.bias.tolist(), "batches": []}
        for i in range(11):
            layer.train(i < 10)
            layer.zero_grad()
            x = torch.randn(2 + i % 4, 3) * torch.tensor([1.0, 10.0, 0.01]) + torch.tensor([0.0, -5.0, 3.0])
            x.requires_grad_()
            y = layer(x)
            upstream = torch.randn(x.shape)
            (y * upstream).sum().backward()
            case["batches"].append({
                "training": layer.training, "x": x.tolist(), "y": y.tolist(), "upstream": upstream.tolist(),
                "dx": x.grad.tolist(), "dgamma": layer.weight.grad.tolist(), "dbeta": layer.bias.grad.tolist(),
                "running_mean": layer.running_mean.tolist(), "running_var": layer.running_var.tolist(),
            })  # fmt: skip
        found.append(case)
    return found


def normalised_run() -> dict:
    """A 2-4-3 tanh network with batch normalisation: Nesterov, a cosine schedule, clipping; 12 mini-batches.

    Not Adam: of the gradient of a bias in front of a batch normalisation, rounding alone, it makes a whole step.
    """
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3))
    start = {name: p.tolist() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
    batches, losses = [], []
    for _ in range(12):
        X, y = torch.randn(5, 2), torch.randint(3, (5,))
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.2)
        optimizer.step()
        schedule.step()
        batches.append([X.tolist(), y.tolist()])
        losses.append(loss.item())
    end = {name: p.tolist() for name, p in model.named_parameters()}
    model.eval()
    x = [0.5, -1.0]
    return {
        "start": start, "batches": batches, "losses": losses, "end": end, "x": x,
        "running_mean": model[1].running_mean.tolist(), "running_var": model[1].running_var.tolist(),
        "output": model(torch.tensor([x]))[0].tolist(),
    }  # fmt: skip


class Forked(nn.Module):
    """A module of one's own, with a list of layers and a normalised branch."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.encoder(x)
        return self.head(self.norm(self.blocks[0](a)) + torch.sigmoid(self.blocks[1](a)))


NETWORKS = {
    "sequential": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 2), nn.Sigmoid()),
    "forked": Forked,
}


def states() -> dict:
    """State dicts after a step in training, in float64 and float32; outputs in evaluation and gradients."""
    found = {}
    for name, make in NETWORKS.items():
        for dtype in (torch.float64, torch.float32):
            torch.manual_seed(3)
            model = make().to(dtype)
            X, y = torch.randn(6, 3, dtype=dtype), [0, 1, 1, 0, 1, 0]
            optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
            F.cross_entropy(model(X), torch.tensor(y)).backward()
            optimizer.step()
            optimizer.zero_grad()
            state = {key: tensor.tolist() for key, tensor in model.state_dict().items()}
            model.eval()
            outputs = model(X)
            F.cross_entropy(outputs, torch.tensor(y)).backward()
            found[f"{name}, {str(dtype).removeprefix('torch.')}"] = {
                "state": state, "X": X.tolist(), "y": y, "outputs": outputs.tolist(),
                "gradients": {key: p.grad.tolist() for key, p in model.named_parameters()},
            }  # fmt: skip
    return found


def random_graphs(count: int = 2000) -> str:
    """f and ∂f/∂x of each input, a line for each seed from 0 on."""
    n = SimpleNamespace(**{name: function for name, (function, _) in PRIMITIVES.items()})
    n.power = lambda x, p: x**p
    lines = [f"# PyTorch {VERSION}, float64: f and its gradient of random_graphs.random_function, seeds 0 …"]
    for seed in range(count):
        inputs = [torch.tensor(x, requires_grad=True) for x in random_point(seed)]
        f = random_function(seed, n, inputs)
        f.backward()
        lines.append(" ".join(repr(x) for x in (f.item(), *(x.grad.item() for x in inputs))))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    everything = {
        "made_by": f"PyTorch {VERSION}, float64",
        "primitives": primitives(),
        "losses": losses(),
        "optimizers": optimizers(),
        "training_run": training_run(),
        "schedules": schedules(),
        "clipping": clipping(),
        "first_weights": first_weights(),
        "dropout": dropout(),
        "batch_norm": batch_norm(),
        "normalised_run": normalised_run(),
        "states": states(),
    }
    path = Path(__file__).with_name("references.json")
    path.write_text(json.dumps(everything, indent=1) + "\n")
    graphs = path.with_name("random_graphs.txt")
    graphs.write_text(random_graphs())
    print(f"wrote {path} and {graphs}")
