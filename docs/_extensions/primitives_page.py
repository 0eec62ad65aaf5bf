"""Defines the directive ``primitives``: a card for each entry of autograd's table, with formulas and pictures."""

from html import escape
from pathlib import Path

from curves import examples, panels, svg
from docutils import nodes
from primitive_facts import domain_words, groups, kinks, latex_lines, summary, worked_example
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograd.table import Primitive

SCRIPT = Path(__file__).with_suffix(".js")


def figures(entry: Primitive) -> str:
    """Return the pictures of an entry as HTML."""
    drawn = "".join(svg(panel, f"clip-{entry.name}-{i}") for i, panel in enumerate(panels(entry)))
    return f'<div class="curves">{drawn}</div>'


def anchor(words: str) -> str:
    """Return the id of a group or an entry."""
    return "-".join("".join(c if c.isalnum() else " " for c in words.lower()).split())


def facts(entry: Primitive) -> dict[str, str]:
    """Return the statements below the formulas of a card, by heading."""
    value, derivative = domain_words(entry), domain_words(entry, derivative=True)
    found = {"Defined": value} if value == derivative else {"Defined": value, "Differentiable": derivative}
    if kink := kinks(entry):
        found["Kinks"] = kink.taken if kink.places in kink.taken else f"{kink.places}; {kink.taken}"
    if entry.gate:
        found["Gate"] = "a derivative of 0 stops the gradient, even an infinite one"
    return found | {"Example": worked_example(entry, examples(entry)[0])}


def card(entry: Primitive, docname: str) -> nodes.section:
    """Return the section of an entry."""
    section = nodes.section(ids=[f"primitive-{entry.name}"], classes=["primitive"])
    title = nodes.title("", "", nodes.literal(text=entry.name))
    if entry.symbol != entry.name:
        title += [nodes.Text(" "), nodes.inline(text=entry.symbol, classes=["symbol"])]
    link = addnodes.pending_xref(
        "", nodes.inline(text="API"), refdomain="py", reftype="func", reftarget=f"autograd.{entry.name}",
        refdoc=docname, refwarn=False, refexplicit=True, primitive=True,
    )  # fmt: skip
    parts = enumerate(summary(entry).split("``"))
    about = [nodes.literal(text=part) if i % 2 else nodes.Text(part) for i, part in parts]
    section += [title, nodes.paragraph("", "", *about, nodes.Text(" "), link)]
    stated = nodes.container(classes=["stated"])
    if lines := latex_lines(entry):
        first, *slopes = lines
        aligned = rf"{first} \\[.3em] " + r" \\[.75em] ".join(slopes)  # a row of fractions is deeper
        latex = rf"\begin{{aligned}} {aligned} \end{{aligned}}"
        stated += nodes.math_block(latex, latex, nowrap=False, number=None, label=None)
    fields = nodes.field_list()
    for name, words in facts(entry).items():
        call, equals, rest = words.partition(" = ") if name == "Example" else ("", "", words)
        code = [nodes.literal(text=call)] if call else []
        body = nodes.field_body("", nodes.paragraph("", "", *code, nodes.Text(equals + rest)))
        fields += nodes.field("", nodes.field_name(text=name), body)
    stated += fields
    section += nodes.container("", stated, nodes.raw("", figures(entry), format="html"), classes=["card"])
    return section


class Primitives(SphinxDirective):
    """A section for each group of the table, with links to the groups and a filter for the entries."""

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the page."""
        links = " · ".join(f'<a href="#{anchor(group)}">{escape(group)}</a>' for group in groups())
        found: list[nodes.Node] = [nodes.raw("", (
            f'<nav class="jump" aria-label="Groups">{links}</nav><p class="filter" hidden><label>Filter '
            '<input type="search" autocomplete="off" spellcheck="false"></label> '
            '<span role="status"></span></p>'
        ), format="html")]  # fmt: skip
        for group, entries in groups().items():
            section = nodes.section(ids=[anchor(group)], classes=["primitives"])
            section += [nodes.title(text=group), *(card(entry, self.env.docname) for entry in entries)]
            found.append(section)
        script = f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
        return [*found, nodes.raw("", script, format="html")]


def without_link(app: Sphinx, env: object, node: nodes.Element, words: nodes.Node) -> nodes.Node | None:
    """Return an empty node in place of a link to an entry that the API lacks."""
    return nodes.inline() if node.get("primitive") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("primitives", Primitives)
    app.connect("missing-reference", without_link)
    app.add_css_file("drawn.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
