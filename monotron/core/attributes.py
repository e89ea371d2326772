"""Attributes: texts kept beside a token, such as a commit's author or a build's URL.

The token need not have been used on the series; deleting the series deletes its attributes anyway.
"""

from collections.abc import Mapping

from monotron.core import names, records, tables
from monotron.core.errors import InvalidAttribute
from monotron.core.records import Attribute
from monotron.limits import ATTRIBUTE_BYTES, ATTRIBUTES, LISTED_ATTRIBUTE_BYTES
from monotron.store.contract import Reading, Transaction


def get(reading: Reading, account: int, key: str, token: str, name: str) -> str | None:
    """Return an attribute's text, or None if it is missing."""
    value = reading.get(tables.ATTRIBUTES, records.attribute_row_key(account, key, token, name))
    return None if value is None else records.unpack_attribute(value).value


def get_all(reading: Reading, account: int, key: str, token: str) -> dict[str, str]:
    """Return all attributes of a token, ordered by name."""
    range_ = records.attribute_range(account, key, token)
    found = [
        records.unpack_attribute(value)
        for _, value in reading.scan(tables.ATTRIBUTES, *range_, limit=ATTRIBUTES)
    ]
    return {each.name: each.value for each in sorted(found, key=lambda each: each.name)}


def shortest(reading: Reading, account: int, key: str, token: str | None) -> dict[str, str] | None:
    """Return the attributes of a token whose texts are short enough for a list of tokens.

    None if the token has no attributes, or if there is no token.
    """
    return short(get_all(reading, account, key, token)) if token else None


def short(attributes: Mapping[str, str]) -> dict[str, str] | None:
    """Return those whose texts are short enough for a list of tokens; None if there are none."""
    most = LISTED_ATTRIBUTE_BYTES
    listed = {name: text for name, text in attributes.items() if len(text.encode()) <= most}
    return listed if attributes else None


def put(
    txn: Transaction, account: int, key: str, token: str, attributes: Mapping[str, str]
) -> None:
    """Store the attributes; the token's other attributes stay.

    Raises `InvalidAttribute` if the token would then have too many.
    """
    row_keys = {name: records.attribute_row_key(account, key, token, name) for name in attributes}
    there = txn.scan(
        tables.ATTRIBUTES, *records.attribute_range(account, key, token), limit=ATTRIBUTES
    )
    count = len({row_key for row_key, _ in there} | set(row_keys.values()))
    if count > ATTRIBUTES:
        raise InvalidAttribute(
            f"a token can have at most {ATTRIBUTES} attributes; these would make it {count}"
        )
    for name, row_key in row_keys.items():
        attribute = Attribute(token, name, attributes[name])
        txn.put(tables.ATTRIBUTES, row_key, records.pack_attribute(attribute))


def delete(txn: Transaction, account: int, key: str, token: str, name: str) -> bool:
    """Remove an attribute; return whether it existed."""
    return txn.delete(tables.ATTRIBUTES, records.attribute_row_key(account, key, token, name))


def delete_all(txn: Transaction, account: int, key: str, token: str | None = None) -> int:
    """Remove all attributes of a token, or of all tokens; return how many there were."""
    return txn.delete_range(tables.ATTRIBUTES, *records.attribute_range(account, key, token))


def valid(attributes: Mapping[str, object], *, new: bool = True) -> dict[str, str]:
    """Return `attributes` if they can be stored; raises `InvalidName` or `InvalidAttribute`.

    If `new` is off, names that only an earlier version allowed are accepted too.
    """
    return {
        names.attribute(name, new=new): _valid_value(name, value)
        for name, value in attributes.items()
    }


def _valid_value(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidAttribute(f"the attribute {name!r} must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidAttribute(
            f"the attribute {name!r} contains half of a surrogate pair, which UTF-8 cannot encode"
        ) from error
    if size > ATTRIBUTE_BYTES:
        raise InvalidAttribute(
            f"an attribute can have at most {ATTRIBUTE_BYTES} bytes of UTF-8; {name!r} has {size}"
        )
    return value
