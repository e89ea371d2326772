"""How many files may be open, and so how many connections."""

import math
import resource
from contextlib import suppress

CONNECTIONS = 4096
"""Connections that one worker keeps open. Idle ones count: a low limit would let a build farm's
keep-alive connections lock everybody else out."""

SPARE_FILES = 64
"""File descriptors reserved for everything else."""

FEWEST_FILES = 128
"""With fewer file descriptors there is no room for the connections of a build farm."""


def open_files() -> float:
    """Return how many files may be open, after raising the limit as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
            soft = goal
    return math.inf if soft == resource.RLIM_INFINITY else soft


def connection_limit() -> int:
    """Return how many connections a worker may keep open."""
    return int(max(SPARE_FILES, min(CONNECTIONS, open_files() - SPARE_FILES)))
