"""Rows of the older series service's database, as psql writes them: CSV or JSON lines.

The tables are mn_entry, mn_entry_version and mn_token_attr. A row of the first two says that a
series had a value with a token; it makes no difference which of the two it comes from. Consecutive
rows of one series, in the order of their values, become one series with its history.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import chain
from typing import Any, BinaryIO

from monotron.core import names, numbers
from monotron.core.errors import RuleError
from monotron.core.records import Entry, Series
from monotron.limits import DATABASE_ROW_BYTES, IMPORT_LINES
from monotron.transfer import lines, rows
from monotron.transfer.items import Advance, Broken, CannotRead, Item, Read, TextLine, text_lines
from monotron.transfer.lines import AttributeLine, BrokenLine, SeriesLine
from monotron.transfer.rows import Row

COLUMNS = ("key", "creator_id", "token", "value")
"""The columns of each row; a row that also has a `name` is an attribute."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a series had."""

    row: Row
    account: int
    key: str
    value: int
    token: str | None
    created_at: int
    """When the row was created."""
    updated_at: int
    """When it got this value."""

    def follows(self, other: "Value") -> bool:
        """Return whether this is a later value of the same series."""
        return (self.account, self.key) == (other.account, other.key) and self.value > other.value


def read(stream: BinaryIO, now: int, advance: Advance) -> Iterator[Item]:
    """Iterate over the items in the rows; raises `CannotRead` if they are not of these tables.

    `now` is the time for rows without one.
    """
    rest = text_lines(stream, advance, DATABASE_ROW_BYTES)
    first = next(rest, None)
    if first is None:
        raise CannotRead("it is empty: it does not even have column names")
    every = chain([first], rest)
    found = _json_rows(every) if first.text.lstrip().startswith("{") else _csv_rows(every)
    return _grouped(_read(row, now) if isinstance(row, Row) else row for row in found)


def _json_rows(texts: Iterable[TextLine]) -> Iterator[Row | Broken]:
    for number, text, size, whole in texts:
        if not whole:
            yield Broken(rows.place(number, number), f"it has more than {DATABASE_ROW_BYTES} bytes")
        elif not text.isspace():
            try:
                cells = lines.members_of(text)
            except BrokenLine as error:
                yield Broken(rows.place(number, number), str(error))
            else:
                yield Row(number, number, cells, size)


def _csv_rows(texts: Iterable[TextLine]) -> Iterator[Row | Broken]:
    # The beginning of a line that is too long is enough: its cells are too long, or too many.
    reader = csv.reader((each.text for each in texts), strict=True)
    try:
        columns = next(reader)
    except csv.Error as error:
        raise CannotRead(f"it is neither CSV nor JSON lines: {error}") from error
    if not {*COLUMNS} <= {*columns}:
        raise CannotRead(
            "the first line must name the columns of mn_entry, mn_entry_version or "
            f"mn_token_attr, including {', '.join(COLUMNS)}"
        )
    return rows.below(columns, reader)


def _read(row: Row, now: int) -> Value | Read | Broken:
    try:
        if row.cells.get("name") is not None:
            return Read(rows.place(row.first, row.last), _attribute(row.cells), size=row.size)
        return _value(row, now)
    except (BrokenLine, RuleError) as error:
        return Broken(rows.place(row.first, row.last), str(error))


def _attribute(cells: Mapping[str, Any]) -> AttributeLine:
    return AttributeLine.read({**cells, "account": _integer(cells, "creator_id", least=0)})


def _value(row: Row, now: int) -> Value:
    cells = row.cells
    created_at = _time(cells, "created_at", now)
    return Value(
        row,
        _integer(cells, "creator_id", least=0),
        names.series_key(lines.text(cells, "key"), new=False),
        _integer(cells, "value"),
        names.token(lines.text(cells, "token"), new=False) if cells.get("token") else None,
        created_at,
        _time(cells, "updated_at", created_at),
    )


def _grouped(found: Iterable[Value | Read | Broken]) -> Iterator[Item]:
    group: list[Value] = []
    for each in found:
        follows = isinstance(each, Value) and group and each.follows(group[-1])
        if group and (not follows or len(group) == IMPORT_LINES):
            yield _series(group)
            group = []
        if isinstance(each, Value):
            group.append(each)
        else:
            yield each
    if group:
        yield _series(group)


def _series(group: Sequence[Value]) -> Read:
    with_token = (each for each in group if each.token is not None)
    history = [
        (number, Entry(each.value, 1, each.token, None, each.updated_at))
        for number, each in enumerate(with_token, start=1)
    ]
    first, last = group[0], group[-1]
    series = Series(
        last.account,
        last.key,
        last.value,
        last.token,
        first.created_at,
        last.updated_at,
        given=len(history),
    )
    return Read(
        rows.place(first.row.first, last.row.last),
        SeriesLine(series, history),
        lines=len(group),
        size=sum(each.row.size for each in group),
    )


def _integer(cells: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    value = cells.get(name)
    if isinstance(value, str):
        value = numbers.parsed(name, value)
    return lines.integer({name: value}, name, least=least)


def _time(cells: Mapping[str, Any], name: str, default: int) -> int:
    if cells.get(name) in (None, ""):
        return default
    try:
        return _microseconds(lines.text(cells, name))
    except ValueError as error:
        raise BrokenLine(f"{name} is not a time as PostgreSQL writes it: {error}") from error


# A row often has the same time twice, and so do rows that were written together.
@lru_cache(maxsize=1_000)
def _microseconds(text: str) -> int:
    """Return a time in microseconds since 1970-01-01T00:00:00Z; an earlier time becomes 0."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("expected for example 2024-01-02 03:04:05.678+00")
    time, fraction, sign, hours, minutes = match.groups()
    seconds = datetime.fromisoformat(time).replace(tzinfo=timezone.utc) - _EPOCH
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    since = seconds + offset if sign == "-" else seconds - offset
    return max(since // _MICROSECOND + int((fraction or "").ljust(6, "0")), 0)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?"
    r"(?:Z|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
