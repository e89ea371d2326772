"""The header that warns of a series' limit, on each answer with a value near it."""

import falcon

from monotron.api.openapi.components import Component, header
from monotron.core import series

NAME = "Series-Limit"

LIMIT_HEADER: Component = header(
    NAME,
    {
        "type": "string",
        "pattern": "^[0-9]{1,19};remaining=[0-9]{1,19}$",
        "description": f"The series' limit, and how many values are left (RFC 9651). It is there "
        f"from {series.NEAR_PERCENT} % of the limit on.",
    },
    "2100000000;remaining=1500",
    always=False,
)


def warn(req: falcon.Request, resp: falcon.Response, value: int) -> None:
    """Say how many values are left, if `value` is near the limit in `req.context.limit`."""
    limit: int = req.context.limit
    if limit and series.is_near_limit(value, limit):
        req.context.near_limit = True
        # After an import a series may have passed its limit.
        resp.set_header(NAME, f"{limit};remaining={max(limit - value, 0)}")
