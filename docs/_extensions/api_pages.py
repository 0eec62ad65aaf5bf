"""Documents the public API: the directive ``{api}`` shows the objects of one group, and ``{api-index}`` all groups.

    ```{api} autograd
    Value named detach
    ```

The argument is a module, and the content lists its objects. The directive shows a table with one line per object,
then each signature and docstring.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import docstrings
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

from autograd.table import Primitive

API = Path(__file__).parent.parent / "api"
GROUP = re.compile(r"^```\{api\} (\S+)\n(.*?)^```", re.M | re.S)
PROPERTIES = (property, cached_property)
FIELD = re.compile(r"^    (\w+): ([^#\n]+?)(?: = [^#\n]+)?  # (.+)$", re.M)


# ---- what is documented ------------------------------------------------------------------------------------------


@cache
def documented() -> dict[str, str]:
    """Return the full name of every documented object, with its page."""
    return {
        f"{module}.{name}": page
        for page in pages()
        for module, names in GROUP.findall((API / f"{page}.md").read_text(encoding="utf-8"))
        for name in names.split()
    }


def pages() -> list[str]:
    """Return the pages in the order of the table of contents."""
    toctree = re.search(r"^```\{toctree\}\n(.*?)^```", (API / "index.md").read_text(encoding="utf-8"), re.M | re.S)
    return [line for line in toctree[1].split() if not line.startswith(":")] if toctree else []


def thing(full_name: str) -> Any:
    """Return an object by its full name, such as ``nn.plots.loss`` or ``nn.MLP``."""
    module, _, name = full_name.rpartition(".")
    found = getattr(import_module(module), name, None)
    return import_module(full_name) if found is None else found


def summary(about: Any) -> str:
    return (inspect.getdoc(about) or "").partition("\n")[0]


def members(cls: type) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, attribute and object of each public member with a docstring.

    Includes the members of base classes that have no page.
    """
    on_pages = {thing(name) for name in documented() if name.rpartition(".")[2][:1].isupper()}
    seen: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.split(".")[0] not in ("autograd", "nn") or (base is not cls and base in on_pages):
            continue
        for name, attribute in vars(base).items():
            about = getattr(attribute, "__func__", attribute)
            if name[0] != "_" and name not in seen and getattr(about, "__doc__", None) and is_member(attribute):
                seen.add(name)
                yield name, attribute, about


def is_member(attribute: Any) -> bool:
    return inspect.isroutine(attribute) or isinstance(attribute, (classmethod, staticmethod, *PROPERTIES))


# ---- signatures --------------------------------------------------------------------------------------------------


def signature(about: Any, skip_first: bool = False) -> str:
    """Return the signature as a caller sees it: without the rule's number system, and without the types' modules."""
    if isinstance(about, Primitive):
        letters = list(inspect.signature(about.rule).parameters.values())[1:]
        names = [", ".join(p.name) if p.kind is p.VAR_POSITIONAL and len(p.name) > 1 else str(p) for p in letters]
        return f"({', '.join(names)})"
    try:
        found = inspect.signature(about)
    except ValueError:
        return ""
    types = written_types(about)
    arguments = [p.replace(annotation=types.get(p.name, p.annotation)) for p in found.parameters.values()]
    returned = inspect.Signature.empty if inspect.isclass(about) else types.get("return", found.return_annotation)
    found = found.replace(parameters=arguments[skip_first:], return_annotation=returned)
    text = stringify_signature(found, unqualified_typehints=True)
    return re.sub(r"<(?:function (\w+)[^<>]*|[^<>]+)>|~(?:\w+\.)+(?=\w)", shorter, text)


def written_types(about: Any) -> dict[str, str]:
    """The types of the arguments as the source writes them, where ArrayLike and Schedule have names."""
    try:
        [definition] = ast.parse(dedent(inspect.getsource(inspect.unwrap(about)))).body
    except (OSError, TypeError):
        return {}
    types: dict[str, str] = {}
    for node in (definition, *getattr(definition, "body", ())):
        if isinstance(node, ast.FunctionDef) and (node is definition or node.name == "__init__"):
            named = node.args
            every = [*named.posonlyargs, *named.args, *named.kwonlyargs, named.vararg, named.kwarg]
            types |= {each.arg: ast.unparse(each.annotation) for each in every if each and each.annotation}
            types |= {"return": ast.unparse(node.returns)} if node.returns else {}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            types[node.target.id] = ast.unparse(node.annotation)
    return types


def shorter(match: re.Match[str]) -> str:
    """A function by its name, no module before a type, and … for another object that has no text."""
    return "" if match[0][0] == "~" else match[1] or "…"


# ---- pages -------------------------------------------------------------------------------------------------------


