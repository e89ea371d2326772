"""`/v1`: the service's name and version."""

from typing import ClassVar

import falcon

from monotron import __version__
from monotron.api.answers import to_json
from monotron.api.description import Calls, Description, Tag, in_json
from monotron.api.openapi.components import constant, schema
from monotron.api.openapi.schemas import members

SERVICE = Tag("Service", "Health checks, metrics, the dashboard, and the service's version.")

_NAME = "monotron"


class About:
    """The service's name and version."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getService",
            "Name and version",
            in_json(
                schema(
                    "Service",
                    members({"name": constant(_NAME), "version": {"type": "string"}}),
                    {"name": _NAME, "version": __version__},
                )
            ),
        )
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with both."""
        resp.data = to_json({"name": _NAME, "version": __version__})

    on_head = on_get
