"""The rules of pre-releases, one promise at a time."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core import names
from monotron.core.bumps import PARTS
from monotron.core.errors import InvalidName, PreReleaseTooLow, SeriesExhausted
from monotron.limits import LAST_VALUE
from monotron.store.contract import Store
from tests.support.invariants import faults, rows_of_store
from tests.support.memory import MemoryStore
from tests.support.rules import Rules


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


def pre(rules: Rules, part: str, token: str, identifier: str = "rc") -> str:
    return str(rules.bump("x", part, token, pre=identifier))


@pytest.fixture
def at_1_2_5(rules: Rules) -> Rules:
    rules.seed("x-major", 1)
    rules.seed("x-minor-v1", 2)
    rules.seed("x-patch-v1.2", 4)
    assert rules.bumps(("patch", "first")) == ["1.2.5"]
    return rules


def test_pre_releases_count_up_to_the_version_that_was_announced(at_1_2_5: Rules) -> None:
    assert pre(at_1_2_5, "minor", "a") == "1.3.0-rc.1"
    assert pre(at_1_2_5, "minor", "b") == "1.3.0-rc.2"
    assert at_1_2_5.version() == "1.3.0-rc.2"
    assert at_1_2_5.bumps(("minor", "b")) == ["1.3.0"]
    assert at_1_2_5.version() == "1.3.0"
    assert pre(at_1_2_5, "minor", "c") == "1.4.0-rc.1"
    assert faults(at_1_2_5.store) == []


def test_the_same_token_gets_the_same_pre_release_however_long_ago(at_1_2_5: Rules) -> None:
    assert [pre(at_1_2_5, "minor", token) for token in "abc"] == [
        "1.3.0-rc.1",
        "1.3.0-rc.2",
        "1.3.0-rc.3",
    ]
    assert at_1_2_5.bumps(("minor", "c"), ("major", "d")) == ["1.3.0", "2.0.0"]
    before = rows_of_store(at_1_2_5.store)
    assert pre(at_1_2_5, "minor", "a") == "1.3.0-rc.1"
    assert at_1_2_5.bumps(("minor", "c")) == ["1.3.0"]
    assert rows_of_store(at_1_2_5.store) == before


def test_a_lower_part_goes_on_with_the_version_that_was_announced(at_1_2_5: Rules) -> None:
    assert pre(at_1_2_5, "minor", "a") == "1.3.0-rc.1"
    assert pre(at_1_2_5, "patch", "b") == "1.3.0-rc.2"
    assert pre(at_1_2_5, "major", "c") == "2.0.0-rc.1"
    assert pre(at_1_2_5, "minor", "d") == "2.0.0-rc.2"
    assert at_1_2_5.bumps(("patch", "e"), ("patch", "f")) == ["2.0.0", "2.0.1"]
    assert at_1_2_5.bumps(("patch", "e")) == ["2.0.0"]
    assert faults(at_1_2_5.store) == []


def test_a_higher_part_leaves_the_announced_version_behind(at_1_2_5: Rules) -> None:
    pre(at_1_2_5, "patch", "a")
    assert at_1_2_5.version() == "1.2.6-rc.1"
    assert at_1_2_5.bumps(("minor", "b"), ("patch", "c")) == ["1.3.0", "1.3.1"]


def test_the_first_version_can_be_a_pre_release(rules: Rules) -> None:
    assert pre(rules, "major", "a", "alpha") == "1.0.0-alpha.1"
    (listed,) = rules.standings().items
    assert (str(listed.version), listed.release) == ("1.0.0-alpha.1", None)
    assert rules.bumps(("major", "b")) == ["1.0.0"]


@pytest.mark.parametrize("later", ["alpha", "beta.9", "beta-1", "5"])
def test_an_identifier_that_comes_before_the_current_one_is_refused(
    at_1_2_5: Rules, later: str
) -> None:
    for identifier in ("alpha", "beta", "beta.x", "rc"):
        pre(at_1_2_5, "minor", "a", identifier)
    before = rows_of_store(at_1_2_5.store)
    with pytest.raises(PreReleaseTooLow, match=r"1\.3\.0-rc\.1 and never goes back"):
        pre(at_1_2_5, "minor", "b", later)
    assert rows_of_store(at_1_2_5.store) == before
    assert pre(at_1_2_5, "minor", "b") == "1.3.0-rc.2"


def test_they_are_a_series_with_history_that_can_be_advanced(at_1_2_5: Rules) -> None:
    pre(at_1_2_5, "minor", "a", "rc-1")
    assert at_1_2_5.get("x-pre-v1.3.0.rc_1") == (1, "a")
    assert at_1_2_5.history("x-pre-v1.3.0.rc_1") == [(1, "a", None)]
    assert at_1_2_5.advance("x-pre-v1.3.0.rc_1", "b") == (2, "b")
    assert at_1_2_5.version() == "1.3.0-rc-1.2"
    assert pre(at_1_2_5, "minor", "b", "rc-1") == "1.3.0-rc-1.2"


def test_they_are_forgotten_with_their_series(at_1_2_5: Rules) -> None:
    pre(at_1_2_5, "minor", "a")
    pre(at_1_2_5, "minor", "b")
    assert at_1_2_5.delete("x-pre-v1.3.0.rc")
    assert at_1_2_5.version() == "1.2.5"
    assert pre(at_1_2_5, "minor", "b") == "1.3.0-rc.1"
    assert faults(at_1_2_5.store) == []


def test_a_release_is_forgotten_with_the_series_of_the_part_that_was_raised(rules: Rules) -> None:
    pre(rules, "major", "a")
    assert rules.bumps(("patch", "b")) == ["1.0.0"]
    rules.delete("x-major")
    assert faults(rules.store) == []
    assert rules.bumps(("patch", "b")) == ["1.0.0"]


def test_beyond_the_last_number_there_is_no_pre_release(rules: Rules) -> None:
    rules.seed("x-major", LAST_VALUE)
    before = rows_of_store(rules.store)
    with pytest.raises(SeriesExhausted, match="x-major"):
        pre(rules, "major", "a")
    assert rows_of_store(rules.store) == before
    assert pre(rules, "minor", "a") == f"{LAST_VALUE}.1.0-rc.1"


def test_a_name_that_leaves_no_room_for_a_pre_release_is_refused(rules: Rules) -> None:
    name = "n" * 209
    assert str(rules.bump(name, "minor", "a", pre="r" * 32)) == f"0.1.0-{'r' * 32}.1"
    rules.seed(f"{name}-major", LAST_VALUE)
    before = rows_of_store(rules.store)
    with pytest.raises(InvalidName, match="too long together"):
        rules.bump(name, "minor", "a", pre="s" * 32)
    assert rows_of_store(rules.store) == before


@pytest.mark.parametrize("text", ["rc", "0", "10", "beta.eu", "x-y.1", "00a", "-", "r" * 32])
def test_what_identifies_a_pre_release_is_as_semver_says(text: str) -> None:
    assert names.pre_release(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "rc.", ".rc", "a..b", "01", "a.01", "rc 1", "rc+1", "r_c", "é", "r" * 33]
)
def test_what_does_not_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="a pre-release must be"):
        names.pre_release(text)


# All of them, in order


class Asked(NamedTuple):
    """A call for a version."""

    part: str
    token: str
    pre: str


ASKED = st.builds(
    Asked,
    st.sampled_from([*PARTS]),
    st.sampled_from("abcd"),
    st.sampled_from(["", "", "rc", "rc", "alpha", "rc.1", "1"]),
)


def precedence(version: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """Return what orders versions (https://semver.org, 11)."""
    release, _, identifiers = version.partition("-")
    parts = identifiers.split(".") if identifiers else []
    return (
        [int(number) for number in release.split(".")],
        not parts,
        [(not each.isdigit(), int(each) if each.isdigit() else 0, each) for each in parts],
    )


@given(st.lists(ASKED, max_size=40))
def test_versions_of_a_name_never_come_twice_and_only_go_up(calls: list[Asked]) -> None:
    rules = Rules(MemoryStore())
    owners: dict[str, str] = {}
    answers: dict[Asked, str] = {}
    newest = "0.0.0"
    for asked in calls:
        try:
            version = str(rules.bump("x", asked.part, asked.token, pre=asked.pre))
        except PreReleaseTooLow:
            assert asked not in answers
            continue
        assert answers.setdefault(asked, version) == version
        if version not in owners:
            assert precedence(version) > precedence(newest)
            newest = version
        assert owners.setdefault(version, asked.token) == asked.token
        assert rules.version() == newest
    assert faults(rules.store) == []


# The list of names


def test_names_are_listed_in_order_a_page_at_a_time(rules: Rules) -> None:
    for number, name in enumerate(["b", "a/b", "a", "é"]):
        rules.bump(name, "minor", "t", now=7 + number)
    for number in range(3):
        rules.bump("a", "patch", f"{number}", now=20 + number)
    rules.seed("c-major", 4)
    rules.advance("a0", None)
    first = rules.standings(limit=3)
    found = [(each.version.name, str(each.version), each.changed_at) for each in first.items]
    assert found == [("a", "0.1.3", 22), ("a/b", "0.1.0", 8), ("b", "0.1.0", 7)]
    assert first.next == "b"
    rest = rules.standings(after="b", limit=3)
    assert ([each.version.name for each in rest.items], rest.next) == (["é"], None)
    prefixed = rules.standings(prefix="a/")
    assert [each.version.name for each in prefixed.items] == ["a/b"]
    assert Rules(rules.store, 2).standings().items == []


def test_the_list_has_the_last_release_beside_a_pre_release(at_1_2_5: Rules) -> None:
    at_1_2_5.bump("x", "minor", "a", pre="rc", now=9)
    (listed,) = at_1_2_5.standings().items
    assert str(listed.version) == "1.3.0-rc.1"
    assert str(listed.release) == "1.2.5"
    assert listed.changed_at == 9


def test_a_name_without_a_version_is_not_listed(rules: Rules) -> None:
    rules.bumps(("major", "a"), ("minor", "b"))
    rules.bumps(("minor", "c"), name="y")
    rules.delete("x-major")
    page = rules.standings(limit=1)
    assert ([each.version.name for each in page.items], page.next) == (["y"], None)
