"""The command line: ``python -m nn moons`` trains a network of scalar nodes and reports the results.

The first argument is one of the commands ``lab``, ``check``, ``claims``, ``resume`` and ``predict``, or the data to
train on, followed by options that ``configuration`` converts to the configuration of a run.
"""

import argparse
import gzip
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from tempfile import mkdtemp

import autograd
from autograd.command_line import OneLineParser, command_line, warn
from autograd.files import write_whole
from autograd.text import text_name
from nn import activations, init
from nn.cli.csv_tables import MISSING_RULES, READING, TASKS
from nn.cli.experiment import DEFAULTS, FACTORS, LAB, Config, situation
from nn.cli.runs import KEPT, predictions, resume, start
from nn.data import BUNDLED, BY_NAME
from nn.optim import OPTIMIZERS, SCHEDULES
from nn.training import ENGINES

MOST_EXAMPLES = 100_000
MOST_POINTS = 500  # maximum number of points in the lab
EPILOG = """other commands:
  python -m nn lab [DATA ...] [--save F.html]   watch a small network learn step by step; the default is eight lessons
  python -m nn check ENGINE.py [--timeout S]    grade a scalar engine that you built, and name its bug
  python -m nn claims [--list]                  test the claims of the lecture with experiments
  python -m nn resume RUN [--epochs N]          continue an interrupted run, or train for more epochs
  python -m nn predict RUN FILE.csv [--out F]   predict the target for the rows of a table
"""
DATA = (*BY_NAME, *BUNDLED)
FOR_FILES = ("target", "task", "ignore", "categories", "missing", *READING)
BELONGS = {  # options that require certain values of another option
    "examples": ("data", (*BY_NAME,)), "noise": ("data", (*BY_NAME,)), "momentum": ("optimizer", ("sgd", "rmsprop")),
    "nesterov": ("optimizer", ("sgd",)), "factor": ("schedule", (*FACTORS,)), "every": ("schedule", ("step",)),
}  # fmt: skip
STEPS = ("zero_center", "standardize", "pca", "whiten")  # preprocessing steps, in order
NUMBERS = ("--hidden", "--pca", "--whiten")  # options with a variable number of integers
SEVERAL = (*NUMBERS, "--ignore", "--categories", "--na-values", "--names")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. An error prints one line and exits with status 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"lab": _lab, "check": _check, "claims": _claims, "resume": _resume, "predict": _predict}
    command = arguments[0] if arguments and arguments[0] in commands else ""
    program = f"python -m nn {command}".rstrip()
    with command_line(program, f"({program} --help)"):
        if command:
            commands[command](OneLineParser(prog=program), arguments[1:])
        else:
            options = parser().parse_args(data_first(arguments))
            name = Path(options.data.removesuffix(".gz")).stem.strip(". ") or "table"  # never ".."
            start(configuration(options), options.out or Path("runs") / name)


