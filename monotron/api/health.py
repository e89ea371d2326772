"""Health checks, for machines."""

from typing import ClassVar

import falcon

from monotron.api.access import Needs
from monotron.api.answers import to_json
from monotron.core import clock, probe
from monotron.store.contract import Store, StoreError, StoreUnavailable


class Liveness:
    """`/livez` and `/healthz`: the process answers. It looks at nothing else."""

    needs: ClassVar[Needs] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.data = to_json({"status": "alive"})
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


class Readiness:
    """`/readyz`: the store can be read and written."""

    needs: ClassVar[Needs] = {}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Write a row and read it back; 503 where that fails, for a full disk too."""
        try:
            probe_store(self._store)
        except StoreError as error:
            raise StoreUnavailable(str(error)) from error
        resp.data = to_json({"status": "ready"})
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


def probe_store(store: Store) -> None:
    """Write a row and read it back; raises `StoreError` where that fails."""
    now = clock.now()
    store.update(lambda txn: probe.write(txn, now))
    store.view(probe.read)
