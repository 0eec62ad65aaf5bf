"""Turns the package's docstrings, which are plain text with Unicode formulas, into the nodes of a page.

Paragraphs are separated by blank lines. Arguments are lines of a name, two or more spaces and a text; ``- `` begins a
list; ``>>>`` begins an example; formulas are recognised by their symbols.
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
    """The lines between blank lines; an example keeps the blank lines inside it."""
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
    """The whole docstring as nodes.

    link   gives the reference for a ``literal`` that names something, or None
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
    """A paragraph; the formula that it begins with is shown on a line of its own."""
    text = " ".join(line.strip() for line in lines)
    formula = leading_formula(text)
    found: list[nodes.Node] = (
        [nodes.inline("", "", *subscripted(formula), classes=["formula"]), nodes.Text(" ")] if formula else []
    )
    return nodes.paragraph("", "", *found, *inline(text[len(formula) :].lstrip(), link))


def leading_formula(text: str) -> str:
    """The formula that the text begins with, with the comma or colon behind it, or an empty string."""
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
    """Whether each line begins an argument, or continues the text of one in its column."""
    first = ITEM.fullmatch(lines[0])
    if not first or first[1] or len(first[2]) > 60:
        return False
    column = first.start(3)
    return all(ITEM.fullmatch(line) or len(line) - len(line.lstrip()) >= min(column, 4) for line in lines[1:])


def arguments(lines: list[str], link: Link) -> nodes.definition_list:
    """A definition list; names that are indented are the values that the one above may have."""
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
    """A text with its ``literals``, and with indices below the line."""
    found: list[nodes.Node] = []
    for i, part in enumerate(re.split(r"``(.+?)``", text)):
        found += [link(part) or nodes.literal("", part)] if i % 2 else subscripted(part)
    return found


def subscripted(text: str) -> Iterator[nodes.Node]:
    """w_jk as mathematics writes it."""
    done = 0
    for match in SUBSCRIPT.finditer(text):
        yield nodes.Text(text[done : match.end(1)])
        yield nodes.subscript("", match[2])
        done = match.end()
    yield nodes.Text(text[done:])
