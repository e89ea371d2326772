"""The Python client: `from monotron.client import Client`.

It needs nothing but Python's standard library, on any system.
"""

from monotron.client.answers import HistoryValue, Series, Version
from monotron.client.client import Client
from monotron.client.errors import (
    ClientError,
    Conflict,
    Forbidden,
    NotFound,
    NotMonotron,
    NotTrusted,
    OutcomeUnknown,
    Problem,
    Unauthorized,
    Unreachable,
    WrongAddress,
)

__all__ = [
    "Client",
    "ClientError",
    "Conflict",
    "Forbidden",
    "HistoryValue",
    "NotFound",
    "NotMonotron",
    "NotTrusted",
    "OutcomeUnknown",
    "Problem",
    "Series",
    "Unauthorized",
    "Unreachable",
    "Version",
    "WrongAddress",
]
