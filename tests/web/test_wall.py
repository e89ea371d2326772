"""The wall: a screen that shows for weeks what changed last."""

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from monotron.core.api_keys import Pair
from tests.conftest import ROOT, basic
from tests.support.browser import SCREENSHOTS, Proxy, Visitor
from tests.support.dashboard import (
    HOSTILE,
    answer_at,
    assert_accessible,
    assert_fits,
    base,
    fill,
    path,
    row,
    sign_in,
    take,
)
from tests.support.ports import new_port
from tests.support.service import Serve, Service

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

SCREEN = {"width": 1920, "height": 1080}


def entries(page: Page) -> Locator:
    return page.locator("#wall-rows tr").locator("visible=true")


def names(page: Page) -> list[str]:
    return page.locator("#wall-rows tr:visible th bdi").all_inner_texts()


def entry(page: Page, name: str) -> Locator:
    return entries(page).filter(has=page.locator("th bdi").get_by_text(name, exact=True))


def test_the_wall_shows_what_changed_last_with_who_took_it_and_when(
    guarded_service: Service, visit: Visitor
) -> None:
    granted = guarded_service.ask(
        "POST",
        "/v1/accounts/1/grants",
        b'{"scopes":["read,write:series"],"name":"jenkins-prod"}',
        basic(ROOT),
    )
    made = json.loads(granted.body)["api_key"]
    taker = basic(Pair(made["key"], made["secret"]))
    began = datetime.now(timezone.utc)
    guarded_service.ask("PUT", "/v1/series/shop/7d4c379588", headers=basic(ROOT))
    guarded_service.ask("PUT", "/v1/semver/till/minor/b0e771", headers=taker)
    guarded_service.ask("PUT", "/v1/semver/till/patch/c7d3e0", headers=taker)
    tab = visit(base(guarded_service), viewport=SCREEN)
    tab.allowed.append("status of 401")
    tab.page.route("**/v1/**", lambda route: answer_at(route, began))
    page = tab.open("#/wall")
    sign_in(page, made["key"], made["secret"])
    expect(entries(page)).to_have_count(2)
    assert names(page) == ["till", "shop"]
    till, shop = entry(page, "till"), entry(page, "shop")
    expect(till.locator("td.value")).to_have_text("0.1.1")
    expect(till.locator("td.token")).to_have_text("c7d3e0")
    expect(till.locator("td.api-key")).to_have_text("jenkins-prod")
    expect(shop.locator("td.value")).to_have_text("1")
    expect(shop.locator("td.token")).to_have_text("7d4c379588")
    expect(shop.locator("td.api-key")).to_have_text("root")
    expect(shop.locator("time")).to_have_text("just now")
    # No header, and nothing to scroll.
    expect(page.get_by_role("banner")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollHeight") == SCREEN["height"]
    height = "(each) => parseFloat(getComputedStyle(each).fontSize)"
    assert shop.locator("td.value").evaluate(height) > 50


def test_where_nobody_has_a_name_there_is_no_column_for_it(
    running: Service, visit: Visitor
) -> None:
    take(running, "shop")
    page = visit(base(running), viewport=SCREEN).open("#/wall")
    expect(entries(page)).to_have_count(1)
    expect(page.locator("#wall-rows td.api-key")).to_be_hidden()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_change_moves_up_and_is_marked_by_a_word_too(
    running: Service, visit: Visitor, motion: str
) -> None:
    take(running, "shop", "other")
    tab = visit(base(running), viewport=SCREEN, reduced_motion=motion)
    page = tab.open_with_clock("#/wall")
    expect(entries(page)).to_have_count(2)
    assert names(page) == ["other", "shop"]
    # Nothing is new to somebody who has just come.
    expect(page.locator("#wall-rows .mark")).to_have_text(["", ""])
    take(running, "shop", "third")
    tab.polled()
    expect(entries(page)).to_have_count(3)
    assert names(page) == ["third", "shop", "other"]
    expect(page.locator("#wall-rows .mark")).to_have_text(["changed", "changed", ""])
    expect(page.locator("#said")).to_have_text("third: 1, shop: 2")
    animation = entry(page, "shop").evaluate("(each) => getComputedStyle(each).animationName")
    assert animation == ("none" if motion == "reduce" else "arrived")
    # It stays for a glance, and goes.
    tab.pass_time(25_000)
    expect(entry(page, "shop").locator(".mark")).to_have_text("changed")
    tab.pass_time(5_000)
    expect(entry(page, "shop").locator(".mark")).to_have_text("")


def test_what_only_moves_up_into_a_free_place_is_not_marked(
    running: Service, visit: Visitor
) -> None:
    take(running, *(f"job-{number:02}" for number in range(41)))
    tab = visit(base(running), viewport={"width": 1080, "height": 3000})
    page = tab.open_with_clock("#/wall")
    expect(page.locator("#wall-rows tr")).to_have_count(40)
    running.ask("DELETE", "/v1/series/job-40")
    tab.polled()
    expect(page.locator("#wall-rows tr th bdi").last).to_have_text("job-00")
    expect(page.locator("#wall-rows .new")).to_have_count(0)


def test_a_version_is_one_entry_whichever_part_was_counted(
    running: Service, visit: Visitor
) -> None:
    running.put("/v1/semver/till/minor/a1")
    tab = visit(base(running), viewport=SCREEN)
    page = tab.open_with_clock("#/wall")
    expect(entry(page, "till")).to_be_visible()
    page.evaluate("document.querySelector('#wall-rows tr').dataset.same = 'yes'")
    for part, token, version in (
        ("patch", "a2", "0.1.1"),
        ("major", "a3", "1.0.0"),
        ("patch", "a4?pre=rc", "1.0.1-rc.1"),
    ):
        running.put(f"/v1/semver/till/{part}/{token}")
        tab.polled()
        expect(entry(page, "till").locator("td.value")).to_have_text(version)
        expect(page.locator("#wall-rows tr")).to_have_count(1)
        expect(page.locator("#wall-rows tr")).to_have_attribute("data-same", "yes")
        expect(page.locator("#wall-rows .mark")).to_have_text("changed")


def test_the_prefix_in_the_address_chooses(running: Service, visit: Visitor) -> None:
    take(running, "shop/a b", "shop/c", "other")
    page = visit(base(running), viewport=SCREEN).open("#/wall?prefix=shop%2F")
    expect(entries(page)).to_have_count(2)
    assert names(page) == ["shop/c", "shop/a b"]
    expect(page.locator("#wall-of")).to_have_text("Series that start with “shop/”")
    page.goto(f"{base(running)}#/wall?prefix=shop%2Fa%20")
    expect(entries(page)).to_have_count(1)
    assert names(page) == ["shop/a b"]
    page.goto(f"{base(running)}#/wall?prefix=nothing")
    expect(page.locator("#wall-notice")).to_have_text("No series starts with “nothing”.")


def test_a_prefix_that_no_key_can_have_says_why(running: Service, visit: Visitor) -> None:
    tab = visit(base(running))
    tab.allowed.append("status of 400")
    page = tab.open(f"#/wall?prefix={'é' * 129}")
    expect(page.locator("#wall-notice")).to_contain_text("1 to 256 bytes")


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (3840, 2160), (1080, 1920), (1280, 720), (320, 640)]
)
def test_just_as_many_entries_as_fit_are_shown(
    running: Service, visit: Visitor, width: int, height: int
) -> None:
    for name in HOSTILE:
        running.put(f"{path(name)}/{quote(name, safe='')}")
    take(running, *(f"job-{number:02}" for number in range(30)))
    running.put(path("big"), b'{"value":9223372036854775806}')
    take(running, "big")
    page = visit(base(running), viewport={"width": width, "height": height}).open("#/wall")
    expect(entries(page).first).to_be_visible()
    assert_fits(page, width)
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    end = box(page.locator("#wall-end"))["y"]
    shown = [box(each) for each in entries(page).all()]
    last, height_of_one = shown[-1], shown[0]["height"]
    assert last["y"] + last["height"] <= end
    assert len(shown) == 40 or end - (last["y"] + last["height"]) < height_of_one
    value = entry(page, "big").locator("td.value bdi")
    expect(value).to_have_text("9223372036854775807")
    assert value.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    assert value.evaluate("(each) => each.scrollHeight <= each.parentNode.parentNode.clientHeight")
    # The screen is turned, or another window takes a part of it.
    page.set_viewport_size({"width": width, "height": 400})
    expect(entries(page)).not_to_have_count(len(shown))
    last = box(entries(page).last)
    assert last["y"] + last["height"] <= 400
    page.set_viewport_size({"width": width, "height": height})
    expect(entries(page)).to_have_count(len(shown))


