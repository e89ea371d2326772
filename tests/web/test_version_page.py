"""The page of a semantic version: where it is, how it got there, and how to take the next one."""

import re
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from tests.conftest import ROOT, basic
from tests.support import ci
from tests.support.browser import Proxy, Visitor
from tests.support.dashboard import (
    HOSTILE,
    answer_at,
    assert_accessible,
    assert_fits,
    base,
    command,
    ending,
    key_beside,
    run_line,
    sign_in,
)
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

NAMES = [*dict.fromkeys(name for name in HOSTILE if len(name.encode()) < 200)]


def page_of(name: str) -> str:
    return f"#/version/{quote(name, safe='')}"


def bump(running: Service, name: str, part: str, token: str, pre: str = "") -> str:
    """Take the next version."""
    called = f"/v1/semver/{quote(name, safe='')}/{part}/{quote(token, safe='')}"
    version: str = running.put(called + (f"?pre={pre}" if pre else "")).json["version"]
    return version


def versions(page: Page) -> Locator:
    return page.locator("#bumps-rows td.version")


def test_a_version_is_one_page_with_its_bumps_in_order(running: Service, visit: Visitor) -> None:
    began = datetime.now(timezone.utc)
    bump(running, "till", "minor", "c1")
    bump(running, "till", "patch", "c2")
    bump(running, "till", "major", "c3")
    bump(running, "till", "patch", "c4")
    # Another name that begins in the same way.
    bump(running, "till-2", "minor", "c9")
    tab = visit(base(running))
    tab.page.route("**/v1/**", lambda route: answer_at(route, began))
    page = tab.open(page_of("till"))
    expect(page.locator("#semver-value")).to_have_text("1.0.1")
    expect(page.get_by_role("heading", name="till", exact=True)).to_be_visible()
    expect(page).to_have_title("till · Monotron")
    expect(page.locator("#semver-token")).to_have_text("c4")
    expect(page.locator("#semver-changed time")).to_have_text("just now")
    expect(page.locator("#semver-release")).to_be_hidden()
    expect(versions(page)).to_have_text(["1.0.1", "1.0.0", "0.1.1", "0.1.0"])
    expect(page.locator("#bumps-rows td.token")).to_have_text(["c4", "c3", "c2", "c1"])
    expect(page.locator("#bumps-rows td.when time").first).to_have_text("just now")


def test_a_pre_release_stands_with_the_last_release(running: Service, visit: Visitor) -> None:
    bump(running, "till", "minor", "c1")
    bump(running, "till", "minor", "c2", pre="rc")
    bump(running, "till", "minor", "c3", pre="rc")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("till"))
    expect(page.locator("#semver-value")).to_have_text("0.2.0-rc.2")
    expect(page.locator("#semver-release")).to_have_text("0.1.0")
    expect(versions(page)).to_have_text(["0.2.0-rc.2", "0.2.0-rc.1", "0.1.0"])
    bump(running, "till", "minor", "c4")
    tab.polled()
    expect(page.locator("#semver-value")).to_have_text("0.2.0")
    expect(page.locator("#semver-release")).to_be_hidden()
    expect(versions(page)).to_have_text(["0.2.0", "0.2.0-rc.2", "0.2.0-rc.1", "0.1.0"])


def test_before_the_first_release_there_is_none(running: Service, visit: Visitor) -> None:
    bump(running, "till", "minor", "c1", pre="rc")
    page = visit(base(running)).open(page_of("till"))
    expect(page.locator("#semver-value")).to_have_text("0.1.0-rc.1")
    expect(page.locator("#semver-release")).to_have_text("none yet")


def test_the_parts_of_a_version_can_be_opened(running: Service, visit: Visitor) -> None:
    bump(running, "till/x", "minor", "c1")
    bump(running, "till/x", "major", "c2")
    bump(running, "till/x", "patch", "c3")
    bump(running, "till/x", "patch", "c4", pre="rc")
    page = visit(base(running)).open(page_of("till/x"))
    parts = page.locator("#parts a")
    expect(parts).to_have_text(
        ["till/x-pre-v1.0.2.rc", "till/x-patch-v1.0", "till/x-major", "till/x-minor-v0"]
    )
    expect(page.locator("#bumps-rows td.counted").nth(1)).to_have_text("till/x-patch-v1.0 1")
    parts.nth(1).click()
    expect(page.get_by_role("heading", name="till/x-patch-v1.0")).to_be_focused()
    expect(page.locator("#one-value")).to_have_text("1")
    page.go_back()
    expect(page.get_by_role("heading", name="till/x", exact=True)).to_be_focused()
    page.locator("#bumps-rows td.counted a").first.click()
    expect(page.locator("#found-title")).to_have_text("Value 1")


