"""Query parameters."""

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import parse_qsl

import falcon

from monotron.api.answers import wants_plain
from monotron.api.openapi.components import Component, Object, parameter, schema
from monotron.api.openapi.schemas import integer
from monotron.core import numbers
from monotron.core.errors import InvalidName
from monotron.limits import DEFAULT_PAGE_ROWS, PAGE_ROWS
from monotron.limits import WIDTH as MOST_DIGITS

LIMIT = parameter(
    "query",
    "limit",
    schema("Limit", integer(1, PAGE_ROWS), 50),
    f"Rows in a page; {DEFAULT_PAGE_ROWS} if not given.",
)

WIDTH = parameter(
    "query",
    "width",
    schema("Width", integer(1, MOST_DIGITS), 6),
    "The least digits of the number, filled up with zeros; only with `Accept: text/plain`.",
)

MOST_PARAMETERS = 16
"""No call has more than ten; a request with many more is not meant for this service."""


def parameters(req: falcon.Request) -> dict[str, str]:
    """Return the query's parameters by name.

    Raises 400 if it is not UTF-8, has too many parameters, or has one twice: it would be unclear
    which one counts.
    """
    query = req.query_string
    # Most queries are one word: to take them apart by `parse_qsl` takes 6 µs longer.
    if _PLAIN.fullmatch(query):
        name, _, value = query.partition("=")
        return {name: value}
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            max_num_fields=MOST_PARAMETERS,
            # WSGI passes bytes as Latin-1 text (PEP 3333): escaped ones are decoded to the same.
            encoding="latin-1",
        )
        decoded = [(_utf8(name), _utf8(value)) for name, value in pairs]
    except UnicodeDecodeError as error:
        raise InvalidName("the query is not UTF-8") from error
    except ValueError as error:
        raise falcon.HTTPBadRequest(
            description=f"a query can have at most {MOST_PARAMETERS} parameters"
        ) from error
    given = dict(decoded)
    if len(given) < len(decoded):
        raise falcon.HTTPBadRequest(description="a query can have each parameter only once")
    return given


_PLAIN = re.compile(r"[\w.-]+=[\w.-]*", re.ASCII)


def page_limit(query: Mapping[str, str]) -> int:
    """Return how many rows a page may have; raises `InvalidNumber`."""
    if "limit" not in query:
        return DEFAULT_PAGE_ROWS
    return numbers.limit(numbers.parsed("limit", query["limit"]))


def words(query: Mapping[str, str], name: str, known: Collection[str]) -> Collection[str]:
    """Return the words that a parameter has, with commas between them; raises 400 for others."""
    if name not in query:
        return ()
    given = query[name].split(",")
    for word in given:
        if word not in known:
            raise falcon.HTTPBadRequest(
                description=f"{name} must be {' or '.join(known)}"
                f"{', or several with commas between them' * (len(known) > 1)}, not {word[:40]!r}"
            )
    return given


def words_parameter(
    name: str, of: str, known: Sequence[str], description: str, *, within: str = ""
) -> Component:
    """Describe a parameter that `words` reads."""
    body: Object = {
        "type": "array",
        "items": {"type": "string", "enum": list(known)},
        "minItems": 1,
        "maxItems": len(known),
        "uniqueItems": True,
    }
    words_of = schema(of, body, list(known))
    return parameter("query", name, words_of, description, within=within, explode=False)


def width(req: falcon.Request, query: Mapping[str, str]) -> int:
    """Return how many digits a number in text/plain has at least.

    Raises `InvalidNumber`, and 400 if the answer will be JSON, where numbers have no zeros before
    them.
    """
    if "width" not in query:
        return 0
    wanted = numbers.width(numbers.parsed("width", query["width"]))
    if not wants_plain(req):
        raise falcon.HTTPBadRequest(
            description="width is for text/plain: a number in JSON has no zeros before it; send "
            "Accept: text/plain"
        )
    return wanted


def _utf8(latin: str) -> str:
    return latin.encode("latin-1").decode("utf-8")
