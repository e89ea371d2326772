"""Real members of etcd, on loopback: one that all tests of a process share, or a cluster."""

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monotron.core import tables
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Client, Security
from monotron.store.etcd.store import NO_SECURITY, EtcdStore, initialize
from monotron.store.etcd.transaction import get
from tests.support.ports import new_ports
from tests.support.service import wait_until

START_SECONDS = 60.0

_numbers = itertools.count()


@dataclass
class Member:
    """A member of a cluster, as a child process."""

    name: str
    folder: Path
    client_port: int
    peer_port: int
    flags: Sequence[str] = ()
    security: Security = NO_SECURITY
    """What its clients need; with a CA it speaks TLS to them."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    @property
    def peer(self) -> str:
        return f"{self.name}=http://127.0.0.1:{self.peer_port}"

    def start(self, peers: Sequence[str]) -> None:
        """Start it, or start it again with the data that it has."""
        scheme = "http" if self.security.ca is None else "https"
        client, peer = f"{scheme}://{self.endpoint}", f"http://127.0.0.1:{self.peer_port}"
        command = [
            "etcd",
            *("--name", self.name),
            *("--data-dir", str(self.folder)),
            *("--listen-client-urls", client),
            *("--advertise-client-urls", client),
            *("--listen-peer-urls", peer),
            *("--initial-advertise-peer-urls", peer),
            *("--initial-cluster", ",".join(peers)),
            *("--log-level", "error"),
            # As from etcd 3.5 on: a member that comes back does not unseat the leader.
            "--pre-vote",
            # An upload of attributes may have 5 MiB.
            *("--max-request-bytes", str(8 * 2**20)),
            *self.flags,
        ]
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, even if it is stopped."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Cluster:
    """Members that know each other."""

    members: list[Member]

    @property
    def peers(self) -> list[str]:
        return [member.peer for member in self.members]

    def start(self) -> None:
        for member in self.members:
            member.start(self.peers)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until every member answers, and knows a leader."""
        for member in self.members:
            wait_for(member)

    def address(self, prefix: str) -> Address:
        return Address(tuple(member.endpoint for member in self.members), prefix, None)

    def new_address(self) -> Address:
        """Return the address of a new store."""
        address = self.address(f"test-{os.getpid()}-{next(_numbers)}")
        initialize(address, security=self.members[0].security, wait_seconds=START_SECONDS)
        return address

    def new_store(self) -> EtcdStore:
        """Return a new store with the tables of the product, which waits long for this machine."""
        return EtcdStore(self.new_address(), tables.ALL, wait_seconds=START_SECONDS)

    def leader(self) -> Member:
        """Return the member that leads, once they have elected one."""
        found: list[Member] = []

        def has_one() -> bool:
            found[:] = [member for member in self.members if leads(member.endpoint)]
            return len(found) == 1

        wait_until(has_one, "a member leads")
        return found[0]

    def followers(self) -> list[Member]:
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def stop(self) -> None:
        for member in self.members:
            member.kill()


@contextmanager
def client_of(
    *endpoints: str, wait_seconds: float = START_SECONDS, security: Security = NO_SECURITY
) -> Iterator[Client]:
    """A client of these members."""
    client = Client(Address(endpoints, "", None), security, wait_seconds=wait_seconds)
    try:
        yield client
    finally:
        client.close()


def leads(endpoint: str) -> bool:
    with client_of(endpoint) as client:
        status = client.status(client.patience())
        return status.header.member_id == status.leader


def wait_for(member: Member) -> None:
    """Wait until this member can read what a majority knows."""
    with client_of(member.endpoint, security=member.security) as client:
        client.ask(pb.TxnRequest(success=[get(b"/")]), client.patience())


@contextmanager
def cluster(
    folder: Path, size: int, *flags: str, security: Security = NO_SECURITY
) -> Iterator[Cluster]:
    """A running cluster; its data is removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = iter(new_ports(2 * size))
    members = [
        Member(name, folder / name, next(ports), next(ports), flags, security)
        for name in (f"m{number}" for number in range(size))
    ]
    running = Cluster(members)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
