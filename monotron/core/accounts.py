"""Accounts: each has its own series and API keys, and cannot see another account's."""

from monotron.core import records, tables
from monotron.core.errors import NoSuchAccount
from monotron.store import paging
from monotron.store.contract import Reading, Transaction
from monotron.store.paging import Page

FIRST_ACCOUNT = 1
"""The account that always exists, without a row; the caller's when authentication is off."""


def make(txn: Transaction, account: int, *, now: int) -> None:
    """Create an account; an existing one stays as it is."""
    row_key = records.account_row_key(account)
    if account != FIRST_ACCOUNT and txn.get(tables.ACCOUNTS, row_key) is None:
        txn.put(tables.ACCOUNTS, row_key, records.pack_account(now))


def require(reading: Reading, account: int) -> None:
    """Raise `NoSuchAccount` if the account does not exist."""
    if not exists(reading, account):
        raise NoSuchAccount(f"account {account} does not exist")


def exists(reading: Reading, account: int) -> bool:
    """Return whether the account exists."""
    if account == FIRST_ACCOUNT:
        return True
    return reading.get(tables.ACCOUNTS, records.account_row_key(account)) is not None


def page(reading: Reading, *, after: int | None, limit: int) -> Page[int, int]:
    """Return at most `limit` account ids above `after`, or from the first if it is None."""
    start, stop = paging.EVERYTHING
    if after is not None:
        start = paging.key_after(records.account_row_key(after))
    rows = reading.scan(tables.ACCOUNTS, start, stop, limit=limit + 1)
    accounts = [records.unpack_account_row_key(row_key) for row_key, _ in rows]
    if after is None or after < FIRST_ACCOUNT:
        accounts = sorted([FIRST_ACCOUNT, *accounts])
    more = len(accounts) > limit
    return Page(accounts[:limit], accounts[limit - 1] if more else None)
