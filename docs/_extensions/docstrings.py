"""Converts the package's docstrings, which are plain text with Unicode formulas, to the nodes of a page.

Paragraphs are separated by blank lines. An argument is a line with a name, two or more spaces and a text. ``- ``
starts a list item, and ``>>>`` an example. Formulas are recognised by their symbols.
"""

import re
from collections.abc import Callable, Iterator

from docutils import nodes

Link = Callable[[str], nodes.Node | None]
ITEM = re.compile(r"( *)([^\s=←](?:[^=←]*?[^\s=←,;:.])?|\S*…) {2,}(\S.*)")
NEW_PARAGRAPH = re.compile(r"(?:Raises|Returns|Source:|Sources:) ?")
# words of four letters or more that may occur in a formula, and shorter ones that may not
SYMBOLIC = frozenset([
    "cosh", "decay", "else", "erfc", "factor", "mean", "momentum", "rate", "score", "sign", "sinh", "slope",
    "softmax", "softplus", "start", "tanh", "weight_decay", "with",
])  # fmt: skip
ENGLISH = frozenset(["The", "the", "an", "is", "in", "of", "by", "to", "its", "as", "at", "on", "it", "no", "For"])
OPERATION = re.compile(r"[=←√Σ(⋯·⊙]| [−+/] ")
SUBSCRIPT = re.compile(r"(?<![\w.])([^\W\d_]\u0302?[′ˡ⁰¹²ᴸ]*)_([a-z\d]{1,3}(?:≠\w)?)(?![\w(.])")


def paragraphs(text: str) -> Iterator[list[str]]:
    """Yield the lines of each paragraph."""
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if block:
                yield block
            block = []
        elif block and not line.startswith(" ") and NEW_PARAGRAPH.match(line) and block[-1][-1] in ".:)":
            yield block
            block = [line]
        else:
            block.append(line)


def content(text: str, link: Link) -> list[nodes.Node]:
    """Return the whole docstring as nodes.

    link   returns the reference for the name in a ``literal``, or None
    """
    found: list[nodes.Node] = []
    for lines in paragraphs(text):
        if lines[0].startswith(">>>"):
            code = "\n".join(lines)
            if found and isinstance(found[-1], nodes.literal_block):
                code = found.pop().astext() + "\n\n" + code
            found.append(nodes.literal_block(code, code, language="pycon"))
        elif lines[0].startswith("- "):
            found.append(bullets(lines, link))
        elif is_arguments(lines):
            found.append(arguments(lines, link))
        elif all(line.startswith("    ") for line in lines):
            code = "\n".join(line[4:] for line in lines)
            found.append(nodes.literal_block(code, code, language="text"))
        else:
            found.append(prose(lines, link))
    return found


def paragraph(lines: list[str], link: Link) -> nodes.paragraph:
    return nodes.paragraph("", "", *inline(" ".join(line.strip() for line in lines), link))


def prose(lines: list[str], link: Link) -> nodes.paragraph:
    """Return a paragraph, with a leading formula on a separate line."""
    text = " ".join(line.strip() for line in lines)
    formula = leading_formula(text)
    found: list[nodes.Node] = (
        [nodes.inline("", "", *subscripted(formula), classes=["formula"]), nodes.Text(" ")] if formula else []
    )
    return nodes.paragraph("", "", *found, *inline(text[len(formula) :].lstrip(), link))


def leading_formula(text: str) -> str:
    """Return the formula at the start of the text, with the comma or colon after it, or an empty string."""
    found = ""
    for stop in re.finditer(r"[,:;.](?=\s)|$|(?= (?:with|over|in|of|for|where) )", text):
        before = text[: stop.start()]
        words = re.findall(r"(?<![/\w])(?!\w_)[A-Za-z_]{2,}", before)
        if "``" in before or any((len(word) > 3 and word not in SYMBOLIC) or word in ENGLISH for word in words):
            break
        if len(before) > 4 and OPERATION.search(before) and before.count("(") == before.count(")"):
            found = text[: stop.end()]
    return found


def bullets(lines: list[str], link: Link) -> nodes.bullet_list:
    items: list[list[str]] = []
    for line in lines:
        if line.startswith("- "):
            items.append([line[2:]])
        else:
            items[-1].append(line)
    return nodes.bullet_list("", *(nodes.list_item("", paragraph(item, link)) for item in items))


def is_arguments(lines: list[str]) -> bool:
    """Return whether each line starts an argument, or continues the text of one in its column."""
    first = ITEM.fullmatch(lines[0])
    if not first or first[1] or len(first[2]) > 60:
        return False
    column = first.start(3)
    return all(ITEM.fullmatch(line) or len(line) - len(line.lstrip()) >= min(column, 4) for line in lines[1:])


def arguments(lines: list[str], link: Link) -> nodes.definition_list:
    """Return a definition list; indented names are the possible values of the argument above."""
    column = ITEM.fullmatch(lines[0]).start(3)  # type: ignore[union-attr]
    entries: list[tuple[int, str, list[str]]] = []
    for line in lines:
        match = ITEM.fullmatch(line)
        if match and len(match[1]) < column:
            entries.append((len(match[1]), match[2], [match[3]]))
        else:
            entries[-1][2].append(line.strip())
    outer = nodes.definition_list(classes=["arguments"])
    for indent, name, text in entries:
        term = nodes.term("", "", nodes.literal("", name.replace("``", "")))
        item = nodes.definition_list_item("", term, nodes.definition("", paragraph(text, link)))
        if indent and len(outer):
            definition = outer[-1][-1]
            if not isinstance(definition[-1], nodes.definition_list):
                definition += nodes.definition_list(classes=["arguments"])
            definition[-1] += item
        else:
            outer += item
    return outer


def inline(text: str, link: Link) -> list[nodes.Node]:
    """Return a text with its ``literals`` and subscripts as nodes."""
    found: list[nodes.Node] = []
    for i, part in enumerate(re.split(r"``(.+?)``", text)):
        found += [link(part) or nodes.literal("", part)] if i % 2 else subscripted(part)
    return found


def subscripted(text: str) -> Iterator[nodes.Node]:
    """Yield the text with indices such as the jk of w_jk as subscripts."""
    done = 0
    for match in SUBSCRIPT.finditer(text):
        yield nodes.Text(text[done : match.end(1)])
        yield nodes.subscript("", match[2])
        done = match.end()
    yield nodes.Text(text[done:])
