"""The rules of calendar versions, one promise at a time."""

import zoneinfo
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.core import calver
from monotron.core.calver import CalendarVersion
from monotron.core.errors import InvalidName, OtherScheme, SeriesExhausted
from monotron.limits import LAST_VALUE
from monotron.store.contract import Store
from tests.support.invariants import faults, rows_of_store
from tests.support.memory import MemoryStore
from tests.support.rules import Rules

NOVEMBER = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
DECEMBER = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def rules(whole_store: Store) -> Rules:
    return Rules(whole_store)


def current(rules: Rules, name: str = "x") -> CalendarVersion | None:
    return rules.store.view(lambda reading: calver.current(reading, rules.account, name))


def test_the_number_starts_at_1_with_each_period(rules: Rules) -> None:
    assert current(rules) is None
    assert [rules.dated(token, now=NOVEMBER) for token in "ab"] == ["2026.11.1", "2026.11.2"]
    assert [rules.dated(token, now=DECEMBER) for token in "cd"] == ["2026.12.1", "2026.12.2"]
    assert current(rules) == CalendarVersion("x", "d", "YYYY.0M.MICRO", "2026.12", 2)
    assert faults(rules.store) == []


def test_the_same_token_gets_the_same_version_in_any_period(rules: Rules) -> None:
    assert [rules.dated(token, now=NOVEMBER) for token in "ab"] == ["2026.11.1", "2026.11.2"]
    before = rows_of_store(rules.store)
    assert rules.dated("a", now=DECEMBER) == "2026.11.1"
    assert rules.dated("a", now=NOVEMBER, tz="Asia/Tokyo") == "2026.11.1"
    assert rows_of_store(rules.store) == before


@pytest.mark.parametrize(
    ("tz", "version"),
    [("UTC", "2026.11.30.1"), ("Asia/Tokyo", "2026.12.01.1"), ("America/Lima", "2026.11.30.1")],
)
def test_a_period_begins_by_the_clock_of_a_zone(rules: Rules, tz: str, version: str) -> None:
    late = datetime(2026, 11, 30, 20, tzinfo=timezone.utc)
    assert rules.dated("a", now=late, scheme="YYYY.0M.0D.MICRO", tz=tz) == version


def test_a_period_begins_by_summer_time(rules: Rules) -> None:
    scheme, tz = "YYYY.MM.DD.MICRO", "Europe/Berlin"
    summer = datetime(2026, 6, 30, 22, 30, tzinfo=timezone.utc)
    winter = datetime(2026, 11, 30, 22, 30, tzinfo=timezone.utc)
    assert rules.dated("a", now=summer, scheme=scheme, tz=tz) == "2026.7.1.1"
    assert rules.dated("b", now=winter, scheme=scheme, tz=tz) == "2026.11.30.1"


def test_a_name_keeps_its_scheme(rules: Rules) -> None:
    assert rules.dated("a", now=NOVEMBER, scheme="YY.MM.MICRO") == "26.11.1"
    assert rules.dated("b", now=NOVEMBER) == "26.11.2"
    before = rows_of_store(rules.store)
    for token in "ac":
        with pytest.raises(OtherScheme, match=r"'x' follow YY\.MM\.MICRO, not YYYY\.MM\.MICRO"):
            rules.dated(token, now=NOVEMBER, scheme="YYYY.MM.MICRO")
    assert rows_of_store(rules.store) == before
    assert rules.dated("a", now=NOVEMBER, scheme="YYYY.MM.MICRO", name="y") == "2026.11.1"


def test_a_clock_that_goes_back_gives_no_version_twice(rules: Rules) -> None:
    assert rules.dated("a", now=NOVEMBER) == "2026.11.1"
    assert rules.dated("b", now=DECEMBER) == "2026.12.1"
    assert rules.dated("c", now=NOVEMBER) == "2026.11.2"
    assert str(current(rules)) == "2026.12.1"
    assert rules.dated("d", now=DECEMBER) == "2026.12.2"


def test_its_series_can_be_moved_up_and_advanced(rules: Rules) -> None:
    rules.seed("x-micro-v2026.11", 7)
    assert current(rules) is None
    assert rules.dated("a", now=NOVEMBER) == "2026.11.8"
    assert rules.advance("x-micro-v2026.11", "by hand") == (9, "by hand")
    assert str(current(rules)) == "2026.11.9"
    assert rules.dated("by hand", now=NOVEMBER) == "2026.11.9"


