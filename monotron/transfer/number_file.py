"""A file that contains one number and nothing else, as other services keep a counter."""

import os
import stat
from typing import NamedTuple

from monotron.digits import whole_number

CONTENT_BYTES = 64
"""More than any number has; no more is read of a file that is something else."""


class NotAFile(Exception):
    """A folder, a pipe or the like: reading it could wait for ever."""


class Content(NamedTuple):
    """What a file contains."""

    number: int | None
    """None for anything but a whole number, which may have blanks around."""
    size: int


def read(path: str | os.PathLike[str]) -> Content:
    """Return the content of a file; raises `NotAFile`, or `OSError` if it cannot be read."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NotAFile
    with open(path, "rb", buffering=0) as file:
        content = file.read(CONTENT_BYTES) or b""
    text = content.decode(errors="replace").strip(_BLANKS)
    return Content(whole_number(text, CONTENT_BYTES), len(content))


_BLANKS = " \t\n\v\f\r"
