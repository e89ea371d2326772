"""The store of the tests of the API, and what the matrices over ROUTES are asked of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monotron.core import clock, tables
from monotron.settings import read_settings
from monotron.store.contract import Store
from monotron.store.lmdb import LmdbStore
from tests.conftest import Kept
from tests.support.furnished import open_api
from tests.support.memory import MemoryStore
from tests.support.web import Api


@pytest.fixture
def store(emptied: Kept) -> Store:
    """The empty store of `api` and `guarded`, which a test may neither close nor break."""
    return emptied.store


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[LmdbStore]:
    """An empty store that the test may close or break."""
    store = LmdbStore(tmp_path / "store", tables.ALL)
    yield store
    store.close()


@pytest.fixture(scope="session")
def memory_of_session() -> tuple[MemoryStore, Api]:
    """An API with something at each path, and its store, for a whole process."""
    store = MemoryStore()
    return store, open_api(store, read_settings({}, {}))


@pytest.fixture
def memory(memory_of_session: tuple[MemoryStore, Api]) -> Iterator[MemoryStore]:
    """The store of `furnished`. What is asked there does not depend on the engine."""
    store, _ = memory_of_session
    rows = store.rows
    yield store
    store.rows = rows


@pytest.fixture
def furnished(
    memory_of_session: tuple[MemoryStore, Api],
    memory: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
) -> Api:
    """An API with something at each path, whose clock stands: what is counted by hours stays."""
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    _, api = memory_of_session
    return api