def test_versions_are_forgotten_with_their_series_and_the_scheme_with_the_last(
    rules: Rules,
) -> None:
    rules.dated("a", now=NOVEMBER)
    rules.dated("b", now=DECEMBER)
    rules.delete("x-micro-v2026.12")
    assert str(current(rules)) == "2026.11.1"
    assert rules.dated("c", now=DECEMBER) == "2026.12.1"
    rules.delete("x-micro-v2026.11")
    rules.delete("x-micro-v2026.12")
    assert current(rules) is None
    assert rules.dated("a", now=NOVEMBER, scheme="YYYY.MICRO") == "2026.1"
    assert faults(rules.store) == []


def test_beyond_the_last_number_nothing_changes(rules: Rules) -> None:
    rules.seed("x-micro-v2026.11", LAST_VALUE)
    before = rows_of_store(rules.store)
    with pytest.raises(SeriesExhausted, match=r"x-micro-v2026\.11"):
        rules.dated("a", now=NOVEMBER)
    assert rows_of_store(rules.store) == before


@pytest.mark.parametrize(
    ("scheme", "day", "period"),
    [
        ("YYYY.MICRO", date(2026, 1, 2), "2026"),
        ("YY.MM.MICRO", date(2026, 1, 2), "26.1"),
        ("0Y.0M.MICRO", date(2006, 1, 2), "06.01"),
        ("YY.MM.MICRO", date(2106, 1, 2), "106.1"),
        ("YYYY.0M.0D.MICRO", date(2026, 1, 2), "2026.01.02"),
        ("YYYY.MM.DD.MICRO", date(2026, 1, 2), "2026.1.2"),
        ("YYYY.WW.MICRO", date(2026, 1, 2), "2026.1"),
        ("YYYY.0W.MICRO", date(2026, 1, 2), "2026.01"),
        # Friday, in the last week of the year before.
        ("YYYY.WW.MICRO", date(2027, 1, 1), "2026.53"),
        ("YYYY.MM.MICRO", date(2027, 1, 1), "2027.1"),
        # A clock that was never set.
        ("YY.MM.MICRO", date(1970, 1, 1), "1970.1"),
    ],
)
def test_each_scheme_writes_a_day_as_calver_org_has_it(scheme: str, day: date, period: str) -> None:
    assert calver.valid_scheme(scheme) == scheme
    assert calver.period_of(scheme, day) == period


@pytest.mark.parametrize(
    "text",
    [
        *("", "MICRO", "YYYY", "YYYY.0M", "MICRO.YYYY", "YYYY.MICRO.MM", "YYYY.MICRO.MICRO"),
        *("MM.MICRO", "YYYY.DD.MICRO", "YYYY.MM.WW.MICRO", "YYYY.WW.DD.MICRO", "YYYY.YY.MICRO"),
        *("YYYY-0M-MICRO", "yyyy.0m.micro", "YYYY.0M.MICRO ", "YYYY.0M.MICRO\n", "YYYY..MICRO"),
    ],
)
def test_what_is_no_scheme_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match=r"as in YYYY\.0M\.MICRO"):
        calver.valid_scheme(text)


@pytest.mark.parametrize(
    "text",
    ["", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/localtime", "a\0", "é", "+1:0"],
)
def test_an_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="must be the name of a time zone"):
        calver.zone_named(text)


def test_without_data_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(calver, "ZoneInfo", unknown)
    with pytest.raises(InvalidName, match="package tzdata"):
        calver.zone_named("Europe/Berlin")
    assert calver.zone_named("UTC") is timezone.utc


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2_000)), max_size=30),
    st.sampled_from(["YYYY.MICRO", "YY.0W.MICRO", "YYYY.MM.MICRO", "0Y.0M.0D.MICRO"]),
)
def test_no_version_comes_twice_wherever_the_clock_jumps(
    calls: list[tuple[str, int]], scheme: str
) -> None:
    rules = Rules(MemoryStore())
    answers: dict[str, str] = {}
    for token, days in calls:
        version = rules.dated(token, now=NOVEMBER + timedelta(days=days), scheme=scheme)
        assert answers.setdefault(token, version) == version
    assert len(set(answers.values())) == len(answers)
    assert faults(rules.store) == []
