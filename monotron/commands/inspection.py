"""`monotron check` and `monotron stats`."""

import argparse
import json
from pathlib import Path

from monotron.commands.arguments import Commands, add_setting
from monotron.commands.copies import end_as_interrupted
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.stores import with_store_to_read
from monotron.core import check, stats, tables
from monotron.settings import Settings
from monotron.store import backup
from monotron.store.data_file import reading_file, verify_file


def add_to(commands: Commands) -> None:
    """Add them, with their arguments."""
    command = commands.add_parser("check", help="look at all that is stored; 1 if it is damaged")
    command.set_defaults(command=_check)
    command.add_argument(
        "target", metavar="FILE|DIR", nargs="?", help="a backup, or a storage folder: default ours"
    )
    add_setting(command, "storage_dir")

    command = commands.add_parser("stats", help="print how much is stored and what it takes up")
    command.set_defaults(command=_stats)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    add_setting(command, "storage_dir")


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    end_as_interrupted()
    require_output()
    target = settings.storage_dir if arguments.target is None else Path(arguments.target)
    with backup.frozen(target) as file:
        if file.copied:
            show("the store is in use: a copy of it is checked")
        problems = verify_file(file.path)
        if not problems:
            with reading_file(file.path, tables.ALL) as reading:
                report = check.walk(reading)
            show_columns({table.decode(): count for table, count in report.rows.items()})
            for remark in report.remarks:
                show(f"remark: {remark}")
            problems = report.problems
    for problem in problems:
        show(f"problem: {problem}")
    show(f"{target} is damaged" if problems else f"{target} is whole")
    return 1 if problems else 0


def _stats(settings: Settings, arguments: argparse.Namespace) -> int:
    require_output()
    usage, values = with_store_to_read(
        settings, lambda store: (store.usage(), stats.history_values(store))
    )
    figures = {
        "series": usage.rows[tables.SERIES],
        "history_rows": usage.rows[tables.HISTORY],
        "history_values": values,
        "attributes": usage.rows[tables.ATTRIBUTES],
        "versions": usage.rows[tables.BUMPS],
        # The first account is always there, without a row.
        "accounts": usage.rows[tables.ACCOUNTS] + 1,
        "api_keys": usage.rows[tables.API_KEYS],
        "retries": usage.rows[tables.RETRIES],
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
        show(json.dumps(figures))
    else:
        show_columns(figures)
    return 0
