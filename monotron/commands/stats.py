"""`monotron stats`."""

import argparse
import json
from collections.abc import Mapping

from monotron.commands.arguments import add_store
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.stores import with_folder_to_read, with_store_to_read
from monotron.core import stats, tables
from monotron.settings import Settings
from monotron.store.contract import Table


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_stats)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    add_store(command)


def _stats(settings: Settings, arguments: argparse.Namespace) -> int:
    require_output()
    figures = _of_folder(settings) if settings.store is None else _of_etcd(settings)
    if arguments.json:
        show(json.dumps(figures))
    else:
        show_columns(figures)
    return 0


def _of_folder(settings: Settings) -> dict[str, int]:
    usage, values = with_folder_to_read(
        settings, lambda store: (store.usage(), stats.history_values(store))
    )
    return _of_rows(usage.rows, values) | {
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


def _of_etcd(settings: Settings) -> dict[str, int]:
    """Return the figures without those of a file: the metrics of etcd have the rest."""
    return with_store_to_read(
        settings, lambda store: _of_rows(stats.rows(store), stats.history_values(store))
    )


def _of_rows(rows: Mapping[Table, int], history_values: int) -> dict[str, int]:
    return {
        "series": rows[tables.SERIES],
        "history_rows": rows[tables.HISTORY],
        "history_values": history_values,
        "attributes": rows[tables.ATTRIBUTES],
        "versions": rows[tables.BUMPS],
        # The first account always exists, without a row.
        "accounts": rows[tables.ACCOUNTS] + 1,
        "api_keys": rows[tables.API_KEYS],
        "retries": rows[tables.RETRIES],
    }
