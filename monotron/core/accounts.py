"""Accounts: each has its own series and API keys, and sees no other's."""

from dataclasses import dataclass

from monotron.core import records
from monotron.core.errors import NoSuchAccount
from monotron.store.contract import Reading, Table, Transaction

FIRST_ACCOUNT = 1
"""The account that is always there; the caller's where there is no authentication."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the accounts, ordered by id."""

    accounts: list[int]
    next: int | None
    """The id to go on after; None on the last page."""


def make(txn: Transaction, account: int, *, now: int) -> None:
    """Make an account; one that is there already stays as it is."""
    row = records.account_row(account)
    if account != FIRST_ACCOUNT and txn.get(Table.ACCOUNTS, row) is None:
        txn.put(Table.ACCOUNTS, row, records.pack_account(now))


def require(reading: Reading, account: int) -> None:
    """Raise `NoSuchAccount` where there is no such account."""
    if account == FIRST_ACCOUNT:
        return
    if reading.get(Table.ACCOUNTS, records.account_row(account)) is None:
        raise NoSuchAccount(f"there is no account {account}")


def page(reading: Reading, *, after: int, limit: int) -> Page:
    """Give at most `limit` accounts whose ids are greater than `after`."""
    first = [FIRST_ACCOUNT] if after < FIRST_ACCOUNT else []
    start = records.after_row(records.account_row(max(after, FIRST_ACCOUNT)))
    rows = reading.scan(Table.ACCOUNTS, start, b"\xff" * 9, limit=limit + 1)
    accounts = first + [records.unpack_account(row) for row, _ in rows]
    more = len(accounts) > limit
    return Page(accounts[:limit], accounts[limit - 1] if more else None)
