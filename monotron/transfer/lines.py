"""Lines: the format of `monotron export`, with one JSON object on each line.

The first line says what the file is, and the last one that it is complete. Each line between them
has one record and stands by itself; a series comes with its history, so that one line is one
consistent series. Times are microseconds since 1970-01-01T00:00:00Z, as in the store.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from monotron.core import attributes, calver, names, numbers, scopes
from monotron.core.activity import HOUR
from monotron.core.bumps import PARTS, PATCH
from monotron.core.errors import RuleError
from monotron.core.imports import Numbered
from monotron.core.records import ApiKey, Attribute, Bump, Dated, Entry, Retry, Series
from monotron.limits import LAST_VALUE

HEADER = {"monotron": "export", "version": 1}

LAST_TIME = 253_402_300_799_999_999
"""The last microsecond of the year 9999, the last year that a date can have."""

Members = Mapping[str, Any]


class BrokenLine(Exception):
    """A line that cannot be understood; the message says why."""


class Line(Protocol):
    """One record of an export."""

    kind: ClassVar[str]

    @classmethod
    def read(cls, members: Members) -> "Line":
        """Read it from the members of a JSON object; raises `BrokenLine` or a `RuleError`."""
        ...

    def members(self) -> Members:
        """Return the members of its JSON object."""
        ...


def to_json(line: Line) -> str:
    """Return a line's text."""
    return _encode({"kind": line.kind, **line.members()})


def header() -> str:
    """Return the first line's text."""
    return _encode(HEADER)


def from_json(text: str) -> Line:
    """Read a line; raises `BrokenLine`."""
    members = members_of(text)
    kind = members.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BrokenLine(f"kind must be one of {', '.join(KINDS)}, not {kind!r:.80}")
    try:
        return KINDS[kind].read(members)
    except RuleError as error:
        raise BrokenLine(str(error)) from error


