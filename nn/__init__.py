"""Neural networks on scalar nodes: layers, losses, optimisers, training, data sets and metrics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograd.source_lines import LIBRARIES
from nn import diagram as diagram, plots as plots  # diagram registers how networks are drawn
from nn.activations import ELU, GELU, Identity, LeakyReLU, LogSigmoid, ReLU, Sigmoid, SiLU, Softplus, Tanh
from nn.batch_norm import BatchNorm, calibrate
from nn.data import Dataset
from nn.dropout import Dropout
from nn.evaluation import accuracy, confusion_matrix, predict, r2, rmse
from nn.layers import MLP, Linear, Sequential
from nn.losses import binary_cross_entropy, cross_entropy, half_squared_error, hinge, mean_squared_error, outputs_are
from nn.module import Module, Trace
from nn.optim import SGD, Adam, AdamW, Optimizer, RMSprop, clip_norm, clip_value
from nn.penalties import l1_penalty, l2_penalty
from nn.records import EpochRecord
from nn.training import Training
from nn.validation import unknown_name

LIBRARIES.add("nn")

if TYPE_CHECKING:
    from nn.backprop import back_propagate
    from nn.interchange import load_numpy_state, numpy_gradients, numpy_state
    from nn.laboratory import lab
    from nn.laboratory.recording import Situation
    from nn.matrices import matrix_form
    from nn.preprocessing import PCA, OneHot, Pipeline, Standardize, Whiten, ZeroCenter, preprocess
    from nn.replaying import training_on

__all__ = [
    "ELU", "GELU", "MLP", "PCA", "SGD", "Adam", "AdamW", "BatchNorm", "Dataset", "Dropout", "EpochRecord", "Identity",
    "LeakyReLU", "Linear", "LogSigmoid", "Module", "OneHot", "Optimizer", "Pipeline", "RMSprop", "ReLU", "Sequential",
    "SiLU", "Sigmoid", "Situation", "Softplus", "Standardize", "Tanh", "Trace", "Training", "Whiten", "ZeroCenter",
    "accuracy", "back_propagate", "binary_cross_entropy", "calibrate", "clip_norm", "clip_value", "confusion_matrix",
    "cross_entropy", "half_squared_error", "hinge", "l1_penalty", "l2_penalty", "lab", "load_numpy_state",
    "matrix_form", "mean_squared_error", "numpy_gradients", "numpy_state", "outputs_are", "predict", "preprocess",
    "r2", "rmse",
    "training_on",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("Situation", "lab"), "laboratory"),
    "back_propagate": "backprop", "matrix_form": "matrices", "training_on": "replaying",
    **dict.fromkeys(("load_numpy_state", "numpy_gradients", "numpy_state"), "interchange"),
    **dict.fromkeys(("PCA", "OneHot", "Pipeline", "Standardize"), "preprocessing"),
    **dict.fromkeys(("Whiten", "ZeroCenter", "preprocess"), "preprocessing"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name on first use if its module needs NumPy."""
    if name in _HOMES:
        return getattr(import_module(f"nn.{_HOMES[name]}"), name)
    raise AttributeError(unknown_name("nn", name, __all__))


def __dir__() -> list[str]:
    return sorted({*_HOMES, *globals()})
