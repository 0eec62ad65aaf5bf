"""One drawing of each kind, for measurements in a browser and for the contact sheet."""

from random import Random

from slides import net_232, xyz

from autograd import Value, affine, draw, named, sigmoid, sin, sum
from nn import MLP, binary_cross_entropy, half_squared_error
from nn.losses import mean_loss


def slide(**options):
    _, s, f = xyz()
    f.backward()
    return draw(f, wrt=s, **options)


def tree():
    u = Value(1.0, "u")
    r, s = named(r=2.0 * u, s=u**2)
    _, _, f = xyz(r, s)
    f.backward()
    return draw(f, wrt=u, fold=True, direction="up")


def neuron():
    w, a = [Value(0.5, "w_1"), Value(-1.0, "w_2")], [Value(2.0, "a_1"), Value(0.25, "a_2")]
    z = named(z=affine(w, a, Value(0.1, "b")))
    out = named(a=sigmoid(z))
    out.backward()
    return draw(out, local_derivatives=True)


def net_graph():
    model, _, L = net_232()
    return draw(L, wrt=model.parameters()[0])


def net_diagram():
    return draw(net_232()[1])


def unfolded():
    return draw(net_232()[1].z[1][0], unfold=True, local_derivatives=True)


def x_plus_x():
    x = Value(3.0, "x")
    y = named(y=x + x)
    y.backward()
    return draw(y, wrt=x)


def long_names():
    x, y = Value(-123456.789, "a very long name of an input"), Value(1e-9, "שלום")
    f = named(another_name_that_is_far_too_long=x * y + sin(x))
    f.backward()
    return draw(f, wrt=x)


def random_graph(count, **options):
    def drawn():
        rng = Random(count)
        values = [Value(rng.uniform(-1.0, 1.0), f"x_{i}") for i in range(4)]
        unused = set(values)
        while len(values) < count - 1:
            x, y = rng.choice(values[-count // 8 :]), rng.choice(values[-count // 8 :])
            unused -= {x, y}
            values.append(rng.choice([lambda x, y: x + y, lambda x, y: sin(x) * y, lambda x, y: x - y])(x, y))
            unused.add(values[-1])
        f = named(f=sum([x for x in values if x in unused]))
        f.backward()
        return draw(f, **options)

    return drawn


def moons(**options):
    model, rng = MLP(2, [16, 16, 1], rng=Random(0)), Random(1)
    X = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(100)]
    L = named(L=mean_loss(binary_cross_entropy, model.batch(X), [i % 2 for i in range(100)]))
    L.backward()
    return draw(L, **options)


def dropped():
    model = MLP(2, [6, 1], dropout=0.5, rng=Random(3))
    trace = model.trace([1.0, 0.5])
    named(L=half_squared_error(trace.output, 1.0)).backward()
    return draw(trace)


PICTURES = {
    "f = xyz, with the paths from s": slide,
    "f = xyz, as the slide's tree": tree,
    "a neuron": neuron,
    "x + x": x_plus_x,
    "the 2-3-2 net as a graph": net_graph,
    "the 2-3-2 net as neurons": net_diagram,
    "a z, unfolded": unfolded,
    "with dropout": dropped,
    "long names": long_names,
    "100 moons, collapsed": moons,
    "100 moons, layer 2 opened": lambda: moons(open="layer 2"),
    "50 nodes": random_graph(50),
    "250 nodes": random_graph(250, collapse=False),
}
WIDE = {"the 2-3-2 net as a graph", "100 moons, collapsed", "50 nodes", "250 nodes"}
