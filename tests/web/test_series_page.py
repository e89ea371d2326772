"""The page of one series: its values, how many of them there were when, and how to use it."""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from tests.support import ci
from tests.support.browser import Visit, Visitor
from tests.support.dashboard import HOSTILE, MARKED, base, command, take
from tests.support.service import Service
from tests.support.web import UUID

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

NAMES = [*dict.fromkeys([*HOSTILE, "-n", "$(id) `id` $$HOME", "a ${{ b }} %s"])]
"""Names that break lines whose language takes a part of them for code."""


def page_of(key: str, value: int | None = None) -> str:
    return f"#/series/{quote(key, safe='')}" + ("" if value is None else f"/{value}")


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
