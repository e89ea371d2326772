"""The contract of a storage engine: an ordered key-value store with serializable updates.

The verbs are bbolt's `View` and `Batch`, the functions are FoundationDB's transactional functions:

- `view(fn)` runs `fn` on a consistent snapshot and never waits for a writer;
- `update(fn)` runs `fn` in a write transaction and returns once its writes are durable.

Tables, keys and values are bytes; their meaning is not the store's business.

An engine is one module that implements `Store`. The conformance suite in `tests/` is the other half
of the contract: whatever passes it is an engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from monotron.errors import MonotronError

T = TypeVar("T")

MAX_KEY_BYTES = 511
"""Keys are 1 to 511 bytes, which is LMDB's limit (MDB_MAXKEYSIZE); every engine keeps to it."""

MAX_VALUE_BYTES = 2**20
"""Values are up to 1 MiB: etcd takes requests of up to 1.5 MiB. Every engine keeps to it."""


Table = bytes
"""The name of a table, in ASCII. An engine gets the list of tables when it opens a store, and knows
no others."""


class StoreError(MonotronError):
    """A failure of the store. Unless it is `StoreUncertain`, none of the writes were kept."""


class StoreFull(StoreError):
    """The disk or the map is full. The store works again once there is room."""


class UpdateTooLarge(StoreFull):
    """The engine does not take that much in one update. It takes smaller ones."""


class StoreUnavailable(StoreError):
    """The store cannot be reached at present: closed, locked by another process, or failing I/O."""


class StoreUncertain(StoreUnavailable):
    """It is not known whether the update was kept: the engine's answer was lost.

    It may also be kept later. The caller finds out by repeating the update in a way that shows
    whether it was kept before.
    """


class StoreCorrupt(StoreError):
    """The data cannot be understood: not a store, damaged, or written by a newer version."""


class Reading(Protocol):
    """A consistent snapshot of all tables, valid only inside the function that received it."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises `ValueError` unless the key has 1 to 511 bytes.
        """
        ...

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return the first `limit` rows with `start <= key < stop`, in the keys' byte order.

        With `reverse`, the last rows of the range, last first. The bounds may have any length. The
        result is a list with a limit, not an iterator, because a snapshot must not stay open while
        the caller is busy elsewhere.
        """
        ...


class Transaction(Reading, Protocol):
    """A snapshot that can be written to, and sees its own writes."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Store `value` at `key`, in place of any value there.

        Raises `ValueError` unless the key has 1 to 511 bytes and the value up to 1 MiB.
        """
        ...

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove the row at `key`; return whether it existed.

        Raises `ValueError` unless the key has 1 to 511 bytes.
        """
        ...

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        """Remove every row with `start <= key < stop`; return how many there were."""
        ...


class Store(Protocol):
    """A storage engine. Its methods may be called from any thread."""

    def view(self, fn: Callable[[Reading], T]) -> T:
        """Run `fn` on a snapshot with every update that has returned, and return its result.

        That includes updates by other processes, and on other machines. The snapshot is taken
        before the first read returns. It never waits for a writer. As in `update`, `fn` may run
        more than once. Raises what `fn` raises, or a `StoreError`.
        """
        ...

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` in a write transaction; return its result once its writes are durable.

        Updates are serializable. Those that wait at the same moment share one durable commit; a
        lone one waits for nobody. `fn` may run more than once, on any thread, so it must have no
        effect besides its writes; it must not call the store again. It may be left at any read, by
        an exception that is no `Exception`. Rows that it reads one after the other may be of
        different moments, but then its result is thrown away and it runs again.

        If `fn` raises, the exception is raised here and none of its writes are kept; updates that
        share its commit are not affected. Raises `StoreUncertain` if it is not known whether the
        writes were kept, and another `StoreError` if the store failed: nothing was kept.
        """
        ...

    def close(self) -> None:
        """Finish the waiting updates, then release the store. Closing again does nothing.

        Any later call raises `StoreUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that an engine reports about itself, with its own name and meaning."""

    name: str
    """Lower-case words joined by underscores, the last one the unit, such as `size_bytes`."""
    meaning: str
    value: float
    table: Table | None = None
    """The table that it is about; None for the whole store."""
