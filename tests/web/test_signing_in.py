"""Signing in: with an API key, for the tab or on this machine, or by the page's own address."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import ROOT, basic, installed
from tests.support.browser import ARGUMENTS, NAMES, Visit, Visitor, proxy_for
from tests.support.dashboard import (
    base,
    command,
    key_beside,
    keys,
    row,
    run_line,
    sign_in,
)
from tests.support.service import Serve, Service, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]


def test_it_asks_for_a_key_and_shows_just_that_account(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    mine = key_beside(folder, "read:series", account=7)
    writer = key_beside(folder, "write:series", account=7)
    guarded_service.ask("POST", "/v1/accounts/7/series/mine", headers=basic(ROOT))
    guarded_service.ask("POST", "/v1/series/theirs", headers=basic(ROOT))
    tab = visit(base(guarded_service))
    tab.allowed += ["status of 401", "status of 403"]
    page = tab.open_with_clock()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_label("API key")).to_be_focused()
    metrics = page.get_by_role("contentinfo").get_by_role("link", name="Metrics")
    expect(metrics).to_be_hidden()
    expect(page.locator("#wrong")).to_have_text("")

    sign_in(page, mine.key, "wrong")
    expect(page.get_by_role("alert")).to_have_text(
        "This was not accepted: unknown API key or wrong secret."
    )
    sign_in(page, writer.key, writer.secret)
    expect(page.get_by_role("alert")).to_have_text(
        "This API key may not read series: this needs the scope read:series."
    )
    tab.answered()
    asked = len(tab.asked)
    tab.pass_time(120_000)
    assert len(tab.asked) == asked

    sign_in(page, mine.key, mine.secret)
    expect(row(page, "mine")).to_be_visible()
    assert keys(page) == ["mine"]
    expect(metrics).to_be_hidden()
    expect(page.locator("#caller")).to_contain_text(mine.key)
    page.reload()
    expect(row(page, "mine")).to_be_visible()
    row(page, "mine").get_by_role("link").click()
    expect(page.locator("#badge img")).to_be_visible()
    line = command(page, "Next number, from a shell").locator("code").inner_text()
    assert '-u "$MONOTRON_KEY"' in line
    expect(page.locator("#one .key-note")).to_contain_text("set MONOTRON_KEY to KEY:SECRET")
    expect(page.locator("#one .key-note")).to_contain_text("monotron is the id of credentials")
    expect(command(page, "Next number, in a Jenkinsfile").locator("code")).to_have_text(
        "monotron.next('mine', credentials: 'monotron')"
    )
    expect(command(page, "A commit's number, in a Jenkinsfile").locator("code")).to_have_text(
        "monotron.next('mine', token: env.GIT_COMMIT, credentials: 'monotron')"
    )
    assert run_line(line, MONOTRON_KEY=f"{writer.key}:{writer.secret}") == "2\n"
    address = re.search(r"\]\((\S+\.svg)\)", command(page, "In Markdown").inner_text())
    assert address is not None
    assert address[1] == f"{base(guarded_service)}v1/accounts/7/badges/mine.svg"
    shown = guarded_service.ask("GET", urlsplit(address[1]).path, headers=basic(mine))
    assert shown.headers["Content-Type"] == "image/svg+xml"


def test_the_key_is_kept_for_the_tab_alone_until_it_is_signed_out(
    guarded_service: Service, visit: Visitor
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    # The secret of the tests' root pair has letters beyond ASCII, and a colon.
    sign_in(page, ROOT.key, ROOT.secret)
    expect(row(page, "shop")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []

    other = Visit(page.context.new_page(), tab.base, allowed=tab.allowed)
    other.open()
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    other.assert_quiet()

    # It needs no answer to forget.
    tab.allowed.append("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page.get_by_role("button", name="Sign out").click()
    expect(row(page, "shop")).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0
    assert "shop" not in page.content()
    page.context.set_offline(False)
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_key_and_secret_can_be_pasted_as_the_command_prints_them(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    pair = key_beside(folder, "read:series")
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    page.get_by_label("API key").fill(f"{pair.key}:{pair.secret}\n")
    expect(page.get_by_label("API key")).to_have_value(pair.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#first")).to_be_visible()


def test_a_key_that_is_withdrawn_shows_nothing_any_more(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    pair = key_beside(folder, "read:series")
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open_with_clock("#/series/shop")
    sign_in(page, pair.key, pair.secret)
    expect(page.locator("#one-value")).to_have_text("1")
    guarded_service.ask("DELETE", f"/v1/accounts/1/grants/{pair.key}", headers=basic(ROOT))
    tab.pass_time()
    expect(page.get_by_role("alert")).to_contain_text("This was not accepted")
    expect(page.locator("#one")).to_be_hidden()
    for left in ("shop", pair.key, "monotron.next"):
        assert left not in page.locator("#one").inner_html()
    tab.answered()
    asked = len(tab.asked)
    tab.pass_time(120_000)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(tab.asked) == asked


# Kept on this machine

STAY = "Keep me signed in on this machine"


@contextmanager
def restarted(chromium: Browser, profile: Path, address: str) -> Iterator[Visit]:
    """Start a browser with this profile; at the end it is closed, as a machine is switched off."""
    context = chromium.browser_type.launch_persistent_context(
        profile,
        executable_path=installed("chromium", "MONOTRON_REQUIRE_BROWSER", *NAMES),
        args=ARGUMENTS,
    )
    try:
        tab = Visit(context.new_page(), address)
        tab.allowed.append("status of 401")
        yield tab
        tab.assert_quiet()
    finally:
        context.close()


def records(profile: Path) -> int:
    """Return how often the log of the browser's storage has the key's name in it.

    Chromium writes what a page stores some seconds later.
    """
    logs = (profile / "Default" / "Local Storage" / "leveldb").glob("*.log")
    return sum(log.read_bytes().count(b"monotron.credentials") for log in logs)


def test_a_browser_that_starts_again_is_still_signed_in_if_the_person_said_so(
    guarded_service: Service, chromium: Browser, tmp_path: Path
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    profile, address = tmp_path / "profile", base(guarded_service)
    with restarted(chromium, profile, address) as tab:
        page = tab.open()
        stay = page.get_by_label(STAY)
        expect(stay).not_to_be_checked()
        expect(stay).to_have_accessible_description(re.compile("stores the key and its secret"))
        stay.check()
        sign_in(page, ROOT.key, ROOT.secret)
        expect(row(page, "shop")).to_be_visible()
        wait_until(lambda: records(profile) > 0, "the browser has stored the key")
    with restarted(chromium, profile, address) as tab:
        page = tab.open()
        expect(row(page, "shop")).to_be_visible()
        before = records(profile)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        wait_until(lambda: records(profile) > before, "the browser has removed the key")
    with restarted(chromium, profile, address) as tab:
        expect(tab.open().get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_browser_that_starts_again_asks_if_the_person_did_not_say_so(
    guarded_service: Service, chromium: Browser, tmp_path: Path
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    for _ in range(2):
        with restarted(chromium, tmp_path / "profile", base(guarded_service)) as tab:
            page = tab.open()
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            sign_in(page, ROOT.key, ROOT.secret)
            expect(row(page, "shop")).to_be_visible()


def test_signing_out_on_this_machine_signs_out_its_other_tabs(
    guarded_service: Service, visit: Visitor
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    page.get_by_label(STAY).check()
    sign_in(page, ROOT.key, ROOT.secret)
    expect(row(page, "shop")).to_be_visible()
    other = Visit(page.context.new_page(), tab.base, allowed=tab.allowed)
    other.open()
    expect(row(other.page, "shop")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "shop" not in other.page.content()
    other.assert_quiet()


def test_a_key_that_is_withdrawn_is_not_kept_on_this_machine(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    pair = key_beside(folder, "read:series")
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open_with_clock()
    page.get_by_label(STAY).check()
    sign_in(page, pair.key, pair.secret)
    expect(page.locator("#first")).to_be_visible()
    guarded_service.ask("DELETE", f"/v1/accounts/1/grants/{pair.key}", headers=basic(ROOT))
    tab.pass_time()
    expect(page.get_by_role("alert")).to_contain_text("This was not accepted")
    assert page.evaluate("localStorage.length") == 0


def test_two_monotrons_on_one_host_do_not_get_each_others_key(
    guarded_service: Service, visit: Visitor
) -> None:
    with proxy_for(guarded_service.port) as proxy:
        tab = visit(proxy.base)
        tab.allowed.append("status of 401")
        page = tab.open()
        page.get_by_label(STAY).check()
        sign_in(page, ROOT.key, ROOT.secret)
        expect(page.locator("#first")).to_be_visible()
        # What the page still asks for would be answered for the other one.
        page.goto("about:blank")
        proxy.prefix = "/another"
        tab.base = proxy.base
        tab.open()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("stored", ["{", "[]", "7", '{"key":"a"}', '{"key":1,"secret":2}'])
def test_what_something_else_has_stored_only_asks_again(
    guarded_service: Service, visit: Visitor, stored: str
) -> None:
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    for place in ("localStorage", "sessionStorage"):
        page.evaluate(f"(text) => {place}.setItem('monotron.credentials /', text)", stored)
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


# In the page's own address


def with_pair(address: str, key: str, secret: str) -> str:
    return address.replace("//", f"//{key}:{secret}@", 1)


@pytest.mark.parametrize("place", ["", "#/series/shop", "#/wall"])
def test_a_key_in_the_address_signs_in_and_is_taken_out_of_it(
    guarded_service: Service, visit: Visitor, place: str
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    address = base(guarded_service)
    tab = visit(address)
    page = tab.page
    tab.allowed.append("asked another host: http://[^/]*@127.0.0.1")
    # The secret has a colon, a percent sign and letters beyond ASCII.
    page.goto(with_pair(address, ROOT.key, quote(ROOT.secret, safe="")) + place)
    expect(page.get_by_text("shop").locator("visible=true").first).to_be_visible()
    assert page.evaluate("document.URL") == address + place
    assert page.evaluate("document.baseURI") == address + place
    # Only for this tab, and without a way back to it.
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("history.length") <= 2


def test_a_percent_sign_in_an_address_may_be_left_as_it_is(serve: Serve, visit: Visitor) -> None:
    running = serve(variables={"ROOT_API_KEY": "kiosk", "ROOT_API_SECRET": "50% off: 100%"})
    address = base(running)
    tab = visit(address)
    tab.allowed.append("asked another host: http://[^/]*@127.0.0.1")
    tab.page.goto(with_pair(address, "kiosk", "50% off: 100%"))
    expect(tab.page.locator("#first")).to_be_visible()
    expect(tab.page.locator("#caller")).to_contain_text("kiosk")


def test_a_wrong_secret_in_the_address_says_so(guarded_service: Service, visit: Visitor) -> None:
    address = base(guarded_service)
    tab = visit(address)
    tab.allowed += ["status of 401", "asked another host: http://[^/]*@127.0.0.1"]
    tab.page.goto(with_pair(address, ROOT.key, "wrong"))
    expect(tab.page.get_by_role("alert")).to_have_text(
        "This was not accepted: unknown API key or wrong secret."
    )


def test_a_key_in_the_address_leaves_the_machines_one_alone(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    pair = key_beside(folder, "read:series")
    address = base(guarded_service)
    tab = visit(address)
    tab.allowed += ["status of 401", "asked another host: http://[^/]*@127.0.0.1"]
    page = tab.open()
    page.get_by_label(STAY).check()
    sign_in(page, ROOT.key, ROOT.secret)
    expect(page.locator("#caller")).to_contain_text(ROOT.key)
    page.goto(with_pair(address, pair.key, pair.secret))
    expect(page.locator("#caller")).to_contain_text(pair.key)
    page.goto(with_pair(address, pair.key, "wrong"))
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    other = Visit(page.context.new_page(), tab.base)
    other.open()
    expect(other.page.locator("#caller")).to_contain_text(ROOT.key)
    other.assert_quiet()


def test_a_browser_that_stores_nothing_signs_in_by_the_address_all_the_same(
    guarded_service: Service, visit: Visitor
) -> None:
    guarded_service.ask("POST", "/v1/series/shop", headers=basic(ROOT))
    address = base(guarded_service)
    tab = visit(address)
    tab.allowed.append("asked another host: http://[^/]*@127.0.0.1")
    page = tab.page
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"
    )
    page.goto(with_pair(address, ROOT.key, quote(ROOT.secret, safe="")))
    row(page, "shop").get_by_role("link").click()
    expect(page.locator("#badge img")).to_be_visible()
    assert ROOT.secret not in page.locator("#commands").inner_text()
    assert f"{ROOT.key}:" not in page.locator("#badge-command").inner_text()
