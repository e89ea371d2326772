"""Accounts: `/v1/accounts`."""

from typing import ClassVar

import falcon

from monotron.api.answers import pollable, to_json
from monotron.api.conditions import conditions
from monotron.api.description import ROOT, Calls, Description, Tag, in_json
from monotron.api.openapi.components import parameter, schema
from monotron.api.openapi.parameters import POLLED
from monotron.api.openapi.schemas import ACCOUNT_ID, BOUND, members, page
from monotron.api.query import LIMIT, page_limit
from monotron.core import accounts, numbers
from monotron.core.call import Call
from monotron.core.scopes import Operation, ScopeResource
from monotron.store.contract import Store, Transaction

ACCOUNTS = Tag(
    "Accounts and API keys", "API keys, and the accounts they act in. Account 1 always exists."
)

_ACCOUNT = schema("Account", members({"id": ACCOUNT_ID}), {"id": 1})


class Accounts:
    """`/v1/accounts`: every account, a page at a time."""

    tag: ClassVar[Tag] = ACCOUNTS
    calls: ClassVar[Calls] = {
        "GET": Description(
            "listAccounts",
            "The accounts, ordered by id, a page at a time",
            in_json(page("AccountPage", "accounts", _ACCOUNT, ACCOUNT_ID, {"id": 1})),
            needs=ROOT,
            queries=(
                parameter(
                    "query",
                    "after",
                    BOUND,
                    "The id to continue after.",
                    within="accounts",
                    allowEmptyValue=True,
                ),
                LIMIT,
            ),
            polled=POLLED,
        )
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with a page, ordered by id. `next` is the next page's `after`, or null."""
        query = req.context.query
        after = None
        if query.get("after"):
            after = numbers.bound("after", numbers.parsed("after", query["after"]))
        limit = page_limit(query)
        found = self._store.view(lambda reading: accounts.page(reading, after=after, limit=limit))
        rows = [{"id": account} for account in found.items]
        resp.data = to_json({"accounts": rows, "next": found.next})
        pollable(req, resp)

    on_head = on_get


class Account:
    """`/v1/accounts/{account_id}`."""

    tag: ClassVar[Tag] = ACCOUNTS
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getAccount",
            "The account",
            in_json(_ACCOUNT),
            needs=(Operation.READ, ScopeResource.ACCOUNT),
            polled=POLLED,
        ),
        "PUT": Description(
            "putAccount",
            "Create the account; if it exists, nothing changes",
            in_json(_ACCOUNT),
            needs=ROOT,
            then=("getAccount", "makeGrant"),
        ),
    }

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the account."""
        resp.data = to_json({"id": req.context.call.account})
        pollable(req, resp)

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Create the account. An existing one stays as it is."""
        call: Call = req.context.call
        wanted, body = conditions(req), to_json({"id": call.account})

        def make(txn: Transaction) -> None:
            wanted.require(lambda: [body] if accounts.exists(txn, call.account) else ())
            accounts.make(txn, call.account, now=call.now)

        self._store.update(make)
        resp.data = body
