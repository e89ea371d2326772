"""`monotron stats`."""

import argparse
import json

from monotron.commands.arguments import add_setting
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.stores import with_store_to_read
from monotron.core import stats, tables
from monotron.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_stats)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    add_setting(command, "storage_dir")


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
        # The first account always exists, without a row.
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
