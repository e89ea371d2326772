"""Badges: their texts, and how they are drawn."""

import itertools
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.api.badge_image import draw
from monotron.core import badges, semver, series
from monotron.core.badges import COLORS, Badge
from monotron.core.bumps import MINOR, PATCH
from monotron.core.errors import InvalidName
from monotron.store.contract import Store, Transaction
from tests.support.calls import call_in

SVG = "{http://www.w3.org/2000/svg}"
GREY = "555555"
"""The label's background."""

names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
"""Texts that can be a key, a label or a message."""

HOSTILE = [
    "<script>alert(1)</script>",
    '"/><script/>',
    "' onload='alert(1)",
    "</title></svg>",
    "<![CDATA[x]]>",
    "]]>",
    "<!--",
    "<?xml?>",
    "&amp;&lt;&#0;&x;",
    "\ufffe\uffff",
    "\U0001fffe\U0010ffff",
    "\u2028\u2029\u202e\ufeff",
    "\ue000\u00ad\u0301",
    "  blanks  ",
]


def wanted(**parts: str) -> badges.Wanted:
    return badges.wanted(parts)


def of(store: Store, name: str, account: int = 1, **parts: str) -> Badge | None:
    return store.view(lambda reading: badges.get(reading, account, name, wanted(**parts)))


@pytest.fixture
def filled(any_store: Store) -> Store:
    """A store with a series at 42 and a version of the same name."""

    def fill(txn: Transaction) -> None:
        series.advance(txn, call_in(1, now=1), "shop", count=42)
        semver.bump(txn, call_in(1, now=1), "shop", MINOR, "a")
        semver.bump(txn, call_in(1, now=1), "shop", PATCH, "a")

    any_store.update(fill)
    return any_store


# What it says


def test_a_badge_says_the_name_and_the_value(filled: Store) -> None:
    assert of(filled, "shop") == Badge("shop", "42", "blue")
    assert of(filled, "shop", show="value") == Badge("shop", "42", "blue")


def test_a_badge_says_the_version_that_is_asked_for(filled: Store) -> None:
    assert of(filled, "shop", show="version") == Badge("shop", "0.1.1", "blue")


def test_there_is_no_badge_before_the_first_value_or_version(filled: Store) -> None:
    assert of(filled, "till") is None
    assert of(filled, "shop", account=7) is None
    assert of(filled, "shop-minor-v0", show="version") is None
    assert of(filled, "shop-minor-v0") == Badge("shop-minor-v0", "1", "blue")


def test_label_message_and_color_are_those_that_are_asked_for(filled: Store) -> None:
    badge = of(filled, "shop", label="build", message="no. {value} ({value})", color="green")
    assert badge == Badge("build", "no. 42 (42)", "green")
    version = of(filled, "shop", show="version", message="v{value}", color="FF69b4")
    assert version == Badge("shop", "v0.1.1", "ff69b4")
    assert of(filled, "shop", label="", message="ok") == Badge("", "ok", "blue")


def test_what_is_in_a_name_or_a_label_stands_for_nothing_else(filled: Store) -> None:
    filled.update(lambda txn: series.advance(txn, call_in(1, now=1), "{value}"))
    assert of(filled, "{value}") == Badge("{value}", "1", "blue")
    assert of(filled, "shop", label="{value}", message="{ value }{}{0}%s") == Badge(
        "{value}", "{ value }{}{0}%s", "blue"
    )


@pytest.mark.parametrize("color", [*COLORS, "000", "fff", "1aF", "0123ab", "ABCDEF"])
def test_a_color_is_a_name_or_hex_digits_in_any_case(color: str) -> None:
    assert wanted(color=color).color == color.lower()
    assert wanted(color=color.upper()).color == color.lower()


@pytest.mark.parametrize(
    "color",
    [
        "",
        "pink",
        "#fff",
        "ff",
        "ffff",
        "fffff",
        "fffffff",
        "ffffffff",
        "ggg",
        "blue ",
        "12 ",
        "fff\n",
        "\u0661\u0662\u0663",
        "\ufb00f",
        "url(x)",
        "rgb(0,0,0)",
        '"',
    ],
)
def test_any_other_color_is_refused_and_the_refusal_names_all(color: str) -> None:
    with pytest.raises(InvalidName, match="3 or 6 hex digits") as refused:
        wanted(color=color)
    assert all(name in str(refused.value) for name in COLORS)


@pytest.mark.parametrize("show", ["", "Value", "token", "version ", "value,version"])
def test_nothing_else_can_be_shown(show: str) -> None:
    with pytest.raises(InvalidName, match="value or version"):
        wanted(show=show)


