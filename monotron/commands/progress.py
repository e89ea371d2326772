"""The progress of a long command, as a bar on stderr."""

from typing import NoReturn

from tqdm import tqdm


def progress(unit: str, total: int | None = None) -> "tqdm[NoReturn]":
    """Return a bar on stderr; if that is not a terminal, one that shows nothing."""
    # No extra thread only to refresh a stalled bar.
    tqdm.monitor_interval = 0
    return tqdm(total=total, unit=unit, unit_scale=True, disable=None, leave=False)
