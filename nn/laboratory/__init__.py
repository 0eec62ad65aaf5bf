"""Builds the lab: a page on which a network of scalars learns and every number shows its formula.

Python records the situation (``recording``): the scalar graph as instructions, and the table's rules as JavaScript.
``machine.js`` runs them. The page's other scripts display its results; none of them computes a derivative.
"""

from collections.abc import Sequence
from typing import Any

from autograd.drawing import draw
from autograd.pages import Page, own_file, script, written
from autograd.text import clipped, counted
from nn.data import Dataset
from nn.laboratory.recording import Situation, program
from nn.layers import MLP, Sequential

VERSION = 1  # of the situations' JSON
SCRIPTS = ("random.js", "machine.js", "timeline.js")  # these run without a page
MOST_BYTES = 1_500_000


def lab(
    model: MLP | Sequential | Sequence[Situation], data: Dataset | None = None, *arguments: Any, **options: Any
) -> Page:
    """Return a page on which a network learns; touching a point, a unit or a weight shows its formula.

    model, data, …   the arguments of ``Situation``, or a list of Situations, which the page offers by title

    The page runs the package's own rules, layers, losses and optimisers with Python's random numbers, so its steps
    equal those of ``Training``. It starts from the model's current state and does not change the model.
    Raises TypeError and ValueError as ``Situation`` does, and ValueError for a page of more than 1.5 MB.

    >>> from nn.data import moons
    >>> lab(MLP(2, [3, 1], rng=0), moons(10, rng=1), rng=2)
    <lab of MLP(2, [3, 1])>
    """
    if isinstance(model, (list, tuple)):
        situations = list(model)
        if not situations or not all(isinstance(one, Situation) for one in situations):
            raise TypeError(f"lab takes a list of one or more Situations, not {clipped(repr(model), 60)}")
        if data is not None or arguments or options:
            raise TypeError("lab takes only the list of Situations: pass data, title and options to each Situation")
    elif isinstance(model, Situation):
        return lab([model])
    else:
        situations = [Situation(model, data, *arguments, **options)]  # type: ignore[arg-type]
    code = [f"const KERNELS = {program(situations)};", own_file("numbers.js")]
    files = [*SCRIPTS, "plane.js", "network.js", "mathematics.js"]
    code += [own_file(name, "nn.laboratory") for name in files]
    described = [situation.json for situation in situations]
    name = clipped(repr(situations[0].training.model), 60)
    for about in described:
        about["title"] = about["title"] or name
    if len({about["title"] for about in described}) < len(described):
        raise ValueError("two Situations have the same title: give each a unique one, by which the page lists it")
    page = written(
        "lab", described[0]["title"], "nn.laboratory", "\n".join(code),
        data=script({"version": VERSION, "situations": described}),
    )  # fmt: skip
    if (size := len(page.encode())) > MOST_BYTES:
        raise ValueError(
            f"the lab of {name} has {size:,} bytes, but the limit is {MOST_BYTES:,}: use fewer units or points"
        )
    known = f"lab of {name}" if len(described) == 1 else f"lab of {counted(len(described), 'situation')}"
    invitation, image = f"The network {name}: trust the notebook to see it learn", draw(situations[0].training.model)
    return Page(known, "a lab", described[0]["title"], page, image._repr_svg_(), invitation, height=760)
