"""Two containers on one storage folder, and processes that may not map much."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monotron.core import tables
from monotron.store.lmdb import MAP_SIZE, LmdbStore
from tests.conftest import installed
from tests.support.service import COMMAND, PATIENCE, START_LINE, environment, run, wait_until

# Most of them start processes.
pytestmark = pytest.mark.long

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""A process with process id 1, like the first one of a container."""


@pytest.fixture
def namespace() -> tuple[str, ...]:
    installed("util-linux", "MONOTRON_REQUIRE_UNSHARE", "unshare")
    tried = subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"NOT SHOWN: no PID namespace can be made here: {tried.stderr.strip()}")
    return NAMESPACE


@pytest.fixture
def first_container(
    namespace: tuple[str, ...], folder: Path, tmp_path: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A service with its own process ids."""
    log = tmp_path / "stderr"
    words = [*namespace, *COMMAND, "serve", "--port", "0", "--storage-dir", str(folder)]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            words, env=environment(), stdin=subprocess.DEVNULL, stderr=stderr
        ) as process,
    ):
        try:
            wait_until(lambda: START_LINE.search(log.read_text()), "the service has started")
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("first_container")
@pytest.mark.parametrize(
    "words", [["serve", "--port", "0"], ["next", "a"], ["get", "a"], ["backup", "never.mdb"]]
)
def test_a_second_container_is_told_of_the_first(
    namespace: tuple[str, ...], folder: Path, tmp_path: Path, words: list[str]
) -> None:
    # The worker of a service is process 2; so is a command that a shell has started.
    shell = [] if words[0] == "serve" else ["sh", "-c", '"$@"; exit $?', "sh"]
    ended = subprocess.run(
        [*namespace, *shell, *COMMAND, *words, "--storage-dir", str(folder)],
        env=environment(),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(
        f"monotron: another container has the store in {folder} open: a process there has the "
        "same process id, 2, by which"
    )
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "never.mdb").exists()


# Address space


def at_most(gib: int) -> str:
    """Return what limits a process to so much address space, as `ulimit -v` does."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({gib << 30}, {gib << 30}))"


WHOLE = MAP_SIZE >> 30
LITTLE, ENOUGH = 64, WHOLE + 48
"""Too little for a store; enough for one store but not for two."""


def test_enough_is_not_enough_for_two() -> None:
    assert LITTLE < WHOLE < ENOUGH < 2 * WHOLE


@pytest.mark.parametrize("there", [True, False], ids=["a store", "no store yet"])
def test_too_little_address_space_is_told(folder: Path, there: bool) -> None:
    if there:
        LmdbStore(folder, tables.ALL).close()
    ended = run("serve", "--port", "0", "--storage-dir", str(folder), before=at_most(LITTLE))
    assert ended.returncode == 1
    assert re.fullmatch(
        r"monotron: the store needs 256 GiB of address space, .*`ulimit -v`.*\n", ended.stderr
    )


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    counters = tmp_path / "counters"
    counters.mkdir()
    (counters / "4be0643f-1d98-573b-97cd-ca98a65347dd").write_text("41\n")
    return counters


def test_a_start_that_failed_for_it_stands_in_no_imports_way(folder: Path, counters: Path) -> None:
    words = ("import", "buildnumber", str(counters), "--storage-dir", str(folder))
    assert run(*words, before=at_most(LITTLE)).returncode == 1
    assert run(*words).stdout == "series      1 new, 0 raised, 0 kept\n"


@pytest.mark.parametrize("there", [True, False], ids=["a store", "no store yet"])
def test_a_dry_run_needs_no_more_than_the_import(folder: Path, counters: Path, there: bool) -> None:
    words = ("import", "buildnumber", str(counters), "--storage-dir", str(folder))
    if there:
        assert run(*words, before=at_most(ENOUGH)).returncode == 0
    kept = "0 new, 0 raised, 1 kept" if there else "1 new, 0 raised, 0 kept"
    ended = run(*words, "--dry-run", before=at_most(ENOUGH if there else LITTLE))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"series      {kept}\n"


def test_a_dry_run_without_room_says_where(folder: Path, counters: Path) -> None:
    for number in range(3_000):
        (counters / f"00000000-0000-0000-0000-{number:012}").write_text("5\n")
    few = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (290_000, 290_000))"
    words = ("import", "buildnumber", str(counters), "--storage-dir", str(folder), "--dry-run")
    ended = run(*words, before=few)
    assert ended.returncode == 1
    assert "TMPDIR" in ended.stderr
