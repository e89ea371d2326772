"""A service as a place that commands work on."""

from collections.abc import Callable
from typing import TypeVar

from monotron.client import Client, ClientError, Forbidden, NotFound, Unauthorized
from monotron.commands.arguments import RETRY_SECONDS
from monotron.commands.output import remark
from monotron.commands.places import State, Taken, Version, rfc_3339
from monotron.core.errors import InvalidNumber

T = TypeVar("T")


class RemotePlace:
    """The service at a URL, with the credentials of the variables."""

    def __init__(self, url: str, account: int | None, retry_for: int | None) -> None:
        patience = RETRY_SECONDS if retry_for is None else retry_for
        self._client = Client(url, account=account, patience=patience, on_retry=self._say)

    def take(self, key: str, token: str | None, count: int, *, remember: bool) -> int:
        """See `Place`."""
        if count == 1:
            return self._ask(lambda client: client.next(key, token, remember=remember))
        if token is not None:
            raise InvalidNumber("a token stands for one value: with a token, count must be 1")
        return self._ask(lambda client: client.next(key, count=count)[-1])

    def get(self, key: str) -> State | None:
        """See `Place`."""
        state = self._ask(lambda client: client.current(key))
        return None if state is None else State(state.key, state.value, state.token)

    def each_series(self, prefix: str, contains: str, see: Callable[[State], None]) -> None:
        """See `Place`."""

        def see_all(client: Client) -> None:
            for each in client.series(prefix=prefix, contains=contains):
                see(State(each.key, each.value, each.token))

        self._ask(see_all)

    def each_value(self, key: str, limit: int | None, see: Callable[[Taken], None]) -> bool:
        """See `Place`."""

        def see_all(client: Client) -> bool:
            try:
                for each in client.history(key, limit=limit):
                    created_at = rfc_3339(each.created_at)
                    see(Taken(each.value, each.token, created_at, each.api_key, each.api_key_name))
            except NotFound as error:
                if error.says_more:
                    raise
                return False
            return True

        return self._ask(see_all)

    def seed(self, key: str, value: int) -> State:
        """See `Place`."""
        state = self._ask(lambda client: client.seed(key, value))
        return State(state.key, state.value, state.token)

    def delete(self, key: str) -> None:
        """See `Place`."""
        self._ask(lambda client: client.delete(key))

    def version(self, name: str) -> Version | None:
        """See `Place`."""
        version = self._ask(lambda client: client.version(name))
        return None if version is None else Version(version.name, version.version, version.token)

    def bump(self, name: str, part: str, token: str, pre: str) -> Version:
        """See `Place`."""
        version = self._ask(lambda client: client.next_version(name, part, token, pre=pre))
        return Version(version.name, version.version, version.token)

    def _ask(self, call: Callable[[Client], T]) -> T:
        """Return what `call` returns; an error of access says where the credentials are."""
        try:
            with self._client as client:
                return call(client)
        except Unauthorized as error:
            raise ClientError(
                f"{self._client.url}: {error}; the variable MONOTRON_KEY takes them as KEY:SECRET"
            ) from error
        except Forbidden as error:
            raise ClientError(
                f"{self._client.url}: the API key in MONOTRON_KEY may not do this: {error}"
            ) from error

    def _say(self, reason: str, wait: float) -> None:
        remark(f"{self._client.url}: {reason}; trying again in {wait:.1f} s")
