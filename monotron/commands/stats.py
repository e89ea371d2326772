"""`monotron stats`."""

import argparse
import json
from collections.abc import Mapping

from monotron.commands.arguments import add_example, add_store
from monotron.commands.output import require_output, show, show_columns
from monotron.commands.stores import with_cluster, with_folder_to_read
from monotron.core import stats, tables
from monotron.opening import Cluster
from monotron.settings import Settings
from monotron.store.contract import Table


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add its arguments and its function."""
    command.set_defaults(run=_stats)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    add_store(command)
    add_example(command, "monotron stats --json")


def _stats(settings: Settings, arguments: argparse.Namespace) -> int:
    require_output()
    if settings.store is None:
        figures = _of_folder(settings)
    else:
        figures = with_cluster(settings, settings.store, _of_cluster)
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


def _of_cluster(store: Cluster) -> dict[str, int]:
    # The others are about the process that asks.
    figures = {
        figure.name: int(figure.value)
        for figure in store.figures()
        if figure.name.startswith("database_")
    }
    return _of_rows(store.count(), stats.history_values(store)) | figures


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
