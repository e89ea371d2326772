"""The setting of a store on etcd: what is refused, and that every command works on both stores."""

import itertools
import json
import os
import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from monotron.app import create_app
from monotron.commands import SUBCOMMANDS
from monotron.core import series, tables
from monotron.limits import LAST_VALUE
from monotron.settings import InvalidSetting, Settings, read_settings
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.address import Address, parse
from monotron.store.etcd.client import Security
from monotron.store.etcd.store import EtcdStore, initialize
from monotron.store.lmdb import LmdbStore
from tests.conftest import need_etcd
from tests.core import test_check
from tests.server.test_start import refusal
from tests.support import certificates
from tests.support.calls import call_in
from tests.support.certificates import Certificate
from tests.support.etcd import START_SECONDS, Cluster, Member, client_of
from tests.support.moving import KEEP, fill, rows
from tests.support.ports import new_ports
from tests.support.service import JOB, Serve, run, wait_until
from tests.support.web import Api
from tests.transfer.test_export import answers, changes

STORE = "etcd://a,b,c/builds"
PASSWORD = "hunter2-hunter2"


def refused(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> str:
    """Return the one line that says why these settings cannot be used."""
    with pytest.raises(InvalidSetting) as error:
        read_settings(environ, flags or {})
    line = str(error.value)
    assert line.isprintable()
    assert PASSWORD not in line
    return line


@dataclass(frozen=True)
class Files:
    """The files that TLS needs, and others that do not fit."""

    ca: Certificate
    client: Certificate
    other: Certificate

    def variables(self, **more: str | Path) -> dict[str, str]:
        """Return the variables of the right ones, or others in their place."""
        files = {
            "ca": self.ca.file,
            "certificate": self.client.file,
            "key": self.client.key,
            **more,
        }
        names = {f"MONOTRON_STORE_{name.upper()}": str(file) for name, file in files.items()}
        return {"MONOTRON_STORE": STORE, **names}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    ca = certificates.authority(tmp_path_factory.mktemp("certificates"))
    return Files(ca, certificates.signed(ca, "client"), certificates.signed(ca, "other"))


# What is set


def test_the_store_is_a_folder_unless_it_is_set() -> None:
    assert read_settings({"MONOTRON_STORE": ""}, {}).store is None
    address = Address(("a:2379", "b:2379", "c:2379"), "builds", None)
    assert read_settings({"MONOTRON_STORE": STORE}, {}).store == address
    assert read_settings({"MONOTRON_STORE": "etcd://d"}, {"store": STORE}).store == address


def test_a_folder_by_variable_does_not_count_beside_a_store() -> None:
    settings = read_settings({"STORAGE_DIR": "/data", "MONOTRON_STORE": STORE}, {})
    assert settings.place == "etcd://a:2379,b:2379,c:2379/builds"


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({"MONOTRON_STORE": STORE}, {"storage_dir": "data"}),
        ({}, {"storage_dir": "data", "store": STORE}),
    ],
)
def test_a_folder_by_flag_beside_a_store_is_refused(
    environ: dict[str, str], flags: dict[str, str]
) -> None:
    line = refused(environ, flags)
    assert "--storage-dir and " in line
    assert "only one can count" in line


@pytest.mark.parametrize("text", ["data", "etcd://", "http://a", "etcd://a:0", "etcd://a//b", " "])
def test_a_text_that_is_no_store_is_refused_by_name(text: str) -> None:
    assert f"MONOTRON_STORE is {text!r}, but " in refused({"MONOTRON_STORE": text})
    assert f"--store is {text!r}, but " in refused({"MONOTRON_STORE": STORE}, {"store": text})


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    line = refused({}, {"store": f"etcd://monotron:{PASSWORD}@a"})
    assert line.startswith("--store is 'etcd://monotron:...@a', but ")


