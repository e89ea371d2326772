"""The questions that people come with, answered in as few clicks as the docs say."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from monotron.core import api_keys, scopes, tables
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, basic
from tests.support import shown
from tests.support.browser import Visitor
from tests.support.calls import call_in
from tests.support.dashboard import base, row, settled, sign_in
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

CLICKS = """
() => {
  window.clicks = 0;
  const count = (event) => { if (event.detail) window.clicks += 1; };
  addEventListener("click", count, true);
}
"""
"""Counts what a person does with the pointer; what they type is counted by the tests."""


@pytest.fixture
def page(guarded_service: Service, visit: Visitor, folder: Path) -> Page:
    """The dashboard of a farm that has worked for a while, opened by somebody who signed in."""
    store = LmdbStore(folder, tables.ALL)
    pair = api_keys.new_pair()
    store.update(
        lambda txn: api_keys.create(
            txn, call_in(1, now=1), pair, scopes.parse(["write:series"]), name="jenkins-prod"
        )
    )
    store.close()

    def take(method: str, path: str, body: bytes = b"") -> None:
        guarded_service.ask(method, path, body, headers=basic(pair))

    for number in range(60):
        take("POST", f"/v1/series/other%2F{number}")
    take("POST", "/v1/series/shop?count=1041")
    take("PUT", "/v1/series/shop/7d4c379588")
    take("POST", "/v1/series/shop?count=300")
    for commit in ("a1", "b2"):
        take("PUT", f"/v1/semver/till/minor/{commit}")
    take("POST", "/v1/series/shop%2Fnightly")
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    sign_in(page, ROOT.key, ROOT.secret)
    expect(row(page, "shop/nightly")).to_be_visible()
    settled(page)
    page.evaluate(CLICKS)
    return page


def test_what_changed(page: Page) -> None:
    expect(page.locator("#rows tr").first).to_contain_text("shop/nightly")
    assert done(page) == stated("What changed?") == (0, 0)


def test_what_is_build_1042(page: Page) -> None:
    row(page, "shop").get_by_role("link").click()
    page.get_by_label("Number or token").click()
    page.keyboard.type("1042\n")
    found = page.locator("#found-rows")
    expect(found).to_contain_text("7d4c379588")
    expect(found).to_contain_text("jenkins-prod")
    assert done(page, typed=1) == stated("What is build 1042?") == (2, 1)


def test_which_version_is_live(page: Page) -> None:
    expect(row(page, "till")).to_contain_text("0.2.0")
    assert done(page) == stated("Which version is live?") == (0, 0)


def test_who_took_it(page: Page) -> None:
    expect(row(page, "shop/nightly")).to_contain_text("jenkins-prod")
    assert done(page) == stated("Who took it?") == (0, 0)


def test_how_busy_are_we(page: Page) -> None:
    expect(page.locator("#glance-today")).to_have_text("1,405")
    assert done(page) == stated("How busy are we?") == (0, 0)


def done(page: Page, typed: int = 0) -> tuple[int, int]:
    """Return how many clicks it took, and how often something was typed."""
    return page.evaluate("window.clicks"), typed


def stated(question: str) -> tuple[int, int]:
    """Return what the docs say of a question: the clicks now, and how often one types."""
    text = shown.page("docs/dashboard.md")
    row = next(line for line in text.splitlines() if line.startswith(f"| {question} "))
    clicks, typed = row.split("|")[2].partition(":")[0].split(",")
    return int(clicks.split()[0]), int(typed.split()[0])
