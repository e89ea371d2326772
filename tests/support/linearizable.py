"""Whether there is an order of calls, one after another, that explains every answer.

A call counts at one moment between its begin and its end. One that failed counts at no moment. One
of unknown outcome counts at a moment after its begin, or not at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

State = TypeVar("State")


class Action(Protocol[State]):
    """What a call does to a state, according to the rules."""

    def apply(self, state: State) -> tuple[State, object]:
        """Return the state after it, and its answer."""
        ...


@dataclass(slots=True)
class Called(Generic[State]):
    """A call, and what is known of it."""

    action: Action[State]
    by: str
    begin: float
    end: float = math.inf
    answer: object = None
    is_unknown: bool = False

    def __str__(self) -> str:
        answer = "?" if self.is_unknown else repr(self.answer)
        return f"{self.begin:>4} to {self.end:>4} {self.by} {self.action} -> {answer}"


def explains(start: State, calls: Sequence[Called[State]]) -> bool:
    """Return whether an order explains the answers; the state must be hashable."""
    dead = set[tuple[int, State]]()

    def search(left: int, state: State) -> bool:
        waiting = [(at, call) for at, call in enumerate(calls) if left >> at & 1]
        if all(call.is_unknown for _, call in waiting):
            return True
        if (left, state) in dead:
            return False
        # What began after another had ended comes after it.
        last = min(call.end for _, call in waiting)
        for at, call in waiting:
            if call.begin > last:
                continue
            after, answer = call.action.apply(state)
            if (call.is_unknown or answer == call.answer) and search(left & ~(1 << at), after):
                return True
        dead.add((left, state))
        return False

    return search((1 << len(calls)) - 1, start)
