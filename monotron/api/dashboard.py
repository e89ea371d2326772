"""The dashboard: `/`, and the files below `/web` that it consists of.

It is open to everybody: the files hold no data, and what they show they ask the API for.
"""

import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import ClassVar

import falcon

from monotron.api.about import SERVICE
from monotron.api.answers import pollable
from monotron.api.description import Answer, Calls, Description, Field, Fields, Tag
from monotron.api.openapi.components import constant_header, parameter, schema
from monotron.api.openapi.parameters import POLLED

PAGE = "index.html"

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

HEADERS = {
    # Nothing but what comes from here, no inline code, and no place in another page. A badge that
    # needs credentials is asked for by the page itself, and shown from memory (blob).
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


_SAFE = tuple(constant_header(name, text) for name, text in HEADERS.items())


class Dashboard:
    """`/`: the page itself."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getDashboard",
            "The dashboard, for a browser",
            Answer(
                {CONTENT_TYPES[".html"]: schema("Page", {"type": "string"}, "<!doctype html>\n")},
                _SAFE,
            ),
            polled=POLLED,
        )
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with it."""
        _answer(req, resp, PAGE)

    on_head = on_get


class DashboardFile:
    """`/web/{file}`: one of the files that the page consists of."""

    tag: ClassVar[Tag] = SERVICE
    fields: ClassVar[Fields] = {
        "file": Field(
            parameter(
                "path",
                "file",
                schema("FileName", {"type": "string", "minLength": 1}, PAGE),
                "The file.",
            )
        )
    }
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getDashboardFile",
            "A file of the dashboard",
            Answer(
                dict.fromkeys(
                    CONTENT_TYPES.values(),
                    schema("File", {"type": "string"}, "<!doctype html>\n"),
                ),
                _SAFE,
            ),
            missing="the dashboard has no such file",
            polled=POLLED,
        )
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer with it; 404 if there is no such file."""
        if file not in _files():
            raise falcon.HTTPNotFound(description=f"the dashboard has no file {file!r}")
        _answer(req, resp, file)

    on_head = on_get


@functools.cache
def _files() -> Mapping[str, bytes]:
    return {
        file.name: file.read_bytes()
        for file in files("monotron.web").iterdir()
        if file.name.endswith(tuple(CONTENT_TYPES))
    }


def _answer(req: falcon.Request, resp: falcon.Response, file: str) -> None:
    resp.content_type = CONTENT_TYPES[file[file.rindex(".") :]]
    resp.set_headers(HEADERS)
    resp.data = _files()[file]
    pollable(req, resp)
