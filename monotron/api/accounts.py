"""Accounts: `/v1/accounts`."""

from typing import ClassVar

import falcon

from monotron.api.access import Needs
from monotron.api.answers import pollable, to_json
from monotron.api.conditions import conditions
from monotron.api.query import page_limit, whole_number
from monotron.api.unread import Queries
from monotron.core import accounts, numbers
from monotron.core.call import Call
from monotron.core.scopes import Operation, Resource
from monotron.store.contract import Store, Transaction


class Accounts:
    """`/v1/accounts`: every account, a page at a time."""

    needs: ClassVar[Needs] = {"GET": None}
    queries: ClassVar[Queries] = {"GET": ("after", "limit")}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page, ordered by id. `next` is the `after` of the next one, or null."""
        query = req.context.query
        after = None
        if query.get("after"):
            after = numbers.bound("after", whole_number("after", query["after"]))
        limit = page_limit(query)
        page = self._store.view(lambda reading: accounts.page(reading, after=after, limit=limit))
        members = [{"id": account} for account in page.items]
        resp.data = to_json({"accounts": members, "next": page.next})
        pollable(req, resp)

    on_head = on_get


class Account:
    """`/v1/accounts/{account_id}`."""

    needs: ClassVar[Needs] = {"GET": (Operation.READ, Resource.ACCOUNT), "PUT": None}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the account."""
        resp.data = to_json({"id": req.context.call.account})
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make the account. One that exists already stays as it is."""
        call: Call = req.context.call
        wanted, members = conditions(req), to_json({"id": call.account})

        def make(txn: Transaction) -> None:
            wanted.require(lambda: [members] if accounts.exists(txn, call.account) else ())
            accounts.make(txn, call.account, now=call.now)

        self._store.update(make)
        resp.data = members
