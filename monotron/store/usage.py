"""The space that a store in a folder uses. Other engines have nothing like it."""

from collections.abc import Iterator
from dataclasses import dataclass

from monotron.store.contract import Figure, Table


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows, pages and bytes at one moment."""

    rows: dict[Table, int]
    file_bytes: int
    page_bytes: int
    used_pages: int
    free_pages: int
    """Pages that the next commits use before the file grows."""
    map_bytes: int
    """The most that the file can grow to."""
    map_used_bytes: int
    commits: int
    """Commits since the store was created or restored."""
    readers: int
    """Snapshots being read, by all processes together."""
    oldest_reader_behind: int
    """How many commits the oldest snapshot is behind: pages freed since then cannot be reused."""
    disk_bytes: int
    """The size of the file system."""
    disk_free_bytes: int
    """The bytes free on it for users other than root."""

    def figures(self) -> Iterator[Figure]:
        """Return the figures that `/metrics` shows."""
        for table, count in self.rows.items():
            yield Figure("rows", "Rows of each table of the store.", count, table)
        yield Figure("size_bytes", "Size of the store's file.", self.file_bytes)
        yield Figure(
            "free_bytes", "Free pages in the store's file.", self.free_pages * self.page_bytes
        )
        yield Figure("map_size_bytes", "The size that the file can grow to.", self.map_bytes)
        yield Figure("map_used_bytes", "How much of the map is in use.", self.map_used_bytes)
        yield Figure(
            "disk_size_bytes", "Size of the file system that the store is on.", self.disk_bytes
        )
        yield Figure(
            "disk_free_bytes", "Free space on the store's file system.", self.disk_free_bytes
        )
        yield Figure("readers", "Snapshots being read, by all processes.", self.readers)
        yield Figure(
            "oldest_reader_commits",
            "How many commits the oldest snapshot is behind.",
            self.oldest_reader_behind,
        )
