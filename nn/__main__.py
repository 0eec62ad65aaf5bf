"""``python -m nn moons``: train a network of scalar nodes on real data, and see what it learned."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, NoReturn

from autograd.errors import text_name
from autograd.files import write_whole
from autograd.text import make_printable
from nn.activations import BY_NAME as ACTIVATIONS
from nn.data import BUNDLED, BY_NAME
from nn.experiment import DEFAULTS, Config
from nn.init import BY_NAME as INITIALIZERS
from nn.optim import OPTIMIZERS, SCHEDULES
from nn.runs import Interrupted, predictions, resume, start, warn
from nn.tables import MISSING_RULES, READING, TASKS
from nn.training import ENGINES

MOST_EXAMPLES = 100_000
EPILOG = """also:
  python -m nn claims [--list]                  the lecture's claims, put to the test
  python -m nn resume RUN [--epochs N]          go on with an interrupted run, or to more epochs
  python -m nn predict RUN FILE.csv [--out F]   the rows of a table with what a run predicts
"""
DATA = (*BY_NAME, *BUNDLED)
FOR_FILES = ("target", "task", "ignore", "categories", "missing", *READING)
NUMBERS = ("--hidden", "--pca", "--whiten")  # any number of them
SEVERAL = (*NUMBERS, "--ignore", "--categories", "--na-values", "--names")


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with status 2."""

    def error(self, message: str) -> NoReturn:
        """What argparse calls for options that it cannot read."""
        fail(message, self.prog)


def fail(message: str, program: str = "python -m nn") -> NoReturn:
    """One line, and exit status 2."""
    print(f"nn: {text_name(' '.join(message.split()))} ({program} --help)", file=sys.stderr)
    raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Raises SystemExit(2) after one line about what is wrong."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    make_printable()
    commands = {"claims": _claims, "resume": _resume, "predict": _predict}
    command = arguments[0] if arguments and arguments[0] in commands else ""
    program = f"python -m nn {command}".rstrip()
    try:
        commands.get(command, _start)(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read along, as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, ImportError) as error:
        fail(str(error), program)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error), program)
    except Interrupted as error:
        warn(f"\nnn: {error}")
        raise SystemExit(130) from None
    except KeyboardInterrupt:
        fail("interrupted")


def _start(arguments: Sequence[str]) -> None:
    options = parser().parse_args(data_first(arguments))
    # without the points, or a file ...csv would have its run in runs/..
    start(configuration(options), options.out or Path("runs") / (Path(options.data).stem.strip(".") or "table"))


def data_first(arguments: Sequence[str]) -> Sequence[str]:
    """DATA first, where it stands behind an option that takes any number of values, as in --hidden 8 my.csv."""
    option = "DATA"
    for k, word in enumerate(arguments):
        if word.startswith("-"):
            option = next((name for name in SEVERAL if name.startswith(word)), "")
        elif option == "DATA":
            break
        elif option and (word in DATA or Path(word).is_file() or (option in NUMBERS and word.isidentifier())):
            return [word, *arguments[:k], *arguments[k + 1 :]]
    return arguments


def _resume(arguments: Sequence[str]) -> None:
    p = OneLineParser(prog="python -m nn resume", description="Go on with a run as if it had never stopped.")
    p.add_argument("run", type=Path, metavar="RUN", help="its folder")
    p.add_argument("--epochs", type=int, help="how many in all (as many as it was begun with)")
    p.add_argument("--data", type=Path, metavar="FILE.csv", help="where its table is now, if it was moved")
    options = p.parse_args(arguments[1:])
    if options.epochs is not None and options.epochs < 1:
        raise ValueError(f"--epochs {options.epochs}: it needs to be at least 1")
    resume(options.run, options.epochs, options.data)


def _claims(arguments: Sequence[str]) -> None:
    p = OneLineParser(prog="python -m nn claims", description="The lecture's claims, put to the test.")
    p.add_argument("names", nargs="*", metavar="NAME", help="which of them (all)")
    p.add_argument("--seed", type=int, default=0, help="decides data, first weights and order (0)")
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for one picture of each")
    p.add_argument("--list", action="store_true", help="the names, and no experiment")
    options = p.parse_args(arguments[1:])
    from nn.claims import listing, run, table

    width = max(get_terminal_size((200 if options.list else 100, 24)).columns, 60)  # where it is piped
    if options.list:
        print(listing(options.names, width))
    else:
        print(table(list(run(options.names, options.seed, options.out)), width))