def box(shown: Locator) -> Any:
    found = shown.bounding_box()
    assert found is not None
    return found


def test_escape_and_a_link_leave_for_the_list(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    page = visit(base(running)).open()
    page.goto(f"{base(running)}#/wall")
    expect(entries(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(row(page, "shop")).to_be_visible()
    expect(page.get_by_role("banner")).to_be_visible()
    page.goto(f"{base(running)}#/wall")
    page.get_by_role("link", name="Leave the wall").click()
    expect(row(page, "shop")).to_be_visible()


@pytest.mark.parametrize("place", ["#/wall", "#/series/shop"])
def test_the_list_can_be_reached_while_the_service_is_away(
    running: Service, proxy: Proxy, visit: Visitor, place: str
) -> None:
    take(running, "shop")
    tab = visit(proxy.base)
    tab.allowed.append("status of 503")
    page = tab.open_with_clock(place)
    expect(page.locator("#wall" if place == "#/wall" else "#one-series")).to_be_visible()
    proxy.refuse = {}
    tab.polled(503)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Series", exact=True)).to_be_visible()
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.locator("#trouble")).to_contain_text("503")
    proxy.refuse = None
    tab.pass_time()
    expect(row(page, "shop")).to_be_visible()
    # What another search has found is not shown for this one.
    proxy.refuse = {}
    page.goto(f"{proxy.base}#/?find=nothing")
    expect(row(page, "shop")).to_have_count(0)
    expect(page.locator("#trouble")).to_contain_text("503")


# Weeks


def test_what_was_shown_stays_while_the_service_is_away(serve: Serve, visit: Visitor) -> None:
    running = serve("--port", str(new_port()))
    take(running, "shop")
    tab = visit(base(running), viewport=SCREEN)
    tab.allowed.append("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE")
    page = tab.open_with_clock("#/wall")
    expect(entry(page, "shop")).to_be_visible()
    running.stop()
    tab.pass_time()
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text(re.compile(r"since \d\d:\d\d"))
    expect(trouble).to_be_in_viewport(ratio=1)
    expect(entry(page, "shop").locator("td.value")).to_have_text("1")
    # The message takes no entry's room.
    assert box(trouble)["y"] >= box(entries(page).last)["y"] + box(entries(page).last)["height"]
    assert box(trouble)["y"] == pytest.approx(box(page.locator("#wall-end"))["y"], abs=1)
    # The browser starts meanwhile, too, or the service comes back.
    again = serve(variables={"PORT": str(running.port)})
    take(again, "shop")
    tab.pass_time()
    expect(entry(page, "shop").locator("td.value")).to_have_text("2")
    expect(trouble).to_have_text("")


def test_a_wall_that_starts_before_the_service_waits_for_it(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    take(running, "shop")
    proxy.refuse = {}
    tab = visit(proxy.base, viewport=SCREEN)
    tab.allowed.append("status of 503")
    page = tab.open_with_clock("#/wall")
    expect(page.locator("#trouble")).to_contain_text("503")
    expect(page.get_by_role("link", name="Leave the wall")).to_be_visible()
    proxy.refuse = None
    tab.pass_time()
    expect(entry(page, "shop")).to_be_visible()


UPDATES = """
// An answer at once, each time with something changed, and no wait between two polls.
const KEYS = 60;
let updates = 0;
let held = 0;
let reached = () => {};
let release = () => {};
// Whoever asks for the next one has shown all before it.
window.until = (count) => new Promise((done) => { held = count; reached = done; release(); });
const start = Date.parse("2026-11-22T23:38:51Z");
const later = window.setTimeout.bind(window);
const channel = new MessageChannel();
const due = [];
channel.port1.onmessage = () => due.shift()?.();
window.setTimeout = (act, wait, ...more) => {
  if (wait !== 5000) return later(act, wait, ...more);
  due.push(act);
  channel.port2.postMessage(null);
  return 0;
};
const state = (number) => ({
  creator_id: 1,
  key: `job-${number % KEYS}`,
  token: `token-${number}`,
  value: number,
  created_at: at(0),
  updated_at: at(number),
  api_key: "pXq2mV7cLwT9aZr4KdY8sBnE",
  api_key_name: `agent-${number % 7}`,
  ...(number % 3 ? {} : { version: { name: `till-${number % KEYS}`, version: `1.0.${number}` } }),
});
const at = (number) => new Date(start + number).toISOString().replace("Z", "000Z");
window.fetch = async (url) => {
  if (!String(url).includes("/v1/series")) throw new TypeError("only series are here");
  if (updates >= held) {
    reached();
    await new Promise((done) => { release = done; });
  }
  const number = (updates += 1) + KEYS;
  const series = Array.from({ length: 40 }, (_, place) => state(number - place));
  return new Response(JSON.stringify({ series, next: null }), {
    headers: { "Content-Type": "application/json", ETag: `"${number}"` },
  });
};
"""


@pytest.mark.long
def test_memory_stays_flat_over_ten_thousand_updates(running: Service, visit: Visitor) -> None:
    # Painting is what takes long: a small screen, on which nothing moves, is soon painted.
    small = {"width": 640, "height": 400}
    tab = visit(base(running), viewport=small, reduced_motion="reduce")
    page = tab.page
    page.add_init_script(f"{{{UPDATES}}}")
    tab.open("#/wall")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    used = [used_after(page, session, updates) for updates in (1_000, 10_000)]
    early, late = used
    assert late["Nodes"] <= early["Nodes"] * 1.1
    assert late["JSEventListeners"] <= early["JSEventListeners"]
    assert late["JSHeapUsedSize"] <= early["JSHeapUsedSize"] * 1.15


def used_after(page: Page, session: CDPSession, updates: int) -> dict[str, float]:
    """Let the wall be updated this often in all, and return what it then holds."""
    page.evaluate("(count) => until(count)", updates)
    # The one that is asked for last waits for its answer.
    expect(page.locator("#wall-rows td.token").first).to_have_text(f"token-{updates + 60}")
    assert names(page)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return {each["name"]: each["value"] for each in metrics}


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1920, 320])
def test_axe_finds_nothing_on_the_wall(
    running: Service, visit: Visitor, scheme: str, width: int
) -> None:
    for name in HOSTILE:
        running.put(f"{path(name)}/{quote(name, safe='')}")
    running.put("/v1/semver/till/minor/a1")
    size = {"width": width, "height": 1080}
    tab = visit(
        base(running), viewport=size, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    # axe needs a clock that goes on.
    page = tab.open("#/wall")
    expect(entry(page, "till")).to_be_visible()
    take(running, "shop")
    expect(page.locator("#wall-rows .new")).to_have_count(1)
    assert_accessible(page)


def test_names_on_the_wall_are_text(running: Service, visit: Visitor) -> None:
    for name in HOSTILE:
        running.put(f"{path(name)}/{quote(name, safe='')}")
    page = visit(base(running), viewport=SCREEN).open("#/wall")
    expect(page.locator("#wall-rows tr")).to_have_count(len(set(HOSTILE)))
    assert page.locator("#wall script, #wall img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots_of_the_wall(serve: Serve, folder: Path, visit: Visitor, scheme: str) -> None:
    """They are looked at by people; CI keeps them."""
    fill(folder)
    running = serve()
    tab = visit(base(running), viewport=SCREEN, color_scheme=scheme, reduced_motion="reduce")
    page = tab.open_with_clock("#/wall")
    expect(entry(page, "warehouse")).to_be_visible()
    running.put("/v1/semver/till/minor/b0e771")
    tab.polled()
    expect(page.locator("#wall-rows .new")).to_have_count(1)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"wall-{scheme}.png")
