"""`monotron import jenkins`: the jobs of a Jenkins go on from their build numbers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monotron.limits import LAST_VALUE
from monotron.transfer import jenkins
from monotron.transfer.items import CannotRead
from tests.support.invariants import faults
from tests.support.memory import MemoryStore
from tests.support.moving import NOW, ImportResult, bring_items, values
from tests.support.service import run


@pytest.fixture
def here() -> Iterator[MemoryStore]:
    """The store that is imported into; at its end it has no fault."""
    store = MemoryStore()
    yield store
    assert faults(store) == []


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a Jenkins without jobs."""
    (tmp_path / "home" / "jobs").mkdir(parents=True)
    return tmp_path / "home"


def job(home: Path, path: str, coming: str = "42\n", name: str | None = None) -> Path:
    """Make a job as Jenkins does; return its folder."""
    folder = home / path
    folder.mkdir(parents=True)
    (folder / "nextBuildNumber").write_text(coming)
    if name is not None:
        (folder / "name-utf8.txt").write_text(name, encoding="utf-8")
    return folder


def bring(store: MemoryStore, home: Path, account: int = 1) -> ImportResult:
    return bring_items(store, jenkins.read(home, account, NOW, lambda jobs: None))


def test_a_series_is_at_the_last_build_so_that_the_next_number_is_that_of_jenkins(
    here: MemoryStore, home: Path
) -> None:
    job(home, "jobs/shop", "42\n")
    job(home, "jobs/the web site", "2")
    brought = bring(here, home)
    assert brought.summary == ["series      2 new, 0 raised, 0 kept"]
    assert here.view(values) == {(1, "shop"): 41, (1, "the web site"): 1}


def test_a_job_in_folders_has_its_full_name(here: MemoryStore, home: Path) -> None:
    job(home, "jobs/team/jobs/apps/jobs/shop")
    job(home, "jobs/team/jobs/shop", "7")
    bring(here, home)
    assert here.view(values) == {(1, "team/apps/shop"): 41, (1, "team/shop"): 6}


# Folders as branch-api names them: the start and the end of a name, and a hash.
BRANCHES = [
    ("main", "main", "shop/main"),
    ("feature-login.h3j2k1", "feature%2Flogin", "shop/feature%2Flogin"),
    ("ni-o-ocho.u3l5bv", "niño ocho", "shop/niño ocho"),
    ("PR-17", "PR-17\n", "shop/PR-17"),
    ("legacy", None, "shop/legacy"),
    ("blank", " \n", "shop/blank"),
]


@pytest.mark.parametrize(("folder", "name", "key"), BRANCHES)
def test_a_branch_has_the_name_that_a_build_of_it_knows(
    here: MemoryStore, home: Path, folder: str, name: str | None, key: str
) -> None:
    (home / "jobs/shop/indexing").mkdir(parents=True)
    job(home, f"jobs/shop/branches/{folder}", name=name)
    assert bring(here, home).complaints == []
    assert here.view(values) == {(1, key): 41}


def test_a_repository_of_an_organization_has_its_own_name_too(
    here: MemoryStore, home: Path
) -> None:
    repository = home / "jobs/acme/jobs/the-shop.p4c2"
    job(repository, "branches/main", name="main")
    (repository / "name-utf8.txt").write_text("the shop")
    bring(here, home)
    assert here.view(values) == {(1, "acme/the shop/main"): 41}


def test_a_job_that_was_never_built_begins_at_1(here: MemoryStore, home: Path) -> None:
    job(home, "jobs/new", "1\n")
    brought = bring(here, home)
    assert brought.complaints == [
        "'jobs/new/nextBuildNumber': skipped: it contains 1: there has been no build yet"
    ]
    assert here.view(values) == {}


@pytest.mark.parametrize(
    "content", ["", "0", "-3", "x", "4 2", "4.1", str(LAST_VALUE + 1), "1" * 5_000]
)
def test_a_file_without_the_number_of_a_build_is_named_and_stops_nothing_else(
    here: MemoryStore, home: Path, content: str
) -> None:
    job(home, "jobs/bad", content)
    job(home, "jobs/shop")
    brought = bring(here, home)
    assert brought.complaints == [
        "'jobs/bad/nextBuildNumber': it does not contain the number of a build"
    ]
    assert brought.tally.broken == 1
    assert here.view(values) == {(1, "shop"): 41}


