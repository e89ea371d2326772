"""Fixtures that all tests share."""

import base64
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from monotron.app import App, create_app
from monotron.core import accounts, api_keys, scopes, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.api_keys import Pair
from monotron.settings import Settings, read_settings
from monotron.store.contract import Store, Table, Transaction
from monotron.store.lmdb import LmdbStore
from monotron.store.lock import WriteLock
from tests.support.calls import call_in
from tests.support.etcd import Cluster, cluster
from tests.support.invariants import faults
from tests.support.memory import MemoryStore
from tests.support.service import Serve, Service, services
from tests.support.web import Api

if TYPE_CHECKING:
    from tests.support import ci

# How long an example takes is never a failure: the machine may be busy.
hypothesis_settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("tests")

ENGINES: dict[str, Callable[[pytest.FixtureRequest, Path], Store]] = {
    "memory": lambda request, folder: MemoryStore(),
    "lmdb": lambda request, folder: LmdbStore(folder, tables.ALL),
    "etcd": lambda request, folder: request.getfixturevalue("etcd").new_store(),
}
"""Every engine that the contract's suite runs against: a new one is a line here."""

ROOT = Pair("root-of-tests", "it is:secret ünd long")
"""The root pair of `guarded`."""


def installed(package: str, required: str, *commands: str) -> str:
    """Return the path of a program from Debian's `package`, under the first of these names.

    If it is missing, the test is skipped, or fails if the variable `required` is set.
    """
    found = next(filter(None, map(shutil.which, commands)), None)
    if found is None:
        why = f"NOT SHOWN: there is no {commands[0]} here; apt-get install {package}"
        if os.environ.get(required):
            pytest.fail(why)
        pytest.skip(why)
    return found


def need_etcd() -> None:
    """Skip tests on a real etcd, or fail them, if it is missing."""
    installed("etcd-server", "MONOTRON_REQUIRE_ETCD", "etcd")


def need_curl() -> None:
    """Skip tests of clients and pages that use curl, or fail them, if it is missing."""
    installed("curl", "MONOTRON_REQUIRE_CURL", "curl")


def from_test_extra(command: str) -> str:
    """Return the path of a program that the extra `test` installs: beside Python, or on PATH.

    A venv that is not activated has its programs on no PATH. A missing one is a failure, not a
    skip, since pip installs it everywhere.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which(command, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if found is None:
        pytest.fail(f"{command} is missing: install the extra `test`")
    return found


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep writers out of the store in `folder`, as another process would."""
    lock = WriteLock(folder)
    try:
        lock.acquire_within(10)
        yield
    finally:
        lock.close()


