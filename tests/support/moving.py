"""Stores with some of everything, exported and imported."""

import io
import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timezone

from monotron.core import (
    accounts,
    activity,
    api_keys,
    attributes,
    bumps,
    calver,
    records,
    retries,
    semver,
    series,
    tables,
)
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.api_keys import Pair
from monotron.core.errors import RuleError
from monotron.core.records import request_digest
from monotron.store.contract import Reading, Store, Table, Transaction
from monotron.transfer import exporting, importing, jsonl, lines
from monotron.transfer.importing import Options
from monotron.transfer.items import Item
from monotron.transfer.tally import Tally
from tests.support.calls import call_in
from tests.support.invariants import Rows, rows_of_store

ACCOUNTS = (1, 7, 2**63 - 1)
KEYS = ("shop", "shop/nightly", "svc-major", "svc-minor-v1", "ö \U0001f600", "a" * 256)
TOKENS = ("7d4c379588", "90d8c75c8e", "é", '"\\', "c" * 256)
TEXTS = ("", "Kim\r\n", "\0\x1b \u2028", "x" * 65_536)
KEEP = 30
"""How many values history holds here: so few that rows are removed."""

NOW = 1_704_164_645_120_000
"""2024-01-02T03:04:05.12Z"""


@dataclass
class ImportResult:
    """The messages of an import."""

    tally: Tally = field(default_factory=Tally)
    complaints: list[str] = field(default_factory=list)

    @property
    def summary(self) -> list[str]:
        return list(self.tally.summary())


def exported(store: Store) -> list[str]:
    """Return the lines of an export."""
    return [lines.header(), *map(lines.to_json, exporting.lines(store))]


def bring(
    store: Store, text: Sequence[str], *, keep: int = KEEP, strict: bool = False
) -> ImportResult:
    """Import an export."""
    stream = io.BytesIO("".join(f"{line}\n" for line in text).encode())
    return bring_items(store, jsonl.read(stream, lambda size: None), keep=keep, strict=strict)


def bring_items(
    store: Store,
    items: Iterable[Item],
    *,
    keep: int = KEEP,
    strict: bool = False,
    brought: ImportResult | None = None,
) -> ImportResult:
    """Import everything from a source; `brought` gets its messages even if it fails."""
    brought = brought or ImportResult()
    options = Options(keep, NOW, strict)
    importing.run(store, items, options, brought.tally, brought.complaints.append)
    return brought


def rows(store: Store) -> dict[Table, Rows]:
    """Return all rows except the one that a readiness check writes, and those of the indexes.

    Each store has an index of tokens only where somebody has asked for one, and in the index of
    changes a busy series may have an older place.
    """
    found = rows_of_store(store)
    found[tables.SYSTEM] = [row for row in found[tables.SYSTEM] if row[0] != b"probe"]
    del found[tables.TOKENS], found[tables.CHANGE_TIMES]
    found[tables.SERIES] = [_without_indexes(*row) for row in found[tables.SERIES]]
    return found


def _without_indexes(row_key: bytes, value: bytes) -> tuple[bytes, bytes]:
    state = replace(records.unpack_series(row_key, value), indexed=0, buckets=0, listed_at=0)
    return row_key, records.pack_series(state)


def values(reading: Reading) -> dict[tuple[int, str], int]:
    """Return the value of each series, by its account and its key."""
    found = {}
    for account in accounts.page(reading, after=0, limit=1_000).items:
        for each in series.page(reading, account, prefix="", after="", limit=1_000).items:
            found[account, each.key] = each.value
    return found


def fill(store: Store, chance: random.Random, steps: int) -> None:
    """Do what callers do, that many times."""

    def do(txn: Transaction) -> None:
        for now in range(steps):
            with suppress(RuleError):
                _step(txn, chance, now)
        if steps:
            series.set_limit(txn, FIRST_ACCOUNT, "not yet", 7)
            activity.add(txn, {(FIRST_ACCOUNT, 490_000): steps, (FIRST_ACCOUNT, 490_001): 1})

    store.update(do)


def _step(txn: Transaction, chance: random.Random, now: int) -> None:
    account, key, token = chance.choice(ACCOUNTS), chance.choice(KEYS), chance.choice(TOKENS)
    accounts.make(txn, account, now=now)
    api_key = chance.choice((None, "root", "kQ3vX8Zp2LrT6mNwB9cY4hJd"))
    kind = chance.randrange(20)
    if kind < 6:
        series.advance(txn, call_in(account, now=now, api_key=api_key, keep=KEEP), key, token=token)
    elif kind < 10:
        count = chance.choice((1, 1, 1, 3, 70))
        series.advance(txn, call_in(account, now=now, api_key=api_key, keep=KEEP), key, count=count)
    elif kind < 11:
        series.seed(txn, call_in(account, now=now), key, chance.choice((5, 60, 400, 2**63 - 300)))
    elif kind < 12:
        series.delete(txn, account, key)
        series.set_limit(txn, account, key, chance.choice((0, 0, 2**62)))
        series.recall(txn, call_in(account, now=now), chance.choice(KEYS), token)
    elif kind < 14:
        name = chance.choice(("author", "url", "ü"))
        attributes.put(txn, account, key, token, {name: chance.choice(TEXTS)})
    elif kind < 17:
        part = chance.choice((bumps.MAJOR, bumps.MINOR, bumps.PATCH))
        semver.bump(
            txn,
            call_in(account, now=now, keep=KEEP),
            "svc",
            part,
            chance.choice((token, str(now))),
            pre=chance.choice(("", "", "rc")),
        )
        dated = call_in(account, now=now, keep=KEEP)
        calver.take(txn, dated, "svc", token, scheme="YYYY.WW.MICRO", zone=timezone.utc)
    elif kind < 18:
        pair = Pair("".join(chance.choices("abcXYZ123", k=24)), "s")
        held = ("read,write:series", "*:acl")
        called = chance.choice((None, "jenkins"))
        api_keys.create(txn, call_in(account, now=now), pair, held, name=called, expires_at=now)
    elif kind < 19:
        for each in api_keys.get_all(txn, account)[-1:]:
            api_keys.delete(txn, account, each.key)
    else:
        retries.once(
            txn,
            call_in(account, now=now),
            str(now),
            request_digest("POST", key),
            lambda: series.advance(txn, call_in(account, now=now, keep=KEEP), key).value,
        )
