"""The `monotron` command: one small function for each subcommand."""

import argparse
import io
import json
import logging
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TypeVar

from monotron import __version__
from monotron.app import create_app
from monotron.core import (
    accounts,
    api_keys,
    check,
    names,
    numbers,
    restoring,
    scopes,
    series,
    stats,
)
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.errors import RuleError
from monotron.core.records import ApiKey, Series
from monotron.limits import PAGE_ROWS
from monotron.serve import CannotServe, Service, serve
from monotron.settings import SETTINGS, InvalidSetting, Settings, read_settings
from monotron.store import backup
from monotron.store.backup import CannotCopy
from monotron.store.contract import (
    Reading,
    Store,
    StoreCorrupt,
    StoreError,
    Table,
    Transaction,
)
from monotron.store.data_file import reading_file, verify_file
from monotron.store.frugal import FrugalStore
from monotron.store.lmdb import LmdbStore
from monotron.transfer import buildnumber, exporting, importing, jsonl, lines, postgres
from monotron.transfer.dry_run import DryRun
from monotron.transfer.importing import Stopped
from monotron.transfer.items import CannotRead, Item
from monotron.transfer.tally import Tally

if TYPE_CHECKING:
    from tqdm import tqdm

S = TypeVar("S", bound=Store)
T = TypeVar("T")

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for its turn to write beside a busy service."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0, 1 for a failure, 2 for wrong usage, 130 for ^C."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        settings = read_settings(os.environ, vars(arguments))
        status = int(arguments.command(settings, arguments))
        _print(end="", flush=True)
    except InvalidSetting as error:
        return _fail(error, 2)
    except (
        CannotCopy,
        CannotRead,
        CannotServe,
        RuleError,
        Stopped,
        StoreError,
        _CannotOpen,
    ) as error:
        return _fail(error, 1)
    except _CannotPrint as error:
        # Python would fail once more when it closes what could not be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever closed the pipe has seen enough of the output, and needs no message.
        if isinstance(error.__cause__, BrokenPipeError):
            return 1
        return _fail(f"the output cannot be written: {error}", 1)
    except OSError as error:
        return _fail(error.strerror or error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return status


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    def open_service(create: bool) -> Service:
        store = LmdbStore(settings.storage_dir, create=create)
        return Service(create_app(store, settings), lambda: store.failed is None, store.close)

    serve(settings, open_service)
    return 0


def _next(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)
    token = None if arguments.token is None else names.token(arguments.token)
    count = numbers.count(arguments.count)
    now = time.time_ns() // 1000

    def take(txn: Transaction) -> Series:
        account = _account(txn, arguments)
        return series.advance(
            txn, account, key, token=token, count=count, now=now, keep=settings.history
        )

    state = _with_store(settings, lambda store: store.update(take))
    first = state.value - count + 1
    _print(state.value if count == 1 else f"{first} {state.value}")
    return 0


def _get(settings: Settings, arguments: argparse.Namespace) -> int:
    key = names.series_key(arguments.key)

    def read(reading: Reading) -> Series | None:
        return series.get(reading, _account(reading, arguments), key)

    state = _with_store(settings, lambda store: store.view(read))
    if state is None:
        return _fail(f"the series {key!r} has no value yet", 1)
    _print(state.value)
    return 0


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    prefix = names.prefix(arguments.prefix)

    def print_all(store: Store) -> None:
        account = store.view(lambda reading: _account(reading, arguments))
        after: str | None = ""
        while after is not None:
            page = store.view(
                lambda reading, after=after: series.page(  # type: ignore[misc]
                    reading, account, prefix=prefix, after=after, limit=PAGE_ROWS
                )
            )
            for each in page.series:
                _print(each.key, each.value, each.token or "", sep="\t")
            after = page.next

    _with_store(settings, print_all)
    return 0


def _create_key(settings: Settings, arguments: argparse.Namespace) -> int:
    wanted = scopes.parse(arguments.scopes)
    pair = api_keys.new_pair()
    now = time.time_ns() // 1000

    def create(txn: Transaction) -> ApiKey:
        return api_keys.create(txn, _account(txn, arguments), pair, wanted, now=now)

    _with_store(settings, lambda store: store.update(create))
    _print(f"{pair.key}:{pair.secret}")
    return 0


def _list_keys(settings: Settings, arguments: argparse.Namespace) -> int:
    def read(reading: Reading) -> list[ApiKey]:
        return api_keys.get_all(reading, _account(reading, arguments))

    for api_key in _with_store(settings, lambda store: store.view(read)):
        made = datetime.fromtimestamp(api_key.created_at / 1e6, timezone.utc)
        _print(api_key.id, api_key.key, f"{made:%Y-%m-%d}", " ".join(api_key.scopes), sep="\t")
    return 0


def _delete_key(settings: Settings, arguments: argparse.Namespace) -> int:
    def delete(txn: Transaction) -> bool:
        return api_keys.delete(txn, _account(txn, arguments), arguments.key)

    if not _with_store(settings, lambda store: store.update(delete)):
        return _fail(f"account {arguments.account} has no API key {arguments.key!r}", 1)
    return 0


def _import_folder(settings: Settings, arguments: argparse.Namespace) -> int:
    account, now = numbers.account(arguments.account), time.time_ns() // 1000
    folder = Path(arguments.folder)
    with _progress(" files") as bar:
        items = buildnumber.read(folder, account, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_file(settings: Settings, arguments: argparse.Namespace) -> int:
    now = time.time_ns() // 1000
    with _input(arguments.file) as stream, _progress("B", _size(stream)) as bar:
        items = arguments.read(stream, now, bar.update)
        return _import_items(settings, arguments, items, now, bar)


def _import_items(
    settings: Settings,
    arguments: argparse.Namespace,
    items: Iterator[Item],
    now: int,
    bar: "tqdm[NoReturn]",
) -> int:
    """Import, and print what became of it, also of a part where there was a failure."""
    options = importing.Options(settings.history, now, arguments.strict)
    tally = Tally()

    def complain(line: str) -> None:
        bar.write(f"monotron: {line}", file=sys.stderr)

    def run(store: Store) -> None:
        try:
            importing.run(store, items, options, tally, complain)
        finally:
            bar.close()
            _print(*tally.summary(), sep="\n")

    _with_store_to_fill(settings, run, dry_run=arguments.dry_run)
    return 1 if tally.broken else 0


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    def export(store: LmdbStore) -> None:
        with _output(arguments.file) as write, _progress(" lines") as bar:
            write(lines.header())
            for line in exporting.lines(FrugalStore(store)):
                write(lines.to_json(line))
                bar.update()

    _with_store(settings, export)
    return 0


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _CannotOpen(f"{name} cannot be read: {error.strerror}") from error
    with open(handle, "rb") as stream:
        yield stream


@contextmanager
def _output(name: str) -> Iterator[Callable[[str], None]]:
    """Give what writes a line to stdout, or to a new file that a failure does not leave behind.

    The file is for its owner alone: it has digests of secrets.
    """
    if name == "-":
        yield _print_line
        return
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _CannotOpen(f"{name} cannot be made: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            yield lambda line: print(line, file=file)
            file.flush()
            os.fsync(handle)
    except BaseException:
        Path(name).unlink()
        raise


def _print_line(line: str) -> None:
    """Print it in UTF-8, whatever the terminal's encoding is."""
    try:
        sys.stdout.buffer.write(line.encode() + b"\n")
    except OSError as error:
        raise _CannotPrint(error.strerror) from error


def _size(stream: BinaryIO) -> int | None:
    """Give how many bytes a file has; None where that is not known before its end."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _progress(unit: str, total: int | None = None) -> "tqdm[NoReturn]":
    """Give a bar on stderr; where that is no terminal, one that shows nothing."""
    # It takes as long to import as much of the rest, which no other command should wait for.
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, unit_scale=True, disable=None, leave=False)


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.target == "-":
        return _back_up_to_output(settings)
    _end_as_interrupted()
    path = backup.path_of(arguments.target, datetime.now(timezone.utc))
    count = _with_store(settings, lambda store: backup.take(store, path))
    _print(f"{path}: {path.stat().st_size} bytes, {count} series")
    return 0


def _back_up_to_output(settings: Settings) -> int:
    if sys.stdout.isatty():
        return _fail("a backup is no text for a terminal: name a file, or add a pipe", 1)

    def copy(store: LmdbStore) -> None:
        try:
            store.copy(sys.stdout.buffer)
        except OSError as error:
            raise _CannotPrint(error.strerror) from error

    _with_store(settings, copy)
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    _end_as_interrupted()
    file, by = Path(arguments.file), arguments.advance
    if by is not None:
        restoring.distance(by)

    def accept(
        copy: Store, present: Reading | None
    ) -> tuple[check.Report, restoring.Advanced | None]:
        report = copy.view(check.walk)
        if report.problems:
            raise StoreCorrupt(f"{file} is damaged: {report.problems[0]}")
        if present is not None:
            _refuse_loss(copy.view(lambda reading: restoring.loss(present, reading)))
        now = time.time_ns() // 1000
        return report, None if by is None else restoring.advance_all(copy, by, now=now)

    report, advanced = backup.restore(file, settings.storage_dir, accept, replace=arguments.replace)
    _print_restored(report, advanced, by)
    return 0


def _refuse_loss(loss: restoring.Loss | None) -> None:
    if loss is not None:
        raise CannotCopy(
            f"the store is further than the backup: {loss.behind} series would go back and "
            f"{loss.missing} would be gone, for example {loss.example}. --replace restores it all "
            "the same, and --advance moves it past what was given out since"
        )


def _print_restored(
    report: check.Report, advanced: restoring.Advanced | None, by: int | None
) -> None:
    newest = datetime.fromtimestamp(report.newest_change / 1e6, timezone.utc)
    _print(
        f"restored {report.rows[Table.SERIES]} series, last changed at "
        f"{newest:%Y-%m-%dT%H:%M:%S.%fZ}"
    )
    if advanced is None:
        _print("numbers given out after the backup was taken will be given out again")
        return
    _print(f"moved {advanced.series} series up by {by}")
    for state in advanced.capped:
        _print(
            f"the series {state.key!r} of account {state.account} was at {state.value} and is at "
            "the last value there is now"
        )


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    _end_as_interrupted()
    target = settings.storage_dir if arguments.target is None else Path(arguments.target)
    with backup.standing_still(target) as still:
        if still.copied:
            _print("the store is in use: a copy of it is checked")
        problems = verify_file(still.path)
        if not problems:
            with reading_file(still.path) as reading:
                report = check.walk(reading)
            _print_columns({table.value: count for table, count in report.rows.items()})
            for remark in report.remarks:
                _print(f"remark: {remark}")
            problems = report.problems
    for problem in problems:
        _print(f"problem: {problem}")
    _print(f"{target} is damaged" if problems else f"{target} is whole")
    return 1 if problems else 0


def _stats(settings: Settings, arguments: argparse.Namespace) -> int:
    usage, values = _with_store(
        settings, lambda store: (store.usage(), stats.history_values(store))
    )
    figures = {
        "series": usage.rows[Table.SERIES],
        "history_rows": usage.rows[Table.HISTORY],
        "history_values": values,
        "attributes": usage.rows[Table.ATTRIBUTES],
        "versions": usage.rows[Table.BUMPS],
        # The first account is always there, without a row.
        "accounts": usage.rows[Table.ACCOUNTS] + 1,
        "api_keys": usage.rows[Table.API_KEYS],
        "retries": usage.rows[Table.RETRIES],
        "file_bytes": usage.file_bytes,
        "page_bytes": usage.page_bytes,
        "pages_used": usage.used_pages,
        "pages_free": usage.free_pages,
        "map_bytes": usage.map_bytes,
        "map_used_bytes": usage.map_used_bytes,
        "commits": usage.commits,
        "readers": usage.readers,
        "oldest_reader_behind": usage.oldest_reader_behind,
    }
    if arguments.json:
        _print(json.dumps(figures))
    else:
        _print_columns(figures)
    return 0


def _print_columns(figures: Mapping[str, int]) -> None:
    figures = {name.replace("_", " "): number for name, number in figures.items()}
    wide = max(len(name) for name in figures)
    digits = max(len(str(number)) for number in figures.values())
    for name, number in figures.items():
        _print(f"{name:<{wide}}  {number:>{digits}}")


def _end_as_interrupted() -> None:
    """Let SIGTERM do what ^C does: what is half done is taken away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _account(reading: Reading, arguments: argparse.Namespace) -> int:
    account = numbers.account(arguments.account)
    accounts.require(reading, account)
    return account


def _with_store(settings: Settings, action: Callable[[LmdbStore], T]) -> T:
    """Give what `action` gives on the store in the storage folder, beside a service or without.

    It never makes a store: in a mistyped folder a series would start at 1 again. After ^C it is
    not closed, which would wait for whoever holds the write lock.
    """
    store = LmdbStore(settings.storage_dir, create=False, wait_seconds=COMMAND_WAIT_SECONDS)
    return _used(store, action)


def _with_store_to_fill(
    settings: Settings, action: Callable[[Store], None], *, dry_run: bool
) -> None:
    """Do it as above, but make a store where the folder is empty: there is none to be mistaken for.

    A dry run writes to a scratch store instead, in the folder for temporary files.
    """
    folder = settings.storage_dir
    create = not folder.exists() or all(_may_be_anywhere(each) for each in folder.iterdir())
    if not dry_run:
        store = LmdbStore(folder, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        _used(FrugalStore(store), action)
        return
    with tempfile.TemporaryDirectory(prefix="monotron-") as scratch:
        read = Path(scratch, "empty") if create else folder
        store = LmdbStore(read, create=create, wait_seconds=COMMAND_WAIT_SECONDS)
        written = LmdbStore(Path(scratch, "written"))
        _used(DryRun(FrugalStore(store), FrugalStore(written)), action)


def _may_be_anywhere(entry: Path) -> bool:
    """Tell whether an entry of a folder is no sign that the folder is used for something."""
    return entry.name == "lost+found" or entry.suffix == ".lock"


def _used(store: S, action: Callable[[S], T]) -> T:
    try:
        result = action(store)
    except Exception:
        store.close()
        raise
    store.close()
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        # Else --root-api-secret would be taken for the name of its file, and be shown in an error.
        allow_abbrev=False,
        prog="monotron",
        description="Gives out the next number of a named series.",
    )
    parser.add_argument("--version", action="version", version=f"monotron {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="answer over HTTP")
    command.set_defaults(command=_serve)
    for setting in SETTINGS:
        _add_setting(command, setting.name)

    command = commands.add_parser("next", help="take the next value of a series and print it")
    command.set_defaults(command=_next)
    command.add_argument("key", metavar="KEY")
    command.add_argument("--token", help="the state that the value is for, such as a git hash")
    command.add_argument(
        "--count", type=int, default=1, help="how many values; prints the first and the last"
    )
    _add_setting(command, "history")
    _add_place(command)

    command = commands.add_parser("get", help="print the current value of a series")
    command.set_defaults(command=_get)
    command.add_argument("key", metavar="KEY")
    _add_place(command)

    command = commands.add_parser("list", help="print every series: key, value and token")
    command.set_defaults(command=_list)
    command.add_argument("--prefix", default="", help="only keys that start like this")
    _add_place(command)

    imports = commands.add_parser(
        "import", help="bring in the series of another service, or what export wrote"
    )
    _add_import_commands(imports.add_subparsers(required=True, metavar="SOURCE"))

    command = commands.add_parser("export", help="write everything there is as JSON lines")
    command.set_defaults(command=_export)
    command.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="a new file; default stdout"
    )
    _add_setting(command, "storage_dir")

    _add_care_commands(commands)

    keys = commands.add_parser("keys", help="API keys")
    _add_key_commands(keys.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def _add_care_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("backup", help="copy the store, beside a service or without")
    command.set_defaults(command=_backup)
    command.add_argument(
        "target", metavar="FILE|DIR", help="a new file, a folder to make one in, or - for stdout"
    )
    _add_setting(command, "storage_dir")

    command = commands.add_parser("restore", help="put a backup in the place of the store")
    command.set_defaults(command=_restore)
    command.add_argument("file", metavar="FILE", help="what `monotron backup` wrote")
    command.add_argument(
        "--replace", action="store_true", help="even where series go back by that or are gone"
    )
    command.add_argument(
        "--advance",
        type=int,
        metavar="N",
        help="move every series up by N, past what was given out since the backup was taken",
    )
    _add_setting(command, "storage_dir")

    command = commands.add_parser("check", help="look at all that is stored; 1 if it is damaged")
    command.set_defaults(command=_check)
    command.add_argument(
        "target", metavar="FILE|DIR", nargs="?", help="a backup, or a storage folder: default ours"
    )
    _add_setting(command, "storage_dir")

    command = commands.add_parser("stats", help="print how much is stored and what it takes up")
    command.set_defaults(command=_stats)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    _add_setting(command, "storage_dir")


def _add_key_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("create", help="make an API key and print it as KEY:SECRET")
    command.set_defaults(command=_create_key)
    command.add_argument("scopes", metavar="SCOPE", nargs="+", help="such as read,write:series")
    _add_place(command)

    command = commands.add_parser("list", help="print every API key: id, key, day made, scopes")
    command.set_defaults(command=_list_keys)
    _add_place(command)

    command = commands.add_parser("delete", help="make an API key good for nothing")
    command.set_defaults(command=_delete_key)
    command.add_argument("key", metavar="KEY")
    _add_place(command)


def _add_import_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "buildnumber", help="the folder of the older build-number service"
    )
    command.set_defaults(command=_import_folder)
    command.add_argument("folder", metavar="DIR", help="one file for each counter, named by a UUID")
    command.add_argument(
        "--account",
        type=int,
        default=FIRST_ACCOUNT,
        help=f"made if missing; default {FIRST_ACCOUNT}",
    )
    _add_import_options(command)

    command = commands.add_parser("monotron", help="rows of the older series service's database")
    command.set_defaults(command=_import_file, read=postgres.read)
    command.add_argument(
        "file", metavar="FILE", help="CSV or JSON lines as psql writes; - is stdin"
    )
    _add_import_options(command)

    command = commands.add_parser("jsonl", help="what monotron export wrote")
    command.set_defaults(
        command=_import_file, read=lambda stream, now, advance: jsonl.read(stream, advance)
    )
    command.add_argument("file", metavar="FILE", help="- is stdin")
    _add_import_options(command)


def _add_import_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dry-run", action="store_true", help="tell what would be, write nothing")
    command.add_argument("--strict", action="store_true", help="stop at the first broken line")
    _add_setting(command, "history")
    _add_setting(command, "storage_dir")


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--account", type=int, default=FIRST_ACCOUNT, help=f"default {FIRST_ACCOUNT}"
    )
    _add_setting(command, "storage_dir")


def _add_setting(command: argparse.ArgumentParser, name: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    told = f"Variable {setting.variable}, default {setting.default}."
    if setting.secret:
        told = f"A file that holds it. Variable {setting.variable} or {setting.file_variable}."
    command.add_argument(
        setting.flag,
        dest=setting.flag_name,
        metavar=setting.flag_name.upper(),
        help=f"{setting.meaning} {told}",
    )


class _CannotOpen(Exception):
    """A file to read or to make that cannot be."""


class _CannotPrint(Exception):
    """The output has nowhere to go."""


def _print(*values: object, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
    try:
        print(*values, sep=sep, end=end, flush=flush)
    except OSError as error:
        raise _CannotPrint(error.strerror) from error


def _fail(reason: object, status: int) -> int:
    print(f"monotron: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
