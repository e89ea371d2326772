"""Rounds: functions that run against rows held in memory, for engines behind a network.

A function reads one row after another, and over a network each read would cost a round trip. Here
it reads only rows that are known. Where it reads one that is not, it is left by `Missed`, and so
are all others of its batch. Everything that was missed is fetched in one request, and the batch
runs again. So 64 updates of 64 rows cost as many round trips as one.

What is read is noted, because the engine commits only if none of it has changed since.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monotron.store.batch import Update
from monotron.store.contract import Reading, Table
from monotron.store.draft import Draft, check_key

ROUNDS = 8
"""After so many rounds, what is missed is fetched at once. A function that reads rows which depend
on one another, such as the pages of a table, would otherwise begin again for each."""

MORE_ROWS = 8
"""How many rows beyond a scan's limit are fetched: the next function of its batch asks for one more
for each row of the range that was written before it."""

Place = tuple[Table, bytes]
"""Where a row is."""


class Range(NamedTuple):
    """Where a scan reads."""

    table: Table
    start: bytes
    stop: bytes
    reverse: bool


class Row(NamedTuple):
    """A row as it was fetched. `version` changes with each write; it is 0 if the row is missing."""

    value: bytes | None
    version: int


@dataclass(slots=True)
class Span:
    """The first rows of a range, in the order of the scan."""

    rows: list[tuple[bytes, Row]]
    is_whole: bool
    """Whether the range has no more rows."""
    version: int
    """The version of the store at which they were read."""

    def has(self, limit: int) -> bool:
        """Return whether a scan with this limit can be answered."""
        return self.is_whole or len(self.rows) >= limit


@dataclass(slots=True)
class Known:
    """Everything that is known."""

    rows: dict[Place, Row] = field(default_factory=dict)
    spans: dict[Range, Span] = field(default_factory=dict)


Fetch = Callable[[Sequence[Place], dict[Range, int]], object]
"""Fetches rows, and so many rows of ranges, into what is known. Raises a `StoreError`."""


class Missed(BaseException):
    """Leaves a function that has read what is not known. No `except Exception` catches it."""


class Reads:
    """The contract's `Reading` of what is known; it notes what was read, and what was missed."""

    def __init__(self, known: Known, fetch_at_once: Fetch | None = None) -> None:
        self._known = known
        self._fetch_at_once = fetch_at_once
        self.rows: dict[Place, Row] = {}
        self.spans: dict[Range, int] = {}
        """How many rows of each range were asked for."""
        self.missed_rows: dict[Place, None] = {}
        self.missed_spans: dict[Range, int] = {}
        self._new_rows: list[Place] = []
        self._old_spans: list[tuple[Range, int | None]] = []

    def begin(self) -> None:
        """Begin a function, whose reads `forget` forgets."""
        self._new_rows.clear()
        self._old_spans.clear()

    def forget(self) -> None:
        """Forget what was read since `begin`."""
        for place in self._new_rows:
            del self.rows[place]
        for range_, before in reversed(self._old_spans):
            if before is None:
                del self.spans[range_]
            else:
                self.spans[range_] = before

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `contract.Reading.get`."""
        check_key(key)
        place = (table, key)
        row = self._known.rows.get(place)
        if row is None:
            self._miss(place)
            row = self._known.rows[place]
        if place not in self.rows:
            self.rows[place] = row
            self._new_rows.append(place)
        return row.value

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See `contract.Reading.scan`."""
        if start >= stop or limit <= 0:
            return []
        range_ = Range(table, start, stop, reverse)
        span = self._known.spans.get(range_)
        if span is None or not span.has(limit):
            self._miss_span(range_, limit)
            span = self._known.spans[range_]
        before = self.spans.get(range_)
        if before is None or before < limit:
            self.spans[range_] = limit
            self._old_spans.append((range_, before))
        return [(key, row.value) for key, row in span.rows[:limit] if row.value is not None]

    def _miss(self, place: Place) -> None:
        if self._fetch_at_once is None:
            self.missed_rows[place] = None
            raise Missed
        self._fetch_at_once([place], {})

    def _miss_span(self, range_: Range, limit: int) -> None:
        limit = max(limit, self.missed_spans.get(range_, 0) - MORE_ROWS) + MORE_ROWS
        if self._fetch_at_once is None:
            self.missed_spans[range_] = limit
            raise Missed
        self._fetch_at_once([], {range_: limit})


@dataclass(slots=True)
class Part:
    """Updates of a batch that have run, and fit into one commit."""

    updates: list[Update]
    reads: Reads
    draft: Draft


def run_updates(
    batch: Sequence[Update], known: Known, fetch: Fetch, fits: Callable[[Reads, Draft], bool]
) -> Part:
    """Run the updates at the beginning of a batch that fit into one commit, which is at least one.

    Each has its result or its error, but they count only once the engine has made certain that
    nothing that was read has changed. Raises a `StoreError` if rows cannot be fetched.
    """
    for turn in range(ROUNDS):
        part = _run_once(batch, Reads(known), fits)
        reads = part.reads
        if not reads.missed_rows and not reads.missed_spans:
            return part
        if turn + 1 < ROUNDS:
            fetch(list(reads.missed_rows), reads.missed_spans)
    return _run_once(batch, Reads(known, fetch), fits)


def _run_once(batch: Sequence[Update], reads: Reads, fits: Callable[[Reads, Draft], bool]) -> Part:
    """Run the updates, each on top of those before it; one that misses something is passed over."""
    draft = Draft(reads)
    part = Part([], reads, draft)
    size = (0, 0, 0)
    for update in batch:
        reads.begin()
        draft.begin()
        update.error = None
        try:
            update.result = update.fn(draft)
        except Missed:
            draft.undo()
        # Anything else that a caller's function raises is for its caller to see.
        except BaseException as error:  # noqa: BLE001
            draft.undo()
            update.error = error
        # An update that read and wrote only what others of the batch did takes no more room.
        size_before, size = size, (len(reads.rows), len(reads.spans), draft.rows_written)
        if part.updates and size != size_before and not fits(reads, draft):
            draft.undo()
            reads.forget()
            break
        part.updates.append(update)
    return part


class View:
    """One caller's function that only reads, and later its result or error."""

    __slots__ = ("error", "fn", "result")

    def __init__(self, fn: Callable[[Reading], Any]) -> None:
        self.fn = fn
        self.result: Any = None
        self.error: BaseException | None = None


def run_views(views: Sequence[View], known: Known, fetch: Fetch, direct: Reading) -> None:
    """Run the views, all on the snapshot that `fetch` and `direct` read.

    `direct` reads without remembering anything: a view that reads a whole store does not hold it.
    """
    for _ in range(ROUNDS):
        reads = Reads(known)
        views = [view for view in views if not _run_view(view, reads)]
        if not views:
            return
        fetch(list(reads.missed_rows), reads.missed_spans)
    for view in views:
        _run_view(view, direct)


def _run_view(view: View, reading: Reading) -> bool:
    """Run a view; return False if it has missed something."""
    try:
        view.result = view.fn(reading)
    except Missed:
        return False
    # It is for the caller to see.
    except BaseException as error:  # noqa: BLE001
        view.error = error
    return True
