"""TLS and passwords, on a real member."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.store.contract import StoreUnavailable, Transaction
from monotron.store.etcd.address import Address
from monotron.store.etcd.client import Security
from monotron.store.etcd.store import EtcdStore, initialize
from tests.conftest import installed, need_etcd
from tests.support import certificates
from tests.support.certificates import Certificate
from tests.support.etcd import START_SECONDS, Member, cluster

SECONDS = 1.0
"""How long a store tries that is not let in."""

TOKEN_SECONDS = 2


@dataclass(frozen=True)
class Guarded:
    """A member that speaks TLS, and lets in two users."""

    member: Member
    ca: Certificate

    def address(self, user: str | None) -> Address:
        return Address((self.member.endpoint,), "builds", user)

    def security(self, password: str | None = None) -> Security:
        return replace(self.member.security, password=password)

    def open(self, user: str | None, password: str | None) -> EtcdStore:
        security = self.security(password)
        return EtcdStore(
            self.address(user), tables.ALL, security=security, wait_seconds=START_SECONDS
        )


def security_of(ca: Certificate, client: Certificate) -> Security:
    return Security(ca.file.read_bytes(), client.file.read_bytes(), client.key.read_bytes())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    need_etcd()
    etcdctl = installed("etcd-client", "MONOTRON_REQUIRE_ETCD", "etcdctl")
    folder = tmp_path_factory.mktemp("guarded")
    ca = certificates.authority(folder)
    server, client = certificates.signed(ca, "server"), certificates.signed(ca, "client")
    flags = [
        *("--cert-file", str(server.file)),
        *("--key-file", str(server.key)),
        *("--trusted-ca-file", str(ca.file)),
        *("--client-cert-auth", f"--auth-token-ttl={TOKEN_SECONDS}"),
    ]
    with cluster(folder / "etcd", 1, *flags, security=security_of(ca, client)) as one:
        member = one.members[0]

        def ctl(*arguments: str) -> None:
            files = [f"--cacert={ca.file}", f"--cert={client.file}", f"--key={client.key}"]
            command = [etcdctl, f"--endpoints=https://{member.endpoint}", *files, *arguments]
            environ = {**os.environ, "ETCDCTL_API": "3"}
            subprocess.run(command, env=environ, check=True, capture_output=True)

        found = Guarded(member, ca)
        initialize(found.address(None), security=found.security(), wait_seconds=START_SECONDS)
        ctl("user", "add", "root:root of etcd")
        ctl("role", "add", "builds")
        ctl("role", "grant-permission", "builds", "readwrite", "/builds/", "--prefix")
        for user in ("monotron", "nobody"):
            ctl("user", "add", f"{user}:secret of {user}")
        ctl("user", "grant-role", "monotron", "builds")
        ctl("auth", "enable")
        yield found


def increment(txn: Transaction) -> int:
    number = int(txn.get(tables.SERIES, b"number") or b"0") + 1
    txn.put(tables.SERIES, b"number", b"%d" % number)
    return number


def test_a_user_with_a_password_and_a_certificate_is_let_in(guarded: Guarded) -> None:
    store = guarded.open("monotron", "secret of monotron")
    number = store.update(increment)
    assert store.update(increment) == number + 1
    assert store.view(lambda reading: reading.get(tables.SERIES, b"number"))
    assert {figure.name for figure in store.figures()} > {"database_size_bytes"}
    store.close()


def test_a_store_outlives_what_etcd_lets_it_in_with(guarded: Guarded) -> None:
    store = guarded.open("monotron", "secret of monotron")
    number = store.update(increment)
    # etcd forgets a token that nobody has used for so long; it looks every second.
    time.sleep(TOKEN_SECONDS + 2)
    assert store.update(increment) == number + 1
    store.close()


@pytest.mark.parametrize(
    ("user", "password", "why"),
    [
        ("monotron", "another", "invalid user ID or password"),
        ("unknown", "secret", "invalid user ID or password"),
        ("nobody", "secret of nobody", "permission denied"),
        # Its name is that of the certificate.
        (None, None, "permission denied"),
    ],
)
def test_whoever_is_not_let_in_is_told_why(
    guarded: Guarded, user: str | None, password: str | None, why: str
) -> None:
    with pytest.raises(StoreUnavailable, match=why):
        guarded.open(user, password)


@pytest.mark.parametrize("trusted", ["nothing", "another"])
def test_who_does_not_know_the_ca_sends_nothing(
    guarded: Guarded, trusted: str, tmp_path: Path
) -> None:
    other = certificates.authority(tmp_path)
    security = Security()
    if trusted == "another":
        security = security_of(other, certificates.signed(other, "client"))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        EtcdStore(
            guarded.address("monotron"),
            tables.ALL,
            security=replace(security, password="secret of monotron"),
            wait_seconds=SECONDS,
        )
