"""Configures the documentation site: ``python3 run.py docs`` builds it into docs/_build/html.

Every module in docs/_extensions that defines ``setup`` is loaded as an extension.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_extensions")]

from sphinx.application import Sphinx  # noqa: E402

from autograd.colours import DARK, LIGHT  # noqa: E402

project = "chainrule"
author = "the authors of chainrule"
copyright = "the authors of chainrule, MIT licence"
extensions = [
    "myst_nb", "sphinx_copybutton",
    *sorted(
        path.stem for path in (DOCS / "_extensions").glob("*.py")
        if "\ndef setup(" in path.read_text(encoding="utf-8")
    ),
]  # fmt: skip
exclude_patterns = ["_build", "_extensions"]
smartquotes = False  # quotation marks and dashes are typed as they should appear

# pages
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks appear with the outputs that were committed
nb_merge_streams = True
nb_code_prompt_show, nb_code_prompt_hide = "Show the answer", "Hide the answer"

# API
add_module_names = False
nitpicky = True
nitpick_ignore_regex = [("py:class", r"(?!(?:autograd|nn)\.).*")]  # a type of a signature that no page documents
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# appearance
html_theme = "furo"
html_title = "chainrule"
html_static_path, templates_path = ["_static"], ["_templates"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_math_renderer = "katex"
html_copy_source = html_show_sourcelink = html_show_sphinx = False
pygments_style, pygments_dark_style = "code_style.Light", "code_style.Dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def variables(colours: dict[str, str]) -> dict[str, str]:
    """Return the colours of all pictures as ``--value`` etc., and Furo's variables derived from them."""
    return {
        **{name.replace("_", "-"): colour for name, colour in colours.items()},
        "color-brand-primary": colours["value"], "color-brand-content": colours["value"],
        "color-brand-visited": colours["value"],
        "color-background-primary": colours["paper"], "color-background-secondary": colours["fill"],
        "color-background-border": colours["hair"], "color-foreground-primary": colours["ink"],
        "color-foreground-secondary": colours["quiet"], "color-foreground-muted": colours["quiet"],
        "color-foreground-border": colours["edge"], "color-highlight-on-target": colours["grad_wash"],
        "color-api-name": colours["value"], "color-api-pre-name": colours["quiet"],
        "color-problematic": colours["grad"], "font-stack--headings": "var(--font-stack)",
    }  # fmt: skip


html_theme_options = {"light_css_variables": variables(LIGHT), "dark_css_variables": variables(DARK)}


def setup(app: Sphinx) -> None:
    """Say when the site was built last, although nothing may have changed."""
    app.connect("build-finished", lambda app, error: error or (app.outdir / ".built").touch())
