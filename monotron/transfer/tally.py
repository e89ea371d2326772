"""A tally of what an import has done, with a summary for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monotron.core.imports import Outcome

SERIES, HISTORY, ATTRIBUTES, VERSIONS = "series", "history", "attributes", "versions"
ACCOUNTS, API_KEYS, RETRIES = "accounts", "API keys", "retries"


class Result(NamedTuple):
    """What happened to an imported record."""

    what: str
    outcome: Outcome
    amount: int = 1
    series: tuple[int, str] | None = None


@dataclass(slots=True)
class Tally:
    """What an import has done so far: durable batches, and items left out."""

    done: "Counter[tuple[str, Outcome]]" = field(default_factory=Counter)
    skipped: "Counter[str]" = field(default_factory=Counter)
    """How many were skipped, by reason."""
    broken: int = 0
    reached: str | None = None
    """Where the last item of the last batch is."""
    complete: bool = False
    _series: tuple[int, str] | None = None
    _outcome: Outcome = Outcome.KEPT

    def add(self, results: Sequence[Result], reached: str) -> None:
        """Count a batch that is now durable."""
        for result in results:
            if result.series is not None:
                self._add_series(result.series, result.outcome)
            else:
                self.done[result.what, result.outcome] += result.amount
        self.reached = reached

    def summary(self) -> Iterator[str]:
        """Iterate over the lines of a summary for people."""
        for what, words in _TOLD.items():
            if what == SERIES or any(self.done[what, outcome] for outcome in words):
                counts = (f"{self.done[what, outcome]} {word}" for outcome, word in words.items())
                yield f"{what:11} {', '.join(counts)}"
        for reason, count in sorted(self.skipped.items()):
            yield f"{'skipped':11} {count}: {reason}"
        if self.broken:
            yield f"{'broken':11} {self.broken}"
        if not self.complete:
            reached = "before anything" if self.reached is None else f"after {self.reached}"
            yield f"{'stopped':11} {reached}"

    def _add_series(self, series: tuple[int, str], outcome: Outcome) -> None:
        """Count a series once if its lines follow each other."""
        if series == self._series:
            if self._outcome is not Outcome.KEPT or outcome is Outcome.KEPT:
                return
            self.done[SERIES, Outcome.KEPT] -= 1
        self.done[SERIES, outcome] += 1
        self._series, self._outcome = series, outcome


_TOLD = {
    SERIES: {Outcome.NEW: "new", Outcome.RAISED: "raised", Outcome.KEPT: "kept"},
    HISTORY: {Outcome.NEW: "new", Outcome.KEPT: "left out"},
    **{
        what: {Outcome.NEW: "new", Outcome.KEPT: "kept"}
        for what in (ATTRIBUTES, VERSIONS, ACCOUNTS, API_KEYS, RETRIES)
    },
}
"""The lines of a summary, in this order."""
