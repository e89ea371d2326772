"""The dashboard: its files, and what a user sees in a real Chromium."""

import configparser
import fnmatch
import re
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT, basic
from tests.support.browser import SCREENSHOTS, Proxy, Visit, Visitor
from tests.support.dashboard import (
    HOSTILE,
    assert_accessible,
    assert_fits,
    base,
    cell,
    command,
    ending,
    fill,
    keys,
    note_as_before,
    path,
    row,
    run_line,
    shown,
    sign_in,
    take,
    take_as_before,
)
from tests.support.ports import new_port
from tests.support.service import PATIENCE, Serve, Service
from tests.support.web import LAST_VALUE, UUID, Api

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]


FILES = {file.name: file.read_bytes() for file in files("monotron.web").iterdir() if file.is_file()}
SERVED = sorted(name for name in FILES if not name.endswith(".py"))
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

EXACT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
"""A time to the second, in a browser whose time zone is UTC."""


# The files


@pytest.mark.parametrize("name", ["", *(f"web/{name}" for name in SERVED)])
def test_each_file_comes_with_its_type_and_a_strict_policy(api: Api, name: str) -> None:
    response = api.get(f"/{name}")
    file = name.removeprefix("web/") or "index.html"
    assert response.body == FILES[file]
    assert response.headers["Content-Type"] == TYPES[file.rpartition(".")[2]]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(
        rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize("path", ["/", "/web/style.css"])
def test_head_tells_what_get_gives(api: Api, path: str) -> None:
    head, got = api.head(path), api.get(path)
    assert head.body == b""
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "__init__.py", "%2e%2e%2fapp.py", "..%2Fapp.py", "%2Fetc%2Fpasswd", "%00.js"],
)
def test_no_other_file_is_served(api: Api, name: str) -> None:
    response = api.get(f"/web/{name}", expect_errors=True)
    assert response.status_int == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_files_need_no_credentials_and_take_nothing(guarded: Api) -> None:
    for name in ("/", *(f"/web/{name}" for name in SERVED)):
        assert guarded.get(name).status_int == 200
    for method in ("POST", "PUT", "DELETE"):
        assert guarded.request("/", method=method, expect_errors=True).status_int == 405


def test_an_installed_monotron_has_each_file() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    patterns = setup["options.package_data"]["monotron.web"].split(", ")
    for name in SERVED:
        assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name


def test_each_file_is_used_and_nothing_comes_from_elsewhere() -> None:
    used = {"index.html"}
    for name in SERVED:
        text = FILES[name].decode()
        used |= set(re.findall(r'from "\./([^"]+)"', text))
        used |= set(re.findall(r'(?:src|href)="web/([^"]+)"', text))
        # A namespace and a standard's address, which nobody requests.
        addresses = set(re.findall(r"\b(?:https?:)?//[\w.]+[^\s\"')]*", text))
        assert {
            each for each in addresses if not re.match(r"https?://(www\.w3|url\.spec)", each)
        } == (set()), name
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert unsafe not in text
    assert used == set(SERVED)


# Keeping up


def test_a_new_value_shows_by_itself(running: Service, visit: Visitor) -> None:
    take(running, "shop", "other")
    tab = visit(base(running))
    page = tab.open_with_clock()
    expect(cell(page, "shop", "value")).to_have_text("1")
    running.put("/v1/series/shop/7d4c379588")
    take(running, "new")
    running.ask("DELETE", "/v1/series/other")
    tab.pass_time()
    expect(cell(page, "shop", "value")).to_have_text("2")
    expect(cell(page, "shop", "token")).to_have_text("7d4c379588")
    expect(cell(page, "shop", "hours").get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("^2 numbers in 24 hours")
    )
    expect(page.locator("#rows tr")).to_have_count(2)
    assert keys(page) == ["new", "shop"]


