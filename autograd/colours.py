"""Defines the colours of every picture, plot and page, for the light and the dark scheme.

- Values are blue and gradients orange. Nothing else is blue or orange.
- Positive numbers are purple and negative ones green; their signs are written too.
- A dashed line means "not yet". Width or area shows magnitude. An edge that carries 0 is thin.
- Markers distinguish the classes of a data set.

Text has a contrast of at least 4.5 on ``paper``, ``fill`` and the washes; lines have at least 3. The two colours of a
pair differ in lightness or along the blue–yellow axis, so that colour-blind readers can distinguish them.
"""

COLOURS = {  # light and dark
    "paper": ("#FDFDFB", "#14171A"), "fill": ("#FFFFFF", "#1A1E22"),
    "ink": ("#22262B", "#E9EBEE"), "quiet": ("#626972", "#98A1AC"),
    "edge": ("#828991", "#737C86"), "hair": ("#E4E5E2", "#2A2F35"),
    "value": ("#0067A8", "#5DB4EE"), "value_wash": ("#EDF4F9", "#142733"),
    "grad": ("#B84E08", "#FF9A4D"), "grad_wash": ("#FCF1E9", "#33231A"),
    "plus": ("#7A4FB5", "#B794E8"), "minus": ("#257A5A", "#5CC49A"),
}  # fmt: skip
LIGHT, DARK = ({name: pair[i] for name, pair in COLOURS.items()} for i in (0, 1))
MARKERS = "o^sDv*Ph<>Xpd"  # Matplotlib's names


def custom_properties(scope: str = ":root") -> str:
    """Return every colour as a CSS custom property, ``var(--value-wash)``, in the scheme that the reader prefers.

    scope   the selector that the properties apply to; any other than :root also follows Jupyter's own theme
    """
    light, dark = (
        "{" + "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in scheme.items()) + "}"
        for scheme in (LIGHT, DARK)
    )
    rules = f"{scope}{light}\n@media (prefers-color-scheme:dark){{{scope}{dark}}}\n"
    if scope != ":root":
        rules += f'[data-jp-theme-light="true"] {scope}{light}\n[data-jp-theme-light="false"] {scope}{dark}\n'
    return rules
