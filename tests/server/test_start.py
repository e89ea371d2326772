"""A start that cannot succeed ends with one clear line; and the command's own --help."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from monotron import __version__
from monotron.core import series, tables
from monotron.settings import SETTINGS
from monotron.store.lmdb import LmdbStore
from tests.support import service
from tests.support.calls import call_in
from tests.support.service import Serve, run, wait_until

AS_ANYBODY = "import ctypes; ctypes.CDLL(None).prctl(24, 1)"
"""Without CAP_DAC_OVERRIDE (PR_CAPBSET_DROP, prctl(2)) file modes hold for root too."""

FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))"

NO_LOW_PORTS = "import ctypes; ctypes.CDLL(None).prctl(24, 10)"
"""Without CAP_NET_BIND_SERVICE."""

NO_FILE_GROWS = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"


def refusal(
    *arguments: str, variables: Mapping[str, str] | None = None, before: str = ""
) -> tuple[int, str]:
    """Run a command that must fail with one line; return its exit status and that line."""
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
    assert "--port or MONOTRON_PORT chooses another" in line
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


@pytest.mark.parametrize("host", ["x86_64-conda-linux-gnu", "192.0.2.1"])
@pytest.mark.parametrize("variable", ["HOST", "MONOTRON_HOST"])
def test_an_address_that_is_not_there_is_named_with_the_variable_that_says_it(
    variable: str, host: str, folder: Path
) -> None:
    variables = {"STORAGE_DIR": str(folder), "PORT": "0", variable: host}
    _, line = refusal("serve", variables=variables)
    assert line.startswith(f"monotron: {variable} is {host!r}, but ")
    assert "MONOTRON_HOST" in line


NO_IPV6 = """
import ctypes, fcntl, pathlib, socket, struct
# Its own network (CLONE_NEWNET, unshare(2)) with a loopback (SIOCSIFFLAGS, netdevice(7)).
assert ctypes.CDLL(None).unshare(0x40000000) == 0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))
pathlib.Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("1")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can have a network of its own")
def test_an_address_of_localhost_that_the_machine_lacks_is_left_out(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    both = service.localhost_on_both(tmp_path)
    assert serve("--host", "localhost", before=both).started["also"] is not None
    running = serve("--host", "localhost", before=both + NO_IPV6)
    assert (running.started["host"], running.started["also"]) == ("127.0.0.1", None)
    line = refused_start(folder, "--host", "::1", before=NO_IPV6)
    assert line.startswith("monotron: --host is '::1', but this machine has no such address")


def test_variables_with_our_name_win_over_common_ones(serve: Serve) -> None:
    common = {"HOST": "x86_64-conda-linux-gnu", "PORT": "none"}
    running = serve(variables={**common, "MONOTRON_HOST": "127.0.0.2", "MONOTRON_PORT": "0"})
    assert running.started["host"] == "127.0.0.2"


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(serve: Serve) -> None:
    linked = {"MONOTRON_HOST": "tcp://10.0.0.1:80", "MONOTRON_PORT": "tcp://10.0.0.1:80"}
    running = serve(variables={**linked, "HOST": "127.0.0.2"})
    assert running.started["host"] == "127.0.0.2"
    _, line = refusal("serve", variables={**linked, "PORT": "none"})
    assert "PORT is 'none'" in line
    _, line = refusal("serve", variables={"MONOTRON_PORT": "tcp"})
    assert "MONOTRON_PORT is 'tcp'" in line


def test_a_port_that_we_may_not_have_says_how_to_choose_another(folder: Path) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 2:
        pytest.skip("everybody may have every port here (net.ipv4.ip_unprivileged_port_start)")
    flags = ("--port", "1", "--storage-dir", str(folder))
    _, line = refusal("serve", *flags, before=NO_LOW_PORTS)
    assert "denied; --port or MONOTRON_PORT chooses another" in line


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


# Threads, processes and files


USERS = itertools.count(2**31 - os.getpid() - 2, -(2**22))
"""Users without processes, which no other pytest takes either: process numbers are below 2**22.

Root's processes are not counted.
"""


def as_user(user: int) -> str:
    """Return Python that gives its process to this user, as far as limits are concerned."""
    return f"""
import ctypes, os, resource
# Nor are those of a user with CAP_SYS_ADMIN or CAP_SYS_RESOURCE (PR_CAPBSET_DROP, prctl(2)).
for capability in (21, 24):
    ctypes.CDLL(None).prctl(24, capability)
# The real user's processes and threads count, and the effective user opens files.
os.setresuid({user}, 0, 0)
"""


CROWD = """
import threading
for _ in range(50):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("here", flush=True)
threading.Event().wait()
"""

counted = pytest.mark.skipif(os.getuid() != 0, reason="only root can be a user without processes")


def few_processes(most: int, user: int | None = None) -> str:
    """Limit the command's processes and threads (RLIMIT_NPROC, getrlimit(2)).

    Its user is a new one: what an earlier command has left may take a moment to end.
    """
    own = as_user(next(USERS) if user is None else user)
    return f"{own}\nresource.setrlimit(resource.RLIMIT_NPROC, ({most}, {most}))"


@counted
@pytest.mark.parametrize(
    "most",
    [
        1,  # not even a worker
        2,  # a worker that cannot start its writer
        3,  # no thread for requests
        20,  # too few
        35,  # none to see the end of the supervisor: 2 processes, 1 writer, 32 threads
    ],
)
def test_a_service_that_gets_no_thread_names_the_limit(folder: Path, most: int) -> None:
    line = refused_start(folder, before=few_processes(most))
    assert f"ulimit -u, here {most})" in line
    assert "cannot start a" in line


@counted
def test_a_service_that_gets_all_its_threads_starts(serve: Serve) -> None:
    assert serve(before=few_processes(36)).take() == 1


@counted
def test_a_command_that_gets_no_thread_names_the_limit_and_takes_nothing(folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    where = ("--storage-dir", str(folder))
    _, line = refusal("next", "svc", *where, before=few_processes(1))
    assert "ulimit -u, here 1)" in line
    assert run("next", "svc", *where).stdout == "1\n"


@counted
def test_a_worker_that_cannot_be_replaced_for_want_of_a_process_is_replaced_later(
    serve: Serve,
) -> None:
    user = next(USERS)
    running = serve(before=few_processes(40, user))
    (victim,) = running.workers()
    with subprocess.Popen(
        [sys.executable, "-c", as_user(user) + CROWD], stdout=subprocess.PIPE
    ) as crowd:
        try:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == b"here\n"
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda: "cannot start a process" in running.log.read_text(), "it has failed once"
            )
        finally:
            crowd.kill()
    wait_until(running.workers, "there is a worker again")
    assert running.take() == 1


@pytest.mark.parametrize("most", [16, 127])
def test_too_few_open_files_are_named_with_what_is_needed(folder: Path, most: int) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))"
    line = refused_start(folder, before=limit)
    assert f"only {most} open files" in line
    assert "128 or more" in line
    assert "ulimit -n" in line
    assert not folder.exists()


