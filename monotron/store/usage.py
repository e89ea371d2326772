"""What a store in a folder takes up. Other engines have no such thing."""

from collections.abc import Iterator
from dataclasses import dataclass

from monotron.store.contract import Figure, Table


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows, pages and bytes, at one moment."""

    rows: dict[Table, int]
    file_bytes: int
    page_bytes: int
    used_pages: int
    free_pages: int
    """Those that the next commits take, before the file grows."""
    map_bytes: int
    """The most that the file can grow to."""
    map_used_bytes: int
    commits: int
    """How many there were since the store was made or restored."""
    readers: int
    """Snapshots that are being read, by all processes together."""
    oldest_reader_behind: int
    """How many commits the oldest of them is behind: pages freed since then are not used again."""
    disk_bytes: int
    """The size of the file system."""
    disk_free_bytes: int
    """What is free of it for a user who is not root."""

    def figures(self) -> Iterator[Figure]:
        """Return what `/metrics` shows of it."""
        for table, count in self.rows.items():
            yield Figure("rows", "Rows of each table of the store.", count, table)
        yield Figure("size_bytes", "Size of the store's file.", self.file_bytes)
        yield Figure("free_bytes", "Free pages in it.", self.free_pages * self.page_bytes)
        yield Figure("map_size_bytes", "The most that the file can grow to.", self.map_bytes)
        yield Figure("map_used_bytes", "How much of that is in use.", self.map_used_bytes)
        yield Figure(
            "disk_size_bytes", "Size of the file system that the store is on.", self.disk_bytes
        )
        yield Figure("disk_free_bytes", "What is free of it.", self.disk_free_bytes)
        yield Figure("readers", "Snapshots that are being read, by all processes.", self.readers)
        yield Figure(
            "oldest_reader_commits",
            "How many commits the oldest snapshot is behind.",
            self.oldest_reader_behind,
        )