WATCH = """() => {
  window.touched = [];
  new MutationObserver((all) => {
    for (const each of all) {
      const node = each.target.nodeType === Node.TEXT_NODE ? each.target.parentNode : each.target;
      if (!node.closest("time")) window.touched.push(`${each.type} ${node.outerHTML}`);
    }
  }).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


@pytest.mark.parametrize("place", ["", "#/series/shop"])
def test_nothing_is_touched_while_nothing_changes(
    running: Service, visit: Visitor, place: str
) -> None:
    take(running, "shop", "shop", "other")
    tab = visit(base(running))
    page = tab.open_with_clock(place)
    expect(page.locator("#badge img" if place else "#rows tr").first).to_be_visible()
    tab.answered()
    page.evaluate(WATCH)
    for _ in range(3):
        tab.polled(304)
    assert page.evaluate("window.touched") == []
    take(running, "shop")
    tab.polled()
    expect(page.locator("#one-value") if place else cell(page, "shop", "value")).to_have_text("3")
    assert page.evaluate("window.touched") != []


def test_scroll_focus_and_selection_stay_when_something_changes(
    running: Service, visit: Visitor
) -> None:
    take(running, *(f"job-{number:03}" for number in range(45)))
    running.put("/v1/series/job-030/7d4c379588")
    tab = visit(base(running))
    page = tab.open_with_clock("#/?sort=key")
    cell(page, "job-030", "token").scroll_into_view_if_needed()
    row(page, "job-031").get_by_role("link").focus()
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('#rows tr:nth-child(31) td bdi'))"
    )
    before = page.evaluate("scrollY")
    assert before > 0
    take(running, "job-031", "job-035")
    tab.polled()
    expect(cell(page, "job-031", "value")).to_have_text("2")
    assert page.evaluate("scrollY") == before
    expect(row(page, "job-031").get_by_role("link")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "7d4c379588"


def test_it_asks_only_while_the_tab_is_in_sight(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(proxy.base)
    page = tab.open_with_clock()
    expect(cell(page, "shop", "value")).to_have_text("1")
    tab.answered()
    # Headless tabs are always in sight; this is how one tells the page that it is not.
    see = """(hidden) => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(see, True)
    asked = len(tab.asked)
    take(running, "shop")
    tab.pass_time(120_000)
    assert len(tab.asked) == asked
    page.evaluate(see, False)
    expect(cell(page, "shop", "value")).to_have_text("2")

    # Out of sight while an answer is on its way, it does not begin again after that.
    take(running, "shop")
    proxy.hold = "v1/series"
    tab.pass_time()
    assert proxy.held.wait(PATIENCE)
    page.evaluate(see, True)
    asked = len(tab.asked)
    proxy.release.set()
    expect(cell(page, "shop", "value")).to_have_text("3")
    tab.pass_time(120_000)
    assert len(tab.asked) == asked


def lists(tab: Visit) -> list[str]:
    return [each for each in tab.asked if each.startswith("v1/series")]


def test_where_the_service_is_away_it_says_since_when_and_keeps_what_it_has(
    serve: Serve, visit: Visitor
) -> None:
    first = serve("--port", str(new_port()))
    take(first, "shop")
    tab = visit(base(first))
    tab.allowed.append("ERR_CONNECTION_REFUSED")
    # Not near midnight: it would say the day as well.
    page = tab.open_with_clock(at=datetime(2026, 11, 27, 12, tzinfo=timezone.utc))
    expect(cell(page, "shop", "value")).to_have_text("1")
    tab.answered()
    assert first.stop() == 0
    tab.pass_time()
    trouble = page.locator("#trouble")
    expect(trouble).to_have_text(
        re.compile(r"^Monotron has been unreachable since \d\d:\d\d \(retrying\)$")
    )
    said = trouble.inner_text()
    # Less and less often, and finally at most once a minute.
    for wait in (5, 10, 20, 40, 60, 60):
        asked = lists(tab)
        tab.pass_time((wait - 1) * 1000)
        assert lists(tab) == asked
        with page.expect_event("requestfailed", lambda each: "v1/series" in each.url):
            tab.pass_time(1000)
    expect(trouble).to_have_text(said)
    expect(cell(page, "shop", "value")).to_have_text("1")
    again = serve("--port", str(first.port))
    take(again, "shop")
    tab.pass_time(60_000)
    expect(cell(page, "shop", "value")).to_have_text("2")
    expect(trouble).to_have_text("")


def test_it_waits_as_long_as_the_service_asks(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(proxy.base)
    tab.allowed.append("status of 503")
    page = tab.open_with_clock()
    expect(cell(page, "shop", "value")).to_have_text("1")
    proxy.refuse = {"Retry-After": "300"}
    tab.polled(503)
    expect(page.locator("#trouble")).to_have_text(re.compile(r"^Monotron answers 503 \(since"))
    proxy.refuse = None
    asked = lists(tab)
    tab.pass_time(290_000)
    assert lists(tab) == asked
    tab.pass_time(10_000)
    expect(page.locator("#trouble")).to_have_text("")


FOREIGN = ['{"error":"log in"}', '{"series":[', "null", "[]", '{"series":[{}]}', ""]


@pytest.mark.parametrize("place", ["", "#/series/shop"])
def test_an_answer_of_another_program_is_named_so_and_the_next_one_asked_for(
    running: Service, proxy: Proxy, visit: Visitor, place: str
) -> None:
    take(running, "shop")
    tab = visit(proxy.base)
    page = tab.open_with_clock(place)
    value = page.locator("#one-value") if place else cell(page, "shop", "value")
    expect(value).to_have_text("1")
    trouble = page.locator("#trouble")
    for number, body in enumerate(FOREIGN, start=2):
        proxy.instead = ("/v1/series", "application/json", body.encode())
        tab.polled()
        expect(trouble).to_have_text(
            re.compile(
                r"^Another program is answering instead of Monotron \(since \d\d:\d\d, retrying\)$"
            )
        )
        expect(value).to_have_text(str(number - 1))
        proxy.instead = None
        take(running, "shop")
        tab.polled()
        expect(trouble).to_have_text("")
        expect(value).to_have_text(str(number))


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize("place", ["", "#/wall"])
def test_a_proxy_that_refuses_or_finds_nothing_ends_nothing(
    guarded_service: Service, visit: Visitor, place: str, status: int
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 40")
    page = tab.open_with_clock(place)
    page.get_by_label("Keep me signed in on this machine").check()
    sign_in(page, ROOT.key, ROOT.secret)
    value = page.locator("#wall-rows td.value") if place else cell(page, "shop", "value")
    expect(value).to_have_text("1")
    page.route(
        "**/v1/**",
        lambda route: route.fulfill(status=status, content_type="text/html", body="<p>No</p>"),
    )
    tab.polled(status)
    expect(page.locator("#trouble")).to_contain_text("Another program is answering")
    page.unroute("**/v1/**")
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab.polled()
    expect(value).to_have_text("2")
    expect(page.locator("#trouble")).to_have_text("")
    assert page.evaluate("localStorage.length") == 1


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("/v1/history", "application/json"),
        ("/v1/activity", "application/json"),
        ("/v1/badges", "image/svg+xml"),
    ],
)
def test_the_parts_of_a_series_that_another_program_answers_are_asked_for_again(
    running: Service, proxy: Proxy, visit: Visitor, what: str, kind: str
) -> None:
    take(running, "shop")
    tab = visit(proxy.base)
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#badge img")).to_have_attribute("alt", "shop: 1")
    tab.answered()
    proxy.instead = (what, kind, b'{"error":"log in"}')
    take(running, "shop")
    tab.pass_time()
    expect(page.locator("#trouble")).to_contain_text("Another program is answering")
    expect(page.locator("#one-value")).to_have_text("2")
    proxy.instead = None
    tab.pass_time()
    expect(page.locator("#trouble")).to_have_text("")
    expect(page.locator("#badge img")).to_have_attribute("alt", "shop: 2")
    expect(page.locator("#history-rows td.value")).to_have_text(["2", "1"])


