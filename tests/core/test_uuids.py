"""The forms of a UUID."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core import uuids
from monotron.core.errors import InvalidName

CANONICAL = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
DIGITS = CANONICAL.replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        CANONICAL,
        DIGITS,
        "{" + CANONICAL + "}",
        "urn:uuid:" + CANONICAL,
        CANONICAL.upper(),
        DIGITS.upper(),
        "{" + CANONICAL.upper() + "}",
        "URN:UUID:" + CANONICAL.upper(),
        "Urn:Uuid:" + CANONICAL,
        "6BA7b810-9dad-11D1-80B4-00c04fd430C8",
    ],
)
def test_every_form_names_the_same_uuid(text: str) -> None:
    assert uuids.canonical(text) == CANONICAL


@given(st.uuids())
def test_every_uuid_has_its_canonical_text(value: uuid.UUID) -> None:
    for text in (str(value), value.hex, value.urn, f"{{{value}}}", str(value).upper()):
        assert uuids.canonical(text) == str(value)


@pytest.mark.parametrize("text", ["0" * 32, "f" * 32, "00000000-0000-0000-0000-000000000000"])
def test_a_uuid_needs_no_version(text: str) -> None:
    assert uuids.canonical(text) == str(uuid.UUID(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "livez",
        CANONICAL[:-1],
        CANONICAL + "0",
        DIGITS[:-1],
        DIGITS + "0",
        CANONICAL.replace("b", "g"),
        CANONICAL.replace("-", "_"),
        CANONICAL.replace("-", "", 1),
        CANONICAL.replace("-", "--", 1),
        "6ba7b8-109dad-11d1-80b4-00c04fd430c8",
        "6ba7b8109dad-11d1-80b4-00c04fd430c8-",
        "{" + CANONICAL,
        CANONICAL + "}",
        "(" + CANONICAL + ")",
        "[" + CANONICAL + "]",
        "{{" + CANONICAL + "}}",
        "{" + DIGITS + "}",
        "{urn:uuid:" + CANONICAL + "}",
        "urn:uuid:{" + CANONICAL + "}",
        "urn:uuid:" + DIGITS,
        "urn:" + CANONICAL,
        "uuid:" + CANONICAL,
        "urn:uuid: " + CANONICAL,
        "urn-uuid-" + CANONICAL,
        " " + CANONICAL,
        CANONICAL + " ",
        CANONICAL + "\n",
        DIGITS + "\n",
        "0x" + DIGITS,
        "+" + DIGITS[1:],
        CANONICAL.replace("6", "\uff16"),
        CANONICAL.replace("1", "\u0661"),
        "urn:uu\u0131d:" + CANONICAL,
        "urn:uu\u0130d:" + CANONICAL,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="a UUID must be 32 hex digits"):
        uuids.canonical(text)


@given(st.text("0123456789abcdefABCDEF-{}urnid: \n", max_size=48))
def test_what_is_taken_is_one_of_the_forms(text: str) -> None:
    try:
        canonical = uuids.canonical(text)
    except InvalidName:
        return
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", canonical)
    digits = canonical.replace("-", "")
    assert text.lower() in (canonical, digits, f"{{{canonical}}}", f"urn:uuid:{canonical}")
