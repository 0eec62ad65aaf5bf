"""``python -m nn moons``: train a network of scalar nodes on real data, and see what it learned."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NoReturn

from autograd.errors import DomainError
from nn import MLP, SGD, Adam, Optimizer, Training, accuracy, binary_cross_entropy, cross_entropy
from nn.activations import BY_NAME as ACTIVATIONS
from nn.checkpoint import save
from nn.data import BUNDLED, BY_NAME, Dataset, Split, split
from nn.diagnostics import picture

MOST_EXAMPLES = 100_000
DEFAULT_EPOCHS = {"spirals": 200, "digits": 30, "iris": 60}


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with status 2."""

    def error(self, message: str) -> NoReturn:
        """What argparse calls for options that it cannot read."""
        fail(message)


def fail(message: str) -> NoReturn:
    """One line, and exit status 2."""
    print(f"nn: {message} (python -m nn --help)", file=sys.stderr)
    raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    p = OneLineParser(prog="python -m nn", description="Train a network whose every weight is a scalar node.")
    p.add_argument("data", choices=[*BY_NAME, *BUNDLED], metavar="DATA", help=", ".join([*BY_NAME, *BUNDLED]))
    p.add_argument(
        "--hidden", type=int, nargs="*", metavar="UNITS", help="units of each hidden layer (16 16; digits: 32)"
    )
    p.add_argument("--activation", default="relu", choices=ACTIVATIONS, help="of the hidden layers (relu)")
    p.add_argument("--epochs", type=int, help="times that every example is seen (60; digits: 30, spirals: 200)")
    p.add_argument("--batch-size", type=int, default=10, help="examples for each update (10)")
    p.add_argument("--optimizer", default="adam", choices=["adam", "sgd"], help="(adam)")
    p.add_argument("--learning-rate", type=float, help="(adam: 0.01, digits 0.003; sgd: 0.1)")
    p.add_argument("--momentum", type=float, default=0.0, help="of sgd (0)")
    p.add_argument("--weight-decay", type=float, default=0.0, help="(0)")
    p.add_argument("--examples", type=int, help="how many points to make (200)")
    p.add_argument("--noise", type=float, help="their standard deviation (0.1)")
    p.add_argument("--seed", type=int, default=0, help="decides data, split, first weights and order (0)")
    p.add_argument("--out", type=Path, help="folder for picture and weights (runs/DATA)")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Raises SystemExit(2) after one line about what is wrong."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except (ValueError, ImportError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")


def run(options: argparse.Namespace) -> None:
    """Train, report, write picture and weights. Raises ValueError for options that do not fit each other."""
    _check(options)
    rng = Random(options.seed)
    data = split(_data(options, rng), rng=rng)
    classes = len(data.training.classes)
    hidden = options.hidden if options.hidden is not None else [32] if options.data == "digits" else [16, 16]
    units = 1 if classes == 2 else classes
    model = MLP(len(data.training.X[0]), [*hidden, units], activation=options.activation, rng=rng)
    optimizer = _optimizer(options, model)
    epochs = options.epochs if options.epochs is not None else DEFAULT_EPOCHS.get(options.data, 60)
    training = Training(
        model, binary_cross_entropy if units == 1 else cross_entropy, optimizer, data.training, data.validation,
        epochs=epochs, batch_size=options.batch_size, rng=rng,
    )  # fmt: skip
    folder = options.out or Path("runs") / options.data
    folder.mkdir(parents=True, exist_ok=True)

    network = f"{'-'.join(map(str, model.sizes))} {options.activation}"
    print(f"{options.data}: {' / '.join(str(len(part.y)) for part in data)} examples to train, validate and test")
    print(f"network: {network}, {len(model.parameters())} parameters, each a scalar node")
    try:
        for record in training:
            if record.epoch == 1 or record.epoch % max(1, epochs // 10) == 0:
                print(
                    f"epoch {record.epoch:4}   loss {record.loss:.4f}   validation loss {record.validation_loss:.4f}"
                    f"   validation accuracy {record.validation_accuracy:.1%}",
                    flush=True,
                )
    except DomainError as error:
        raise ValueError(
            f"training blew up in epoch {len(training.records) + 1}: {error}; try a lower --learning-rate"
        ) from None
    best = training.restore_best()
    print(f"stopped {training.stopped}" + (f"; kept epoch {best.epoch}, best on validation data" if best else ""))
    shares = {name: accuracy(model, part) for name, part in zip(Split._fields, data)}
    print("accuracy: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))

    config = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    save(model, folder / "weights.safetensors", {"config": json.dumps({**config, "sizes": model.sizes})})
    print(f"weights: {folder / 'weights.safetensors'}")
    title = f"{options.data}, {network}: {shares['test']:.1%} of the test data right"
    try:
        picture(folder / "picture.png", model, data, training.records, best, title)
        print(f"picture: {folder / 'picture.png'}")
    except ImportError as error:
        print(f"no picture: {error}")


def _check(options: argparse.Namespace) -> None:
    if options.data in BUNDLED and (options.noise is not None or options.examples is not None):
        raise ValueError(f"{options.data} comes as it is: --examples and --noise are for made data, as moons")
    if options.examples is not None and options.examples > MOST_EXAMPLES:
        raise ValueError(f"--examples {options.examples}: at most {MOST_EXAMPLES}, which already take hours")
    if options.optimizer != "sgd" and options.momentum:
        raise ValueError("--momentum is for --optimizer sgd; adam has its own")


def _data(options: argparse.Namespace, rng: Random) -> Dataset:
    if options.data in BUNDLED:
        return BUNDLED[options.data]()
    noise = options.noise if options.noise is not None else 0.1
    return BY_NAME[options.data](200 if options.examples is None else options.examples, noise, rng)


def _optimizer(options: argparse.Namespace, model: MLP) -> Optimizer:
    rate = options.learning_rate
    if options.optimizer == "sgd":
        return SGD(model.parameters(), 0.1 if rate is None else rate, options.momentum, options.weight_decay)
    default = 0.003 if options.data == "digits" else 0.01
    return Adam(model.parameters(), default if rate is None else rate, weight_decay=options.weight_decay)


if __name__ == "__main__":
    main()
