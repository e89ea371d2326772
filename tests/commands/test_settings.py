"""The root pair by variable, file and flag, and that it is never shown."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core.api_keys import Pair
from monotron.settings import SETTINGS, InvalidSetting, Settings, read_settings
from tests.conftest import ROOT, basic
from tests.server.test_start import AS_ANYBODY
from tests.support.examples import sharing_fixtures
from tests.support.service import COMMAND, Serve, Service, processes, run

SECRET = "hunter2-hunter2"
VARIABLES = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}

WITH_NO_RIGHTS = f"{AS_ANYBODY}; ctypes.CDLL(None).prctl(24, 2)"
"""And without CAP_DAC_READ_SEARCH, which reads any file."""

Refuse = Callable[..., str]


def refused(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> str:
    """Return the one line that says why these settings cannot be used."""
    with pytest.raises(InvalidSetting) as error:
        read_settings(environ, flags or {})
    line = str(error.value)
    assert line.isprintable()
    assert line
    assert SECRET not in line
    assert ROOT.secret not in line
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that holds a secret."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


def test_without_a_root_pair_there_is_no_authentication() -> None:
    for environ in (
        {},
        {"ROOT_API_KEY": "", "ROOT_API_SECRET": ""},
        {"ROOT_API_KEY_FILE": "", "ROOT_API_SECRET_FILE": ""},
    ):
        settings = read_settings(environ, {"root_api_key_file": None})
        assert (settings.root_api_key, settings.root_api_secret) == (None, None)
        assert not settings.authentication


def test_a_root_pair_by_variable_turns_authentication_on() -> None:
    settings = read_settings(VARIABLES, {})
    assert settings.authentication
    assert (settings.root_api_key, settings.root_api_secret) == (ROOT.key, ROOT.secret)


def test_either_half_may_come_from_a_file(file: Path) -> None:
    assert_pair({"ROOT_API_KEY": "root", "ROOT_API_SECRET_FILE": str(file)}, Pair("root", SECRET))
    assert_pair({"ROOT_API_KEY_FILE": str(file), "ROOT_API_SECRET": "s"}, Pair(SECRET, "s"))


def assert_pair(
    environ: Mapping[str, str], pair: Pair, flags: Mapping[str, str] | None = None
) -> None:
    settings = read_settings(environ, flags or {})
    assert settings.root_api_key == pair.key
    assert settings.root_api_secret == pair.secret


def test_a_flag_wins_over_both_variables(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("other")
    flags = {"root_api_secret_file": str(file)}
    for variable in ("ROOT_API_SECRET", "ROOT_API_SECRET_FILE"):
        environ = {"ROOT_API_KEY": "root", variable: str(other)}
        assert_pair(environ, Pair("root", SECRET), flags)
    both = {**VARIABLES, "ROOT_API_SECRET_FILE": str(other)}
    assert_pair(both, Pair(ROOT.key, SECRET), flags)
    flags["root_api_key_file"] = str(other)
    assert_pair(VARIABLES, Pair("other", SECRET), flags)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b"abc\n\n", "abc"),
        (b" abc \n", " abc "),
        (b"a:b:c\n", "a:b:c"),
        ("ünd 版本".encode(), "ünd 版本"),
        (b"a" * 100_000, "a" * 100_000),
    ],
)
def test_a_file_counts_without_the_newline_at_its_end(
    file: Path, content: bytes, secret: str
) -> None:
    file.write_bytes(content)
    environ = {"ROOT_API_KEY": "root", "ROOT_API_SECRET_FILE": str(file)}
    assert_pair(environ, Pair("root", secret))


@pytest.mark.parametrize("half", ["ROOT_API_KEY", "ROOT_API_SECRET"])
def test_one_half_alone_is_refused(half: str, file: Path) -> None:
    other = ({"ROOT_API_KEY", "ROOT_API_SECRET"} - {half}).pop()
    for environ in (
        {half: SECRET},
        {half: SECRET, other: ""},
        {f"{half}_FILE": str(file)},
        {f"{half}_FILE": str(file), f"{other}_FILE": ""},
    ):
        line = refused(environ)
        assert "ROOT_API_KEY" in line
        assert "ROOT_API_SECRET" in line


@pytest.mark.parametrize("half", ["ROOT_API_KEY", "ROOT_API_SECRET"])
def test_a_variable_and_a_file_for_one_half_are_refused(half: str, file: Path) -> None:
    line = refused({**VARIABLES, half: SECRET, f"{half}_FILE": str(file)})
    assert f"{half} and {half}_FILE" in line


BAD_CONTENTS = {
    "nothing": b"",
    "only a newline": b"\n",
    "two lines": b"hunter2-hunter2\nmore\n",
    "carriage return": b"hunter2-hunter2\rmore",
    "tab": b"hunter2-hunter2\t",
    "zero byte": b"hunter2-hunter2\0",
    "escape": b"\x1b[31mhunter2-hunter2",
    "not UTF-8": b"hunter2-hunter2\xff",
    "UTF-16": "hunter2-hunter2".encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbfhunter2-hunter2",
}


@pytest.mark.parametrize("half", ["ROOT_API_KEY", "ROOT_API_SECRET"])
@pytest.mark.parametrize("content", BAD_CONTENTS.values(), ids=BAD_CONTENTS)
def test_a_file_that_holds_no_secret_is_refused_by_name(
    half: str, content: bytes, file: Path
) -> None:
    file.write_bytes(content)
    environ = {name: value for name, value in VARIABLES.items() if name != half}
    assert f"{half}_FILE" in refused({**environ, f"{half}_FILE": str(file)})
    flag = "--" + half.lower().replace("_", "-") + "-file"
    assert flag in refused(VARIABLES, {f"{half.lower()}_file": str(file)})


@pytest.mark.parametrize("half", ["ROOT_API_KEY", "ROOT_API_SECRET"])
@pytest.mark.parametrize("path", ["nowhere", ".", "secret/below", "a" * 5000, "loop"])
def test_a_file_that_cannot_be_read_is_refused_by_name(
    half: str, path: str, tmp_path: Path, file: Path
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    name = str(tmp_path / path)
    environ = {each: value for each, value in VARIABLES.items() if each != half}
    line = refused({**environ, f"{half}_FILE": name})
    assert f"{half}_FILE" in line
    assert name in line
    assert "--root-api" in refused(VARIABLES, {f"{half.lower()}_file": ""})


@pytest.mark.parametrize("value", [f"{SECRET}:", f":{SECRET}", f"a:{SECRET}", ":"])
def test_a_colon_in_the_key_is_refused_and_one_in_the_secret_is_not(value: str) -> None:
    line = refused({"ROOT_API_KEY": value, "ROOT_API_SECRET": "s"})
    assert "ROOT_API_KEY" in line
    assert "colon" in line
    assert_pair({"ROOT_API_KEY": "root", "ROOT_API_SECRET": value}, Pair("root", value))


@pytest.mark.parametrize("half", ["ROOT_API_KEY", "ROOT_API_SECRET"])
@pytest.mark.parametrize("end", ["\n", "\t", "\x7f", "\x1b[0m", "\udcff", "\u2028"])
def test_what_no_header_can_carry_is_refused(half: str, end: str) -> None:
    assert half in refused({**VARIABLES, half: SECRET + end})


@sharing_fixtures
@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_set_is_used_as_it_is_or_refused(key: str, secret: str) -> None:
    environ = {"ROOT_API_KEY": key, "ROOT_API_SECRET": secret}
    try:
        settings = read_settings(environ, {})
    except InvalidSetting:
        refused(environ)
    else:
        assert (settings.root_api_key or "", settings.root_api_secret or "") == (key, secret)
        assert settings.authentication == bool(key and secret)


def test_each_setting_is_read_as_the_type_of_its_field() -> None:
    hints = get_type_hints(Settings)
    settings = read_settings(VARIABLES, {})
    for setting in SETTINGS:
        assert isinstance(getattr(settings, setting.name), hints[setting.name]), setting.name


def test_no_repr_shows_a_secret() -> None:
    settings = read_settings({"ROOT_API_KEY": "root", "ROOT_API_SECRET": SECRET}, {})
    assert SECRET not in repr(settings)
    assert SECRET not in str(replace(settings, port=81))
    # Anybody who adds a secret must think of this.
    hidden = {field.name for field in fields(Settings) if not field.repr}
    assert hidden == {"root_api_key", "root_api_secret", "store_password"}


@pytest.mark.parametrize("number", [0, 1, 1000, 100_000])
def test_history_is_a_number_of_values(number: int) -> None:
    assert read_settings({"MONOTRON_HISTORY": str(number)}, {}).history == number
    assert read_settings({}, {"history": str(number)}).history == number
    assert read_settings({}, {}).history == 1000


@pytest.mark.parametrize("setting", ["public_badges", "access_log"])
def test_switches_take_every_usual_word(setting: str) -> None:
    words = [("on", "off"), ("yes", "no"), ("true", "false"), ("1", "0")]
    for position, expected in (0, True), (1, False):
        for pair in words:
            word = pair[position]
            for text in (word, word.upper(), word.title()):
                assert getattr(read_settings({}, {setting: text}), setting) is expected
    for text in ("y", "enabled", "2", " on", "ja"):
        assert "on or off" in refused({}, {setting: text})


def test_settings_say_where_they_came_from(file: Path) -> None:
    environ = {
        "HOST": "a",
        "MONOTRON_HOST": "b",
        "PORT": "81",
        "MONOTRON_PORT": "tcp://10.0.0.1:80",
        "MONOTRON_WORKERS": "2",
        "ROOT_API_KEY": "root",
        "ROOT_API_SECRET_FILE": str(file),
    }
    settings = read_settings(environ, {"workers": "3"})
    assert (settings.host, settings.port, settings.workers) == ("b", 81, 3)
    assert settings.sources == {
        "host": "MONOTRON_HOST",
        "port": "PORT",
        "workers": "--workers",
        "root_api_key": "ROOT_API_KEY",
        "root_api_secret": "ROOT_API_SECRET_FILE",
    }
    assert read_settings({}, {}).sources == {}


# The command


@pytest.fixture
def refuse(folder: Path) -> Refuse:
    """Start a service that must refuse with one line and status 2; return the line."""

    def start(*flags: str, variables: Mapping[str, str], before: str = "") -> str:
        variables = {"STORAGE_DIR": str(folder), "PORT": "0", **variables}
        ended = run("serve", *flags, variables=variables, before=before)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("monotron: ")
        assert ended.stderr.count("\n") == 1, ended.stderr
        assert SECRET not in ended.stderr
        # Nothing was made, and above all nothing is open to everybody.
        assert not folder.exists()
        return ended.stderr

    return start


def test_half_a_pair_ends_the_start(refuse: Refuse) -> None:
    assert "belong together" in refuse(variables={"ROOT_API_SECRET": SECRET})
    assert "belong together" in refuse(variables={"ROOT_API_KEY": SECRET})


def test_a_secret_that_is_set_twice_ends_the_start(refuse: Refuse, file: Path) -> None:
    variables = {"ROOT_API_KEY": "root", "ROOT_API_SECRET": SECRET}
    line = refuse(variables={**variables, "ROOT_API_SECRET_FILE": str(file)})
    assert "ROOT_API_SECRET_FILE" in line


def test_a_file_that_is_not_there_ends_the_start(refuse: Refuse, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert missing in refuse(variables={"ROOT_API_KEY_FILE": missing, "ROOT_API_SECRET": SECRET})
    assert missing in refuse("--root-api-secret-file", missing, variables={"ROOT_API_KEY": "root"})


def test_a_file_that_may_not_be_read_ends_the_start(refuse: Refuse, file: Path) -> None:
    file.chmod(0)
    variables = {"ROOT_API_KEY": "root", "ROOT_API_SECRET_FILE": str(file)}
    line = refuse(variables=variables, before=WITH_NO_RIGHTS)
    assert str(file) in line
    assert "denied" in line


def test_a_secret_that_is_not_utf_8_ends_the_start(refuse: Refuse, file: Path) -> None:
    file.write_bytes(SECRET.encode() + b"\xff")
    assert "UTF-8" in refuse(variables={"ROOT_API_KEY": "root", "ROOT_API_SECRET_FILE": str(file)})
    secret = SECRET + "\udcff"
    assert "ROOT_API_SECRET" in refuse(variables={"ROOT_API_KEY": "r", "ROOT_API_SECRET": secret})


@pytest.mark.parametrize("name", ["key", "secret"])
def test_a_secret_has_no_flag_of_its_own(name: str) -> None:
    text = run("serve", "--help").stdout
    assert f"--root-api-{name}-file " in text
    assert f"--root-api-{name} " not in text


def assert_guarded(running: Service, pair: Pair) -> None:
    running.get("/v1").assert_problem(401)
    assert running.ask("GET", "/v1", headers=basic(pair)).status == 200
    wrong = replace(pair, secret=pair.secret + "\n")
    running.ask("GET", "/v1", headers=basic(wrong)).assert_problem(401)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    key_file = tmp_path / "key"
    key_file.write_text("root-in-a-file\r\n")
    return key_file


def test_a_service_takes_its_root_pair_from_files(serve: Serve, key_file: Path, file: Path) -> None:
    variables = {"ROOT_API_KEY_FILE": str(key_file), "ROOT_API_SECRET_FILE": str(file)}
    assert_guarded(serve(variables=variables), Pair("root-in-a-file", SECRET))


def test_a_service_takes_its_root_pair_from_flags(serve: Serve, key_file: Path, file: Path) -> None:
    running = serve(
        *["--root-api-key-file", str(key_file), "--root-api-secret-file", str(file)],
        variables={"ROOT_API_KEY_FILE": "/nowhere", "ROOT_API_SECRET": "another one"},
    )
    assert_guarded(running, Pair("root-in-a-file", SECRET))


def test_with_authentication_listening_for_everybody_is_not_warned_of(serve: Serve) -> None:
    running = serve("--host", "0.0.0.0", variables=VARIABLES)
    assert_guarded(running, ROOT)
    assert running.lines == []


def test_nobody_sees_the_secret_in_processes_logs_or_help(
    serve: Serve, key_file: Path, file: Path
) -> None:
    by_variable = serve("--workers", "2", variables=VARIABLES)
    by_file = serve("--root-api-secret-file", str(file), variables={"ROOT_API_KEY": "root"})
    assert_guarded(by_variable, ROOT)
    assert_guarded(by_file, Pair("root", SECRET))
    seen = b""
    for pid, (_, parent) in processes().items():
        for running in (by_variable, by_file):
            if running.process.pid in (pid, parent):
                seen += Path(f"/proc/{pid}/cmdline").read_bytes()
                seen += Path(f"/proc/{pid}/comm").read_bytes()
    # The services and their workers were looked at.
    assert seen.count(COMMAND[0].encode()) == 5
    ends = [run(*each, variables=VARIABLES) for each in (["--help"], ["serve", "--help"])]
    texts = [by_variable.log.read_text(), by_file.log.read_text(), *[end.stdout for end in ends]]
    for secret in (ROOT.secret, SECRET):
        assert secret.encode() not in seen
        assert not [text for text in texts if secret in text]


def test_the_store_does_not_know_the_root_pair(serve: Serve) -> None:
    running = serve(variables=VARIABLES)
    assert running.ask("POST", "/v1/series/svc", headers=basic(ROOT)).value == 1
    assert running.stop() == 0
    # So the pair can be another one after a restart.
    other = Pair("other", SECRET)
    again = serve(variables={"ROOT_API_KEY": other.key, "ROOT_API_SECRET": other.secret})
    again.ask("GET", "/v1", headers=basic(ROOT)).assert_problem(401)
    assert again.ask("POST", "/v1/series/svc", headers=basic(other)).value == 2
    for each in again.storage_dir.iterdir():
        for pair in (ROOT, other):
            assert pair.secret.encode() not in each.read_bytes()
            assert pair.key.encode() not in each.read_bytes()
