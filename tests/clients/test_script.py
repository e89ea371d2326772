"""The promises of `clients/monotron.sh`, which all clients use, in each installed shell."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

import pytest

from monotron.core.api_keys import Pair
from tests.conftest import basic
from tests.support import ci
from tests.support import service as services
from tests.support.ci import SHELLS, Place, Request, Words, at, no_url, odd_server, reply
from tests.support.service import Service

pytestmark = pytest.mark.same_on_each_python


NO_VERSIONS = [
    "5\n",
    "1.2\n",
    "1.2.3.4\n",
    "1..2\n",
    ".1.2\n",
    "1.2.\n",
    "1.2.3-rc.1\n",
    "v1.2.3\n",
]
NO_PRE_RELEASES = [
    "1.2.3\n",
    "1.2.3-rc\n",
    "1.2.3-rc.\n",
    "1.2.3-rc.01\n",
    "1.2.3-beta.1\n",
    "1.2-rc.1\n",
]
NO_CALENDAR_VERSIONS = ["5\n", "2026.\n", ".11.3\n", "2026..3\n", "2026-11.1\n", "today.3\n"]
NO_PADDED_NUMBERS = ["42\n", "000000\n", "0000042\n", "0000.2\n"]

CALLS: dict[Words, tuple[str, str]] = {
    ("--remember", "next", "shop", "t"): ("/v1/series/shop/t?remember=true", "7"),
    ("--width=6", "next", "shop"): ("/v1/series/shop?width=6", "000042"),
    ("--width=1", "next", "shop"): ("/v1/series/shop?width=1", "42"),
    ("--width=6", "--remember", "next", "a", "t"): (
        "/v1/series/a/t?width=6&remember=true",
        "1234567",
    ),
    ("--width=3", "build", "a"): ("/a?width=3", "007"),
    ("--pre=rc", "version", "shop", "minor", "t"): (
        "/v1/semver/shop/minor/t?pre=rc",
        "1.3.0-rc.10",
    ),
    ("--pre=x-1.rc", "version", "shop", "minor", "t"): (
        "/v1/semver/shop/minor/t?pre=x-1.rc",
        "1.3.0-x-1.rc.2",
    ),
    ("calver", "shop", "YYYY.0M.MICRO", "t"): (
        "/v1/calver/shop/t?scheme=YYYY.0M.MICRO",
        "2026.03.1",
    ),
    ("--tz=Europe/Berlin", "calver", "shop", "0Y.WW.MICRO", "a/b"): (
        "/v1/calver/shop/a%2Fb?tz=Europe%2FBerlin&scheme=0Y.WW.MICRO",
        "09.11.1",
    ),
}
"""What is asked for: the path that is called, and an answer."""


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tmp_path: Path) -> ci.Shell:
    return ci.Shell(SHELLS[request.param], Place.make(tmp_path / "place"))


@pytest.fixture
def key() -> str:
    return f"series of {uuid4()}"


@pytest.mark.parametrize("body", NO_VERSIONS)
def test_no_build_goes_on_without_a_version(sh: ci.Shell, body: str) -> None:
    with odd_server(reply("200 OK", body)) as odd:
        done = sh(("version", "shop", "minor", "t"), {"MONOTRON_URL": odd.url})
    assert done.failed
    assert f"{odd.url}/v1/semver/shop/minor/t" in done.log


@pytest.mark.parametrize(
    ("words", "bodies"),
    [
        (("--pre=rc", "version", "shop", "minor", "t"), NO_PRE_RELEASES),
        (("calver", "shop", "YYYY.MICRO", "t"), NO_CALENDAR_VERSIONS),
        (("--width=6", "next", "shop", "t"), NO_PADDED_NUMBERS),
        (("next", "shop", "t"), ["000042\n"]),
    ],
    ids=["pre-release", "calendar version", "padded", "not padded"],
)
def test_no_build_goes_on_with_another_form(sh: ci.Shell, words: Words, bodies: list[str]) -> None:
    with odd_server(*(reply("200 OK", body) for body in bodies)) as odd:
        outcomes = [sh(words, {"MONOTRON_URL": odd.url}) for _ in bodies]
    assert [body for body, done in zip(bodies, outcomes, strict=True) if not done.failed] == []


def test_options_are_sent_and_their_answers_taken(sh: ci.Shell) -> None:
    answers = [reply("200 OK", f"{answer}\n") for _, answer in CALLS.values()]
    with odd_server(*answers) as odd:
        taken = [sh(words, {"MONOTRON_URL": odd.url}).answer for words in CALLS]
    asked = [request.path for request in odd.requests]
    assert list(zip(asked, taken, strict=True)) == list(CALLS.values())


@pytest.mark.parametrize(
    "words",
    [
        ("--width=0", "next", "shop"),
        ("--width=", "next", "shop"),
        ("--width=20", "next", "shop"),
        ("--width=1x", "next", "shop"),
        ("--pre=", "version", "shop", "minor", "t"),
        ("--tz=", "calver", "shop", "YYYY.MICRO", "t"),
        ("calver", "shop", "", "t"),
        ("seed", "shop", ""),
        ("seed", "shop", "-5"),
        ("seed", "shop", '1}{"x":2'),
        ("--other", "next", "shop"),
    ],
    ids=repr,
)
def test_options_that_cannot_be_are_refused_and_not_sent(sh: ci.Shell, words: Words) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        done = sh(words, {"MONOTRON_URL": odd.url})
    assert (done.status, done.answer, odd.requests) == (2, "", [])
    assert done.log.startswith(("monotron: ", "usage:"))


def test_series_is_moved_up_and_never_back(sh: ci.Shell, service: Service, key: str) -> None:
    assert sh(("seed", key, "4711"), at(service)).answer == "4711"
    assert sh(("next", key), at(service)).answer == "4712"
    done = sh(("seed", key, "4711"), at(service))
    assert done.failed
    assert ": 409: " in done.log
    assert "never moves back" in done.log


def test_service_below_a_path_is_found(sh: ci.Shell) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        for end in ("", "/", "//"):
            assert sh(("next", "a/b"), {"MONOTRON_URL": f"{odd.url}/ci/mt{end}"}).answer == "1"
    assert {request.path for request in odd.requests} == {"/ci/mt/v1/series/a%2Fb"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ci.example.com",
        "ftp://ci.example.com",
        "http://",
        "http:///v1",
        "http://127.0.0.1:1/ x",
        "http://127.0.0.1:1/?a=b",
        "http://127.0.0.1:1/#v1",
    ],
)
def test_address_that_is_none_is_refused(sh: ci.Shell, url: str) -> None:
    done = sh(("next", "shop"), {"MONOTRON_URL": url})
    assert done.failed
    assert "MONOTRON_URL" in done.log
    assert sh.place.pauses() == []


def test_what_a_server_says_stays_on_one_line(sh: ci.Shell) -> None:
    detail = 'no\\n\r\n::add-mask::x \x1b[31m \\"so\\" \\\\ there'
    with odd_server(reply("400 Bad Request", f'{{"detail": "{detail}"}}')) as odd:
        done = sh(("next", "shop"), {"MONOTRON_URL": odd.url})
    (line,) = [line for line in done.log.splitlines() if "::add-mask::" in line]
    assert line.startswith("monotron: ")
    assert "\x1b" not in done.log
    assert '"so" \\ there' in line


def test_numbers_of_a_uuid_are_those_of_its_series(sh: ci.Shell, service: Service) -> None:
    uuid = uuid4()
    assert sh(("build", str(uuid).upper()), at(service)).answer == "1"
    assert sh(("next", str(uuid)), at(service)).answer == "2"
    assert sh(("get", str(uuid)), at(service)).answer == "2"
    assert sh(("build", "no-uuid"), at(service)).failed


def test_the_current_number_takes_none(sh: ci.Shell, service: Service, key: str) -> None:
    missing = sh(("get", key), at(service))
    assert missing.failed
    assert ": 404: " in missing.log
    sh(("next", key), at(service))
    assert [sh(("get", key), at(service)).answer for _ in range(2)] == ["1", "1"]


@pytest.mark.parametrize(
    "words",
    [(), ("next",), ("next", "a", "b", "c"), ("version", "a", "minor"), ("get",), ("x",)],
    ids=repr,
)
def test_wrong_use_is_told_from_failure(sh: ci.Shell, words: ci.Words) -> None:
    done = sh(words, {"MONOTRON_URL": no_url()})
    assert (done.status, done.answer) == (2, "")
    assert done.log.startswith("usage:")


@pytest.mark.parametrize(
    "variables",
    [
        {"MONOTRON_TRIES": "0"},
        {"MONOTRON_TRIES": "many"},
        {"MONOTRON_TRIES": "100"},
        {"MONOTRON_KEY": "hidden"},
        {"MONOTRON_KEY": ":hidden"},
        {"MONOTRON_KEY": "hidden:"},
        {"MONOTRON_KEY": "a:hidden\nurl = x"},
        {"MONOTRON_API_KEY": "alone"},
        {"MONOTRON_API_SECRET": "alone"},
        {"MONOTRON_API_KEY": "a:b", "MONOTRON_API_SECRET": "hidden"},
        {"MONOTRON_API_KEY": "a", "MONOTRON_API_SECRET": "hidden\nurl = x"},
    ],
    ids=repr,
)
def test_settings_that_cannot_be_are_refused(sh: ci.Shell, variables: Mapping[str, str]) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        done = sh(("next", "shop"), {"MONOTRON_URL": odd.url} | dict(variables))
    assert (done.status, done.answer) == (2, "")
    assert next(iter(variables)) in done.log
    assert "hidden" not in done.log
    assert odd.requests == []


def test_the_two_older_variables_do_the_same_as_the_one(sh: ci.Shell) -> None:
    older = {"MONOTRON_API_KEY": "a", "MONOTRON_API_SECRET": "older:secret"}
    with odd_server(reply("200 OK", "1\n")) as odd:
        for variables in (
            older,
            older | {"MONOTRON_KEY": "b:the:one"},
            older | {"MONOTRON_KEY": ""},
        ):
            assert sh(("next", "shop"), {"MONOTRON_URL": odd.url} | variables).answer == "1"
    sent = [request.headers["Authorization"] for request in odd.requests]
    pairs = [Pair("a", "older:secret"), Pair("b", "the:one"), Pair("a", "older:secret")]
    assert sent == [basic(pair)["Authorization"] for pair in pairs]


def test_help_is_printed(sh: ci.Shell) -> None:
    done = sh(("--help",), {})
    assert done.status == 0
    assert "MONOTRON_KEY" in done.answer


@pytest.mark.parametrize("missing", ["curl", "od", "sed", "tr"])
def test_missing_program_is_named(sh: ci.Shell, tmp_path: Path, missing: str) -> None:
    for program in {"curl", "od", "sed", "sleep", "tr", "cat"} - {missing}:
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    shell = shutil.which("sh")
    assert shell is not None
    alone = ci.Shell([shell], sh.place)
    done = alone(("next", "ü"), {"MONOTRON_URL": no_url(), "PATH": str(tmp_path)})
    assert (done.status, done.answer) == (1, "")
    assert f"monotron: {missing} is not installed here" in done.log


def test_silent_service_is_asked_again(sh: ci.Shell, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    asked, heard = tmp_path / "asked", tmp_path / "heard"
    # The last --max-time counts, so the first call need not wait for the script's own. The second
    # has all of that, and comes once the first is heard, however late the server is.
    (tmp_path / "curl").write_text(
        f"""#!/bin/sh
