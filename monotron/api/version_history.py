"""The history of versions: `/v1/semver/{name}/history`."""

from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.description import READ_SERIES, Calls, Description, Fields, Tag, in_json
from monotron.api.openapi.components import Object, parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import (
    A_TIME,
    STORED_NAME,
    STORED_TOKEN,
    VALUE,
    members,
)
from monotron.api.openapi.schemas import page as page_of
from monotron.api.query import LIMIT, page_limit
from monotron.api.semver import TAG, VERSION_NAME
from monotron.api.timestamps import timestamp
from monotron.core import api_keys, names, semver, version_history
from monotron.core.bumps import PARTS
from monotron.core.call import Call
from monotron.core.version_history import MOST_CHARACTERS, PATTERN, MadeVersion
from monotron.store.contract import Reading, Store

_VERSION = schema(
    "VersionText",
    {"type": "string", "pattern": f"^{PATTERN}$", "maxLength": MOST_CHARACTERS},
    "1.3.0",
    "1.3.0-rc.1",
)
_MADE: Object = {
    "version": _VERSION,
    "token": STORED_TOKEN,
    "part": {"type": "string", "enum": list(PARTS)},
    "pre": {"type": "string", "description": "What a pre-release has after its hyphen."},
    "key": STORED_NAME,
    "value": VALUE,
    "created_at": {"type": ["string", "null"], "format": "date-time"},
    "api_key": {"type": ["string", "null"], "description": "The key that took it."},
    "api_key_name": {"type": "string", "description": "The name of that key, if it has one."},
}
_A_MADE: Object = {
    "version": "1.3.0",
    "token": "7d4c379588",
    "part": "minor",
    "key": "app-minor-v1",
    "value": 3,
    "created_at": A_TIME,
    "api_key": "pXq2mV7cLwT9aZr4KdY8sBnE",
    "api_key_name": "jenkins-prod",
}
_ENTRY = schema(
    "MadeVersion",
    members(_MADE, optional=("pre", "api_key_name"))
    | {
        "description": "`key` and `value` are the series that counted it, and what it got there. "
        "`created_at` is null if the history of that series no longer holds it."
    },
    _A_MADE,
    {
        "version": "1.3.0-rc.1",
        "token": "f00d",
        "part": "minor",
        "pre": "rc.1",
        "key": "app-pre-v1.3.0.rc",
        "value": 1,
        "created_at": None,
        "api_key": None,
    },
)
_PARTS = {number: name for name, number in PARTS.items()}


class VersionHistory:
    """The versions of a name, the newest first, a page at a time."""

    tag: ClassVar[Tag] = TAG
    fields: ClassVar[Fields] = {"name": VERSION_NAME}
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getVersionHistory",
            "The versions that were made, the newest first, a page at a time",
            in_json(
                page_of("VersionHistoryPage", "history", _ENTRY, _VERSION, *_ENTRY.body["examples"])
            ),
            needs=READ_SERIES,
            queries=(
                parameter(
                    "query",
                    "before",
                    _VERSION,
                    "The version to continue before.",
                    within="semver",
                    allowEmptyValue=True,
                ),
                LIMIT,
            ),
            missing="there is no version yet",
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer with a page, newest first. `next` is the next page's `before`, or null."""
        name = names.version_name(name, new=False)
        query = req.context.query
        before = version_history.order_of(query["before"]) if query.get("before") else None
        limit = page_limit(query)
        call: Call = req.context.call

        def read(reading: Reading) -> dict[str, object] | None:
            if semver.standing(reading, call.account, name) is None:
                return None
            page = version_history.page(reading, call, name, before=before, limit=limit)
            return {"history": _rows(reading, page.items), "next": page.next}

        found = self._store.view(read)
        if found is None:
            raise falcon.HTTPNotFound(description=f"{name!r} has no version yet")
        resp.data = to_json(found)
        pollable(req, resp)

    on_head = on_get


def _rows(reading: Reading, made: list[MadeVersion]) -> list[dict[str, object]]:
    takers = [None if each.taken is None else each.taken.api_key for each in made]
    key_names = api_keys.names_of(reading, takers)
    rows: list[dict[str, object]] = []
    for each, taker in zip(made, takers, strict=True):
        row: dict[str, object] = {
            "version": each.text,
            "token": each.token,
            "part": _PARTS[each.part],
        }
        if each.pre:
            row["pre"] = each.pre
        row["key"], row["value"] = each.key, each.value
        row["created_at"] = None if each.taken is None else timestamp(each.taken.created_at)
        row["api_key"] = taker
        if taker in key_names:
            row["api_key_name"] = key_names[taker]
        rows.append(row)
    return rows
