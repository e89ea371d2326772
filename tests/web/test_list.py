"""The list of series: what changed, what is searched for, and the account at a glance."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from monotron import __version__
from monotron.core.api_keys import Pair
from tests.conftest import ROOT, basic
from tests.support.browser import Proxy, Visit, Visitor
from tests.support.dashboard import (
    FILLED,
    answer_at,
    assert_accessible,
    assert_fits,
    base,
    cell,
    date,
    ending,
    fill,
    key_beside,
    keys,
    path,
    row,
    run_line,
    settled,
    sign_in,
    take,
)
from tests.support.service import PATIENCE, Serve, Service
from tests.support.web import LAST_VALUE, UUID

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

EXACT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
"""A time to the second, in a browser whose time zone is UTC."""

ANSWERED_AT = datetime(2026, 11, 26, 22, 30, tzinfo=timezone.utc)
"""When answers came, for a page whose clock and whose service's clock are set."""

BY_CHANGE = sorted(FILLED, key=lambda key: FILLED[key][1])
"""The series of `fill`, the newest change first."""


def column(page: Page, name: str) -> Locator:
    """Return the button by which the list is sorted, in the header of a column."""
    return page.get_by_role("columnheader", name=name).get_by_role("button")


def figure(page: Page, name: str) -> Locator:
    """Return a figure above the list."""
    return page.locator(f"#glance-{name} span").first


def jobs(running: Service, count: int) -> None:
    take(running, *(f"job-{number:03}" for number in range(count)))


def lists(tab: Visit) -> list[dict[str, list[str]]]:
    """Return the query of each list that the tab has asked for."""
    asked = [urlsplit(each) for each in tab.asked]
    return [parse_qs(each.query) for each in asked if each.path == "v1/series"]


# What changed


def test_the_list_opens_with_the_last_change_on_top(
    serve: Serve, folder: Path, visit: Visitor
) -> None:
    fill(folder)
    page = visit(base(serve())).open()
    expect(row(page, "shop")).to_be_visible()
    assert keys(page) == BY_CHANGE
    expect(page.get_by_role("columnheader", name="Last change")).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(page.locator("caption")).to_have_text("Series, sorted by last change, newest first")
    expect(cell(page, "shop", "value")).to_have_text("128")
    expect(cell(page, "shop", "token")).to_have_text("7d4c37001010")
    expect(cell(page, "shop", "token")).to_have_attribute("title", "7d4c37001010")
    moment = cell(page, "shop", "when").locator("time")
    expect(moment).to_have_text("1 hour ago")
    expect(cell(page, "shop", "when").locator(".exact")).to_have_text(EXACT)


def test_each_column_that_sorts_is_a_button(serve: Serve, folder: Path, visit: Visitor) -> None:
    fill(folder)
    page = visit(base(serve())).open()
    expect(row(page, "shop")).to_be_visible()
    column(page, "Key").click()
    expect(page.locator("#rows a").first).to_have_text(UUID)
    assert keys(page) == sorted(FILLED)
    expect(page).to_have_url(ending("#/?sort=key"))
    expect(column(page, "Key")).to_be_focused()
    sorts = page.locator("th[aria-sort]")
    expect(sorts).to_have_count(1)
    expect(sorts).to_have_attribute("aria-sort", "ascending")

    column(page, "Value").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rows td.value").nth(1)).to_have_text("128")
    values = [int(text) for text in page.locator("#rows td.value").all_inner_texts()]
    assert values == sorted((count for count, *_ in FILLED.values()), reverse=True)
    expect(page).to_have_url(ending("#/?sort=value"))
    expect(page.locator("#said")).to_have_text("11 series, sorted by value, highest first")
    expect(sorts).to_have_attribute("aria-sort", "descending")
    page.reload()
    expect(page.locator("#rows td.value").nth(1)).to_have_text("128")

    column(page, "Last change").click()
    expect(page.locator("#rows a").first).to_have_text(BY_CHANGE[0])
    expect(page).to_have_url(ending("#/"))