def _predict(arguments: Sequence[str]) -> None:
    p = OneLineParser(prog="python -m nn predict", description="The rows of a table with what a run predicts.")
    p.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    p.add_argument("table", type=Path, metavar="FILE.csv", help="with the columns that the run was trained on")
    p.add_argument("--out", type=Path, help="file for the rows with their predictions (printed)")
    _add_reading(p)
    options = p.parse_args(arguments[1:])
    if options.out and options.out.exists() and options.out.samefile(options.table):
        raise ValueError(f"--out {options.out} is the table itself: name another file")
    text, measured = predictions(options.run, options.table, {name: getattr(options, name) for name in READING})
    if options.out:
        write_whole(options.out, text.encode())
    else:
        _print_table(text)
    if measured:
        warn(measured)


def _print_table(text: str) -> None:
    """Print what may go into a file, to the letter. ValueError where the terminal lacks one."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError as error:
        lacking = f"{error.object[error.start]!a} is not in {sys.stdout.encoding}"
        raise ValueError(f"the rows cannot be printed, {lacking}: --out FILE.csv writes them in UTF-8") from None
    print(text, end="")


def parser() -> argparse.ArgumentParser:
    """The options of a training run."""
    p = OneLineParser(
        prog="python -m nn", description="Train a network whose every weight is a scalar node.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("data", metavar="DATA", help=f"{', '.join(DATA)}, or a file: my.csv, my.csv.gz")
    table = p.add_argument_group("a file of your own")
    table.add_argument("--target", metavar="COLUMN", help="the column to predict")
    table.add_argument("--task", choices=TASKS, help="predict classes or numbers (decided by the target's values)")
    table.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns to leave out")
    table.add_argument(
        "--categories", nargs="+", default=[], metavar="COLUMN", help="columns whose numbers are names"
    )
    table.add_argument(
        "--missing", default="refuse", choices=MISSING_RULES,
        help="missing values: an error, leave out their rows, or replace them by the mean (refuse)",
    )  # fmt: skip
    _add_reading(table)
    data = p.add_argument_group("data")
    data.add_argument("--examples", type=int, help="how many points to make (200)")
    data.add_argument("--noise", type=float, help="their standard deviation (0.1)")
    measured = ", ".join([*(name for name in BUNDLED if name not in DEFAULTS), "files"])
    data.add_argument("--standardize", action="store_true", help=f"mean 0, deviation 1 (the default for {measured})")
    data.add_argument("--zero-center", action="store_true", help="mean 0")
    data.add_argument("--pca", type=int, nargs="?", const=True, metavar="N", help="N principal components (all)")
    data.add_argument("--whiten", type=int, nargs="?", const=True, metavar="N", help="the same, each with variance 1")
    data.add_argument("--raw", action="store_true", help="no preprocessing")
    net = p.add_argument_group("network")
    net.add_argument("--hidden", type=int, nargs="*", metavar="UNITS", help="in hidden layers (16 16; digits: 32)")
    net.add_argument("--activation", default="relu", choices=ACTIVATIONS, help="of the hidden layers (relu)")
    net.add_argument("--init", choices=INITIALIZERS, help="first weights (he_normal for relu, else xavier_uniform)")
    net.add_argument("--dropout", type=float, default=0.0, metavar="P", help="probability of dropping a unit (0)")
    net.add_argument("--batchnorm", action="store_true", help="batch normalisation before each hidden activation")
    net.add_argument("--calibrate", action="store_true", help="evaluate with the statistics of all training data")
    steps = p.add_argument_group("training")
    steps.add_argument("--epochs", type=int, help="times that every example is seen (60; digits: 30, spirals: 200)")
    steps.add_argument("--batch-size", type=int, default=10, help="examples for each update (10)")
    steps.add_argument("--optimizer", default="adam", choices=OPTIMIZERS, help="(adam)")
    steps.add_argument("--learning-rate", type=float, help=f"(0.01; digits, {measured}, rmsprop 0.003; sgd 0.1)")
    steps.add_argument("--momentum", type=float, default=0.0, help="of sgd and rmsprop (0)")
    steps.add_argument("--nesterov", action="store_true", help="look ahead along the momentum of sgd")
    steps.add_argument("--weight-decay", type=float, help="(0; adamw: 0.01)")
    steps.add_argument("--schedule", default="constant", choices=SCHEDULES, help="of the learning rate (constant)")
    steps.add_argument("--factor", type=float, help="of exponential (0.95), step (0.5), inverse_time (0.1)")
    steps.add_argument("--every", type=int, metavar="EPOCHS", help="of the schedule step (10)")
    steps.add_argument("--warm-up", type=int, metavar="EPOCHS", help="in which the rate rises to its full height (0)")
    steps.add_argument("--l1", type=float, default=0.0, help="penalty on |w| (0)")
    steps.add_argument("--l2", type=float, help=f"penalty on ½ w² (0; 0.01 for {measured})")
    steps.add_argument("--clip-norm", type=float, help="longest gradient, as one vector")
    steps.add_argument("--clip-value", type=float, help="largest derivative, each for itself")
    steps.add_argument("--patience", type=int, metavar="EPOCHS", help="to wait for a lower validation loss")
    steps.add_argument("--loss-tolerance", type=float, help="stop when the training loss is at most this")
    steps.add_argument("--gradient-tolerance", type=float, help="stop when the gradient's norm is at most this")
    steps.add_argument("--engine", default="auto", choices=ENGINES, help="node by node, or as matrices (auto)")
    p.add_argument("--seed", type=int, default=0, help="decides data, split, first weights and order (0)")
    p.add_argument("--watch", action="store_true", help="write a page with a scrubber over the epochs: watch.html")
    p.add_argument("--out", type=Path, help="folder of the run (runs/DATA); a run that is there is replaced")
    return p


def _add_reading(p: argparse._ActionsContainer) -> None:
    """How a file is written: what pandas.read_csv takes under these names."""
    p.add_argument("--sep", help="what separates cells (detected: , ; tab or |)")
    p.add_argument("--decimal", metavar="MARK", help="the decimal mark (detected: a point or a comma)")
    p.add_argument("--thousands", metavar="MARK", help="what groups thousands (nothing)")
    p.add_argument("--encoding", help="(detected: UTF-8, UTF-16 with a BOM, else cp1252)")
    p.add_argument("--na-values", nargs="+", metavar="CELL", help="cells that are missing values, besides empty ones")
    p.add_argument("--names", nargs="+", metavar="COLUMN", help="the columns of a file without a header row")


def configuration(options: argparse.Namespace) -> Config:
    """The options as a run keeps them. Raises ValueError for options that do not fit each other."""
    config = {name: value for name, value in vars(options).items() if name != "out"}
    scaling = {name: config.pop(name) for name in ("standardize", "zero_center", "pca", "whiten", "raw")}
    data, is_file = options.data, options.data not in DATA
    given = [name for name in FOR_FILES if getattr(options, name) not in (None, [], "refuse")]
    made = options.noise is not None or options.examples is not None
    hidden, schedules = options.hidden != [], ("exponential", "step", "inverse_time")
    for is_wrong, message in (
        (is_file and not Path(data).is_file(), f"DATA {data!r} is neither a file nor one of {', '.join(DATA)}"),
        (is_file and not options.target, f"{data} needs --target: the column that is to be predicted"),
        (given and not is_file, f"--{'/'.join(given[:1]).replace('_', '-')} is for a file of your own, not {data}"),
        (made and data not in BY_NAME, f"{data} comes as it is: --examples and --noise are for made data, as moons"),
        ((options.examples or 0) > MOST_EXAMPLES,
         f"--examples {options.examples}: at most {MOST_EXAMPLES}, which already take hours"),
        (options.momentum and options.optimizer not in ("sgd", "rmsprop"),
         f"--momentum is for --optimizer sgd or rmsprop; {options.optimizer} has its own"),
        (options.nesterov and options.optimizer != "sgd", "--nesterov is for --optimizer sgd, which it looks ahead"),
        (options.every is not None and options.schedule != "step",
         f"--every is for the schedule step, not {options.schedule}"),
        ((options.warm_up or 0) < 0, f"--warm-up {options.warm_up}: it needs to be at least 0 epochs"),
        (not hidden and (options.dropout or options.batchnorm),
         "--dropout and --batchnorm are for hidden layers, and --hidden without UNITS has none"),
        (options.seed < 0, f"--seed {options.seed}: it needs to be at least 0"),
        (options.calibrate and not options.batchnorm, "--calibrate is for --batchnorm: it sets its statistics"),
        (options.factor is not None and options.schedule not in schedules,
         f"--factor is for the schedules {', '.join(schedules)}, not {options.schedule}"),
    ):  # fmt: skip
        if is_wrong:
            raise ValueError(message)
    if is_file:
        config["data"] = str(Path(data).resolve())
    config["preprocess"] = _preprocessing(scaling)
    return config


def _preprocessing(scaling: dict[str, Any]) -> list[list[str | int]] | None:
    """The steps by name, in the order in which they make sense; None where nothing was said."""
    order = ("zero_center", "standardize", "pca", "whiten")
    chosen = {name: scaling[name] for name in order if scaling[name] is not None and scaling[name] is not False}
    if scaling["raw"] and chosen:
        raise ValueError("--raw leaves the data as they are: it takes no other preprocessing beside it")
    steps: list[list[str | int]] = [[name] if n is True else [name, n] for name, n in chosen.items()]
    return steps or ([] if scaling["raw"] else None)


if __name__ == "__main__":
    main()
