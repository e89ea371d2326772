"""Accounts: each has its own series and API keys, and sees no other's."""

from dataclasses import dataclass

from monotron.core import records, tables
from monotron.core.errors import NoSuchAccount
from monotron.store.contract import Reading, Transaction

FIRST_ACCOUNT = 1
"""The account that is always there, without a row; the caller's if authentication is off."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the accounts, ordered by id."""

    accounts: list[int]
    next: int | None
    """The id to go on after; None on the last page."""


def make(txn: Transaction, account: int, *, now: int) -> None:
    """Make an account; one that is there already stays as it is."""
    row = records.account_row(account)
    if account != FIRST_ACCOUNT and txn.get(tables.ACCOUNTS, row) is None:
        txn.put(tables.ACCOUNTS, row, records.pack_account(now))


def require(reading: Reading, account: int) -> None:
    """Raise `NoSuchAccount` if there is no such account."""
    if not exists(reading, account):
        raise NoSuchAccount(f"there is no account {account}")


def exists(reading: Reading, account: int) -> bool:
    """Return whether there is such an account."""
    if account == FIRST_ACCOUNT:
        return True
    return reading.get(tables.ACCOUNTS, records.account_row(account)) is not None


def page(reading: Reading, *, after: int | None, limit: int) -> Page:
    """Return at most `limit` accounts whose ids are greater than `after`; None for the first."""
    start = b"" if after is None else records.after_row(records.account_row(after))
    rows = reading.scan(tables.ACCOUNTS, start, b"\xff" * 9, limit=limit + 1)
    accounts = [records.unpack_account(row) for row, _ in rows]
    if after is None or after < FIRST_ACCOUNT:
        accounts = sorted([FIRST_ACCOUNT, *accounts])
    more = len(accounts) > limit
    return Page(accounts[:limit], accounts[limit - 1] if more else None)
