"""Neural networks whose every weight is a scalar node: the lecture's layers, losses and training on ``autograd``."""

from importlib import import_module
from os.path import dirname, exists
from typing import TYPE_CHECKING, Any

import autograd

if exists(dirname(autograd.__file__ or "") + "/tracer.py"):
    raise ImportError(
        "the packages autograd (HIPS) and chainrule are installed over each other: both are imported as `autograd`; "
        "mend it with `pip uninstall --yes autograd chainrule` and then `pip install chainrule`"
    )

from nn.activations import Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from nn.layers import MLP, Linear, Sequential
from nn.losses import (
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_squared_error,
)
from nn.module import Module, Trace
from nn.optim import SGD, Adam, Optimizer
from nn.training import EpochRecord, Training, accuracy

if TYPE_CHECKING:
    from nn.backprop import back_propagate
    from nn.matrices import matrix_form

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "EpochRecord",
    "Identity",
    "LeakyReLU",
    "Linear",
    "Module",
    "Optimizer",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "Trace",
    "Training",
    "accuracy",
    "back_propagate",
    "binary_cross_entropy",
    "cross_entropy",
    "half_squared_error",
    "hinge",
    "matrix_form",
    "mean_squared_error",
]

_HOMES = {"back_propagate": "backprop", "matrix_form": "matrices"}


def __getattr__(name: str) -> Any:
    """What needs NumPy, loaded when it is first asked for."""
    if name in _HOMES:
        return getattr(import_module(f"nn.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'nn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_HOMES, *globals()})
