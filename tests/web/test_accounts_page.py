"""The account that the dashboard looks at, for those who may choose."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT, basic
from tests.support.browser import Proxy, Visit, Visitor
from tests.support.dashboard import (
    assert_accessible,
    assert_fits,
    base,
    command,
    key_beside,
    keys,
    path,
    row,
    run_line,
    sign_in,
)
from tests.support.service import Service
from tests.support.web import UUID

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]


def furnish(guarded_service: Service) -> None:
    """Give account 1 one series, account 7 another, and both a third."""
    for account, name in ((1, "ours"), (1, "shop"), (7, "theirs"), (7, "shop"), (7, UUID)):
        called = f"/v1/accounts/{account}"
        guarded_service.ask("PUT", called, headers=basic(ROOT))
        guarded_service.ask("POST", called + path(name).removeprefix("/v1"), headers=basic(ROOT))
    guarded_service.ask("POST", "/v1/accounts/7/series/shop", headers=basic(ROOT))


def as_root(tab: Visit, place: str = "") -> Page:
    tab.allowed.append("status of 401")
    page = tab.open(place)
    sign_in(page, ROOT.key, ROOT.secret)
    expect(page.get_by_label("Account")).to_be_visible()
    return page


def test_the_root_pair_chooses_the_account_that_everything_is_of(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    furnish(guarded_service)
    tab = visit(base(guarded_service))
    page = as_root(tab)
    expect(row(page, "ours")).to_be_visible()
    choice = page.get_by_label("Account")
    expect(choice.locator("option")).to_have_text(["1", "7"])
    expect(choice).to_have_value("1")
    choice.select_option("7")
    expect(row(page, "theirs")).to_be_visible()
    expect(row(page, "ours")).to_have_count(0)
    tab.asked.clear()
    row(page, "shop").get_by_role("link").click()
    expect(page.locator("#one-value")).to_have_text("2")
    expect(page.locator("#history-rows tr")).to_have_count(2)
    expect(page.locator("#badge img")).to_be_visible()
    assert tab.asked
    assert all(each.startswith("v1/accounts/7/") for each in tab.asked)
    expect(page.locator("#one .account-note")).to_contain_text("so use a key of account 7")
    choice.select_option("1")
    expect(page.locator("#one-value")).to_have_text("1")
    expect(page.locator("#one .account-note")).to_be_hidden()


def test_lines_to_copy_and_the_badge_name_the_chosen_account(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    furnish(guarded_service)
    mine = key_beside(folder, "write:series", account=7)
    page = as_root(visit(base(guarded_service)), "#/series/shop")
    page.get_by_label("Account").select_option("7")
    expect(page.locator("#one-value")).to_have_text("2")
    line = command(page, "Next number, from a shell").locator("code").inner_text()
    for number, pair in ((3, ROOT), (4, mine)):
        assert run_line(line, MONOTRON_KEY=f"{pair.key}:{pair.secret}") == f"{number}\n"
    address = re.search(r"\]\((\S+\.svg)\)", command(page, "In Markdown").inner_text())
    assert address is not None
    assert urlsplit(address[1]).path == "/v1/accounts/7/badges/shop.svg"
    # A build number has no account in its path.
    page.goto(f"{base(guarded_service)}#/series/{UUID}")
    expect(command(page, "Next number, from a shell")).to_be_visible()
    expect(command(page, "Build number, from a shell")).to_have_count(0)


def test_the_choice_is_kept_for_the_tab_and_ends_with_signing_out(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    furnish(guarded_service)
    reader = key_beside(folder, "read:series")
    tab = visit(base(guarded_service))
    page = as_root(tab)
    page.get_by_label("Account").select_option("7")
    expect(row(page, "theirs")).to_be_visible()
    page.reload()
    expect(row(page, "theirs")).to_be_visible()
    expect(page.get_by_label("Account")).to_have_value("7")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Account")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0
    sign_in(page, reader.key, reader.secret)
    expect(row(page, "ours")).to_be_visible()
    assert sorted(keys(page)) == ["ours", "shop"]
    expect(page.get_by_label("Account")).to_be_hidden()


def test_the_first_line_to_copy_names_the_account_that_was_chosen_last(
    guarded_service: Service, visit: Visitor
) -> None:
    for account in (7, 8):
        guarded_service.ask("PUT", f"/v1/accounts/{account}", headers=basic(ROOT))
    page = as_root(visit(base(guarded_service)))
    line = page.locator("#first code")
    for account in (7, 8):
        page.get_by_label("Account").select_option(str(account))
        expect(line).to_contain_text(f"/v1/accounts/{account}/series/my-job")
    assert run_line(line.inner_text(), MONOTRON_KEY=f"{ROOT.key}:{ROOT.secret}") == "1\n"


def test_an_api_key_has_no_choice(guarded_service: Service, visit: Visitor, folder: Path) -> None:
    furnish(guarded_service)
    reader = key_beside(folder, "read:series", account=7)
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open_with_clock()
    with page.expect_response(lambda each: "/v1/accounts?" in each.url) as refused:
        sign_in(page, reader.key, reader.secret)
    assert refused.value.status == 403
    expect(row(page, "theirs")).to_be_visible()
    expect(page.get_by_label("Account")).to_be_hidden()
    # It asks once, and the refusal does not sign anybody out.
    tab.asked.clear()
    tab.pass_time(60_000)
    expect(row(page, "theirs")).to_be_visible()
    assert not [each for each in tab.asked if "accounts" in each]


def test_whoever_needs_no_key_chooses_too_once_there_are_several(
    running: Service, visit: Visitor
) -> None:
    running.take(path("ours"))
    tab = visit(base(running))
    page = tab.open_with_clock()
    expect(row(page, "ours")).to_be_visible()
    tab.answered()
    expect(page.get_by_label("Account")).to_be_hidden()
    running.put("/v1/accounts/7")
    running.take("/v1/accounts/7/series/theirs")
    page.reload()
    page.get_by_label("Account").select_option("7")
    expect(row(page, "theirs")).to_be_visible()


def test_a_choice_that_is_not_there_any_more_is_dropped(running: Service, visit: Visitor) -> None:
    running.take(path("ours"))
    tab = visit(base(running))
    tab.allowed.append("status of 404")
    page = tab.open()
    page.evaluate("""sessionStorage.setItem("monotron.account /", '{"id":"9","caller":null}')""")
    page.reload()
    expect(row(page, "ours")).to_be_visible()


def test_accounts_that_do_not_answer_are_asked_for_again(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    running.take(path("ours"))
    running.put("/v1/accounts/7")
    proxy.instead = ("/v1/accounts?", "text/html", b"<p>Sign in to the proxy</p>")
    tab = visit(proxy.base)
    page = tab.open_with_clock()
    expect(row(page, "ours")).to_be_visible()
    tab.answered()
    expect(page.get_by_label("Account")).to_be_hidden()
    proxy.instead = None
    tab.pass_time()
    expect(page.get_by_label("Account")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_choice(
    guarded_service: Service, visit: Visitor, scheme: str
) -> None:
    furnish(guarded_service)
    size = {"width": 320, "height": 740}
    tab = visit(base(guarded_service), color_scheme=scheme, bypass_csp=True, viewport=size)
    page = as_root(tab)
    page.get_by_label("Account").focus()
    page.keyboard.press("7")
    expect(row(page, "theirs")).to_be_visible()
    expect(page.get_by_label("Account")).to_be_focused()
    assert_accessible(page)
    assert_fits(page, 320)
