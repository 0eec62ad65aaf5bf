"""What ``check_engine`` says: each bug of a scalar engine in a sentence, where it shows, and a question."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from autograd.text import printable

# what each bug is, in its first sentence, and what leads to its cause
BUGS = {
    "rule": "{op} {fault}. Its rule: {rule}. Which sign, factor or case of the code differs from it?",
    "upstream": "the derivative of {op} is right by itself, and wrong inside an expression. There, the backward step "
    "has to multiply it by the gradient of the result, which is not 1. Where does that of {op} do so?",
    "overwrites": "a gradient is set, with =, where it has to be added to, with +=. Two contributions arrive at the "
    "gradient of {x} here, and one is lost. In the backward step of {op}, what becomes of the first one?",
    "order": "a node passes its gradient on too early, too often or not at all. It has to do so exactly once, after "
    "all nodes that use it have done so. In which order does the backward pass visit the nodes of this f?",
    "silent": "the backward pass reaches no operand. Where does the gradient of f itself become 1, and which line "
    "passes it on to the operands?",
    "lost-edge": "an operation counts only one operand if both are the same node. Each of the two adds to the node's "
    "gradient. Where does a set, a dictionary or a comparison of nodes make one of the two?",
    "compounds": "a further backward pass starts with old gradients. The nodes between f and its inputs still hold "
    "those of the pass before, and pass them on again. Where does a pass set them to 0 before it starts?",
    "constant": "{op} goes wrong with a plain number as operand. Which line of the operation handles a number? Does "
    "it make a node of it, and of every number, such as 2, 2.5 and 0?",
    "reflected": "{op} goes wrong, where the number is on the left. For that, Python calls {method} of the "
    "node. Is it defined, and does it take the number as the left operand?",
    "stale": "the backward pass reads data that changed after the forward pass. The derivative belongs to the old "
    "numbers. Which .data does the backward step of {op} look up, and where could the forward step store them?",
    "mutates": "{x}.data changes, which no operation and no backward pass may do. An operation makes a new node, and "
    "the backward pass changes gradients alone. Which line assigns to {x}.data?",
    "depth": "a function calls itself once per node, and Python stops at about 1,000 nested calls. This f is a chain "
    "of 1,536 operations. Which function is it, and how would a loop over a list of nodes do the same?",
    "exits": "the code ends the program. Which line does so, by exit(), SystemExit or a crash?",
    "endless": "the code does not come to an end. Which loop is it, and what should change in each of its rounds?",
}


class Bug(NamedTuple):
    """A bug by its key, the smallest program that shows it, what this gives and what is right, and words."""

    key: str
    program: str
    what: str
    gives: Any
    right: float = 0.0
    words: str = ""

    def __str__(self) -> str:
        bug, _, hint = (self.words or BUGS[self.key]).partition(". ")
        shows = self.gives if isinstance(self.gives, str) else f"is {self.gives:.6g}, but should be {self.right:.6g}"
        return f"{self.key}: {bug}\n  {self.program}\n  {self.what} {shows}\n  {hint}"


class EngineVerdict(NamedTuple):
    """What is wrong with an engine, the likeliest cause first. True where nothing is."""

    found: Sequence[Bug]
    programs: int = 0  # that were run

    @property
    def bugs(self) -> list[str]:
        """The keys of what is wrong."""
        return [bug.key for bug in self.found]

    def __bool__(self) -> bool:
        return not self.found

    def __str__(self) -> str:
        return printable("\n\n".join(map(str, self.found)) or f"right in all {self.programs} programs")

    def __repr__(self) -> str:
        return str(self)
