"""Shows the whole project on one page: from one multiplication to a network that tells two moons apart.

Read it from top to bottom, then run it, which takes about a second:

    .venv/bin/python docs/one_page.py

Every `assert` states a fact that the comment above it explains; the script would stop at a false one.
"""

from random import Random

from autograd import Value, mean, no_grad, sigmoid, tanh
from autograd.graph import topological_order
from nn import MLP, SGD, Linear, binary_cross_entropy
from nn.data import moons

rng = Random(1)  # the only random numbers on this page, so every run prints the same results

# ---- 1. A Value is a number that remembers how it was computed ----

x = Value(3.0, "x")
y = Value(4.0, "y")
z = x * y

# z knows its parents, and how fast it changes with each of them. If x grows by a tiny step, x·y grows by y
# steps, so ∂z/∂x = y; in the same way ∂z/∂y = x. These are the local derivatives, computed along with the product.
assert z.data == 12.0
assert z.parents == (x, y)
assert z.local_derivatives == (4.0, 3.0)

# ---- 2. The chain rule: multiply along a path, add where paths meet ----

L = z * z

# L depends on z twice, once through each factor. Each use contributes the other factor, and contributions add up.
dL_dz = z.data + z.data
# L depends on x only through z: multiply the derivatives along the path.
dL_dx = dL_dz * z.local_derivatives[0]
dL_dy = dL_dz * z.local_derivatives[1]
assert (dL_dz, dL_dx, dL_dy) == (24.0, 96.0, 72.0)

# ---- 3. The backward pass is the chain rule for every node at once ----

# `topological_order` lists parents before children. In reverse order, a node's gradient is complete when its
# turn comes, and the node can pass it on to its parents. This loop is all of back propagation:
order = topological_order(L)
for node in order:
    node.grad = 0.0
L.grad = 1.0  # ∂L/∂L
for node in reversed(order):
    for parent, local_derivative in zip(node.parents, node.local_derivatives):
        parent.grad += node.grad * local_derivative
assert (z.grad, x.grad, y.grad) == (24.0, 96.0, 72.0)

# From here on we call the method `backward`. Leaf gradients accumulate over calls, so we clear them first.
x.grad = y.grad = 0.0
L.backward()
assert (z.grad, x.grad, y.grad) == (24.0, 96.0, 72.0)

# ---- 4. A neuron weighs its inputs, adds a bias and bends the result ----


def neuron(w, b, inputs):
    """a = tanh(w₁x₁ + … + wₙxₙ + b)"""
    return tanh(sum(w_k * x_k for w_k, x_k in zip(w, inputs)) + b)


w = [Value(0.5, "w1"), Value(-1.0, "w2")]
b = Value(0.25, "b")
a = neuron(w, b, [1.0, 0.5])
a.backward()  # a = tanh(s) with s = w₁x₁ + w₂x₂ + b, so ∂a/∂s = 1 − a² and ∂s/∂w₁ = x₁ = 1
assert w[0].grad == (1.0 - a.data**2) * 1.0

# ---- 5. A layer is several neurons that read the same inputs ----

# nn separates the two halves of a neuron: Linear computes the weighted sums, and Tanh bends them.
layer = Linear(2, 3, rng=rng)
inputs = [1.0, 0.5]
by_hand = [sum(w_k * x_k for w_k, x_k in zip(row, inputs)) + b for row, b in zip(layer.W, layer.b)]
assert [z.data for z in layer(inputs)] == [z.data for z in by_hand]

# ---- 6. A network is a sequence of layers ----

# This one has two inputs, two hidden layers of 8 units, and one output without a tanh. The weights start at
# random; every weight and every bias is a separate Value. A layer returns a list, but an MLP with one output
# returns that Value itself.
model = MLP(2, [8, 8, 1], activation="tanh", rng=rng)
print(f"{model.net} with {len(model.parameters())} parameters\n")
assert len(model.parameters()) == (2 * 8 + 8) + (8 * 8 + 8) + (8 * 1 + 1)

# ---- 7. A loss is one number that says how wrong the network is ----

# The network's output is a logit: σ(logit) is the probability that it assigns to class 1. The loss is −log of the
# probability of the right class: near 0 for a confident correct answer, large for a confident wrong one.
data = moons(100, noise=0.1, rng=rng)  # points in the plane, of class 0 (upper moon) or 1 (lower moon)


def loss_of(examples):
    return mean(binary_cross_entropy(model(data.X[i]), data.y[i]) for i in examples)


# ---- 8. Training: walk downhill, one mini-batch at a time ----

# A mini-batch is 10 of the 100 points, and an epoch is one pass over all of them, in a new order each time.
optimizer = SGD(model.parameters(), learning_rate=0.3)
examples = list(range(100))

for epoch in range(1, 61):
    rng.shuffle(examples)
    losses = []
    for start in range(0, 100, 10):
        optimizer.zero_grad()  # clear the gradients of the previous step: they would add up
        loss = loss_of(examples[start : start + 10])  # forward: builds the graph of this mini-batch
        loss.backward()  # backward: ∂loss/∂w for every weight w
        optimizer.step()  # w ← w − learning_rate · ∂loss/∂w
        losses.append(loss.data)
    if epoch % 6 == 0 or epoch == 1:
        average = sum(losses) / len(losses)
        print(f"epoch {epoch:2}   loss {average:.3f}   {'#' * round(80 * average)}")

# ---- 9. What the network has learned ----


def predicted(point):
    with no_grad():  # a prediction needs no graph
        return int(model(point) > 0.0)  # a positive logit means a probability above one half


def accuracy(points):
    return sum(predicted(point) == label for point, label in zip(points.X, points.y)) / len(points.y)


unseen = moons(500, noise=0.1, rng=rng)
print(f"\naccuracy: {accuracy(data):.1%} of the training points, {accuracy(unseen):.1%} of 500 new ones")
print(f"the point (1, -0.5) is of class 1 with probability {sigmoid(model([1.0, -0.5])).data:.3f}\n")

# The plane as the network sees it: A and B are the points of classes 0 and 1; it says class 1 in the shaded area.
points = {(round(x1 * 14), round(x2 * 7)): "AB"[label] for (x1, x2), label in zip(data.X, data.y)}
for row in range(9, -7, -1):
    marks = [points.get((k, row)) or " :"[predicted([k / 14, row / 7])] for k in range(-18, 33)]
    print("".join(marks).rstrip())

# You can take every number above apart: import explain, draw, walk and named from autograd, name the values with
# `named(a=a, z=z, L=L)`, and try `print(explain(a, wrt=w[0]))`, `draw(L).save("L.svg")` or `walk(L).save("L.html")`.