def test_attributes_that_another_program_answers_can_be_asked_for_again(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    running.put("/v1/series/shop/t1")
    running.put("/v1/tokens/shop/t1/attrs", b'{"author":"Ada"}')
    proxy.instead = ("/attrs", "application/json", b'{"error":["log in"]}')
    page = visit(proxy.base).open("#/series/shop")
    page.locator("#one-token summary").click()
    shown = page.locator("#one-token .attributes")
    expect(shown).to_contain_text("Another program is answering instead of Monotron. Close and")
    proxy.instead = None
    page.locator("#one-token summary").click()
    page.locator("#one-token summary").click()
    expect(shown).to_have_text("authorAda")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_mark_of_a_change_goes_again(running: Service, visit: Visitor, motion: str) -> None:
    take(running, "shop")
    tab = visit(base(running), reduced_motion=motion)
    page = tab.open_with_clock()
    expect(cell(page, "shop", "value")).to_have_text("1")
    marked = re.compile("changed")
    for value in ("2", "3"):
        take(running, "shop")
        tab.pass_time()
        expect(row(page, "shop")).to_have_class(marked)
        expect(cell(page, "shop", "value")).to_have_text(value)
        tab.pass_time(2500)
        expect(row(page, "shop")).not_to_have_class(marked)
    # Of two changes the later one is shown as long as one alone.
    take(running, "shop")
    tab.pass_time()
    expect(cell(page, "shop", "value")).to_have_text("4")
    tab.pass_time(1500)
    take(running, "shop")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(cell(page, "shop", "value")).to_have_text("5")
    tab.pass_time(1000)
    expect(row(page, "shop")).to_have_class(marked)
    tab.pass_time(1500)
    expect(row(page, "shop")).not_to_have_class(marked)


# One series


def test_one_series_shows_its_state_and_its_history(
    serve: Serve, folder: Path, visit: Visitor
) -> None:
    fill(folder)
    page = visit(base(serve())).open()
    page.get_by_role("link", name="shop", exact=True).click()
    heading = page.get_by_role("heading", name="shop", exact=True)
    expect(heading).to_be_focused()
    expect(page).to_have_title("shop · Monotron")
    expect(page.locator("#one-value")).to_have_text("128")
    expect(page.locator("#one-token bdi")).to_have_text("7d4c37001010")
    expect(page.locator("#one-updated")).to_contain_text("1 hour ago")
    expect(page.locator("#one-created")).to_contain_text(re.compile(r"\d (days|months) ago"))
    numbers = page.locator("#history-rows td.value")
    expect(numbers).to_have_text([str(value) for value in range(128, 108, -1)])
    older = page.get_by_role("button", name="Older")
    older.click()
    expect(numbers).to_have_count(40)
    for count in (60, 80, 100, 120, 128):
        older.click()
        expect(numbers).to_have_count(count)
    expect(numbers.last).to_have_text("1")
    expect(older).to_be_hidden()


def test_a_limit_stands_on_the_page_and_in_the_list_once_it_is_near(
    running: Service, visit: Visitor
) -> None:
    for key, value in (("near", 9), ("far", 5), ("full", 10)):
        running.ask("PUT", f"/v1/series/{key}", b'{"value":%d}' % value)
        running.ask("PUT", f"/v1/series/{key}/limit", b'{"value":10}')
    running.ask("PUT", "/v1/series/vast", b'{"value":5}')
    running.ask("PUT", "/v1/series/vast/limit", b'{"value":9223372036854775807}')
    running.ask("POST", "/v1/series/free")
    page = visit(base(running)).open()
    expect(cell(page, "near", "value")).to_have_text("9limit 10 (1 left)")
    expect(cell(page, "full", "value")).to_have_text("10limit 10 (reached)")
    expect(cell(page, "far", "value")).to_have_text("5")
    for key, text in (("near", "10 (1 left)"), ("far", "10 (5 left)"), ("full", "10 (reached)")):
        page.goto(f"{base(running)}#/series/{key}")
        expect(page.locator("#one-limit")).to_have_text(text)
        assert ("near" in (page.locator("#one-limit").get_attribute("class") or "")) == (
            key != "far"
        )
    page.goto(f"{base(running)}#/series/vast")
    expect(page.locator("#one-limit")).to_have_text(
        "9223372036854775807 (9223372036854775802 left)"
    )
    page.goto(f"{base(running)}#/series/free")
    expect(page.locator("#one-value")).to_have_text("1")
    expect(page.locator("#one-limit")).to_be_hidden()


def test_new_values_come_on_top_and_what_is_open_stays_open(
    running: Service, visit: Visitor
) -> None:
    for number in range(45):
        running.put(f"/v1/series/shop/t{number}")
    running.put("/v1/tokens/shop/t42/attrs", b'{"author":"Ada"}')
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    numbers = page.locator("#history-rows td.value")
    page.get_by_role("button", name="Older").click()
    expect(numbers).to_have_count(40)
    page.locator("#history-rows summary").click()
    expect(page.locator("#history-rows details[open]")).to_contain_text("Ada")
    take(running, "shop", "shop")
    tab.polled()
    expect(numbers).to_have_text([str(value) for value in range(47, 5, -1)])
    expect(page.locator("#one-value")).to_have_text("47")
    expect(page.locator("#one-token")).to_have_text("none")
    expect(page.locator("#history-rows tr").nth(4).locator("details[open]")).to_be_visible()
    # More than a page at once leaves no gap unseen.
    for _ in range(30):
        take(running, "shop")
    tab.polled()
    expect(numbers).to_have_text([str(value) for value in range(77, 57, -1)])
    page.get_by_role("button", name="Older").click()
    expect(numbers).to_have_text([str(value) for value in range(77, 37, -1)])


def values_on_show(page: Page) -> list[int]:
    numbers: list[int] = page.locator("#history-rows td.value").evaluate_all(
        "all => all.map(each => Number(each.textContent))"
    )
    return numbers


def keep_up(tab: Visit, running: Service, value: int, count: int = 15, *, held: int = 0) -> int:
    """Take some numbers, let the page see them, and return the last."""
    take(running, *["shop"] * count)
    tab.polled(held=held)
    expect(tab.page.locator("#history-rows td.value").first).to_have_text(str(value + count))
    return value + count


def test_the_history_of_an_open_tab_keeps_to_its_newest_page(
    running: Service, visit: Visitor
) -> None:
    take(running, *["shop"] * 30)
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#history-rows tr")).to_have_count(20)
    value = 30
    for _ in range(4):
        value = keep_up(tab, running, value)
    assert values_on_show(page) == list(range(90, 70, -1))
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#history-rows tr")).to_have_count(40)
    assert values_on_show(page) == list(range(90, 50, -1))


def test_the_history_of_a_name_that_cannot_be_asked_for_does_not_grow_either(
    running: Service, visit: Visitor
) -> None:
    take_as_before(running, "..", 60)
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/..")
    for top in (60, 75, 90):
        expect(page.locator("#history-rows td.value").first).to_have_text(str(top))
        assert values_on_show(page) == list(range(top, top - 50, -1))
        take_as_before(running, "..", 15)
        tab.polled()
    expect(page.get_by_role("button", name="Older")).to_be_hidden()


def test_rows_that_were_asked_for_stay_as_far_as_some_hundreds(
    running: Service, visit: Visitor
) -> None:
    take(running, *["shop"] * 60)
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#history-rows tr")).to_have_count(40)
    value = 60
    for _ in range(18):
        value = keep_up(tab, running, value, 17)
    assert value == 366
    assert values_on_show(page) == list(range(366, 26, -1))
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#history-rows tr")).to_have_count(360)
    assert values_on_show(page) == list(range(366, 6, -1))


def test_a_short_history_has_neither_a_gap_nor_older_values(serve: Serve, visit: Visitor) -> None:
    running = serve(variables={"MONOTRON_HISTORY": "10"})
    take(running, *["shop"] * 30)
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#history-rows tr")).to_have_count(10)
    value = keep_up(tab, running, 30, 5)
    value = keep_up(tab, running, value, 8)
    assert values_on_show(page) == list(range(43, 23, -1))
    expect(page.get_by_role("button", name="Older")).to_be_hidden()
    keep_up(tab, running, value, 12)
    assert values_on_show(page) == list(range(55, 45, -1))


@pytest.mark.parametrize("use", ["look", "open", "focus", "select"])
def test_what_the_user_has_to_do_with_in_the_history_stays_where_it_is(
    running: Service, visit: Visitor, use: str
) -> None:
    for number in range(30):
        running.put(f"/v1/series/shop/t{number}")
    running.put("/v1/tokens/shop/t10/attrs", b'{"author":"Ada"}')
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    last = page.locator("#history-rows tr").filter(has=page.get_by_text("t10", exact=True))
    expect(last.locator("td.value")).to_have_text("11")
    expect(last).to_be_visible()
    if use == "look":
        last.scroll_into_view_if_needed()
    elif use == "open":
        last.locator("summary").click()
        expect(last).to_contain_text("Ada")
        page.evaluate("document.activeElement.blur()")
    elif use == "focus":
        last.locator("summary").focus()
    else:
        last.locator("bdi").evaluate("(each) => getSelection().selectAllChildren(each)")
    if use != "look":
        page.evaluate("scrollTo(0, 0)")
    before = last.bounding_box()
    assert before is not None
    value = keep_up(tab, running, 30, 5)
    value = keep_up(tab, running, value, 5)
    assert values_on_show(page) == list(range(40, 10, -1))
    if use == "look":
        # The browser moves what it scrolls by as much as has come above.
        expect(last).to_be_in_viewport(ratio=1)
        after = last.bounding_box()
        assert after is not None
        assert abs(after["y"] - before["y"]) < 1
    page.evaluate("scrollTo(0, 0); getSelection().removeAllRanges(); document.activeElement.blur()")
    if use == "open":
        last.locator("details").evaluate("(each) => { each.open = false; }")
    keep_up(tab, running, value, 1)
    assert values_on_show(page) == list(range(41, 21, -1))


def test_older_values_come_though_new_ones_did_while_they_were_asked_for(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, *["shop"] * 50)
    tab = visit(proxy.base)
    page = tab.open_with_clock("#/series/shop")
    proxy.hold = "before="
    page.get_by_role("button", name="Older").click()
    page.evaluate("scrollTo(0, 0)")
    assert proxy.held.wait(PATIENCE)
    keep_up(tab, running, 50, 5, held=1)
    proxy.release.set()
    expect(page.locator("#history-rows tr")).to_have_count(45)
    assert values_on_show(page) == list(range(55, 10, -1))


def test_a_series_that_begins_again_has_nothing_of_the_old_one(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop", "shop", "shop")
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#one-value")).to_have_text("3")
    tab.answered()
    running.ask("DELETE", "/v1/series/shop")
    tab.pass_time()
    expect(page.locator("#one-notice")).to_have_text(
        "This series does not exist, or has no value yet."
    )
    expect(page.locator("#one-series")).to_be_hidden()
    take(running, "shop")
    tab.pass_time()
    expect(page.locator("#history-rows td.value")).to_have_text(["1"])
    expect(page.locator("#one-notice")).to_be_hidden()
    # So quickly that nobody has noticed its absence.
    take(running, "shop", "shop")
    tab.pass_time()
    expect(page.locator("#history-rows td.value")).to_have_text(["3", "2", "1"])
    tab.answered()
    running.ask("DELETE", "/v1/series/shop")
    take(running, "shop")
    tab.pass_time()
    expect(page.locator("#history-rows td.value")).to_have_text(["1"])


def test_attributes_are_asked_for_when_they_are_opened(running: Service, visit: Visitor) -> None:
    running.put("/v1/series/shop/t%2F1")
    running.put(
        "/v1/tokens/shop/t%2F1/attrs",
        b'{"author":"<b>Ada</b>","bad":"javascript:alert(1)","build":"https://ci.example/1?a=b",'
        b'"worse":"javascript://x/%0Aalert(1)"}',
    )
    tab = visit(base(running))
    page = tab.open("#/series/shop")
    current = page.locator("#one-token")
    expect(current.locator("summary")).to_be_visible()
    assert not [each for each in tab.asked if "attrs" in each]
    current.locator("summary").click()
    expect(current.locator("dd").nth(0)).to_have_text("<b>Ada</b>")
    expect(current.locator("dd").nth(1)).to_have_text("javascript:alert(1)")
    link = current.get_by_role("link")
    # One stands with the token, one with the others.
    expect(link).to_have_count(2)
    for each in link.all():
        expect(each).to_have_attribute("href", "https://ci.example/1?a=b")
        expect(each).to_have_attribute("rel", "noreferrer noopener")


def test_a_series_that_is_not_there_and_a_place_that_is_none_are_named_so(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop2")
    tab = visit(base(running))
    page = tab.open("#/series/shop")
    expect(page.locator("#one-notice")).to_have_text(
        "This series does not exist, or has no value yet."
    )
    for nowhere in ("#/series/%zz", "#/what", "#/series/"):
        page = tab.open()
        expect(row(page, "shop2")).to_be_visible()
        tab.open(nowhere)
        expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
        expect(page.locator("#nowhere p")).to_contain_text("This address matches no page.")
    page.locator("#nowhere").get_by_role("link", name="All series").click()
    expect(row(page, "shop2")).to_be_visible()


LINES = ["shop", UUID, *HOSTILE]


def test_the_lines_for_a_shell_take_numbers_whatever_the_name(
    running: Service, visit: Visitor
) -> None:
    take(running, *sorted(set(LINES)))
    tab = visit(base(running))
    for key in sorted(set(LINES)):
        page = tab.open(f"#/series/{quote(key, safe='')}")
        expect(page.locator("#one-series")).to_be_visible()
        expect(page.locator("#one-key")).to_have_text(shown(key))
        line = command(page, "Next number, from a shell").locator("code").inner_text()
        assert run_line(line) == "2\n", line
        line = command(page, "A commit's number, from a shell").locator("code").inner_text()
        assert run_line(line, GIT_COMMIT="7d4c37") == "3\n", line
        assert run_line(line, GIT_COMMIT="7d4c37") == "3\n", line
        if key == UUID:
            line = command(page, "Build number, from a shell").locator("code").inner_text()
            assert run_line(line) == "4\n", line


def test_the_lines_for_jenkins_and_markdown_are_quoted(running: Service, visit: Visitor) -> None:
    key = "it's \\ a $x [b] `c` <d>"
    take(running, key)
    page = visit(base(running)).open(f"#/series/{quote(key)}")
    plain = command(page, "Next number, in a Jenkinsfile").locator("code")
    expect(plain).to_have_text("monotron.next('it\\'s \\\\ a $x [b] `c` <d>')")
    expect(page.locator("#one .key-note")).to_be_hidden()
    commit = command(page, "A commit's number, in a Jenkinsfile").locator("code")
    expect(commit).to_have_text(
        "monotron.next('it\\'s \\\\ a $x [b] `c` <d>', token: env.GIT_COMMIT)"
    )
    encoded = "it%27s%20%5C%20a%20%24x%20%5Bb%5D%20%60c%60%20%3Cd%3E"
    expect(command(page, "In Markdown").locator("code")).to_have_text(
        f"[![it's \\\\ a $x \\[b\\] \\`c\\` \\<d\\>]({base(running)}v1/badges/{encoded}.svg)]"
        f"({base(running)}#/series/{encoded})"
    )


def test_an_address_of_the_machine_itself_is_said_to_be_one(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    for tab, said in ((visit(base(running)), True), (visit(base(running, "monotron.test")), False)):
        page = tab.open("#/series/shop")
        expect(command(page, "Next number, from a shell")).to_be_visible()
        expect(page.locator("#one .address-note")).to_be_visible(visible=said)


def test_copy_copies_where_the_browser_lets_it_and_else_selects(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    tab = visit(base(running), permissions=["clipboard-read", "clipboard-write"])
    # It says so for two seconds.
    page = tab.open_with_clock("#/series/shop")
    page.get_by_role("radio", name="Jenkins").check()
    copied = command(page, "Next number, in a Jenkinsfile")
    copied.get_by_role("button").click()
    expect(copied.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "monotron.next('shop')"

    far = visit(base(running, "monotron.test"))
    # By plain HTTP from another host the browser takes no notice of the header, and says so.
    page = far.open_with_clock("#/series/shop")
    page.get_by_role("radio", name="Jenkins").check()
    assert page.evaluate("navigator.clipboard === undefined")
    selected = command(page, "Next number, in a Jenkinsfile")
    selected.get_by_role("button").click()
    expect(selected.get_by_role("button")).to_have_text("Selected")
    assert page.evaluate("getSelection().toString()") == "monotron.next('shop')"


def test_the_badge_is_shown_and_keeps_up(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    tab = visit(base(running))
    page = tab.open_with_clock("#/series/shop")
    badge = page.locator("#badge img")
    expect(badge).to_have_attribute("alt", "shop: 1")
    expect(badge).to_be_visible()
    assert badge.evaluate("(each) => each.naturalWidth") > 20
    # Everything below it is notified whenever the page's layout changes.
    page.evaluate(
        """() => {
          const place = () => document.querySelector("#badge-command").offsetTop;
          window.places = new Set([place()]);
          const badge = document.querySelector("#badge");
          new MutationObserver(() => window.places.add(place())).observe(badge, {
            childList: true,
            attributes: true,
          });
          new ResizeObserver(() => window.places.add(place())).observe(badge);
        }"""
    )
    made = badge.get_attribute("src")
    take(running, "shop")
    tab.pass_time()
    expect(badge).to_have_attribute("alt", "shop: 2")
    assert badge.evaluate("(each) => each.naturalWidth") > 20
    assert len(page.evaluate("[...window.places]")) == 1
    tab.allowed.append("ERR_FILE_NOT_FOUND|Failed to load resource|Content Security Policy")
    # The picture before is not kept in memory.
    gone = "(at) => Object.assign(new Image(), {src: at}).decode().then(() => 0, () => 1)"
    assert page.evaluate(gone, made) == 1
    assert page.evaluate(gone, badge.get_attribute("src")) == 0


def test_a_badge_that_is_late_never_shows_on_another_series(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop", "warehouse")
    page = visit(base(running)).page
    # The first picture takes its time.
    page.add_init_script(
        """const decode = HTMLImageElement.prototype.decode;
        const late = new Promise((resolve) => { window.release = resolve; });
        HTMLImageElement.prototype.decode = async function () {
          HTMLImageElement.prototype.decode = decode;
          document.documentElement.dataset.waiting = this.alt;
          await late;
          await decode.call(this);
          document.documentElement.dataset.decoded = this.alt;
        };"""
    )
    page.goto(f"{base(running)}#/series/shop")
    expect(page.locator("html")).to_have_attribute("data-waiting", "shop: 1")
    page.evaluate("location.hash = '#/series/warehouse'")
    badge = page.locator("#badge img")
    expect(badge).to_have_attribute("alt", "warehouse: 1")
    page.evaluate("window.release()")
    expect(page.locator("html")).to_have_attribute("data-decoded", "shop: 1")
    expect(badge).to_have_attribute("alt", "warehouse: 1")


# Names that mean harm


def test_every_name_is_shown_as_text_and_can_be_opened(running: Service, visit: Visitor) -> None:
    names = sorted(set(HOSTILE), key=lambda name: name.encode())
    for name in names:
        running.put(f"{path(name)}/{quote(name, safe='')}")
    tab = visit(base(running))
    page = tab.open("#/?sort=key")
    expect(page.locator("#rows tr")).to_have_count(len(names))
    assert keys(page) == names
    for name in names:
        expect(row(page, name).locator("bdi").first).to_have_text(shown(name), use_inner_text=False)
        row(page, name).get_by_role("link").click()
        expect(page.locator("#one-token bdi").first).to_have_text(shown(name))
        expect(page.locator("#history-rows tr")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(row(page, name).get_by_role("link")).to_be_focused()
    assert page.locator("main script, main img:not(#badge img)").count() == 0


def test_a_name_that_a_browser_cannot_ask_for_says_so(running: Service, visit: Visitor) -> None:
    take_as_before(running, "..", 1, token="t1")
    note_as_before(running, "..", "t1", {"author": "Ada"})
    page = visit(base(running)).open("#/series/..")
    expect(page.locator("#one-value")).to_have_text("1")
    expect(page.locator("#history-notice")).to_contain_text("a browser removes . and ..")
    expect(page.locator("#history-rows td.value")).to_have_text(["1"])
    page.locator("#one-token summary").click()
    expect(page.locator("#one-token .attributes")).to_contain_text("A browser cannot request them")


# Below a prefix


def test_it_works_below_a_prefix(running: Service, proxy: Proxy, visit: Visitor) -> None:
    take(running, "feature/login")
    page = visit(proxy.base).open()
    row(page, "feature/login").get_by_role("link").click()
    expect(page.locator("#one-value")).to_have_text("1")
    expect(page.locator("#badge img")).to_be_visible()
    expect(command(page, "Next number, from a shell").locator("code")).to_have_text(
        f"curl -fsS -X POST -H 'Accept: text/plain' '{proxy.base}v1/series/feature%2Flogin'"
    )
    assert page.url == f"{proxy.base}#/series/feature%2Flogin"


# For everybody


def test_the_keyboard_reaches_everything(running: Service, visit: Visitor) -> None:
    take(running, "ware/house", "shop")
    page = visit(base(running)).open()
    expect(page.locator("#rows tr")).to_have_count(2)
    key = page.locator("#rows th").first
    unfocused = key.screenshot()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Changed", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    for name in ("Key", "Value", "Last change"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(row(page, "shop").get_by_role("link")).to_be_focused()
    assert key.screenshot() != unfocused
    page.keyboard.press("/")
    expect(search).to_be_focused()
    assert key.screenshot() == unfocused
    page.keyboard.type("ware/")
    expect(search).to_have_value("ware/")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(ending("#/?find=ware%2F"))
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ware/house")).to_be_focused()
    page.keyboard.press("Escape")
    expect(row(page, "ware/house").get_by_role("link")).to_be_focused()
    expect(page).to_have_url(ending("#/?find=ware%2F"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ware/house")).to_be_focused()
    page.keyboard.press("/")
    expect(search).to_be_focused()


def test_a_slash_leads_to_the_search_before_the_list_is_there(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, "shop", "warehouse")
    proxy.hold = "fold=versions"
    tab = visit(proxy.base)
    page = tab.open_with_clock("#/series/shop")
    expect(page.locator("#one-value")).to_have_text("1")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("ware")
    assert proxy.held.wait(PATIENCE)
    proxy.hold = None
    proxy.release.set()
    expect(row(page, "warehouse")).to_be_visible()
    expect(search).to_be_focused()
    page.keyboard.type("house")
    expect(search).to_have_value("warehouse")
    tab.pass_time(500)
    expect(page.locator("#rows tr")).to_have_count(1)
    assert keys(page) == ["warehouse"]
    expect(search).to_be_focused()
    # Elsewhere the search keeps nothing.
    page.evaluate("history.back()")
    expect(page.get_by_role("heading", name="shop")).to_be_focused()


def test_back_leads_to_where_the_list_was_left(running: Service, visit: Visitor) -> None:
    take(running, *(f"job-{number:03}" for number in range(45)))
    page = visit(base(running)).open("#/?sort=key")
    link = row(page, "job-040").get_by_role("link")
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 0
    link.click()
    expect(page.get_by_role("heading", name="job-040")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(link).to_be_focused()
    assert page.evaluate("scrollY") == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    guarded_service: Service, visit: Visitor, scheme: str
) -> None:
    for number in range(25):
        guarded_service.ask("PUT", f"/v1/series/shop/{number}", headers=basic(ROOT))
    for name in (" ", "a" * 256, UUID):
        guarded_service.ask("POST", path(name), headers=basic(ROOT))
    guarded_service.ask("PUT", "/v1/series/shop/t1", headers=basic(ROOT))
    noted = b'{"author":"Ada","build_url":"https://ci.example/1"}'
    guarded_service.ask("PUT", "/v1/tokens/shop/t1/attrs", noted, basic(ROOT))
    # axe is put into the page, which the policy does not let anybody do.
    tab = visit(base(guarded_service), color_scheme=scheme, bypass_csp=True)
    tab.allowed.append("status of 401")
    page = tab.open()
    expect(page.get_by_label("API key")).to_be_focused()
    assert_accessible(page)
    sign_in(page, ROOT.key, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    assert_accessible(page)
    sign_in(page, ROOT.key, ROOT.secret)
    expect(row(page, "shop")).to_be_visible()
    assert_accessible(page)
    tab.open("#/series/shop")
    expect(page.locator("#badge img")).to_be_visible()
    page.locator("#one-token summary").click()
    expect(page.locator("#one-token .attributes")).to_contain_text("Ada")
    assert_accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert_accessible(page)


def test_dark_where_the_user_has_it_dark(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    brightness = {}
    for scheme in ("light", "dark"):
        page = visit(base(running), color_scheme=scheme).open()
        expect(row(page, "shop")).to_be_visible()
        for what in ("backgroundColor", "color"):
            colour = page.evaluate(f"getComputedStyle(document.documentElement).{what}")
            brightness[scheme, what] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert brightness["light", "backgroundColor"] > 700 > 200 > brightness["light", "color"]
    assert brightness["dark", "backgroundColor"] < 100 < 600 < brightness["dark", "color"]


@pytest.mark.parametrize("width", [320, 360])
def test_a_narrow_screen_never_scrolls_sideways(
    guarded_service: Service, visit: Visitor, width: int
) -> None:
    for name in (*HOSTILE, UUID):
        called = f"{path(name)}/{quote(name, safe='')}"
        guarded_service.ask("PUT", called, headers=basic(ROOT))
    guarded_service.ask("PUT", path("big"), b'{"value":%d}' % (LAST_VALUE - 1), basic(ROOT))
    guarded_service.ask("POST", path("big"), headers=basic(ROOT))
    tab = visit(base(guarded_service), viewport={"width": width, "height": 740})
    tab.allowed.append("status of 401")
    page = tab.open()
    expect(page.get_by_label("API key")).to_be_focused()
    assert_fits(page, width)
    sign_in(page, ROOT.key, ROOT.secret)
    expect(row(page, "big")).to_be_visible()
    assert_fits(page, width)
    for name in ("big", "W" * 256, UUID):
        tab.open(f"#/series/{name}")
        expect(page.locator("#one-key")).to_have_text(name)
        expect(page.locator("#badge img")).to_have_attribute("alt", re.compile(f"^{name}: "))
        expect(page.locator("#badge img")).to_be_visible()
        assert_fits(page, width)


def test_screenshots(serve: Serve, folder: Path, visit: Visitor) -> None:
    """They are looked at by people; CI keeps them."""
    fill(folder)
    running = serve()
    running.put(
        "/v1/tokens/shop/7d4c37001010/attrs",
        b'{"author":"Ada Lovelace","build":"https://ci.example/job/shop/128/"}',
    )
    for bump in ("minor/a1", "patch/b2", "minor/c3", "minor/d4?pre=rc"):
        running.put(f"/v1/semver/till/{bump}")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shots: list[tuple[str, str, dict[str, Any]]] = [
        ("list-light", "", {}),
        ("list-dark", "", {"color_scheme": "dark"}),
        ("series-light", "#/series/shop", {"viewport": {"width": 1200, "height": 1000}}),
        ("version-light", "#/version/till", {}),
        ("list-narrow", "", {"viewport": {"width": 360, "height": 740}}),
        ("series-narrow", "#/series/shop", {"viewport": {"width": 360, "height": 740}}),
    ]
    for name, place, options in shots:
        page = visit(base(running), **options).open(place)
        if "version" in place:
            expect(page.locator("#semver-badge img")).to_be_visible()
        elif place:
            page.locator("#one-token summary").click()
            expect(page.locator("#one-token a").last).to_be_visible()
            expect(page.locator("#badge img")).to_be_visible()
        else:
            expect(row(page, "shop")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
    guarded = serve(
        variables={
            "STORAGE_DIR": str(folder.parent / "guarded"),
            "ROOT_API_KEY": ROOT.key,
            "ROOT_API_SECRET": ROOT.secret,
        }
    )
    tab = visit(base(guarded))
    tab.allowed.append("status of 401")
    page = tab.open()
    expect(page.get_by_label("API key")).to_be_focused()
    page.screenshot(path=SCREENSHOTS / "sign-in.png")
    assert len(list(SCREENSHOTS.glob("*.png"))) >= 6
