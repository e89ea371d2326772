"""How much time and memory it takes to move a million series in and out.

Each import is the real command, run as a child process on an empty store. README.md in this folder
has the figures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monotron.core.records import Entry, Series
from monotron.transfer import lines
from monotron.transfer.lines import EndLine, SeriesLine

ROOT = Path(__file__).parents[1]

BAR_SECONDS = 60
BAR_MIB = 200
"""The limits for a million series."""

MADE_AT = 1_704_164_645_120_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command."""

    seconds: float
    processor_seconds: float
    mib: float
    """The most memory it used, including mapped pages of the store."""
    status: int
    output: str


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line for each format, and return 1 if one failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--storage-dir", type=Path, default=Path.cwd(), help="which disk")
    given = parser.parse_args(argv)
    failed = False
    with tempfile.TemporaryDirectory(prefix="monotron-bench-", dir=given.storage_dir) as folder:
        for name, make in SOURCES.items():
            source, store = Path(folder, name), Path(folder, f"store-{name}")
            make(source, given.series)
            run = timed(store, "import", name, str(source))
            failed |= not report(f"import {name}", given.series, run)
            failed |= not run.output.startswith(f"series      {given.series} new, 0 raised, 0 kept")
        run = timed(Path(folder, "store-jsonl"), "export", str(Path(folder, "exported")))
        failed |= not report("export", given.series, run)
    return 1 if failed else 0


def make_jsonl(file: Path, count: int) -> None:
    """Write an export of so many series."""
    write_export(file, keys(count))


def write_export(file: Path, keys: Iterable[str]) -> None:
    """Write an export of these series, each with a value and its token."""
    with file.open("w", encoding="utf-8") as out:
        print(lines.header(), file=out)
        for number, key in enumerate(keys, start=1):
            token = f"{number:040x}"
            series = Series(1, key, number, token, MADE_AT, MADE_AT, given=1)
            entry = Entry(number, 1, token, None, MADE_AT)
            print(lines.to_json(SeriesLine(series, [(1, entry)])), file=out)
        print(lines.to_json(EndLine()), file=out)


def make_csv(file: Path, count: int) -> None:
    """Write mn_entry as psql does."""
    made_at = "2024-01-02 03:04:05.12+00"
    with file.open("w", encoding="utf-8") as out:
        print("key,creator_id,token,value,created_at,updated_at", file=out)
        for number, key in enumerate(keys(count), start=1):
            print(f"{key},1,{number:040x},{number},{made_at},{made_at}", file=out)


def make_folder(folder: Path, count: int) -> None:
    """Create a folder of the older build-number service."""
    folder.mkdir()
    for number, key in enumerate(keys(count), start=1):
        (folder / key).write_text(f"{number}\n")


def keys(count: int) -> Iterator[str]:
    """Return UUIDs that look random, in order."""
    step = 2**128 // count
    return (str(uuid.UUID(int=number * step)) for number in range(count))


def timed(store: Path, *arguments: str) -> Run:
    """Run the command on a store."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STORAGE_DIR": str(store)}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "monotron", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    processor = usage.ru_utime + usage.ru_stime
    return Run(seconds, processor, usage.ru_maxrss / 1024, process.returncode, output)


def report(what: str, count: int, run: Run) -> bool:
    """Print a line; return whether the command succeeded."""
    reached = run.seconds <= BAR_SECONDS and run.mib <= BAR_MIB
    print(
        f"{what}: {count:,} series in {run.seconds:.1f} s ({run.processor_seconds:.1f} s of "
        f"processor time), {run.mib:.0f} MiB, at most {BAR_SECONDS} s and {BAR_MIB} MiB "
        f"{'reached' if reached else 'NOT REACHED'}",
        flush=True,
    )
    return run.status == 0


SOURCES: dict[str, Callable[[Path, int], None]] = {
    "jsonl": make_jsonl,
    "monotron": make_csv,
    "buildnumber": make_folder,
}


if __name__ == "__main__":
    sys.exit(main())
