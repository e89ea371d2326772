"""How far a long command has come, as a bar on stderr."""

from typing import NoReturn

from tqdm import tqdm


def progress(unit: str, total: int | None = None) -> "tqdm[NoReturn]":
    """Give a bar on stderr; where that is no terminal, one that shows nothing."""
    # A bar that stalls needs no thread of its own to show that.
    tqdm.monitor_interval = 0
    return tqdm(total=total, unit=unit, unit_scale=True, disable=None, leave=False)
