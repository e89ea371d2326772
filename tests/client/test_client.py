"""The Python client against a real service."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

from monotron.client import (
    Client,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    Unauthorized,
    WrongAddress,
)
from tests.conftest import ROOT, basic
from tests.support.scripted import answer, scripted
from tests.support.service import Service, assert_none_twice, services


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks for credentials, and has the accounts 1 and 7."""
    variables = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
    with services(tmp_path_factory.mktemp("guarded")) as start:
        running = start(variables=variables)
        assert running.ask("PUT", "/v1/accounts/7", headers=basic(ROOT)).status == 200
        yield running


@pytest.fixture
def url(guarded: Service) -> str:
    return f"http://127.0.0.1:{guarded.port}"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, key=f"{ROOT.key}:{ROOT.secret}") as client:
        yield client


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A series that no other test uses."""
    return str(request.node.name)


def test_a_series_gives_out_its_values(client: Client, key: str) -> None:
    assert client.current(key) is None
    assert [client.next(key), client.next(key)] == [1, 2]
    assert client.next(key, count=3) == range(3, 6)
    assert client.next(key, count=1) == range(6, 7)
    assert [client.next(key, "a"), client.next(key, "a"), client.next(key, "b")] == [7, 7, 8]
    state = client.current(key)
    assert state is not None
    assert (state.key, state.value, state.token) == (key, 8, "b")


def test_a_series_moves_up_and_never_back(client: Client, key: str) -> None:
    assert client.seed(key, 110).value == 110
    assert client.next(key) == 111
    with pytest.raises(Conflict, match="never moves back") as refused:
        client.seed(key, 5)
    assert refused.value.type == "urn:monotron:problem:seed-too-low"
    assert refused.value.status == 409


def test_a_deleted_series_begins_anew(client: Client, key: str) -> None:
    client.next(key, count=5)
    client.delete(key)
    client.delete(key)
    assert client.current(key) is None
    assert client.next(key) == 1


def test_names_are_sent_as_they_are(client: Client) -> None:
    for name in ("release/2.1", "ü ?&=#%", "50%2F", "\U0001f600", "a+b"):
        assert client.next(name, name) == 1
        state = client.current(name)
        assert state is not None
        assert (state.key, state.token) == (name, name)
        assert name in [each.key for each in client.series(prefix=name)]


@pytest.mark.parametrize("name", ["", ".", "a\nb", "\udcff", "a" * 257])
def test_a_name_that_is_none_is_refused_by_the_service(client: Client, name: str) -> None:
    with pytest.raises(Problem) as refused:
        client.next(name)
    assert refused.value.status in (400, 404, 405)
    with pytest.raises(Problem):
        client.next("svc", name or "\t")


def test_lists_go_on_over_their_pages(
    client: Client, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monotron.client.client.PAGE_ROWS", 2)
    for number in range(5):
        client.next(f"{key}-{number}", "t")
    found = list(client.series(prefix=f"{key}-"))
    assert [(each.key, each.value, each.token) for each in found] == [
        (f"{key}-{number}", 1, "t") for number in range(5)
    ]
    client.next(key, count=5)
    assert [each.value for each in client.history(key)] == [5, 4, 3, 2, 1]
    assert [each.value for each in client.history(key, before=4)] == [3, 2, 1]
    assert [each.value for each in client.history(key, limit=3)] == [5, 4, 3]


def test_history_says_who_got_what_and_when(client: Client, key: str) -> None:
    before = datetime.now(timezone.utc)
    client.next(key, "a")
    (taken,) = client.history(key)
    assert (taken.value, taken.token, taken.api_key) == (1, "a", "root")
    assert before <= taken.created_at <= datetime.now(timezone.utc)
    with pytest.raises(NotFound, match="no value yet"):
        list(client.history(f"{key}-none"))


def test_an_earlier_token_can_be_remembered(client: Client, key: str) -> None:
    assert [client.next(key, token) for token in "ab"] == [1, 2]
    assert client.next(key, "a", remember=True) == 1
    assert client.next(key, "c", remember=True) == 3
    assert client.next(key, "a") == 4


def test_a_limit_ends_a_series(client: Client, key: str) -> None:
    assert client.limit(key) is None
    client.set_limit(key, 2)
    assert client.limit(key) == 2
    assert client.next(key, count=2) == range(1, 3)
    with pytest.raises(Conflict, match="has reached its limit, 2"):
        client.next(key)
    client.remove_limit(key)
    assert client.limit(key) is None
    # The token of that name has the same path.
    assert client.next(key, "limit") == 3
    assert client.limit(key) is None


def test_series_can_be_searched(client: Client, key: str) -> None:
    for name in ("Alpha", "beta", "ALPHABET"):
        client.next(f"{key}-{name}")
    prefix = f"{key}-"
    found = [each.key for each in client.series(prefix=prefix, contains="alpha")]
    assert found == [f"{key}-ALPHABET", f"{key}-Alpha"]
    newest = [each.key for each in client.series(prefix=prefix, sort="changed")]
    assert newest == [f"{key}-ALPHABET", f"{key}-beta", f"{key}-Alpha"]
    assert list(client.series(changed_since="2999-01-01T00:00:00Z")) == []


def test_versions_follow_one_another(client: Client, key: str) -> None:
    assert client.version(key) is None
    assert str(client.next_version(key, "minor", "a")) == "0.1.0"
    assert str(client.next_version(key, "patch", "b")) == "0.1.1"
    assert str(client.next_version(key, "minor", "a")) == "0.1.0"
    version = client.version(key)
    assert version is not None
    assert (version.name, version.version, version.token) == (key, "0.1.1", "b")
    with pytest.raises(Problem, match="major, minor or patch"):
        client.next_version(key, "middle", "a")


VERSION = b'{"name":"shop","token":"a","version":"1.3.0-rc.1"}'
CALENDAR_VERSION = b'{"name":"shop","token":"a","version":"2026.11.1"}'


def test_versions_of_other_kinds_are_asked_for_by_their_queries() -> None:
    page = b'{"versions":[%s],"next":null}' % VERSION
    answers = [VERSION, page, CALENDAR_VERSION, CALENDAR_VERSION, CALENDAR_VERSION]
    with scripted([answer(200, each) for each in answers]) as script, Client(script.url) as client:
        assert str(client.next_version("shop", "minor", "a", pre="rc")) == "1.3.0-rc.1"
        assert [str(each) for each in client.versions(prefix="s")] == ["1.3.0-rc.1"]
        taken = client.next_calendar_version("shop", "a", "YYYY.0M.MICRO", "Europe/Berlin")
        assert str(taken) == "2026.11.1"
        assert client.next_calendar_version("shop", "a") == taken
        assert client.calendar_version("shop") == taken
    assert [request.line.split()[1] for request in script.requests] == [
        "/v1/semver/shop/minor/a?pre=rc",
        "/v1/semver?prefix=s&limit=1000",
        "/v1/calver/shop/a?scheme=YYYY.0M.MICRO&tz=Europe%2FBerlin",
        "/v1/calver/shop/a",
        "/v1/calver/shop",
    ]


def test_attributes_are_kept_with_a_token(client: Client, key: str) -> None:
    assert client.attributes(key, "a") == {}
    client.set_attributes(key, "a", {"author": "Ada"})
    client.set_attributes(key, "a", {"tests": "ü"})
    assert client.attributes(key, "a") == {"author": "Ada", "tests": "ü"}


def test_another_account_has_series_of_its_own(client: Client, url: str, key: str) -> None:
    with Client(url, key=f"{ROOT.key}:{ROOT.secret}", account=7) as seven:
        assert [client.next(key), client.next(key), seven.next(key)] == [1, 2, 1]
    with (
        Client(url, key=f"{ROOT.key}:{ROOT.secret}", account=8) as eight,
        pytest.raises(NotFound, match="account 8 does not exist"),
    ):
        eight.current(key)


def test_threads_share_a_client_and_no_number(client: Client, key: str) -> None:
    together = threading.Barrier(8)

    def take(_: int) -> list[int]:
        together.wait()
        return [client.next(key) for _ in range(10)]

    with ThreadPoolExecutor(8) as threads:
        values = [value for taken in threads.map(take, range(8)) for value in taken]
    assert_none_twice(values)
    assert sorted(values) == list(range(1, 81))


def test_the_variables_name_the_service_and_the_key(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONOTRON_URL", url)
    with Client() as client, pytest.raises(Unauthorized, match="this needs an API key"):
        client.next(key)
    monkeypatch.setenv("MONOTRON_API_KEY", ROOT.key)
    with pytest.raises(WrongAddress, match="only one of them is set"):
        Client()
    monkeypatch.setenv("MONOTRON_API_SECRET", ROOT.secret)
    with Client() as client:
        assert client.next(key) == 1
    monkeypatch.setenv("MONOTRON_KEY", f"{ROOT.key}:wrong")
    with Client() as client, pytest.raises(Unauthorized, match="wrong secret"):
        client.next(key)
    with Client(key=f"{ROOT.key}:{ROOT.secret}") as client:
        assert client.next(key) == 2


def test_an_api_key_may_do_what_its_scopes_say(guarded: Service, url: str) -> None:
    made = guarded.ask("POST", "/v1/accounts/1/grants", b'["read:series"]', basic(ROOT)).json
    pair = made["api_key"]
    with (
        Client(url, key=f"{pair['key']}:{pair['secret']}") as client,
        pytest.raises(Forbidden, match="this needs the scope write:series"),
    ):
        client.next("shop")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "numbers.example.com",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a?b",
        "http://a b",
        "http://ü",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MONOTRON_URL", raising=False)
    with pytest.raises(WrongAddress):
        Client(url)


def test_a_secret_is_in_no_error() -> None:
    for url, key in (
        ("https://a:geheim@b", None),
        ("https://b", "geheim"),
        ("https://b", ":geheim"),
    ):
        with pytest.raises(WrongAddress) as refused:
            Client(url, key=key)
        assert "geheim" not in str(refused.value)
        assert "MONOTRON_KEY" in str(refused.value)
