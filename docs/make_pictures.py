"""Makes the README's drawings: ``python docs/make_pictures.py``."""

from pathlib import Path
from random import Random

from autograd import Value, draw, named
from nn import MLP, half_squared_error

HERE = Path(__file__).parent

r, s = Value(2.0, "r"), Value(3.0, "s")
x, y, z = named(x=r, y=r * s, z=s)
f = named(f=x * y * z)
f.backward()
draw(f, wrt=s, engine="built-in").save(HERE / "f.svg")

trace = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=Random(0)).trace([0.5, -1.0])
half_squared_error(trace.output, [1.0, 0.0]).backward()
draw(trace).save(HERE / "network.svg")