class Docstring(SphinxDirective):
    """The docstring of an object as nodes, and the fields of a class that have comments in its source."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].partition(":")
        own, *member = name.split(".")
        about = thing(f"{module}.{own}")
        for part in member:
            about = next(found for found_name, _, found in members(about) if found_name == part)
        found = docstrings.content(inspect.getdoc(getattr(about, "__func__", about)) or "", reference)
        if inspect.isclass(about):
            found += fields(about)
        self.name_arguments(f"{module}.{name}", found, [] if member else parameters(about))
        return found

    def name_arguments(self, full_name: str, found: list[nodes.Node], names: list[str]) -> None:
        """Make each argument findable as ``nn.SGD.momentum``, with an anchor if the docstring describes it."""
        anchors = dict.fromkeys(names, full_name)
        for term in (term for node in found for term in node.findall(nodes.term)):
            for name in re.findall(r"(?:^|(?<=, ))[A-Za-z_]\w*(?=,|$)", term.astext()):
                anchors[name] = anchor = f"{full_name}-{name}"
                if anchor not in self.state.document.ids:
                    term["ids"].append(anchor)
                    self.state.document.ids[anchor] = term
        for name, anchor in anchors.items():
            self.env.domains.standard_domain.note_object("argument", f"{full_name}.{name}", anchor)


def parameters(about: Any) -> list[str]:
    """Return the arguments to include in the search: those with more than two letters."""
    try:
        return [name for name in inspect.signature(about).parameters if len(name) > 2]
    except (TypeError, ValueError):
        return []


def fields(cls: type) -> list[nodes.Node]:
    """Return the comments in the source on the public fields of a class, as a definition list."""
    try:
        lines = FIELD.findall(inspect.getsource(cls).partition("\n    def ")[0])
    except (OSError, TypeError):
        return []
    texts = [f"{name}   {comment}" for name, _, comment in lines if name[0] != "_"]
    return [docstrings.arguments(texts, reference)] if texts else []


def reference(words: str) -> nodes.Node | None:
    """Return a link for ``Dataset.check`` or ``nn.MLP`` if a page documents it, or None."""
    literal = nodes.literal("", words, classes=["xref", "py"])
    name = words.removesuffix("()")
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        return None
    for full_name in documented():
        own = full_name.rpartition(".")[2]
        if name == full_name or (full_name.endswith(f".{name}") and (own[0].isupper() or "." in name)):
            return xref(full_name, literal)
        if name.startswith(f"{own}.") and inspect.isclass(thing(full_name)):
            return xref(f"{full_name}{name.removeprefix(own)}", literal)
    return None


def xref(full_name: str, child: nodes.Node) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "", child, refdomain="py", reftype="obj", reftarget=full_name, refexplicit=True, refwarn=False
    )


def overview(full_names: list[str]) -> nodes.table:
    """Return a table with one row per object: its name, as a link, and the first line of its docstring."""
    body = nodes.tbody()
    for full_name in full_names:
        name = nodes.literal("", full_name.rpartition(".")[2], classes=["xref", "py"])
        cells = (
            nodes.paragraph("", "", xref(full_name, name)),
            nodes.paragraph("", "", *docstrings.inline(summary(thing(full_name)), reference)),
        )
        body += nodes.row("", *(nodes.entry("", cell) for cell in cells))
    columns = (nodes.colspec(colwidth=width) for width in (25, 75))
    return nodes.table("", nodes.tgroup("", *columns, body, cols=2), classes=["overview"])


class Api(SphinxDirective):
    """The directive ``api``: the table of a group, and the details of each object in it."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        names = " ".join(self.content).split()
        for name in names:
            about = thing(f"{module}.{name}")
            if file := getattr(inspect.getmodule(about), "__file__", None):
                self.env.note_dependency(file)
        details = nodes.Element()
        lines = [line for name in names for line in described(module, name)]
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, details)
        return [overview([f"{module}.{name}" for name in names]), *details.children]


def described(module: str, name: str) -> Iterator[str]:
    """Yield the directives for one object and its members."""
    about = thing(f"{module}.{name}")
    if not inspect.isclass(about):
        kind = "function" if callable(about) else "data"
        yield from (
            f"````{{py:{kind}}} {name}{signature(about) if kind == 'function' else ''}",
            f":module: {module}",
            "",
        )
        yield from (f"```{{docstring}} {module}:{name}", "```", "````", "")
        return
    kind = "exception" if issubclass(about, BaseException) else "class"
    arguments = "" if kind == "exception" else signature(about)
    yield from (f"`````{{py:{kind}}} {name}{arguments}", f":module: {module}", "")
    yield from (f"```{{docstring}} {module}:{name}", "```", "")
    functions = {"abs"} | {full.rpartition(".")[2] for full, page in documented().items() if page == "functions"}
    same = []
    for member, attribute, function in members(about):
        if name == "Value" and member in functions:
            same.append(f"{{py:func}}`~autograd.{member}`")
            continue
        if isinstance(attribute, PROPERTIES):
            yield from (f"````{{py:property}} {member}", f":module: {module}", "")
        else:
            options = [":classmethod:"] if isinstance(attribute, classmethod) else []
            options += [":staticmethod:"] if isinstance(attribute, staticmethod) else []
            skip = not isinstance(attribute, staticmethod)
            yield from (f"````{{py:method}} {member}{signature(function, skip)}", f":module: {module}", *options, "")
        yield from (f"```{{docstring}} {module}:{name}.{member}", "```", "````", "")
    if same:
        yield from (f"Methods with the name of a function of one Value: {', '.join(same)}.", "")
    yield from ("`````", "")


class ApiIndex(SphinxDirective):
    """The directive ``api-index``: the table of every group, page by page."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for page in pages():
            text = (API / f"{page}.md").read_text(encoding="utf-8")
            title = re.search(r"^# (.+)$", text, re.M)
            names = [name for name, home in documented().items() if home == page]
            link = addnodes.pending_xref(
                "", nodes.inline("", title[1] if title else page), refdomain="std", reftype="doc",
                reftarget=f"/api/{page}", refexplicit=True, refwarn=True,
            )  # fmt: skip
            found.append(nodes.section("", nodes.title("", "", link), overview(names), ids=[f"index-{page}"]))
            self.env.note_dependency(str(API / f"{page}.md"))
        return found


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_object_type("argument", "argument", objname="argument")
    app.add_directive("api", Api)
    app.add_directive("api-index", ApiIndex)
    app.add_directive("docstring", Docstring)
    app.connect("builder-inited", lambda app: documented.cache_clear())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
