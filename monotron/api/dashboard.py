"""The dashboard: `/`, and its files below `/web`.

It is open to everybody: the files contain no data, and get what they show from the API.
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
    # Only content from this server, no inline code, and no embedding in another page. The page
    # fetches a badge that needs credentials by itself, and shows it from memory (blob).
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
        """Answer with the page."""
        _answer(req, resp, PAGE)

    on_head = on_get


class DashboardFile:
    """`/web/{file}`: one of the page's files."""

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
            missing="the dashboard has no file 'nothing.js'",
            polled=POLLED,
        )
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer with the file; 404 if it does not exist."""
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
