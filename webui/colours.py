"""A site's colour made legible: shades of it with the contrast that WCAG 2.1 asks for. Pure."""

from dataclasses import dataclass

TEXT_CONTRAST = 4.5
"""WCAG 2.1, 1.4.3: of text against what lies behind it."""

_LIGHT_PAGE = (237, 241, 247)
_DARK_PAGE = (32, 42, 55)
"""The worst surfaces of the two themes: what is legible on them is so on the others."""
_OURS = ":root:root:root"
"""Outweighs the rules of the stylesheets that it changes."""

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Shades:
    """`ground` behind `ink`; `hover` the same under the pointer; `text` of links. All as `#rrggbb`."""

    text: str
    ground: str
    hover: str
    ink: str


def of(text: str) -> Colour:
    """`#rrggbb` as numbers."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.1: the ratio of two colours' luminance, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def shades(colour: str, is_dark: bool) -> Shades:
    """A colour's shades for the light page or the dark one."""
    ground = of(colour)
    ink = max((_WHITE, _BLACK), key=lambda candidate: contrast(ground, candidate))
    away = _WHITE if ink == _BLACK else _BLACK
    return Shades(
        _text(legible(ground, _DARK_PAGE if is_dark else _LIGHT_PAGE)),
        _text(ground),
        _text(_mixed(ground, away, 0.12)),
        _text(ink),
    )


def legible(colour: Colour, behind: Colour) -> Colour:
    """The colour, or the nearest mix of it with white or black that text can have on what lies behind."""
    toward = _BLACK if _luminance(behind) > 0.18 else _WHITE
    for step in range(21):
        mixed = _mixed(colour, toward, step / 20)
        if contrast(mixed, behind) >= TEXT_CONTRAST:
            return mixed
    return toward


def stylesheet(colour: str) -> str:
    """The stylesheet that gives the page its site's colour; empty for none."""
    if not colour:
        return ""
    light, dark = _rules(shades(colour, False)), _rules(shades(colour, True))
    return f"{_OURS} {{{light}}}\n@media (prefers-color-scheme: dark) {{ {_OURS} {{{dark}}} }}\n"


def _rules(made: Shades) -> str:
    brand = f"--brand: {made.ground}; --on-brand: {made.ink}; "
    values = {
        "primary": made.text,
        "primary-hover": made.text,
        "primary-background": made.ground,
        "primary-border": made.ground,
        "primary-hover-background": made.hover,
        "primary-hover-border": made.hover,
        "primary-inverse": made.ink,
        "primary-underline": f"{made.text}80",
        "primary-hover-underline": made.text,
        "primary-focus": f"{made.text}60",
    }
    return brand + " ".join(f"--pico-{name}: {value};" for name, value in values.items())


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _text(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
