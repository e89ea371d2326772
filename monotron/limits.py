"""Every limit on what comes in, with its reason."""

NAME_BYTES = 256
"""A series key or a token, in UTF-8. A row's key has room for an account and one name: 265 of 511
bytes."""

LAST_VALUE = 2**63 - 1
"""The last value of a series, 9223372036854775807: what a signed 64-bit integer holds, in the
store as in most clients' languages."""

RANGE_VALUES = 1_000_000
"""How many values one call may take: a slip of the keyboard must not use a series up."""

PAGE_ROWS = 1_000
"""Rows in one page of a list: a snapshot is held no longer than it takes to read them."""

DEFAULT_PAGE_ROWS = 100
"""Rows in a page where the caller names no limit."""

URL_BYTES = 8_192
"""The request target. Two names with every byte percent-encoded need 1,536."""

HEADER_BYTES = 32_768
"""All headers of a request with its first line."""

BODY_BYTES = 65_536
"""The body of a request: there is no call whose JSON comes near it."""
