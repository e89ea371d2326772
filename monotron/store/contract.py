"""What a storage engine promises: an ordered key-value store with serializable updates.

The verbs are bbolt's `View` and `Batch`, the functions are FoundationDB's transactional functions:

- `view(fn)` runs `fn` on a consistent snapshot and never waits for a writer;
- `update(fn)` runs `fn` in a write transaction and returns once its writes are durable.

An engine is one module that implements `Store`. The conformance suite in `tests/` is the
contract's other half: whatever passes it is an engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

T = TypeVar("T")

MAX_KEY_BYTES = 511
"""Keys are 1 to 511 bytes, which is LMDB's limit (MDB_MAXKEYSIZE); every engine keeps to it."""


class Table(Enum):
    """Every table there is. The value is the table's name inside an engine."""

    # There is one object for each. Enum's own hash is a Python function, and drafts look tables up
    # at each get and put: an import took a tenth longer.
    __hash__ = object.__hash__

    SERIES = "series"
    """One row for each series: its current state."""
    HISTORY = "history"
    """The values that each series gave out last, several in a row."""
    ATTRIBUTES = "attributes"
    """One row for each attribute of a token."""
    BUMPS = "bumps"
    """One row for each part and token of a semantic version: which version it got."""
    ACCOUNTS = "accounts"
    """One row for each account but the first, which is always there."""
    API_KEYS = "api_keys"
    """One row for each API key."""
    GRANTS = "grants"
    """The API keys of each account, oldest first."""
    RETRIES = "retries"
    """One row for each Idempotency-Key: the request and its answer."""
    RETRY_TIMES = "retry_times"
    """The rows of `RETRIES`, oldest first."""
    SYSTEM = "system"
    """Rows about the store itself, such as the one that a readiness check writes."""


class StoreError(Exception):
    """A failure of the store. Nothing of the update that raised it was kept."""


class StoreFull(StoreError):
    """The disk or the map has no room. It works again once there is room."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now: closed, locked by another process, or failing I/O."""


class StoreCorrupt(StoreError):
    """What is stored cannot be understood: not a store, damaged, or written by a newer version."""


class Reading(Protocol):
    """A consistent snapshot of all tables. It is valid only inside the function it was given to."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Give the value at `key`, or None.

        Raises `ValueError` where the key is not of 1 to 511 bytes.
        """
        ...

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Give at most `limit` rows with `start <= key < stop`, in the keys' byte order.

        With `reverse`, the last rows of the range, last first. The bounds may be of any length.
        A list with a limit, not an iterator: a snapshot must not stay open while a caller thinks.
        """
        ...


class Transaction(Reading, Protocol):
    """A snapshot that can be written to and sees its own writes."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Store `value` at `key`, in place of what was there.

        Raises `ValueError` where the key is not of 1 to 511 bytes.
        """
        ...

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove the row at `key`; tells whether there was one.

        Raises `ValueError` where the key is not of 1 to 511 bytes.
        """
        ...

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        """Remove every row with `start <= key < stop`; gives how many there were."""
        ...


class Store(Protocol):
    """A storage engine. Its methods may be called from any thread."""

    def view(self, fn: Callable[[Reading], T]) -> T:
        """Give what `fn` gives on a snapshot that holds every update that returned before.

        That includes updates which another process made. It never waits for a writer.
        Raises what `fn` raises, or a `StoreError`.
        """
        ...

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Give what `fn` gives in a write transaction, once its writes are durable.

        Updates are serializable. Those that wait at the same moment share one durable commit;
        one that comes alone waits for nobody. `fn` may run more than once, on any thread, so it
        has no effect besides its writes; it must not call the store again.

        What `fn` raises is raised here, and none of its writes are kept; the others that share
        its commit do not notice. Raises a `StoreError` where the store failed: nothing was kept.
        """
        ...

    def close(self) -> None:
        """Finish the updates that wait, then let go of the store. Closing again does nothing.

        Any call after it raises `StoreUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What a store in a folder takes up, at one moment. Other engines have no such thing."""

    rows: dict[Table, int]
    file_bytes: int
    page_bytes: int
    used_pages: int
    free_pages: int
    """Those that the next commits take, before the file grows."""
    map_bytes: int
    """The most that the file can grow to."""
    map_used_bytes: int
    commits: int
    """How many there were since the store was made or restored."""
    readers: int
    """Snapshots that are being read, by all processes together."""
    oldest_reader_behind: int
    """How many commits the oldest of them is behind: pages freed since then are not used again."""
    disk_bytes: int
    """The size of the file system."""
    disk_free_bytes: int
    """What is free of it, for whoever is not root."""
