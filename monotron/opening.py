"""Opening a store: the only place that names an engine.

The service and every subcommand open their stores here. A new engine is one module in
`monotron/store` and its line below.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from monotron.core import tables
from monotron.settings import Settings
from monotron.store import read_only
from monotron.store.batch import Observer
from monotron.store.contract import Store, StoreUnavailable
from monotron.store.etcd.address import Address
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import WAIT_SECONDS, LmdbStore
from monotron.store.read_only import ReadOnlyStore
from monotron.waiting import Waiting

if TYPE_CHECKING:
    from monotron.store.etcd.client import Security
    from monotron.store.etcd.store import EtcdStore

OpenStore: TypeAlias = "LmdbStore | EtcdStore"
"""A store that can be written."""

FolderToRead: TypeAlias = read_only.OpenStore
"""A store in a folder, which it may not be possible to write."""

Cluster: TypeAlias = "EtcdStore"
"""A store on a cluster."""

SCRATCH_MAP_SIZE = 16 * 2**30
"""The most that a dry run can write, in bytes: some 100 million series. It is address space in
addition to the store's own, and there may be little more (39 bits, `ulimit -v`)."""


def open_store(
    settings: Settings,
    *,
    create: bool = True,
    wait_seconds: float = WAIT_SECONDS,
    waiting: Waiting | None = None,
    observer: Observer | None = None,
) -> OpenStore:
    """Open and return the store of the settings, creating it if it is missing and `create` is on.

    A store on etcd is never created here, but once, by `initialize`. `wait_seconds` is how long an
    update waits for other processes on this machine. `waiting` is how its callers wait: by default,
    their threads are blocked. `observer` hears of each commit. The store belongs to the process
    that opens it: open it after a fork. Raises a `StoreError`.
    """
    if settings.store is not None:
        return open_cluster(settings, settings.store, waiting=waiting, observer=observer)
    return LmdbStore(
        settings.storage_dir,
        tables.ALL,
        create=create,
        wait_seconds=wait_seconds,
        waiting=waiting,
        observer=observer,
    )


def open_to_read(settings: Settings, *, wait_seconds: float) -> "FolderToRead | EtcdStore":
    """Open and return the store of the settings, even if it cannot be written.

    Raises a `StoreError`.
    """
    if settings.store is not None:
        return open_cluster(settings, settings.store)
    return open_folder_to_read(settings.storage_dir, wait_seconds=wait_seconds)


def open_folder_to_read(folder: Path, *, wait_seconds: float) -> FolderToRead:
    """Open and return the store in a folder, even if it cannot be written.

    Raises a `StoreError`.
    """
    return read_only.open_to_read(folder, tables.ALL, wait_seconds=wait_seconds)


def open_cluster(
    settings: Settings,
    store: Address,
    *,
    waiting: Waiting | None = None,
    observer: Observer | None = None,
) -> "EtcdStore":
    """Open and return a store on etcd; see `open_store`."""
    # It takes long to import, and only this store needs it.
    try:
        from monotron.store.etcd.store import EtcdStore
    except ModuleNotFoundError as error:
        raise _without_extra(store, error) from error
    return EtcdStore(
        store, tables.ALL, security=_security(settings), waiting=waiting, observer=observer
    )


def initialize(settings: Settings, store: Address) -> str:
    """Make the store on etcd, and return its id; raises a `StoreError` if there is one already."""
    try:
        from monotron.store.etcd.store import initialize
    except ModuleNotFoundError as error:
        raise _without_extra(store, error) from error
    return initialize(store, security=_security(settings))


@contextmanager
def replacing_cluster(
    settings: Settings, store: Address, accept: "Callable[[EtcdStore | None], None]"
) -> "Iterator[EtcdStore]":
    """Empty the store on etcd, and return it for the block to fill: see `replacing`."""
    try:
        from monotron.store.etcd.replacing import replacing
    except ModuleNotFoundError as error:
        raise _without_extra(store, error) from error
    with replacing(store, tables.ALL, accept, security=_security(settings)) as empty:
        yield empty


def frugal(store: Store) -> Store:
    """Return the store so that going through all of it takes little memory."""
    return FrugalStore(store) if isinstance(store, LmdbStore | ReadOnlyStore) else store


def open_scratch(folder: Path) -> OpenStore:
    """Create and return a store for what a dry run writes."""
    return LmdbStore(folder, tables.ALL, map_size=SCRATCH_MAP_SIZE)


def _security(settings: Settings) -> "Security":
    """Return the contents of the files; raises `StoreUnavailable`."""
    from monotron.store.etcd.client import Security

    return Security(
        ca=_content(settings.store_ca),
        certificate=_content(settings.store_certificate),
        key=_content(settings.store_key),
        password=settings.store_password,
    )


def _content(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be read: {error.strerror}") from error


def _without_extra(store: Address, error: ModuleNotFoundError) -> StoreUnavailable:
    """Return the error for an extra that is not installed; raises any other one again."""
    if (error.name or "").partition(".")[0] not in ("grpc", "google"):
        raise error
    return StoreUnavailable(f"the store {store} needs the extra: pip install monotron[etcd]")
