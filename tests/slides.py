"""The examples of the slides, f = xyz and the 2-3-2 network, with numbers computed by hand."""

from random import Random

from autograd import Value, named
from nn import MLP, half_squared_error

X, Y = [0.5, -1.0], [1.0, 0.0]
W = [None, [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]]]
B = [None, [0.01, -0.02, 0.03], [0.05, -0.05]]
NET = {"net.layers.0.W": W[1], "net.layers.0.b": B[1], "net.layers.2.W": W[2], "net.layers.2.b": B[2]}
Z1, A1 = [-0.14, 0.53, -0.82], [0.4650570548417855, 0.6294831119673949, 0.3057636598919695]
Z2, A2 = [0.14714074271810645, -0.06233818105829042], [0.5367189612280203, 0.48442049963360606]
DELTA2 = [-0.11519562615481858, 0.12098754596185414]
DELTA1 = [-0.02307069207187325, 0.02713772559021196, -0.0297122400451906]


def xyz(r=2.0, s=3.0):
    """r, s and f = xyz, where x = r, y = rs, z = s; r and s may be numbers or Values."""
    r, s = (x if isinstance(x, Value) else Value(x, name) for name, x in (("r", r), ("s", s)))
    x, y, z = named(x=r, y=r * s, z=s)
    return r, s, named(f=x * y * z)


def net_232():
    """The network, its trace of X, and the loss after the backward pass."""
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=Random(0))
    model.load_state_dict(NET)
    trace = model.trace(X)
    L = named(L=half_squared_error(trace.output, Y))
    L.backward()
    return model, trace, L
