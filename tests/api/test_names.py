"""What cannot be a name is refused in each field of each path that holds one, and takes nothing."""

from collections.abc import Iterator

import pytest

from tests.conftest import all_rows
from tests.support.furnished import Call, calls
from tests.support.memory import MemoryStore
from tests.support.web import REFUSED_NAMES, Api, problem, url

NAMES = ("key", "token", "name", "part")
"""Fields that hold a name, except where a key is that of an API key."""

UNFIT = [
    "%00",
    "a%0Ab",
    "%1F",
    "%7F",
    "%C2%80",
    "%C2%9F",
    "%FF",
    "%C3",
    "%C3%28",
    "%C0%AF",
    "%ED%A0%80",
    "%F4%90%80%80",
    "%",
    "%2",
    "%zz",
    "%u0041",
    "100%",
    "a%2",
    "a" * 257,
    "%C3%A9" * 129,
    "",
]
"""What is no name, as it stands in a path."""


def in_each_field(call: Call, name: str) -> Iterator[str]:
    """Return the call's target with the name in one field after the other."""
    for field in call.route.fields:
        if field in NAMES and "/grants/" not in call.route.path:
            yield call.with_fields(**{field: name})


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_a_name_is_400_and_takes_nothing(
    furnished: Api, memory: MemoryStore, name: str
) -> None:
    before = all_rows(memory)
    asked = 0
    for call in calls("GET", "POST", "PUT", "DELETE"):
        for target in in_each_field(call, name):
            # With nothing behind its last slash, a path is another one or none.
            if name or not target.partition("?")[0].endswith(("/", "/.svg")):
                response = furnished.request(
                    target, method=call.method, body=call.body, expect_errors=True
                )
                problem(response, 400, "invalid-name")
                asked += 1
    assert asked > 50
    assert all_rows(memory) == before


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_nothing_begins_with_a_name_that_is_refused(
    furnished: Api, memory: MemoryStore, name: str
) -> None:
    before = all_rows(memory)
    encoded = url(name).removeprefix("/v1/").replace(".", "%2E")
    asked = 0
    for call in calls("POST", "PUT"):
        for target in in_each_field(call, encoded):
            response = furnished.request(
                target, method=call.method, body=call.body, expect_errors=True
            )
            problem(response, 400, "invalid-name")
            asked += 1
    for base in ("/v1", "/v1/accounts/1"):
        target = f"{base}/tokens/svc/token/attrs"
        problem(furnished.put_json(target, {name: "b"}, status=400), 400, "invalid-name")
    assert asked > 20
    assert all_rows(memory) == before
