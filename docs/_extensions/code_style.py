"""Defines the colours of code on the site: black and green, because blue and orange mean value and gradient."""

from pygments.style import Style
from pygments.token import Comment, Error, Generic, Keyword, Literal, Name, Operator, Punctuation, String, Token

from autograd.colours import DARK, LIGHT


def styles(colours: dict[str, str]) -> dict[object, str]:
    ink, quiet = colours["ink"], colours["quiet"]
    return {
        Token: ink, Name: ink, Operator: ink, Punctuation: ink, Literal: ink, Error: ink,
        Keyword: f"bold {ink}", Operator.Word: f"bold {ink}", Keyword.Constant: f"nobold {ink}",
        String: colours["minus"], Comment: quiet, Generic.Prompt: quiet, Generic.Output: quiet,
        Generic.Traceback: quiet, Generic.Error: ink, Generic.Heading: f"bold {ink}",
    }  # fmt: skip


class Light(Style):
    background_color = LIGHT["fill"]
    styles = styles(LIGHT)


class Dark(Style):
    background_color = DARK["fill"]
    styles = styles(DARK)
