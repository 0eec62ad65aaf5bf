"""Defines the lab's lessons: eight questions of the lecture, each with situations that show the answer.

A lesson is a few lines of Python, which make its situations and which the page shows.
"""

from collections.abc import Mapping
from typing import Any

from nn.laboratory.recording import Situation

HEADER = "from random import Random\n\nimport nn\n\n"
EIGHT_POINTS = """X = [[2, 0.5], [1, 1.5], [-0.5, 2], [1.5, -0.5], [-2, -0.5], [-1, -1.5], [0.5, -2], [-1.5, 0.5]]
data = nn.Dataset(X, [1, 1, 1, 1, 0, 0, 0, 0])
"""
MOONS = "data = nn.data.moons(60, rng=1)\n"


def lessons() -> list[Situation]:
    """Return the situations of all lessons. Those of one lesson share the part of the title before " / ".

    >>> [situation.words["title"] for situation in lessons()[:3]]
    ['One neuron', "The slides' 2-3-2 network", 'Why hidden layers / no hidden unit']
    """
    return [
        *_lesson(
            "One neuron",
            f"""{EIGHT_POINTS}model = nn.MLP(2, [1], output="sigmoid")
model.load_state_dict({{"net.layers.0.W": [[-1.0, 0.5]], "net.layers.0.b": [0.0]}})
{_training(rate=1.0, seed=3)}""",
            levers=("weights", "points"), batch_size=1, until=10,
            question="Which weight will the first update change more, and how many times as much?",
            look="Press Backward and touch each weight: its gradient is δ¹_1 times the weight's input. Press Update, "
            "then Run: at epoch 10, every point is on its own side.",
            answer="w¹_11, four times as much: both gradients share one δ, and this point's inputs are 2 and 0.5.",
        ),
        *_lesson(
            "The slides' 2-3-2 network",
            f"""data = nn.Dataset([[0.5, -1.0]], [[1.0, 0.0]])
model = nn.MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
model.load_state_dict({{
    "net.layers.0.W": [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], "net.layers.0.b": [0.01, -0.02, 0.03],
    "net.layers.2.W": [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]], "net.layers.2.b": [0.05, -0.05],
}})
{_training(rate=0.5)}""",
            levers=("weights", "predict"), batch_size=1,
            question="Which output unit sends the larger part of δ¹_2 back?",
            look="Press Backward and touch the hidden unit a¹_2: its δ is the sum of the products δ w along its two "
            "outgoing edges, times g′. Compare the two products. The target is (1, 0).",
            answer="The first: δ²_1 w²_12 = 0.0922 and δ²_2 w²_22 = 0.0242. Their sum times g′(z¹_2) = 0.233 is δ¹_2 "
            "= 0.0271.",
        ),
        *_lesson(
            "Why hidden layers",
            f'{MOONS}model = nn.MLP(2, units, activation="tanh", output="sigmoid", rng=2)\n{_training(rate=3.0)}',
            {"no hidden unit": {"units": [1]}, "four units": {"units": [4, 1]}},
            levers=("points", "kill"), batch_size=10, until=100,
            question="What accuracy does each network reach after 100 epochs, and is its border straight or bent?",
            look="Press Run: it pauses at epoch 100. Switch to four units and do the same. Compare the borders, and "
            "look at the four pictures that the output unit adds up.",
            answer="90 % with a straight border, the line z = 0. 100 % with four hidden units: the output adds their "
            "pictures, and the border bends.",
        ),
        *_lesson(
            "Vanishing gradients",
            f"""{EIGHT_POINTS}model = nn.MLP(2, [1] * 10, activation=g, output="sigmoid", init="zero")
for w, first in zip(model.parameters(), (0.2, -0.2)):
    w.data = first
for w in model.parameters()[3::2]:
    w.data = 1.0
for b in model.parameters()[4::2]:
    b.data = -0.5 if g == "sigmoid" else 0.0  # each z is about 0
{_training(rate=1.0, seed=3)}""",
            {"ten sigmoids": {"g": "sigmoid"}, "with tanh": {"g": "tanh"}},
            levers=("weights", "saturate"), batch_size=1, until=20,
            question="By what factor does δ shrink at each layer on the way back? And with tanh?",
            look="Before any update, press Backward and read the δ below the units from right to left: each is the "
            "one to its right, times w g′(z). Then press Run: which network has learned at epoch 20?",
            answer="By 4, because w σ′(z) = 1 · ¼: after nine layers by 4⁹, about 260,000, and the network learns "
            "nothing. With tanh by about 1.1 before any update, because tanh′(z) is almost 1.",
        ),
        *_lesson(
            "Symmetry of equal weights",
            f'{MOONS}model = nn.MLP(2, [4, 1], activation="tanh", output="sigmoid", init=init, rng=2)\n'
            f"{_training(rate=3.0)}",
            {"equal weights": {"init": "constant"}, "random weights": {"init": "xavier_uniform"}},
            levers=("weights",), batch_size=10, until=100,
            question="After 100 epochs, how many different pictures do the four hidden units of each network show?",
            look="Press Run: it pauses at epoch 100. Compare the pictures in the hidden units. With equal weights, "
            "touch the edges that leave x₁: their gradients are equal too.",
            answer="One with equal weights: equal units have equal δ and equal updates, and accuracy stays at 90 %. "
            "Four with random weights, which reach 100 %.",
        ),
        *_lesson(
            "Dropout's redundancy",
            f'{MOONS}model = nn.MLP(2, [6, 1], activation="relu", output="sigmoid", dropout=p, rng=4)\n'
            f"{_training(rate=1.0)}",
            {"no dropout": {"p": 0.0}, "dropout, p = 0.3": {"p": 0.3}},
            levers=("kill",), batch_size=10, until=200,
            question="After 200 epochs, what is the lowest accuracy of each network if one hidden unit is killed?",
            look="Press Run: it pauses at epoch 200. Touch a hidden unit, press Kill, read the accuracy, and bring "
            "it back. Try each unit, then do the same with dropout, p = 0.3.",
            answer="73 % without dropout, 93 % with it. Trained with units missing at random, the network depends on "
            "no single one.",
        ),
        *_lesson(
            "All-positive inputs",
            f"""X = [[5, 2.5], [4, 1.5], [2.5, 1], [4.5, 3.5], [1, 3.5], [2, 4.5], [3.5, 5], [1.5, 2.5]]
data = nn.Dataset(nn.ZeroCenter().fit_transform(X) if center else X, [1, 1, 1, 1, 0, 0, 0, 0])
model = nn.MLP(2, [1], output="sigmoid", init="zero")
{_training(rate=0.3, seed=3)}""",
            {"positive": {"center": False}, "zero-centred": {"center": True}}, levers=("batch",), batch_size=1,
            question="In three updates, how often do the two weights move in opposite directions? And with "
            "zero-centred inputs?",
            look="Before each Update, press Backward and read both gradients at the edges: they are the same δ times "
            "x₁ and times x₂. Compare the signs.",
            answer="Never: if both inputs are positive, both gradients have the sign of δ. With zero-centred inputs, "
            "twice. It may also happen with a mini-batch of several points, which adds δ of both signs.",
        ),
        *_lesson(
            "Batch normalisation",
            f"{MOONS}model = nn.MLP(\n"
            '    2, [4, 4, 4, 1], activation="sigmoid", output="sigmoid", batch_norm=batch_norm, rng=1\n'
            f")\n{_training(rate=1.0)}",
            {"no batch norm": {"batch_norm": False}, "batch norm": {"batch_norm": True}}, levers=("batch",),
            batch_size=20, until=100,
            question="After 100 epochs, which network has learned, and what is the gradient of its hidden biases?",
            look="Press Run: it pauses at epoch 100. Do the same with batch normalisation, and compare the loss and "
            "‖δ¹‖. Then press Backward, touch a hidden unit, and press its bias, b.",
            answer="The one with batch normalisation: its loss is about 0.01; the other's is still 0.12 because δ "
            "vanishes in three sigmoids. Its biases have gradient 0: subtracting the mean removes a bias.",
        ),
    ]  # fmt: skip


def _training(rate: float, seed: int = 0) -> str:
    """Write the lines that are the same in every lesson."""
    return (
        f"loss, rng = nn.half_squared_error, Random({seed})\n"
        f"optimizer = nn.SGD(model.parameters(), learning_rate={rate})\n"
    )


def _lesson(
    title: str, code: str, variants: Mapping[str, Mapping[str, Any]] = {"": {}}, **words: Any
) -> list[Situation]:
    """Run a lesson's code for each variant and return the situations."""
    found = []
    for name, options in variants.items():
        python = HEADER + "".join(f"{option} = {value!r}\n" for option, value in options.items()) + code.rstrip()
        made: dict[str, Any] = {}
        exec(python, made)
        parts = (made[part] for part in ("model", "data", "loss", "optimizer"))
        whole = f"{title} / {name}" if name else title
        found.append(Situation(*parts, rng=made["rng"], title=whole, python=python, **words))
    return found
