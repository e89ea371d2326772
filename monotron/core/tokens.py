"""Tokens: an index of the tokens that a series' history holds.

Without it, finding an earlier token means looking through the whole history. A series has an index
only once somebody has asked for an earlier token, so that nobody else pays for the row that each
token then needs. `history` keeps it, and builds it in parts.
"""

from monotron.core import records, tables
from monotron.core.records import Entry, TokenValue
from monotron.store.contract import Reading, Transaction


def find(reading: Reading, account: int, key: str, token: str) -> TokenValue | None:
    """Return the last value that a token got, or None if it is not in the index."""
    value = reading.get(tables.TOKENS, records.token_row_key(account, key, token))
    return None if value is None else records.unpack_token(value)


def note(txn: Transaction, account: int, key: str, number: int, entry: Entry) -> None:
    """Note the value that an entry's token, if it has one, got last."""
    if entry.token is not None:
        row_key = records.token_row_key(account, key, entry.token)
        held = TokenValue(entry.value, number, entry.token)
        txn.put(tables.TOKENS, row_key, records.pack_token(held))


def note_older(txn: Transaction, account: int, key: str, number: int, entry: Entry) -> None:
    """Do the same for an entry that is older than some in the index."""
    if entry.token is not None and find(txn, account, key, entry.token) is None:
        note(txn, account, key, number, entry)


def forget(txn: Transaction, account: int, key: str, entry: Entry) -> None:
    """Remove an entry's token, unless it has got another value since."""
    if entry.token is None:
        return
    held = find(txn, account, key, entry.token)
    if held is not None and held.value == entry.value:
        txn.delete(tables.TOKENS, records.token_row_key(account, key, entry.token))


def delete(txn: Transaction, account: int, key: str) -> None:
    """Remove the index of a series."""
    txn.delete_range(tables.TOKENS, *records.token_range(account, key))
