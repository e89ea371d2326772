"""The service's counters and timers, in memory that all its processes share.

First comes the table of measures, then `Measures`, the memory with a slot for each worker, and
`WorkerSlot`, through which one worker writes.

The process that watches the workers allocates the memory before it forks. Each worker writes to its
own slot, so that none waits for another, and a reader adds up the slots. A worker that ends leaves
its slot, with everything that it counted, to its replacement, so no counter goes back while the
service runs.

Prometheus's own client uses files for this, one for every process that has ever run, written
through memory. With those, a full disk kills the worker at its next request (SIGBUS), and a
writable folder is needed. Memory without a file has neither problem.

Measuring a request, and its id, take 3.5 of the 16 µs that the application spends on a GET (CPython
3.11). All in all, 64 clients get 0.92 to 0.99 of the numbers that they got without.
"""

import json
import mmap
import struct
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

SLOT_BYTES = 4 * 2**20
"""The size of one worker's slot. Every route with every method and status takes a quarter of it,
and the system allocates memory only as it is used: some 30 KiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Something that is counted or timed, under its Prometheus name.

    Names follow https://prometheus.io/docs/practices/naming/. With `buckets` it is a histogram;
    without, it has one number.
    """

    kind: str
    """`counter`, `gauge` or `histogram`."""
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    """No label ever contains a series key: there would be a row for each key."""
    buckets: tuple[float, ...] = ()
    """Upper bounds; an unbounded one is added."""


_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_UPDATES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_all: list[Measure] = []


def _measure(
    kind: str,
    name: str,
    meaning: str,
    labels: tuple[str, ...] = (),
    buckets: tuple[float, ...] = (),
) -> Measure:
    _all.append(Measure(kind, name, meaning, labels, buckets))
    return _all[-1]


REQUESTS = _measure(
    "counter",
    "monotron_http_requests_total",
    "Requests answered, by the template of their route; `none` if no route was looked up.",
    ("route", "method", "status"),
)
REQUEST_SECONDS = _measure(
    "histogram",
    "monotron_http_request_duration_seconds",
    "Time from the last byte of a request to its answer, including the wait for its commit.",
    ("route", "method"),
    _SECONDS,
)
HTTP_QUEUE = _measure(
    "gauge",
    "monotron_http_queue_length",
    "Requests in progress, sampled every second.",
)
OPEN_CONNECTIONS = _measure("gauge", "monotron_http_connections", "Open connections.")
INCREMENTS = _measure(
    "counter",
    "monotron_increments_total",
    "How often a series was advanced over HTTP. A repeat that gets its old value does not count.",
)
VALUES = _measure(
    "counter",
    "monotron_values_total",
    "Values given out over HTTP; a range counts as many times as it has values.",
)
NEAR_LIMIT = _measure(
    "counter",
    "monotron_values_near_limit_total",
    "Values given out by series that have used up 90 % of what their limit allows.",
)
COMMITS = _measure(
    "counter", "monotron_store_commits_total", "Durable commits, each for one batch of updates."
)
COMMIT_SECONDS = _measure(
    "histogram",
    "monotron_store_commit_duration_seconds",
    "Time taken by a batch: its updates, and the commit with its syncs.",
    (),
    _SECONDS,
)
BATCH_UPDATES = _measure(
    "histogram",
    "monotron_store_batch_updates",
    "Updates that shared one commit.",
    (),
    _UPDATES,
)
CONFLICTS = _measure(
    "counter",
    "monotron_store_conflicts_total",
    "Commits that ran again because another replica had changed the same rows.",
)
LOST_ANSWERS = _measure(
    "counter",
    "monotron_store_lost_answers_total",
    "Answers of etcd that did not come: `resolved` if the outcome was found out, else `unknown`.",
    ("outcome",),
)
STORE_QUEUE = _measure(
    "gauge", "monotron_store_queue_length", "Updates waiting for the current commit to end."
)
REPLACED = _measure(
    "counter", "monotron_workers_replaced_total", "Workers that ended and were replaced."
)
START_TIME = _measure(
    "gauge",
    "monotron_start_time_seconds",
    "When the service started, in seconds since 1970; a replaced worker does not change it.",
)

MEASURES = tuple(_all)

Row = tuple[Measure, tuple[str, ...]]
"""A measure with a value for each of its labels."""


class Measures:
    """The memory. It is allocated before a fork, and used by parent and children after it."""

    def __init__(self, slots: int = 1) -> None:
        # Without a file, and shared with children (mmap(2), MAP_SHARED and MAP_ANONYMOUS).
        self._memory = memoryview(mmap.mmap(-1, slots * SLOT_BYTES))
        self._slots = slots

    def slot(self, number: int) -> "WorkerSlot":
        """Take over a slot, from 0, with its contents; one process at a time may have it."""
        return WorkerSlot(self, self._part(number))

    def read(self) -> dict[Row, list[float]]:
        """Return the totals of all slots.

        A counter or a gauge has one number. A histogram has the count of each bucket (not
        cumulative), then that of the unbounded one, and then the sum of all values.
        """
        together: dict[Row, list[float]] = {}
        for number in range(self._slots):
            for row, numbers in _rows(self._part(number)):
                so_far = together.setdefault(row, [0.0] * len(numbers))
                together[row] = [a + b for a, b in zip(so_far, numbers, strict=True)]
        return together

    def shares(self, measure: Measure) -> list["memoryview[float]"]:
        """Return a live view of an unlabelled measure's number in each slot that has it."""
        return [
            numbers
            for number in range(self._slots)
            for row, numbers in _rows(self._part(number))
            if row == (measure, ())
        ]

    def _part(self, number: int) -> memoryview:
        return self._memory[number * SLOT_BYTES : (number + 1) * SLOT_BYTES]


