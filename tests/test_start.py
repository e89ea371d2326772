"""A start that cannot succeed ends with one clear line; and what the command says of itself."""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from monotron import __version__
from monotron.core import series, tables
from monotron.settings import SETTINGS
from monotron.store.lmdb import LmdbStore
from tests import service
from tests.calls import call_in
from tests.service import Serve, run

folder, serve = service.folder, service.serve

AS_ANYBODY = "import ctypes; ctypes.CDLL(None).prctl(24, 1)"
"""Without CAP_DAC_OVERRIDE (PR_CAPBSET_DROP, prctl(2)) file modes hold for root too."""

FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))"

NO_FILE_GROWS = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"


def refusal(
    *arguments: str, variables: Mapping[str, str] | None = None, before: str = ""
) -> tuple[int, str]:
    """Run a command that has to fail with one line; give its exit status and that line."""
    ended = run(*arguments, variables=variables, before=before)
    assert ended.returncode > 0, ended
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    line = ended.stderr.removesuffix("\n")
    assert line.startswith("monotron: ")
    return ended.returncode, line


def refused_start(storage_dir: Path | str, *flags: str, before: str = "") -> str:
    _, line = refusal(
        "serve", "--port", "0", "--storage-dir", str(storage_dir), *flags, before=before
    )
    return line


# Settings

WHOLE_NUMBERS = {
    "port": (0, 65535),
    "workers": (1, 64),
    "threads": (1, 256),
    "history": (0, 100_000),
}

BAD_VALUES = [
    *[
        (name, value, f"a whole number from {least} to {most}")
        for name, (least, most) in WHOLE_NUMBERS.items()
        for value in (str(least - 1), str(most + 1), "many")
    ],
    *[
        ("port", value, "a whole number from 0 to 65535")
        for value in ("1.5", "1e3", " 1", "+1", "٣", "9" * 5000)
    ],
    ("access_log", "maybe", "on or off"),
]


def flag_and_variable(name: str) -> tuple[str, str]:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    return setting.flag, setting.variable


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_VALUES)
def test_a_bad_variable_is_named_with_its_value_and_what_is_allowed(
    name: str, value: str, allowed: str, folder: Path
) -> None:
    _, variable = flag_and_variable(name)
    status, line = refusal("serve", variables={"STORAGE_DIR": str(folder), variable: value})
    assert status == 2
    assert variable in line
    assert repr(value) in line
    assert allowed in line
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, str(most + 1)) for name, (_, most) in WHOLE_NUMBERS.items()],
        ("port", "-1"),
        *[(setting.name, "") for setting in SETTINGS],
    ],
)
def test_a_bad_flag_is_named_with_its_value(name: str, value: str, folder: Path) -> None:
    flag, variable = flag_and_variable(name)
    # The variable would be right, but the flag counts.
    variables = {"STORAGE_DIR": str(folder), variable: "1"}
    status, line = refusal("serve", flag, value, variables=variables)
    assert status == 2
    assert flag in line
    assert repr(value) in line
    assert not folder.exists()


def test_an_empty_variable_counts_as_not_set(serve: Serve, folder: Path) -> None:
    empty = {
        setting.variable: ""
        for setting in SETTINGS
        if setting.variable not in ("PORT", "STORAGE_DIR")
    }
    running = serve(variables=empty)
    assert running.started["host"] == "127.0.0.1"
    assert running.started["workers"] == "1"


# Addresses


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_named(port_in_use: int, folder: Path) -> None:
    _, line = refusal("serve", "--port", str(port_in_use), "--storage-dir", str(folder))
    assert f"127.0.0.1:{port_in_use}" in line
    assert "in use" in line
    assert not folder.exists()


def test_the_port_of_another_service_is_in_use(serve: Serve, folder: Path) -> None:
    first = serve("--workers", "2")
    _, line = refusal("serve", "--port", str(first.port), "--storage-dir", str(folder))
    assert "in use" in line
    assert first.take() == 1


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1",  # reserved for documentation (RFC 5737), so it is nobody's
        "2001:db8::1",  # the same (RFC 3849)
        "nowhere.invalid",
        "a..b",
        "a" * 64,
        "%",
        "\udcff",
    ],
)
def test_an_address_that_is_not_there_is_named(host: str, folder: Path) -> None:
    line = refused_start(folder, "--host", host)
    assert host.encode(errors="backslashreplace").decode() in line
    assert not folder.exists()


# Storage folders


@pytest.mark.parametrize("below", ["file", "file/data", "file/data/more", "nowhere"])
def test_a_storage_folder_that_cannot_be_made_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "nowhere").symlink_to("/proc/nothing/here")
    line = refused_start(tmp_path / below)
    assert str(tmp_path / below) in line
    assert (tmp_path / "file").read_text() == "kept"


