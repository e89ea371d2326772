"""The processor time and the memory of processes and their descendants, from /proc (proc(5))."""

import os
from collections.abc import Collection
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")

# The fields of /proc/PID/stat after the command's name, which may have blanks in it.
_PARENT, _USER, _SYSTEM = 1, 11, 12


def processor_seconds(roots: Collection[int]) -> float:
    """Return the seconds, user and system, that the processes have used so far."""
    return (
        sum(int(fields[_USER]) + int(fields[_SYSTEM]) for fields in _family(roots).values())
        / _TICKS
    )


def memory_mib(roots: Collection[int]) -> float:
    """Return the MiB that the processes have for themselves, without mapped files.

    A page that several of them share counts once.
    """
    return sum(_own_kib(pid) for pid in _family(roots)) / 1024


def _family(roots: Collection[int]) -> dict[int, list[str]]:
    """Return the fields of each root and of each of its descendants."""
    every = {int(each.name): _stat(each) for each in _PROC.iterdir() if each.name.isdecimal()}
    found, new = dict[int, list[str]](), set(roots)
    while new:
        found |= {pid: every[pid] for pid in new if every.get(pid)}
        new = {pid for pid, fields in every.items() if fields and int(fields[_PARENT]) in new}
    return found


def _stat(process: Path) -> list[str]:
    """Return the fields; none if the process has ended meanwhile."""
    try:
        said = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return said.rpartition(")")[2].split()


def _own_kib(pid: int) -> int:
    """Return the KiB; 0 if the process has ended meanwhile, as Redis' own children do."""
    try:
        said = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = said.splitlines()[1:]
    figures = {name: int(amount.split()[0]) for name, amount in (line.split(":") for line in lines)}
    return figures["Pss_Anon"] + figures["Pss_Shmem"]
