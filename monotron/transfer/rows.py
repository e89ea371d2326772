"""Rows of a table, as CSV: cells by the names of their columns, and the lines that they are on."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from monotron.transfer.items import Broken


class Row(NamedTuple):
    """A row of a table; in CSV, both an empty text and NULL are an empty cell."""

    first: int
    """The line on which it begins."""
    last: int
    cells: Mapping[str, Any]
    size: int


class Reader(Protocol):
    """The type that `csv.reader` returns."""

    line_num: int

    def __next__(self) -> list[str]: ...


def below(columns: Sequence[str], reader: Reader) -> Iterator[Row | Broken]:
    """Iterate over the rows that the reader still has; a row without any cell is left out."""
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Broken(place(first, reader.line_num), f"it is not CSV: {error}")
            continue
        if cells:
            yield of(columns, cells, first, reader.line_num)


def of(columns: Sequence[str], cells: Sequence[str], first: int, last: int) -> Row | Broken:
    """Return the row of these cells, from line `first` to `last`."""
    if len(cells) != len(columns):
        reason = f"it has {len(cells)} cells, but there are {len(columns)} columns"
        return Broken(place(first, last), reason)
    return Row(first, last, dict(zip(columns, cells, strict=True)), sum(map(len, cells)))


def place(first: int, last: int) -> str:
    """Return where a row is, for people."""
    return f"line {first}" if first == last else f"lines {first} to {last}"
