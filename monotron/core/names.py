"""Names: what a series key and a token may be."""

import unicodedata

from monotron.core.errors import InvalidName
from monotron.limits import NAME_BYTES


def series_key(text: str) -> str:
    """Give `text` back if it can name a series; raises `InvalidName` otherwise."""
    return _name("series key", text)


def token(text: str) -> str:
    """Give `text` back if it can be a token; raises `InvalidName` otherwise."""
    return _name("token", text)


def prefix(text: str) -> str:
    """Give `text` back if a series key can start with it (the empty text too)."""
    return _name("prefix", text) if text else text


def _name(what: str, text: str) -> str:
    # Plain ASCII, the usual case: no control characters in it, and one byte a character.
    if text.isascii() and text.isprintable() and 0 < len(text) <= NAME_BYTES:
        return text
    size = len(text.encode("utf-8", errors="surrogatepass"))
    if not 1 <= size <= NAME_BYTES:
        raise InvalidName(f"a {what} has 1 to {NAME_BYTES} bytes of UTF-8, this one has {size}")
    for character in text:
        # Cc: the control characters; Cs: halves of a surrogate pair, which UTF-8 does not encode.
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise InvalidName(
                f"a {what} has no control characters, this one has U+{ord(character):04X}"
            )
    return text
