"""The dashboard in a browser: what is stored for it, where things stand on it."""

import itertools
import random
import re
import subprocess
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from monotron import __version__
from monotron.core import attributes, clock, series, tables
from monotron.core.api_keys import Pair
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore
from tests.conftest import new_key
from tests.support.calls import call_in
from tests.support.service import PATIENCE, Service
from tests.support.web import NAMES, UUID

FILLED: dict[str, tuple[int, int, str | None]] = {
    UUID: (387, 787, None),
    "app-major": (2, 2100, "4f1a9e"),
    "app-minor-v2": (7, 1530, "02be71"),
    "app-patch-v2.7": (3, 305, "c7d3e0"),
    "docs": (58, 1490, "e55b08"),
    "feature/login": (31, 184, "91f0c2"),
    "feature/search": (46, 8, "6a20fd"),
    "shop": (128, 67, "7d4c37"),
    "shop/nightly": (23, 411, None),
    "shop/release": (12, 2900, "v2026."),
    "warehouse": (64, 21, "b0e771"),
}
"""Of each series of `fill`: how many values, the minutes since the last one, how tokens begin."""

HOSTILE = [
    *NAMES,
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "שלום עולם",
    "\u200fgnp.exe",
    " ",
    "it's",
    "__proto__",
    "a" * 256,
    "W" * 256,
]
"""Names that break pages that take text for markup or code."""

MARKED = {" ": "⟨U+0020⟩", "\u200fgnp.exe": "⟨U+200F⟩gnp.exe"}
"""Of `HOSTILE`, what the page shows with marks."""


def base(running: Service, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{running.port}/"


def ending(place: str) -> re.Pattern[str]:
    """Return what matches the address of a place on the dashboard, such as `#/?sort=key`."""
    return re.compile(re.escape(place) + "$")


def path(key: str) -> str:
    return f"/v1/series/{quote(key, safe='')}"


def take(running: Service, *keys: str) -> None:
    for key in keys:
        running.take(path(key))


def take_as_before(running: Service, key: str, times: int, *, token: str | None = None) -> None:
    """Take values of a series whose name only an earlier version let in."""
    store = LmdbStore(Path(running.started["folder"]), tables.ALL)

    def take(txn: Transaction) -> None:
        for _ in range(times):
            series.advance(txn, call_in(1, now=clock.now()), key, token=token)

    store.update(take)
    store.close()


def note_as_before(running: Service, key: str, token: str, texts: dict[str, str]) -> None:
    """Note something of a token whose series only an earlier version let in."""
    store = LmdbStore(Path(running.started["folder"]), tables.ALL)
    store.update(lambda txn: attributes.put(txn, 1, key, token, texts))
    store.close()


def row(page: Page, key: str) -> Locator:
    """Return the row of a series in the list."""
    return page.locator("#rows tr").filter(has=page.locator(f"a[data-key={quoted(key)}]"))


def quoted(text: str) -> str:
    """Return a CSS string."""
    return '"' + "".join(f"\\{ord(each):x} " for each in text) + '"'


def shown(name: str) -> str:
    """Return what the page shows of one of the hostile names."""
    return MARKED.get(name, name)


def keys(page: Page) -> list[str]:
    found: list[str] = page.locator("#rows a").evaluate_all(
        "all => all.map(each => each.dataset.key)"
    )
    return found


def cell(page: Page, key: str, column: str) -> Locator:
    return row(page, key).locator(f"td.{column}")


def settled(page: Page) -> None:
    """Wait until everything around the list that is asked for once a minute is there."""
    for each in page.locator("#glance dd span:first-child").all():
        expect(each).not_to_have_text("…")
    expect(page.locator("#version")).to_have_text(f"Monotron {__version__}")


def answer_at(route: Route, moment: datetime) -> None:
    """Answer as the service does, as if it were then: the page follows the service's clock."""
    answer = route.fetch()
    kept = {name: text for name, text in answer.headers.items() if name != "date"}
    route.fulfill(response=answer, headers=kept | date(moment))


def date(moment: datetime) -> dict[str, str]:
    """Return the header of an answer that came then."""
    return {"Date": f"{moment:%a, %d %b %Y %H:%M:%S GMT}"}


def command(page: Page, title: str) -> Locator:
    return page.locator(".command").filter(has=page.get_by_text(title, exact=True))


def run_line(line: str, **variables: str) -> str:
    """Run a line in a POSIX shell and give what it prints."""
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def key_beside(folder: Path, *scopes: str, account: int = 1) -> Pair:
    """Make an API key beside the running service, as the command does."""
    store = LmdbStore(folder, tables.ALL)
    try:
        return new_key(store, *scopes, account=account)
    finally:
        store.close()


def sign_in(page: Page, key: str, secret: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()


def fill(folder: Path) -> None:
    """Store what a few weeks of work leave behind, in a store that nobody serves yet."""
    now = time.time_ns() // 1000

    def advance(txn: Transaction) -> None:
        for number, (key, (count, minutes, token)) in enumerate(FILLED.items()):
            chance = random.Random(number)
            # The times between values, the last one first; irregular, as work is.
            gaps = [chance.paretovariate(0.9) * 4 * minutes for _ in range(count)]
            gaps[0] = minutes
            moments = list(itertools.accumulate(gaps))
            for each in range(count - 1, -1, -1):
                name = None if token is None else f"{token}{each * 7919 + 4112:06x}"
                ago = int(moments[each] * 60_000_000)
                series.advance(txn, call_in(1, now=now - ago), key, token=name)

    store = LmdbStore(folder, tables.ALL)
    try:
        store.update(advance)
    finally:
        store.close()


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
