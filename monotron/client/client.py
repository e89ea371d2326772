"""The client of one service."""

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar, overload
from urllib.parse import quote, urlencode

from monotron import __version__
from monotron.client import address, answers
from monotron.client.answers import HistoryValue, Series, Version
from monotron.client.connections import Answer, Connections
from monotron.client.errors import (
    BY_STATUS,
    ClientError,
    NotFound,
    NotMonotron,
    OutcomeUnknown,
    Problem,
    Unreachable,
    WrongAddress,
)
from monotron.client.retrying import OUTCOME_UNKNOWN, OnRetry, until_answered

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a call is tried again by default."""

TIMEOUT_SECONDS = 30.0
"""How long one try of it may take by default."""

PAGE_ROWS = 1_000
"""Rows of a list that are asked for at once."""


class Client:
    """Asks a service for numbers. Several threads may use one client.

    A call that gets no answer is tried again, and takes no second number. Every call raises
    `ClientError`: `Problem` if the service refuses it, `Unreachable` if it does not answer.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        account: int | None = None,
        patience: float = PATIENCE_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Name the service, by default the one of the variable MONOTRON_URL.

        `key` is an API key and its secret as KEY:SECRET, by default those of MONOTRON_KEY.
        `account` is another account than the API key's own, for the root API key. `patience` is
        for how many seconds a call is tried again, `timeout` how many one try may take, and
        `on_retry` hears of each that fails.
        """
        url = url or address.from_environment()
        if url is None:
            raise WrongAddress(f"{address.URL_VARIABLE} is not set: which service is it?")
        self._address = address.parse(url)
        self._connections = Connections(self._address, timeout)
        key = address.key_of(os.environ) if key is None else key
        self._headers = {"Accept": "application/json", "User-Agent": f"monotron/{__version__}"}
        if key is not None:
            self._headers["Authorization"] = address.authorization(key)
        self._root = "/v1" if account is None else f"/v1/accounts/{account}"
        self._patience = patience
        self._on_retry = on_retry or _say_nothing

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A call after that makes a new one."""
        self._connections.close()

    @property
    def url(self) -> str:
        """The address of the service."""
        return str(self._address)

    # Numbers

    @overload
    def next(
        self, key: str, token: str | None = None, *, count: None = None, remember: bool = False
    ) -> int: ...

    @overload
    def next(
        self, key: str, token: str | None = None, *, count: int, remember: bool = False
    ) -> range: ...

    def next(
        self,
        key: str,
        token: str | None = None,
        *,
        count: int | None = None,
        remember: bool = False,
    ) -> int | range:
        """Take the next value of a series; with `count` that many values, as a range.

        With a token, the same token gets the same value again: the current one always, and with
        `remember` any that history still holds. A token stands for one value, so it has no count.
        """
        path = _path("series", key) + ("" if token is None else _path(token))
        query = {} if count is None else {"count": str(count)}
        if remember:
            query["remember"] = "true"
        value = self._ask("POST", path, lambda members: answers.whole(members["value"]), query)
        return value if count is None else range(value - count + 1, value + 1)

    def current(self, key: str) -> Series | None:
        """Return a series with its current value; None before the first."""
        return self._find(_path("series", key), answers.series)

    def seed(self, key: str, value: int) -> Series:
        """Move a series up, so that the next value is `value + 1`. It never moves back."""
        return self._ask("PUT", _path("series", key), answers.series, body={"value": value})

    def delete(self, key: str) -> None:
        """Delete a series with its history: its numbers will be given out again.

        Raises `OutcomeUnknown` if the answer was lost: by then, somebody may have begun it anew.
        """
        self._ask("DELETE", _path("series", key), _nothing, repeatable=False)

    def series(
        self,
        *,
        prefix: str = "",
        contains: str = "",
        sort: str | None = None,
        changed_since: str | None = None,
    ) -> Iterator[Series]:
        """Iterate over the series, in the order of their keys. Pages are read as they are needed.

        `sort` can be `changed`, for the newest change first. `changed_since` is a time in RFC
        3339's format.
        """
        query = {"prefix": prefix, "contains": contains}
        query |= {"sort": sort or "", "changed_since": changed_since or ""}
        return self._pages("/series", "series", "after", answers.series, query)

    def history(
        self, key: str, *, before: int | None = None, limit: int | None = None
    ) -> Iterator[HistoryValue]:
        """Iterate over the values that were given out, newest first, as far as they are kept.

        With `before`, only those below that value, and with `limit` at most so many.
        """
        query = {} if before is None else {"before": str(before)}
        rows = PAGE_ROWS if limit is None else max(min(limit, PAGE_ROWS), 1)
        path = _path("history", key)
        pages = self._pages(path, "history", "before", answers.history_value, query, rows)
        return islice(pages, limit)

    # Limits

    def limit(self, key: str) -> int | None:
        """Return the last value that a series may give out; None if nobody has limited it."""
        # Without a limit, it is the path of a token of that name.
        return self._find(
            _path("series", key, "limit"),
            lambda members: answers.whole(members["limit"]) if "limit" in members else None,
        )

    def set_limit(self, key: str, value: int) -> None:
        """Set the last value that a series may give out."""
        self._ask("PUT", _path("series", key, "limit"), _nothing, body={"value": value})

    def remove_limit(self, key: str) -> None:
        """Let a series give out any value."""
        self._ask("DELETE", _path("series", key, "limit"), _nothing)

    # Versions

    def version(self, name: str) -> Version | None:
        """Return the current semantic version; None before the first."""
        return self._find(_path("semver", name), answers.version)

    def versions(self, *, prefix: str = "") -> Iterator[Version]:
        """Iterate over the names of semantic versions, each with its current one."""
        return self._pages("/semver", "versions", "after", answers.version, {"prefix": prefix})

    def next_version(self, name: str, part: str, token: str, *, pre: str | None = None) -> Version:
        """Take the next semantic version: `part` is `major`, `minor` or `patch`.

        With `pre`, such as `rc`, it is a pre-release of it. The same token gets the same again.
        """
        query = {"pre": pre or ""}
        return self._ask("PUT", _path("semver", name, part, token), answers.version, query)

    def calendar_version(self, name: str) -> Version | None:
        """Return the current calendar version; None before the first."""
        return self._find(_path("calver", name), answers.version)

    def next_calendar_version(
        self, name: str, token: str, scheme: str | None = None, tz: str | None = None
    ) -> Version:
        """Take the next calendar version. The same token gets the same again.

        `scheme` is such as `YYYY.0M.MICRO`, by default that of the name. The period is that of the
        clock in `tz`, such as `Europe/Berlin`, by default in UTC.
        """
        query = {"scheme": scheme or "", "tz": tz or ""}
        return self._ask("PUT", _path("calver", name, token), answers.version, query)

    # Attributes

    def attributes(self, key: str, token: str) -> dict[str, str]:
        """Return what was noted of a token of a series."""
        return self._ask("GET", _path("tokens", key, token, "attrs"), _texts)

    def set_attributes(self, key: str, token: str, texts: Mapping[str, str]) -> None:
        """Note something of a token of a series, in addition to what is noted of it."""
        self._ask("PUT", _path("tokens", key, token, "attrs"), _nothing, body=dict(texts))

    # Asking

    def _find(self, path: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
        try:
            return self._ask("GET", path, read)
        except NotFound as error:
            if error.says_more:
                raise
            return None

    def _pages(
        self,
        path: str,
        name: str,
        continued: str,
        read: Callable[[Mapping[str, Any]], T],
        query: Mapping[str, str],
        rows: int = PAGE_ROWS,
    ) -> Iterator[T]:
        """Iterate over a list. The query parameter `continued` takes the `next` of a page."""
        more: dict[str, str] = {"limit": str(rows)}

        def page(members: Mapping[str, Any]) -> tuple[list[T], str | None]:
            following = members["next"]
            found = [read(row) for row in members[name]]
            return found, None if following is None else str(following)

        while True:
            found, following = self._ask("GET", path, page, {**query, **more})
            yield from found
            if following is None:
                return
            more[continued] = following

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Mapping[str, Any]], T],
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, object] | None = None,
        repeatable: bool = True,
    ) -> T:
        target = self._root + path
        # What is empty is not asked for.
        asked = {name: value for name, value in (query or {}).items() if value}
        if asked:
            target += "?" + urlencode(asked, errors="surrogatepass")
        headers = dict(self._headers)
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST":
            # The same for each try: a number whose answer was lost is answered again.
            headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
        try:
            answer = until_answered(
                lambda: self._connections.ask(method, target, content, headers),
                patience=self._patience,
                repeatable=repeatable,
                on_retry=self._on_retry,
            )
        except (Unreachable, OutcomeUnknown) as error:
            raise type(error)(f"{self._address}: {error}") from error
        return self._read(answer, read)

    def _read(self, answer: Answer, read: Callable[[Mapping[str, Any]], T]) -> T:
        if answer.status != 200:
            raise self._problem(answer)
        try:
            return read(json.loads(answer.body) if answer.body else {})
        except (KeyError, TypeError, ValueError) as error:
            raise NotMonotron(
                f"{self._address}: the answer cannot be understood: is this Monotron?"
            ) from error

    def _problem(self, answer: Answer) -> ClientError:
        if answer.content_type.partition(";")[0].strip() == "application/problem+json":
            try:
                members = json.loads(answer.body)
                detail = answers.text(members.get("detail", members["title"]))
                kind = answers.text(members["type"])
            except (AttributeError, KeyError, TypeError, ValueError):
                pass
            else:
                if kind == OUTCOME_UNKNOWN.decode():
                    return OutcomeUnknown(f"{self._address}: {detail}")
                return BY_STATUS.get(answer.status, Problem)(answer.status, detail, kind)
        where = f"{self._address}: status {answer.status}"
        if 300 <= answer.status < 400:
            return NotMonotron(f"{where}, a redirect: the address must be the service's own")
        if answer.status >= 500:
            return Unreachable(f"{where}, which is not from Monotron itself")
        return NotMonotron(f"{where}, which is not from Monotron: is this its address?")


def _path(*names: str) -> str:
    """Return names as a path; the service says what is wrong with one that is no UTF-8."""
    return "".join(f"/{quote(name, safe='', errors='surrogatepass')}" for name in names)


def _texts(members: Mapping[str, Any]) -> dict[str, str]:
    return {name: answers.text(value) for name, value in members.items()}


def _nothing(members: Mapping[str, Any]) -> None:
    """Read nothing: what was asked for is done."""


def _say_nothing(reason: str, wait: float) -> None:
    """Hear of a try that failed."""
