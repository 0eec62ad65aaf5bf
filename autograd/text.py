"""Text for terminals and errors: the lecture's signs in ASCII if the encoding lacks ∂ or σ, names on one line.

The error handler ``chainrule`` replaces signs that an encoding lacks: ∂f/∂x becomes ``df/dx``. Both command lines set
it on their streams, and the texts of the library are passed through ``printable``. For your own prints, call
``sys.stdout.reconfigure(errors="chainrule")``. Names, values and files keep their signs.

>>> "∂L/∂w²_13 = Σ δ¹⁰ · σ′(z) / √x  ✓".encode("ascii", "chainrule").decode()
"dL/dw^2_13 = sum delta^10 * sigma'(z) / sqrt x  ok"
>>> "σ²".encode("cp1252", "chainrule").decode("cp1252")  # has ² but not σ
'sigma²'
"""

from __future__ import annotations

import codecs
import reprlib
import sys
from unicodedata import decomposition

LETTERS = (
    "αalpha βbeta γgamma δdelta εepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu νnu ξxi πpi ρrho σsigma τtau "
    "φphi χchi ψpsi ωomega ΓGamma ΔDelta ΘTheta ΛLambda ΞXi ΠPi ΣSigma ΦPhi ΨPsi ΩOmega"
)
SIGNS = (
    "∂d −- –- —-- ·* ×* ÷/ ⊙.* √sqrt ∞inf Σsum ∑sum ∇grad ±+- ≤<= ≥>= ≠!= ≈~ →-> ←<- ↔<-> ✓ok ✗wrong ‖|| ½1/2 ŷyhat "
    "\u0302hat ′' ″'' ‴''' “\" ”\" ‘' ’' ⋯... ⋱... ⋮: ─- │| ⎡[ ⎢[ ⎣[ ⎤] ⎥] ⎦]"
)
GREEK = {sign[0]: sign[1:] for sign in LETTERS.split()}
IN_ASCII = GREEK | {sign[0]: sign[1:] for sign in SIGNS.split()}
MOST_NAME = 50  # characters of a name in an error
MARKS = {"<super>": "^", "<sub>": "_"}


def in_ascii(text: str, start: int, end: int) -> str:
    """Return text[start:end] in ASCII, with ^ or _ before superscripts or subscripts."""
    written, before = [], ""
    for c, after in zip(text[start:end], [*text[start + 1 : end + 1], ""]):
        tag, *codes = decomposition(c).split() or [""]
        mark = MARKS.get(tag, "")
        if c in IN_ASCII:
            apart = c in "√Σ∑∇" and after.isalnum() and not decomposition(after)
            written.append(IN_ASCII[c] + " " * apart)
        elif tag.startswith("<"):  # ² decomposes into a raised 2, … into three dots
            parts = "".join(chr(int(code, 16)) for code in codes)
            written.append((mark if mark != before else "") + in_ascii(parts, 0, len(parts)))
        else:
            written.append(c if c.isascii() else c.encode("ascii", "backslashreplace").decode())
        before = mark
    return "".join(written)


def handler(error: UnicodeError) -> tuple[str, int]:
    """Replace the signs that an encoding lacks; called by ``codecs``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object, error.start, error.end), error.end


codecs.register_error("chainrule", handler)


def printable(text: str) -> str:
    """Return the text as stdout can encode it: unchanged if stdout is Unicode."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text if text.isascii() else text.encode(encoding, "chainrule").decode(encoding)


def text_name(name: str) -> str:
    """Return the name on one line, with characters that cannot be printed escaped as in Python, ``\\\\n``.

    >>> text_name("two\\nlines"), text_name("w²_13")
    ('two\\\\nlines', 'w²_13')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def clipped(words: str, most: int = 20) -> str:
    """Return the words, shortened to ``most`` characters."""
    return words if len(words) <= most else words[: most - 1] + "…"


def shown(thing: object) -> str:
    """Return a short ``repr`` of the thing, on one line."""
    return " ".join(reprlib.repr(thing).split())


def called(name: str | None, otherwise: str) -> str:
    """Return the name for use in an error: short and on one line; ``otherwise`` if there is no name."""
    return clipped(text_name(name), MOST_NAME) if name else otherwise


def elsewhere(thing: object) -> str:
    """Return a remedy if a node of another engine was given instead of a Value; empty for anything else."""
    return "; adopt(…) converts a node of another engine" if hasattr(thing, "grad") else ""


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 group``, ``1,200 groups``."""
    return f"{number:,} {what}{'s' * (number != 1)}"
