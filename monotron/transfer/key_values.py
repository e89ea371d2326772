"""CSV with a series key and a value on each line, made by hand or by any program."""

import csv
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from monotron.core import names, numbers
from monotron.core.errors import RuleError
from monotron.core.records import Series
from monotron.limits import DATABASE_ROW_BYTES
from monotron.transfer import rows
from monotron.transfer.items import Advance, Broken, Item, Read, Skipped, text_lines
from monotron.transfer.lines import SeriesLine
from monotron.transfer.rows import Row

COLUMNS = ("key", "value")

NOTHING_TAKEN = "the value is 0: no number has been taken yet"


def read(stream: BinaryIO, account: int, now: int, advance: Advance) -> Iterator[Item]:
    """Iterate over a series for each line, at the value that was last given out.

    If the first line has the names of both columns, they may be in any order and among others.
    Without them each line has a key and a value.
    """
    # The beginning of a line that is too long is enough: its key is too long, or not the last.
    reader = csv.reader(
        (each.text for each in text_lines(stream, advance, DATABASE_ROW_BYTES)), strict=True
    )
    for row in _rows(reader):
        yield _item(row, account, now) if isinstance(row, Row) else row


def _rows(reader: rows.Reader) -> Iterator[Row | Broken]:
    try:
        first = next(reader)
    except StopIteration:
        return iter(())
    except csv.Error as error:
        broken = Broken(rows.place(1, reader.line_num), f"it is not CSV: {error}")
        return chain([broken], rows.below(COLUMNS, reader))
    if {*COLUMNS} <= {*first}:
        return rows.below(first, reader)
    begun = [rows.of(COLUMNS, first, 1, reader.line_num)] if first else []
    return chain(begun, rows.below(COLUMNS, reader))


def _item(row: Row, account: int, now: int) -> Item:
    place = rows.place(row.first, row.last)
    try:
        key = names.series_key(row.cells["key"])
        value = numbers.parsed("value", row.cells["value"])
        if value == 0:
            return Skipped(place, NOTHING_TAKEN)
        series = Series(account, key, numbers.value(value), None, now, now)
    except RuleError as error:
        return Broken(place, str(error))
    return Read(place, SeriesLine(series), size=row.size)
