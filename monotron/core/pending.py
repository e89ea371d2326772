"""Pending activity: numbers that a worker has given out, and that the store has not counted yet.

They are counted in memory. Now and then an update takes them along into its own transaction, so
that no call needs a write more than it would without them. A worker that is killed takes what is
pending with it: a figure for people, and never a number.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from monotron.core import activity
from monotron.core.activity import HOUR, Hour
from monotron.core.call import Call
from monotron.store.contract import Store, StoreError, StoreFull, StoreUncertain, Transaction

T = TypeVar("T")

PENDING_SECONDS = 10.0
"""How many seconds after an update that took counts along another one may do so."""

MOST_TAKEN = 4
"""How many hours of accounts one update takes along, so that it stays a small one."""


class PendingActivity:
    """What one worker has not written yet. It can be used from any thread."""

    def __init__(self) -> None:
        self._counts: dict[Hour, int] = {}
        self._leaving: list[dict[Hour, int]] = []
        """What updates are taking along now."""
        self._due_at = 0.0
        self._gate = threading.Lock()

    def note(self, call: Call, count: int) -> None:
        """Count numbers that a call has given out."""
        hour = call.account, call.now // HOUR
        with self._gate:
            self._counts[hour] = self._counts.get(hour, 0) + count

    def counts(self) -> Mapping[Hour, int]:
        """Return what is pending.

        While an update takes it along, for an instant it is already in the store too.
        """
        with self._gate:
            total: dict[Hour, int] = {}
            for each in (self._counts, *self._leaving):
                _add(total, each)
            return total

    def update(self, store: Store, fn: Callable[[Transaction], T]) -> T:
        """Run an update of the store; if it is time, it takes along what is pending."""
        # Without the gate: whoever finds nothing due here may be late by one update.
        if not self._counts or time.monotonic() < self._due_at:
            return store.update(fn)
        return self._along(store, fn)

    def flush(self, store: Store) -> None:
        """Write what is pending; if that fails, it stays pending, and nobody needs to know."""
        with suppress(StoreError):
            self._along(store, lambda txn: None)

    def _along(self, store: Store, fn: Callable[[Transaction], T]) -> T:
        with self._gate:
            taken = dict(islice(self._counts.items(), MOST_TAKEN))
            for hour in taken:
                del self._counts[hour]
            self._leaving.append(taken)
            if not self._counts:
                self._due_at = time.monotonic() + PENDING_SECONDS

        def update(txn: Transaction) -> T:
            result = fn(txn)
            activity.add(txn, taken)
            return result

        try:
            result = store.update(update)
        except StoreUncertain:
            # It may have been kept, and nothing may be counted twice.
            self._forget(taken)
            raise
        except StoreFull:
            # A figure is no reason to refuse anything, least of all what makes room.
            self._put_back(taken)
            return store.update(fn)
        except StoreError:
            self._put_back(taken)
            raise
        else:
            self._forget(taken)
            return result
        finally:
            if self._put_back(taken):
                # The call was refused, so the next update takes these counts along.
                self._due_at = 0.0

    def _put_back(self, taken: Mapping[Hour, int]) -> bool:
        """Make counts pending again if they are still leaving; return whether they were."""
        with self._gate:
            leaving = self._without(taken)
            if len(leaving) == len(self._leaving):
                return False
            self._leaving = leaving
            _add(self._counts, taken)
            return True

    def _forget(self, taken: Mapping[Hour, int]) -> None:
        with self._gate:
            self._leaving = self._without(taken)

    def _without(self, taken: Mapping[Hour, int]) -> list[dict[Hour, int]]:
        # Another one may be equal.
        return [each for each in self._leaving if each is not taken]


class CountedStore:
    """A store whose updates take along what is pending."""

    def __init__(self, store: Store, pending: PendingActivity) -> None:
        self._store = store
        self._pending = pending
        self.view = store.view
        self.close = store.close

    def update(self, fn: Callable[[Transaction], T]) -> T:
        """See `Store`."""
        return self._pending.update(self._store, fn)


def _add(to: dict[Hour, int], counts: Mapping[Hour, int]) -> None:
    for hour, count in counts.items():
        to[hour] = to.get(hour, 0) + count
