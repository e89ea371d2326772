"""Health checks, for machines."""

from typing import ClassVar

import falcon

from monotron.api.about import SERVICE
from monotron.api.answers import to_json
from monotron.api.description import Answer, Calls, Description, Tag, in_json
from monotron.api.openapi.components import constant, schema
from monotron.api.openapi.parameters import NO_STORE
from monotron.api.openapi.schemas import members
from monotron.core import clock, probe
from monotron.store.contract import Store, StoreError, StoreUnavailable


def _status(name: str, status: str) -> Answer:
    of = schema(name, members({"status": constant(status)}), {"status": status})
    return in_json(of, NO_STORE)


class Liveness:
    """`/livez` and `/healthz`: the process answers. Nothing else is checked."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getLiveness",
            "The process answers; nothing else is checked",
            _status("Alive", "alive"),
        )
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer that the process is alive."""
        resp.data = to_json({"status": "alive"})
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


class Readiness:
    """`/readyz`: the store can be read and written."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getReadiness", "The store can be read and written", _status("Ready", "ready")
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Write a row and read it back; 503 if that fails, even because the disk is full."""
        try:
            probe_store(self._store)
        except StoreError as error:
            raise StoreUnavailable(str(error)) from error
        resp.data = to_json({"status": "ready"})
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


def probe_store(store: Store) -> None:
    """Write a row and read it back; raises `StoreError` if that fails."""
    now = clock.now()
    store.update(lambda txn: probe.write(txn, now))
    store.view(probe.read)
