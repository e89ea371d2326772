"""The same commands on a store and on a service print the same."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from monotron import logs
from monotron.cli import main
from monotron.client.address import KEY_VARIABLE, OLDER_KEY_VARIABLES, URL_VARIABLE
from monotron.core import records, tables
from monotron.settings import SETTINGS
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, basic
from tests.support.ci import no_url
from tests.support.scripted import answer, scripted
from tests.support.service import Service, services

SECRET = f"{ROOT.key}:{ROOT.secret}"

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command within this process, which takes a tenth of the time of another."""
    monkeypatch.setattr(logs, "configure", lambda: None)
    names = {name for each in SETTINGS for name in (*each.variables, each.file_variable)}
    for name in names | {URL_VARIABLE, KEY_VARIABLE, *OLDER_KEY_VARIABLES}:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **variables: str) -> Ended:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                status = main(arguments)
            except SystemExit as exit_:
                status = int(exit_.code or 0)
        return Ended(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    with services(tmp_path_factory.mktemp("guarded")) as start:
        yield start(variables=variables)


@pytest.fixture
def url(guarded: Service) -> str:
    """The address of a service without a series."""
    for each in guarded.ask("GET", "/v1/series", headers=basic(ROOT)).json["series"]:
        path = f"/v1/series/{quote(each['key'], safe='')}"
        assert guarded.ask("DELETE", path, headers=basic(ROOT)).status == 200
    return f"http://127.0.0.1:{guarded.port}"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The folder of an empty store."""
    LmdbStore(tmp_path / "data", tables.ALL).close()
    return str(tmp_path / "data")


SESSION = [
    ("get", "shop"),
    ("history", "shop"),
    ("history", "shop", "--json"),
    ("next", "shop"),
    ("next", "shop", "--json"),
    ("next", "shop", "--token", "a"),
    ("next", "shop", "--token", "a", "--json"),
    ("next", "shop", "--count", "4"),
    ("next", "shop", "--count", "4", "--json"),
    ("next", "shop", "--token", "a", "--count", "2"),
    ("next", "shop", "--count", "1000001"),
    ("next", ""),
    ("next", "release/2 ü", "--token", "x/y"),
    ("seed", "till", "41"),
    ("seed", "till", "40"),
    ("seed", "till", "0"),
    ("seed", "till", "41", "--json"),
    ("get", "till"),
    ("get", "shop", "--json"),
    ("list",),
    ("list", "--prefix", "t"),
    ("list", "--json"),
    ("list", "--prefix", "none"),
    ("list", "--contains", "HO"),
    ("list", "--contains", "a\n"),
    ("next", "shop", "--token", "b"),
    ("next", "shop", "--token", "a", "--remember"),
    ("next", "shop", "--token", "b", "--remember", "--json"),
    ("next", "shop", "--token", "c", "--remember"),
    ("next", "shop", "--remember"),
    ("history", "shop"),
    ("history", "shop", "--limit", "2", "--json"),
    ("history", "shop", "--limit", "0"),
    ("version", "app"),
    ("version", "app", "minor", "a"),
    ("version", "app", "patch", "b", "--json"),
    ("version", "app", "minor", "a"),
    ("version", "app"),
    ("version", "app", "--json"),
    ("version", "app", "minor", "c", "--pre", "rc"),
    ("version", "app", "minor", "c", "--pre", "rc", "--json"),
    ("version", "app", "minor", "d", "--pre", "0 1"),
    ("version", "app", "--pre", "rc"),
    ("version", "app", "minor"),
    ("version", "app", "middle", "a"),
    ("version", ""),
    ("delete", "shop"),
    ("get", "shop"),
    ("delete", "shop", "--yes"),
    ("delete", "shop", "--yes"),
    ("get", "shop"),
    ("next", "shop", "--account", "7"),
    ("list", "--account", "7"),
    ("history", "shop", "--account", "7"),
    ("get", "shop", "--account", "7"),
]


def test_a_session_prints_the_same_on_a_store_and_on_a_service(
    run: Run, url: str, folder: str
) -> None:
    for arguments in SESSION:
        here = run(*arguments, STORAGE_DIR=folder)
        there = run(*arguments, MONOTRON_URL=url, MONOTRON_KEY=SECRET)
        # A service says who took a value, and the command on a store has no name.
        theirs = there.out.replace("\troot\t", "\t\t").replace('"root"', "null")
        assert (there.status, TIME.sub("T", theirs), there.err) == (
            here.status,
            TIME.sub("T", here.out),
            here.err,
        ), arguments
        assert "Traceback" not in here.err, arguments


def test_the_session_succeeds_and_fails_as_it_should(run: Run, folder: str) -> None:
    ended = [run(*arguments, STORAGE_DIR=folder) for arguments in SESSION]
    assert {each.status for each in ended} == {0, 1, 2}
    out = dict(zip(SESSION, (each.out for each in ended), strict=True))
    assert out["next", "shop", "--count", "4"] == "4 7\n"
    assert out["next", "shop", "--json"] == '{"key":"shop","value":2,"token":null}\n'
    assert out["next", "shop", "--count", "4", "--json"] == (
        '{"key":"shop","value":11,"token":null,"first":8,"count":4}\n'
    )
    assert out["next", "shop", "--token", "a", "--remember"] == out["next", "shop", "--token", "a"]
    assert out["list", "--contains", "HO"] == "shop\t11\t\n"
    assert out["seed", "till", "41"] == "the next value of 'till' is 42\n"
    assert out["list", "--prefix", "t"] == "till\t41\t\n"
    assert out["list", "--json"].splitlines()[1] == '{"key":"shop","value":11,"token":null}'
    assert out["version", "app", "minor", "c", "--pre", "rc"] == "0.2.0-rc.1\n"
    assert out["version", "app", "patch", "b", "--json"] == (
        '{"name":"app","version":"0.1.1","token":"b"}\n'
    )


def test_numbers_taken_in_a_store_count_as_those_of_a_service(run: Run, folder: str) -> None:
    taking = [
        (("next", "shop"), 1),
        (("next", "shop", "--count", "4"), 4),
        (("next", "shop", "--token", "a"), 1),
        (("next", "shop", "--token", "a"), 0),
        (("next", "shop", "--token", "a", "--remember"), 0),
        (("version", "app", "minor", "a"), 1),
        (("version", "app", "minor", "a"), 0),
        (("seed", "shop", "110"), 0),
    ]
    for arguments, _ in taking:
        assert run(*arguments, STORAGE_DIR=folder).status == 0
    store = LmdbStore(Path(folder), tables.ALL)
    rows = store.view(lambda reading: reading.scan(tables.ACTIVITY, b"", b"\xff" * 17, limit=9))
    store.close()
    assert sum(records.unpack_counter(value) for _, value in rows) == sum(n for _, n in taking)


def test_the_flag_and_the_variable_name_the_service(run: Run, url: str, folder: str) -> None:
    key = {"MONOTRON_KEY": SECRET, "STORAGE_DIR": folder}
    assert run("next", "shop", "--url", url, **key).out == "1\n"
    assert run("next", "shop", MONOTRON_URL=url, **key).out == "2\n"
    # An empty one counts as not set.
    assert run("next", "shop", MONOTRON_URL="", **key).out == "1\n"
    # A flag says more clearly than a variable what is meant.
    assert run("next", "shop", "--storage-dir", folder, MONOTRON_URL=url).out == "2\n"
    older = {"MONOTRON_API_KEY": ROOT.key, "MONOTRON_API_SECRET": ROOT.secret}
    assert run("next", "shop", "--url", url, **older).out == "3\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ("next", "shop", "--storage-dir", "data"),
            "--storage-dir is about a store on this machine",
        ),
        (("get", "shop", "--store", "etcd://h:1"), "--store is about a store on this machine"),
        (("next", "shop", "--history", "5"), "--history is about a store on this machine"),
        (("backup", "x.mdb"), "this command works on a store itself"),
        (("check",), "this command works on a store itself"),
        (("restore", "x.mdb"), "this command works on a store itself"),
        (("serve",), "this command works on a store itself"),
        (("init",), "this command works on a store itself"),
        (("stats",), "this command works on a store itself"),
        (("keys", "list"), "this command works on a store itself"),
        (("import", "jsonl", "x"), "this command works on a store itself"),
    ],
)
def test_what_a_service_cannot_do_is_refused_in_one_line(
    run: Run, arguments: tuple[str, ...], why: str
) -> None:
    ended = run(*arguments, "--url", "http://127.0.0.1:1")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"monotron: {why}")


def test_the_variable_leaves_commands_of_the_store_as_they_are(run: Run, folder: str) -> None:
    ended = run("stats", "--json", MONOTRON_URL="http://127.0.0.1:1", STORAGE_DIR=folder)
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "this needs an API key and its secret"),
        ({"MONOTRON_KEY": f"{ROOT.key}:wrong"}, "unknown API key or wrong secret"),
    ],
)
def test_missing_credentials_are_said_in_one_line(
    run: Run, url: str, variables: dict[str, str], why: str
) -> None:
    ended = run("next", "shop", "--url", url, **variables)
    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(f"monotron: {url}: {why}")
    assert "MONOTRON_KEY takes them as KEY:SECRET" in ended.err


def test_a_missing_scope_is_said_in_one_line(run: Run, guarded: Service, url: str) -> None:
    made = guarded.ask("POST", "/v1/accounts/1/grants", b'["read:series"]', basic(ROOT)).json
    key = "{key}:{secret}".format(**made["api_key"])
    ended = run("next", "shop", "--url", url, MONOTRON_KEY=key)
    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert "may not do this: this needs the scope write:series" in ended.err


def test_history_names_who_took_a_value_in_both_places(
    run: Run, guarded: Service, url: str
) -> None:
    body = b'{"scopes":["*:series"],"name":"jenkins-prod"}'
    made = guarded.ask("POST", "/v1/accounts/1/grants", body, basic(ROOT)).json["api_key"]
    pair = "{key}:{secret}".format(**made)
    assert run("next", "named", "--url", url, MONOTRON_KEY=pair).out == "1\n"
    there = run("history", "named", "--url", url, MONOTRON_KEY=pair)
    here = run("history", "named", STORAGE_DIR=str(guarded.storage_dir))
    assert here.out == there.out
    assert there.out.endswith(f"\t{made['key']}\tjenkins-prod\n")


def test_a_service_that_is_not_there_is_said_once_it_is_certain(run: Run) -> None:
    url = no_url()
    ended = run("next", "shop", "--url", url, "--retry-for", "0")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"monotron: {url}: Connection refused; tried for 0 s\n"


def test_each_try_that_fails_is_told(run: Run) -> None:
    with scripted([answer(502), answer(200, b'{"value":7}')]) as script:
        ended = run("next", "shop", "--url", script.url)
    assert (ended.status, ended.out) == (0, "7\n")
    assert re.fullmatch(
        rf"monotron: {script.url}: status 502; trying again in 0\.\d s\n", ended.err
    )


def test_no_address_is_guessed(run: Run, folder: str) -> None:
    ended = run("next", "shop", "--url", "numbers.example.com")
    assert ended.status == 1
    assert "must be like https://numbers.example.com, not 'numbers.example.com'" in ended.err
    ended = run("next", "shop", "--retry-for", "5", STORAGE_DIR=folder)
    assert ended.status == 2
    assert "neither --url nor MONOTRON_URL is set" in ended.err
