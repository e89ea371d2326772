"""The API page: the calls that the service describes, for people."""

import pytest
from playwright.sync_api import Locator, Page, expect

from monotron.app import ROUTES
from tests.conftest import ROOT
from tests.support.browser import Proxy, Visitor
from tests.support.dashboard import (
    assert_accessible,
    assert_fits,
    base,
    row,
    run_line,
    sign_in,
    take,
)
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]


def call(page: Page, method: str, path: str) -> Locator:
    found = page.locator("details.call")
    for each in (method, path):
        code = page.locator("summary code").get_by_text(each, exact=True)
        found = found.filter(has=code)
    return found


def test_every_call_is_there_by_what_it_is_about(running: Service, visit: Visitor) -> None:
    take(running, "shop")
    page = visit(base(running)).open()
    expect(row(page, "shop")).to_be_visible()
    page.goto(f"{base(running)}#/api")
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_focused()
    shown = page.locator("details.call > summary").all_inner_texts()
    called = {" ".join(each.split()[:2]) for each in shown}
    described = {f"{method} {route.path}" for route in ROUTES for method in route.resource.calls}
    assert called == described
    for about in ("Series", "Semantic versions", "Accounts and API keys"):
        expect(page.get_by_role("heading", name=about, exact=True)).to_be_visible()


def test_a_call_opens_with_its_parameters_body_answers_and_a_line_that_works(
    running: Service, visit: Visitor
) -> None:
    page = visit(base(running)).open("#/api")
    seed = call(page, "PUT", "/v1/series/{key}")
    seed.locator("summary").first.click()
    expect(seed.get_by_role("heading", name="Parameters")).to_be_visible()
    expect(seed.locator("dt").first).to_have_text("key")
    expect(seed.locator("dd").first).to_contain_text("in path, required")
    expect(seed.locator("dl").first).to_contain_text("width")
    expect(seed.locator("pre").filter(has_text='"value": 110')).to_be_visible()
    expect(seed.locator(".answer").first).to_contain_text("200")
    expect(seed.locator(".answer").first).to_contain_text("creator_id")
    line = seed.locator(".command code").inner_text()
    assert run_line(line).startswith('{"creator_id":1,')
    # A bound that JavaScript cannot hold is exact all the same.
    expect(seed).to_contain_text("1 to 9223372036854775807")


def test_the_filter_shows_only_what_has_each_word(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open("#/api")
    expect(call(page, "GET", "/v1/series")).to_be_visible()
    every = page.locator("details.call").count()
    search = page.get_by_label("Only calls with")
    search.fill("DELETE limit")
    expect(call(page, "DELETE", "/v1/series/{key}/limit")).to_be_visible()
    expect(page.locator("details.call").locator("visible=true")).to_have_count(2)
    expect(page.locator("#said")).to_have_text("2 calls")
    expect(page.get_by_role("heading", name="Badges")).to_be_hidden()
    search.fill("")
    expect(page.locator("details.call").locator("visible=true")).to_have_count(every)


def test_whoever_has_no_key_signs_in_first(guarded_service: Service, visit: Visitor) -> None:
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open("#/api")
    sign_in(page, ROOT.key, ROOT.secret)
    expect(call(page, "GET", "/v1/series")).to_be_visible()
    # In a link the browser would send no key.
    expect(page.locator("#api-document")).to_be_hidden()
    call(page, "GET", "/v1").locator("summary").first.click()
    line = call(page, "GET", "/v1").locator(".command code").inner_text()
    assert "monotron" in run_line(line, MONOTRON_KEY=f"{ROOT.key}:{ROOT.secret}")


def test_it_is_asked_for_once_and_again_until_it_comes(
    running: Service, proxy: Proxy, visit: Visitor
) -> None:
    proxy.instead = ("openapi.json", "text/html", b"<p>Sign in to the proxy</p>")
    tab = visit(proxy.base)
    page = tab.open_with_clock("#/api")
    expect(page.locator("#trouble")).to_contain_text("Another program")
    proxy.instead = None
    tab.pass_time()
    expect(call(page, "GET", "/v1/series")).to_be_visible()
    expect(page.locator("#trouble")).to_have_text("")
    tab.answered()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    tab.pass_time(600_000)
    assert asked == []
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_api_page(running: Service, visit: Visitor, scheme: str) -> None:
    take(running, "shop")
    tab = visit(base(running), color_scheme=scheme, bypass_csp=True)
    page = tab.open("#/api")
    for method, path in (("GET", "/v1/series"), ("PUT", "/v1/series/{key}")):
        call(page, method, path).locator("summary").first.click()
    expect(page.locator(".inside").first).to_be_visible()
    assert_accessible(page)
    for width in (360, 320):
        page.set_viewport_size({"width": width, "height": 740})
        assert_fits(page, width)
    assert_accessible(page)
    page.get_by_role("link", name="Monotron").click()
    expect(row(page, "shop")).to_be_visible()
