"""The page of one series: its values, how many of them there were when, and how to use it."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from monotron.core import series, tables
from monotron.core.api_keys import Pair
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore
from tests.conftest import ROOT, basic
from tests.support import ci
from tests.support.browser import Proxy, Visit, Visitor
from tests.support.calls import call_in
from tests.support.dashboard import (
    HOSTILE,
    MARKED,
    answer_at,
    assert_accessible,
    assert_fits,
    base,
    command,
    ending,
    sign_in,
    take,
)
from tests.support.service import PATIENCE, Serve, Service
from tests.support.web import UUID

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

NAMES = [*dict.fromkeys([*HOSTILE, "-n", "$(id) `id` $$HOME", "a ${{ b }} %s"])]
"""Names that break lines whose language takes a part of them for code."""


def page_of(key: str, value: int | None = None) -> str:
    return f"#/series/{quote(key, safe='')}" + ("" if value is None else f"/{value}")


# One value


def found(page: Page, name: str) -> Locator:
    """Return what is shown of the value that was found."""
    return (
        page.locator("#found-rows > div")
        .filter(has=page.locator("dt").get_by_text(name, exact=True))
        .locator("> dd")
    )


def look_for(page: Page, text: str) -> None:
    page.get_by_label("Number or token").fill(text)
    page.get_by_role("button", name="Find").click()


def note(running: Service, key: str, token: str, body: bytes) -> None:
    running.put(f"/v1/tokens/{quote(key, safe='')}/{quote(token, safe='')}/attrs", body)


def test_a_number_leads_to_the_value_with_an_address_of_its_own(
    running: Service, visit: Visitor
) -> None:
    began = datetime.now(timezone.utc)
    for number in range(1, 31):
        running.put(f"/v1/series/shop%2Fnightly/c{number}")
    note(running, "shop/nightly", "c3", b'{"author":"Ada","build_url":"https://ci.example/3"}')
    tab = visit(base(running))
    tab.page.route("**/v1/**", lambda route: answer_at(route, began))
    page = tab.open(page_of("shop/nightly"))
    expect(page.locator("#one-value")).to_have_text("30")
    expect(page.locator("#found")).to_be_hidden()
    look_for(page, "3")
    expect(page.locator("#found-title")).to_have_text("Value 3")
    expect(found(page, "Token")).to_have_text("c3")
    expect(found(page, "When").locator("time")).to_have_text("just now")
    expect(found(page, "Attributes")).to_have_text("authorAdabuild_urlhttps://ci.example/3")
    expect(found(page, "Attributes").get_by_role("link")).to_have_attribute(
        "href", "https://ci.example/3"
    )
    expect(page.locator("#said")).to_contain_text("Value 3. Token: c3.")
    expect(page).to_have_title("shop/nightly · 3 · Monotron")
    assert page.url == f"{base(running)}#/series/shop%2Fnightly/3"
    # The focus stays where the next one is typed.
    expect(page.get_by_role("button", name="Find")).to_be_focused()
    look_for(page, "0004")
    expect(page.locator("#found-title")).to_have_text("Value 4")
    expect(found(page, "Token")).to_have_text("c4")
    expect(found(page, "Attributes")).to_have_count(0)
    page.go_back()
    expect(page.locator("#found-title")).to_have_text("Value 3")
    page.reload()
    expect(page.locator("#found-title")).to_have_text("Value 3")
    page.locator("#found").get_by_role("link", name="Close").click()
    expect(page.locator("#found")).to_be_hidden()
    expect(page.get_by_label("Number or token")).to_be_focused()
    assert page.url == f"{base(running)}{page_of('shop/nightly')}"


def test_a_token_leads_to_its_value(running: Service, visit: Visitor) -> None:
    running.put("/v1/series/shop/feature%2Flogin")
    running.put("/v1/series/shop/20261127")
    running.put("/v1/series/shop/2")
    tab = visit(base(running))
    tab.allowed.append("status of 404")
    page = tab.open(page_of("shop"))
    look_for(page, " feature/login ")
    expect(page.locator("#found-title")).to_have_text("Value 1")
    # Digits are a value first, and a token if there is no such value.
    look_for(page, "20261127")
    expect(page.locator("#found-title")).to_have_text("Value 2")
    look_for(page, "3")
    expect(found(page, "Token")).to_have_text("2")
    look_for(page, "2")
    expect(found(page, "Token")).to_have_text("20261127")


@pytest.mark.parametrize("place", ["#/", "#/series/shop/2"])
def test_a_search_that_ends_late_leads_nobody_away(
    running: Service, proxy: Proxy, visit: Visitor, place: str
) -> None:
    take(running, "shop", "shop")
    tab = visit(proxy.base)
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#one-value")).to_have_text("2")
    proxy.hold = "value=1&"
    look_for(page, "1")
    assert proxy.held.wait(PATIENCE)
    page.goto(proxy.base + place)
    shown = page.locator("#rows tr") if place == "#/" else page.locator("#found")
    expect(shown).to_be_visible()
    proxy.hold = None
    proxy.release.set()
    assert proxy.passed_on.wait(PATIENCE)
    take(running, "shop")
    tab.polled()
    expect(shown).to_be_visible()
    expect(page).to_have_url(proxy.base + place)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("99", "does not hold “99” as a value or a token."),
        ("9999999999999999999", "does not hold “9999999999999999999” as a value or a token."),
        ("nope", "does not hold “nope” as a token."),
        ("..", "does not hold “..” as a token."),
        ("a\u202eb", "does not hold “a⟨U+202E⟩b” as a token."),
        ("x" * 300, "as a token."),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(
    running: Service, visit: Visitor, text: str, said: str
) -> None:
    running.put("/v1/series/shop/c1")
    tab = visit(base(running))
    tab.allowed.append("status of 40[04]")
    page = tab.open(page_of("shop", 1))
    expect(page.locator("#found-title")).to_have_text("Value 1")
    look_for(page, text)
    expect(page.locator("#find-notice")).to_contain_text(said)
    expect(page.locator("#said")).to_contain_text(said)
    # What was found before stays, with its address.
    expect(page.locator("#found-title")).to_have_text("Value 1")
    look_for(page, "1")
    expect(page.locator("#find-notice")).to_be_hidden()


def test_an_address_of_a_value_that_history_does_not_hold_says_why(
    serve: Serve, visit: Visitor
) -> None:
    running = serve(variables={"MONOTRON_HISTORY": "2"})
    take(running, "shop", "shop", "shop")
    tab = visit(base(running))
    tab.allowed.append("status of 404")
    page = tab.open_with_clock(page_of("shop", 4))
    notice = page.locator("#find-notice")
    expect(notice).to_have_text("4 has not been given out: the series is at 3.")
    expect(page.locator("#said")).to_have_text(notice.inner_text())
    take(running, "shop")
    tab.polled()
    expect(page.locator("#found-title")).to_have_text("Value 4")
    expect(notice).to_be_hidden()
    page.goto(f"{base(running)}{page_of('shop', 1)}")
    expect(notice).to_have_text(
        "The history of this series does not hold 1: it is older, or it was never given out."
    )
    expect(page.locator("#found")).to_be_hidden()


def test_an_address_without_a_value_is_as_it_was(running: Service, visit: Visitor) -> None:
    take(running, "feature/login", "2026", "shop/7")
    tab = visit(base(running))
    for place, key in (
        ("#/series/feature/login", "feature/login"),
        ("#/series/feature%2Flogin", "feature/login"),
        ("#/series/2026", "2026"),
        ("#/series/shop%2F7", "shop/7"),
    ):
        page = tab.open(place)
        expect(page.locator("#one-key")).to_have_text(key)
        expect(page.locator("#one-value")).to_have_text("1")
        expect(page.locator("#found")).to_be_hidden()


def test_the_name_of_the_api_key_tells_who_took_it(
    guarded_service: Service, visit: Visitor
) -> None:
    grant = {"scopes": ["write:series"], "name": "jenkins-prod"}
    made = guarded_service.ask(
        "POST", "/v1/accounts/1/grants", json.dumps(grant).encode(), basic(ROOT)
    ).json["api_key"]
    writer = Pair(made["key"], made["secret"])
    guarded_service.ask("PUT", "/v1/series/shop/c1", headers=basic(writer))
    guarded_service.ask("PUT", "/v1/series/shop/c2", headers=basic(writer))
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open(page_of("shop", 1))
    sign_in(page, ROOT.key, ROOT.secret)
    expect(found(page, "API key")).to_have_text("jenkins-prod")
    expect(found(page, "API key").locator("bdi")).to_have_attribute("title", writer.key)
    expect(page.locator("#one-who")).to_have_text("jenkins-prod")


def test_a_value_of_the_history_is_a_link_to_it(running: Service, visit: Visitor) -> None:
    take(running, "shop", "shop")
    page = visit(base(running)).open(page_of("shop"))
    page.locator("#history-rows").get_by_role("link", name="1", exact=True).click()
    expect(page.locator("#found-title")).to_have_text("Value 1")
    # The page stays where it is.
    expect(page.locator("#history-rows").get_by_role("link", name="1", exact=True)).to_be_focused()


# History


def test_a_range_is_one_row(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    running.ask("POST", "/v1/series/shop?count=40")
    take(running, "shop")
    page = visit(base(running)).open(page_of("shop"))
    numbers = page.locator("#history-rows td.value")
    expect(numbers).to_have_text(["42", "2\u201341, 40 numbers", "1"])
    look_for(page, "7")
    expect(page.locator("#found-title")).to_have_text("Value 7")
    expect(found(page, "Taken in a range")).to_have_text("2\u201341, 40 numbers")
    expect(page).to_have_url(ending("#/series/shop/7"))


def test_ranges_and_older_values_leave_no_gap(running: Service, visit: Visitor) -> None:
    for _ in range(30):
        running.ask("POST", "/v1/series/shop?count=10")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("shop"))
    numbers = page.locator("#history-rows td.value")
    expect(numbers).to_have_count(20)
    # The page makes room for new ones, and goes on after what it still shows.
    for _ in range(15):
        running.ask("POST", "/v1/series/shop?count=10")
    tab.polled()
    expect(numbers.first).to_have_text("441\u2013450, 10 numbers")
    page.get_by_role("button", name="Older").click()
    last = page.locator("#history-rows td.value").last
    expect(last).not_to_have_text("251\u2013260, 10 numbers")
    firsts = [int(text.partition("\u2013")[0]) for text in numbers.all_text_contents()]
    assert firsts == list(range(441, 441 - 10 * len(firsts), -10))
    assert len(firsts) == 40


def test_a_jump_has_a_remark(running: Service, visit: Visitor) -> None:
    take(running, "shop", "shop")
    running.put("/v1/series/shop", b'{"value":1242}')
    take(running, "shop", "shop")
    page = visit(base(running)).open(page_of("shop"))
    rows = page.locator("#history-rows tr")
    expect(rows.locator("td.value")).to_have_text(["1244", "1243", "2", "1"])
    expect(rows.locator(".remark")).to_have_text(["moved up from 2"])
    expect(rows.nth(1).locator(".remark")).to_be_visible()
    look_for(page, "1243")
    expect(found(page, "Remark")).to_have_text("moved up from 2")


def test_only_rows_with_attributes_offer_them(running: Service, visit: Visitor) -> None:
    for token in ("c1", "c2", "c3", "c4"):
        running.put(f"/v1/series/shop/{token}")
    note(
        running,
        "shop",
        "c1",
        b'{"a":"https://docs.example/","build_url":"https://ci.example/1","c":"https://x.example"}',
    )
    note(running, "shop", "c2", b'{"a":"no link","b":"https://first.example/","c":"ftp://x/"}')
    note(running, "shop", "c3", b'{"build_url":"javascript:alert(1)"}')
    page = visit(base(running)).open(page_of("shop"))
    rows = page.locator("#history-rows tr")
    expect(rows).to_have_count(4)
    for row, (details, link) in zip(
        rows.all(),
        [(0, None), (1, None), (1, "https://first.example/"), (1, "https://ci.example/1")],
        strict=True,
    ):
        expect(row.locator("summary")).to_have_count(details)
        links = row.locator("td.token").get_by_role("link")
        expect(links).to_have_count(0 if link is None else 1)
        if link is not None:
            expect(links).to_have_attribute("href", link)
            expect(links).to_have_attribute("rel", "noreferrer noopener")
    expect(page.locator("#one-token summary")).to_have_count(0)


def test_attributes_that_come_later_show_by_themselves(running: Service, visit: Visitor) -> None:
    running.put("/v1/series/shop/c1")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("shop"))
    row = page.locator("#history-rows tr").first
    expect(row.locator("td.value")).to_have_text("1")
    expect(row.locator("summary")).to_have_count(0)
    note(running, "shop", "c1", b'{"author":"Ada"}')
    tab.polled()
    row.locator("summary").click()
    expect(row.locator("dl")).to_have_text("authorAda")
    expect(page.locator("#one-token summary")).to_be_visible()
    note(running, "shop", "c1", b'{"build_url":"https://ci.example/1"}')
    tab.polled()
    # It stays open.
    expect(row.locator("dl")).to_have_text("authorAdabuild_urlhttps://ci.example/1")
    expect(row.locator(".build a")).to_have_attribute("href", "https://ci.example/1")


def test_attributes_too_long_for_a_list_are_shown_when_they_are_opened(
    running: Service, visit: Visitor
) -> None:
    running.put("/v1/series/shop/c1")
    note(running, "shop", "c1", b'{"log":"%s"}' % (b"x" * 5000))
    page = visit(base(running)).open(page_of("shop", 1))
    row = page.locator("#history-rows tr").first
    row.locator("summary").click()
    expect(row.locator("dd bdi")).to_have_text("x" * 5000)
    expect(found(page, "Attributes").locator("bdi").last).to_have_text("x" * 5000)


def test_the_history_is_saved_as_csv(
    guarded_service: Service, visit: Visitor, tmp_path: Path
) -> None:
    for _ in range(30):
        guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab = visit(base(guarded_service), accept_downloads=True)
    tab.allowed.append("status of 401")
    page = tab.open(page_of("shop"))
    sign_in(page, ROOT.key, ROOT.secret)
    with page.expect_download() as download:
        page.get_by_role("button", name="History as CSV").click()
    assert download.value.suggested_filename == "shop.csv"
    saved = tmp_path / "shop.csv"
    download.value.save_as(saved)
    lines = saved.read_text().splitlines()
    assert lines[0].startswith("value,token,created_at")
    assert [line.partition(",")[0] for line in lines[1:]] == [str(n) for n in range(30, 0, -1)]


# How many numbers, and when


def take_at(folder: Path, key: str, moments: Iterable[datetime]) -> None:
    """Take numbers at these times, in a store that nobody serves yet."""
    store = LmdbStore(folder, tables.ALL)

    def advance(txn: Transaction) -> None:
        for moment in moments:
            now = int(moment.timestamp() * 1_000_000)
            series.advance(txn, call_in(1, now=now), key, token=None)

    store.update(advance)
    store.close()


def bars(page: Page) -> list[str]:
    """Return the title of each place of the chart that has a bar."""
    return page.locator("svg.activity g:has(.bar) title").all_text_contents()


def test_the_chart_counts_numbers_by_hour_and_by_day(
    serve: Serve, folder: Path, visit: Visitor
) -> None:
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    take_at(
        folder,
        "shop",
        [hour - timedelta(days=20), hour - timedelta(hours=30), *[hour - timedelta(hours=2)] * 3],
    )
    page = visit(base(serve())).open(page_of("shop"))
    group = page.get_by_role("group", name="Period")
    expect(group.get_by_label("Day", exact=True)).to_be_checked()
    chart = page.locator("svg.activity")
    expect(chart).to_have_attribute("aria-label", "3 numbers in the last 24 hours, by hour")
    expect(page.locator("#activity-total")).to_have_text("3 numbers in the last 24 hours")
    expect(chart.locator("g")).to_have_count(24)
    assert bars(page) == [f"{hour - timedelta(hours=2):%Y-%m-%d %H:%M} UTC: 3"]
    expect(chart.locator("text.count")).to_have_text(["0", "1", "2", "3"])
    labels = chart.locator("text.time")
    expect(labels).to_have_count(4)
    assert set(labels.all_text_contents()) == {"00:00", "06:00", "12:00", "18:00"}
    group.get_by_label("Day", exact=True).focus()
    for label, words, buckets, count in (
        ("Week", "in the last 7 days, by day", 7, 4),
        ("Week by hour", "in the last 7 days, by hour", 168, 4),
        ("Month", "in the last 30 days, by day", 30, 5),
    ):
        page.keyboard.press("ArrowRight")
        expect(group.get_by_label(label, exact=True)).to_be_checked()
        expect(chart).to_have_attribute("aria-label", f"{count} numbers {words}")
        expect(chart.locator("g")).to_have_count(buckets)
        assert sum(int(each.rpartition(" ")[2]) for each in bars(page)) == count


def test_the_chart_is_a_table_too(serve: Serve, folder: Path, visit: Visitor) -> None:
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    take_at(folder, "shop", [hour - timedelta(hours=2)] * 3)
    page = visit(base(serve())).open(page_of("shop"))
    page.locator("#activity summary").click()
    table = page.get_by_role("table", name="3 numbers in the last 24 hours")
    expect(table.get_by_role("row")).to_have_count(25)
    filled = table.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name=f"{hour - timedelta(hours=2):%Y-%m-%d %H:%M} UTC")
    )
    expect(filled.get_by_role("cell")).to_have_text("3")
    page.get_by_role("radio", name="Month").check()
    expect(page.locator("#activity table").get_by_role("row")).to_have_count(31)
    expect(page.locator("#activity-unit")).to_have_text("Day")


def test_a_new_number_raises_its_bar(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("shop"))
    expect(page.locator("#activity-total")).to_have_text("1 number in the last 24 hours")
    take(running, "shop", "shop")
    tab.polled()
    expect(page.locator("#activity-total")).to_have_text("3 numbers in the last 24 hours")


def test_the_chart_moves_on_with_the_hours(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    began = datetime.now(timezone.utc)
    later = began + timedelta(hours=2)
    tab = visit(base(running))
    tab.page.route("**/v1/**", lambda route: answer_at(route, began))
    page = tab.open_with_clock(page_of("shop"))
    expect(page.locator("#activity-total")).to_have_text("1 number in the last 24 hours")
    asked = [each for each in tab.asked if "activity" in each]
    tab.polled(304)
    tab.polled(304)
    assert [each for each in tab.asked if "activity" in each] == asked

    page.route("**/v1/**", lambda route: answer_at(route, later))
    with page.expect_request("**/v1/activity/**"):
        tab.polled(304)


def test_a_chart_that_history_does_not_fill_says_so(serve: Serve, visit: Visitor) -> None:
    running = serve(variables={"MONOTRON_HISTORY": "2"})
    take(running, "shop", "shop")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("shop"))
    expect(page.locator("#activity-total")).to_have_text("2 numbers in the last 24 hours")
    expect(page.locator("#activity-note")).to_be_hidden()
    take(running, "shop")
    tab.polled()
    expect(page.locator("#activity-note")).to_have_text(
        re.compile(
            r"^History goes back to \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: "
            r"what was given out before that is not counted\.$"
        )
    )


def test_the_lines_of_the_chart_are_few_and_round(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open()
    steps = page.evaluate(
        """async (counts) => {
          const { stepFor } = await import(new URL("web/activity_chart.js", location.href).href);
          return counts.map(stepFor);
        }""",
        [0, 1, 4, 5, 8, 9, 21, 41, 1000],
    )
    assert steps == [1, 1, 1, 2, 2, 5, 10, 20, 500]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    running: Service, visit: Visitor, scheme: str
) -> None:
    running.put("/v1/series/shop/c1")
    running.put("/v1/series/shop", b'{"value":1242}')
    running.put("/v1/series/shop/c2")
    note(running, "shop", "c1", b'{"author":"Ada","build_url":"https://ci.example/1"}')
    tab = visit(base(running), color_scheme=scheme, bypass_csp=True)
    page = tab.open(page_of("shop", 1))
    expect(page.locator("#found")).to_be_visible()
    expect(page.locator("#badge img")).to_be_visible()
    page.locator("#activity summary").click()
    for system in ("curl", "GitHub"):
        page.get_by_role("radio", name=system).check()
        assert_accessible(page)
    page.set_viewport_size({"width": 320, "height": 740})
    assert_accessible(page)
    assert_fits(page, 320)
    for period, buckets in (("Week by hour", 168), ("Month", 30)):
        page.get_by_role("radio", name=period).check()
        expect(page.locator("svg.activity g")).to_have_count(buckets)
        assert_fits(page, 320)


# Use it


def uses(page: Page) -> Locator:
    return page.locator("#commands")


def pages(tab: Visit, keys: Iterable[str]) -> Iterator[Page]:
    """Open the page of each series, one after the other."""
    for key in keys:
        page = tab.open(page_of(key))
        expect(page.locator("#one-key")).to_have_text(MARKED.get(key, key), use_inner_text=False)
        expect(uses(page).locator(".command").first).to_be_visible()
        yield page


def code(page: Page, title: str) -> str:
    """Return the text of a line, whichever system is picked."""
    text = command(page, title).locator("code").text_content()
    assert text is not None
    return text


def test_the_lines_of_each_system_are_picked_with_the_keyboard(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop", "warehouse")
    page = visit(base(running)).open(page_of("shop"))
    group = uses(page).get_by_role("group", name="System")
    expect(group.get_by_role("radio")).to_have_count(6)
    expect(group.get_by_label("curl")).to_be_checked()
    expect(command(page, "Next number, from a shell")).to_be_visible()
    group.get_by_label("curl").focus()
    for name, title in (
        ("Shell", "Next number, with monotron.sh"),
        ("Python", "Next number, in Python"),
        ("Jenkins", "Next number, in a Jenkinsfile"),
        ("GitHub", "A commit's number, in GitHub Actions"),
        ("GitLab", "A commit's number, in GitLab CI"),
    ):
        page.keyboard.press("ArrowRight")
        expect(group.get_by_label(name)).to_be_checked()
        expect(command(page, title)).to_be_visible()
        expect(command(page, "Next number, from a shell")).to_be_hidden()
    # The same system for the next series.
    page.goto(f"{base(running)}{page_of('warehouse')}")
    expect(command(page, "A commit's number, in GitLab CI")).to_contain_text("warehouse")
    expect(command(page, "A commit's number, in GitLab CI")).to_be_visible()


def test_the_lines_for_the_shell_client_take_numbers_whatever_the_name(
    running: Service, visit: Visitor, tmp_path: Path
) -> None:
    take(running, *NAMES, UUID)
    place = ci.Place.make(tmp_path / "place")
    shutil.copy(ci.SCRIPT, place.folder)
    lines = []
    for page in pages(visit(base(running)), [*NAMES, UUID]):
        commit = code(page, "A commit's number, with monotron.sh")
        lines += [code(page, "Next number, with monotron.sh"), commit, commit]
    lines.append(code(page, "Build number, with monotron.sh"))
    status, out, err = place.run(["sh", "-ec", "\n".join(lines)], {"GIT_COMMIT": "7d4c37"})
    assert (status, out.split()) == (0, [*["2", "3", "3"] * (len(NAMES) + 1), "4"]), err


def test_the_lines_for_python_take_numbers_whatever_the_name(
    running: Service, visit: Visitor, tmp_path: Path
) -> None:
    take(running, *NAMES)
    place = ci.Place.make(tmp_path / "place")
    programs = []
    for page in pages(visit(base(running)), NAMES):
        commit = code(page, "A commit's number, in Python")
        programs += [code(page, "Next number, in Python"), commit, commit]
    variables = {"PYTHONPATH": str(ci.ROOT), "GIT_COMMIT": "7d4c37"}
    status, out, err = place.run([sys.executable, "-c", "\n".join(programs)], variables)
    assert (status, out.split()) == (0, ["2", "3", "3"] * len(NAMES)), err


def test_the_lines_for_github_and_gitlab_take_numbers_whatever_the_name(
    running: Service, visit: Visitor, tmp_path: Path
) -> None:
    take(running, *NAMES)
    place = ci.Place.make(tmp_path / "place")
    shell = next(iter(ci.SHELLS))
    for page in pages(visit(base(running)), NAMES):
        (step,) = yaml.safe_load(code(page, "A commit's number, in GitHub Actions"))
        # What GitHub makes of the only expression that a name can lead to.
        inputs = {name: text.replace("${{ '${{' }}", "${{") for name, text in step["with"].items()}
        outcome, outputs = ci.GithubAction(place).use(inputs, {})
        assert (outcome.status, outputs) == (0, {"number": "2"}), outcome.log
        pipeline = yaml.safe_load(code(page, "A commit's number, in GitLab CI"))
        job = {
            name: text.replace("$$", "$") for name, text in pipeline["number"]["variables"].items()
        }
        outcome, report = ci.GitlabTemplate(shell, place).extend(job, {})
        assert (outcome.status, report) == (0, {"MONOTRON_NUMBER": "2"}), outcome.log


def test_no_line_hides_a_character(running: Service, visit: Visitor) -> None:
    key = "sh\u200cop\U000e0041"
    take(running, key)
    page = visit(base(running)).open(page_of(key))
    expect(uses(page).locator(".command").first).to_be_visible()
    for text in page.locator(".command code").all_text_contents():
        assert not re.search("[\u200c\U000e0041]", text), text
    assert code(page, "Next number, in a Jenkinsfile") == (
        r"monotron.next('sh\u200Cop\uDB40\uDC41')"
    )


def test_a_name_is_no_expression_of_github_and_no_variable_of_gitlab(
    running: Service, visit: Visitor
) -> None:
    key = 'a${{ secrets.KEY }} $HOME "b"'
    take(running, key)
    page = visit(base(running)).open(page_of(key))
    expect(uses(page).locator(".command").first).to_be_visible()
    assert r'''key: "a${{ '${{' }} secrets.KEY }} $HOME \"b\""''' in code(
        page, "A commit's number, in GitHub Actions"
    )
    assert r'MONOTRON_SERIES: "a$${{ secrets.KEY }} $$HOME \"b\""' in code(
        page, "A commit's number, in GitLab CI"
    )
