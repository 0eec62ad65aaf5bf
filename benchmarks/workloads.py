"""Defines networks that NumPy by hand, PyTorch, JAX, micrograd and our engines train from the same weights."""

from __future__ import annotations

import math
import random
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import micrograd.engine
import numpy as np
import torch
from measuring import Step

import nn
from autograd import Value, collector_paused, exp, log, record, tanh
from nn.data import Dataset, digits, moons
from nn.losses import mean_loss


class Workload:
    """A network, its batch and its loss, as arrays from which every variant starts.

    W, b         initial weights and biases; the rows of W are "to"
    X, y         the batch; y are labels, or −1 and +1 for the hinge loss
    activation   of the hidden layers
    decay        λ of λ Σ p² over all parameters
    """

    def __init__(self, sizes: list[int], X: Any, y: Any, activation: str, rate: float, decay: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        self.W = [rng.uniform(-1, 1, (to, of)) / math.sqrt(of) for of, to in pairwise(sizes)]
        self.b = [np.zeros(to) for to in sizes[1:]]
        self.X, self.y = np.array(X, dtype=np.float64), np.array(y)
        self.T = np.eye(sizes[-1])[self.y] if sizes[-1] > 1 else self.y.astype(np.float64)
        self.sizes, self.activation, self.rate, self.decay = sizes, activation, rate, decay
        self.hinge = sizes[-1] == 1

    # ---- by hand: the lecture's matrices ---------------------------------------------------------------------------

    def numpy(self) -> Step:
        W, b = [w.copy() for w in self.W], [b.copy() for b in self.b]
        X, y, T, rate, decay, m = self.X, self.y, self.T, self.rate, self.decay, len(self.X)
        relu = self.activation == "relu"

        def step() -> float:
            A, Z = [X], []
            for l, (w, c) in enumerate(zip(W, b)):
                Z.append(A[-1] @ w.T + c)
                last = l == len(W) - 1
                A.append(Z[-1] if last else np.maximum(Z[-1], 0.0) if relu else np.tanh(Z[-1]))
            if self.hinge:
                margin = 1.0 - y * Z[-1][:, 0]
                loss = np.maximum(margin, 0.0).mean()
                delta = (np.where(margin > 0.0, -y, 0.0) / m)[:, None]
            else:
                largest = Z[-1].max(axis=1, keepdims=True)
                powers = np.exp(Z[-1] - largest)
                total = powers.sum(axis=1, keepdims=True)
                loss = (np.log(total) + largest - (Z[-1] * T).sum(axis=1, keepdims=True)).mean()
                delta = (powers / total - T) / m
            if decay:
                loss += decay * (sum((w * w).sum() for w in W) + sum((c * c).sum() for c in b))
            for l in reversed(range(len(W))):
                dW, db = delta.T @ A[l], delta.sum(axis=0)
                if l:
                    slope = Z[l - 1] > 0.0 if relu else 1.0 - A[l] * A[l]
                    delta = (delta @ W[l]) * slope
                if decay:
                    dW, db = dW + 2.0 * decay * W[l], db + 2.0 * decay * b[l]
                W[l] -= rate * dW
                b[l] -= rate * db
            return float(loss)

        return step

    # ---- peers -----------------------------------------------------------------------------------------------------

    def torch(self) -> Step:
        """Return a step with nn.Module and torch.optim."""
        layers: list[Any] = []
        for l, (w, b) in enumerate(zip(self.W, self.b)):
            linear = torch.nn.Linear(w.shape[1], w.shape[0], dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w))
                linear.bias.copy_(torch.from_numpy(b))
            hidden = torch.nn.ReLU() if self.activation == "relu" else torch.nn.Tanh()
            layers += [linear] if l == len(self.W) - 1 else [linear, hidden]
        model = torch.nn.Sequential(*layers)
        parameters = list(model.parameters())
        optimizer = torch.optim.SGD(parameters, lr=self.rate, fused=True)
        X, loss_of = torch.from_numpy(self.X), self._torch_loss()

        def step() -> float:
            loss = loss_of(model(X))
            if self.decay:
                loss = loss + self.decay * sum((p * p).sum() for p in parameters)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return float(loss.item())

        return step

    def torch_by_hand(self) -> Step:
        """Return a step with plain functions, without accumulation; one call decays and one moves all parameters."""
        W, b = ([torch.tensor(p, requires_grad=True) for p in some] for some in (self.W, self.b))
        parameters, last = [*W, *b], len(W) - 1
        X, loss_of, rate, decay = torch.from_numpy(self.X), self._torch_loss(), self.rate, self.decay
        activation = torch.relu if self.activation == "relu" else torch.tanh

        def step() -> float:
            a = X
            for l, (w, c) in enumerate(zip(W, b)):
                a = torch.nn.functional.linear(a, w, c)
                a = activation(a) if l < last else a
            loss = loss_of(a)
            gradient = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                if decay:
                    loss = loss + decay * torch.stack(torch._foreach_norm(parameters)).square().sum()
                    torch._foreach_mul_(parameters, 1.0 - 2.0 * decay * rate)
                torch._foreach_add_(parameters, gradient, alpha=-rate)
            return float(loss.item())

        return step

    def _torch_loss(self) -> Any:
        y = torch.from_numpy(self.y.astype(np.float64 if self.hinge else np.int64))
        if self.hinge:
            return lambda z: torch.relu(1.0 - y * z[:, 0]).mean()
        return lambda z: torch.nn.functional.cross_entropy(z, y)

    def jax(self, flat: bool = False) -> Step:
        """Return a step that calls one jitted function with donated parameters; the loss is returned unread.

        flat    whether to keep all parameters in one vector, which saves the time of passing each of them
        """
        X, y, T = jnp.array(self.X), jnp.array(self.y, dtype=jnp.float64), jnp.array(self.T)
        pairs = [(jnp.array(w), jnp.array(b)) for w, b in zip(self.W, self.b)]
        vector, shaped = jax.flatten_util.ravel_pytree(pairs)

        def loss_of(parameters: Any, X: Any, y: Any, T: Any) -> Any:
            a = X
            for l, (w, b) in enumerate(shaped(parameters) if flat else parameters):
                a = a @ w.T + b
                if l < len(pairs) - 1:
                    a = jax.nn.relu(a) if self.activation == "relu" else jnp.tanh(a)
            if self.hinge:
                loss = jax.nn.relu(1.0 - y * a[:, 0]).mean()
            else:
                loss = (jax.scipy.special.logsumexp(a, axis=1) - (a * T).sum(axis=1)).mean()
            if self.decay:
                loss += self.decay * sum((p * p).sum() for p in jax.tree.leaves(parameters))
            return loss

        @partial(jax.jit, donate_argnums=0)
        def update(parameters: Any, X: Any, y: Any, T: Any) -> Any:
            loss, gradient = jax.value_and_grad(loss_of)(parameters, X, y, T)
            return loss, jax.tree.map(lambda p, g: p - self.rate * g, parameters, gradient)

        state = [vector if flat else pairs]

        def step() -> Any:
            loss, state[0] = update(state[0], X, y, T)
            return loss

        return step

    # ---- scalar code in micrograd's style, without explicit layers -------------------------------------------------

    def scalar(self, Number: Any, X: Any, T: Any) -> tuple[Any, list[Any]]:
        """Return the loss in plain scalar code, and its parameters, for micrograd's Values or ours."""
        layers = [
            [([Number(x) for x in row], Number(c)) for row, c in zip(w.tolist(), b.tolist())]
            for w, b in zip(self.W, self.b)
        ]
        parameters = [p for layer in layers for row, c in layer for p in (*row, c)]
        ours = Number is Value
        losses = []
        for x, t in zip(X, T):
            for l, layer in enumerate(layers):
                x = [sum((w * a for w, a in zip(row, x)), c) for row, c in layer]
                if l < len(layers) - 1:
                    x = [z.relu() if self.activation == "relu" else tanh(z) if ours else micrograd_tanh(z) for z in x]
            if self.hinge:
                losses.append((1.0 - t * x[0]).relu())
            elif ours:
                losses.append(log(sum(exp(z) for z in x)) - sum(t_k * z for t_k, z in zip(t, x)))
            else:
                losses.append(micrograd_cross_entropy(x, t))
        total = sum(losses) * (1.0 / len(losses))
        if self.decay:
            total = total + self.decay * sum(p * p for p in parameters)
        return total, parameters

    def micrograd(self) -> Step:
        return self._scalar_step(micrograd.engine.Value)

    def eager(self) -> Step:
        step = self._scalar_step(Value)

        def paused() -> float:
            with collector_paused():
                return step()

        return paused

    def _scalar_step(self, Number: Any) -> Step:
        state = [[p.tolist() for p in self.W], [p.tolist() for p in self.b]]
        X, T = self.X.tolist(), self.T.tolist()

        def step() -> float:
            begin = self.W, self.b
            self.W, self.b = [np.array(w) for w in state[0]], [np.array(b) for b in state[1]]
            try:
                inputs = [[Number(x) for x in row] for row in X]
                total, parameters = self.scalar(Number, inputs, T)
            finally:
                self.W, self.b = begin
            total.backward()
            for p in parameters:
                p.data -= self.rate * p.grad
            numbers = iter(p.data for p in parameters)
            for w, b in zip(*state):
                for row, j in zip(w, range(len(b))):
                    row[:] = [next(numbers) for _ in row]
                    b[j] = next(numbers)
            return float(total.data)

        return step

    # ---- recorded --------------------------------------------------------------------------------------------------

    def leaves(self) -> tuple[Any, Any]:
        X = [[Value(x) for x in row] for row in self.X.tolist()]
        one = self.hinge
        return X, [Value(t) if one else [Value(t_k) for t_k in t] for t in self.T.tolist()]

    def record_scalar(self, engine: str) -> Any:
        X, T = self.leaves()
        with collector_paused():
            total, parameters = self.scalar(Value, X, T)
        return record(total, inputs=[X, T], parameters=parameters, engine=engine)

    def model(self) -> Any:
        model = nn.MLP(self.sizes[0], self.sizes[1:], activation=self.activation)
        state = {}
        for path, (w, b) in zip(sorted({k.rsplit(".", 1)[0] for k in model.state_dict()}), zip(self.W, self.b)):
            state |= {f"{path}.W": w.tolist(), f"{path}.b": b.tolist()}
        model.load_state_dict(state)
        return model

    def nn_loss(self, model: Any, X: Any, T: Any) -> Value:
        loss = mean_loss(nn.hinge if self.hinge else nn.cross_entropy, model.batch(X), T)
        # λ Σ p² is twice the penalty ½ λ Σ p², so the factor is 2
        return loss + nn.l2_penalty(model.parameters(), 2.0 * self.decay) if self.decay else loss

    def record_nn(self, engine: str) -> Any:
        model = self.model()
        X, T = self.leaves()
        with collector_paused():
            loss = self.nn_loss(model, X, T)
        return record(loss, inputs=[X, T], parameters=model.parameters(), engine=engine)

    def replayed(self, program: Any) -> Step:
        """Return the step of a program, which owns the parameter arrays until the process ends."""
        run = nn.training_on(program, nn.SGD(program.parameters, self.rate)).__enter__()
        X, T = self.X, self.T
        return lambda: run([X, T])

    def nn_eager(self) -> Step:
        model = self.model()
        optimizer = nn.SGD(model.parameters(), self.rate)
        X = self.X.tolist()
        y = self.y.tolist()

        def step() -> float:
            with collector_paused():
                loss = self.nn_loss(model, X, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                return loss.data

        return step


def micrograd_tanh(z: Any) -> Any:
    t = math.tanh(z.data)
    out = micrograd.engine.Value(t, (z,), "tanh")

    def backward() -> None:
        z.grad += (1.0 - t * t) * out.grad

    out._backward = backward
    return out


def micrograd_cross_entropy(z: Any, t: Any) -> Any:
    """Return −log softmax at the label as one node, because micrograd has neither exp nor log."""
    largest = max(x.data for x in z)
    powers = [math.exp(x.data - largest) for x in z]
    total = sum(powers)
    out = micrograd.engine.Value(
        math.log(total) + largest - sum(t_k * x.data for t_k, x in zip(t, z)), tuple(z), "cross_entropy"
    )

    def backward() -> None:
        for x, power, t_k in zip(z, powers, t):
            x.grad += (power / total - t_k) * out.grad

    out._backward = backward
    return out


# ---- workloads ----------------------------------------------------------------------------------------------------


def demo() -> Workload:
    data = moons(100, noise=0.1, rng=random.Random(7))
    return Workload([2, 16, 16, 1], data.X, [2 * label - 1 for label in data.y], "relu", 0.1, 1e-4)


def some_digits(m: int = 32) -> Workload:
    data = digits()
    return Workload([64, 32, 10], data.X[:m], data.y[:m], "tanh", 0.1)


def images() -> Workload:
    rng = np.random.default_rng(1)
    return Workload([784, 50, 10], rng.uniform(0, 1, (64, 784)), rng.integers(0, 10, 64), "tanh", 0.05)


def whole_run(engine: str) -> float:
    """Train for 100 epochs of mini-batch SGD on moons, and return the last loss."""
    data = moons(200, noise=0.1, rng=random.Random(7))
    model = nn.MLP(2, [16, 16, 1], rng=random.Random(0))
    training = nn.Training(
        model, nn.binary_cross_entropy, nn.SGD(model.parameters(), 0.1), Dataset(*data), epochs=100, batch_size=10,
        rng=random.Random(1), progress=False, engine=engine,
    )  # fmt: skip
    return list(training)[-1].loss
