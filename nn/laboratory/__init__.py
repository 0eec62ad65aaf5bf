"""``lab``: a page where a network of scalars learns, and every number can be asked why.

Python records the situation (``recording``): the scalar graph as instructions, and the table's rules as JavaScript.
``machine.js`` runs them; the page's other scripts show what it knows, and compute no derivative.
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
SCRIPTS = ("random.js", "machine.js", "timeline.js")  # no page is needed to run these
MOST_BYTES = 1_500_000


def lab(
    model: MLP | Sequential | Sequence[Situation], data: Dataset | None = None, *arguments: Any, **options: Any
) -> Page:
    """A page on which a network learns: its plane, its scalars, and the mathematics of whatever one touches.

    model, data, …   as ``Situation``; or a list of Situations, between which the page switches by name

    The page runs the package's own rules, layers, losses and optimisers, and Python's random numbers, so that its
    steps are those of ``Training``. It starts from the model as it is, and leaves it so.
    Raises TypeError and ValueError as ``Situation``, and ValueError for a page beyond 1.5 MB.

    >>> from nn.data import moons
    >>> lab(MLP(2, [3, 1], rng=0), moons(10, rng=1), rng=2)
    <lab of MLP(2, [3, 1])>
    """
    if isinstance(model, (list, tuple)):
        situations = list(model)
        if not situations or not all(isinstance(one, Situation) for one in situations):
            raise TypeError(f"lab of {clipped(repr(model), 60)}: a list needs to hold Situations, at least one")
        if data is not None or arguments or options:
            raise TypeError("lab of a list takes nothing else: data, title and the like belong to each Situation")
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
        raise ValueError("two Situations have one title, by which the page tells them apart: give each its own")
    page = written(
        "lab", described[0]["title"], "nn.laboratory", "\n".join(code),
        data=script({"version": VERSION, "situations": described}),
    )  # fmt: skip
    if (size := len(page.encode())) > MOST_BYTES:
        raise ValueError(
            f"the lab of {name} takes {size:,} bytes, more than {MOST_BYTES:,}: take fewer units or points"
        )
    known = f"lab of {name}" if len(described) == 1 else f"lab of {counted(len(described), 'situation')}"
    invitation, image = f"The network {name}; trust the notebook to let it learn", draw(situations[0].training.model)
    return Page(known, "a lab", described[0]["title"], page, image._repr_svg_(), invitation, height=760)
