"""The files that this process has open."""

import os
from contextlib import suppress
from pathlib import Path


def open_below(folder: Path) -> list[str]:
    """Return the path of each descriptor of a file below a folder, or of the folder.

    Another test's threads may open and close theirs meanwhile.
    """
    paths = []
    for each in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            paths.append(os.readlink(f"/proc/self/fd/{each}"))
    return sorted(path for path in paths if Path(path).is_relative_to(folder))
