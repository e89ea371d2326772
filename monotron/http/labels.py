"""Labels: the few words by which metrics and logs tell requests apart."""

NO_ROUTE = "none"
"""The label of a request without a route."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""The methods with a label of their own; a client can send any word."""


def method_label(method: str) -> str:
    """Return the label of a method."""
    return method if method in METHODS else "other"
