"""Imports: data from another store or service, brought into this one.

Nothing is ever moved back or replaced. Of two values of a series, the larger one wins; anything
else that already exists stays as it is. So importing the same data twice changes nothing the second
time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from monotron.core import (
    accounts,
    api_keys,
    attributes,
    bumps,
    changes,
    dated,
    history,
    records,
    series,
    tables,
)
from monotron.core.records import ApiKey, Attribute, Bump, Dated, Entry, Retry, Series
from monotron.store.contract import Transaction

Numbered = tuple[int, Entry]
"""The number of an entry's last value among those given out, and the entry of history."""


class Outcome(Enum):
    """What happened to an imported record."""

    NEW = "new"
    RAISED = "raised"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What happened to an imported series, and how many values its history got."""

    outcome: Outcome
    values: int = 0


def add_account(txn: Transaction, account: int, *, now: int) -> Outcome:
    """Create an account unless it exists."""
    if accounts.exists(txn, account):
        return Outcome.KEPT
    accounts.make(txn, account, now=now)
    return Outcome.NEW


def add_series(
    txn: Transaction, brought: Series, entries: Sequence[Numbered], *, keep: int
) -> ImportResult:
    """Bring a series up to where the imported one is, with the values that were given out there.

    A new series gets the same value and the same history; a limit that was set here stays. An
    existing one moves up if it is behind. Its history gets only values above its newest, because
    entries are in the order of their values; a token whose value is below that is not known here.
    """
    before = series.get(txn, brought.account, brought.key)
    if before is not None:
        return _bring_up(txn, before, brought, entries if keep else (), keep=keep)
    kept = entries if keep else ()
    # `extend` makes its rows anew.
    brought = replace(brought, history=0, newest_row=b"")
    begins, newest = history.extend(txn, brought, kept, keep=None)
    if kept and kept[-1][0] < brought.given:
        # The next value begins a new row, as it does after history was off.
        history.end_row(txn, replace(brought, history=begins, newest_row=newest))
        begins, newest = brought.value, b""
    account, key, changed_at = brought.account, brought.key, brought.updated_at
    # One that was set here stays.
    new = series.begin(txn, account, key, now=changed_at)
    series.forget_waiting_limit(txn, new)
    limit = new.limit or brought.limit
    listed_at = changes.note(txn, account, key, 0, changed_at)
    series.put(
        txn,
        replace(brought, history=begins, newest_row=newest, limit=limit, listed_at=listed_at),
    )
    return ImportResult(Outcome.NEW, _count(kept))


def add_attribute(txn: Transaction, account: int, key: str, attribute: Attribute) -> Outcome:
    """Store an attribute unless the token already has one of that name.

    Raises `InvalidAttribute` if the token would then have too many.
    """
    token, name = attribute.token, attribute.name
    if attributes.get(txn, account, key, token, name) is not None:
        return Outcome.KEPT
    attributes.put(txn, account, key, token, {name: attribute.value})
    return Outcome.NEW


def add_bumps(
    txn: Transaction, account: int, name: str, brought: Sequence[Bump], *, now: int
) -> list[tuple[Outcome, Outcome]]:
    """Remember the versions that tokens got, and move their series up to them.

    A version that another token has here stays with that token. Returns what happened to each bump
    and to its series.
    """
    owners = {bumps.made_with(name, bump): bump.token for bump in bumps.all_of(txn, account, name)}
    outcomes = []
    for bump in brought:
        made = key, value = bumps.made_with(name, bump)
        known = bumps.find(txn, account, name, bump.part, bump.token, bump.pre) is not None
        taken = owners.get(made, bump.token) != bump.token
        if taken or known or _is_of_another(series.get(txn, account, key), value, bump.token):
            outcomes.append((Outcome.KEPT, Outcome.KEPT))
            continue
        owners[made] = bump.token
        moved = add_series(txn, Series(account, key, value, None, now, now), (), keep=0)
        bumps.remember(txn, account, name, bump)
        outcomes.append((Outcome.NEW, moved.outcome))
    return outcomes


def add_dated(
    txn: Transaction, account: int, name: str, scheme: str, brought: Sequence[Dated], *, now: int
) -> list[tuple[Outcome, Outcome]]:
    """Remember the calendar versions that tokens got, and move their series up to them.

    A version that another token has here stays with that token, and so does a name its scheme.
    Returns what happened to each version and to its series.
    """
    there = dated.calendar(txn, account, name)
    if there is not None and there.scheme != scheme:
        return [(Outcome.KEPT, Outcome.KEPT)] * len(brought)
    owners = {(each.period, each.micro): each.token for each in dated.all_of(txn, account, name)}
    outcomes = []
    for each in brought:
        key, made = dated.series_key(name, each.period), (each.period, each.micro)
        known = made in owners or dated.find(txn, account, name, each.token) is not None
        if known or _is_of_another(series.get(txn, account, key), each.micro, each.token):
            outcomes.append((Outcome.KEPT, Outcome.KEPT))
            continue
        owners[made] = each.token
        moved = add_series(txn, Series(account, key, each.micro, None, now, now), (), keep=0)
        dated.remember(txn, account, name, scheme, each)
        outcomes.append((Outcome.NEW, moved.outcome))
    return outcomes


def add_api_key(txn: Transaction, api_key: ApiKey) -> Outcome:
    """Store an API key unless its key exists; if its id is taken, under the next free id.

    Raises `TooManyApiKeys` if the account has no room for another.
    """
    if api_keys.find(txn, api_key.key) is not None:
        return Outcome.KEPT
    number = max(api_key.id, api_keys.last_id(txn) + 1)
    api_keys.add(txn, replace(api_key, id=number))
    return Outcome.NEW


def add_api_key_name(txn: Transaction, key: str, name: str) -> None:
    """Store the name of an API key unless it has one."""
    if api_keys.name_of(txn, key) is None:
        api_keys.set_name(txn, key, name)


def add_limit(txn: Transaction, account: int, key: str, limit: int) -> None:
    """Set the limit of a series unless it has one or has a value here."""
    if series.get(txn, account, key) is None and not series.limit_of(txn, account, key):
        series.set_limit(txn, account, key, limit)


def add_retry(
    txn: Transaction, account: int, digest: bytes, retry: Retry, *, made_at: int
) -> Outcome:
    """Keep an answer under an Idempotency-Key with this digest, unless there is one already."""
    row_key = records.retry_row_key_of_digest(account, digest)
    if txn.get(tables.RETRIES, row_key) is not None:
        return Outcome.KEPT
    txn.put(tables.RETRIES, row_key, records.pack_retry(retry))
    txn.put(tables.RETRY_TIMES, records.retry_time_row_key(made_at, row_key), b"")
    return Outcome.NEW


def add_activity(txn: Transaction, account: int, hour: int, count: int) -> None:
    """Count the numbers that an account gave out in an hour, unless as many are counted here.

    They are not added up: the same export may be imported twice.
    """
    row_key = records.activity_row_key(account, hour)
    before = txn.get(tables.ACTIVITY, row_key)
    if before is None or records.unpack_counter(before) < count:
        txn.put(tables.ACTIVITY, row_key, records.pack_counter(count))


def _bring_up(
    txn: Transaction, before: Series, brought: Series, entries: Sequence[Numbered], *, keep: int
) -> ImportResult:
    newer = _newer(before, history.last(txn, before), entries)
    raised = brought.value > before.value
    # A limit that was set here stays, and one that has been passed here would stop the series.
    limited = not before.limit and brought.limit >= before.value
    if not newer and not raised and not limited:
        return ImportResult(Outcome.KEPT)
    begins, newest = history.extend(txn, before, newer, keep=keep)
    given = max(before.given, newer[-1][0]) if newer else before.given
    after = replace(
        before,
        given=given,
        history=begins,
        newest_row=newest,
        limit=brought.limit if limited else before.limit,
    )
    if raised:
        after = replace(
            after,
            value=brought.value,
            token=brought.token,
            updated_at=brought.updated_at,
            listed_at=changes.note(
                txn, before.account, before.key, before.listed_at, brought.updated_at
            ),
        )
    # A value with a token was given out, even if no history records it.
    if raised and brought.token and not (newer and newer[-1][1].value == brought.value):
        after = replace(after, given=given + 1)
    if after.given > (newer[-1][0] if newer else before.given):
        # The next value begins a new row, because the numbers within a row have no gaps.
        history.end_row(txn, after)
        after = replace(after, history=after.value if after.history else 0, newest_row=b"")
    series.put(txn, after)
    return ImportResult(Outcome.RAISED if raised else Outcome.KEPT, _count(newer))


def _newer(
    before: Series, last: Numbered | None, entries: Sequence[Numbered]
) -> list[tuple[int, Entry]]:
    """Return the entries newer than the newest one here, numbered to follow it.

    Values that the series has already passed were given out, or skipped, before its present one;
    they get numbers that leave as many values skipped.
    """
    number, top = (last[0], last[1].value) if last else (0, 0)
    newer = []
    for _, entry in entries:
        if entry.value <= top:
            continue
        first = max(entry.value - entry.count, top)
        number = max(number, before.given - max(0, before.value - first))
        number += entry.value - first
        newer.append((number, replace(entry, count=entry.value - first)))
        top = entry.value
    return newer


def _is_of_another(state: Series | None, value: int, token: str) -> bool:
    """Return whether another token, which can still get this value's version, got it by hand."""
    if state is None or state.value != value:
        return False
    return state.token is not None and state.token != token


def _count(entries: Sequence[Numbered]) -> int:
    return sum(entry.count for _, entry in entries)
