"""Defines the lab's lessons: eight questions from the lecture, each with situations that show the answer.

The body of each function below creates a situation; the page shows it as the situation's Python.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from inspect import getsource
from random import Random
from textwrap import dedent
from typing import Any

import nn
from nn.laboratory.recording import Situation

Setup = dict[str, Any]  # model, data, loss, optimizer and rng
LESSONS: list[Callable[[], list[Situation]]] = []


def lessons() -> list[Situation]:
    """Return the situations of all lessons. Those of one lesson share the part of the title before " / ".

    >>> [situation.words["title"] for situation in lessons()[:3]]
    ['One neuron', "The slides' 2-3-2 network", 'Why hidden layers / no hidden unit']
    """
    return [situation for make in LESSONS for situation in make()]


def _lesson(
    title: str, variants: Mapping[str, Mapping[str, Any]] = {"": {}}, **words: Any
) -> Callable[[Callable[..., Setup]], None]:
    """Return a decorator that adds a lesson whose situations are made by a function, one for each variant."""

    def situations(make: Callable[..., Setup]) -> list[Situation]:
        found = []
        for name, options in variants.items():
            made, whole = make(**options), f"{title} / {name}" if name else title
            parts = [made[part] for part in ("model", "data", "loss", "optimizer")]
            found.append(Situation(*parts, rng=made["rng"], title=whole, python=_source(make, options), **words))
        return found

    return lambda make: LESSONS.append(lambda: situations(make))


def _source(make: Callable[..., Setup], options: Mapping[str, Any]) -> str:
    """Return the lines of a function between ``def`` and ``return``, after its options and imports."""
    with suppress(OSError):  # installed without sources
        lines = getsource(make).splitlines()
        start = next(i for i, line in enumerate(lines, 1) if line.startswith("def "))
        given = [f"{name} = {value!r}" for name, value in options.items()]
        return "\n".join(["from random import Random\n\nimport nn\n", *given, dedent("\n".join(lines[start:-1]))])
    return ""


@_lesson(
    "One neuron", levers=("weights", "points"), batch_size=1, until=10,
    question="Which weight will the first update change more, and how many times as much?",
    look="Press Backward and touch each weight: its gradient is δ¹_1 times the weight's input. Press Update, then "
    "Run: at epoch 10, every point is on the correct side.",
    answer="w¹_11, four times as much: both gradients share one δ, and this point's inputs are 2 and 0.5.",
)  # fmt: skip
def _one_neuron() -> Setup:
    X = [[2, 0.5], [1, 1.5], [-0.5, 2], [1.5, -0.5], [-2, -0.5], [-1, -1.5], [0.5, -2], [-1.5, 0.5]]
    data = nn.Dataset(X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = nn.MLP(2, [1], output="sigmoid")
    model.load_state_dict({"net.layers.0.W": [[-1.0, 0.5]], "net.layers.0.b": [0.0]})
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=1.0), Random(3)
    return locals()


@_lesson(
    "The slides' 2-3-2 network", levers=("weights", "predict"), batch_size=1,
    question="Which output unit sends the larger part of δ¹_2 back?",
    look="Press Backward and touch the hidden unit a¹_2: its δ is the sum of the products δ w along its two outgoing "
    "edges, times g′. Compare the two products. The target is (1, 0).",
    answer="The first: δ²_1 w²_12 = 0.0922 and δ²_2 w²_22 = 0.0242. Their sum times g′(z¹_2) = 0.233 is δ¹_2 = "
    "0.0271.",
)  # fmt: skip
def _slides() -> Setup:
    data = nn.Dataset([[0.5, -1.0]], [[1.0, 0.0]])
    model = nn.MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
    model.load_state_dict({
        "net.layers.0.W": [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], "net.layers.0.b": [0.01, -0.02, 0.03],
        "net.layers.2.W": [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]], "net.layers.2.b": [0.05, -0.05],
    })  # fmt: skip
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=0.5), Random(0)
    return locals()


@_lesson(
    "Why hidden layers", {"no hidden unit": {"units": [1]}, "four units": {"units": [4, 1]}},
    levers=("points", "kill"), batch_size=10, until=100,
    question="After 100 epochs, what is each network's accuracy, and is its decision boundary straight or curved?",
    look="Press Run: it pauses at epoch 100. Switch to four units and do the same. Compare the boundaries, and look "
    "at the four pictures that the output unit adds up.",
    answer="90 % with a straight boundary, the line z = 0. 100 % with four hidden units: the output adds their "
    "pictures, and the boundary is curved.",
)  # fmt: skip
def _hidden(units: Sequence[int]) -> Setup:
    data = nn.data.moons(60, rng=1)
    model = nn.MLP(2, units, activation="tanh", output="sigmoid", rng=2)
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=3.0), Random(0)
    return locals()


@_lesson(
    "Vanishing gradients", {"ten sigmoids": {"g": "sigmoid"}, "with tanh": {"g": "tanh"}},
    levers=("weights", "saturate"), batch_size=1, until=20,
    question="By what factor does δ shrink at each layer on the way back? And with tanh?",
    look="Before any update, press Backward and read the δ below the units from right to left: each is the one to "
    "its right, times w g′(z). Then press Run: which network has learned at epoch 20?",
    answer="By 4, because w σ′(z) = 1 · ¼: after nine layers by 4⁹, about 260,000, and the network learns nothing. "
    "With tanh by about 1.1 before any update, because tanh′(z) is almost 1.",
)  # fmt: skip
def _deep(g: str) -> Setup:
    X = [[2, 0.5], [1, 1.5], [-0.5, 2], [1.5, -0.5], [-2, -0.5], [-1, -1.5], [0.5, -2], [-1.5, 0.5]]
    data = nn.Dataset(X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = nn.MLP(2, [1] * 10, activation=g, output="sigmoid", init="zero")
    numbers = [0.2, -0.2, 0.0, *[1.0, -0.5 if g == "sigmoid" else 0.0] * 9]  # w and b: each z is about 0
    for p, number in zip(model.parameters(), numbers):
        p.data = number
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=1.0), Random(3)
    return locals()


@_lesson(
    "Symmetry of equal weights",
    {"equal weights": {"init": "constant"}, "random weights": {"init": "xavier_uniform"}},
    levers=("weights",), batch_size=10, until=100,
    question="After 100 epochs, how many different pictures do the four hidden units of each network show?",
    look="Press Run: it pauses at epoch 100. Compare the pictures in the hidden units. With equal weights, touch the "
    "edges that leave x₁: their gradients are equal too.",
    answer="One with equal weights: equal units have equal δ and equal updates, and accuracy stays at 90 %. Four "
    "with random weights, which reach 100 %.",
)  # fmt: skip
def _symmetric(init: str) -> Setup:
    data = nn.data.moons(60, rng=1)
    model = nn.MLP(2, [4, 1], activation="tanh", output="sigmoid", init=init, rng=2)
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=3.0), Random(0)
    return locals()


@_lesson(
    "Dropout's redundancy", {"no dropout": {"p": 0.0}, "dropout, p = 0.3": {"p": 0.3}},
    levers=("kill",), batch_size=10, until=200,
    question="After 200 epochs, what is the lowest accuracy of each network if one hidden unit is killed?",
    look="Press Run: it pauses at epoch 200. Touch a hidden unit, press Kill, read the accuracy, and bring it back. "
    "Try each unit, then do the same with dropout, p = 0.3.",
    answer="73 % without dropout, 93 % with it. Trained with units missing at random, the network depends on no "
    "single unit.",
)  # fmt: skip
def _dropout(p: float) -> Setup:
    data = nn.data.moons(60, rng=1)
    model = nn.MLP(2, [6, 1], activation="relu", output="sigmoid", dropout=p, rng=4)
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=1.0), Random(0)
    return locals()


@_lesson(
    "All-positive inputs", {"positive": {"center": False}, "zero-centred": {"center": True}},
    levers=("batch",), batch_size=1,
    question="In three updates, how often do the two weights move in opposite directions? And with zero-centred "
    "inputs?",
    look="Before each Update, press Backward and read both gradients on the edges: they are the same δ times x₁ and "
    "times x₂. Compare the signs.",
    answer="Never: if both inputs are positive, both gradients have the sign of δ. With zero-centred inputs, twice. "
    "It can also happen with a mini-batch of several points, which adds δ of both signs.",
)  # fmt: skip
def _positive(center: bool) -> Setup:
    X = [[5, 2.5], [4, 1.5], [2.5, 1], [4.5, 3.5], [1, 3.5], [2, 4.5], [3.5, 5], [1.5, 2.5]]
    data = nn.Dataset(nn.ZeroCenter().fit_transform(X) if center else X, [1, 1, 1, 1, 0, 0, 0, 0])
    model = nn.MLP(2, [1], output="sigmoid", init="zero")
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=0.3), Random(3)
    return locals()


@_lesson(
    "Batch normalisation", {"no batch norm": {"batch_norm": False}, "batch norm": {"batch_norm": True}},
    levers=("batch",), batch_size=20, until=100,
    question="After 100 epochs, which network has learned, and what is the gradient of its hidden biases?",
    look="Press Run: it pauses at epoch 100. Do the same with batch normalisation, and compare the loss and ‖δ¹‖. "
    "Then press Backward, touch a hidden unit, and press its bias, b.",
    answer="The one with batch normalisation: its loss is about 0.01; the other's is still 0.12 because δ vanishes "
    "in three sigmoids. Biases before batch normalisation have gradient 0: subtracting the mean removes a bias.",
)  # fmt: skip
def _normalised(batch_norm: bool) -> Setup:
    data = nn.data.moons(60, rng=1)
    model = nn.MLP(2, [4, 4, 4, 1], activation="sigmoid", output="sigmoid", batch_norm=batch_norm, rng=1)
    loss, optimizer, rng = nn.half_squared_error, nn.SGD(model.parameters(), learning_rate=1.0), Random(0)
    return locals()