def test_a_user_and_a_password_belong_together(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    with_user = {"MONOTRON_STORE": "etcd://monotron@a"}
    for way in ({"MONOTRON_STORE_PASSWORD": PASSWORD}, {"MONOTRON_STORE_PASSWORD_FILE": str(file)}):
        settings = read_settings({**with_user, **way}, {})
        assert settings.store_password == PASSWORD
        assert PASSWORD not in repr(settings)
        assert "names no user" in refused({"MONOTRON_STORE": STORE, **way})
    assert read_settings(with_user, {"store_password_file": str(file)}).store_password == PASSWORD
    assert "MONOTRON_STORE_PASSWORD is not set" in refused(with_user)


def test_a_certificate_and_its_key_belong_together(files: Files) -> None:
    settings = read_settings(files.variables(), {})
    assert settings.store_ca == files.ca.file
    assert (settings.store_certificate, settings.store_key) == (files.client.file, files.client.key)
    for missing in ("certificate", "key"):
        assert "belong together" in refused(files.variables(**{missing: ""}))
    assert "MONOTRON_STORE_CA, which turns TLS on" in refused(files.variables(ca=""))


@pytest.mark.parametrize("name", ["CA", "CERTIFICATE", "KEY"])
def test_a_file_that_cannot_be_read_is_refused_by_name(
    name: str, files: Files, tmp_path: Path
) -> None:
    variable = f"MONOTRON_STORE_{name}"
    missing = str(tmp_path / "missing")
    line = refused({**files.variables(), variable: missing})
    assert f"{variable} is {missing!r}, but it cannot be read: No such file" in line
    other = tmp_path / "other"
    other.write_bytes(b"\x30\x82")
    assert "not a PEM file" in refused({**files.variables(), variable: str(other)})


def test_files_that_tls_cannot_use_are_refused_by_name(files: Files, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
    assert "MONOTRON_STORE_CA is " in refused(files.variables(ca=broken))
    for key in (files.other.key, certificates.encrypted(files.client.key, PASSWORD), broken):
        line = refused(files.variables(key=key))
        assert line.startswith("MONOTRON_STORE_CERTIFICATE is ")
        assert "TLS cannot use it" in line


@pytest.mark.parametrize("name", ["ca", "password"])
def test_what_is_only_for_etcd_is_refused_without_a_store(name: str, files: Files) -> None:
    value = str(files.ca.file) if name == "ca" else PASSWORD
    variable = f"MONOTRON_STORE_{name.upper()}"
    assert refused({variable: value}).startswith(f"{variable} is set, but MONOTRON_STORE, ")


# Without a cluster


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS.keys() - {"completion"}))
def test_every_command_takes_the_store(name: str) -> None:
    command = (
        [name, "create"] if name == "keys" else [name, "jsonl"] if name == "import" else [name]
    )
    text = run(*command, "--help").stdout
    for flag in ("--storage-dir", "--store", "--store-ca", "--store-password-file"):
        assert f"{flag} " in text


def test_a_folder_needs_no_init(folder: Path) -> None:
    status, line = refusal("init", variables={"STORAGE_DIR": str(folder)})
    assert status == 2
    assert "a storage folder needs none" in line
    assert not folder.exists()


