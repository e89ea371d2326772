"""Names on the dashboard: each character is seen, so that no name passes for another."""

import itertools
import unicodedata
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from monotron.core.names import INVISIBLE
from tests.support.browser import Visitor
from tests.support.dashboard import (
    assert_accessible,
    base,
    cell,
    path,
    row,
    take,
    take_as_before,
)
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

LOOK_ALIKES = {
    "shop": "shop",
    "shop ": "shop⟨U+0020⟩",
    " shop": "⟨U+0020⟩shop",
    "sh\u00adop": "sh⟨U+00AD⟩op",
    "sh\u200cop": "sh⟨U+200C⟩op",
    "sh\u200dop": "sh⟨U+200D⟩op",
    "sh\u034fop": "sh⟨U+034F⟩op",
    "sh\u3164op": "sh⟨U+3164⟩op",
    "sh\u2800op": "sh⟨U+2800⟩op",
    "sh\ufe0fop": "sh⟨U+FE0F⟩op",
    "sh\u061cop": "sh⟨U+061C⟩op",
    "sh\U000e0041op": "sh⟨U+E0041⟩op",
    "a b": "a b",
    "a  b": "a ⟨U+0020⟩b",
    "a\u00a0b": "a⟨U+00A0⟩b",
    "a\u2028b": "a⟨U+2028⟩b",
    "⟨U+202E⟩": "⟨U+27E8⟩U+202E⟩",
    "⟨b⟩": "⟨b⟩",
}
"""Names that look like others, and how they are shown."""

ONCE_ALLOWED = "a\u202egnp.exe"
"""Only an earlier version let it in."""

VISIBLE = """async (names) => {
  const { visible } = await import(new URL("web/elements.js", location.href).href);
  return names.map(visible);
}"""


def as_shown(page: Page, names: list[str]) -> list[str]:
    """Return the page's own answer for names that no series needs to have."""
    texts: list[str] = page.evaluate(VISIBLE, names)
    return texts


def test_no_name_in_the_list_looks_like_another(running: Service, visit: Visitor) -> None:
    take(running, *LOOK_ALIKES)
    take_as_before(running, ONCE_ALLOWED, 1)
    page = visit(base(running)).open()
    expect(page.locator("#rows tr")).to_have_count(len(LOOK_ALIKES) + 1)
    for name, text in {**LOOK_ALIKES, ONCE_ALLOWED: "a⟨U+202E⟩gnp.exe"}.items():
        link = row(page, name).get_by_role("link")
        expect(link.locator("bdi")).to_have_text(text, use_inner_text=False)
        expect(link).to_have_attribute("title", text)
        assert link.evaluate("(each) => each.textContent") == text


def test_a_name_is_shown_with_marks_wherever_it_stands(running: Service, visit: Visitor) -> None:
    key, token, text = "sh\u200cop", "t\u200d1", "Ada\u202e ecaL"
    running.put(f"{path(key)}/{quote(token, safe='')}")
    running.ask(
        "PUT",
        f"/v1/tokens/{quote(key, safe='')}/{quote(token, safe='')}/attrs",
        f'{{"au\u00adthor":"{text}"}}'.encode(),
    )
    page = visit(base(running)).open()
    expect(cell(page, key, "token")).to_have_text("t⟨U+200D⟩1")
    expect(cell(page, key, "token")).to_have_attribute("title", "t⟨U+200D⟩1")
    row(page, key).get_by_role("link").click()
    expect(page.get_by_role("heading", name="sh⟨U+200C⟩op")).to_be_focused()
    expect(page).to_have_title("sh⟨U+200C⟩op · Monotron")
    expect(page.locator("#badge img")).to_have_attribute("alt", "sh⟨U+200C⟩op: 1")
    expect(page.locator("#one-token bdi").first).to_have_text("t⟨U+200D⟩1")
    summary = page.locator("#one-token summary")
    expect(summary).to_have_attribute("aria-label", "Attributes of t⟨U+200D⟩1")
    summary.click()
    expect(page.locator("#one-token dt bdi")).to_have_text("au⟨U+00AD⟩thor")
    expect(page.locator("#one-token dd bdi")).to_have_text("Ada⟨U+202E⟩ ecaL")


def test_what_is_searched_for_is_shown_with_marks(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open("#/?find=a%E2%80%8Db&prefix=c%E2%80%8D")
    said = "There are no series that start with “c⟨U+200D⟩” and match “a⟨U+200D⟩b”."
    expect(page.locator("#list-notice")).to_have_text(said)


def test_the_wall_announces_a_change_with_marks(running: Service, visit: Visitor) -> None:
    tab = visit(base(running))
    page = tab.open_with_clock("#/wall")
    expect(page.locator("#wall-notice")).to_be_visible()
    take(running, "sh\u200cop")
    tab.polled()
    expect(page.locator("#wall-rows .what .point")).to_have_text("⟨U+200C⟩")
    expect(page.locator("#said")).to_have_text("sh⟨U+200C⟩op: 1")


def test_a_mark_is_set_apart_from_the_name(running: Service, visit: Visitor) -> None:
    take(running, "sh\u200cop", "⟨U+200C⟩")
    page = visit(base(running)).open()
    expect(row(page, "sh\u200cop").locator(".point")).to_have_text("⟨U+200C⟩")
    expect(row(page, "⟨U+200C⟩").locator(".point")).to_have_text("⟨U+27E8⟩")


def test_each_character_that_names_cannot_have_any_more_is_shown(
    running: Service, visit: Visitor
) -> None:
    page = visit(base(running)).open()
    names = [f"a{character}b" for character in sorted(INVISIBLE)]
    assert as_shown(page, names) == [f"a⟨U+{ord(name[1]):04X}⟩b" for name in names]


def test_every_format_and_control_character_is_shown(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open()
    hidden = [
        character
        for character in map(chr, range(0x11_0000))
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        or (unicodedata.category(character) == "Zs" and character != " ")
    ]
    assert as_shown(page, hidden) == [f"⟨U+{ord(each):04X}⟩" for each in hidden]


def test_ordinary_names_are_shown_as_they_are(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open()
    names = [
        "shop",
        "feature/login",
        "a b c",
        "Müller",
        "版本",
        "😀",
        "שלום עולם",
        "e\u0301",
        "-_~.",
    ]
    assert as_shown(page, names) == names


def test_different_names_give_different_texts(running: Service, visit: Visitor) -> None:
    page = visit(base(running)).open()
    pieces = ["⟨", "⟩", "U+200B", "\u200b", "U+27E8", " ", "a"]
    names = [
        "".join(chosen)
        for count in range(1, 5)
        for chosen in itertools.product(pieces, repeat=count)
    ]
    names = list(dict.fromkeys(names))
    assert len(set(as_shown(page, names))) == len(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_can_be_read_by_everybody(running: Service, visit: Visitor, scheme: str) -> None:
    take(running, "sh\u200cop", "shop ")
    page = visit(base(running), color_scheme=scheme, bypass_csp=True).open()
    expect(row(page, "shop ")).to_be_visible()
    assert_accessible(page)