@pytest.mark.parametrize("name", ["a\x1bb", "a" * 300, "a\ufeff"])
def test_a_name_that_no_series_can_have_is_broken(here: MemoryStore, home: Path, name: str) -> None:
    job(home, "jobs/odd", name=name)
    brought = bring(here, home)
    (complaint,) = brought.complaints
    assert complaint.startswith("'jobs/odd/nextBuildNumber': a series key ")
    assert complaint.isprintable()
    assert here.view(values) == {}


def test_a_name_that_is_not_utf_8_is_broken(here: MemoryStore, home: Path) -> None:
    (job(home, "jobs/odd") / "name-utf8.txt").write_bytes(b"caf\xe9")
    assert bring(here, home).tally.broken == 1


def test_links_are_followed_but_not_in_circles(here: MemoryStore, home: Path) -> None:
    job(home, "elsewhere/shop")
    (home / "jobs/shop").symlink_to(home / "elsewhere/shop")
    job(home, "jobs/team/jobs/app")
    (home / "jobs/team/jobs/again").symlink_to(home / "jobs/team")
    (home / "jobs/away").symlink_to("/nowhere/at/all")
    brought = bring(here, home)
    assert brought.complaints == [
        "'jobs/away': it cannot be read: No such file or directory",
        "'jobs/team/jobs/again': it leads to a folder that it is in itself",
    ]
    assert here.view(values) == {(1, "shop"): 41, (1, "team/app"): 41}


def test_a_number_whose_disk_is_away_is_broken(here: MemoryStore, home: Path) -> None:
    (home / "jobs/shop").mkdir()
    (home / "jobs/shop/nextBuildNumber").symlink_to("/nowhere/at/all")
    brought = bring(here, home)
    assert brought.complaints == [
        "'jobs/shop/nextBuildNumber': it cannot be read: No such file or directory"
    ]


def test_what_is_no_job_is_skipped_and_named(here: MemoryStore, home: Path) -> None:
    (home / "jobs/README\x1b").touch()
    (home / "jobs/empty").mkdir()
    os.mkfifo(home / "jobs/pipe")
    brought = bring(here, home)
    assert brought.summary[1:] == [
        "skipped     1: it has neither a nextBuildNumber nor jobs",
        "skipped     2: it is not a folder",
    ]
    assert all(complaint.isprintable() for complaint in brought.complaints)


def test_the_numbers_of_builds_workspaces_and_modules_are_no_jobs(
    here: MemoryStore, home: Path
) -> None:
    job(home, "jobs/shop")
    for inside in ("workspace/jobs/x", "modules/org$shop", "configurations/axis-os/linux"):
        job(home, f"jobs/shop/{inside}", "9000")
    bring(here, home)
    assert here.view(values) == {(1, "shop"): 41}


def test_a_folder_without_jobs_is_no_home(home: Path) -> None:
    for folder in (home / "jobs", home / "missing"):
        with pytest.raises(CannotRead, match="not the home of a Jenkins"):
            jenkins.read(folder, 1, NOW, lambda jobs: None)


def test_the_command_brings_jobs_into_the_account_that_is_named(home: Path, folder: Path) -> None:
    job(home, "jobs/shop")
    words = ("import", "jenkins", str(home), "--storage-dir", str(folder), "--account", "7")
    dry = run(*words, "--dry-run")
    assert (dry.returncode, folder.exists()) == (0, False)
    ended = run(*words)
    assert (
        ended.stdout
        == dry.stdout
        == "series      1 new, 0 raised, 0 kept\naccounts    1 new, 0 kept\n"
    )
    taken = run("next", "shop", "--account", "7", "--storage-dir", str(folder))
    assert taken.stdout == "42\n"
    # Jenkins has not moved on since, and the series never goes back.
    assert "1 kept" in run(*words).stdout
