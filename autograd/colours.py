"""The colours of drawings, plots and pages: Okabe & Ito's, which stay apart for colour-blind eyes, in light and dark.

A shape, a dash or a width always says the same as a colour.
"""

OKABE_ITO = {
    "blue": "#0072B2", "vermilion": "#D55E00", "green": "#009E73",
    "pink": "#CC79A7", "orange": "#E69F00", "sky": "#56B4E9",
}  # fmt: skip
GREY = "#666666"
CLASSES = [  # of a data set's examples, on a page: dark enough for thin lines on white, light enough on black
    (OKABE_ITO["blue"], OKABE_ITO["sky"]), (OKABE_ITO["vermilion"], "#E8762B"), ("#007A59", "#3CC9A1"),
    ("#B0568A", "#D990BD"), ("#2B91C4", "#8FD0F5"), ("#A87300", "#E6B34D"), (GREY, "#B7BDC7"), ("#8A7D00", "#F0E442"),
]  # fmt: skip
COLOURS = {  # in light and in dark
    "canvas": ("#FFFFFF", "#15181D"), "panel": ("#F5F6F8", "#1F2329"), "box": ("#F5F6F8", "#24282F"),
    "ink": ("#1B1B1B", "#F1F3F5"), "muted": ("#555B66", "#B7BDC7"),
    "line": ("#6B7280", "#9AA2AE"), "rule": ("#C9CDD4", "#454B55"), "faint": ("#B9BEC7", "#565D69"),
    "blue": CLASSES[0], "blue_fill": ("#E8F3FA", "#10293A"),
    "vermilion": CLASSES[1], "vermilion_ink": ("#A84300", "#F5A35C"),
    "green": (OKABE_ITO["green"],) * 2, "green_fill": ("#E6F4F0", "#0D2E26"), "green_ink": ("#00694D", "#3CC9A1"),
    "orange": (OKABE_ITO["orange"],) * 2, "orange_fill": ("#FDF4DF", "#36290A"),
    "orange_ink": ("#8A5A00", OKABE_ITO["orange"]),
    **{f"class_{k}": pair for k, pair in enumerate(CLASSES)},
}  # fmt: skip
LIGHT, DARK = ({name: pair[i] for name, pair in COLOURS.items()} for i in (0, 1))


def custom_properties() -> str:
    """Every colour as a custom property of CSS, ``var(--blue-fill)``, in the scheme that the reader prefers."""
    light, dark = (
        ":root{" + "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in scheme.items()) + "}"
        for scheme in (LIGHT, DARK)
    )
    return f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"