def members_of(text: str) -> Members:
    """Return the members of a JSON object; raises `BrokenLine` for anything else."""
    try:
        members = json.loads(text)
    # Valid JSON that is nested too deeply fails too.
    except (ValueError, RecursionError) as error:
        raise BrokenLine(f"it is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise BrokenLine("it is not a JSON object")
    return members


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account; its contents are on other lines."""

    kind: ClassVar[str] = "account"
    account: int
    created_at: int

    @classmethod
    def read(cls, members: Members) -> "AccountLine":
        """See `Line.read`."""
        return cls(_account(members), _time(members, "created_at"))

    def members(self) -> Members:
        """See `Line.members`."""
        return {"account": self.account, "created_at": self.created_at}


@dataclass(frozen=True, slots=True)
class ApiKeyLine:
    """An API key. The secret cannot be found from its digest."""

    kind: ClassVar[str] = "api_key"
    api_key: ApiKey

    @classmethod
    def read(cls, members: Members) -> "ApiKeyLine":
        """See `Line.read`."""
        key = text(members, "key")
        if not _API_KEY.fullmatch(key):
            raise BrokenLine("key must have 24 letters and digits")
        wanted = members.get("scopes")
        if not isinstance(wanted, list):
            raise BrokenLine("scopes must be a list")
        return cls(
            ApiKey(
                _account(members),
                integer(members, "id"),
                key,
                _digest(members, "digest", 32),
                scopes.parse(wanted),
                _time(members, "created_at"),
                integer(members, "expires_at", least=0) if "expires_at" in members else 0,
            )
        )

    def members(self) -> Members:
        """See `Line.members`."""
        return {
            "account": self.api_key.account,
            "id": self.api_key.id,
            "key": self.api_key.key,
            "digest": self.api_key.digest.hex(),
            "scopes": list(self.api_key.scopes),
            "created_at": self.api_key.created_at,
            **({"expires_at": self.api_key.expires_at} if self.api_key.expires_at else {}),
        }


@dataclass(frozen=True, slots=True)
class ApiKeyNameLine:
    """The name of an API key, which may have been revoked since."""

    kind: ClassVar[str] = "api_key_name"
    key: str
    name: str

    @classmethod
    def read(cls, members: Members) -> "ApiKeyNameLine":
        """See `Line.read`."""
        key = text(members, "key")
        if not _API_KEY.fullmatch(key):
            raise BrokenLine("key must have 24 letters and digits")
        return cls(key, names.api_key_name(text(members, "name"), new=False))

    def members(self) -> Members:
        """See `Line.members`."""
        return {"key": self.key, "name": self.name}


@dataclass(frozen=True, slots=True)
class ApiKeyIdsLine:
    """The last id given to an API key, which may have been revoked since."""

    kind: ClassVar[str] = "api_key_ids"
    last: int

    @classmethod
    def read(cls, members: Members) -> "ApiKeyIdsLine":
        """See `Line.read`."""
        return cls(integer(members, "last", least=0))

    def members(self) -> Members:
        """See `Line.members`."""
        return {"last": self.last}


@dataclass(frozen=True, slots=True)
class RetryLine:
    """The answer under an Idempotency-Key; the key and the request are digests."""

    kind: ClassVar[str] = "retry"
    account: int
    digest: bytes
    retry: Retry
    created_at: int

    @classmethod
    def read(cls, members: Members) -> "RetryLine":
        """See `Line.read`."""
        retry = Retry(_digest(members, "request", 16), integer(members, "value"))
        created_at = _time(members, "created_at")
        return cls(_account(members), _digest(members, "digest", 16), retry, created_at)

    def members(self) -> Members:
        """See `Line.members`."""
        return {
            "account": self.account,
            "digest": self.digest.hex(),
            "request": self.retry.request.hex(),
            "value": self.retry.value,
            "created_at": self.created_at,
        }


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """A series with its history, oldest first. Its rows are the store's own business."""

    kind: ClassVar[str] = "series"
    series: Series
    history: list[Numbered] = field(default_factory=list)

    @classmethod
    def read(cls, members: Members) -> "SeriesLine":
        """See `Line.read`."""
        value = integer(members, "value")
        series = Series(
            _account(members),
            names.series_key(text(members, "key"), new=False),
            value,
            _token(members),
            _time(members, "created_at"),
            _time(members, "updated_at"),
            integer(members, "given", least=0, most=value),
            limit=integer(members, "limit") if "limit" in members else 0,
        )
        entries = members.get("history", [])
        if not isinstance(entries, list):
            raise BrokenLine("history must be a list")
        history = [_read_entry(entry) for entry in entries]
        _check_history(series, history)
        return cls(series, history)

    def members(self) -> Members:
        """See `Line.members`."""
        state = self.series
        return {
            "account": state.account,
            "key": state.key,
            "value": state.value,
            "token": state.token,
            "created_at": state.created_at,
            "updated_at": state.updated_at,
            "given": state.given,
            **({"limit": state.limit} if state.limit else {}),
            "history": [_entry_members(number, entry) for number, entry in self.history],
        }


@dataclass(frozen=True, slots=True)
class LimitLine:
    """The limit of a series that has no value yet."""

    kind: ClassVar[str] = "limit"
    account: int
    key: str
    limit: int

    @classmethod
    def read(cls, members: Members) -> "LimitLine":
        """See `Line.read`."""
        key = names.series_key(text(members, "key"), new=False)
        return cls(_account(members), key, integer(members, "limit"))

    def members(self) -> Members:
        """See `Line.members`."""
        return {"account": self.account, "key": self.key, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class AttributeLine:
    """A text kept beside a token."""

    kind: ClassVar[str] = "attribute"
    account: int
    key: str
    attribute: Attribute

    @classmethod
    def read(cls, members: Members) -> "AttributeLine":
        """See `Line.read`."""
        attribute = Attribute(
            names.token(text(members, "token"), new=False),
            text(members, "name"),
            text(members, "value"),
        )
        attributes.valid({attribute.name: attribute.value}, new=False)
        return cls(_account(members), names.series_key(text(members, "key"), new=False), attribute)

    def members(self) -> Members:
        """See `Line.members`."""
        return {
            "account": self.account,
            "key": self.key,
            "token": self.attribute.token,
            "name": self.attribute.name,
            "value": self.attribute.value,
        }


@dataclass(frozen=True, slots=True)
class BumpLine:
    """The semantic version that a token got."""

    kind: ClassVar[str] = "bump"
    account: int
    name: str
    bump: Bump

    @classmethod
    def read(cls, members: Members) -> "BumpLine":
        """See `Line.read`."""
        part = text(members, "part")
        if part not in PARTS:
            raise BrokenLine("part must be major, minor or patch")
        raised = text(members, "raised") if "raised" in members else ""
        if raised and PARTS.get(raised, PATCH) >= PARTS[part]:
            raise BrokenLine("raised must be a part above part")
        pre = names.pre_release(text(members, "pre")) if "pre" in members else ""
        counted = "" if pre else raised or part
        major, minor, patch = (integer(members, each, least=int(each == counted)) for each in PARTS)
        bump = Bump(
            PARTS[part],
            names.token(text(members, "token"), new=False),
            major,
            minor,
            patch,
            raised=PARTS.get(raised, 0),
            pre=pre,
            number=integer(members, "number") if pre else 0,
        )
        return cls(_account(members), names.version_name(text(members, "name"), new=False), bump)

    def members(self) -> Members:
        """See `Line.members`."""
        bump = self.bump
        return {
            "account": self.account,
            "name": self.name,
            "part": _PART_NAMES[bump.part],
            "token": bump.token,
            "major": bump.major,
            "minor": bump.minor,
            "patch": bump.patch,
            **({"raised": _PART_NAMES[bump.raised]} if bump.raised else {}),
            **({"pre": bump.pre, "number": bump.number} if bump.pre else {}),
        }


@dataclass(frozen=True, slots=True)
class DatedLine:
    """The calendar version that a token got."""

    kind: ClassVar[str] = "dated"
    account: int
    name: str
    scheme: str
    dated: Dated

    @classmethod
    def read(cls, members: Members) -> "DatedLine":
        """See `Line.read`."""
        period = text(members, "period")
        if not _PERIOD.fullmatch(period):
            raise BrokenLine("period must be one to three numbers with dots between them")
        dated = Dated(
            names.token(text(members, "token"), new=False), period, integer(members, "micro")
        )
        return cls(
            _account(members),
            names.version_name(text(members, "name"), new=False),
            calver.valid_scheme(text(members, "scheme")),
            dated,
        )

    def members(self) -> Members:
        """See `Line.members`."""
        return {
            "account": self.account,
            "name": self.name,
            "scheme": self.scheme,
            "token": self.dated.token,
            "period": self.dated.period,
            "micro": self.dated.micro,
        }


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """How many numbers an account gave out in an hour."""

    kind: ClassVar[str] = "activity"
    account: int
    hour: int
    """Counted from 1970-01-01T00:00:00Z."""
    count: int

    @classmethod
    def read(cls, members: Members) -> "ActivityLine":
        """See `Line.read`."""
        hour, rest = divmod(_time(members, "start"), HOUR)
        if rest:
            raise BrokenLine("start must be the beginning of an hour")
        return cls(_account(members), hour, integer(members, "count"))

    def members(self) -> Members:
        """See `Line.members`."""
        return {"account": self.account, "start": self.hour * HOUR, "count": self.count}


@dataclass(frozen=True, slots=True)
class EndLine:
    """The last line: an export without it was cut off."""

    kind: ClassVar[str] = "end"

    @classmethod
    def read(cls, members: Members) -> "EndLine":
        """See `Line.read`."""
        return cls()

    def members(self) -> Members:
        """See `Line.members`."""
        return {}


KINDS: dict[str, type[Line]] = {
    line.kind: line
    for line in (
        AccountLine,
        ApiKeyLine,
        ApiKeyNameLine,
        ApiKeyIdsLine,
        RetryLine,
        SeriesLine,
        LimitLine,
        AttributeLine,
        BumpLine,
        DatedLine,
        ActivityLine,
        EndLine,
    )
}


# Members and their types


def text(members: Members, name: str) -> str:
    """Return a member that is a string; raises `BrokenLine` for anything else."""
    value = members.get(name)
    if not isinstance(value, str):
        raise BrokenLine(f"{name} must be a string")
    return value


def integer(members: Members, name: str, *, least: int = 1, most: int = LAST_VALUE) -> int:
    """Return a member that is a whole number; raises `InvalidNumber` for anything else."""
    return numbers.whole(name, members.get(name), least, most)


def _account(members: Members) -> int:
    return integer(members, "account", least=0)


def _time(members: Members, name: str) -> int:
    return integer(members, name, least=0, most=LAST_TIME)


def _token(members: Members) -> str | None:
    return None if members.get("token") is None else names.token(text(members, "token"), new=False)


def _digest(members: Members, name: str, size: int) -> bytes:
    value = text(members, name)
    if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", value):
        raise BrokenLine(f"{name} must have {2 * size} hex digits")
    return bytes.fromhex(value)


def _read_entry(members: Any) -> Numbered:
    if not isinstance(members, dict):
        raise BrokenLine("history must be a list of objects")
    value = integer(members, "value")
    api_key = members.get("api_key")
    if api_key is not None and not _WORD.fullmatch(text(members, "api_key")):
        raise BrokenLine("api_key must have 1 to 24 letters and digits")
    count = 1 if "count" not in members else integer(members, "count", most=min(value, 2**32 - 1))
    number = integer(members, "number", least=count, most=value)
    return number, Entry(value, count, _token(members), api_key, _time(members, "created_at"))


def _entry_members(number: int, entry: Entry) -> Members:
    members: dict[str, Any] = {"value": entry.value}
    if entry.count != 1:
        members["count"] = entry.count
    members |= {"number": number, "created_at": entry.created_at}
    if entry.token is not None:
        members["token"] = entry.token
    if entry.api_key is not None:
        members["api_key"] = entry.api_key
    return members


def _check_history(series: Series, history: list[Numbered]) -> None:
    """Raise `BrokenLine` if the values cannot have been given out in this order."""
    value_before, number_before, skipped = 0, 0, 0
    for number, entry in history:
        # Moving a series up skips values, and nothing ever takes that back.
        if entry.value - entry.count < value_before or not (
            number_before <= number - entry.count and skipped <= entry.value - number
        ):
            raise BrokenLine(f"history has {entry.value} in the wrong place, or a wrong number")
        value_before, number_before, skipped = entry.value, number, entry.value - number
    if number_before > series.given or skipped > series.value - series.given:
        raise BrokenLine("history has more values than value and given allow")
    if history and series.token and number_before == series.given:
        newest = history[-1][1]
        if (newest.value, newest.token) != (series.value, series.token):
            raise BrokenLine("history does not end with the series' own value and token")


def _encode(members: Members) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


_PART_NAMES = {number: name for name, number in PARTS.items()}
_PERIOD = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,2}){0,2}")
_API_KEY = re.compile(r"[A-Za-z0-9]{24}")
_WORD = re.compile(r"[A-Za-z0-9]{1,24}")
