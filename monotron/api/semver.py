"""Semantic versions: `/v1/semver/{name}`."""

from collections.abc import Iterable
from typing import ClassVar

import falcon

from monotron.api.access import READ_SERIES, WRITE_SERIES, Needs
from monotron.api.answers import answer, pollable, representations
from monotron.api.conditions import conditions
from monotron.core import names, semver
from monotron.core.call import Call
from monotron.core.semver import Version
from monotron.store.contract import Store, Transaction


class CurrentVersion:
    """`/v1/semver/{name}`: the current version."""

    needs: ClassVar[Needs] = {"GET": READ_SERIES}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer with it; 404 before the first."""
        name = names.version_name(name, new=False)
        version = self._store.view(
            lambda reading: semver.current(reading, req.context.call.account, name)
        )
        if version is None:
            raise falcon.HTTPNotFound(description=f"{name!r} has no version yet")
        answer(req, resp, _members(version), version)
        pollable(req, resp)

    on_head = on_get


class NextVersion:
    """`/v1/semver/{name}/{part}/{token}`: a bump."""

    needs: ClassVar[Needs] = {"PUT": WRITE_SERIES}

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_put(
        self, req: falcon.Request, resp: falcon.Response, name: str, part: str, token: str
    ) -> None:
        """Bump the part; the same part and token again get the same version."""
        name, token = names.version_name(name), names.token(token)
        number = semver.part_named(part)
        call: Call = req.context.call
        wanted = conditions(req)

        def bump(txn: Transaction) -> Version:
            wanted.require(lambda: _current(semver.made(txn, call.account, name, number, token)))
            return semver.bump(txn, call, name, number, token)

        version = self._store.update(bump)
        req.context.given = int(version.advanced)
        answer(req, resp, _members(version), version)


def _current(version: Version | None) -> Iterable[bytes]:
    return () if version is None else representations(_members(version), version)


def _members(version: Version) -> dict[str, object]:
    return {
        "name": version.name,
        "token": version.token,
        "version": str(version),
        "major": version.major,
        "minor": version.minor,
        "patch": version.patch,
    }