def test_older_versions_come_on_request_and_stay(running: Service, visit: Visitor) -> None:
    for number in range(45):
        bump(running, "till", "patch", f"c{number}")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("till"))
    rows = page.locator("#bumps-rows tr")
    expect(rows).to_have_count(20)
    older = page.locator("#bumps-older")
    older.click()
    expect(rows).to_have_count(40)
    bump(running, "till", "patch", "c45")
    tab.polled()
    expect(rows).to_have_count(41)
    expect(versions(page)).to_have_text([f"0.0.{patch}" for patch in range(46, 5, -1)])
    older.click()
    expect(rows).to_have_count(46)
    expect(older).to_be_hidden()
    # More than a page at once leaves no gap unseen.
    for number in range(46, 70):
        bump(running, "till", "patch", f"c{number}")
    tab.polled()
    expect(rows).to_have_count(20)
    expect(versions(page)).to_have_text([f"0.0.{patch}" for patch in range(70, 50, -1)])


def test_nothing_is_touched_while_no_version_is_taken(running: Service, visit: Visitor) -> None:
    bump(running, "till", "minor", "c1")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("till"))
    expect(page.locator("#semver-badge img")).to_be_visible()
    row = page.locator("#bumps-rows tr").first
    row.evaluate("(each) => { each.dataset.kept = 'yes'; }")
    row.locator("bdi").first.evaluate("(each) => getSelection().selectAllChildren(each)")
    for _ in range(2):
        tab.polled(304)
    bump(running, "till", "minor", "c2")
    tab.polled()
    expect(page.locator("#semver-value")).to_have_text("0.2.0")
    expect(page.locator("#bumps-rows tr").nth(1)).to_have_attribute("data-kept", "yes")
    assert page.evaluate("getSelection().toString()") == "c1"


def test_a_name_without_a_version_says_so_until_it_has_one(
    running: Service, visit: Visitor
) -> None:
    bump(running, "till-2", "minor", "c1")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("till"))
    expect(page.locator("#semver-notice")).to_have_text("This name has no version yet.")
    expect(page.locator("#semver-shown")).to_be_hidden()
    bump(running, "till", "minor", "c1")
    tab.polled()
    expect(page.locator("#semver-value")).to_have_text("0.1.0")
    expect(page.locator("#semver-notice")).to_be_hidden()


def test_a_name_that_no_version_can_have_says_why(running: Service, visit: Visitor) -> None:
    tab = visit(base(running))
    tab.allowed.append("status of 400")
    page = tab.open(page_of("é" * 129))
    expect(page.locator("#semver-notice")).to_contain_text("Such a version cannot exist: ")
    page = tab.open("#/version/..")
    expect(page.locator("#semver-notice")).to_contain_text("A browser cannot request this version")
    page = tab.open("#/version/%zz")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()


