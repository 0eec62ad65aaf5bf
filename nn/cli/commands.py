"""The commands of ``python -m nn``: train, resume, predict and claims."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size

from autograd.command_line import OneLineParser, command_line, warn
from autograd.files import write_whole
from nn.cli.csv_tables import READING
from nn.cli.options import add_reading, configuration, data_first, parser
from nn.cli.predictions import predictions
from nn.cli.run_files import KEPT
from nn.cli.runs import resume, start


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Raises SystemExit, with status 2 after one line about what is wrong."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"claims": _claims, "resume": _resume, "predict": _predict}
    command = arguments[0] if arguments and arguments[0] in commands else ""
    program = f"python -m nn {command}".rstrip()
    with command_line(program, f"({program} --help)"):
        if command:
            commands[command](OneLineParser(prog=program), arguments[1:])
        else:
            _train(arguments)


def _train(arguments: Sequence[str]) -> None:
    options = parser().parse_args(data_first(arguments))
    name = Path(options.data.removesuffix(".gz")).stem.strip(".") or "table"  # never .. for a file ...csv
    start(configuration(options), options.out or Path("runs") / name)


def _resume(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Continue a run as if it had never stopped."
    p.add_argument("run", type=Path, metavar="RUN", help="its folder")
    p.add_argument("--epochs", type=int, help="number of epochs in all (as many as it was started with)")
    p.add_argument("--data", type=Path, metavar="FILE.csv", help="the new path of its table, if that was moved")
    options = p.parse_args(arguments)
    resume(options.run, options.epochs, options.data)


def _claims(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Test the lecture's claims by experiments."
    p.add_argument("names", nargs="*", metavar="NAME", help="the claims to test (all)")
    p.add_argument("--seed", type=int, default=0, help="decides data, initial weights and order (0)")
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for one picture of each")
    p.add_argument("--list", action="store_true", help="list the claims without running them")
    options = p.parse_args(arguments)
    from nn.lecture.claims import listing, run, table

    width = max(get_terminal_size((200 if options.list else 100, 24)).columns, 60)  # where it is piped
    if options.list:
        print(listing(options.names, width))
    else:
        print(table(list(run(options.names, options.seed, options.out)), width))


def _predict(p: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    p.description = "Write the rows of a table together with what a run predicts for them."
    p.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    p.add_argument("table", type=Path, metavar="FILE.csv", help="has the columns that the run was trained on")
    p.add_argument("--out", type=Path, help="write to this file, new.csv or new.csv.gz, instead of printing")
    add_reading(p)
    options = p.parse_args(arguments)
    read = {"the table itself": options.table, **{f"the run's {name}": options.run / name for name in KEPT}}
    for what, path in read.items():
        if options.out and options.out.exists() and path.exists() and options.out.samefile(path):
            raise ValueError(f"--out {options.out} is {what}: name another file")
    text, measured = predictions(options.run, options.table, {name: getattr(options, name) for name in READING})
    _write_rows(text, options.out)
    if measured:
        warn(measured)


def _write_rows(text: str, out: Path | None) -> None:
    if out:
        content = text.encode()
        write_whole(out, gzip.compress(content) if out.suffix == ".gz" else content)
        return
    try:  # stdout may be redirected into a file, which must hold the rows letter by letter
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError as error:
        raise ValueError(f"the rows cannot be printed, {error}: --out FILE.csv writes them in UTF-8") from None
    print(text, end="")