@pytest.mark.parametrize("command", [["init"], ["serve", "--port", "0"], ["next", "svc"]])
def test_without_the_extra_the_error_names_it(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text('raise ModuleNotFoundError("no grpc", name="grpc")\n')
    _, line = refusal(*command, "--store", STORE, variables={"PYTHONPATH": str(tmp_path)})
    assert line == (
        "monotron: the store etcd://a:2379,b:2379,c:2379/builds needs the extra: "
        "pip install monotron[etcd]"
    )


# On a cluster


class Command:
    """Runs a subcommand on a store on etcd."""

    def __init__(self, address: str, **variables: str) -> None:
        # Images set the folder.
        self.variables = {"MONOTRON_STORE": address, "STORAGE_DIR": "/proc/nothing", **variables}

    def __call__(self, *arguments: str) -> str:
        """Return what it prints, without the newline; it must succeed."""
        ended = run(*arguments, variables=self.variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.removesuffix("\n")

    def failure(self, *arguments: str) -> str:
        """Return the one line on stderr; it must fail with status 1."""
        status, line = refusal(*arguments, variables=self.variables)
        assert status == 1
        return line


_numbers = itertools.count()


@pytest.fixture
def address(etcd: Cluster) -> str:
    """The address of a store that is not made yet."""
    return str(etcd.address(f"commands-{os.getpid()}-{next(_numbers)}"))


@contextmanager
def opened(address: str) -> Iterator[EtcdStore]:
    """Open the store at an address."""
    store = EtcdStore(parse(address), tables.ALL)
    try:
        yield store
    finally:
        store.close()


def remove(address: str) -> None:
    """Remove a store with everything in it."""
    at = parse(address)
    start = f"/{at.prefix}/".encode()
    everything = pb.DeleteRangeRequest(key=start, range_end=start[:-1] + b"0")
    with client_of(*at.endpoints) as client:
        request = pb.TxnRequest(success=[pb.RequestOp(request_delete_range=everything)])
        client.ask(request, client.patience())


@pytest.fixture
def command(address: str) -> Command:
    """Commands on an empty store on etcd."""
    command = Command(address)
    assert command("init") == f"made the store {address}"
    return command


@pytest.mark.parametrize("words", [["serve", "--port", "0"], ["next", "svc"], ["list"], ["check"]])
def test_nothing_begins_at_1_in_a_cluster_without_a_store(words: list[str], address: str) -> None:
    line = Command(address).failure(*words)
    assert f"there is no store at {address}" in line
    assert "monotron init" in line


def test_a_store_is_made_once(command: Command) -> None:
    assert command("next", "svc") == "1"
    assert "has been initialized already" in command.failure("init")
    assert command("next", "svc") == "2"


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    assert "etcd does not answer" in Command("etcd://127.0.0.1:1/builds").failure("next", "svc")


def test_commands_work_beside_a_service(command: Command, serve: Serve) -> None:
    running = serve(variables=command.variables)
    assert running.started["folder"] == command.variables["MONOTRON_STORE"]
    assert running.take("/v1/series/svc") == 1
    assert command("next", "svc", "--token", "7d4c379588") == "2"
    assert running.put("/v1/series/svc/7d4c379588").value == 2
    assert command("get", "svc") == "2"
    assert command("list") == "svc\t2\t7d4c379588"
    assert command("next", "svc", "--count", "5") == "3 7"
    assert running.lines == []


def test_api_keys_are_made_listed_and_deleted(command: Command) -> None:
    key, _, secret = command("keys", "create", "read:series").partition(":")
    assert secret
    assert command("keys", "list").split("\t")[1] == key
    assert command("keys", "delete", key) == ""
    assert command("keys", "list") == ""
    assert "has no API key" in command.failure("keys", "delete", key)


def test_check_looks_at_every_row(command: Command, address: str) -> None:
    with opened(address) as store:
        fill(store, random.Random(1), 300)
        count = len(rows(store)[tables.SERIES])
    lines = command("check").splitlines()
    assert lines[-1] == f"{address} is whole"
    assert lines[0].split() == ["series", str(count)]
    with opened(address) as store:
        store.update(lambda txn: txn.put(tables.SERIES, b"odd", b"\xff"))
    ended = run("check", variables=command.variables)
    assert ended.returncode == 1
    assert "problem: table series, row b'odd'" in ended.stdout
    assert ended.stdout.endswith(f"{address} is damaged\n")


def test_check_of_a_file_is_of_that_file(command: Command, folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    assert command("check", str(folder)).endswith(f"{folder} is whole")


def test_stats_count_the_rows(command: Command, address: str) -> None:
    with opened(address) as store:
        store.update(test_check.fill)
    found = json.loads(command("stats", "--json"))
    assert {name: found[name] for name in list(found)[:8]} == {
        "series": 9,
        "history_rows": 11,
        "history_values": 214,
        "attributes": 66,
        "versions": 4,
        "accounts": 2,
        "api_keys": 2,
        "retries": 2,
    }
    assert found["database_size_bytes"] >= found["database_used_bytes"] > 0
    assert command("stats").splitlines()[0].split() == ["series", "9"]


@pytest.mark.parametrize("store", ["folder", "etcd"])
def test_advance_moves_every_series_past_what_was_given_out(
    store: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    if store == "folder":
        LmdbStore(folder, tables.ALL).close()
        command = Command("", STORAGE_DIR=str(folder))
    else:
        command = request.getfixturevalue("command")
    for name, count in {"a": 1, "b": 7}.items():
        command("next", name, "--count", str(count))
    assert command("advance", "--all", "100") == "moved 2 series up by 100"
    assert command("list") == "a\t101\t\nb\t107\t"
    assert command("next", "b") == "108"
    assert "from 1 to 1000000" in command.failure("advance", "--all", "0")


def test_advance_names_a_series_that_has_reached_its_last_value(folder: Path) -> None:
    store = LmdbStore(folder, tables.ALL)
    store.update(lambda txn: series.seed(txn, call_in(1, now=0), "svc", LAST_VALUE - 5))
    store.close()
    assert Command("", STORAGE_DIR=str(folder))("advance", "--all", "100") == (
        "moved 1 series up by 100\n"
        f"the series 'svc' of account 1 was at {LAST_VALUE - 5} and has now reached its last value"
    )


# With TLS


@pytest.fixture(scope="module")
def guarded(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store that is not made yet, at a member that asks for certificates."""
    need_etcd()
    server = certificates.signed(files.ca, "server")
    client_port, peer_port = new_ports(2)
    tls = {
        "--listen-client-urls": f"https://127.0.0.1:{client_port}",
        "--advertise-client-urls": f"https://127.0.0.1:{client_port}",
        "--trusted-ca-file": files.ca.file,
        "--cert-file": server.file,
        "--key-file": server.key,
    }
    # Of two flags of one name the last counts.
    flags = ("--client-cert-auth", *(str(word) for pair in tls.items() for word in pair))
    folder = tmp_path_factory.mktemp("guarded") / "member"
    member = Member("guarded", folder, client_port, peer_port, flags)
    security = Security(
        files.ca.file.read_bytes(), files.client.file.read_bytes(), files.client.key.read_bytes()
    )
    try:
        member.start([member.peer])
        elsewhere = Address((member.endpoint,), "elsewhere", None)
        initialize(elsewhere, security=security, wait_seconds=START_SECONDS)
        yield f"etcd://{member.endpoint}/builds"
    finally:
        member.kill()


def test_a_store_behind_tls_takes_numbers(guarded: str, files: Files, serve: Serve) -> None:
    variables = {**files.variables(), "MONOTRON_STORE": guarded}
    command = Command(guarded, **variables)
    command("init")
    running = serve(variables=command.variables)
    assert running.take() == 1
    assert command("next", JOB[1:]) == "2"


def test_a_wrong_certificate_is_one_line(guarded: str, files: Files, tmp_path: Path) -> None:
    stranger = certificates.authority(tmp_path, "stranger")
    for variables in (
        files.variables(certificate="", key=""),
        files.variables(ca=stranger.file),
        {},
    ):
        line = Command(guarded, **{**variables, "MONOTRON_STORE": guarded}).failure("next", "svc")
        assert "etcd does not answer" in line


# Moving


def test_a_store_moves_to_etcd_and_back_and_every_call_is_answered_the_same(
    command: Command, address: str, folder: Path, tmp_path: Path, settings: Settings
) -> None:
    before = LmdbStore(folder, tables.ALL)
    fill(before, random.Random(1), 1_000)
    expected = answers(Api(create_app(before, settings)))
    kept = rows(before)
    before.close()
    there, back = str(tmp_path / "there.jsonl"), str(tmp_path / "back.jsonl")
    Command("", STORAGE_DIR=str(folder))("export", there)
    told = command("import", "jsonl", there, "--dry-run", "--history", str(KEEP))
    assert command("list") == ""
    assert command("import", "jsonl", there, "--history", str(KEEP)) == told
    with opened(address) as store:
        assert rows(store) == kept
        assert answers(Api(create_app(store, settings))) == expected
    command("export", back)
    assert Path(back).read_text() == Path(there).read_text()
    home = Command("", STORAGE_DIR=str(tmp_path / "home"))
    assert home("import", "jsonl", back, "--history", str(KEEP)) == told
    after = LmdbStore(tmp_path / "home", tables.ALL)
    assert rows(after) == kept
    # The last look: these calls change the store.
    with opened(address) as store:
        there_api, here_api = Api(create_app(store, settings)), Api(create_app(after, settings))
        assert answers(here_api) == expected
        assert changes(here_api) == changes(there_api)
    after.close()


# The store that a service was started with


def test_a_replaced_worker_takes_no_other_store_for_its_own(
    command: Command, address: str, serve: Serve
) -> None:
    running = serve(variables=command.variables)
    assert running.take() == 1
    remove(address)
    command("init")
    running.post(JOB).assert_problem(503)
    (worker,) = running.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: any("another one replaces" in line for line in running.lines), "it is gone")
    wait_until(
        lambda: any("not the one that this service was started with" in x for x in running.lines),
        "the new worker has refused the store",
    )
    assert command("list") == ""
