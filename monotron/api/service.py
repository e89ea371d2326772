"""`/v1`: what answers here."""

from typing import ClassVar

import falcon

from monotron import __version__
from monotron.api.access import Needs
from monotron.api.answers import to_json


class Service:
    """The service's name and version."""

    needs: ClassVar[Needs] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give both."""
        resp.data = to_json({"name": "monotron", "version": __version__})

    on_head = on_get
