"""UUIDs, in the forms that Go's `uuid.Parse` accepts (github.com/google/uuid)."""

import re

from monotron.core.errors import InvalidName

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_HYPHENS = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DIGIT = re.compile("[0-9a-f{}-]", re.IGNORECASE | re.ASCII)
_FORMS = re.compile(
    rf"(?:urn:uuid:)?({_HYPHENS})|\{{({_HYPHENS})\}}|([0-9a-f]{{32}})", re.IGNORECASE | re.ASCII
)


def resembles(text: str) -> bool:
    """Return whether the text may be meant as a UUID, which has at least 32 hex digits."""
    if _CANONICAL.fullmatch(text):
        return True
    return text.lower().startswith("urn:uuid:") or len(_DIGIT.findall(text)) >= 32


def canonical(text: str) -> str:
    """Return the canonical text of a UUID: lower case, with hyphens (RFC 9562, section 4).

    It accepts 36 characters with hyphens, the same in braces or after `urn:uuid:`, and 32 hex
    digits, in upper or lower case. Raises `InvalidName` for anything else.
    """
    if _CANONICAL.fullmatch(text):
        return text
    match = _FORMS.fullmatch(text)
    if match is None:
        raise InvalidName(
            "a UUID must be 32 hex digits: with hyphens (8-4-4-4-12), the same in braces or after "
            "urn:uuid:, or without hyphens"
        )
    digits = (match[1] or match[2] or match[3]).replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
