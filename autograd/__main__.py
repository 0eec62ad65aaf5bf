"""The command line: ``python -m autograd "f = x*y" x=2 y=3`` explains the gradients of a function."""

import argparse
import sys
from collections.abc import Sequence

import autograd
from autograd.command_line import OneLineParser, command_line, warn
from autograd.errors import DomainError
from autograd.explanation import explain
from autograd.notation import number_text
from autograd.parser import COMPOSED, PRINTED, Definitions, ExpressionError, meant, some
from autograd.table import TABLE
from autograd.text import MOST_NAME, called, clipped, printable, text_name
from autograd.value import Value

PROGRAM = "python -m autograd"
MOST_EXPLAINED = 4  # inputs explained without --wrt
AS_IN = "write NAME=NUMBER, as in r=2 or r=pi/6"
DIGITS = 12  # of values and gradients: few enough to hide rounding, as in 0.1 + 0.2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Print values and gradients, and write out the chain rule for each gradient."
    functions = f"Functions: {', '.join(sorted({*TABLE, *COMPOSED}))}. Write x**2 for a power, 2*x for a product."
    p = OneLineParser(prog=PROGRAM, description=description, epilog=functions)
    add = p.add_argument
    add("--version", action="version", version=f"chainrule {autograd.__version__}")
    add("text", metavar="TEXT", help='the function, then the definitions that it uses: "f = x*y; x = r; y = r*s"')
    add("inputs", metavar="NAME=NUMBER", nargs="*", help="a number for each input: r=2 s=pi/6")
    wrt = f"explain the derivative with respect to NAME (default: the first {MOST_EXPLAINED} inputs)"
    add("--wrt", metavar="NAME", action="append", help=wrt)
    add("--html", metavar="PAGE.html", help="also write a web page that steps through both passes")
    add("--latex", action="store_true", help="print only the explanation, in LaTeX")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Raises SystemExit with status 2 after a one-line error message."""
    given = sys.argv[1:] if arguments is None else arguments
    # -x**2 is an expression, not an option: argparse ignores the printed minus sign −, which the parser accepts
    given = [f"−{a[1:]}" if a[:1] == "-" and a[:2] not in ("--", "-h") else a for a in given]
    with command_line(PROGRAM):
        if not given:
            raise ValueError(f'write a function and its inputs: {PROGRAM} "f = x*y" x=2 y=3 ({PROGRAM} --help)')
        report(parser().parse_intermixed_args(given))


def report(options: argparse.Namespace) -> None:
    """Compute, differentiate and print. Raises ExpressionError, or DomainError outside a function's domain."""
    given = numbers(options.text, options.inputs)
    definitions = Definitions(options.text)
    nodes = definitions.at(**given)
    f = nodes[definitions.name]
    f.backward()
    constants = {name: number for name, number in definitions.constants.items() if name not in nodes}
    leaves = [name for name in nodes if name in given]
    leaves = leaves or [name for name, node in nodes.items() if not node.parents and node is not f]
    wrt = options.wrt or leaves[:MOST_EXPLAINED]
    for name in wrt:
        if name not in nodes:
            unknown = f"--wrt {called(name, repr(''))}: unknown name{meant(name, nodes)}"
            raise ExpressionError(f"{unknown}; the names are {', '.join(nodes)}")
    if options.html is not None:
        from autograd.walking import walk

        walk(f).save(options.html)
    explanations = [explain(f, wrt=nodes[name]) for name in wrt]
    if definitions.unused:
        first = f"autograd: the first definition, {definitions.name}, is differentiated; it does not use"
        warn(f"{first} {some(definitions.unused)}; to differentiate another definition, put it first")
    if options.latex:
        print("\n\n".join(explanation._repr_latex_() for explanation in explanations))
        return
    print("\n\n".join(["\n".join(table(definitions.name, nodes, constants)), *map(str, explanations)]))
    if len(leaves) > len(wrt) and not options.wrt:
        print(f"\nThese are the first {len(wrt)} of {len(leaves)} inputs; --wrt NAME explains another.")
    if options.html:
        print(f"\n{text_name(options.html)} steps through both passes; open it in any browser.")


def numbers(text: str, inputs: Sequence[str]) -> dict[str, float]:
    """Parse ``["r=2", "s=pi/6"]`` into numbers by name. Raises ExpressionError for anything but NAME=NUMBER."""
    found: dict[str, float] = {}
    wrong = [i for i, given in enumerate(inputs) if not given.partition("=")[0].strip() or "=" not in given]
    for given in inputs:
        name, equals, number = (part.strip() for part in given.translate(PRINTED).partition("="))
        if not name or not equals:
            words = clipped(" ".join([text, *inputs[: wrong[-1] + 1]]), 100)
            quoted = f', and the function in quotes: "{words}"' if not given.isidentifier() else ""
            raise ExpressionError(f"{clipped(given, MOST_NAME)!r} is not an input: {AS_IN}{quoted}")
        if name in found:
            raise ExpressionError(f"{called(name, '')} is given twice")
        try:
            [value] = Definitions(f"({number})").at().values()  # the brackets rule out definitions
            found[name] = value.data
        except ValueError as error:
            why = f" ({str(error).split(': ', 1)[1]})" if isinstance(error, DomainError) else ""
            number = clipped(number, MOST_NAME)
            raise ExpressionError(f"{called(name, '')}={number!r} is not a number{why}; {AS_IN}") from None
    return found


def table(f: str, nodes: dict[str, Value], constants: dict[str, float]) -> list[str]:
    """Return lines of aligned columns: constants such as pi, then the name, value and gradient of each node."""
    rows = [("", "value", f"∂{f}/∂…")]
    rows += [(name, number_text(number, DIGITS), "") for name, number in constants.items()]
    rows += [(name, number_text(node.data, DIGITS), number_text(node.grad, DIGITS)) for name, node in nodes.items()]
    cells = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [f"{name:{widths[0]}}  {value:>{widths[1]}}  {grad:>{widths[2]}}".rstrip() for name, value, grad in cells]


if __name__ == "__main__":
    main()
