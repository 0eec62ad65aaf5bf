"""The one visual language: its colours, in light and in dark, for every picture, plot and page.

- A value is blue ink, a gradient orange ink. Nothing else is blue or orange.
- The sign of a number has a pair of its own, purple for + and green for −, and the sign itself is written.
- Dashed means "not yet". Width or area tells size. What carries 0 is thin.
- The classes of a data set are markers.

Text has a contrast of at least 4.5 on ``paper``, ``fill`` and the washes, a line at least 3. The pairs differ in
lightness or towards blue and yellow, which all colour-blind eyes tell apart.
"""

COLOURS = {  # in light and in dark
    "paper": ("#FDFDFB", "#14171A"), "fill": ("#FFFFFF", "#1A1E22"),
    "ink": ("#22262B", "#E9EBEE"), "quiet": ("#626972", "#98A1AC"),
    "edge": ("#828991", "#737C86"), "hair": ("#E4E5E2", "#2A2F35"),
    "value": ("#0067A8", "#5DB4EE"), "value_wash": ("#EDF4F9", "#142733"),
    "grad": ("#B84E08", "#FF9A4D"), "grad_wash": ("#FCF1E9", "#33231A"),
    "plus": ("#7A4FB5", "#B794E8"), "minus": ("#257A5A", "#5CC49A"),
}  # fmt: skip
LIGHT, DARK = ({name: pair[i] for name, pair in COLOURS.items()} for i in (0, 1))
MARKERS = "o^sDv*Ph<>Xpd"  # of the classes, as Matplotlib calls them


def custom_properties(scope: str = ":root") -> str:
    """Every colour as a custom property of CSS, ``var(--value-wash)``, in the scheme that the reader prefers.

    scope   the selector that gets them; a picture, which may stand in Jupyter, follows Jupyter's own theme too
    """
    light, dark = (
        "{" + "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in scheme.items()) + "}"
        for scheme in (LIGHT, DARK)
    )
    rules = f"{scope}{light}\n@media (prefers-color-scheme:dark){{{scope}{dark}}}\n"
    if scope != ":root":
        rules += f'[data-jp-theme-light="true"] {scope}{light}\n[data-jp-theme-light="false"] {scope}{dark}\n'
    return rules
