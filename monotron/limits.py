"""Every limit on input, with its reason."""

NAME_BYTES = 256
"""A series key or a token, in UTF-8. A row key has room for an account and one name: 265 of 511
bytes."""

VERSION_NAME_BYTES = 209
"""The name of versions: the longest key derived from it, `{name}-patch-v{major}.{minor}`, must fit
into a name too, whatever the numbers are."""

PRE_RELEASE_BYTES = 32
"""What identifies a pre-release, such as `rc`: it is part of a series key."""

LAST_VALUE = 2**63 - 1
"""The last value of a series, 9223372036854775807: the largest signed 64-bit integer, in the store
as in most clients' languages."""

WIDTH = len(f"{LAST_VALUE}")
"""The digits of a number, with zeros before it: no value has more."""

RANGE_VALUES = 1_000_000
"""How many values one call may take: a typing mistake must not use up a series."""

PAGE_ROWS = 1_000
"""Rows in one page of a list: a snapshot is held only while they are read."""

DEFAULT_PAGE_ROWS = 100
"""Rows in a page if the caller sets no limit."""

RECENT_VALUES = 50
"""Values of each series that a list may show: enough for a small chart."""

RECENT_PAGE_VALUES = 5_000
"""Recent values in one page of a list, which has fewer rows if each shows many. The store cannot
reuse pages while a snapshot is open: 1,000 rows with 50 values are read in 170 ms, 100 rows in
15 ms, 1,000 rows with 5 values in 45 ms and with none in 2 ms."""

ACTIVITY_VALUES = 1_000
"""Values of each series that a list counts by the hour."""

ACTIVITY_DAYS = 35
"""Days for which it is kept how many numbers an account gave out in each hour: five weeks."""

COUNTED_SERIES = 10_000
"""How many series of an account are counted: to count them all would take long."""

INCLUDED_PAGE_ROWS = 100
"""Rows in a page of a list that counts them, or shows attributes: each may take a millisecond."""

HISTORY_VALUES = 1_000
"""Values that a series' history holds by default."""

MOST_HISTORY_VALUES = 100_000
"""The most that can be set: finding a token means looking through all of them."""

ATTRIBUTES = 64
"""Attributes of one token."""

ATTRIBUTE_BYTES = 65_536
"""The text of one attribute, in UTF-8."""

LISTED_ATTRIBUTE_BYTES = 2_048
"""The text of an attribute that a list of many tokens shows: a URL fits, a log does not."""

LISTED_ATTRIBUTES_BYTES = 2**20
"""The texts of attributes in one page of a history, which then has fewer rows."""

SCOPES = 16
"""Scopes of one API key: only 12 pairs of an operation and a resource exist."""

API_KEYS = 1_000
"""API keys of one account, which are listed in one answer."""

API_KEY_NAME_BYTES = 64
"""The name of an API key, in UTF-8: it is one column of a list."""

IDEMPOTENCY_KEY_CHARACTERS = 256
"""The length of an Idempotency-Key; a UUID has 36."""

IDEMPOTENCY_HOURS = 24
"""How long a retry gets the first answer, at least."""

REQUEST_ID_CHARACTERS = 128
"""The length of an X-Request-ID; a longer one is replaced. The longest that proxies create have
some 70."""

URL_BYTES = 8_192
"""The request target. Three names with every byte percent-encoded need 2,304 bytes."""

HEADER_BYTES = 32_768
"""All headers of a request, including its first line."""

JSON_BYTES = 65_536
"""A JSON body: apart from attributes, no call comes near it."""

ATTRIBUTES_BYTES = 5 * 2**20
"""The attributes of one token as one JSON body: 64 of 64 KiB, and the overhead of JSON."""

HEADERS = 100
"""Header lines of a request; a browser behind several proxies sends some 40."""

BODY_BYTES = ATTRIBUTES_BYTES
"""The body of any request, as the server accepts it."""

IMPORT_LINES = 1_000
"""Lines that an import writes in one update: some 30 ms during which no number is given out."""

IMPORT_BYTES = 2**20
"""Bytes of lines after which an update is full too: attributes make long lines."""

EXPORT_LINE_BYTES = 2**27
"""One line of an export. A series with the longest possible history, all of it with the longest
tokens, has 70 MB."""

DATABASE_ROW_BYTES = 2**20
"""One row of a database as text: the longest attribute, with every byte escaped, has 400 KB."""
