"""The lab's lessons: eight questions of the lecture, each with situations in which the answer can be seen.

The body of each function below makes its situation, and is shown as the Python of that situation as well.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from inspect import getsource
from random import Random
from textwrap import dedent
from typing import Any

from nn.data import Dataset, moons
from nn.init import constant
from nn.laboratory.recording import Situation
from nn.layers import MLP
from nn.losses import Loss, half_squared_error
from nn.optim import SGD, Optimizer
from nn.preprocessing import ZeroCenter

Setup = tuple[MLP, Dataset, Loss, Optimizer, Random]
IMPORTS = {  # of the functions below
    "functools": ["partial"], "random": ["Random"], "nn.data": ["moons"], "nn.init": ["constant"],
    "nn": ["MLP", "SGD", "Dataset", "ZeroCenter", "half_squared_error"],
}  # fmt: skip


def lessons() -> list[Situation]:
    """The situations of all lessons. Those of one lesson share the part of the title before " / ".

    >>> [situation.words["title"] for situation in lessons()[:3]]
    ['One neuron', "The slides' 2-3-2 network", 'Why hidden layers / no hidden unit']
    """
    return [
        *_lesson(
            "One neuron", _one_neuron, levers=("weights", "points"), batch_size=1, until=10,
            question="Which weight will the first update change more, and how many times as much?",
            look="Press Backward and touch each weight: its gradient is δ¹_1 times the input that it reads. Press "
            "Update, then Run: at epoch 10 every point is on its own side.",
            answer="w¹_11, four times as much: both gradients share one δ, and this point's inputs are 2 and 0.5.",
        ),
        *_lesson(
            "The slides' 2-3-2 network", _slides, levers=("weights", "predict"), batch_size=1,
            question="Which output unit sends the larger part of δ¹_2 back?",
            look="Press Backward and touch the hidden unit a¹_2: its δ adds what comes back over the two edges that "
            "leave it, and multiplies by g′. Compare the two products. The target is (1, 0).",
            answer="The first: δ²_1 w²_12 = 0.0922 and δ²_2 w²_22 = 0.0242. Their sum times g′(z¹_2) = 0.233 is δ¹_2 "
            "= 0.0271.",
        ),
        *_lesson(
            "Why hidden layers", _hidden, {"no hidden unit": {"units": [1]}, "four units": {"units": [4, 1]}},
            levers=("points", "kill"), batch_size=10, until=100,
            question="What accuracy does each network reach after 100 epochs, and is its border straight or bent?",
            look="Press Run: it pauses at epoch 100. Switch to four units and do the same. Compare the borders, and "
            "look at the four pictures that the output unit adds up.",
            answer="90 % with a straight border: it is where z = 0, a line. 100 % with four hidden units: the output "
            "adds their pictures, and the border bends.",
        ),
        *_lesson(
            "Vanishing gradients", _deep, {"ten sigmoids": {"g": "sigmoid"}, "with tanh": {"g": "tanh"}},
            levers=("weights", "saturate"), batch_size=1, until=20,
            question="By about what number is δ divided at each layer on the way back? What is it with tanh?",
            look="Before any update, press Backward and read the δ below the units from right to left: each is the "
            "one after it, times w g′(z). Then press Run: which network has learned at epoch 20?",
            answer="By 4, since w σ′(z) = 1 · ¼: after nine layers by 4⁹, about 260,000, and nothing is learned. "
            "With tanh by about 1.1 before any update, since tanh′(z) is almost 1.",
        ),
        *_lesson(
            "Symmetry of equal weights", _symmetric,
            {"equal weights": {"init": "constant"}, "random weights": {"init": "xavier_uniform"}},
            levers=("weights",), batch_size=10, until=100,
            question="After 100 epochs, how many different pictures do the four hidden units of each network show?",
            look="Press Run: it pauses at epoch 100. Compare the pictures in the hidden units. With equal weights, "
            "touch the edges that leave x₁: their gradients are equal too.",
            answer="One from equal weights: equal units get an equal δ and equal updates, and stay at 90 %. Four "
            "from random weights, which reach 100 %.",
        ),
        *_lesson(
            "Dropout's redundancy", _dropout, {"no dropout": {"p": 0.0}, "dropout, p = 0.3": {"p": 0.3}},
            levers=("kill",), batch_size=10, until=200,
            question="After 200 epochs, what is the lowest accuracy that killing one hidden unit leaves in each?",
            look="Press Run: it pauses at epoch 200. Touch a hidden unit, press Kill, read the accuracy, and bring "
            "it back. Try each unit, then do the same with dropout, p = 0.3.",
            answer="73 % without dropout, 93 % with it. Trained with units missing at random, the network depends on "
            "no single one.",
        ),
        *_lesson(
            "All-positive inputs", _positive, {"positive": {"center": False}, "zero-centred": {"center": True}},
            levers=("batch",), batch_size=1,
            question="In three updates, how often do the two weights move in opposite directions? And with "
            "zero-centred inputs?",
            look="Before each Update, press Backward and read both gradients at the edges: they are the same δ times "
            "x₁ and times x₂. Compare the signs.",
            answer="Never: if both inputs are positive, both gradients have the sign of δ. With zero-centred inputs, "
            "twice. A mini-batch of several points may do it too, since it adds δ of both signs.",
        ),
        *_lesson(
            "Batch normalisation", _normalised,
            {"no batch norm": {"batch_norm": False}, "batch norm": {"batch_norm": True}}, levers=("batch",),
            batch_size=20, until=100,
            question="After 100 epochs, which network has learned, and what is the gradient of its hidden biases?",
            look="Press Run: it pauses at epoch 100. Do the same with batch normalisation, and compare the loss and "
            "‖δ¹‖. Then press Backward, touch a hidden unit, and press its bias, b.",
            answer="The one with batch normalisation: its loss is about 0.01, the other's still 0.12, since δ "
            "vanishes through three sigmoids. Its biases have the gradient 0: subtracting the mean removes a bias.",
        ),
    ]  # fmt: skip


def _lesson(
    title: str, make: Callable[..., Setup], variants: Mapping[str, Mapping[str, Any]] = {"": {}}, **words: Any
) -> list[Situation]:
    """The situations of a lesson, one for each variant."""
    found = []
    for name, options in variants.items():
        model, data, loss, optimizer, rng = make(**options)
        whole = f"{title} / {name}" if name else title
        python = _source(make, options)
        found.append(Situation(model, data, loss, optimizer, rng=rng, title=whole, python=python, **words))
    return found


def _source(make: Callable[..., Setup], options: Mapping[str, Any]) -> str:
    """The lines of a function between its head and ``return``, with its options and what they import."""
    with suppress(OSError):  # installed without sources
        body = dedent("".join(getsource(make).splitlines(keepends=True)[1:-1]))
        used = {module: [n for n in names if re.search(rf"\b{n}\b", body)] for module, names in IMPORTS.items()}
        imports = [f"from {module} import {', '.join(names)}\n" for module, names in used.items() if names]
        given = [f"{name} = {value!r}\n" for name, value in options.items()]
        return "".join([*imports, "import nn\n\n", *given, body])
    return ""


def _one_neuron() -> Setup:
    X = [[2, 0.5], [1, 1.5], [-0.5, 2], [1.5, -0.5], [-2, -0.5], [-1, -1.5], [0.5, -2], [-1.5, 0.5]]
    data = Dataset(X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = MLP(2, [1], output="sigmoid")
    model.load_state_dict({"net.layers.0.W": [[-1.0, 0.5]], "net.layers.0.b": [0.0]})
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=1.0), Random(3)
    return model, data, loss, optimizer, rng


def _slides() -> Setup:
    data = Dataset([[0.5, -1.0]], [[1.0, 0.0]])
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
    model.load_state_dict({
        "net.layers.0.W": [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], "net.layers.0.b": [0.01, -0.02, 0.03],
        "net.layers.2.W": [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]], "net.layers.2.b": [0.05, -0.05],
    })  # fmt: skip
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=0.5), Random(0)
    return model, data, loss, optimizer, rng


def _hidden(units: Sequence[int]) -> Setup:
    data = moons(60, rng=1)
    model = MLP(2, units, activation="tanh", output="sigmoid", rng=2)
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=3.0), Random(0)
    return model, data, loss, optimizer, rng


def _deep(g: str) -> Setup:
    X = [[2, 0.5], [1, 1.5], [-0.5, 2], [1.5, -0.5], [-2, -0.5], [-1, -1.5], [0.5, -2], [-1.5, 0.5]]
    data = Dataset(X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = MLP(2, [1] * 10, activation=g, output="sigmoid", init=partial(constant, value=1.0))
    for w, first in zip(model.parameters(), (0.2, -0.2)):
        w.data = first
    for b in model.parameters()[4::2]:
        b.data = -0.5 if g == "sigmoid" else 0.0  # each z is about 0
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=1.0), Random(3)
    return model, data, loss, optimizer, rng


def _symmetric(init: str) -> Setup:
    data = moons(60, rng=1)
    model = MLP(2, [4, 1], activation="tanh", output="sigmoid", init=init, rng=2)
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=3.0), Random(0)
    return model, data, loss, optimizer, rng


def _dropout(p: float) -> Setup:
    data = moons(60, rng=1)
    model = MLP(2, [6, 1], activation="relu", output="sigmoid", dropout=p, rng=4)
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=1.0), Random(0)
    return model, data, loss, optimizer, rng


def _positive(center: bool) -> Setup:
    X = [[5, 2.5], [4, 1.5], [2.5, 1], [4.5, 3.5], [1, 3.5], [2, 4.5], [3.5, 5], [1.5, 2.5]]
    data = Dataset(ZeroCenter().fit_transform(X) if center else X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = MLP(2, [1], output="sigmoid", init="zero")
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=0.3), Random(3)
    return model, data, loss, optimizer, rng


def _normalised(batch_norm: bool) -> Setup:
    data = moons(60, rng=1)
    model = MLP(2, [4, 4, 4, 1], activation="sigmoid", output="sigmoid", batch_norm=batch_norm, rng=1)
    loss, optimizer, rng = half_squared_error, SGD(model.parameters(), learning_rate=1.0), Random(0)
    return model, data, loss, optimizer, rng
