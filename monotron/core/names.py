"""Names: what a series key and a token may be."""

import unicodedata

from monotron.core.errors import InvalidName
from monotron.limits import NAME_BYTES, VERSION_NAME_BYTES


def series_key(text: str) -> str:
    """Give `text` back if it can name a series; raises `InvalidName` otherwise."""
    return _name("series key", text)


def token(text: str) -> str:
    """Give `text` back if it can be a token; raises `InvalidName` otherwise."""
    return _name("token", text)


def attribute(text: str) -> str:
    """Give `text` back if it can name an attribute; raises `InvalidName` otherwise."""
    return _name("attribute name", text)


def version_name(text: str) -> str:
    """Give `text` back if versions can be made under it; raises `InvalidName` otherwise."""
    return _name("version name", text, VERSION_NAME_BYTES)


def prefix(text: str) -> str:
    """Give `text` back if a series key can start with it (the empty text too)."""
    return _name("prefix", text) if text else text


def label(text: str) -> str:
    """Give `text` back if a badge can have it as its label (the empty text too)."""
    return _name("label", text) if text else text


def message(text: str) -> str:
    """Give `text` back if a badge can say it; raises `InvalidName` otherwise."""
    return _name("message", text)


def _name(what: str, text: str, most: int = NAME_BYTES) -> str:
    # Plain ASCII, the usual case: no control characters in it, and one byte a character.
    if text.isascii() and text.isprintable() and 0 < len(text) <= most:
        return text
    size = len(text.encode("utf-8", errors="surrogatepass"))
    if not 1 <= size <= most:
        raise InvalidName(
            f"{_article(what)} {what} has 1 to {most} bytes of UTF-8, this one has {size}"
        )
    for character in text:
        # Cc: the control characters; Cs: halves of a surrogate pair, which UTF-8 does not encode.
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise InvalidName(
                f"{_article(what)} {what} has no control characters, "
                f"this one has U+{ord(character):04X}"
            )
    return text


def _article(what: str) -> str:
    return "an" if what[0] in "aeiou" else "a"