@pytest.mark.parametrize("limits", [(128, 128), (16, 4096)])
def test_a_service_starts_with_few_open_files_and_asks_for_more(
    serve: Serve, limits: tuple[int, int]
) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {limits})"
    assert serve(before=limit).take() == 1


# Paths

NOT_UTF_8 = os.fsdecode(b"data-\xff")


def test_a_storage_folder_whose_name_is_no_utf_8_is_served(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / NOT_UTF_8
    first = serve("--storage-dir", str(folder))
    assert first.take("/v1/series/svc") == 1
    assert first.started["folder"] == str(tmp_path / "data-") + "\\udcff"
    ended = run("next", "svc", "--storage-dir", str(folder))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")
    assert first.stop() == 0
    assert "Traceback" not in first.log.read_text()
    assert (folder / "data.mdb").exists()


def test_a_json_line_with_a_name_that_is_no_utf_8_is_json_that_everybody_reads(
    serve: Serve, tmp_path: Path
) -> None:
    folder = str(tmp_path / NOT_UTF_8)
    running = serve("--storage-dir", folder, "--log-format", "json")
    event = json.loads(running.log.read_text().splitlines()[0])
    assert f"{tmp_path / 'data-'}\\udcff" in event["message"]
    # A reader in Go, Rust or C takes no half of a surrogate pair.
    event["message"].encode()


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["stats"],
        ["check"],
        ["export"],
        ["backup", "{}/" + os.fsdecode(b"backup-\xff")],
        ["restore", "{}/backup", "--replace"],
        ["import", "jsonl", "{}/export"],
        ["import", "jsonl", "{}/export", "--dry-run"],
    ],
)
def test_every_command_works_on_a_folder_whose_name_is_no_utf_8(
    tmp_path: Path, command: list[str]
) -> None:
    folder = tmp_path / NOT_UTF_8
    LmdbStore(folder, tables.ALL).close()
    where = ("--storage-dir", str(folder))
    assert run("backup", str(tmp_path / "backup"), *where).returncode == 0
    assert run("export", str(tmp_path / "export"), *where).returncode == 0
    ended = run(*[word.format(tmp_path) for word in command], *where)
    assert (ended.returncode, ended.stderr) == (0, "")


def in_a_folder_that_is_gone(*arguments: str) -> "subprocess.CompletedProcess[str]":
    gone = "import os, tempfile; os.chdir(tempfile.mkdtemp()); os.rmdir(os.getcwd())"
    return run(*arguments, before=gone)


@pytest.mark.parametrize(
    "command",
    [
        ["serve", "--port", "0"],
        ["next", "svc"],
        ["list"],
        ["check"],
        ["stats"],
        ["backup", "/proc/nothing"],
        ["restore", "/dev/null"],
        ["export"],
        ["import", "buildnumber", "/"],
        ["import", "buildnumber", "/", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_working_directory_that_is_gone_is_named(command: list[str]) -> None:
    ended = in_a_folder_that_is_gone(*command)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("monotron: ")
    if command[0] != "restore":
        assert "working directory was removed" in ended.stderr


def test_in_a_working_directory_that_is_gone_a_full_path_works(folder: Path) -> None:
    LmdbStore(folder, tables.ALL).close()
    ended = in_a_folder_that_is_gone("next", "svc", "--storage-dir", str(folder))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")


# What the command says of itself


def test_the_version_is_told() -> None:
    ended = run("--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"monotron {__version__}\n", "")


def test_help_names_every_setting_with_its_variable_and_default() -> None:
    ended = run("serve", "--help")
    assert ended.returncode == 0
    text = " ".join(ended.stdout.split())
    for setting in SETTINGS:
        told = f"Variable {' or '.join(setting.variables)}, default {setting.default or 'none'}."
        if setting.secret:
            told = (
                f"A file that contains it. Variable {setting.variable} or {setting.variable}_FILE."
            )
        assert f"{setting.flag} {setting.flag_name.upper()} {setting.meaning} {told}" in text