if mkdir "{asked}" 2>/dev/null; then exec {curl} "$@" --max-time 1; fi
until [ -e "{heard}" ]; do :; done
exec {curl} "$@"
"""
    )
    (tmp_path / "curl").chmod(0o755)
    over = threading.Event()

    def say_nothing(request: Request) -> bytes:
        heard.touch()
        over.wait(services.PATIENCE)
        return b""

    path = f"{tmp_path}:{sh.place.environment({})['PATH']}"
    with odd_server(say_nothing, reply("200 OK", "1\n")) as odd:
        done = sh(("next", "shop"), {"MONOTRON_URL": odd.url, "PATH": path})
        over.set()
    assert (done.status, done.answer) == (0, "1")
    assert "(curl: 28)" in done.log
    first, second = odd.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_full_disk_fails_the_build(sh: ci.Shell, service: Service, key: str) -> None:
    command = ["sh", "-c", 'exec sh "$0" next "$1" >/dev/full', str(ci.SCRIPT), key]
    status, _, log = sh.place.run(command, at(service))
    assert status == 1
    assert "monotron: the number cannot be written" in log


def test_only_plain_characters_are_left_as_they_are(sh: ci.Shell) -> None:
    every = "".join(map(chr, range(0x20, 0x7F)))
    with odd_server(reply("200 OK", "1\n")) as odd:
        sh(("next", every), {"MONOTRON_URL": odd.url})
    path = odd.requests[0].path.removeprefix("/v1/series/")
    assert unquote(path) == every
    letters = "".join(c for c in path.replace("%", "") if not c.isalnum())
    assert set(letters) == set("-._~")
