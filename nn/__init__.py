"""Neural networks whose every weight is a scalar node: the lecture's layers, losses and training on ``autograd``."""

from os.path import dirname, exists

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
    "binary_cross_entropy",
    "cross_entropy",
    "half_squared_error",
    "hinge",
    "mean_squared_error",
]
