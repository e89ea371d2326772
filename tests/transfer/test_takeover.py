"""Monotron starts in the older build-number service's folder, and continues its numbers."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.limits import LAST_VALUE
from monotron.store.lmdb import LmdbStore
from tests.server.test_start import refused_start
from tests.support.service import COMMAND, PATIENCE, Serve, environment, run

AS_ANYBODY = "import ctypes; [ctypes.CDLL(None).prctl(24, number) for number in (1, 2)]"
"""Without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH file modes hold for root too (prctl(2))."""

UUID = "4be0643f-1d98-573b-97cd-ca98a65347dd"
OTHER = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
TOLD = "imported 2 series from the files of the older build-number service in"


@pytest.fixture
def older(folder: Path) -> Path:
    """The storage folder, as the older service has left it."""
    folder.mkdir()
    (folder / UUID).write_text("41\n")
    (folder / OTHER.upper()).write_text("7")
    return folder


def command(folder: Path, *words: str) -> str:
    """Run a command that must succeed; return what it printed."""
    ended = run(*words, "--storage-dir", str(folder))
    assert ended.returncode == 0, ended
    return ended.stdout


def forget(folder: Path) -> None:
    """Remove the store, so that it is as before the first start."""
    for each in folder.iterdir():
        if each.suffix in (".mdb", ".lock"):
            each.unlink()


# The first start


@pytest.mark.parametrize("workers", ["1", "4"])
def test_the_service_goes_on_from_the_older_ones_numbers(
    serve: Serve, older: Path, workers: str
) -> None:
    running = serve("--workers", workers)
    assert running.post(f"/{UUID}").json == {"bn": 42}
    assert running.post(f"/{OTHER}").json == {"bn": 8}
    assert running.log.read_text().count(f"{TOLD} {older}") == 1
    assert (older / UUID).read_text() == "41\n"


@pytest.mark.parametrize(
    "name", [UUID, UUID.upper(), f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.replace("-", "")]
)
def test_counters_in_every_form_of_a_uuid_are_found(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / name).write_text("41\n")
    assert command(folder, "get", UUID) == "41\n"


def test_of_two_counters_of_one_uuid_the_larger_counts(older: Path) -> None:
    (older / UUID.upper()).write_text("99\n")
    assert command(older, "next", UUID) == "100\n"


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["next", UUID], "42\n"),
        (["next", "--count", "2", UUID], "42 43\n"),
        (["get", UUID], "41\n"),
        (["list"], f"{UUID}\t41\t\n{OTHER}\t7\t\n"),
        (["keys", "list"], ""),
    ],
)
def test_a_command_does_the_same_and_says_so(older: Path, words: list[str], printed: str) -> None:
    ended = run(*words, "--storage-dir", str(older))
    assert (ended.returncode, ended.stdout) == (0, printed)
    assert ended.stderr == f"monotron: {TOLD} {older}; they are not read again\n"


def test_whatever_reads_the_store_first_finds_the_counters(older: Path, tmp_path: Path) -> None:
    def anew() -> Path:
        forget(older)
        return older

    assert json.loads(command(anew(), "stats", "--json"))["series"] == 2
    assert command(anew(), "export").count('"kind":"series"') == 2
    assert "2 series" in command(anew(), "backup", str(tmp_path / "backup.mdb"))


def test_an_import_into_such_a_folder_comes_after_its_counters(older: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / UUID).write_text("12\n")
    assert "0 new, 0 raised, 1 kept" in command(older, "import", "buildnumber", str(other))
    assert command(older, "get", UUID) == "41\n"


def test_the_folder_can_be_imported_into_itself(older: Path) -> None:
    assert "0 new, 0 raised, 2 kept" in command(older, "import", "buildnumber", str(older))


def test_a_dry_run_takes_the_counters_into_account_and_writes_nothing(
    older: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / UUID).write_text("50\n")
    before = sorted(older.iterdir())
    words = ("import", "buildnumber", str(other), "--dry-run", "--storage-dir", str(older))
    ended = run(*words)
    assert ended.stdout == "series      0 new, 1 raised, 0 kept\n"
    assert "2 series of the older service would be imported first" in ended.stderr
    assert sorted(older.iterdir()) == before


def test_a_backup_that_is_restored_into_such_a_folder_loses_no_counter(
    older: Path, tmp_path: Path
) -> None:
    store = LmdbStore(tmp_path / "there", tables.ALL)
    store.close()
    backup = str(tmp_path / "backup.mdb")
    command(tmp_path / "there", "backup", backup)
    assert TOLD in command(older, "restore", backup)
    assert command(older, "next", UUID) == "42\n"


def test_processes_that_start_at_once_import_once(older: Path) -> None:
    started = [
        subprocess.Popen(
            [*COMMAND, "next", UUID, "--storage-dir", str(older)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ended = [process.communicate(timeout=PATIENCE) for process in started]
    assert sorted(printed for printed, _ in ended) == ["42\n", "43\n", "44\n", "45\n"]
    assert "".join(told for _, told in ended).count(TOLD) == 1


# Later starts


def test_later_starts_never_look_again(serve: Serve, older: Path) -> None:
    first = serve()
    assert first.take(f"/{UUID}") == 42
    assert first.ask("DELETE", f"/v1/series/{OTHER}").status == 200
    first.stop()
    (older / UUID).write_text("99\n")
    (older / OTHER.lower()).write_text("what is no number\n")
    second = serve()
    assert second.take(f"/{UUID}") == 43
    assert second.get(f"/{OTHER}").status == 404
    assert "imported" not in second.log.read_text()


def test_a_store_whose_disk_is_away_is_not_made_anew(older: Path) -> None:
    (older / "data.mdb").symlink_to(older / "gone" / "data.mdb")
    ended = run("next", UUID, "--storage-dir", str(older))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "there is no store" in ended.stderr


# Files that are not counters, and files that cannot be read


@pytest.mark.parametrize("content", ["0\n", "0"])
def test_a_counter_that_gave_nothing_begins_at_1(older: Path, content: str) -> None:
    (older / UUID).write_text(content)
    assert command(older, "next", UUID) == "1\n"


def a_folder(path: Path) -> None:
    path.mkdir()


def a_name_that_is_longer(path: Path) -> None:
    path.with_name(f"{path.name}.bak").write_text("41\n")


@pytest.mark.parametrize("make", [a_folder, a_name_that_is_longer])
def test_a_folder_of_something_else_is_no_older_services(
    folder: Path, make: Callable[[Path], None]
) -> None:
    folder.mkdir()
    make(folder / UUID)
    ended = run("next", UUID, "--storage-dir", str(folder))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "there is no store" in ended.stderr
    assert len(list(folder.iterdir())) == 1


def unreadable(path: Path) -> None:
    path.write_text("41\n")
    path.chmod(0)


def leads_nowhere(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def holding(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


BROKEN = {
    "unreadable": unreadable,
    "leads nowhere": leads_nowhere,
    "empty": holding(b""),
    "words": holding(b"forty-one\n"),
    "cut off": holding(b"\0\0\0\0"),
    "negative": holding(b"-1\n"),
    "too large": holding(b"%d\n" % (LAST_VALUE + 1)),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_stops_the_start_with_its_name(
    serve: Serve, older: Path, make: Callable[[Path], None]
) -> None:
    broken = older / "7d444840-9dc0-11d1-b245-5ffdce74fad2"
    make(broken)
    line = refused_start(older, "--workers", "2", before=AS_ANYBODY)
    assert f"'{broken.name}'" in line
    assert str(older) in line
    ended = run("next", UUID, "--storage-dir", str(older), before=AS_ANYBODY)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert broken.name in ended.stderr
    # Nothing has begun that a later start would take for a store.
    assert {each.suffix for each in older.iterdir()} <= {"", ".lock"}
    broken.unlink()
    assert serve().take(f"/{UUID}") == 42


def test_a_folder_that_cannot_be_listed_stops_the_start(older: Path) -> None:
    older.chmod(0o300)
    assert "denied" in refused_start(older, before=AS_ANYBODY)


def test_nothing_is_imported_while_another_service_has_the_port(older: Path) -> None:
    # It may be the older one, which goes on counting.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = run("serve", "--port", port, "--storage-dir", str(older))
    assert "in use" in ended.stderr
    assert len(list(older.iterdir())) == 2


# Killed in between

KILLED_AT = """
import os, signal, sys
from monotron.cli import main
left = int(sys.argv[1])
def kill(event, arguments):
    global left
    if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
sys.exit(main(["next", *sys.argv[2:]]))
"""
"""The command, killed before its n-th change of a name in the folder."""


def test_a_kill_in_between_leaves_no_half_of_a_store(older: Path) -> None:
    for number in range(1_200):
        (older / f"00000000-0000-0000-0000-{number:012}").write_text("5\n")
    last, killed, steps = "00000000-0000-0000-0000-000000001199", 0, 0
    while True:
        steps += 1
        forget(older)
        words = [sys.executable, "-c", KILLED_AT, str(steps), last, "--storage-dir", str(older)]
        ended = subprocess.run(words, env=environment(), capture_output=True, check=False)
        # It has taken no number yet.
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended
        killed += 1
        assert command(older, "list").count("\n") == 1_202
        assert command(older, "next", last) == "6\n"
    assert ended.stdout == b"6\n"
    assert killed >= 4
