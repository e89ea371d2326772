"""`monotron next`, `get`, `list` and `keys`, on the storage folder of a running service."""

import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monotron.core import series, tables
from monotron.core.api_keys import Pair
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, basic, held
from tests.support import service
from tests.support.calls import call_in
from tests.support.service import JOB, Load, Serve, Service, run

SERIES = "/v1/series"


@pytest.fixture
def running(serve: Serve) -> Service:
    """The service whose storage folder is worked on."""
    return serve()


@pytest.fixture
def command(folder: Path) -> "Command":
    return Command(folder)


@pytest.fixture
def guarded(serve: Serve) -> Service:
    """A service that asks for credentials, and has the accounts 1 and 7."""
    running = serve(variables={"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret})
    assert running.ask("PUT", "/v1/accounts/7", headers=basic(ROOT)).status == 200
    return running


class Command:
    """Runs a subcommand on the storage folder."""

    def __init__(self, folder: Path) -> None:
        self.variables = {"STORAGE_DIR": str(folder)}

    def __call__(self, *arguments: str) -> str:
        """Return what it prints, without the newline; it must succeed."""
        ended = run(*arguments, variables=self.variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.endswith("\n")
        return ended.stdout[:-1]

    def failure(self, *arguments: str) -> str:
        """Return the one line on stderr; it must fail with status 1."""
        ended = run(*arguments, variables=self.variables)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("monotron: ")
        assert ended.stderr.count("\n") == 1, ended.stderr
        return ended.stderr[:-1]


def test_next_and_get_are_the_same_series_as_over_http(running: Service, command: Command) -> None:
    uuid = JOB[1:]
    assert running.take(JOB) == 1
    assert command("get", uuid) == "1"
    assert command("next", uuid) == "2"
    assert running.get(JOB).value == 2
    assert running.take(JOB) == 3
    assert command("get", uuid) == "3"


def test_numbers_taken_by_command_and_over_http_interleave_without_duplicates(
    running: Service, command: Command
) -> None:
    with Load(running, clients=2) as load, ThreadPoolExecutor(2) as commands:
        load.wait_for_more(1)
        printed = [int(text) for text in commands.map(lambda _: command("next", "load"), range(20))]
        load.wait_for_more(1)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    # Each saw the other's: between two commands the service went on.
    assert min(printed) < max(load.answered)
    assert min(load.answered) < max(printed)
    assert sorted(load.answered + printed) == list(range(1, len(load.answered) + 21))


def test_the_same_token_gets_the_same_value_again(running: Service, command: Command) -> None:
    assert command("next", "svc", "--token", "7d4c379588") == "1"
    assert command("next", "svc", "--token", "7d4c379588") == "1"
    assert running.put(f"{SERIES}/svc/7d4c379588").value == 1
    assert running.put(f"{SERIES}/svc/90d8c75c8e").value == 2
    assert command("next", "svc", "--token", "90d8c75c8e") == "2"
    assert command("next", "svc", "--token", "7d4c379588") == "3"


def test_a_count_prints_the_first_and_the_last(running: Service, command: Command) -> None:
    assert running.take(f"{SERIES}/svc") == 1
    assert command("next", "svc", "--count", "5") == "2 6"
    assert command("next", "svc", "--count", "1") == "7"
    assert running.take(f"{SERIES}/svc") == 8


@pytest.mark.parametrize("count", ["2", "3"])
def test_a_token_with_a_count_is_refused(running: Service, command: Command, count: str) -> None:
    assert running.take(f"{SERIES}/svc") == 1
    assert "one value" in command.failure("next", "svc", "--token", "abc", "--count", count)
    assert running.get(f"{SERIES}/svc").value == 1
    assert command("next", "svc", "--token", "abc", "--count", "1") == "2"


def test_get_of_a_series_without_a_value_fails(running: Service, command: Command) -> None:
    line = command.failure("get", "none")
    assert "'none'" in line
    assert command.failure("get", "none") == line


BAD = {
    "empty key": ("next", ""),
    "long key": ("next", "a" * 257),
    "long key in UTF-8": ("next", "é" * 129),
    "line break in the key": ("next", "a\nb"),
    "escape in the key": ("next", "a\x1b[31m"),
    "key that is no UTF-8": ("next", os.fsdecode(b"\xff")),
    "empty token": ("next", "svc", "--token", ""),
    "long token": ("next", "svc", "--token", "a" * 257),
    "tab in the token": ("next", "svc", "--token", "a\tb"),
    "count 0": ("next", "svc", "--count", "0"),
    "negative count": ("next", "svc", "--count", "-1"),
    "too great a count": ("next", "svc", "--count", "1000001"),
    "count beyond every number": ("next", "svc", "--count", "9" * 30),
    "empty key to get": ("get", ""),
    "prefix with a line break": ("list", "--prefix", "a\n"),
    "unknown account": ("next", "svc", "--account", "7"),
    "account 0": ("next", "svc", "--account", "0"),
    "negative account": ("list", "--account", "-1"),
    "too great an account": ("get", "svc", "--account", str(2**63)),
    "unknown scope": ("keys", "create", "read:everything"),
    "empty scope": ("keys", "create", ""),
    "escape in a scope": ("keys", "create", "read:\x1b[31m"),
    "scope that is no UTF-8": ("keys", "create", os.fsdecode(b"read:\xff")),
    "too many scopes": ("keys", "create", *["read:series"] * 17),
    "key in an unknown account": ("keys", "create", "read:series", "--account", "7"),
    "unknown key": ("keys", "delete", "a" * 24),
    "what is no key": ("keys", "delete", "a"),
    "long key to delete": ("keys", "delete", "a" * 600),
    "key that is no ASCII": ("keys", "delete", "é" * 24),
    "key to delete that is no UTF-8": ("keys", "delete", os.fsdecode(b"\xff" * 24)),
    "unknown key in an unknown account": ("keys", "delete", "a" * 24, "--account", "7"),
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_bad_names_and_counts_fail_clearly_and_change_nothing(
    shared: Service, arguments: tuple[str, ...]
) -> None:
    shared.take(f"{SERIES}/svc")
    before = state(shared)
    assert Command(shared.storage_dir).failure(*arguments).isprintable()
    assert state(shared) == before


def state(running: Service) -> list[bytes]:
    """Return everything that a command could have changed."""
    paths = [SERIES, "/v1/accounts", "/v1/accounts/1/grants"]
    return [running.get(path).body for path in paths]


@pytest.mark.parametrize(
    "arguments",
    [
        ["next"],
        ["next", "a", "b"],
        ["next", "svc", "--count", "many"],
        ["next", "svc", "--account", "one"],
        ["next", "svc", "--account", "9" * 5000],
        ["reset", "a"],
        ["keys"],
        ["keys", "create"],
        ["keys", "delete"],
    ],
)
def test_wrong_usage_says_what_is_right_and_changes_nothing(
    shared: Service, arguments: list[str]
) -> None:
    before = state(shared)
    ended = run(*arguments, variables={"STORAGE_DIR": str(shared.storage_dir)})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage: monotron" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert state(shared) == before


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["next", "svc", "--token", "-abc"], "--token=-abc"),
        (["list", "--prefix", "-a"], "--prefix=-a"),
        (["next", "svc", "--storage-dir", "-d"], "--storage-dir=-d"),
        (["serve", "--host", "-h1"], "--host=-h1"),
        (["next", "svc", "--token", "--count", "5"], "--token=-..."),
        (["next", "svc", "--token"], "--token=-..."),
        (["next", "-svc"], "after --"),
        (["get", "-svc"], "after --"),
        (["keys", "delete", "-svc"], "after --"),
        (["import", "buildnumber", "-old"], "after --"),
    ],
)
def test_what_begins_with_a_hyphen_is_refused_with_how_it_is_written(
    shared: Service, arguments: list[str], written: str
) -> None:
    before = state(shared)
    ended = run(*arguments, variables={"STORAGE_DIR": str(shared.storage_dir)})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith(f"{written}\n")
    assert state(shared) == before


def test_what_begins_with_a_hyphen_is_taken_as_it_is_written(
    running: Service, command: Command
) -> None:
    assert command("next", "--token=-abc", "--", "-svc") == "1"
    assert command("list", "--prefix=-s") == "-svc\t1\t-abc"
    assert command("get", "--", "-svc") == "1"
    assert running.get(f"{SERIES}/-svc").json["token"] == "-abc"


def test_a_series_at_its_last_value_fails_and_stays(running: Service, command: Command) -> None:
    running.put(f"{SERIES}/svc", b'{"value": 9223372036854775806}')
    assert "9223372036854775807" in command.failure("next", "svc", "--count", "2")
    assert command("next", "svc") == "9223372036854775807"
    command.failure("next", "svc")
    assert command("get", "svc") == "9223372036854775807"


def test_list_prints_key_value_and_token_separated_by_tabs(
    running: Service, command: Command
) -> None:
    assert run("list", variables=command.variables).stdout == ""
    running.put(f"{SERIES}/svc/7d4c379588")
    running.post(f"{SERIES}/a%20name%2Fwith%20%C3%A9?count=3")
    running.take(JOB)
    assert command("list").split("\n") == [
        f"{JOB[1:]}\t1\t",
        "a name/with é\t3\t",
        "svc\t1\t7d4c379588",
    ]


@pytest.fixture
def many(folder: Path) -> list[str]:
    """More series than fit on two pages, of lines that no pipe holds all."""
    keys = [f"{'ab'[number % 2]}-{number:04}-{'x' * 60}" for number in range(2500)]
    store = LmdbStore(folder, tables.ALL)
    store.update(
        lambda txn: [
            series.seed(txn, call_in(1, now=0), key, number + 1) for number, key in enumerate(keys)
        ]
    )
    store.close()
    return keys


def test_list_prints_every_series_however_many(many: list[str], command: Command) -> None:
    expected = sorted(f"{key}\t{number + 1}\t" for number, key in enumerate(many))
    assert command("list").split("\n") == expected


def test_list_with_a_prefix_prints_those_that_start_with_it(
    many: list[str], command: Command
) -> None:
    lines = command("list", "--prefix", "b-").split("\n")
    assert [line.split("\t")[0] for line in lines] == sorted(many)[1250:]
    assert command("list", "--prefix", many[7]) == f"{many[7]}\t8\t"
    ended = run("list", "--prefix", "c", variables=command.variables)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_reader_that_has_seen_enough_leaves_no_traceback(
    many: list[str], command: Command
) -> None:
    with subprocess.Popen(
        ["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as head:
        assert head.stdin is not None
        ended = run("list", variables=command.variables, stdout=head.stdin)
        first, _ = head.communicate(timeout=service.PATIENCE)
    assert first == f"{min(many)}\t1\t\n"
    assert ended.stderr == ""


def with_no_reader(*arguments: str, command: Command) -> "subprocess.CompletedProcess[str]":
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as gone:
        return run(*arguments, variables=command.variables, stdout=gone)


@pytest.mark.parametrize("arguments", [["list"], ["get", "svc"], ["export"], ["backup", "-"]])
def test_a_reader_that_has_gone_leaves_no_traceback(
    running: Service, command: Command, arguments: list[str]
) -> None:
    running.take(f"{SERIES}/svc")
    ended = with_no_reader(*arguments, command=command)
    assert ended.stderr == ""
    # The caller has not got what they asked for.
    assert ended.returncode == 1


@pytest.mark.parametrize("arguments", [["next", "svc"], ["keys", "create", "read:series"]])
def test_where_nobody_reads_nothing_is_taken(shared: Service, arguments: list[str]) -> None:
    shared.take(f"{SERIES}/svc")
    before = state(shared)
    ended = with_no_reader(*arguments, command=Command(shared.storage_dir))
    assert ended.returncode == 1
    assert "nothing was taken" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert state(shared) == before


PRINTING = [
    ["next", "svc"],
    ["next", "svc", "--count", "5"],
    ["get", "svc"],
    ["list"],
    ["keys", "create", "read:series"],
    ["keys", "list"],
    ["stats"],
    ["check"],
    ["backup", "-"],
    ["export", "-"],
]
"""Commands whose result is their output."""

CLOSED = {
    "closed": "import os; os.close(1)",
    "every one closed": "import os; os.closerange(0, 3)",
    "for reading only": "import os; os.dup2(os.open(os.devnull, os.O_RDONLY), 1)",
}


@pytest.mark.parametrize("before", CLOSED.values(), ids=CLOSED)
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_where_stdout_is_closed_nothing_is_done(
    shared: Service, arguments: list[str], before: str
) -> None:
    shared.take(f"{SERIES}/svc")
    kept = state(shared)
    ended = run(*arguments, variables=Command(shared.storage_dir).variables, before=before)
    assert ended.returncode == 1
    if before != CLOSED["every one closed"]:
        assert ended.stderr.startswith("monotron: the output cannot be written: stdout is ")
        assert ended.stderr.count("\n") == 1
    assert state(shared) == kept


def test_where_stdout_is_closed_what_goes_to_a_file_is_done(
    running: Service, command: Command, tmp_path: Path
) -> None:
    running.take(f"{SERIES}/svc")
    for arguments in (
        ["backup", str(tmp_path / "backup")],
        ["export", str(tmp_path / "export")],
        ["import", "jsonl", str(tmp_path / "export")],
    ):
        ended = run(*arguments, variables=command.variables, before=CLOSED["closed"])
        assert (ended.returncode, ended.stderr) == (0, "")
    assert command("check", str(tmp_path / "backup")).endswith("is whole")


def test_without_stderr_an_error_does_not_go_to_stdout(command: Command) -> None:
    ended = run("get", "svc", variables=command.variables, before="import os; os.close(2)")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_without_stdin_an_import_from_it_fails(running: Service, command: Command) -> None:
    for source in ("monotron", "jsonl"):
        ended = run(
            "import", source, "-", variables=command.variables, before="import os; os.close(0)"
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "stdin is closed" in ended.stderr
        assert ended.stderr.count("\n") == 1
    assert running.get(SERIES).json["series"] == []


def test_no_file_of_the_store_takes_the_place_of_a_closed_descriptor(serve: Serve) -> None:
    running = serve(before="import os; os.close(0); os.close(1)")
    assert running.take() == 1
    for pid in (running.process.pid, *running.workers()):
        for number in (0, 1):
            assert os.readlink(f"/proc/{pid}/fd/{number}") == os.devnull


def test_a_number_that_cannot_be_printed_is_told(running: Service, command: Command) -> None:
    for arguments, told in [
        (["next", "svc"], "taken but not printed: 1"),
        (["next", "svc", "--count", "5"], "taken but not printed: 2 6"),
    ]:
        with Path("/dev/full").open("w") as full:
            ended = run(*arguments, variables=command.variables, stdout=full)
        assert ended.returncode == 1
        assert ended.stderr.endswith(f"{told}\n")
    assert running.take(f"{SERIES}/svc") == 7


def test_a_key_whose_secret_cannot_be_printed_is_not_kept(
    running: Service, command: Command
) -> None:
    with Path("/dev/full").open("w") as full:
        arguments = ("keys", "create", "read:series")
        ended = run(*arguments, variables=command.variables, stdout=full)
    assert ended.returncode == 1
    assert "no API key was created" in ended.stderr
    assert running.get("/v1/accounts/1/grants").json == []


@pytest.mark.parametrize(
    "arguments", [["list"], ["get", "svc"], ["next", "svc"], ["keys", "create", "read:series"]]
)
def test_output_that_cannot_be_written_fails_with_one_line(
    running: Service, command: Command, arguments: list[str]
) -> None:
    running.take(f"{SERIES}/svc")
    with Path("/dev/full").open("w") as full:
        ended = run(*arguments, variables=command.variables, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr.startswith("monotron: ")
    assert ended.stderr.count("\n") == 1, ended.stderr


def test_a_name_that_the_output_cannot_show_leaves_no_traceback(
    running: Service, command: Command
) -> None:
    running.take("/v1/series/%C3%A9")
    ended = run("list", variables=command.variables | {"PYTHONIOENCODING": "ascii"})
    assert "Traceback" not in ended.stderr


COMMANDS = [
    ["next", "svc"],
    ["next", "svc", "--token", "a"],
    ["get", "svc"],
    ["list"],
    ["keys", "create", "read:series"],
    ["keys", "list"],
    ["keys", "delete", "a" * 24],
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_where_there_is_no_folder_commands_fail_and_make_nothing(
    folder: Path, tmp_path: Path, command: Command, arguments: list[str]
) -> None:
    assert str(folder) in command.failure(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", COMMANDS)
def test_where_there_is_no_store_in_the_folder_commands_fail_and_make_nothing(
    folder: Path, command: Command, arguments: list[str]
) -> None:
    folder.mkdir()
    assert str(folder) in command.failure(*arguments)
    assert list(folder.iterdir()) == []


def test_the_flag_names_the_storage_folder_before_the_variable(
    running: Service, folder: Path, tmp_path: Path
) -> None:
    variables = {"STORAGE_DIR": str(tmp_path / "nowhere")}
    ended = run("next", "svc", "--storage-dir", str(folder), variables=variables)
    assert (ended.returncode, ended.stdout) == (0, "1\n")
    assert running.take(f"{SERIES}/svc") == 2


# Accounts


def test_an_account_can_be_named(guarded: Service, command: Command) -> None:
    seventh = "/v1/accounts/7/series"
    assert guarded.ask("POST", f"{SERIES}/svc", headers=basic(ROOT)).value == 1
    assert command("next", "svc", "--account", "7", "--count", "5") == "1 5"
    assert command("next", "svc", "--account", "7", "--token", "abc") == "6"
    assert command("get", "svc", "--account", "7") == "6"
    assert command("list", "--account", "7") == "svc\t6\tabc"
    answer = guarded.ask("GET", f"{seventh}/svc", headers=basic(ROOT))
    assert answer.json == {"creator_id": 7, "key": "svc", "token": "abc", "value": 6}

    # Without a name, it is the first account.
    assert command("get", "svc") == "1"
    assert command("get", "svc", "--account", "1") == "1"
    assert command("next", "svc", "--account", "1") == "2"
    assert command("list") == "svc\t2\t"
    assert "'other'" in command.failure("get", "other", "--account", "7")


def test_an_account_that_does_not_exist_is_named(running: Service, command: Command) -> None:
    for arguments in (["next", "svc"], ["get", "svc"], ["list"], ["keys", "list"]):
        assert "account 8 does not exist" in command.failure(*arguments, "--account", "8")
    assert running.get(SERIES).json["series"] == []


# API keys


def create(command: Command, *arguments: str) -> Pair:
    """Make an API key; it is printed as `curl -u` takes it."""
    line = command("keys", "create", *arguments)
    assert re.fullmatch("[A-Za-z0-9]{24}:[A-Za-z0-9]{128}", line)
    return Pair(*line.split(":"))


def test_a_key_works_at_once_and_once_deleted_no_more(guarded: Service, command: Command) -> None:
    pair = create(command, "read,write:series")
    assert guarded.ask("POST", f"{SERIES}/svc", headers=basic(pair)).value == 1
    guarded.ask("DELETE", f"{SERIES}/svc", headers=basic(pair)).assert_problem(403)
    guarded.ask("GET", "/v1/accounts/7/series", headers=basic(pair)).assert_problem(403)

    ended = run("keys", "delete", pair.key, variables=command.variables)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    guarded.ask("POST", f"{SERIES}/svc", headers=basic(pair)).assert_problem(401)
    assert pair.key in command.failure("keys", "delete", pair.key)
    assert guarded.ask("GET", f"{SERIES}/svc", headers=basic(ROOT)).value == 1


def test_a_key_can_be_made_in_an_account(guarded: Service, command: Command) -> None:
    pair = create(command, "--account", "7", "*:series", "read:acl")
    answer = guarded.ask("POST", f"{SERIES}/svc", headers=basic(pair))
    assert answer.json["creator_id"] == 7
    answer = guarded.ask("GET", f"/v1/accounts/7/grants/{pair.key}", headers=basic(pair))
    assert answer.json["scopes"] == ["*:series", "read:acl"]
    assert pair.key in command("keys", "list", "--account", "7")
    assert run("keys", "list", variables=command.variables).stdout == ""

    # Where another account is named it is not there.
    assert pair.key in command.failure("keys", "delete", pair.key)
    assert guarded.ask("GET", f"{SERIES}/svc", headers=basic(pair)).status == 200
    run("keys", "delete", pair.key, "--account", "7", variables=command.variables)
    guarded.ask("GET", f"{SERIES}/svc", headers=basic(pair)).assert_problem(401)


def test_keys_are_listed_oldest_first_and_without_their_secrets(
    guarded: Service, command: Command
) -> None:
    first = create(command, "READ , write:series")
    grants = "/v1/accounts/1/grants"
    made = guarded.ask("POST", grants, b'["*:acl","read:account"]', headers=basic(ROOT)).json
    second = Pair(made["api_key"]["key"], made["api_key"]["secret"])
    third = create(command, "delete:series")
    run("keys", "delete", first.key, variables=command.variables)
    fourth = create(command, "read:series")

    text = command("keys", "list")
    lines = [line.split("\t") for line in text.split("\n")]
    assert [(number, key, scopes) for number, key, _, scopes, _, _ in lines] == [
        ("2", second.key, "*:acl read:account"),
        ("3", third.key, "delete:series"),
        ("4", fourth.key, "read:series"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) for _, _, day, *_ in lines)
    for pair in (second, third, fourth):
        assert pair.secret not in text
    listed = guarded.ask("GET", grants, headers=basic(ROOT)).json
    assert [each["api_key"]["key"] for each in listed] == [line[1] for line in lines]


def test_keys_made_by_command_and_over_http_at_once_are_all_there(
    guarded: Service, command: Command
) -> None:
    grants = "/v1/accounts/1/grants"

    def over_http(_: int) -> str:
        made = guarded.ask("POST", grants, b'["read:series"]', headers=basic(ROOT)).json
        return str(made["api_key"]["key"])

    with ThreadPoolExecutor(4) as threads:
        by_command = threads.map(lambda _: create(command, "read:series").key, range(6))
        keys = {*threads.map(over_http, range(60)), *by_command}
    listed = guarded.ask("GET", grants, headers=basic(ROOT)).json
    assert {each["api_key"]["key"] for each in listed} == keys
    ids = [each["api_key"]["id"] for each in listed]
    assert ids == list(range(1, 67))


def test_ctrl_c_while_a_command_waits_for_its_turn_is_no_traceback_and_takes_nothing(
    running: Service, command: Command
) -> None:
    assert running.take(f"{SERIES}/svc") == 1
    with (
        held(running.storage_dir),
        subprocess.Popen(
            [*service.COMMAND, "next", "svc"],
            env=service.environment(command.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting,
    ):
        try:
            # It has begun once it has the lock's file open.
            files = Path(f"/proc/{waiting.pid}/fd")
            lock = running.storage_dir / "write.lock"
            service.wait_until(
                lambda: any(os.path.realpath(each) == str(lock) for each in files.iterdir()),
                "the command waits",
            )
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=service.PATIENCE)
        finally:
            waiting.kill()
    assert waiting.returncode != 0
    assert out == ""
    assert "Traceback" not in err
    assert err.count("\n") <= 1
    assert running.get(f"{SERIES}/svc").value == 1


def test_commands_need_no_running_service(serve: Serve, command: Command) -> None:
    serve().stop()
    assert command("next", "svc") == "1"
    assert command("next", "svc") == "2"
    assert serve().take(f"{SERIES}/svc") == 3


def test_commands_wait_for_their_turn_beside_a_busy_service_with_two_workers(
    serve: Serve, command: Command
) -> None:
    running = serve("--workers", "2")
    with Load(running, clients=16) as load:
        load.wait_for_more(50)
        printed = [int(command("next", "load")) for _ in range(3)]
        load.wait_for_more(50)
    assert (load.unanswered, load.cut, load.broken) == (0, 0, [])
    assert sorted(load.answered + printed) == list(range(1, len(load.answered) + 4))
