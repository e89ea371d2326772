"""Requests to the members of an etcd cluster, one member at a time.

A request goes to the member that answered last. If it does not answer, the next one is asked.
gRPC does not send it again by itself: a transaction would be sent twice without our knowing.

Channels are opened by the process that uses them, never before a fork (grpc #15334).
"""

import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from monotron.store.contract import StoreFull, StoreUnavailable, UpdateTooLarge
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address

Answer = TypeVar("Answer")

TRY_SECONDS = 1.0
"""How long a member has to answer a small request. A new leader is there after about as long."""

LEAST_SECONDS = 0.01
"""How long a member has at least, though the call that asks it is late."""

BYTES_A_SECOND = 2**18
"""A large request has so much more time: a second for each 256 KiB, which is slow for any disk."""

PAUSE_SECONDS = 0.05
"""The pause once no member has answered."""

GRACE_SECONDS = 1.0
"""How long a call tries while etcd has been out of reach for long, so that none waits for it."""

_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A page of rows may have more than the 4 MiB that are the default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Proxies of a whole company are not meant for the cluster's own network.
    ("grpc.enable_http_proxy", 0),
)

log = logging.getLogger("monotron")


@dataclass(frozen=True, slots=True)
class Security:
    """What a client needs to be let in. PEM; a CA turns TLS on."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    password: str | None = None


class Lost(Exception):
    """No answer came. Whether the request was carried out, now or later, is not known."""


class Compacted(Exception):
    """The revision that was asked for is gone, or this member does not have it yet."""


class LeaseNotFound(Exception):
    """The lease has expired; the request was not carried out."""


class Client:
    """A client of a cluster. Its methods may be called from any thread."""

    def __init__(self, address: Address, security: Security, *, wait_seconds: float) -> None:
        # Otherwise gRPC writes its own lines to stderr, several for each attempt to connect.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        self._user = address.user
        self._password = security.password
        self._members = [_Member(endpoint, security) for endpoint in address.endpoints]
        self._at = 0
        self._answered: _Member | None = None
        """The member that answered last."""
        self._term = 0
        self._token: str | None = None
        self._wait_seconds = wait_seconds
        self._silent_since: float | None = None
        """When the first request failed since the last answer; None if none has."""
        self.last_answer = time.monotonic()
        """When the last answer came, by the monotonic clock."""

    @property
    def member(self) -> int:
        """The member that is asked, by its place in the address, from 0."""
        return self._at

    def patience(self) -> float:
        """Return until when a call that begins now may try, by the monotonic clock."""
        now = time.monotonic()
        if self._silent_since is None:
            return now + self._wait_seconds
        grace = min(GRACE_SECONDS, self._wait_seconds)
        return max(now + grace, self._silent_since + self._wait_seconds)

    def send(self, request: pb.TxnRequest, until: float) -> pb.TxnResponse:
        """Send a transaction once, to one member.

        Raises `Lost` if no answer comes, `LeaseNotFound`, or a `StoreError` if etcd refuses it.
        """
        answer = self._authenticated(_txn_of, request, until)
        self._note_term(answer.header.raft_term)
        return answer

    def ask(self, request: pb.TxnRequest, until: float) -> pb.TxnResponse:
        """Send a transaction that may be carried out several times, to each member in turn.

        Raises `StoreUnavailable` if none has answered by then, and `Compacted`.
        """
        return self._ask(_txn_of, request, until)

    def new_lease(self, seconds: int, until: float) -> int:
        """Return a lease; raises `StoreUnavailable`."""
        answer = self._ask(lambda m: m.lease_grant, pb.LeaseGrantRequest(TTL=seconds), until)
        return answer.ID

    def renew(self, lease: int, until: float) -> bool:
        """Renew a lease; return False if it has expired. Raises `StoreUnavailable`."""
        request = pb.LeaseKeepAliveRequest(ID=lease)
        answer: pb.LeaseKeepAliveResponse
        answer = self._ask(lambda member: member.lease_keep_alive, request, until)
        return answer.TTL > 0

    def revoke(self, lease: int, until: float) -> None:
        """Give a lease back; raises `StoreUnavailable`."""
        with suppress(LeaseNotFound):
            self._ask(lambda member: member.lease_revoke, pb.LeaseRevokeRequest(ID=lease), until)

    def status(self, until: float) -> pb.StatusResponse:
        """Return what a member tells about itself; raises `StoreUnavailable`."""
        return self._ask(lambda member: member.status, pb.StatusRequest(), until)

    def close(self) -> None:
        """Close the connections; requests that are under way fail."""
        for member in self._members:
            member.channel.close()

    def _ask(
        self, call_of: "Callable[[_Member], Callable[..., Answer]]", request: Any, until: float
    ) -> Answer:
        for turn in itertools.count(1):
            try:
                return self._authenticated(call_of, request, until)
            except Lost as error:
                if time.monotonic() >= until:
                    raise StoreUnavailable(f"etcd does not answer: {error}") from error
            if turn % len(self._members) == 0:
                time.sleep(PAUSE_SECONDS)
        raise AssertionError

    def _authenticated(
        self, call_of: "Callable[[_Member], Callable[..., Answer]]", request: Any, until: float
    ) -> Answer:
        """Call with a token, if there is a user; a token may have expired."""
        for may_try_again in (True, False):
            if self._user is not None and self._token is None:
                login = pb.AuthenticateRequest(name=self._user, password=self._password or "")
                self._token = self._call(_authenticate_of, login, until).token
            try:
                return self._call(call_of, request, until)
            except _InvalidToken as error:
                self._token = None
                if not may_try_again:
                    raise StoreUnavailable(f"etcd does not let us in: {error}") from error
        raise AssertionError

    def _call(
        self, call_of: "Callable[[_Member], Callable[..., Answer]]", request: Any, until: float
    ) -> Answer:
        at = self._at
        call = call_of(self._members[at])
        seconds = min(TRY_SECONDS + request.ByteSize() / BYTES_A_SECOND, until - time.monotonic())
        metadata = () if self._token is None else (("token", self._token),)
        try:
            answer = call(request, timeout=max(seconds, LEAST_SECONDS), metadata=metadata)
        except grpc.RpcError as error:
            failure = _failure_of(error, self._members[at].endpoint)
            if isinstance(failure, Lost):
                self._note_silence(at)
            raise failure from error
        self._note_answer(at)
        return answer

    def _note_silence(self, at: int) -> None:
        """Go on with the next member, unless another thread did."""
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        if self._at == at:
            self._at = (at + 1) % len(self._members)

    def _note_answer(self, at: int) -> None:
        self.last_answer = time.monotonic()
        self._silent_since = None
        member, before = self._members[at], self._answered
        if before is not member:
            self._answered = member
            if before is not None:
                log.warning(
                    "etcd is asked at %s, no longer at %s", member.endpoint, before.endpoint
                )

    def _note_term(self, term: int) -> None:
        before, self._term = self._term, term
        if before and before != term:
            log.warning("etcd has elected a leader (term %d, before it %d)", term, before)


def _txn_of(member: "_Member") -> Callable[..., pb.TxnResponse]:
    return member.txn


def _authenticate_of(member: "_Member") -> Callable[..., pb.AuthenticateResponse]:
    return member.authenticate


class _InvalidToken(Exception):
    """The token has expired, or users have been changed since it was given."""


class _Member:
    """The connection to one member, and the calls that it takes."""

    def __init__(self, endpoint: str, security: Security) -> None:
        self.endpoint = endpoint
        if security.ca is None:
            channel = grpc.insecure_channel(endpoint, _OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(
                security.ca, security.key, security.certificate
            )
            channel = grpc.secure_channel(endpoint, credentials, _OPTIONS)
        self.channel = channel
        self.txn = self._method("KV/Txn", pb.TxnRequest, pb.TxnResponse)
        self.lease_grant = self._method(
            "Lease/LeaseGrant", pb.LeaseGrantRequest, pb.LeaseGrantResponse
        )
        self.lease_revoke = self._method(
            "Lease/LeaseRevoke", pb.LeaseRevokeRequest, pb.LeaseRevokeResponse
        )
        self.status = self._method("Maintenance/Status", pb.StatusRequest, pb.StatusResponse)
        self.authenticate = self._method(
            "Auth/Authenticate", pb.AuthenticateRequest, pb.AuthenticateResponse
        )
        self._keep_alive = channel.stream_stream(
            "/etcdserverpb.Lease/LeaseKeepAlive",
            request_serializer=pb.LeaseKeepAliveRequest.SerializeToString,
            response_deserializer=pb.LeaseKeepAliveResponse.FromString,
        )

    def lease_keep_alive(self, request: pb.LeaseKeepAliveRequest, **how: Any) -> Any:
        """Renew a lease once: the call is a stream, of which one answer is read."""
        answers: Any = self._keep_alive(iter([request]), **how)
        try:
            return next(answers)
        finally:
            answers.cancel()

    def _method(
        self, name: str, request: type[Any], response: type[Answer]
    ) -> Callable[..., Answer]:
        method: Callable[..., Answer] = self.channel.unary_unary(
            f"/etcdserverpb.{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,  # type: ignore[attr-defined]
        )
        return method


def _failure_of(error: grpc.RpcError, endpoint: str) -> Exception:
    """Return what a failed call means; everything that is not certain is `Lost`.

    The texts are those of etcd's rpctypes/error.go.
    """
    # Each error of a call is a call as well.
    code, details = error.code(), error.details() or ""
    if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT):
        if "space exceeded" in details:
            return StoreFull("etcd's database has reached its quota; nothing was taken")
        if any(text in details for text in _TOO_LARGE):
            return UpdateTooLarge("etcd does not take that much at once; nothing was taken")
    if code is grpc.StatusCode.UNAUTHENTICATED or "revision of auth store" in details:
        return _InvalidToken(details)
    if code is grpc.StatusCode.OUT_OF_RANGE:
        return Compacted(details)
    if code is grpc.StatusCode.NOT_FOUND and "lease" in details:
        return LeaseNotFound(details)
    if code in _REFUSALS:
        return StoreUnavailable(f"etcd at {endpoint} refuses the request: {details}")
    return Lost(f"{endpoint}: {details or code.name}")


_TOO_LARGE = ("too large", "larger than max", "too many operations")

_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)