@pytest.mark.parametrize("text", ["a" * 257, "é" * 129, "a\n", "\0", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("what", ["label", "message"])
def test_a_text_has_at_most_256_bytes_and_no_control_characters(what: str, text: str) -> None:
    with pytest.raises(InvalidName, match=what):
        wanted(**{what: text})


def test_a_text_of_256_bytes_fits_and_a_message_is_not_empty() -> None:
    assert wanted(label="é" * 128, message="a" * 256).label == "é" * 128
    with pytest.raises(InvalidName, match="message"):
        wanted(message="")


def test_only_what_can_be_a_name_has_a_badge(filled: Store) -> None:
    for name in ("", "a\n", "a" * 257):
        with pytest.raises(InvalidName):
            of(filled, name)
    assert of(filled, "a" * 210) is None
    with pytest.raises(InvalidName, match="209"):
        of(filled, "a" * 210, show="version")


# How it is drawn


def drawn(label: str, message: str, color: str = "blue") -> ET.Element:
    """Return the image, after checking that it is well-formed XML."""
    return ET.fromstring(draw(Badge(label, message, color)).decode("utf-8"))


def texts(image: ET.Element) -> list[ET.Element]:
    return list(image.iter(f"{SVG}text"))


def allowed(text: str) -> str:
    return text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def assert_says(image: ET.Element, label: str, message: str) -> None:
    """Show that the image has these texts, and no elements but those of a badge."""
    sides = [allowed(side) for side in (label, message) if side]
    assert [each.text for each in texts(image)] == sides
    assert image.attrib["role"] == "img"
    assert image.attrib["aria-label"] == ": ".join(sides)
    assert image.findtext(f"{SVG}title") == ": ".join(sides)
    kinds = [each.tag.removeprefix(SVG) for each in image.iter()]
    boxes, lines = ["path"] * len(sides), ["text"] * len(sides)
    assert kinds == ["svg", "title", *boxes, "g", *lines]
    assert {name for each in image.iter() for name in each.attrib if name.startswith("on")} == set()


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_anything_but_text(text: str) -> None:
    assert_says(drawn(text, text), text, text)
    assert_says(drawn("", text), "", text)


@given(label=st.one_of(st.just(""), names), message=names)
def test_whatever_it_says_is_well_formed(label: str, message: str) -> None:
    assert_says(drawn(label, message), label, message)


@given(label=st.one_of(st.just(""), names), message=names)
def test_each_text_stands_within_its_side(label: str, message: str) -> None:
    image = drawn(label, message)
    end = 0
    for text in texts(image):
        place, length = int(text.attrib["x"]), int(text.attrib["textLength"])
        assert place == end + 5
        assert length >= 1
        end = place + length + 5
    assert image.attrib["width"] == str(end)
    assert image.attrib["height"] == "20"


def length(text: str) -> int:
    return int(texts(drawn("", text))[0].attrib["textLength"])


def test_a_text_gets_the_room_that_it_needs() -> None:
    assert length("shop") == 27
    assert length("0123456789") == 70
    assert length("iiii") < length("aaaa") < length("WWWW")
    assert length("版本") == length("한국") == 22
    assert length("é") == length("e") == length("e\u0301")
    assert length("e\u200d") == length("e")
    assert length("\u0301") == 1
    for shorter, longer in itertools.pairwise(["a" * count for count in range(1, 256)]):
        assert length(shorter) < length(longer)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    total = 0.0
    for weight, place in ((0.2126, 0), (0.7152, 2), (0.0722, 4)):
        part = int(color[place : place + 2], 16) / 255
        linear = part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        total += weight * linear
    return total


def colors(image: ET.Element) -> list[tuple[str, str]]:
    """Return the background of each text, and its own color."""
    grounds = [each.attrib["fill"].removeprefix("#") for each in image.iter(f"{SVG}path")]
    inks = [each.attrib["fill"].removeprefix("#") * 2 for each in texts(image)]
    return list(zip(grounds, inks, strict=True))


def assert_readable(color: str) -> None:
    label, message = colors(drawn("label", "message", color))
    assert label[0] == GREY
    for ground, ink in (label, message):
        assert contrast(ground, ink) >= 4.5


@pytest.mark.parametrize("color", COLORS)
def test_text_can_be_read_on_every_named_color(color: str) -> None:
    assert_readable(color)


@given(st.text("0123456789abcdef", min_size=6, max_size=6))
def test_text_can_be_read_on_every_color(color: str) -> None:
    assert_readable(color)


def test_text_on_blue_is_white_as_on_the_label() -> None:
    assert [ink for _, ink in colors(drawn("label", "message", "blue"))] == ["ffffff"] * 2


def test_a_color_is_drawn_as_it_is_named() -> None:
    for color, digits in {"red": "e05d44", "f0a": "ff00aa", "123abc": "123abc"}.items():
        assert colors(drawn("", "x", color))[0][0] == digits
