"""The promise of each client in `clients/`: a build gets the right number, or fails clearly."""

import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from monotron.core.api_keys import Pair
from tests.conftest import basic
from tests.support import ci
from tests.support import service as services
from tests.support.ci import SHELLS, Client, Place, Request, at, no_url, odd_server, reply
from tests.support.ports import new_port
from tests.support.service import Serve, Service, wait_until

pytestmark = pytest.mark.same_on_each_python


CLIENTS = [
    *(*SHELLS, "github", *(f"gitlab-{shell}" for shell in SHELLS)),
    pytest.param("jenkins", marks=pytest.mark.xdist_group("jenkins")),
]
"""Every client, in each shell of this machine that it may run in."""

HOSTILE = [
    "feature/login",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "a'b\"c\\d",
    "$HOME ${MONOTRON_KEY} $$",
    "100% %2F %s +&?=#",
    "${{ github.token }}",
    "../..",
    "-x",
    "  blanks  ",
    "Müller 版本 😀",
    "* [a-z]? ~",
    "!important",
    "é" * 128,
]
"""Names that somebody can give to a branch or a series, and that do harm if they become code."""

ROOT = Pair("root", "q\"uo'te \\back\\ $(touch pwned) %s #: ünd 100%")
"""A pair with characters that are special in a shell, in curl's configuration and in HTTP Basic."""