class WorkerSlot:
    """The part of the memory that one process writes to, from any of its threads."""

    def __init__(self, measures: Measures, memory: memoryview) -> None:
        self.all = measures
        """The measures that this slot is a part of."""
        self._memory = memory
        self._lock = threading.Lock()
        self._rows = dict(_rows(memory))
        for measure, labels in self._rows:
            if measure.kind == "gauge":
                # It described a process that is gone.
                self.set(measure, 0, *labels)

    def add(self, measure: Measure, amount: float, *labels: str) -> None:
        """Add to a counter."""
        with self._lock:
            self._row(measure, labels)[0] += amount

    def set(self, measure: Measure, value: float, *labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._row(measure, labels)[0] = value

    def requests(self, route: str, method: str, status: str) -> "RequestRows":
        """Return what counts the requests with this route, method and status."""
        with self._lock:
            return RequestRows(
                self._lock,
                count=self._row(REQUESTS, (route, method, status)),
                times=self._row(REQUEST_SECONDS, (route, method)),
                increments=self._row(INCREMENTS, ()),
                values=self._row(VALUES, ()),
            )

    def observe(self, measure: Measure, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        bucket = bisect_left(measure.buckets, value)
        with self._lock:
            row = self._row(measure, labels)
            row[bucket] += 1
            row[-1] += value

    def _row(self, measure: Measure, labels: tuple[str, ...]) -> "memoryview[float]":
        try:
            return self._rows[measure, labels]
        except KeyError:
            row = self._rows[measure, labels] = _new_row(self._memory, measure, labels)
            return row


class RequestRows:
    """The rows that requests of one kind add to, found once because each request needs them."""

    __slots__ = ("_count", "_increments", "_lock", "_times", "_values")

    def __init__(
        self,
        lock: threading.Lock,
        *,
        count: "memoryview[float]",
        times: "memoryview[float]",
        increments: "memoryview[float]",
        values: "memoryview[float]",
    ) -> None:
        self._lock = lock
        self._count = count
        self._times = times
        self._increments = increments
        self._values = values

    def add(self, seconds: float, values: int) -> None:
        """Add a request that took so long and gave out so many values."""
        bucket = bisect_left(_SECONDS, seconds)
        with self._lock:
            self._count[0] += 1
            self._times[bucket] += 1
            self._times[-1] += seconds
            if values:
                self._increments[0] += 1
                self._values[0] += values


class StoreMetrics:
    """An observer that records a store's commits in a slot."""

    def __init__(self, slot: WorkerSlot) -> None:
        self._slot = slot
        self.waiting(0)

    def waiting(self, updates: int) -> None:
        """Record how many updates are waiting for a commit."""
        self._slot.set(STORE_QUEUE, updates)

    def committed(self, updates: int, seconds: float) -> None:
        """Record a commit: how many updates shared it, and how long it took."""
        self._slot.add(COMMITS, 1)
        self._slot.observe(BATCH_UPDATES, updates)
        self._slot.observe(COMMIT_SECONDS, seconds)

    def conflicted(self) -> None:
        """Record a commit that had to run again because of another replica."""
        self._slot.add(CONFLICTS, 1)

    def resolved(self) -> None:
        """Record a lost answer whose outcome was found out."""
        self._slot.add(LOST_ANSWERS, 1, "resolved")

    def unknown(self) -> None:
        """Record a lost answer whose outcome was not found out in time."""
        self._slot.add(LOST_ANSWERS, 1, "unknown")


# A slot begins with the number of its bytes in use. Then come rows: the length of a name, the name
# (the measure's with its labels, as JSON, padded with spaces), and the numbers. Everything is in
# units of 8 bytes, which a processor writes at once: no reader sees a half-written number.

_UNIT = 8
_HEAD = struct.Struct("=q")
_BY_NAME = {measure.name: measure for measure in MEASURES}


def _numbers(measure: Measure) -> int:
    return len(measure.buckets) + 2 if measure.buckets else 1


def _rows(memory: memoryview) -> Iterator[tuple[Row, "memoryview[float]"]]:
    (used,) = _HEAD.unpack_from(memory)
    at = _UNIT
    while at < used:
        (length,) = _HEAD.unpack_from(memory, at)
        begin = at + _UNIT + length
        name, *labels = json.loads(bytes(memory[at + _UNIT : begin]))
        measure = _BY_NAME[name]
        at = begin + _UNIT * _numbers(measure)
        yield (measure, tuple(labels)), memory[begin:at].cast("d")


def _new_row(memory: memoryview, measure: Measure, labels: tuple[str, ...]) -> "memoryview[float]":
    """Add a row; if there is no room left, its counts are lost, but nothing else."""
    name = json.dumps([measure.name, *labels]).encode()
    name += b" " * (-len(name) % _UNIT)
    (used,) = _HEAD.unpack_from(memory)
    at = used or _UNIT
    begin = at + _UNIT + len(name)
    end = begin + _UNIT * _numbers(measure)
    if end > len(memory):
        return memoryview(bytearray(end - begin)).cast("d")
    _HEAD.pack_into(memory, at, len(name))
    memory[at + _UNIT : begin] = name
    # A process killed right here may have left something behind.
    memory[begin:end] = bytes(end - begin)
    # Only now can readers see it. Struct would write zeros first.
    memory[:_UNIT].cast("q")[0] = end
    return memory[begin:end].cast("d")
