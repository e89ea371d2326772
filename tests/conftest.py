"""What the tests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monotron.app import create_app
from monotron.settings import Settings, read_settings
from monotron.store.contract import Store
from monotron.store.lmdb import LmdbStore
from monotron.store.lock import WriteLock
from tests.memory import MemoryStore
from tests.web import Api

ENGINES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "lmdb": LmdbStore,
}
"""Every engine that the contract's suite runs against: a new one is a line here."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep writers out of the store in `folder`, as another process would."""
    lock = WriteLock(folder)
    try:
        lock.acquire_within(10)
        yield
    finally:
        lock.close()


@pytest.fixture(params=ENGINES)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each engine in turn."""
    store = ENGINES[request.param](tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    """An empty store on the disk."""
    store = LmdbStore(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def impatient_store(tmp_path: Path) -> Iterator[LmdbStore]:
    """A store that waits for other processes hardly at all."""
    store = LmdbStore(tmp_path / "impatient", wait_seconds=0.1)
    yield store
    store.close()


@pytest.fixture
def tiny_store(tmp_path: Path) -> Iterator[LmdbStore]:
    """A store with room for some fifty kilobytes."""
    store = LmdbStore(tmp_path / "tiny", map_size=2**17)
    yield store
    store.close()


@pytest.fixture
def settings() -> Settings:
    """The settings of somebody who set nothing."""
    return read_settings({}, {})


@pytest.fixture
def api(store: Store, settings: Settings) -> Api:
    """The API on an empty store."""
    return Api(create_app(store, settings))
