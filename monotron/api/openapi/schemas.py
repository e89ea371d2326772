"""Schemas that several nouns share, and functions that make schemas; each has examples."""

import re
from collections.abc import Iterable

from monotron.api.openapi.components import Component, Object, schema
from monotron.core import names
from monotron.limits import LAST_VALUE, NAME_BYTES, PAGE_ROWS

HEX = "[0-9a-fA-F]"

TIME: Object = {"type": "string", "format": "date-time"}

A_TIME = "2026-11-22T23:38:51.123456Z"
"""The time in examples."""


def name(of: str, *examples: str, most: int = NAME_BYTES, new: bool = True) -> Component:
    """Return the schema of a name; if `new` is off, including names of earlier versions."""
    without = "control characters"
    if new:
        without += ", without invisible ones that slip in when copying, and neither `.` nor `..`"
    body = text(most, _NEW_NAME if new else f"^{_NO_CONTROL}+$") | {
        "minLength": 1,
        "description": f"1 to {most} bytes of UTF-8, without {without}.",
    }
    return schema(of, body, *examples)


def text(most: int, pattern: str = "") -> Object:
    """Describe a text of at most `most` bytes.

    JSON Schema counts characters, each of which has at least one byte. The format says the rest.
    """
    body: Object = {"type": "string", "maxLength": most, "format": f"utf8-{most}-bytes"}
    return body | ({"pattern": pattern} if pattern else {})


def integer(least: int, most: int) -> Object:
    """Describe a whole number."""
    return {"type": "integer", "format": "int64", "minimum": least, "maximum": most}


def members(of: Object, *, optional: Iterable[str] = ()) -> Object:
    """Describe an object with these members; later versions may add others."""
    return {
        "type": "object",
        "properties": of,
        "required": [each for each in of if each not in optional],
    }


def list_of(items: Component, most: int) -> Object:
    """Describe a list of at most `most` items."""
    return {"type": "array", "items": items, "maxItems": most}


def page(
    of: str,
    rows: str,
    items: Component,
    after: Component,
    *examples: Object,
    more: Object | None = None,
) -> Component:
    """Return the schema of a page of a list, with a page for each example of a row.

    `after` is the schema of the key or number that the next page continues after; `more` has the
    members that only some pages have.
    """
    following: Object = or_null(after) | {"description": "Null on the last page."}
    optional = more or {}
    body = members(
        {rows: list_of(items, PAGE_ROWS), "next": following, **optional}, optional=optional
    )
    return schema(of, body, *({rows: [each], "next": None} for each in examples))


def or_null(of: Component) -> Object:
    """Describe a value that may be null."""
    return {"anyOf": [of, {"type": "null"}]}


def any_case(word: str) -> str:
    """Return the pattern of a word in upper or lower case; JSON Schema has no flag for it."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word)


_NO_CONTROL = r"[^\u0000-\u001f\u007f-\u009f]"
_HIDDEN = "".join(f"\\u{ord(character):04x}" for character in sorted(names.INVISIBLE))
_FOLDED = "|".join(map(re.escape, names.FOLDED_AWAY))
_NEW_NAME = rf"^(?!(?:{_FOLDED})$)[^\u0000-\u001f\u007f-\u009f{_HIDDEN}]+$"

NAME = name("Name", "shop", "feature/login")
TOKEN = name("Token", "7d4c379588")
STORED_NAME = name("StoredName", "shop", new=False)
STORED_TOKEN = name("StoredToken", "7d4c379588", new=False)
NAME_OR_NOTHING = schema(
    "NameOrNothing",
    text(NAME_BYTES, f"^{_NO_CONTROL}*$")
    | {"description": f"At most {NAME_BYTES} bytes of UTF-8, without control characters."},
    "shop/",
)

VALUE = schema("Value", integer(1, LAST_VALUE), 7)
BOUND = schema("Bound", integer(0, LAST_VALUE), 7)
ACCOUNT_ID = schema("AccountId", integer(0, LAST_VALUE), 1)
PLAIN_NUMBER = schema(
    "PlainNumber", {"type": "string", "pattern": r"^0*[1-9][0-9]{0,18}\n$"}, "7\n", "000007\n"
)
