"""Importing: items go into a store, one batch in each update.

A batch is one transaction. Between two batches other writers get their turn, so an import can run
beside a service.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from monotron.core import api_keys, imports
from monotron.core.errors import RuleError
from monotron.core.imports import Outcome
from monotron.errors import MonotronError
from monotron.limits import IMPORT_BYTES, IMPORT_LINES
from monotron.store.contract import Store, Transaction
from monotron.transfer.items import Broken, Item, Read, Skipped
from monotron.transfer.lines import (
    AccountLine,
    ActivityLine,
    ApiKeyIdsLine,
    ApiKeyLine,
    ApiKeyNameLine,
    AttributeLine,
    BumpLine,
    DatedLine,
    LimitLine,
    Line,
    RetryLine,
    SeriesLine,
)
from monotron.transfer.tally import (
    ACCOUNTS,
    API_KEYS,
    ATTRIBUTES,
    HISTORY,
    RETRIES,
    SERIES,
    VERSIONS,
    Result,
    Tally,
)

Complain = Callable[[str], object]
"""Called for each item that is not imported, with the reason."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an import."""

    keep: int
    """How many values a series' history holds."""
    now: int
    strict: bool = False
    """Whether it stops at the first broken item, without writing any of its batch."""


class Stopped(MonotronError):
    """A strict import found something broken."""


def run(
    store: Store, items: Iterable[Item], options: Options, tally: Tally, complain: Complain
) -> None:
    """Import everything and count it in `tally`; raises `Stopped` if it is strict."""
    for batch in _batches(items, options, tally, complain):
        try:
            results, refused = store.update(lambda txn, batch=batch: _write(txn, batch, options))  # type: ignore[misc]
        except _Refused as error:
            results, refused = [], [error.broken]
        else:
            tally.add(results, batch[-1].place)
        for broken in refused:
            _break(broken, options, tally, complain)
    tally.complete = True


def _batches(
    items: Iterable[Item], options: Options, tally: Tally, complain: Complain
) -> Iterator[list[Read]]:
    batch: list[Read] = []
    lines = size = 0
    for item in items:
        if isinstance(item, Read):
            batch.append(item)
            lines, size = lines + item.lines, size + item.size
            if lines >= IMPORT_LINES or size >= IMPORT_BYTES:
                yield batch
                batch, lines, size = [], 0, 0
        elif isinstance(item, Skipped):
            tally.skipped[item.reason] += 1
            complain(f"{item.place}: skipped: {item.reason}")
        else:
            _break(item, options, tally, complain)
    if batch:
        yield batch


def _break(broken: Broken, options: Options, tally: Tally, complain: Complain) -> None:
    tally.broken += 1
    complain(f"{broken.place}: {broken.reason}")
    if options.strict:
        raise Stopped(f"stopped at {broken.place}; nothing of its batch was written")


class _Refused(Exception):
    """A rule refused an item of a strict import; none of its batch is kept."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.reason)
        self.broken = broken


def _write(
    txn: Transaction, batch: Sequence[Read], options: Options
) -> tuple[list[Result], list[Broken]]:
    """Write a batch; return its results, and the items that the rules refused."""
    results: list[Result] = []
    refused: list[Broken] = []
    for versions, together in groupby(batch, lambda read: _versions(read.line)):
        if versions is not None:
            results += _add_versions(txn, [read.line for read in together], options)
            continue
        for read in together:
            try:
                results += _add(txn, read.line, options)
            except RuleError as error:
                refused.append(Broken(read.place, str(error)))
                if options.strict:
                    raise _Refused(refused[-1]) from error
    return results, refused


def _add(txn: Transaction, line: Line, options: Options) -> list[Result]:
    if isinstance(line, ApiKeyIdsLine):
        api_keys.use_ids(txn, line.last)
        return []
    if isinstance(line, AccountLine):
        return [Result(ACCOUNTS, imports.add_account(txn, line.account, now=line.created_at))]
    if isinstance(line, SeriesLine):
        return [*_make(txn, line.series.account, options), *_add_series(txn, line, options.keep)]
    if isinstance(line, AttributeLine):
        outcome = imports.add_attribute(txn, line.account, line.key, line.attribute)
        return [*_make(txn, line.account, options), Result(ATTRIBUTES, outcome)]
    if isinstance(line, ApiKeyLine):
        outcome = imports.add_api_key(txn, line.api_key)
        return [*_make(txn, line.api_key.account, options), Result(API_KEYS, outcome)]
    if isinstance(line, ApiKeyNameLine):
        imports.add_api_key_name(txn, line.key, line.name)
        return []
    if isinstance(line, LimitLine):
        imports.add_limit(txn, line.account, line.key, line.limit)
        return _make(txn, line.account, options)
    if isinstance(line, ActivityLine):
        imports.add_activity(txn, line.account, line.hour, line.count)
        return _make(txn, line.account, options)
    assert isinstance(line, RetryLine)  # noqa: S101
    outcome = imports.add_retry(txn, line.account, line.digest, line.retry, made_at=line.created_at)
    return [*_make(txn, line.account, options), Result(RETRIES, outcome)]


def _make(txn: Transaction, account: int, options: Options) -> list[Result]:
    """Create the account of an item if no line has created it."""
    outcome = imports.add_account(txn, account, now=options.now)
    return [Result(ACCOUNTS, outcome)] if outcome is Outcome.NEW else []


def _add_series(txn: Transaction, line: SeriesLine, keep: int) -> list[Result]:
    brought = imports.add_series(txn, line.series, line.history, keep=keep)
    results = [Result(SERIES, brought.outcome, series=(line.series.account, line.series.key))]
    if brought.values:
        results.append(Result(HISTORY, Outcome.NEW, brought.values))
    if left_out := sum(entry.count for _, entry in line.history) - brought.values:
        results.append(Result(HISTORY, Outcome.KEPT, left_out))
    return results


def _versions(line: Line) -> tuple[str, int, str, str] | None:
    """Return which versions a line belongs to: their kind, account, name and scheme."""
    if isinstance(line, BumpLine):
        return line.kind, line.account, line.name, ""
    if isinstance(line, DatedLine):
        return line.kind, line.account, line.name, line.scheme
    return None


def _add_versions(txn: Transaction, together: Sequence[Line], options: Options) -> list[Result]:
    bumped = [line for line in together if isinstance(line, BumpLine)]
    dated = [line for line in together if isinstance(line, DatedLine)]
    first: BumpLine | DatedLine = (bumped or dated)[0]
    account, name, now = first.account, first.name, options.now
    results = _make(txn, account, options)
    if isinstance(first, DatedLine):
        brought = [line.dated for line in dated]
        outcomes = imports.add_dated(txn, account, name, first.scheme, brought, now=now)
    else:
        outcomes = imports.add_bumps(txn, account, name, [line.bump for line in bumped], now=now)
    for outcome, moved in outcomes:
        results.append(Result(VERSIONS, outcome))
        if moved is not Outcome.KEPT:
            results.append(Result(SERIES, moved))
    return results
