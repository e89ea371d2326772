"""What a name may be."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monotron.core import names
from monotron.core.errors import InvalidName

KINDS = [names.series_key, names.token, names.prefix]

any_kind = pytest.mark.parametrize("name", KINDS)


@any_kind
@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        "/",
        "feature/login",
        "..",
        "%2F",
        "a b",
        '"quoted"',
        "\\",
        "é",
        "日本語",
        "😀",
        "\u00a0",
        "\u200b",
        "\u2028",
        "\ufeff",
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
    with pytest.raises(InvalidName, match=f"256 bytes of UTF-8, this one has {len(text.encode())}"):
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


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300))
def test_a_name_is_taken_exactly_where_the_rule_allows_it(text: str) -> None:
    control = any(unicodedata.category(character) == "Cc" for character in text)
    allowed = 1 <= len(text.encode()) <= 256 and not control
    if allowed:
        assert names.series_key(text) == text
    else:
        with pytest.raises(InvalidName):
            names.series_key(text)


@pytest.mark.parametrize(
    ("name", "what"), [(names.series_key, "series key"), (names.token, "token")]
)
def test_a_refusal_says_which_name_it_is_about(name: Callable[[str], str], what: str) -> None:
    with pytest.raises(InvalidName, match=f"a {what} "):
        name("\n")
