"""Makes the README's drawings and the gallery: ``python docs/make_pictures.py``.

Each function below draws one picture; its docstring is the sentence that stands above it on the gallery's page.
"""

import sys
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import gallery  # noqa: E402  (the folder has to be found first)
from gallery import net_232, xyz  # noqa: E402

from autograd import Value, draw, exp, log, named, sum  # noqa: E402
from nn import MLP, SGD, BatchNorm, Training, cross_entropy  # noqa: E402
from nn.data import digits  # noqa: E402


def before():
    """`draw(f)` of f = xyz, where x = r, y = rs and z = s: a name, a formula and a number in each box."""
    return draw(xyz()[2])


def after():
    """The same graph after `f.backward()`: below each number stands its gradient, in orange."""
    _, _, f = xyz()
    f.backward()
    return draw(f)


def paths():
    """`draw(f, wrt=s)` lights the two paths that lead from f back to s; over each come 12, which are 24 in all."""
    return gallery.slide()


def neuron():
    """`draw(a, local_derivatives=True)` of a neuron: on each edge stands the factor that it multiplies by."""
    return gallery.neuron()


def softmax():
    """`draw(L, wrt=z_1)` of the cross-entropy of a softmax: z₁ moves L through e₁ itself, and through the sum S."""
    z = named(z_1=Value(1.0), z_2=Value(-0.5), z_3=Value(2.0))
    e = named(e_1=exp(z[0]), e_2=exp(z[1]), e_3=exp(z[2]))
    L = named(L=-log(named(p_1=e[0] / named(S=sum(list(e))))))
    L.backward()
    return draw(L, wrt=z[0])


def batch_norm():
    """Batch normalisation of four numbers: each of them moves y₁, since each moves the mean and the variance."""
    x = [[Value(number, f"x_{i}")] for i, number in enumerate((1.0, 2.0, 4.0, -1.5), start=1)]
    y_1 = named(y_1=BatchNorm(1).batch(x)[0][0])
    y_1.backward()
    return draw(y_1)


def animated():
    """`draw(f).animate()`: both passes of f = xyz, values in blue, then gradients in orange."""
    return draw(xyz()[2]).animate()


def network():
    """`draw(L)` of the lecture's 2-3-2 network: its weights stand on the edges, its biases in the units."""
    return draw(net_232()[2])


def faces():
    """`draw(trace)` of the same network: forward, edges are as wide as |w|, backward as wide as |∂L/∂w|."""
    return draw(net_232()[1])


def dropout():
    """A trace with dropout: the unit that is dropped can still be read, and no gradient comes back through it."""
    return gallery.dropped()


def pixels():
    """`draw(model)` of ten units that have learned handwritten digits: each shows its 64 weights as 8 × 8 pixels."""
    data, model = digits(), MLP(64, [10], rng=Random(0))
    data = data._replace(X=data.X[:300], y=data.y[:300])
    optimizer = SGD(model.parameters(), 0.5)
    for _ in Training(model, cross_entropy, optimizer, data, epochs=15, rng=Random(0), progress=False):
        pass
    return draw(model)


def batch():
    """`draw(L)` of a batch of 100 examples collapses its 7,190 nodes; in HTML a click opens a group."""
    return gallery.moons()


def outputs():
    """`draw([p, q])` shows the graph of several values at once."""
    x, w = named(x=Value(0.5), w=Value(-2.0))
    h = named(h=exp(w * x))
    return draw(list(named(p=h * x, q=h + w)))


PICTURES = [
    animated, before, after, paths, neuron, softmax, batch_norm, network, faces, dropout, pixels, batch, outputs,
]  # fmt: skip


def make_gallery(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    lines = ["# Gallery", "", "One picture of each kind, made by `python docs/make_pictures.py`."]
    for picture in PICTURES:
        drawn = picture()
        drawn.save(folder / f"{picture.__name__}.svg")
        lines += ["", picture.__doc__, "", f"![{repr(drawn).strip('<>')}](gallery/{picture.__name__}.svg)"]
    folder.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":  # a test runner that collects docs/ imports this file
    make_gallery(HERE / "gallery")
