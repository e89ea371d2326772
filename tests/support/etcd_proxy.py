"""A proxy between a replica and a member of etcd, which sees single requests.

Whoever sets `between` decides what becomes of each transaction: it can be carried out at once,
later, twice or not at all, and its answer can be given, held back or lost.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from monotron.store.etcd import etcd_pb2 as pb
from tests.support.service import PATIENCE

CALLS = 32
"""How many calls a proxy has in hand at most. Those it holds back are among them."""

TXN = "/etcdserverpb.KV/Txn"
KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive"

CarryOut = Callable[[], pb.TxnResponse]
"""Sends the transaction to the member, each time that it is called, and returns the answer."""

Between = Callable[[pb.TxnRequest, CarryOut], pb.TxnResponse]
"""Returns what is answered to a transaction; raises one of these."""


class Broken(Exception):
    """The connection breaks: the replica knows at once that no answer comes."""


class Silent(Exception):
    """No answer comes until the replica stops waiting for it."""


class Full(Exception):
    """The member says that its database is full."""


def untouched(request: pb.TxnRequest, carry_out: CarryOut) -> pb.TxnResponse:
    """Do what happens without a proxy."""
    return carry_out()


class Proxy(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Stands before one member."""

    def __init__(self, member: str) -> None:
        self.between: Between = untouched
        self._channel: Any = grpc.insecure_channel(member)
        self._in_hand = 0
        self._gate = threading.Condition()
        self._server = grpc.server(ThreadPoolExecutor(CALLS), handlers=[self])
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def wait_until_idle(self) -> None:
        """Wait until no transaction is in hand."""
        with self._gate:
            assert self._gate.wait_for(lambda: self._in_hand == 0, PATIENCE)

    def close(self) -> None:
        self._server.stop(None).wait()
        self._channel.close()

    def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Say how a call is handled; without serializers, messages are bytes."""
        name = call.method
        if name == KEEP_ALIVE:
            stream = self._channel.stream_stream(name)
            return grpc.stream_stream_rpc_method_handler(
                lambda requests, context: _pass_stream(stream, requests, context)
            )
        method = self._channel.unary_unary(name)
        handle = self._transact if name == TXN else _pass
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: handle(method, request, context)
        )

    def _transact(self, method: Any, request: bytes, context: grpc.ServicerContext) -> bytes:
        def carry_out() -> pb.TxnResponse:
            return pb.TxnResponse.FromString(method(request, timeout=PATIENCE))

        with self._gate:
            self._in_hand += 1
        try:
            return self.between(pb.TxnRequest.FromString(request), carry_out).SerializeToString()
        except Full:
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded"
            )
        except Broken:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        except Silent:
            gone = threading.Event()
            if context.add_callback(gone.set):
                gone.wait(PATIENCE)
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "nobody waits any more")
        except grpc.RpcError as error:
            _refuse(error, context)
        finally:
            with self._gate:
                self._in_hand -= 1
                self._gate.notify_all()
        raise AssertionError


@contextmanager
def proxies(member: str, count: int) -> Iterator[list[Proxy]]:
    """So many proxies before a member."""
    made = [Proxy(member) for _ in range(count)]
    try:
        yield made
    finally:
        for proxy in made:
            proxy.close()


def _pass(method: Any, request: bytes, context: grpc.ServicerContext) -> bytes:
    try:
        answer: bytes = method(request, timeout=PATIENCE)
    except grpc.RpcError as error:
        _refuse(error, context)
    return answer


def _pass_stream(
    stream: Any, requests: Iterable[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    answers = stream(requests, timeout=PATIENCE)
    context.add_callback(answers.cancel)
    try:
        yield from answers
    except grpc.RpcError as error:
        _refuse(error, context)


def _refuse(error: grpc.RpcError, context: grpc.ServicerContext) -> None:
    """Answer with an error of the member."""
    context.abort(error.code(), error.details() or "")
