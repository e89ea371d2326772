"""What a storage engine promises: an ordered key-value store with serializable updates.

The verbs are bbolt's `View` and `Batch`, the functions are FoundationDB's transactional functions:

- `view(fn)` runs `fn` on a consistent snapshot and never waits for a writer;
- `update(fn)` runs `fn` in a write transaction and returns once its writes are durable.

Tables, keys and values are bytes, and what they mean is not the store's business.

An engine is one module that implements `Store`. The conformance suite in `tests/` is the
contract's other half: whatever passes it is an engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from monotron.errors import MonotronError

T = TypeVar("T")

MAX_KEY_BYTES = 511
"""Keys are 1 to 511 bytes, which is LMDB's limit (MDB_MAXKEYSIZE); every engine keeps to it."""


Table = bytes
"""The name of a table, in ASCII. An engine is handed the tables there are when it opens a store,
and knows no others."""


class StoreError(MonotronError):
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
        """Return the value at `key`, or None.

        Raises `ValueError` if the key is not of 1 to 511 bytes.
        """
        ...

    def scan(
        self, table: Table, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return the first `limit` rows with `start <= key < stop`, in the keys' byte order.

        With `reverse`, the last rows of the range, last first. The bounds may be of any length.
        A list with a limit, not an iterator: a snapshot must not stay open while a caller thinks.
        """
        ...


class Transaction(Reading, Protocol):
    """A snapshot that can be written to and sees its own writes."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Store `value` at `key`, in place of what was there.

        Raises `ValueError` if the key is not of 1 to 511 bytes.
        """
        ...

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove the row at `key`; return whether there was one.

        Raises `ValueError` if the key is not of 1 to 511 bytes.
        """
        ...

    def delete_range(self, table: Table, start: bytes, stop: bytes) -> int:
        """Remove every row with `start <= key < stop`; return how many there were."""
        ...


class Store(Protocol):
    """A storage engine. Its methods may be called from any thread."""

    def view(self, fn: Callable[[Reading], T]) -> T:
        """Return what `fn` returns on a snapshot that holds every update that returned before.

        That includes updates which another process made. It never waits for a writer.
        Raises what `fn` raises, or a `StoreError`.
        """
        ...

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """Return what `fn` returns in a write transaction, once its writes are durable.

        Updates are serializable. Those that wait at the same moment share one durable commit;
        one that comes alone waits for nobody. `fn` may run more than once, on any thread, so it
        has no effect besides its writes; it must not call the store again.

        What `fn` raises is raised here, and none of its writes are kept; the others that share
        its commit do not notice. Raises a `StoreError` if the store failed: nothing was kept.
        """
        ...

    def close(self) -> None:
        """Finish the updates that wait, then let go of the store. Closing again does nothing.

        Any call after it raises `StoreUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that an engine says of itself to people who watch it, in its own words."""

    name: str
    """Lower-case words joined by underscores, the last one the unit, such as `size_bytes`."""
    meaning: str
    value: float
    table: Table | None = None
    """Which table it is of, if it is not of the whole store."""
