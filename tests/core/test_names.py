"""What a name may be."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.core import names
from monotron.core.errors import InvalidName
from tests.support.web import REFUSED_NAMES

KINDS = [names.series_key, names.token, names.attribute, names.prefix]

any_kind = pytest.mark.parametrize("name", KINDS)


@any_kind
@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        "/",
        "feature/login",
        "...",
        "..a",
        ". ",
        "%2F",
        "a b",
        '"quoted"',
        "\\",
        "é",
        "日本語",
        "😀",
        "\u00a0",
        "\u200c",
        "\u200d",
        "\u2028",
        "\uffff",
        "\U0010ffff",
    ],
)
def test_a_name_is_given_back_as_it_is(name: Callable[[str], str], text: str) -> None:
    assert name(text) == text


@any_kind
@pytest.mark.parametrize("text", ["a" * 256, "é" * 128, "😀" * 64, "語" * 85 + "a"])
def test_a_name_has_up_to_256_bytes(name: Callable[[str], str], text: str) -> None:
    assert len(text.encode()) == 256
    assert name(text) == text


@any_kind
@pytest.mark.parametrize("text", ["a" * 257, "é" * 128 + "a", "😀" * 64 + "a", "a" * 100_000])
def test_a_longer_name_is_refused(name: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidName, match=f"256 bytes of UTF-8; this one has {len(text.encode())}"):
        name(text)


@pytest.mark.parametrize("name", [names.series_key, names.token])
def test_an_empty_name_is_refused(name: Callable[[str], str]) -> None:
    with pytest.raises(InvalidName, match="1 to 256 bytes"):
        name("")


def test_a_prefix_may_be_empty() -> None:
    assert names.prefix("") == ""


@pytest.mark.parametrize(
    "code", [*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDBFF, 0xDC00, 0xDC80, 0xDFFF]
)
def test_control_characters_and_surrogates_are_refused(code: int) -> None:
    for name in KINDS:
        for text in ("{}", "a{}", "{}a", "é{}é"):
            with pytest.raises(InvalidName, match=f"U\\+{code:04X}"):
                name(text.format(chr(code)))


@pytest.mark.parametrize("name", [names.series_key, names.token, names.attribute])
@pytest.mark.parametrize("text", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_a_name_that_is_folded_away_or_looks_like_another_is_refused_unless_it_is_stored(
    name: Callable[..., str], text: str
) -> None:
    with pytest.raises(InvalidName, match=r"U\+[0-9A-F]{4}|browsers remove from a path"):
        name(text)
    assert name(text, new=False) == text


def test_a_version_name_is_held_to_the_same_rules() -> None:
    for text in REFUSED_NAMES.values():
        with pytest.raises(InvalidName):
            names.version_name(text)
        assert names.version_name(text, new=False) == text


@pytest.mark.parametrize("name", [names.prefix, names.label, names.message])
@pytest.mark.parametrize("text", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_what_names_nothing_may_look_like_that(name: Callable[[str], str], text: str) -> None:
    assert name(text) == text


def test_two_unicode_forms_of_a_letter_are_two_names() -> None:
    composed, decomposed = (unicodedata.normalize(form, "M\u00fcller") for form in ("NFC", "NFD"))
    assert names.series_key(composed) != names.series_key(decomposed)


any_text = st.text(max_size=300) | st.text(st.sampled_from("a.\u200b\u202e\0\ufeffü"), max_size=9)


@settings(max_examples=200)
@given(any_text)
def test_a_name_is_taken_exactly_where_the_rule_allows_it(text: str) -> None:
    control = any(unicodedata.category(character) == "Cc" for character in text)
    hidden = re.search("[\ufeff\u200b\u2060\u202a-\u202e\u2066-\u2069]", text)
    fits = 1 <= len(text.encode()) <= 256 and not control
    for new, allowed in ((True, fits and not hidden and text not in (".", "..")), (False, fits)):
        if allowed:
            assert names.series_key(text, new=new) == text
        else:
            with pytest.raises(InvalidName):
                names.series_key(text, new=new)


@pytest.mark.parametrize(
    ("name", "what"), [(names.series_key, "series key"), (names.token, "token")]
)
def test_a_refusal_says_which_name_it_is_about(name: Callable[[str], str], what: str) -> None:
    with pytest.raises(InvalidName, match=f"a {what} "):
        name("\n")
