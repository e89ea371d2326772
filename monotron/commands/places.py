"""Where a command finds its series: in a store on this machine, or on a service.

Both are asked in the same way, so a command prints the same for both.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol

from monotron.commands.arguments import Misused
from monotron.settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """A series with its current value."""

    key: str
    value: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A value that was given out."""

    value: int
    token: str | None
    created_at: str
    """In RFC 3339's format, in UTC."""
    api_key: str | None
    api_key_name: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version."""

    name: str
    version: str
    token: str | None


class Place(Protocol):
    """What a command can ask of both. Names were checked before."""

    def take(self, key: str, token: str | None, count: int, *, remember: bool) -> int:
        """Take the next `count` values; return the last.

        With `remember`, an earlier token gets its value again, as long as history holds it.
        """

    def get(self, key: str) -> State | None:
        """Return the current state; None before the first value."""

    def each_series(self, prefix: str, contains: str, see: Callable[[State], None]) -> None:
        """Show every series whose key starts with `prefix`, and has `contains` anywhere, by key."""

    def each_value(self, key: str, limit: int | None, see: Callable[[Taken], None]) -> bool:
        """Show the newest values, at most `limit`; return False if the series has none yet."""

    def seed(self, key: str, value: int) -> State:
        """Move a series up to `value`."""

    def delete(self, key: str) -> None:
        """Delete a series; it is no error if it is missing."""

    def version(self, name: str) -> Version | None:
        """Return the current version; None before the first."""

    def bump(self, name: str, part: str, token: str, pre: str) -> Version:
        """Take the next version, or if `pre` is not empty a pre-release of it."""


def place_of(settings: Settings, arguments: argparse.Namespace) -> Place:
    """Return the place that flags and variables name.

    A flag about the store counts more than the variable MONOTRON_URL. Raises `Misused`.
    """
    url = _url_of(settings, arguments)
    # Each takes long to import, and the store's cannot be imported everywhere.
    if url is None:
        from monotron.commands.local import LocalPlace

        return LocalPlace(settings, arguments.account)
    from monotron.commands.remote import RemotePlace

    return RemotePlace(url, arguments.account, arguments.retry_for)


def no_value_yet(key: str) -> str:
    """Return what to say of a series without a value."""
    return f"the series {key!r} has no value yet"


def moment(microseconds: int) -> datetime:
    """Return the time that many microseconds after 1970-01-01T00:00:00Z."""
    # Divided, it would lose some of them.
    return datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=microseconds)


def rfc_3339(time: datetime) -> str:
    """Return a time in UTC as the API writes it."""
    utc = time.astimezone(timezone.utc)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _url_of(settings: Settings, arguments: argparse.Namespace) -> str | None:
    flags = {name: flag for name, flag in settings.sources.items() if flag.startswith("-")}
    of_store = [flag for name, flag in flags.items() if name.startswith("stor")]
    url: str | None = arguments.url
    if url is None and not of_store:
        url = os.environ.get("MONOTRON_URL") or None
    if url is None:
        if arguments.retry_for is not None:
            raise Misused("--retry-for is for a service, but neither --url nor MONOTRON_URL is set")
        return None
    if flags:
        flag = next(iter(flags.values()))
        raise Misused(
            f"{flag} is about a store on this machine, but the service at {url!r:.200} is asked, "
            "which has its own"
        )
    return url
