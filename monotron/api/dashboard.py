"""The dashboard: `/`, and the files below `/web` that it consists of.

It is open to everybody: the files hold no data, and what they show they ask the API for.
"""

from importlib.resources import files
from typing import ClassVar

import falcon

from monotron.api.access import Needs
from monotron.api.answers import pollable

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


class Dashboard:
    """The files of the dashboard, read once."""

    needs: ClassVar[Needs] = {}

    def __init__(self) -> None:
        self._files = {
            file.name: file.read_bytes()
            for file in files("monotron.web").iterdir()
            if file.name.endswith(tuple(CONTENT_TYPES))
        }

    def on_get(self, req: falcon.Request, resp: falcon.Response, file: str = PAGE) -> None:
        """Give one; the page itself where none is named."""
        if file not in self._files:
            raise falcon.HTTPNotFound(description=f"the dashboard has no file {file!r}")
        resp.content_type = CONTENT_TYPES[file[file.rindex(".") :]]
        resp.set_headers(HEADERS)
        resp.data = self._files[file]
        pollable(req, resp)

    on_head = on_get
