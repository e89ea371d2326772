"""Names: the rules for series keys, tokens and other names."""

import re
import unicodedata

from monotron.core.errors import InvalidName
from monotron.limits import (
    API_KEY_NAME_BYTES,
    NAME_BYTES,
    PRE_RELEASE_BYTES,
    VERSION_NAME_BYTES,
)

FOLDED_AWAY = (".", "..")
"""Segments that browsers, `fetch` and many proxies remove from a path; `..` takes the one before it
along (RFC 3986, section 5.2.4; percent-encoded too, https://url.spec.whatwg.org/#path-state). The
call would reach another series."""

INVISIBLE = frozenset("\ufeff\u200b\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""A byte order mark, two zero-width characters, and the controls that change the direction of text
(https://unicode.org/reports/tr9/#Directional_Formatting_Characters). They slip in when a name is
copied, and make two series out of names that look the same."""


def series_key(text: str, *, new: bool = True) -> str:
    """Return `text` if it can name a series; raises `InvalidName` otherwise.

    If `new` is off, names that only an earlier version allowed are accepted too: a series with such
    a name can still be read and deleted. The same goes for all the kinds of names below.
    """
    return _name("series key", text, new=new)


def token(text: str, *, new: bool = True) -> str:
    """Return `text` if it can be a token; raises `InvalidName` otherwise."""
    return _name("token", text, new=new)


def attribute(text: str, *, new: bool = True) -> str:
    """Return `text` if it can name an attribute; raises `InvalidName` otherwise."""
    return _name("attribute name", text, new=new)


def version_name(text: str, *, new: bool = True) -> str:
    """Return `text` if it can name versions; raises `InvalidName` otherwise."""
    return _name("version name", text, VERSION_NAME_BYTES, new=new)


def pre_release(text: str) -> str:
    """Return `text` if it identifies a pre-release (https://semver.org, 9); raises `InvalidName`.

    The number that follows it is not part of it.
    """
    if not is_pre_release(text):
        raise InvalidName(
            "a pre-release must be letters, digits and hyphens, in parts with a dot between them, "
            "as in rc or beta.eu; a part of digits has no leading zero; at most "
            f"{PRE_RELEASE_BYTES} bytes in all"
        )
    return text


def is_pre_release(text: str) -> bool:
    """Return whether `text` can identify a pre-release."""
    return len(text) <= PRE_RELEASE_BYTES and _PRE_RELEASE.fullmatch(text) is not None


def api_key_name(text: str, *, new: bool = True) -> str:
    """Return `text` if it can name an API key; raises `InvalidName` otherwise."""
    return _name("name of an API key", text, API_KEY_NAME_BYTES, new=new)


def prefix(text: str) -> str:
    """Return `text` if a series key can start with it; every key starts with the empty text."""
    return _name("prefix", text, new=False) if text else text


def part_of_key(text: str) -> str:
    """Return `text` if it can be a part of a series key; every key contains the empty text."""
    return _name("part of a key", text, new=False) if text else text


def label(text: str) -> str:
    """Return `text` if it can be a badge's label, which may be empty; raises `InvalidName`."""
    return _name("label", text, new=False) if text else text


def message(text: str) -> str:
    """Return `text` if it can be a badge's message; raises `InvalidName` otherwise."""
    return _name("message", text, new=False)


def _name(what: str, text: str, most: int = NAME_BYTES, *, new: bool) -> str:
    # Printable ASCII is the usual case: no control characters, and one byte per character.
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= most):
        size = len(text.encode("utf-8", errors="surrogatepass"))
        if not 1 <= size <= most:
            raise InvalidName(
                f"{_article(what)} {what} must have 1 to {most} bytes of UTF-8; this one has {size}"
            )
        for character in text:
            _check(what, character, new=new)
    if new and text in FOLDED_AWAY:
        raise InvalidName(
            f"{_article(what)} {what} cannot be {text!r}, which browsers remove from a path"
        )
    return text


def _check(what: str, character: str, *, new: bool) -> None:
    # Cc: the control characters; Cs: halves of a surrogate pair, which UTF-8 does not encode.
    if unicodedata.category(character) in ("Cc", "Cs"):
        kind = "control characters"
    elif new and character in INVISIBLE:
        kind = "invisible characters"
    else:
        return
    raise InvalidName(
        f"{_article(what)} {what} cannot have {kind}; this one has U+{ord(character):04X}"
    )


_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
PRE_RELEASE = rf"{_PART}(?:\.{_PART})*"
"""The pattern of what identifies a pre-release."""
_PRE_RELEASE = re.compile(PRE_RELEASE)


def _article(what: str) -> str:
    return "an" if what[0] in "aeiou" else "a"
