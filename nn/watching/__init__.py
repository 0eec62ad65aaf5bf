"""``watch``: a page that shows a training run epoch by epoch: boundary, loss, weights, activations and δ.

The layers are measured here and given to the page as data (``frames``); the page's own script, in the
files beside this one, draws numbers and computes none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from autograd.colours import LIGHT
from autograd.pages import Page, own_file, script, written
from autograd.text import clipped
from nn.layers import MLP, Sequential
from nn.training import Training
from nn.watching.frames import told

MOST_EXAMPLES = 20


def watch(training: Training, history: Sequence[Mapping[str, Any]], *, examples: int = 6) -> Page:
    """A page with a scrubber over the epochs of a run.

    history    ``model.state_dict()`` after each record of the training
    examples   how many training examples are shown one by one, of each class in turn

    At most 100 epochs are shown, evenly chosen, the first and the last among them. Each is measured in evaluation
    mode; the model, its gradients and its generators stay as they were.
    δˡ is ∂L/∂zˡ of one example with the loss of its own; ‖δˡ‖ is √(1/m Σ ‖δˡ‖²) over the m examples that
    ``nn.diagnostics.Diagnosis`` measures too.

    Raises TypeError if ``training`` is not a Training or its model not an MLP or a Sequential, and ValueError for a
    history that is empty, of another length than the records or of another model.

    >>> from random import Random
    >>> from nn import SGD, binary_cross_entropy
    >>> from nn.data import moons
    >>> model = MLP(2, [4, 1], rng=Random(0))
    >>> training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.5), moons(20, rng=Random(1)),
    ...                     epochs=3, rng=Random(2))
    >>> history = [model.state_dict() for record in training]
    >>> watch(training, history)
    <film of MLP(2, [4, 1]): 3 frames of 3 epochs>
    """
    if not isinstance(training, Training):
        raise TypeError(f"watch takes the Training that has run, not {training!r} ({type(training).__name__})")
    if not isinstance(training.model, (MLP, Sequential)):
        raise TypeError(f"watch of {training.model!r}: it traces an MLP or a Sequential")
    if not 1 <= examples <= MOST_EXAMPLES:
        raise ValueError(f"examples = {examples}: it needs to be from 1 to {MOST_EXAMPLES}")
    states, epochs = list(history), len(training.records)
    if not states:
        raise ValueError("history is empty: append model.state_dict() after each record of the training")
    if len(states) != epochs:
        found = f"history has {len(states)} states and the training {epochs} records"
        raise ValueError(f"{found}: it needs one state for each, appended after the record")
    film, name = told(training, states, examples), clipped(repr(training.model), 60)
    title = f"{name}, epoch by epoch"
    page = written("watch", title, "nn.watching", own_file("drawing.js", "nn.watching"), film=script(film))
    invitation = f"The training loss of {name}; trust the notebook to scrub through its epochs"
    known = f"film of {name}: {len(film['frames'])} frames of {epochs} epochs"
    return Page(known, "a film", title, page, _loss_image(film["curves"]), invitation, height=760)


def _loss_image(curves: Mapping[str, Any]) -> str:
    """The training loss by epoch, as a small SVG."""
    losses = [loss or 0.0 for loss in curves["training"]]
    low, high, last = min(0.0, *losses), max(1e-300, *losses), max(len(losses) - 1, 1)
    heights = [250 - 220 * (loss - low) / (high - low) for loss in losses]
    points = " ".join(f"{50 + 500 * i / last:.1f},{y:.1f}" for i, y in enumerate(heights))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300" width="600" height="300">'
        f'<rect width="600" height="300" fill="{LIGHT["paper"]}"/>'
        f'<polyline points="{points}" fill="none" stroke="{LIGHT["value"]}" stroke-width="2.5"/>'
        f'<text x="50" y="18" font-family="sans-serif" font-size="14" fill="{LIGHT["ink"]}">training loss, from '
        f"{losses[0]:.4g} to {losses[-1]:.4g} in epoch {curves['epochs'][-1]}</text></svg>"
    )
