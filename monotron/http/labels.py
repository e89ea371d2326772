"""Labels: the few words by which measures and logs tell requests apart."""

NO_ROUTE = "none"
"""The route of a request that no route answers."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""The methods that have a label of their own; a client can send any word."""


def method_label(method: str) -> str:
    """Return the label of a method."""
    return method if method in METHODS else "other"