def test_the_back_link_and_escape_lead_to_the_list(running: Service, visit: Visitor) -> None:
    bump(running, "till", "minor", "c1")
    page = visit(base(running)).open("#/?prefix=ti")
    expect(page.locator("#rows tr").first).to_be_visible()
    page.evaluate(f"location.hash = '{page_of('till')}'")
    expect(page.get_by_role("heading", name="till", exact=True)).to_be_focused()
    page.locator("#semver").get_by_role("link", name="All series").click()
    expect(page.locator("#list")).to_be_visible()
    expect(page).to_have_url(ending("#/?prefix=ti"))
    page.go_back()
    expect(page.get_by_role("heading", name="till", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_visible()


def test_the_badge_of_a_version_is_shown_and_keeps_up(running: Service, visit: Visitor) -> None:
    bump(running, "till/x", "minor", "c1")
    tab = visit(base(running))
    page = tab.open_with_clock(page_of("till/x"))
    badge = page.locator("#semver-badge img")
    expect(badge).to_have_attribute("alt", "till/x: 0.1.0")
    assert badge.evaluate("(each) => each.naturalWidth") > 20
    root = base(running)
    expect(page.locator("#semver-badge-command pre code")).to_have_text(
        f"[![till/x]({root}v1/semver/till%2Fx/badge.svg)]({root}#/version/till%2Fx)"
    )
    bump(running, "till/x", "minor", "c2")
    tab.polled()
    expect(badge).to_have_attribute("alt", "till/x: 0.2.0")


def test_it_shows_who_took_it_and_names_the_account(
    guarded_service: Service, visit: Visitor, folder: Path
) -> None:
    mine = key_beside(folder, "read:series", "write:series", account=7)
    called = "/v1/semver/till/minor/c1"
    assert guarded_service.ask("PUT", called, headers=basic(mine)).status == 200
    tab = visit(base(guarded_service))
    tab.allowed.append("status of 401")
    page = tab.open(page_of("till"))
    sign_in(page, mine.key, mine.secret)
    expect(page.locator("#semver-who")).to_have_text(mine.key)
    expect(page.locator("#bumps-rows td.api-key")).to_have_text(mine.key)
    expect(page.locator("#semver .badge-note")).to_be_visible()
    line = page.locator("#semver-badge-command pre code")
    expect(line).to_contain_text("/v1/accounts/7/semver/till/badge.svg")
    address = re.search(r"\]\((\S+\.svg)\)", line.inner_text())
    assert address is not None
    shown = guarded_service.ask("GET", urlsplit(address[1]).path, headers=basic(mine))
    assert shown.headers["Content-Type"] == "image/svg+xml"
    curl = command(page, "Next minor version, from a shell").locator("code").inner_text()
    pair = f"{mine.key}:{mine.secret}"
    assert run_line(curl, MONOTRON_KEY=pair, GIT_COMMIT="c2") == "0.2.0\n"


def test_the_lines_take_versions_whatever_the_name(
    running: Service, visit: Visitor, tmp_path: Path
) -> None:
    place = ci.Place.make(tmp_path / "place")
    shutil.copy(ci.SCRIPT, place.folder)
    tab = visit(base(running))
    shell, python = [], []
    for name in NAMES:
        bump(running, name, "minor", "c1")
        page = tab.open(page_of(name))
        expect(page.locator("#semver-value")).to_have_text("0.1.0")
        expect(page.locator("#semver-uses .command").first).to_be_visible()
        for title in (
            "Next minor version, from a shell",
            "Next minor version, with monotron.sh",
            "Pre-release of it, from a shell",
            "Pre-release of it, with monotron.sh",
        ):
            shell.append(command(page, title).locator("code").text_content() or "")
        title = "Next minor version, in Python"
        python.append(command(page, title).locator("code").text_content() or "")
        tab.page.goto("about:blank")
    variables = {"GIT_COMMIT": "7d4c37", "PYTHONPATH": str(ci.ROOT)}
    status, out, err = place.run(["sh", "-ec", "\n".join(shell)], variables)
    expected = ["0.2.0", "0.2.0", "0.3.0-rc.1", "0.3.0-rc.1"] * len(NAMES)
    assert (status, out.split()) == (0, expected), err
    status, out, err = place.run([sys.executable, "-c", "\n".join(python)], variables)
    assert (status, out.split()) == (0, ["0.2.0"] * len(NAMES)), err


def test_the_lines_for_github_and_gitlab_take_versions(
    running: Service, visit: Visitor, tmp_path: Path
) -> None:
    bump(running, "till", "minor", "c1")
    page = visit(base(running)).open(page_of("till"))
    place = ci.Place.make(tmp_path / "place")
    line = command(page, "Next minor version, in GitHub Actions").locator("code")
    (step,) = yaml.safe_load(line.text_content() or "")
    assert ci.GithubAction(place).use(step["with"], {})[1] == {"version": "0.2.0"}
    line = command(page, "Next minor version, in GitLab CI").locator("code")
    job = yaml.safe_load(line.text_content() or "")["number"]["variables"]
    shell = next(iter(ci.SHELLS))
    assert ci.GitlabTemplate(shell, place).extend(job, {})[1] == {"MONOTRON_NUMBER": "0.2.0"}


@pytest.mark.parametrize("part", ["till/history", "till/badge.svg"])
def test_the_parts_of_the_page_that_another_program_answers_are_asked_for_again(
    running: Service, proxy: Proxy, visit: Visitor, part: str
) -> None:
    bump(running, "till", "minor", "c1")
    proxy.instead = (part, "application/json", b'{"error":"log in"}')
    tab = visit(proxy.base)
    page = tab.open_with_clock(page_of("till"))
    expect(page.locator("#trouble")).to_contain_text("Another program is answering")
    proxy.instead = None
    tab.pass_time()
    expect(page.locator("#trouble")).to_have_text("")
    expect(page.locator("#bumps-rows tr")).to_have_count(1)
    expect(page.locator("#semver-badge img")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    running: Service, visit: Visitor, scheme: str
) -> None:
    bump(running, "till", "minor", "c1")
    bump(running, "till", "minor", "c2", pre="rc")
    page = visit(base(running), color_scheme=scheme, bypass_csp=True).open(page_of("till"))
    expect(page.locator("#semver-badge img")).to_be_visible()
    assert_accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert_accessible(page)


def test_a_narrow_screen_never_scrolls_sideways(guarded_service: Service, visit: Visitor) -> None:
    tab = visit(base(guarded_service), viewport={"width": 320, "height": 740})
    tab.allowed.append("status of 401")
    for name in ("W" * 200, "till"):
        for token in ("c1", "W" * 256):
            called = f"/v1/semver/{name}/minor/{token}"
            guarded_service.ask("PUT", called, headers=basic(ROOT))
    page = tab.open()
    sign_in(page, ROOT.key, ROOT.secret)
    for name in ("W" * 200, "till"):
        page = tab.open(page_of(name))
        expect(page.locator("#semver-badge img")).to_be_visible()
        assert_fits(page, 320)
