"""Parameters and headers that calls of several nouns share."""

from monotron.api.conditions import ANY
from monotron.api.openapi.components import (
    Component,
    constant_header,
    header,
    parameter,
    schema,
)
from monotron.api.openapi.schemas import ACCOUNT_ID, NAME, TOKEN
from monotron.http.problems import RETRY_SECONDS
from monotron.http.request_id import HEADER, PATTERN
from monotron.limits import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_CHARACTERS

FIELDS = {
    "account_id": parameter("path", "account_id", ACCOUNT_ID, "The account."),
    "key": parameter("path", "key", NAME, "The series."),
    "token": parameter("path", "token", TOKEN, "What a number stands for."),
}
"""The fields of a path, unless its resource describes them itself."""


_QUOTED = rf'"(?:[ !#-\[\]-~]|\\["\\]){{1,{IDEMPOTENCY_KEY_CHARACTERS}}}"'
_BARE = rf"[!#-+\--:<-~]{{1,{IDEMPOTENCY_KEY_CHARACTERS}}}"

IDEMPOTENCY_KEY = parameter(
    "header",
    "Idempotency-Key",
    schema(
        "IdempotencyKey",
        {
            "type": "string",
            "pattern": f"^(?:{_QUOTED}|{_BARE})$",
            "description": f"1 to {IDEMPOTENCY_KEY_CHARACTERS} characters in double quotes "
            "(RFC 8941), or bare, without blanks, quotes, commas or semicolons. Quoted or bare, it "
            "is the same key.",
        },
        '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
        "build-1234",
    ),
    "The same key with the same request gets the first answer again for at least "
    f"{IDEMPOTENCY_HOURS} hours.",
)


AN_ETAG = '"0a1b2c3d4e5f60718293a4b5"'

_TAG = '(?:W/)?"[!#-~]*"'
_CONDITION = schema(
    "Condition",
    {
        "anyOf": [
            {"type": "string", "enum": [ANY]},
            {"type": "string", "pattern": f"^{_TAG}(?:, {_TAG})*$"},
        ]
    },
    AN_ETAG,
    ANY,
)

KNOWN_ETAGS = parameter(
    "header",
    "If-None-Match",
    schema("KnownETags", {"type": "string"}, AN_ETAG),
    "The ETag of an earlier answer.",
)

CONDITIONS = (
    parameter(
        "header",
        "If-Match",
        _CONDITION,
        "Proceed only if one of these is the current ETag of a GET of this path; `*` for any.",
        within="change",
    ),
    parameter(
        "header",
        "If-None-Match",
        _CONDITION,
        "Proceed only if none of these is the current ETag of a GET of this path; `*` if there "
        "is nothing yet.",
        within="change",
    ),
)
"""The conditions of each call that changes something."""


REQUEST_ID = header(
    HEADER, {"type": "string", "pattern": f"^{PATTERN}$"}, "7f3c1a90b2d84e5f6a7b8c9d"
)
"""The header of every answer."""

ETAG = header("ETag", {"type": "string", "pattern": '^"[0-9a-f]{24}"$'}, AN_ETAG)
NO_STORE = constant_header("Cache-Control", "no-store", value="no-store")
NO_SNIFFING = constant_header("X-Content-Type-Options", "nosniff")
ALLOW = header("Allow", {"type": "string"}, "GET, HEAD, OPTIONS")
RETRY_AFTER = header("Retry-After", {"type": "integer", "minimum": 1}, RETRY_SECONDS)

POLLED: tuple[Component, ...] = (
    ETAG,
    constant_header("Cache-Control", "no-cache"),
    constant_header("Vary", "Accept"),
)
"""The headers of an answer that can be polled, as `pollable` sets them."""
