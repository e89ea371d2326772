"""The address of a store on etcd: what it says, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monotron.store.etcd.address import Address, parse, without_password

GOOD = {
    "etcd://a": Address(("a:2379",), "", None),
    "etcd://a/": Address(("a:2379",), "", None),
    "etcd://a:1,b:2,c": Address(("a:1", "b:2", "c:2379"), "", None),
    "etcd://a.example.com:2379/builds": Address(("a.example.com:2379",), "builds", None),
    "etcd://a/builds/": Address(("a:2379",), "builds", None),
    "etcd://a/ci/builds": Address(("a:2379",), "ci/builds", None),
    "etcd://127.0.0.1": Address(("127.0.0.1:2379",), "", None),
    "etcd://[::1]": Address(("[::1]:2379",), "", None),
    "etcd://[::1]:1,[2001:db8::1]:2/x": Address(("[::1]:1", "[2001:db8::1]:2"), "x", None),
    "etcd://monotron@a,b/x": Address(("a:2379", "b:2379"), "x", "monotron"),
}


@pytest.mark.parametrize(("text", "address"), GOOD.items())
def test_an_address_names_members_prefix_and_user(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize("address", GOOD.values(), ids=str)
def test_an_address_as_text_is_the_same_address(address: Address) -> None:
    assert parse(str(address)) == address


BAD = {
    "": "etcd://HOST:PORT",
    "a:2379": "etcd://HOST:PORT",
    "http://a:2379": "etcd://HOST:PORT",
    "etcd:/a": "etcd://HOST:PORT",
    "etcd://": "etcd://HOST:PORT",
    "etcd:///builds": "etcd://HOST:PORT",
    "etcd://a,": "etcd://HOST:PORT",
    "etcd://a,,b": "etcd://HOST:PORT",
    "etcd://a, b": "etcd://HOST:PORT",
    "etcd://a:": "etcd://HOST:PORT",
    "etcd://a:port": "etcd://HOST:PORT",
    "etcd://a:٣": "etcd://HOST:PORT",
    "etcd://a:123456": "etcd://HOST:PORT",
    "etcd://::1": "etcd://HOST:PORT",
    "etcd://[a]": "etcd://HOST:PORT",
    "etcd://a:0": "1 to 65535",
    "etcd://a:65536": "1 to 65535",
    "etcd://a,b,a:2379": "each member once",
    "etcd://a//builds": "the prefix",
    "etcd://a/ci//builds": "the prefix",
    "etcd://a/builds?x=1": "the prefix",
    "etcd://a/bü": "the prefix",
    "etcd://a/builds\n": "the prefix",
    "etcd://@a": "the user",
    "etcd://a b@a": "the user",
    "etcd://u:hunter2@a": "the password",
    "etcd://u:@a": "the password",
}


@pytest.mark.parametrize(("text", "why"), BAD.items())
def test_what_is_no_address_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


@given(st.from_regex(r"\A(etcd://)?[a\[\]:,/@1é -]{0,12}\Z"))
def test_any_text_is_an_address_that_can_be_written_or_is_refused(text: str) -> None:
    try:
        address = parse(text)
    except ValueError:
        return
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "etcd://u:hunter2@a",
        "etcd://u:hunter2@b@a",
        "etcd://u:hunt:er2/@a",
        "etcd://:hunter2@a",
        "http://u:hunter2\n@a",
    ],
)
def test_a_password_in_the_address_is_not_shown(text: str) -> None:
    assert "hunt" not in without_password(text)


@pytest.mark.parametrize("text", [*GOOD, "etcd", ""])
def test_a_text_without_a_password_is_shown_as_it_is(text: str) -> None:
    assert without_password(text) == text