NO_NUMBERS = {
    "a login page": reply("200 OK", "<html>Who are you?</html>\n", Content_Type="text/html"),
    "nothing": reply("200 OK"),
    "an empty line": reply("200 OK", "\n"),
    "a number that may be cut off": reply("200 OK", "12"),
    "two numbers": reply("200 OK", "1\n2\n"),
    "zero": reply("200 OK", "0\n"),
    "JSON": reply("200 OK", '{"bn":5}\n'),
    "a negative number": reply("200 OK", "-5\n"),
    "more than a series can have": reply("200 OK", "92233720368547758070\n"),
    "a version in place of a number": reply("200 OK", "1.2.3\n"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a redirect to a number": reply("302 Found", "5\n", Location="/login"),
    "no HTTP": b"5\n",
    "not found": reply("404 Not Found", "5\n"),
}
"""Answers of other programs, and answers that Monotron never gives."""


@pytest.fixture(scope="module")
def place_of_module(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place.make(tmp_path_factory.mktemp("clients") / "place")


@pytest.fixture
def place(place_of_module: Place) -> Place:
    """Where the clients run, except Jenkins, which has its own place."""
    place_of_module.pauses()
    return place_of_module


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, place: Place) -> Client:
    """Each client in turn."""
    name: str = request.param
    if name == "jenkins":
        jenkins: ci.Jenkins = request.getfixturevalue("jenkins")
        jenkins.place.pauses()
        return jenkins
    if name == "github":
        return ci.GithubAction(place)
    if name.startswith("gitlab-"):
        return ci.GitlabTemplate(name.removeprefix("gitlab-"), place)
    return ci.Shell(SHELLS[name], place)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for the whole module: each test has its own keys."""
    with services.services(tmp_path_factory.mktemp("open")) as start:
        yield start()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same with authentication on."""
    root = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    with services.services(tmp_path_factory.mktemp("guarded")) as start:
        yield start(variables=root)


@pytest.fixture
def key() -> str:
    return f"series of {uuid4()}"


def as_caller(pair: Pair) -> dict[str, str]:
    return {"MONOTRON_KEY": f"{pair.key}:{pair.secret}"}


def current(service: Service, key: str) -> dict[str, object]:
    state: dict[str, object] = service.get(ci.series_path(key)).json
    return state


def test_each_call_takes_the_next_number(client: Client, service: Service, key: str) -> None:
    outcomes = [client(("next", key), at(service)) for _ in range(2)]
    # What went well needs no words: they would be in the log of each build.
    assert [(done.answer, done.log) for done in outcomes] == [("1", ""), ("2", "")]


def test_same_token_gets_same_number(client: Client, service: Service, key: str) -> None:
    tokens = ["a", "a", "b", "b"]
    outcomes = [client(("next", key, token), at(service)) for token in tokens]
    assert [done.answer for done in outcomes] == ["1", "1", "2", "2"]


def test_versions_are_bumped_once_for_a_token(client: Client, service: Service, key: str) -> None:
    bumps = [("minor", "a"), ("minor", "a"), ("patch", "b"), ("major", "c")]
    outcomes = [client(("version", key, part, token), at(service)) for part, token in bumps]
    assert [done.answer for done in outcomes] == ["0.1.0", "0.1.0", "0.1.1", "1.0.0"]


def test_an_earlier_token_is_remembered_where_that_is_asked_for(
    client: Client, service: Service, key: str
) -> None:
    calls = [("next", key, "a"), ("next", key, "b"), ("--remember", "next", key, "a")]
    assert [client(words, at(service)).answer for words in calls] == ["1", "2", "1"]


def test_pre_releases_come_before_their_version(client: Client, service: Service, key: str) -> None:
    calls = [
        ("--pre=rc", "version", key, "minor", "a"),
        ("--pre=rc", "version", key, "minor", "a"),
        ("--pre=rc", "version", key, "minor", "b"),
        ("version", key, "minor", "b"),
    ]
    taken = [client(words, at(service)).answer for words in calls]
    assert taken == ["0.1.0-rc.1", "0.1.0-rc.1", "0.1.0-rc.2", "0.1.0"]


def test_calendar_version_has_the_form_of_its_scheme(
    client: Client, service: Service, key: str
) -> None:
    words = ("--tz=Europe/Berlin", "calver", key, "YYYY.0M.MICRO", "t")
    first, again = (client(words, at(service)).answer for _ in range(2))
    assert re.fullmatch(r"20\d\d\.[01]\d\.1", first)
    assert again == first


def test_number_can_have_zeros_in_front(client: Client, service: Service, key: str) -> None:
    calls = [("--width=6", "next", key), ("--width=6", "next", key, "t"), ("next", key, "t")]
    assert [client(words, at(service)).answer for words in calls] == ["000001", "000002", "2"]


@pytest.mark.parametrize(
    ("words", "path", "answer"),
    [
        (("--remember", "next", "shop", "t"), "/v1/series/shop/t?remember=true", "7"),
        (("--width=6", "next", "shop", "t"), "/v1/series/shop/t?width=6", "000042"),
        (("--width=6", "next", "shop"), "/v1/series/shop?width=6", "000042"),
        (
            ("--pre=rc", "version", "shop", "minor", "t"),
            "/v1/semver/shop/minor/t?pre=rc",
            "1.3.0-rc.1",
        ),
        (
            ("calver", "shop", "YYYY.0M.MICRO", "t"),
            "/v1/calver/shop/t?scheme=YYYY.0M.MICRO",
            "2026.11.3",
        ),
        (
            ("--tz=Europe/Berlin", "calver", "shop", "YY.MICRO", "t"),
            "/v1/calver/shop/t?tz=Europe%2FBerlin&scheme=YY.MICRO",
            "26.3",
        ),
    ],
    ids=["remember", "width", "width, no token", "pre", "calver", "tz"],
)
def test_what_else_can_be_asked_for(
    client: Client, words: ci.Words, path: str, answer: str
) -> None:
    with odd_server(reply("200 OK", f"{answer}\n")) as odd:
        done = client(words, {"MONOTRON_URL": odd.url})
    assert (done.status, done.answer) == (0, answer)
    assert [request.path for request in odd.requests] == [path]


def test_the_last_number_there_is_arrives_whole(client: Client, service: Service, key: str) -> None:
    service.put(ci.series_path(key), b'{"value":9223372036854775806}')
    assert client(("next", key), at(service)).answer == "9223372036854775807"
    done = client(("next", key), at(service))
    assert done.failed
    assert "409" in done.log


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_just_a_name(client: Client, service: Service, name: str) -> None:
    service.ask("DELETE", ci.series_path(name))
    done = client(("next", name, name), at(service) | {"HOME": "/nowhere"})
    assert (done.status, done.answer) == (0, "1")
    assert current(service, name) == {"creator_id": 1, "key": name, "token": name, "value": 1}
    assert not list(client.place.folder.rglob("pwned"))


@pytest.mark.parametrize(
    "words",
    [
        ("next", ""),
        ("next", "shop", ""),
        ("next", "shop", "a\nb"),
        ("next", "a\tb", "t"),
        ("version", "shop", "minor", ""),
        ("version", "shop", "huge", "t"),
        ("version", "", "minor", "t"),
    ],
    ids=repr,
)
def test_what_cannot_be_asked_for_is_refused_and_not_sent(client: Client, words: ci.Words) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        done = client(words, {"MONOTRON_URL": odd.url})
    assert done.failed
    assert re.search(r"monotron: (the|a version's part) ", done.log)
    assert odd.requests == []


@pytest.mark.parametrize("what", NO_NUMBERS)
def test_no_build_goes_on_without_a_number(client: Client, what: str) -> None:
    with odd_server(NO_NUMBERS[what]) as odd:
        done = client(("next", "shop", "t"), {"MONOTRON_URL": odd.url})
    assert done.failed
    assert f"{odd.url}/v1/series/shop/t" in done.log
    assert len(odd.requests) == 1


def test_fails_where_nobody_listens(client: Client) -> None:
    url = no_url()
    done = client(("next", "shop"), {"MONOTRON_URL": url})
    assert done.failed
    assert f"monotron: {url}/v1/series/shop: no answer" in done.log
    assert client.place.pauses() == [1, 2, 4, 8, 16]


def test_waits_for_a_service_that_is_away(client: Client, serve: Serve, key: str) -> None:
    before = serve("--port", str(new_port()))
    before.stop()
    with ThreadPoolExecutor() as beside:
        with client.place.held():
            asked = beside.submit(client, ("next", key), at(before))
            wait_until(client.place.pauses, "the client pauses")
            serve("--port", str(before.port))
        done = asked.result()
    assert (done.status, done.answer) == (0, "1")


def test_number_that_was_taken_for_a_lost_answer_is_given_again(
    client: Client, serve: Serve, key: str
) -> None:
    running = [serve("--port", str(new_port()))]
    killed, up_again = threading.Event(), threading.Event()

    def pass_on(request: Request) -> bytes:
        asked = running[-1].ask(request.method, request.path, headers=request.headers)
        return reply("200 OK", asked.body.decode())

    def kill_in_the_middle(request: Request) -> bytes:
        assert pass_on(request).endswith(b"\n1\n")
        running[-1].kill()
        killed.set()
        assert up_again.wait(services.PATIENCE)
        return b""

    with ThreadPoolExecutor() as beside, odd_server(kill_in_the_middle, pass_on) as relay:
        asked = beside.submit(client, ("next", key), {"MONOTRON_URL": relay.url})
        assert killed.wait(services.PATIENCE)
        running.append(serve("--port", str(running[-1].port)))
        up_again.set()
        done = asked.result()
    assert (done.status, done.answer) == (0, "1")
    assert current(running[-1], key)["value"] == 1


def test_overload_is_waited_for_as_long_as_the_service_asks(client: Client) -> None:
    busy = reply("503 Service Unavailable", Retry_After="7")
    others = [
        reply("507 Insufficient Storage"),
        reply("429 Too Many Requests", Retry_After="100000"),
        reply("502 Bad Gateway", "<html>", Retry_After="Sun, 22 Nov 2026 23:38:51 GMT"),
        reply("200 OK", "123", Content_Length="500"),
    ]
    with odd_server(busy, *others, reply("200 OK", "123\n")) as odd:
        done = client(("next", "shop"), {"MONOTRON_URL": odd.url})
    assert (done.status, done.answer) == (0, "123")
    assert client.place.pauses() == [7, 2, 60, 8, 16]


def test_each_try_has_the_same_idempotency_key_and_each_call_another(client: Client) -> None:
    with odd_server(b"", b"", reply("200 OK", "1\n")) as odd:
        for _ in range(2):
            assert client(("next", "shop"), {"MONOTRON_URL": odd.url}).answer == "1"
    first, *others, later = [request.headers["Idempotency-Key"] for request in odd.requests]
    assert len(others) == 2
    assert {first} == set(others)
    assert later != first


def test_gives_up_after_as_many_tries_as_wanted(client: Client) -> None:
    with odd_server(reply("503 Service Unavailable")) as odd:
        done = client(("next", "shop"), {"MONOTRON_URL": odd.url, "MONOTRON_TRIES": "3"})
    assert done.failed
    assert "503" in done.log
    assert len(odd.requests) == 3


def test_credentials_are_sent_whatever_is_in_them(
    client: Client, guarded: Service, key: str
) -> None:
    done = client(("next", key), at(guarded) | as_caller(ROOT))
    assert (done.status, done.answer) == (0, "1")


def test_wrong_credentials_fail_at_once(client: Client, guarded: Service) -> None:
    for wrong in ({}, as_caller(Pair("root", "wrong"))):
        done = client(("next", "shop"), at(guarded) | wrong)
        assert done.failed
        assert ": 401: " in done.log
    assert client.place.pauses() == []


def test_key_without_the_scope_fails_at_once(client: Client, guarded: Service) -> None:
    grant = guarded.ask("POST", "/v1/accounts/1/grants", b'["read:series"]', basic(ROOT)).json
    reader = Pair(grant["api_key"]["key"], grant["api_key"]["secret"])
    done = client(("next", "shop"), at(guarded) | as_caller(reader))
    assert done.failed
    assert ": 403: " in done.log
    assert "write:series" in done.log
    assert reader.secret not in done.log


def test_secret_is_nowhere_to_be_read(client: Client) -> None:
    pair = Pair("a-key-of-an-account", f"secret{uuid4()}")
    commands = []

    def look_around(request: Request) -> bytes:
        assert request.headers["Authorization"] == basic(pair)["Authorization"]
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            # A process may have ended meanwhile.
            if file.exists():
                commands.append(read(file))
        return reply("503 Service Unavailable", "no")

    def read(file: Path) -> bytes:
        try:
            return file.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""

    folder = client.place.folder
    (folder / ".curlrc").write_text("verbose\ntrace-ascii = -\n")
    # curl wipes a secret off its command line, though not before somebody can have seen it.
    (folder / "bin" / "curl").write_text(
        f'#!/bin/sh\necho "$@" >>"{folder}/arguments"\nexec {shutil.which("curl")} "$@"\n'
    )
    (folder / "bin" / "curl").chmod(0o755)
    try:
        with odd_server(look_around, reply("200 OK", "5\n")) as odd:
            variables = {"MONOTRON_URL": odd.url} | as_caller(pair)
            done = client(("next", "shop"), variables, trace=True)
        commands.append((folder / "arguments").read_bytes())
    finally:
        for file in (".curlrc", "bin/curl", "arguments"):
            (folder / file).unlink(missing_ok=True)
    assert done.answer == "5"
    assert b"Idempotency-Key" in commands[-1]
    encoded = basic(pair)["Authorization"].removeprefix("Basic ")
    for text in (pair.secret, encoded):
        assert text not in done.log
        assert not [command for command in commands if text.encode() in command]


def test_address_with_a_secret_is_refused_and_not_shown(client: Client) -> None:
    done = client(("next", "shop"), {"MONOTRON_URL": "http://me:hidden@127.0.0.1:1"})
    assert done.failed
    assert "MONOTRON_URL has an @" in done.log
    assert "hidden" not in done.log