def _resume(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Continue a run as if it had not been interrupted."
    p.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    p.add_argument("--epochs", type=int, help="total number of epochs (default: as before)")
    p.add_argument("--data", type=Path, metavar="FILE.csv", help="new path of the table, if it has moved")
    options = p.parse_args(arguments)
    resume(options.run, options.epochs, options.data)


def _lab(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Open a web page on which a network learns, with a formula for every number."
    where = f"{', '.join(DATA)}, or a file: my.csv, my.csv.gz (default: eight lessons)"
    p.add_argument("data", nargs="?", metavar="DATA", help=where)
    p.add_argument("--save", type=Path, metavar="FILE.html", help="write the page to a file instead of opening it")
    _add_file(p)
    _add_data(p, f"number of points, at most {MOST_POINTS} (100)", "files")
    _add_network(p, "8 8", "tanh")
    _add_updates(p.add_argument_group("training"), "sgd", "sgd: 0.5 for classes, 0.1 for numbers; others: 0.01")
    p.add_argument("--seed", type=int, default=0, help="seed for data, initial weights and order (0)")
    p.set_defaults(**LAB)
    options, defaults = vars(p.parse_args(data_first(arguments))), vars(p.parse_args([]))
    save, data, given = options.pop("save"), options["data"], [x for x in options if options[x] != defaults[x]]
    if save and save.suffix != ".html":
        raise ValueError(f"--save {save}: the page is an HTML file; name it {save.stem}.html")
    if given and not data:
        raise ValueError(f"--{given[0].replace('_', '-')} requires DATA, as in: python -m nn lab moons")
    from nn.laboratory import lab
    from nn.laboratory.lessons import lessons

    if data:
        most = 100 if options["examples"] is None else options["examples"]
        if not 5 <= most <= MOST_POINTS:
            raise ValueError(f"--examples {most}: it must be between 5 and {MOST_POINTS}")
        trained = vars(parser().parse_args([data]))
        config = configuration(argparse.Namespace(**trained | options | {"examples": None}))
        page = lab(title=text_name(Path(data).stem), **situation(config, most))
    else:
        page = lab(lessons())
    path = page.save(save or Path(mkdtemp(prefix="chainrule-")) / "lab.html")
    print(f"lab: {text_name(str(path))}")
    if not save and not webbrowser.open(path.resolve().as_uri()):
        warn("no browser was found: open the file on a computer that has one")


def _check(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Grade a scalar engine that you built. The exit status is 1 if it has a bug."
    p.add_argument("engine", metavar="ENGINE.py", help="file that defines its node class, named Value")
    p.add_argument("--timeout", type=float, metavar="S", help="run it in a separate process for at most S seconds")
    options = p.parse_args(arguments)
    from autograd.engine_checks import check_engine

    verdict = check_engine(options.engine, options.timeout)
    print(verdict)
    if not verdict:
        raise SystemExit(1)


def _claims(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Test the claims of the lecture with experiments."
    p.add_argument("names", nargs="*", metavar="NAME", help="claims to test (all)")
    p.add_argument("--seed", type=int, default=0, help="seed for data, initial weights and order (0)")
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for one picture per claim")
    p.add_argument("--list", action="store_true", help="list the claims without running them")
    options = p.parse_args(arguments)
    from nn.lecture.claims import listing, run, table

    width = max(get_terminal_size((200 if options.list else 100, 24)).columns, 60)  # defaults for a pipe
    if options.list:
        print(listing(options.names, width))
    else:
        print(table(list(run(options.names, options.seed, options.out)), width))


def _predict(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Write the rows of a table, with the predictions of a run added."
    p.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    p.add_argument("table", type=Path, metavar="FILE.csv", help="table with the columns that the run was trained on")
    p.add_argument("--out", type=Path, help="write to this file, such as new.csv or new.csv.gz, instead of printing")
    _add_reading(p)
    options = p.parse_args(arguments)
    out: Path | None = options.out
    inputs = {"the table": options.table, **{f"{name} of the run": options.run / name for name in KEPT}}
    for role, path in inputs.items():
        if out and out.exists() and path.exists() and out.samefile(path):
            raise ValueError(f"--out {out} would overwrite {role}: choose another file")
    text, measured = predictions(options.run, options.table, {name: getattr(options, name) for name in READING})
    if out:
        write_whole(out, gzip.compress(text.encode()) if out.suffix == ".gz" else text.encode())
    else:
        try:  # stdout may be redirected into a file, in which no character may be replaced
            text.encode(sys.stdout.encoding)
        except UnicodeEncodeError as error:
            raise ValueError(f"the rows cannot be printed ({error}): use --out FILE.csv to write UTF-8") from None
        print(text, end="")
    if measured:
        warn(measured)


def data_first(arguments: Sequence[str]) -> Sequence[str]:
    """Move DATA to the front if it follows an option that takes several values, as in ``--hidden 8 my.csv``."""
    option = "DATA"
    for k, word in enumerate(arguments):
        if word.startswith("-"):
            option = next((name for name in SEVERAL if name.startswith(word)), "")
        elif option == "DATA":
            break
        elif option and (word in DATA or Path(word).is_file() or (option in NUMBERS and word.isidentifier())):
            return [word, *arguments[:k], *arguments[k + 1 :]]
    return arguments


def parser() -> argparse.ArgumentParser:
    """Return the parser for the options of a training run."""
    p = OneLineParser(
        prog="python -m nn", description="Train a network in which every weight is a scalar node.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("--version", action="version", version=f"chainrule {autograd.__version__}")
    p.add_argument("data", metavar="DATA", help=f"{', '.join(DATA)}, or a file: my.csv, my.csv.gz")
    _add_file(p)
    measured = ", ".join([*(name for name in BUNDLED if name not in DEFAULTS), "files"])
    _add_data(p, "number of generated points (200)", measured)
    _add_network(p, "16 16; digits: 32", "relu")
    training = p.add_argument_group("training")
    _add_updates(training, "adam", f"0.01; digits, {measured}, rmsprop: 0.003; sgd: 0.1")
    add = training.add_argument
    add("--calibrate", action="store_true", help="evaluate with the batch statistics of all training data")
    add("--epochs", type=int, help="number of passes over the training data (60; digits: 30, spirals: 200)")
    add("--schedule", default="constant", choices=SCHEDULES, help="learning-rate schedule (constant)")
    add("--factor", type=float, help="factor for exponential (0.95) and step (0.5), or decay for inverse_time (0.1)")
    add("--every", type=int, metavar="EPOCHS", help="epochs between steps of the step schedule (10)")
    add("--warm-up", type=int, metavar="EPOCHS", help="epochs of linear warm-up (0)")
    add("--l1", type=float, default=0.0, help="coefficient of the penalty |w| (0)")
    add("--l2", type=float, help=f"coefficient of the penalty ½ w² (0; {measured}: 0.01)")
    add("--clip-norm", type=float, help="maximum norm of the whole gradient")
    add("--clip-value", type=float, help="maximum absolute value of each derivative")
    add("--patience", type=int, metavar="EPOCHS", help="stop after this many epochs without a lower validation loss")
    add("--loss-tolerance", type=float, help="stop when the training loss is at most this")
    add("--gradient-tolerance", type=float, help="stop when the gradient norm is at most this")
    add("--engine", default="auto", choices=ENGINES, help="eager: node by node; replay: as matrix products (auto)")
    p.add_argument("--seed", type=int, default=0, help="seed for data, split, initial weights and order (0)")
    p.add_argument("--out", type=Path, help="folder of the run (runs/DATA); an earlier run in it is replaced")
    return p


def _add_file(p: argparse.ArgumentParser) -> None:
    table = p.add_argument_group("your own file")
    add = table.add_argument
    add("--target", metavar="COLUMN", help="column to predict")
    add("--task", choices=TASKS, help="predict classes or numbers (default: depends on the values of the target)")
    add("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns to leave out")
    names = "columns whose numbers are categories, such as postcodes"
    add("--categories", nargs="+", default=[], metavar="COLUMN", help=names)
    missing = "on a missing value, stop, drop the row, or use the mean (refuse)"
    add("--missing", default="refuse", choices=MISSING_RULES, help=missing)
    _add_reading(table)


def _add_data(p: argparse.ArgumentParser, examples: str, measured: str) -> None:
    add = p.add_argument_group("data").add_argument
    add("--examples", type=int, help=examples)
    add("--noise", type=float, help="standard deviation of the noise added to the points (0.1)")
    add("--standardize", action="store_true", help=f"scale to mean 0 and std 1 (default for {measured})")
    add("--zero-center", action="store_true", help="shift to mean 0")
    add("--pca", type=int, nargs="?", const=True, metavar="N", help="project onto N principal components (all)")
    add("--whiten", type=int, nargs="?", const=True, metavar="N", help="like --pca, with variance 1 each")
    add("--raw", action="store_true", help="no preprocessing")


def _add_network(p: argparse.ArgumentParser, hidden: str, activation: str) -> None:
    add = p.add_argument_group("network").add_argument
    add("--hidden", type=int, nargs="*", metavar="UNITS", help=f"number of units per hidden layer ({hidden})")
    of = f"activation of the hidden layers ({activation})"
    add("--activation", default=activation, choices=activations.BY_NAME, help=of)
    add("--init", choices=init.BY_NAME, help="initialiser (he_normal for relu, else xavier_uniform)")
    add("--dropout", type=float, default=0.0, metavar="P", help="probability of dropping a unit (0)")
    add("--batchnorm", action="store_true", help="batch normalisation before each hidden activation")


def _add_updates(group: argparse._ActionsContainer, optimizer: str, rate: str) -> None:
    add = group.add_argument
    add("--batch-size", type=int, default=10, help="examples per update (10)")
    add("--optimizer", default=optimizer, choices=OPTIMIZERS, help=f"optimiser ({optimizer})")
    add("--learning-rate", type=float, help=f"learning rate ({rate})")
    add("--momentum", type=float, default=0.0, help="momentum for sgd and rmsprop (0)")
    add("--nesterov", action="store_true", help="use Nesterov momentum with sgd")
    add("--weight-decay", type=float, help="weight decay (0; adamw: 0.01)")


def _add_reading(p: argparse._ActionsContainer) -> None:
    """Add the options for the format of a file, named as in ``pandas.read_csv``."""
    add = p.add_argument
    add("--sep", help="separator of cells (detected: , ; tab or |)")
    add("--decimal", metavar="MARK", help="decimal mark (detected: point or comma)")
    add("--thousands", metavar="MARK", help="thousands separator (none)")
    add("--encoding", help="encoding (detected: UTF-8, UTF-16 with a BOM, else cp1252)")
    add("--na-values", nargs="+", metavar="CELL", help="cells that denote a missing value, besides empty ones")
    add("--names", nargs="+", metavar="COLUMN", help="names of the columns, if the file has no header row")


def configuration(options: argparse.Namespace) -> Config:
    """Return the configuration of a run with these options. Raises ValueError if they contradict each other."""
    data, is_file = options.data, options.data not in DATA
    defaults = parser().parse_args([data])
    given = {name: x for name, x in vars(options).items() if x != getattr(defaults, name)}
    steps = [[name] if given[name] is True else [name, given[name]] for name in STEPS if name in given]
    for is_wrong, message in (
        (is_file and not Path(data).is_file(), f"DATA {data!r} is neither a file nor one of {', '.join(DATA)}"),
        (is_file and not options.target, f"{data} needs --target COLUMN, the column to predict"),
        *((name in given and not is_file, f"--{name.replace('_', '-')} requires a file, not {data}")
          for name in FOR_FILES),
        *((name in given and getattr(options, owner) not in choices,
           f"--{name} requires {owner} {' or '.join(choices)}, not {getattr(options, owner)}")
          for name, (owner, choices) in BELONGS.items()),
        ((options.examples or 0) > MOST_EXAMPLES,
         f"--examples {options.examples}: use at most {MOST_EXAMPLES}; even those take hours"),
        (options.hidden == [] and (options.dropout or options.batchnorm),
         "--dropout and --batchnorm need a hidden layer: pass --hidden UNITS"),
        (options.seed < 0, f"--seed {options.seed}: it must be at least 0"),
        (options.calibrate and not options.batchnorm, "--calibrate requires --batchnorm, whose statistics it sets"),
        (options.raw and steps, "--raw means no preprocessing: remove it, or the other preprocessing options"),
    ):  # fmt: skip
        if is_wrong:
            raise ValueError(message)
    config = {name: x for name, x in vars(options).items() if name not in ("out", "raw", *STEPS)}
    config["data"] = str(Path(data).resolve()) if is_file else data
    return config | {"preprocess": [] if options.raw else steps or None}


if __name__ == "__main__":
    main()
