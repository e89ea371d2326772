"""A badge as an image: an SVG in shields.io's flat style, drawn here without another service.

Colors are plain, without gloss or shadow, so that the text has exactly the contrast computed here.
"""

import html
import math
import unicodedata

from monotron.core.badges import Badge, hex_color


def draw(badge: Badge) -> bytes:
    """Return the SVG of a badge, whatever characters its texts contain."""
    label, message = _characters(badge.label), _characters(badge.message)
    left = _width(label) + 2 * _PADDING if label else 0
    right = _width(message) + 2 * _PADDING
    named = html.escape(f"{label}: {message}" if label else message)
    color = hex_color(badge.color)
    if label:
        boxes = _box(0, left, _LABEL_COLOR, round_left=True)
        boxes += _box(left, right, color, round_right=True)
        texts = _text(0, left, label, _LABEL_COLOR) + _text(left, right, message, color)
    else:
        boxes = _box(0, right, color, round_left=True, round_right=True)
        texts = _text(0, right, message, color)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" '
        f'role="img" aria-label="{named}"><title>{named}</title>{boxes}'
        f'<g font-family="{_FONTS}" font-size="{_FONT_SIZE}">{texts}</g></svg>\n'
    )
    return svg.encode()


_HEIGHT = 20
_PADDING = 5
_RADIUS = 3
_BASELINE = 14
_FONT_SIZE = 11
_FONTS = "Verdana,Geneva,DejaVu Sans,sans-serif"
_LABEL_COLOR = "555555"


def _characters(text: str) -> str:
    """Return a text with only characters that XML 1.0 allows (section 2.2).

    Names have no control characters, so those need no care here.
    """
    return text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def _box(
    x: int, width: int, color: str, *, round_left: bool = False, round_right: bool = False
) -> str:
    """Draw one side of the badge; a clip path would need an id, which may not be unique."""
    left, right = _RADIUS * round_left, _RADIUS * round_right
    return (
        f'<path fill="#{color}" d="M{x + left} 0h{width - left - right}'
        f"a{right} {right} 0 0 1 {right} {right}v{_HEIGHT - 2 * right}"
        f"a{right} {right} 0 0 1-{right} {right}h-{width - left - right}"
        f"a{left} {left} 0 0 1-{left}-{left}v-{_HEIGHT - 2 * left}"
        f'a{left} {left} 0 0 1 {left}-{left}z"/>'
    )


def _text(x: int, width: int, text: str, background: str) -> str:
    """Write one side's text; `textLength` makes it as wide as its side, whatever the font."""
    place = f'x="{x + _PADDING}" y="{_BASELINE}" textLength="{width - 2 * _PADDING}"'
    color = _readable_on(background)
    return (
        # Spaces at the ends have a width too.
        f'<text xml:space="preserve" {place} lengthAdjust="spacingAndGlyphs" fill="#{color}">'
        f"{html.escape(text)}</text>"
    )


# Contrast (WCAG 2.2, "relative luminance" and "contrast ratio")


def _readable_on(background: str) -> str:
    """Return white or black, whichever contrasts more: at least 4.5 on any color."""
    luminance = _luminance(background)
    with_white, with_black = 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
    return "fff" if with_white > with_black else "000"


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[place : place + 2], 16) / 255) for place in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


# Widths


def _width(text: str) -> int:
    """Estimate the width of a text in pixels."""
    return max(1, math.ceil(sum(map(_width_of, text)) * _FONT_SIZE / 1000))


def _width_of(character: str) -> int:
    """Estimate the width of a character in thousandths of the font's size."""
    # An accent has no width of its own.
    base = unicodedata.normalize("NFD", character)[0]
    if base in _WIDTHS:
        return _WIDTHS[base]
    if unicodedata.category(base) in ("Mn", "Me", "Cf"):
        return 0
    return _WIDE if unicodedata.east_asian_width(base) in "WF" else _OTHER


_WIDE = 1_000
_OTHER = 700
"""A letter of Greek or Cyrillic, on average."""

# Verdana's; those of DejaVu Sans are nearly the same.
_WIDTHS = {
    character: width
    for width, characters in {
        270: "'il",
        350: " ,.fj",
        400: "!t",
        430: "Ir",
        455: '"()-/:;J[\\]|',
        520: "?csz",
        560: "FL",
        595: "aekvxy",
        620: "*PTY_`bdghnopqu",
        635: "0123456789$E{}",
        690: "ABCKRSVXZ",
        740: "&HNU",
        780: "DGOQ",
        820: "#+<=>^~w",
        840: "M",
        980: "@Wm",
        1_080: "%",
    }.items()
    for character in characters
}