def basic(pair: Pair) -> dict[str, str]:
    """Return the header of HTTP Basic (RFC 7617)."""
    encoded = base64.b64encode(f"{pair.key}:{pair.secret}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def new_key(store: Store, *texts: str, account: int = FIRST_ACCOUNT) -> Pair:
    """Create an API key with these scopes, in an account that is created if it is missing."""
    pair = api_keys.new_pair()
    now = time.time_ns() // 1000

    def make(txn: Transaction) -> None:
        accounts.make(txn, account, now=now)
        api_keys.create(txn, call_in(account, now=now), pair, scopes.parse(texts))

    store.update(make)
    return pair


def all_rows(store: Store) -> dict[Table, list[tuple[bytes, bytes]]]:
    """Return everything in the store, except what any update may take along."""
    kept = [table for table in tables.ALL if table != tables.ACTIVITY]
    return store.view(
        lambda reading: {
            table: reading.scan(table, b"", b"\xff" * 600, limit=100_000) for table in kept
        }
    )


def remove_all(txn: Transaction) -> None:
    """Remove everything in the store."""
    for table in tables.ALL:
        txn.delete_range(table, b"", b"\xff" * 600)


GROUPED = ("jenkins",)
"""Fixtures that are too costly for each process to have one, so their tests run in the same."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put together what shares a costly fixture; xdist looks at the groups after this.

    On each other Python, not everything need run on etcd again: the contract's suite does.
    """
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        for name in GROUPED:
            if name in item.fixturenames:
                item.add_marker(pytest.mark.xdist_group(name))
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        is_on_etcd = "etcd" in parameters or "etcd" in item.fixturenames
        if is_on_etcd and item.path.name not in ("test_store.py", "test_etcd.py"):
            item.add_marker(pytest.mark.same_on_each_python)


@pytest.fixture(scope="session")
def jenkins(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ci.Jenkins"]:
    """A Groovy that runs pipelines."""
    # It imports from here.
    from tests.support import ci

    with ci.jenkins(tmp_path_factory.mktemp("jenkins") / "place") as jenkins:
        yield jenkins


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus's own checks."""
    return installed("prometheus", "MONOTRON_REQUIRE_PROMTOOL", "promtool")


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One member of etcd, for all tests of a process.

    Its data is in memory where that is possible: what a disk costs is for other tests.
    """
    need_etcd()
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() else tmp_path_factory.mktemp("etcd")
    with (
        tempfile.TemporaryDirectory(prefix="monotron-etcd-", dir=parent) as place,
        cluster(Path(place) / "etcd", 1) as one,
    ):
        yield one


@pytest.fixture(params=ENGINES)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each engine in turn."""
    store = ENGINES[request.param](request, tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def whole_store(any_store: Store) -> Iterator[Store]:
    """A store of each engine in turn, which the test has to leave without a fault."""
    yield any_store
    assert faults(any_store) == []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    """An empty store on the disk."""
    store = LmdbStore(tmp_path / "store", tables.ALL)
    yield store
    store.close()


@pytest.fixture
def impatient_store(tmp_path: Path) -> Iterator[LmdbStore]:
    """A store that waits for other processes hardly at all."""
    store = LmdbStore(tmp_path / "impatient", tables.ALL, wait_seconds=0.1)
    yield store
    store.close()


@pytest.fixture
def tiny_store(tmp_path: Path) -> Iterator[LmdbStore]:
    """A store with room for some fifty kilobytes."""
    # At some sizes, what is left once it is full is too little even for deleting.
    store = LmdbStore(tmp_path / "tiny", tables.ALL, map_size=2**17 + 2**12)
    yield store
    store.close()


@pytest.fixture
def settings() -> Settings:
    """The settings of somebody who set nothing."""
    return read_settings({}, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The storage folder of `serve`, not made yet."""
    return tmp_path / "data"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts services."""
    with services(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service, one for the whole module."""
    with services(tmp_path_factory.mktemp("service")) as start:
        yield start()


@pytest.fixture
def shared(service: Service) -> Iterator[Service]:
    """The service of the module, for tests that leave no trace in it."""
    before = len(service.lines)
    yield service
    print("--- stderr of the shared service:", *service.lines[before:], sep="\n")


@dataclass(frozen=True)
class Kept:
    """What takes longer to make than most tests take."""

    store: Store
    open: App
    guarded: App


@pytest.fixture(scope="session")
def kept_api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kept]:
    """A store, and the API on it without and with authentication, for a whole process.

    The variable `MONOTRON_TEST_STORE` names another engine than LMDB.
    """
    engine = ENGINES[os.environ.get("MONOTRON_TEST_STORE", "lmdb")]
    store = engine(request, tmp_path_factory.mktemp("kept"))
    nothing_set = read_settings({}, {})
    with_root = replace(nothing_set, root_api_key=ROOT.key, root_api_secret=ROOT.secret)
    yield Kept(store, create_app(store, nothing_set), create_app(store, with_root))
    store.close()


@pytest.fixture
def emptied(kept_api: Kept) -> Kept:
    """The same, without the rows of the test before."""
    store = kept_api.store
    if any(all_rows(store).values()):
        store.update(remove_all)
    return kept_api


@pytest.fixture
def api(emptied: Kept) -> Api:
    """The API on an empty store."""
    return Api(emptied.open)


@pytest.fixture
def guarded(emptied: Kept) -> Api:
    """The API on an empty store, with authentication on; calls send what `basic` returns."""
    return Api(emptied.guarded)
