"""Scopes: the permissions of an API key, `OPERATIONS:RESOURCE`, such as `read,write:series`."""

from collections.abc import Iterable
from enum import Enum

from monotron.core.errors import InvalidScope
from monotron.limits import SCOPES


class Operation(Enum):
    """An operation on a resource."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"


class ScopeResource(Enum):
    """The resource that an operation acts on."""

    SERIES = "series"
    """Series with their history and attributes, and semantic versions."""
    ACL = "acl"
    """API keys."""
    ACCOUNT = "account"
    SYSTEM = "system"


def parse(texts: Iterable[object]) -> tuple[str, ...]:
    """Return each scope in its canonical spelling; raises `InvalidScope`.

    Upper case and blanks around words are accepted, as in the older series service.
    """
    scopes = tuple(_parse(text) for text in texts)
    if len(scopes) > SCOPES:
        raise InvalidScope(f"an API key can have at most {SCOPES} scopes, not {len(scopes)}")
    return scopes


def allow(scopes: Iterable[str], operation: Operation, resource: ScopeResource) -> bool:
    """Return whether one of the scopes allows an operation on a resource."""
    for scope in scopes:
        operations, _, name = scope.partition(":")
        if name == resource.value and (
            operations == "*" or operation.value in operations.split(",")
        ):
            return True
    return False


def _parse(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidScope("a scope must be a string, for example read,write:series")
    operations, colon, resource = text.strip().lower().partition(":")
    words = [word.strip() for word in operations.split(",")]
    if not colon:
        raise InvalidScope(f"invalid scope {text[:80]!r}: expected for example read,write:series")
    if resource.strip() not in _RESOURCES:
        raise InvalidScope(
            f"invalid scope {text[:80]!r}: after the colon, expected one of {', '.join(_RESOURCES)}"
        )
    if words != ["*"] and not set(words) <= set(_OPERATIONS):
        raise InvalidScope(
            f"invalid scope {text[:80]!r}: before the colon, expected {', '.join(_OPERATIONS)}, "
            "separated by commas, or *"
        )
    return f"{','.join(dict.fromkeys(words))}:{resource.strip()}"


_OPERATIONS = [operation.value for operation in Operation]
_RESOURCES = [resource.value for resource in ScopeResource]
