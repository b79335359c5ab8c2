"""How pictures look, on light and on dark ground.

The light colours stand in plain rules and the dark ones in a media query, so that a program that knows no media
queries shows the light picture. Each picture brings its own ground: a notebook that is light in a system that is dark
shows it dark, and readable. Selectors begin with the picture's class, for an SVG inside a page shares its rules.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLASS", "FONTS", "css_declarations", "ink_on", "sheet"]

CLASS = "agentgraph"
FONTS = "'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif"

LIGHT: Mapping[str, str] = {
    ".ground": "fill:#ffffff",
    "text": "fill:#1c2630",
    ".row,.label": "fill:#45515e",
    ".shape": "fill:#f1f4f8;stroke:#7d8b9b",
    ".note": "fill:#fff8dc;stroke:#d3c27c",
    ".link": "stroke:#5b6876",
    ".head": "fill:#5b6876",
    ".dot": "fill:#1c2630;stroke:#1c2630",
    ".ring": "fill:#ffffff;stroke:#1c2630",
    ".quiet .shape": "fill:#ffffff;stroke:#a9b4c0",
    ".quiet .link": "stroke:#a9b4c0",
    ".quiet .head": "fill:#a9b4c0",
    ".good .shape": "fill:#e3f4e6;stroke:#3e8e50",
    ".busy .shape": "fill:#e1eefb;stroke:#2f77b8",
    ".again .shape": "fill:#efe6fb;stroke:#7d55b5",
    ".waiting .shape": "fill:#fff0cc;stroke:#b57d08",
    ".bad .shape": "fill:#fde4e1;stroke:#c0392b",
}

DARK: Mapping[str, str] = {
    ".ground": "fill:#14191f",
    "text": "fill:#e8edf2",
    ".row,.label": "fill:#b4bfca",
    ".shape": "fill:#242d37;stroke:#6d7b8a",
    ".note": "fill:#39331c;stroke:#81743c",
    ".link": "stroke:#94a2b0",
    ".head": "fill:#94a2b0",
    ".dot": "fill:#e8edf2;stroke:#e8edf2",
    ".ring": "fill:#14191f;stroke:#e8edf2",
    ".quiet .shape": "fill:#14191f;stroke:#4a5663",
    ".quiet .link": "stroke:#4a5663",
    ".quiet .head": "fill:#4a5663",
    ".good .shape": "fill:#173021;stroke:#58ad6d",
    ".busy .shape": "fill:#152c42;stroke:#5aa2e0",
    ".again .shape": "fill:#2d2140;stroke:#a483d6",
    ".waiting .shape": "fill:#3b2e0e;stroke:#d6a53a",
    ".bad .shape": "fill:#421c19;stroke:#e5776a",
}

SHARED: Mapping[str, str] = {
    "text": f"font-family:{FONTS}",
    ".title": "font-size:15px;font-weight:bold",
    ".name": "font-size:13px",
    ".row,.label,.remark": "font-size:11px",
    ".shape,.note": "stroke-width:1.2",
    ".link": "fill:none;stroke-width:1.4",
    ".tie": "stroke-dasharray:3 3",
    ".quiet .shape,.quiet .link": "stroke-dasharray:5 4",
}


def sheet() -> str:
    """The rules."""
    dark = "".join(_rules(DARK))
    return "".join([*_rules(SHARED), *_rules(LIGHT), f"@media (prefers-color-scheme:dark){{{dark}}}"])


def _rules(rules: Mapping[str, str]) -> list[str]:
    return [
        ",".join(f".{CLASS} {each}" for each in selector.split(",")) + f"{{{declarations}}}"
        for selector, declarations in rules.items()
    ]


def css_declarations(css: str) -> dict[str, str]:
    """Declarations as Mermaid takes them, between commas, or as CSS has them."""
    found: dict[str, str] = {}
    for declaration in _split(css):
        name, colon, value = declaration.partition(":")
        if colon:
            found[name.strip()] = value.strip()
    return found


def _split(css: str) -> list[str]:
    parts, depth = [""], 0
    for letter in css:
        depth += (letter == "(") - (letter == ")")
        if letter == ";" or (letter == "," and depth == 0):
            parts.append("")
        else:
            parts[-1] += letter
    return parts


BRIGHT = 0.45
DARK_INK, LIGHT_INK = "#1c2630", "#e8edf2"


def ink_on(fill: str) -> str:
    """The colour of text on a shape filled with a colour of the user's, which is the same on light and dark ground."""
    digits = fill.removeprefix("#")
    if len(digits) == len("rgb"):
        digits = "".join(2 * digit for digit in digits)
    try:
        red, green, blue = (int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
    except ValueError:
        return DARK_INK
    return DARK_INK if 0.3 * red + 0.59 * green + 0.11 * blue > BRIGHT else LIGHT_INK
