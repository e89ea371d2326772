"""What docs/cluster.md shows is what happens, on a real etcd."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.store.contract import Store, StoreFull, Transaction
from monotron.store.etcd.address import parse
from monotron.store.etcd.store import EtcdStore
from monotron.store.lmdb import LmdbStore
from tests.conftest import installed, need_etcd
from tests.support import shown
from tests.support.etcd import Cluster
from tests.support.ports import new_ports
from tests.support.service import Serve, environment, run

PAGE = shown.page("docs/cluster.md")
SHOWN_STORE = "etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/builds"
SERVED = "Start `monotron serve`"
"""From here on the page has a service."""


def test_each_command_prints_what_is_shown(etcd: Cluster, serve: Serve, tmp_path: Path) -> None:
    address = str(etcd.address(f"page-{tmp_path.name}-{os.getpid()}"))
    LmdbStore(tmp_path / "before", tables.ALL).close()
    run("next", "app", "--count", "5", variables={"STORAGE_DIR": str(tmp_path / "before")})
    page = PAGE.replace(SHOWN_STORE, address)
    made, served = page.split(SERVED)
    assert len(shown.commands(page)) > 10
    shown.assert_prints_what_is_shown(made, None, tmp_path)
    running = serve(variables={"MONOTRON_STORE": address})
    shown.assert_prints_what_is_shown(served, running, tmp_path, MONOTRON_STORE=address)


def test_the_first_line_of_the_log_is_as_shown(etcd: Cluster, serve: Serve, tmp_path: Path) -> None:
    address = str(etcd.address(f"page-{tmp_path.name}-{os.getpid()}"))
    run("init", "--store", address)
    running = serve(variables={"MONOTRON_STORE": address})
    (line,) = re.findall(r"^\S+ (INFO monotron .*)$", PAGE, re.MULTILINE)
    expected = line.replace(SHOWN_STORE, address).replace(":8080", f":{running.port}")
    assert running.started[0].endswith(expected)


# The blocks that show no output


@dataclass(frozen=True)
class Page:
    """The page's scripts, for a cluster of one member on loopback."""

    folder: Path
    client: int
    peer: int

    @property
    def store(self) -> str:
        return f"etcd://127.0.0.1:{self.client}/builds"

    def script(self, begin: str) -> str:
        """Return the block that begins with this, with the addresses of the one member."""
        (block,) = [block for block in shown.blocks(PAGE, "sh") if block.startswith(begin)]
        block = re.sub(r"[, ][bc=htp:/]*10\.0\.0\.[23]:[0-9]+", "", block)
        block = block.replace("10.0.0.1:2379", f"127.0.0.1:{self.client}")
        block = block.replace("10.0.0.1:2380", f"127.0.0.1:{self.peer}")
        return block.replace("/var/lib/etcd", str(self.folder / "data"))

    def run(self, begin: str) -> str:
        """Run a block; return what it prints."""
        done = subprocess.run(
            ["sh", "-ec", self.script(begin)],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def member(self, *flags: str) -> Iterator[None]:
        """Run the member that the page starts."""
        command = " ".join([self.script("etcd --name").rstrip(), *flags])
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-ec", f"exec {command}"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
            assert process.poll() is None, (self.folder / "log").read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def page(tmp_path: Path) -> Page:
    need_etcd()
    installed("etcd-client", "MONOTRON_REQUIRE_ETCD", "etcdctl")
    return Page(tmp_path, *new_ports(2))


def monotron(page: Page, *arguments: str) -> str:
    done = run(*arguments, "--store", page.store)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.removesuffix("\n")


def overwrite(store: Store, key: bytes, times: int) -> None:
    """Write a large row again and again: etcd keeps each until it is compacted."""
    for number in range(times):
        value = bytes([number]) * 2**19
        store.update(partial(put, key=key, value=value))


def put(txn: Transaction, key: bytes, value: bytes) -> None:
    txn.put(tables.SYSTEM, key, value)


def test_after_a_snapshot_is_restored_and_series_advanced_no_number_comes_again(page: Page) -> None:
    with page.member():
        monotron(page, "init")
        assert monotron(page, "next", "shop", "--count", "10") == "1 10"
        page.run("etcdctl --endpoints 10.0.0.1:2379 snapshot save")
        assert monotron(page, "next", "shop", "--count", "10") == "11 20"
    subprocess.run(["rm", "-r", page.folder / "data"], check=True)
    page.run("etcdctl snapshot restore")
    with page.member():
        assert monotron(page, "get", "shop") == "10"
        assert monotron(page, "advance", "--all", "1000") == "moved 1 series up by 1000"
        assert monotron(page, "next", "shop") == "1011"


def test_a_full_database_takes_numbers_again_after_the_steps_of_the_page(page: Page) -> None:
    # The last of two flags counts.
    with page.member("--quota-backend-bytes", str(2**22)):
        monotron(page, "init")
        store = EtcdStore(parse(page.store), tables.ALL)
        with pytest.raises(StoreFull):
            overwrite(store, b"k", 100)
        full = run("next", "shop", "--store", page.store)
        assert full.returncode == 1
        assert "quota" in full.stderr
        page.run("members=")
        assert monotron(page, "next", "shop") == "1"
        store.close()


def test_a_user_of_the_store_needs_what_the_page_grants(page: Page) -> None:
    password = page.folder / "password"
    password.write_text("hunter2\n")
    with page.member():
        page.run("etcdctl --endpoints 10.0.0.1:2379 role add")
        for words in (
            "user add root:root",
            "user grant-role root root",
            "user add monotron:hunter2",
            "user grant-role monotron builds",
            "auth enable",
        ):
            subprocess.run(
                ["etcdctl", "--endpoints", f"127.0.0.1:{page.client}", *words.split()],
                check=True,
                capture_output=True,
                timeout=60,
            )
        user = page.store.replace("etcd://", "etcd://monotron@")
        for arguments in (["init"], ["next", "shop"], ["check"], ["stats"], ["list"]):
            flags = ["--store", user, "--store-password-file", str(password)]
            done = run(*arguments, *flags)
            assert (done.returncode, done.stderr) == (0, "")
        elsewhere = user.replace("/builds", "/other")
        done = run("init", "--store", elsewhere, variables={"MONOTRON_STORE_PASSWORD": "hunter2"})
        assert done.returncode == 1
        assert "permission denied" in done.stderr
        assert "hunter2" not in done.stderr
        password.write_text("wrong\n")
        done = run("get", "shop", "--store", user, "--store-password-file", str(password))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
