"""The themes, and the palette that text is drawn with.

CSS reads a theme's variables; rich text cannot, so `Palette` carries the same colours to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.color import Color
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

LEVELS = 12
"""Shades on each side of zero. More would only fill the style cache."""


@dataclass(frozen=True)
class Palette:
    """The colours of text, as rich spells them; the last two are the ends of the heat map."""

    ground: str
    raised: str
    text: str
    bright: str
    muted: str
    dim: str
    accent: str
    on_accent: str
    formula: str
    good: str
    warn: str
    bad: str
    negative: str
    positive: str
    ansi: bool = False

    def verdict(self, verdict: str) -> str:
        """The colour of a verdict; its glyph says the same without colour."""
        if verdict == "exact":
            return self.good
        if verdict in ("rounding", "unverified", "unchecked"):
            return self.muted if verdict != "rounding" else self.good
        return self.warn if verdict == "amber" else self.bad


DARK = Palette(
    ground="#16181d",
    raised="#22252c",
    text="#d7d3c8",
    bright="#ffffff",
    muted="#8a96a3",
    dim="#5f6773",
    accent="#ffb454",
    on_accent="#101010",
    formula="#8ab4d8",
    good="#8fbf7f",
    warn="#e5c07b",
    bad="#ff6b6b",
    negative="#4682c8",
    positive="#e17828",
)
LIGHT = Palette(
    ground="#fbfaf7",
    raised="#ece9e2",
    text="#33312c",
    bright="#000000",
    muted="#6b6f76",
    dim="#a3a5a8",
    accent="#b35c00",
    on_accent="#ffffff",
    formula="#1f5f99",
    good="#2f7d32",
    warn="#8a6d00",
    bad="#b3261e",
    negative="#3f7fc4",
    positive="#e0762a",
)
# Okabe and Ito's colours: told apart by every common kind of colour vision.
COLOUR_BLIND = Palette(
    ground="#16181d",
    raised="#22252c",
    text="#d9d9d9",
    bright="#ffffff",
    muted="#8f99a6",
    dim="#616974",
    accent="#f0e442",
    on_accent="#101010",
    formula="#56b4e9",
    good="#56b4e9",
    warn="#f0e442",
    bad="#e69f00",
    negative="#0072b2",
    positive="#e69f00",
)
ANSI = Palette(
    ground="default",
    raised="default",
    text="default",
    bright="default",
    muted="bright_black",
    dim="bright_black",
    accent="yellow",
    on_accent="black",
    formula="cyan",
    good="green",
    warn="yellow",
    bad="red",
    negative="blue",
    positive="yellow",
    ansi=True,
)

PALETTES: Mapping[str, Palette] = {
    "backprop-dark": DARK,
    "backprop-light": LIGHT,
    "backprop-colour-blind": COLOUR_BLIND,
    "backprop-ansi": ANSI,
}


def palette_of(theme: str, dark: bool) -> Palette:
    """The palette of a theme by name; a theme that is not ours gets the nearest of ours."""
    return PALETTES.get(theme, DARK if dark else LIGHT)


def themes() -> list[Theme]:
    """Every theme of ours, the default first."""
    return [_theme(name, palette) for name, palette in PALETTES.items()]


def _theme(name: str, palette: Palette) -> Theme:
    if palette.ansi:
        plain = BUILTIN_THEMES["ansi-dark"]
        return replace(
            plain,
            name=name,
            accent="ansi_yellow",
            variables={**plain.variables, **variables(palette)},
        )
    return Theme(
        name=name,
        primary=palette.formula,
        secondary=palette.muted,
        accent=palette.accent,
        warning=palette.warn,
        error=palette.bad,
        success=palette.good,
        foreground=palette.text,
        background=palette.ground,
        surface=palette.ground,
        panel=palette.raised,
        dark=palette is not LIGHT,
        variables={
            "block-cursor-background": palette.accent,
            "block-cursor-foreground": palette.on_accent,
            "block-cursor-text-style": "bold",
            **variables(palette),
        },
    )


def variables(palette: Palette) -> dict[str, str]:
    """The CSS variables that our themes define; Textual's own take them as defaults."""
    if palette.ansi:
        return {
            "frame": "ansi_bright_black",
            "muted": "ansi_bright_black",
            "raised": "ansi_default",
        }
    return {
        "frame": "#c9c5bc" if palette is LIGHT else "#3a3f4a",
        "muted": palette.muted,
        "raised": palette.raised,
    }


@lru_cache(maxsize=4096)
def heat(level: int, palette: Palette) -> Style:
    """The style of a heat map's cell; `level` runs from -LEVELS (negative) to LEVELS."""
    end = palette.positive if level > 0 else palette.negative
    if palette.ansi:
        if abs(level) * 2 > LEVELS:
            return Style(color="black" if level > 0 else "white", bgcolor=end)
        return Style(color=end if level else None)
    strength = abs(level) / LEVELS * 0.75
    ground, far = Color.parse(palette.ground).get_truecolor(), Color.parse(end).get_truecolor()
    shade = [round(a + (b - a) * strength) for a, b in zip(ground, far, strict=True)]
    luminance = (0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2]) / 255
    ink = "#101010" if luminance > 0.49 else "#f2f0ea"
    return Style(color=ink, bgcolor=Color.from_rgb(*shade).name)
