"""Prints the seconds from a graph to its first run in this process, compilation included; ``replay.py`` starts it.

``cold.py table``: every entry of the table, on one node, on twenty nodes at once, and with many operands.
``cold.py GPT``: the graph of the GPT.
"""

import sys
import time

from graphs import GPT

from autograd import Value, record, tanh
from autograd.table import CONSTANT, TABLE
from autograd.value import apply


def every_entry() -> Value:
    some = [Value(0.5 + i / 100) for i in range(20)]  # in all domains
    last = tanh(tanh(Value(0.6)))  # on another level, so that operations on it join no group
    found = []
    for entry in TABLE.values():
        domains = entry.domains if not entry.variadic else entry.domains[:1] * max(2, entry.least)
        for x in (*some, last):
            found.append(apply(entry, *(3.0 if domain is CONSTANT else x for domain in domains)))
        if entry.variadic:
            found.append(apply(entry, *some, *some[: (entry.least - len(some)) % entry.step]))
    return sum(found)


if __name__ == "__main__":
    loss = every_entry() if sys.argv[1:] == ["table"] else GPT().loss()
    start = time.perf_counter()
    record(loss, engine="compiled")()
    print(time.perf_counter() - start)
