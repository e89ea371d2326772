"""How soon the dashboard shows its first row, and what an idle page costs on the wire.

A store is filled with series, the service runs on it, and Chromium opens the list: a fresh browser
profile each time, on the same machine. Then the page's clock is moved on by an hour, poll by poll.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Response, sync_playwright

from bench.servers import monotron
from monotron.core import clock, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.core.call import Call
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

BUSY = 60
"""How many series have a full history: more than a page shows."""
KEEP = 1_000
MINUTE = 60_000_000
TOGETHER = 1_000
"""Series that are stored in one update."""

POLL_MS = 5_000

FIRST_ROW = """
new MutationObserver((all, observer) => {
  if (!document.querySelector("#rows tr")) return;
  window.firstRow = performance.now();
  observer.disconnect();
}).observe(document, {subtree: true, childList: true});
"""

CALLS = {
    "by change": "sort=changed",
    "by key": "sort=key",
    "by value": "sort=value",
    "find": "sort=changed&find=9999",
    "find nothing": "sort=changed&find=nothing",
}
SHOWN = "v1/series?limit=50&fold=versions&include=activity,who&"


@dataclass
class Wire:
    """The bytes of one page's requests and answers, with their headers."""

    requests: int = 0
    sent: int = 0
    received: int = 0

    def watch(self, page: Page) -> None:
        """Count what the page asks for from now on."""
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSentExtraInfo", self._sent)
        session.on("Network.responseReceivedExtraInfo", self._answered)
        session.on("Network.dataReceived", self._received)

    def _sent(self, event: dict[str, Any]) -> None:
        self.requests += 1
        headers = event["headers"]
        # The first line is not told: a method, a path and a version, of which the path is longest.
        self.sent += sum(len(name) + len(text) + 4 for name, text in headers.items()) + 100

    def _answered(self, event: dict[str, Any]) -> None:
        self.received += len(event["headersText"])

    def _received(self, event: dict[str, Any]) -> None:
        self.received += int(event["encodedDataLength"])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print what was found for each number of series, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__)
    add = parser.add_argument
    add("--series", type=int, nargs="+", default=[60, 100_000], help="(%(default)s)")
    add("--visits", type=int, default=9, help="the median of so many (%(default)s)")
    add("--minutes", type=int, default=60, help="how long the page is idle (%(default)s)")
    add("--storage-dir", type=Path, default=Path.cwd(), help="which disk (the current folder)")
    given = parser.parse_args(argv)
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for count in given.series:
            with tempfile.TemporaryDirectory(
                prefix="monotron-bench-", dir=given.storage_dir
            ) as folder:
                _measure(browser, Path(folder), count, given.visits, given.minutes)
        browser.close()
    return 0


def fill(folder: Path, count: int) -> None:
    """Store this many series: the newest have full histories, the others one value each."""
    now = clock.now()

    def take(txn: Transaction, numbers: range) -> None:
        for number in numbers:
            key = f"folder-{number % 97}/job-{number}"
            last = now - (number + 1) * MINUTE
            values = KEEP if number < BUSY else 1
            for back in reversed(range(values)):
                call = Call(FIRST_ACCOUNT, None, last - back * MINUTE, KEEP)
                series.advance(txn, call, key, token=f"{number * 7919 + back:012x}")

    with closing(LmdbStore(folder, tables.ALL)) as store:
        for start in range(0, count, TOGETHER):
            numbers = range(start, min(start + TOGETHER, count))
            store.update(partial(take, numbers=numbers))


def _measure(browser: Browser, folder: Path, count: int, visits: int, minutes: int) -> None:
    fill(folder / "store", count)
    with monotron("dashboard", "").start(folder) as server:
        base = f"http://127.0.0.1:{server.port}/"
        rows = statistics.median(_first_row(browser, base) for _ in range(visits))
        print(f"{count:,} series: first row after {rows:.0f} ms")
        for name, query in CALLS.items():
            taken = statistics.median(_answered(base + SHOWN + query) for _ in range(visits))
            print(f"  a page {name}: {taken:.0f} ms")
        wire = _idle(browser, base, minutes)
        print(
            f"  idle for {minutes} minutes: {wire.requests} requests, "
            f"{wire.received:,} bytes received, some {wire.sent:,} sent"
        )


def _first_row(browser: Browser, base: str) -> float:
    with closing(browser.new_context()) as context:
        context.add_init_script(FIRST_ROW)
        page = context.new_page()
        page.goto(base)
        page.wait_for_selector("#rows tr")
        found: float = page.evaluate("window.firstRow")
        return found


def _answered(url: str) -> float:
    started = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        answer.read()
    return (time.perf_counter() - started) * 1000


def _idle(browser: Browser, base: str, minutes: int) -> Wire:
    def polled(response: Response) -> bool:
        return "/v1/series?" in response.url

    wire = Wire()
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.clock.install()
        page.goto(base)
        page.wait_for_selector("#rows tr")
        page.wait_for_load_state("networkidle")
        wire.watch(page)
        for _ in range(minutes * 60_000 // POLL_MS):
            with page.expect_response(polled):
                page.clock.run_for(POLL_MS)
        page.wait_for_load_state("networkidle")
    return wire


if __name__ == "__main__":
    sys.exit(main())