@pytest.mark.parametrize(("since", "minutes"), [("hour", 60), ("day", 1440), ("week", 10080)])
def test_only_what_changed_lately_if_one_wants_it(
    serve: Serve, folder: Path, visit: Visitor, since: str, minutes: int
) -> None:
    fill(folder)
    page = visit(base(serve())).open()
    expect(row(page, "shop")).to_be_visible()
    choice = page.get_by_label("Changed", exact=True)
    choice.focus()
    choice.select_option(since)
    wanted = [key for key in BY_CHANGE if FILLED[key][1] < minutes]
    expect(page.locator("#rows tr")).to_have_count(len(wanted))
    assert keys(page) == wanted
    expect(page).to_have_url(ending(f"#/?since={since}"))
    expect(page.locator("#said")).to_contain_text(f"series that changed in the last {since},")
    expect(choice).to_be_focused()
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(len(wanted))
    expect(choice).to_have_value(since)
    page.get_by_role("searchbox").fill("no such")
    expect(page.locator("#list-notice")).to_have_text(
        f"There are no series that match “no such” and changed in the last {since}."
    )


def test_what_changed_lately_is_asked_for_in_whole_minutes(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(base(running))
    passed = [0]

    def asked() -> list[str]:
        return [query["changed_since"][0] for query in lists(tab)]

    tab.page.route(
        re.compile("/v1|/readyz"),
        lambda route: answer_at(route, ANSWERED_AT + timedelta(seconds=passed[-1])),
    )
    page = tab.open_with_clock("#/?since=hour", at=ANSWERED_AT)
    expect(row(page, "shop")).to_be_visible()
    settled(page)
    for seconds in (20, 40, 50):
        passed.append(seconds)
        rest(tab, 5)
    assert set(asked()) == {"2026-11-26T21:30:00.000Z"}
    for seconds in (70, 80):
        passed.append(seconds)
        rest(tab, 5)
    assert asked()[-1] == "2026-11-26T21:31:00.000Z"


def test_the_exact_time_and_the_whole_token_are_at_hand_without_a_mouse(
    running: Service, visit: Visitor
) -> None:
    token = "feature/" + "a" * 100
    running.put(f"/v1/series/warehouse/{quote(token, safe='')}")
    running.put("/v1/series/shop/1")
    page = visit(base(running)).open()
    link = row(page, "warehouse").get_by_role("link")
    expect(link).to_be_visible()
    exact = cell(page, "warehouse", "when").locator(".exact")
    # There for a screen reader, and not for the eye.
    expect(page.get_by_role("cell", name=re.compile(r" \d\d:\d\d:\d\d UTC$"))).to_have_count(2)
    expect(page.get_by_role("cell", name=token, exact=True)).to_have_count(1)
    expect(exact).to_have_css("opacity", "0")
    places = "[...document.querySelectorAll('td, th')].map((each) => each.offsetLeft)"
    before = page.evaluate(places)
    whole = """() => {
      const row = document.activeElement.closest("tr");
      return getComputedStyle(row.querySelector("td.token"), "::after").content;
    }"""
    column(page, "Last change").focus()
    page.keyboard.press("Tab")
    expect(row(page, "shop").get_by_role("link")).to_be_focused()
    assert page.evaluate(whole) == "none"
    expect(exact).to_have_css("opacity", "0")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(exact).to_have_css("opacity", "1")
    expect(cell(page, "warehouse", "when").locator(".ago")).to_have_css("opacity", "0")
    assert page.evaluate(whole) == f'"{token}"'
    assert page.evaluate(places) == before
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.keyboard.press("/")
    expect(exact).to_have_css("opacity", "0")
    exact.hover()
    expect(exact).to_have_css("opacity", "1")
    expect(cell(page, "warehouse", "token")).to_have_attribute("title", token)


@pytest.mark.parametrize("width", [360, 840, 1100])
def test_without_a_mouse_the_exact_time_and_the_whole_token_stand_in_the_list(
    running: Service, visit: Visitor, width: int
) -> None:
    token = "feature/" + "a" * 100
    running.put(f"/v1/series/shop/{quote(token, safe='')}")
    size = {"width": width, "height": 740}
    page = visit(base(running), viewport=size, has_touch=True, is_mobile=True).open()
    exact = cell(page, "shop", "when").locator(".exact")
    expect(exact).to_have_text(EXACT)
    expect(exact).to_have_css("opacity", "1")
    expect(exact).to_be_in_viewport(ratio=1)
    expect(cell(page, "shop", "when").locator(".ago")).to_have_css("opacity", "1")
    shown = cell(page, "shop", "token").locator("bdi")
    assert shown.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    assert shown.evaluate("(each) => each.clientWidth > 170")
    expect(shown).to_be_in_viewport(ratio=1)
    assert_fits(page, width)


@pytest.mark.parametrize("value", [2**53 + 1, LAST_VALUE - 1, LAST_VALUE])
def test_each_digit_of_a_value_is_shown(running: Service, visit: Visitor, value: int) -> None:
    running.put(path("big"), b'{"value":%d}' % (value - 2))
    take(running, "big", "big")
    page = visit(base(running)).open()
    expect(cell(page, "big", "value")).to_have_text(str(value))
    row(page, "big").get_by_role("link").click()
    expect(page.locator("#one-value")).to_have_text(str(value))
    expect(page.locator("#history-rows td.value")).to_have_text([str(value), str(value - 1)])


def test_an_empty_store_says_how_to_take_the_first_number(running: Service, visit: Visitor) -> None:
    tab = visit(base(running))
    page = tab.open_with_clock()
    expect(page.locator("#first p").first).to_have_text("No series yet. Create one:")
    line = page.locator("#first code")
    expect(line).to_be_visible()
    assert run_line(line.inner_text()) == "1\n"
    tab.pass_time()
    expect(cell(page, "my-job", "value")).to_have_text("1")
    expect(page.locator("#first")).to_be_hidden()


def test_the_time_since_the_last_change_goes_on_by_itself_and_by_the_services_clock(
    serve: Serve, folder: Path, visit: Visitor
) -> None:
    fill(folder)
    tab = visit(base(serve()))
    page = tab.open_with_clock(at=datetime(2020, 2, 29, 12, tzinfo=timezone.utc))
    moment = cell(page, UUID, "when").locator("time")
    expect(moment).to_have_text("13 hours ago")
    tab.allowed.append("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page.clock.fast_forward("05:00:00")
    expect(moment).to_have_text("18 hours ago")


@pytest.mark.parametrize("place", ["#/?find=shop", "#/?sort=value"])
def test_a_page_for_which_all_series_are_read_is_asked_for_less_often(
    running: Service, visit: Visitor, place: str
) -> None:
    take(running, "shop")
    tab = visit(base(running))
    page = tab.open_with_clock(place)
    expect(row(page, "shop")).to_be_visible()
    settled(page)
    tab.pass_time(10_000)
    assert len(lists(tab)) == 1
    take(running, "shop")
    tab.pass_time()
    expect(cell(page, "shop", "value")).to_have_text("2")
    assert len(lists(tab)) == 2


# The search


def test_the_search_finds_anywhere_in_a_key_as_one_types(running: Service, visit: Visitor) -> None:
    take(running, "shop/Nightly", "nightly", "shop", "x", "50%+1 & more")
    page = visit(base(running)).open("#/?sort=key")
    expect(page.locator("#rows tr")).to_have_count(5)
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("nightly")
    expect(page.locator("#rows tr")).to_have_count(2)
    assert keys(page) == ["nightly", "shop/Nightly"]
    expect(page).to_have_url(ending("#/?find=nightly&sort=key"))
    expect(page.locator("#said")).to_have_text("2 series that match “nightly”, sorted by key")
    expect(search).to_be_focused()
    search.fill("%+1 & m")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(1)
    assert keys(page) == ["50%+1 & more"]
    expect(search).to_have_value("%+1 & m")
    search.fill("shopp<")
    expect(page.locator("#list-notice")).to_have_text("There are no series that match “shopp<”.")
    search.press("Escape")
    expect(page.locator("#rows tr")).to_have_count(5)


@pytest.mark.parametrize("text", ["7d4c37", "v1.0", "1.0.1"])
def test_the_search_finds_the_beginnings_of_tokens_and_of_versions(
    running: Service, visit: Visitor, text: str
) -> None:
    running.put("/v1/semver/till/major/a1")
    running.put("/v1/semver/till/patch/7D4c379588")
    take(running, "shop", "warehouse")
    page = visit(base(running)).open()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.get_by_role("searchbox").fill(text)
    expect(page.locator("#rows tr")).to_have_count(1)
    assert keys(page) == ["till"]


def test_a_search_that_no_key_can_fulfil_says_why(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    tab = visit(base(running))
    tab.allowed.append("status of 400")
    page = tab.open(f"#/?find={'é' * 129}")
    expect(page.locator("#list-notice")).to_contain_text("Monotron cannot search for that:")
    expect(page.locator("#list-notice")).to_contain_text("256 bytes")
    page.get_by_role("searchbox").fill("s")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#list-notice")).to_be_hidden()


def test_the_search_field_shows_the_text_of_the_address(running: Service, visit: Visitor) -> None:
    take(running, "shop", "ware")
    page = visit(base(running)).open("#/?find=ware")
    search = page.get_by_role("searchbox")
    expect(search).to_have_value("ware")
    search.fill("shop")
    expect(page).to_have_url(ending("#/?find=shop"))
    page.goto(f"{base(running)}#/?find=ware")
    expect(search).to_have_value("ware")
    expect(search).to_be_focused()


def test_an_earlier_answer_never_overwrites_a_later_one(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, "a", "ab", "abc")
    proxy.hold = "find=a"
    page = visit(proxy.base).open()
    expect(page.locator("#rows tr")).to_have_count(3)
    search = page.get_by_role("searchbox")
    search.fill("a")
    assert proxy.held.wait(PATIENCE)
    proxy.hold = None
    search.fill("ab")
    expect(page.locator("#rows tr")).to_have_count(2)
    proxy.release.set()
    assert proxy.passed_on.wait(PATIENCE)
    # Whatever the browser was sent before this answer, the page has seen.
    page.evaluate("fetch('livez').then((answer) => answer.text())")
    assert keys(page) == ["abc", "ab"]


def test_an_address_of_an_earlier_version_still_leads_to_its_series(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop/a", "shop", "shop/b", "workshop")
    tab = visit(base(running))
    page = tab.open("#/?prefix=shop")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert keys(page) == ["shop/b", "shop", "shop/a"]
    expect(page.locator("#prefixed")).to_contain_text("Only keys that start with “shop”.")
    # The search goes on within them.
    page.get_by_role("searchbox").fill("/")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.get_by_role("link", name="All keys").click()
    expect(page.locator("#prefixed")).to_be_hidden()
    page.get_by_role("searchbox").fill("shop")
    expect(page.locator("#rows tr")).to_have_count(4)
    # Its pages were ordered by key.
    page = tab.open("#/?prefix=shop&after=shop")
    expect(page.locator("#rows tr")).to_have_count(2)
    assert keys(page) == ["shop/a", "shop/b"]


# Pages


def test_pages_lead_on_and_back_and_say_how_many_there_are(
    running: Service, visit: Visitor
) -> None:
    jobs(running, 120)
    page = visit(base(running)).open("#/?sort=key")
    following = page.get_by_role("link", name="Next")
    previous = page.get_by_role("link", name="Previous")
    count = page.locator("#count")
    expect(page.locator("#rows a").first).to_have_text("job-000")
    expect(count).to_have_text("Page 1 of 3")
    expect(previous).to_be_hidden()
    following.click()
    expect(page.locator("#rows a").first).to_have_text("job-050")
    expect(count).to_have_text("Page 2 of 3")
    following.click()
    expect(page.locator("#rows tr")).to_have_count(20)
    expect(count).to_have_text("Page 3 of 3")
    expect(following).to_be_hidden()
    previous.click()
    expect(page.locator("#rows a").first).to_have_text("job-050")
    page.reload()
    expect(page.locator("#rows a").first).to_have_text("job-050")
    expect(count).to_have_text("Page 2 of 3")
    page.get_by_role("link", name="First page").click()
    expect(page.locator("#rows a").first).to_have_text("job-000")
    expect(page.get_by_role("heading", name="Series")).to_be_focused()
    page.go_back()
    expect(page.locator("#rows a").first).to_have_text("job-050")


@pytest.mark.parametrize("sort", ["changed", "value"])
def test_every_order_has_pages_that_show_each_series_once(
    running: Service, visit: Visitor, sort: str
) -> None:
    jobs(running, 70)
    take(running, *(f"job-{number:03}" for number in range(30, 60)))
    page = visit(base(running)).open(f"#/?sort={sort}")
    expect(page.locator("#rows tr")).to_have_count(50)
    first = keys(page)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#rows tr")).to_have_count(20)
    assert {*first, *keys(page)} == {f"job-{number:03}" for number in range(70)}
    expect(page.locator("#count")).to_have_text("Page 2 of 2")


def test_how_many_pages_there_are_is_said_only_if_it_is_known(
    running: Service, visit: Visitor
) -> None:
    running.put("/v1/semver/till/major/a1")
    running.put("/v1/semver/till/minor/a2")
    jobs(running, 105)
    tab = visit(base(running))
    page = tab.open_with_clock()
    settled(page)
    expect(figure(page, "series")).to_have_text("107")
    expect(page.locator("#count")).to_have_text("Page 1")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#count")).to_have_text("Page 2")
    page.get_by_role("link", name="Next").click()
    # On the last one it is known after all.
    expect(page.locator("#count")).to_have_text("Page 3 of 3")
    tab.open("#/?find=job")
    expect(page.locator("#count")).to_have_text("Page 1")


def test_a_page_beyond_those_that_were_counted_does_not_call_itself_the_last(
    running: Service, visit: Visitor
) -> None:
    jobs(running, 120)
    tab = visit(base(running))
    # Counted a minute ago, when there were fewer.
    tab.page.route("**/v1/activity?*", lambda route: route.fulfill(json=hours(0, series=60)))
    page = tab.open()
    expect(page.locator("#count")).to_have_text("Page 1 of 2")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#count")).to_have_text("Page 2")


def test_back_leads_to_the_page_where_the_list_was_left(running: Service, visit: Visitor) -> None:
    jobs(running, 95)
    page = visit(base(running)).open()
    page.get_by_role("link", name="Next").click()
    link = row(page, "job-003").get_by_role("link")
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 0
    link.click()
    expect(page.get_by_role("heading", name="job-003")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    assert page.evaluate("scrollY") == before
    expect(page.locator("#count")).to_have_text("Page 2 of 2")


# The rows


def test_a_version_is_one_row_with_the_release_beside_a_pre_release(
    running: Service, visit: Visitor
) -> None:
    running.put("/v1/semver/till/major/a1")
    running.put("/v1/semver/till/patch/a2")
    take(running, "till")
    tab = visit(base(running))
    page = tab.open_with_clock()
    expect(page.locator("#rows tr")).to_have_count(2)
    version = page.locator("#rows tr").filter(has=page.locator('a[href="#/version/till"]'))
    expect(version.locator("td.value")).to_have_text("1.0.1")
    expect(version.locator("th")).to_have_text("till version", use_inner_text=True)
    expect(version.locator("td.token")).to_have_text("a2")
    # The series of the same name is another thing.
    series = page.locator("#rows tr").filter(has=page.locator('a[href="#/series/till"]'))
    expect(series.locator("td.value")).to_have_text("1")
    expect(series.locator("th")).to_have_text("till", use_inner_text=True)
    running.put("/v1/semver/till/minor/a3?pre=rc")
    tab.pass_time()
    expect(version.locator("td.value span").first).to_have_text("1.1.0-rc.1")
    expect(version.locator("td.value .release")).to_have_text("release 1.0.1")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(version).to_have_class(re.compile("changed"))


def test_a_row_says_who_took_its_number(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    writer = key_beside(folder, "write:series")
    guarded_service.ask("POST", path("shop"), headers=basic(writer))
    named = guarded_service.ask(
        "POST",
        "/v1/accounts/1/grants",
        b'{"scopes":["write:series"],"name":"release-bot"}',
        headers=basic(ROOT),
    ).json["api_key"]
    guarded_service.ask(
        "POST", path("warehouse"), headers=basic(Pair(named["key"], named["secret"]))
    )
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    sign_in(page, ROOT.key, ROOT.secret)
    expect(cell(page, "shop", "who")).to_have_text(writer.key)
    expect(cell(page, "warehouse", "who")).to_have_text("release-bot")
    expect(cell(page, "warehouse", "who")).to_have_attribute("title", named["key"])


def test_there_is_no_column_for_who_where_nobody_needs_a_key(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    page = visit(base(running)).open()
    expect(row(page, "shop")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Taken by")).to_be_hidden()


def test_the_numbers_of_each_hour_are_drawn_and_told_in_words(
    serve: Serve, folder: Path, visit: Visitor
) -> None:
    running = serve()
    # One call, so one hour.
    running.take(f"{path('shop')}?count=12")
    take(running, "lone")
    running.ask("PUT", path("moved"), b'{"value":7}')
    tab = visit(base(running))
    page = tab.open()
    drawn = cell(page, "shop", "hours").get_by_role("img")
    expect(drawn).to_have_attribute(
        "aria-label", re.compile(r"^12 numbers in 24 hours, most at \d\d:00: 12$")
    )
    expect(cell(page, "shop", "hours")).to_have_text("12")
    expect(cell(page, "lone", "hours").get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"^1 number in 24 hours, most at \d\d:00: 1$")
    )
    heights = {
        key: [
            float(each.get_attribute("height") or 0)
            for each in cell(page, key, "hours").locator("rect:not(.base)").all()
        ]
        for key in ("shop", "lone")
    }
    # The busiest hour is as high as the drawing, and one number alone is no rush.
    assert heights == {"shop": [20], "lone": [4]}


@pytest.mark.parametrize(("zone", "at"), [("UTC", "19:00"), ("Asia/Kolkata", "00:30")])
def test_the_busiest_hour_is_told_in_the_users_own_time(
    running: Service, visit: Visitor, zone: str, at: str
) -> None:
    take(running, "shop")
    tab = visit(base(running), timezone_id=zone)
    tab.page.route(re.compile("/v1|/readyz"), lambda route: answer_at(route, ANSWERED_AT))
    # The hours from eleven in the evening, UTC, until that of half past ten.
    activity = [0] * 12 + [2, 0, 7, 1, 0, 0, 3, 0, 9, 0, 4, 0]

    def answer(route: Route) -> None:
        page = route.fetch().json()
        page["series"][0]["activity"] = activity
        route.fulfill(json=page, headers=date(ANSWERED_AT))

    tab.page.route("**/v1/series?*", answer)
    page = tab.open_with_clock(at=ANSWERED_AT)
    settled(page)
    drawn = cell(page, "shop", "hours").get_by_role("img")
    expect(drawn).to_have_attribute(
        "aria-label", f"{sum(activity)} numbers in 24 hours, most at {at}: 9"
    )
    bars = drawn.locator("rect:not(.base)")
    assert [each.get_attribute("x") for each in bars.all()] == [
        f"{hour}.12" for hour, count in enumerate(activity) if count
    ]


# The order while somebody is at work


def order_changes(running: Service, tab: Visit) -> None:
    take(running, "job-000")
    tab.polled()
    expect(cell(tab.page, "job-000", "value")).to_have_text("2")


def rest(tab: Visit, seconds: int) -> None:
    """Let the page ask on while nothing changes."""
    tab.pass_time(seconds * 1000)
    tab.answered()


def three_jobs(running: Service, visit: Visitor, *before: str) -> Visit:
    """Open a list with three series above those that were there before."""
    jobs(running, 3)
    tab = visit(base(running))
    page = tab.open_with_clock()
    expect(row(page, "job-000")).to_be_visible()
    settled(page)
    assert keys(page) == ["job-002", "job-001", "job-000", *before]
    return tab


def test_a_row_that_changes_moves_to_the_top(running: Service, visit: Visitor) -> None:
    tab = three_jobs(running, visit)
    order_changes(running, tab)
    assert keys(tab.page) == ["job-000", "job-002", "job-001"]
    expect(row(tab.page, "job-000")).to_have_class(re.compile("changed"))
    expect(tab.page.locator("#held")).to_be_hidden()


def test_no_row_moves_away_from_under_the_pointer(running: Service, visit: Visitor) -> None:
    tab = three_jobs(running, visit)
    page = tab.page
    row(page, "job-002").hover()
    order_changes(running, tab)
    take(running, "new")
    tab.polled()
    held = page.locator("#held")
    expect(held).to_have_text("2 changes: the list is sorted again when you leave it.")
    assert keys(page) == ["job-002", "job-001", "job-000"]
    # Nobody but who sees it is told.
    assert held.evaluate("(each) => each.closest('[role=status], [aria-live]')") is None
    expect(page.locator("#said")).not_to_contain_text("change:")
    page.get_by_role("heading", name="Series").hover()
    expect(page.locator("#rows tr")).to_have_count(4)
    assert keys(page) == ["new", "job-000", "job-002", "job-001"]
    expect(held).to_be_hidden()


def test_a_pointer_that_rests_holds_nothing_for_long(running: Service, visit: Visitor) -> None:
    tab = three_jobs(running, visit)
    row(tab.page, "job-002").hover()
    order_changes(running, tab)
    rest(tab, 20)
    assert keys(tab.page)[0] == "job-002"
    rest(tab, 10)
    expect(tab.page.locator("#rows a").first).to_have_text("job-000")


def test_no_row_moves_while_one_has_the_focus(running: Service, visit: Visitor) -> None:
    tab = three_jobs(running, visit)
    page = tab.page
    link = row(page, "job-001").get_by_role("link")
    link.focus()
    order_changes(running, tab)
    assert keys(page) == ["job-002", "job-001", "job-000"]
    expect(link).to_be_focused()
    page.keyboard.press("/")
    # What was waiting is put in order a moment after the focus has left.
    tab.pass_time(1)
    expect(page.locator("#rows a").first).to_have_text("job-000")


def test_a_row_keeps_the_focus_where_it_moves_after_all(running: Service, visit: Visitor) -> None:
    tab = three_jobs(running, visit)
    page = tab.page
    link = row(page, "job-000").get_by_role("link")
    link.focus()
    order_changes(running, tab)
    rest(tab, 30)
    expect(page.locator("#rows a").first).to_have_text("job-000")
    expect(link).to_be_focused()


def test_what_is_selected_in_the_list_stays_selected(running: Service, visit: Visitor) -> None:
    running.put("/v1/series/other/7d4c379588")
    tab = three_jobs(running, visit, "other")
    page = tab.page
    cell(page, "other", "token").locator("bdi").evaluate(
        "(each) => getSelection().selectAllChildren(each)"
    )
    order_changes(running, tab)
    rest(tab, 45)
    assert keys(page) == ["job-002", "job-001", "job-000", "other"]
    assert page.evaluate("getSelection().toString()") == "7d4c379588"
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#rows a").first).to_have_text("job-000")


# At a glance


def test_above_the_list_stands_how_busy_the_account_is(running: Service, visit: Visitor) -> None:
    # For the page it stays the hour in which the test began: later numbers count as of this hour.
    at = datetime.now(timezone.utc).replace(minute=30, second=0, microsecond=0)
    take(running, "shop", "shop", "warehouse")
    tab = visit(base(running))
    tab.page.route(re.compile("/v1|/readyz"), lambda route: answer_at(route, at))
    page = tab.open_with_clock(at=at)
    settled(page)
    expect(figure(page, "series")).to_have_text("2")
    expect(figure(page, "today")).to_have_text("3")
    expect(figure(page, "hour")).to_have_text("3")
    expect(page.locator("#glance-hour")).to_contain_text(
        re.compile(r"since \d\d:00; 0 in the hour before$")
    )
    expect(figure(page, "store")).to_have_text("ready")
    take(running, "new", "shop")
    tab.pass_time(60_000)
    expect(figure(page, "series")).to_have_text("3")
    expect(figure(page, "today")).to_have_text("5")


def test_how_busy_the_account_is_is_asked_for_once_a_minute(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(base(running))
    page = tab.open_with_clock()
    settled(page)

    def asked() -> int:
        return len([each for each in tab.asked if each.startswith("v1/activity")])

    before = asked()
    rest(tab, 55)
    assert asked() == before
    with page.expect_request("**/v1/activity?*"):
        tab.pass_time()


def hours(*counts: int, series: int = 4, more: bool = False) -> dict[str, object]:
    """Return an answer about these hours, the one of `ANSWERED_AT` last."""
    current = ANSWERED_AT.replace(minute=0)
    starts = [current - timedelta(hours=back) for back in range(len(counts))][::-1]
    activity = [
        {"start": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}", "count": count}
        for start, count in zip(starts, counts, strict=True)
    ]
    return {"by": "hour", "activity": activity, "series": series, "more": more}


@pytest.mark.parametrize(
    ("zone", "today"), [("UTC", 23), ("Europe/Berlin", 24), ("America/New_York", 18)]
)
def test_a_day_begins_at_the_users_own_midnight(
    running: Service, visit: Visitor, zone: str, today: int
) -> None:
    take(running, "shop")
    tab = visit(base(running), timezone_id=zone)
    page = tab.page
    answer = hours(*[1] * 26)
    page.route(re.compile("/v1|/readyz"), lambda route: answer_at(route, ANSWERED_AT))
    page.route(
        "**/v1/activity?*", lambda route: route.fulfill(json=answer, headers=date(ANSWERED_AT))
    )
    tab.open_with_clock(at=ANSWERED_AT)
    settled(page)
    expect(figure(page, "today")).to_have_text(str(today))


def test_more_series_than_are_counted_are_said_to_be_more(running: Service, visit: Visitor) -> None:
    jobs(running, 51)
    tab = visit(base(running))
    tab.page.route(
        "**/v1/activity?*",
        lambda route: route.fulfill(json=hours(1, 2, series=10_000, more=True)),
    )
    page = tab.open()
    expect(figure(page, "series")).to_have_text("more than 10,000")
    expect(page.locator("#count")).to_have_text("Page 1")


def test_a_store_that_cannot_be_written_is_not_ready(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    tab = visit(base(running))
    tab.allowed.append("status of 503")
    tab.page.route("**/readyz", lambda route: route.fulfill(status=503))
    page = tab.open_with_clock()
    expect(figure(page, "store")).to_have_text("not ready")
    # Everything else goes on.
    expect(page.locator("#trouble")).to_have_text("")
    page.unroute("**/readyz")
    tab.pass_time(60_000)
    expect(figure(page, "store")).to_have_text("ready")


def test_the_glance_is_for_the_list_alone_and_only_while_it_is_open(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(base(running))
    page = tab.open_with_clock()
    settled(page)
    row(page, "shop").get_by_role("link").click()
    expect(page.locator("#badge img")).to_be_visible()
    expect(page.locator("#glance")).to_be_hidden()
    asked = [each for each in tab.asked if "activity?" in each]
    tab.pass_time(130_000)
    assert [each for each in tab.asked if "activity?" in each] == asked


@pytest.mark.parametrize("place", ["", "#/series/shop", "#/what"])
def test_the_footer_of_each_page_says_the_version_and_leads_on(
    running: Service, visit: Visitor, place: str
) -> None:
    take(running, "shop")
    page = visit(base(running)).open(place)
    footer = page.get_by_role("contentinfo")
    expect(footer).to_contain_text(f"Monotron {__version__}")
    links = footer.get_by_role("link").evaluate_all("all => all.map(each => each.href)")
    assert links == [
        f"{base(running)}#/wall",
        f"{base(running)}#/api",
        f"{base(running)}openapi.json",
        f"{base(running)}metrics",
    ]
    for link in links[2:]:
        assert running.get(urlsplit(link).path).status == 200


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_list_that_keeps_anybody_out(
    running: Service, visit: Visitor, scheme: str
) -> None:
    running.put("/v1/semver/till/major/a1")
    running.put("/v1/semver/till/minor/a2?pre=rc")
    jobs(running, 60)
    tab = visit(base(running), color_scheme=scheme, bypass_csp=True)
    # axe needs a clock that goes on.
    page = tab.open()
    settled(page)
    assert_accessible(page)
    row(page, "job-050").get_by_role("link").focus()
    take(running, "job-003")
    expect(page.locator("#held")).to_be_visible()
    assert_accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert_accessible(page)
    tab.open("#/?prefix=till&find=4711&since=hour")
    expect(page.locator("#list-notice")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("width", [320, 360, 900])
def test_a_long_version_fits_a_narrow_screen(running: Service, visit: Visitor, width: int) -> None:
    running.ask("PUT", path("till-major"), b'{"value":4294967296}')
    running.put("/v1/semver/till/minor/a2?pre=an-identifier-as-long-as-any-is")
    page = visit(base(running), viewport={"width": width, "height": 740}).open()
    shown = cell(page, "till", "value").locator("span").first
    expect(shown).to_have_text("4294967296.1.0-an-identifier-as-long-as-any-is.1")
    assert_fits(page, width)
    expect(shown).to_be_in_viewport(ratio=1)


def test_a_narrow_screen_can_be_sorted_too(running: Service, visit: Visitor) -> None:
    jobs(running, 3)
    page = visit(base(running), viewport={"width": 320, "height": 740}).open()
    expect(row(page, "job-000")).to_be_visible()
    for name in ("Key", "Value", "Last change"):
        expect(column(page, name)).to_be_in_viewport(ratio=1)
    column(page, "Key").click()
    expect(page.locator("#rows a").first).to_have_text("job-000")