def test_a_storage_folder_in_a_file_system_without_folders_is_named() -> None:
    assert "/proc/nothing" in refused_start("/proc/nothing")


@pytest.mark.parametrize("workers", ["1", "4"])
def test_a_storage_folder_that_cannot_be_written_is_named(folder: Path, workers: str) -> None:
    folder.mkdir(mode=0o500)
    line = refused_start(folder, "--workers", workers, before=AS_ANYBODY)
    assert str(folder) in line
    assert "written" in line
    assert list(folder.iterdir()) == []


def test_a_storage_folder_below_one_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    line = refused_start(folder / "below", before=AS_ANYBODY)
    assert str(folder / "below") in line
    assert "denied" in line


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb", "open.lock", "turn.lock", "write.lock"])
def test_a_file_of_the_store_that_cannot_be_written_is_clear(folder: Path, name: str) -> None:
    folder.mkdir()
    LmdbStore(folder, tables.ALL).close()
    (folder / name).chmod(0o400)
    line = refused_start(folder, before=AS_ANYBODY)
    assert str(folder) in line
    assert "denied" in line


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb", "open.lock", "turn.lock", "write.lock"])
def test_a_folder_in_the_place_of_a_file_of_the_store_is_clear(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    line = refused_start(folder)
    assert str(folder) in line
    assert "directory" in line


def test_no_room_for_a_new_store_is_clear(folder: Path) -> None:
    assert "full" in refused_start(folder, before=NO_FILE_GROWS)


@pytest.mark.parametrize(
    ("size", "workers"), [(1, "1"), (100, "1"), (4096, "1"), (1_000_000, "1"), (1_000_000, "4")]
)
def test_a_data_file_that_is_not_lmdb_is_named_and_kept(
    folder: Path, size: int, workers: str
) -> None:
    folder.mkdir()
    content = (b"SQLite format 3\0" * size)[:size]
    (folder / "data.mdb").write_bytes(content)
    line = refused_start(folder, "--workers", workers)
    assert str(folder / "data.mdb") in line
    assert "not an LMDB file" in line
    assert (folder / "data.mdb").read_bytes() == content


@pytest.fixture
def cut_store(folder: Path) -> Path:
    """A storage folder whose data file has lost its end."""
    store = LmdbStore(folder, tables.ALL)
    store.update(
        lambda txn: [
            series.seed(txn, call_in(1, now=0), f"series-{n:04}", n + 1) for n in range(1000)
        ]
    )
    store.close()
    os.truncate(folder / "data.mdb", 3 * 4096)
    return folder


def test_a_data_file_that_was_cut_short_is_named(cut_store: Path) -> None:
    assert str(cut_store / "data.mdb") in refused_start(cut_store)


@pytest.mark.parametrize("command", [["next", "series-0500"], ["get", "series-0500"], ["list"]])
def test_no_command_dies_of_a_data_file_that_was_cut_short(
    cut_store: Path, command: list[str]
) -> None:
    _, line = refusal(*command, "--storage-dir", str(cut_store))
    assert str(cut_store / "data.mdb") in line


def test_a_start_that_failed_stands_in_nobodys_way(serve: Serve, folder: Path) -> None:
    folder.mkdir()
    (folder / "data.mdb").mkdir()
    refused_start(folder)
    (folder / "data.mdb").rmdir()
    assert serve().take() == 1


def test_missing_folders_are_made_for_nobody_else_to_read(serve: Serve, folder: Path) -> None:
    running = serve("--storage-dir", str(folder / "a" / "b"))
    assert running.take() == 1
    for made in [folder, folder / "a", folder / "a" / "b"]:
        assert made.stat().st_mode & 0o777 == 0o700
    for file in (folder / "a" / "b").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_failure_of_the_start_is_not_taken_for_one_of_the_output(folder: Path) -> None:
    line = refused_start(folder, before=FEW_FILES)
    assert "open files" in line
    assert "output" not in line


# What the command says of itself


def test_the_version_is_told() -> None:
    ended = run("--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"monotron {__version__}\n", "")


def test_help_names_every_setting_with_its_variable_and_default() -> None:
    ended = run("serve", "--help")
    assert ended.returncode == 0
    text = " ".join(ended.stdout.split())
    for setting in SETTINGS:
        told = f"Variable {setting.variable}, default {setting.default}."
        if setting.secret:
            told = f"A file that holds it. Variable {setting.variable} or {setting.variable}_FILE."
        assert f"{setting.flag} {setting.flag_name.upper()} {setting.meaning} {told}" in text


def test_without_a_command_it_says_which_there_are() -> None:
    ended = run()
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "usage: monotron" in ended.stderr
