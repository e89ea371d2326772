"""`/openapi.json`: the document, for programs."""

from typing import ClassVar

import falcon

from monotron.api.about import SERVICE
from monotron.api.answers import pollable
from monotron.api.description import Calls, Description, Tag, in_json
from monotron.api.openapi.components import schema
from monotron.api.openapi.document import OPENAPI
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import members


class OpenApi:
    """The document, built in advance."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getOpenApi",
            "This document",
            in_json(
                schema(
                    "OpenApi",
                    members(
                        {
                            "openapi": {"type": "string"},
                            "info": {"type": "object"},
                            "paths": {"type": "object"},
                        }
                    ),
                    {"openapi": OPENAPI, "info": {"title": "Monotron"}, "paths": {}},
                )
            ),
            polled=POLLED,
        )
    }

    def __init__(self, document: bytes) -> None:
        self._document = document

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the document."""
        resp.data = self._document
        pollable(req, resp)

    on_head = on_get
