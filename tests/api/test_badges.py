"""Badges over HTTP: for shields.io, and drawn here."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from monotron.app import create_app
from monotron.core.api_keys import Pair
from monotron.settings import Settings
from monotron.store.contract import Store
from tests.conftest import ROOT, all_rows, basic, new_key
from tests.support.web import JSON, LAST_VALUE, NAMES, Api, problem, url

SVG = "image/svg+xml"

BASES = ["/v1", "/v1/accounts/1", "/v1/accounts/7"]
every_base = pytest.mark.parametrize("base", BASES)
both = pytest.mark.parametrize("end", ["", ".svg"])


def shields(label: str, message: str, color: str = "blue") -> dict[str, Any]:
    """Return what https://shields.io/badges/endpoint-badge asks for."""
    badge = {"label": label, "message": message, "color": color}
    return {"schemaVersion": 1, **badge, "cacheSeconds": 300}


def told(response: Any) -> str:
    """Return the text of an image."""
    assert response.headers["Content-Type"] == SVG
    return ET.fromstring(response.body.decode("utf-8")).attrib["aria-label"]


@pytest.fixture
def shop(api: Api) -> Api:
    """An API with the series `shop` at 123 and version 1.3.0, in two accounts."""
    api.put("/v1/accounts/7")
    for base in ("/v1", "/v1/accounts/7"):
        api.put(f"{base}/series/shop", b'{"value":123}')
        api.put(f"{base}/semver/shop/major/a")
        for token in "abc":
            api.put(f"{base}/semver/shop/minor/{token}")
    return api


# What comes back


@every_base
def test_shields_io_gets_what_it_draws_a_badge_from(shop: Api, base: str) -> None:
    response = shop.get(f"{base}/badges/shop")
    assert response.headers["Content-Type"] == JSON
    assert response.body == (
        b'{"schemaVersion":1,"label":"shop","message":"123","color":"blue","cacheSeconds":300}'
    )


@every_base
def test_an_image_says_the_same(shop: Api, base: str) -> None:
    response = shop.get(f"{base}/badges/shop.svg")
    assert told(response) == "shop: 123"
    assert response.body.startswith(b'<svg xmlns="http://www.w3.org/2000/svg" ')


@every_base
def test_what_a_badge_says_and_its_color_can_be_asked_for(shop: Api, base: str) -> None:
    for query, expected in {
        "show=value": shields("shop", "123"),
        "show=version": shields("shop", "1.3.0"),
        "show=version&message=v{value}": shields("shop", "v1.3.0"),
        "label=build": shields("build", "123"),
        "label=": shields("", "123"),
        "message=%7Bvalue%7D%20of%20{value}&color=FF69B4": shields("shop", "123 of 123", "ff69b4"),
        "label=%E7%89%88&message=M%C3%BCller&color=BrightGreen": shields(
            "版", "Müller", "brightgreen"
        ),
        "color=f0a": shields("shop", "123", "f0a"),
    }.items():
        assert shop.get(f"{base}/badges/shop?{query}").json == expected
        said = ": ".join(text for text in (expected["label"], expected["message"]) if text)
        assert told(shop.get(f"{base}/badges/shop.svg?{query}")) == said


def test_an_image_has_the_color_that_was_asked_for(shop: Api) -> None:
    for color, fill in {"red": "e05d44", "0a0": "00aa00", "123456": "123456"}.items():
        assert f'"#{fill}"' in shop.get(f"/v1/badges/shop.svg?color={color}").text


def test_a_badge_says_the_largest_number_to_its_last_digit(api: Api) -> None:
    api.put("/v1/series/shop", b'{"value":%d}' % LAST_VALUE)
    assert api.get("/v1/badges/shop").json["message"] == str(LAST_VALUE)
    assert told(api.get("/v1/badges/shop.svg")) == f"shop: {LAST_VALUE}"


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_have_a_badge(api: Api, name: str) -> None:
    api.put(url("series", name), b'{"value":7}')
    assert api.get(url("badges", name)).json == shields(name, "7")
    assert told(api.get(f"{url('badges', name)}.svg")) == f"{name}: 7"


def test_a_series_whose_key_ends_like_an_image_has_both_badges_too(api: Api) -> None:
    api.post("/v1/series/logo.svg?count=2")
    api.post("/v1/series/logo")
    assert api.get("/v1/badges/logo%2Esvg").json == shields("logo.svg", "2")
    assert told(api.get("/v1/badges/logo.svg.svg")) == "logo.svg: 2"
    assert told(api.get("/v1/badges/logo%2Esvg.svg")) == "logo.svg: 2"
    assert told(api.get("/v1/badges/logo.svg")) == "logo: 1"
    api.post("/v1/series/.svg")
    assert api.get("/v1/badges/.svg").json == shields(".svg", "1")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'&]]>", "\ufffe\uffff", "\u200f"])
def test_no_text_becomes_a_part_of_the_image(api: Api, text: str) -> None:
    api.post(url("series", text))
    image = api.get(f"{url('badges', text)}.svg")
    allowed = text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert told(image) == f"{allowed}: 1"
    assert b"<script" not in image.body


# What is refused


@both
@every_base
def test_before_the_first_value_there_is_no_badge(api: Api, base: str, end: str) -> None:
    api.put("/v1/accounts/7")
    target = f"{base}/badges/feature%2Flogin{end}"
    assert "feature/login" in problem(api.get(target, status=404), 404, "")
    assert api.head(target, status=404).body == b""
    api.post(f"{base}/series/feature%2Flogin")
    assert api.get(target).status_int == 200
    assert "version" in problem(api.get(f"{target}?show=version", status=404), 404, "")


@both
@pytest.mark.parametrize(
    "query",
    [
        "show=",
        "show=token",
        "color=",
        "color=pink",
        "color=%23fff",
        "color=fffff",
        "message=",
        "message=%0A",
        "message=" + "a" * 257,
        "label=%00",
        "label=" + "%C3%A9" * 129,
        "label=%FF",
        "label=%ED%A0%80",
    ],
)
def test_a_badge_that_cannot_be_is_400_whether_there_is_a_value_or_not(
    shop: Api, query: str, end: str
) -> None:
    for key in ("shop", "other"):
        response = shop.get(f"/v1/badges/{key}{end}?{query}", status=400)
        problem(response, 400, "invalid-name")
    problem(shop.get(f"/v1/badges/shop{end}?{query}&{query}", status=400), 400)


@both
def test_a_name_too_long_for_a_version_is_400(shop: Api, end: str) -> None:
    name = "a" * 210
    problem(shop.get(f"/v1/badges/{name}{end}", status=404), 404)
    detail = problem(shop.get(f"/v1/badges/{name}{end}?show=version", status=400), 400)
    assert "209" in detail


# How it is kept


@both
def test_another_color_is_another_badge(shop: Api, end: str) -> None:
    blue, red = (shop.get(f"/v1/badges/shop{end}?color={each}") for each in ("blue", "red"))
    assert blue.headers["ETag"] != red.headers["ETag"]


def test_an_image_opened_by_itself_runs_and_loads_nothing(shop: Api) -> None:
    response = shop.get("/v1/badges/shop.svg")
    assert response.headers["Content-Security-Policy"] == "default-src 'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_badge_takes_nothing(shop: Api, store: Store) -> None:
    before = all_rows(store)
    for end in ("", ".svg"):
        for query in ("", "?show=version", "?color=pink"):
            shop.get(f"/v1/badges/shop{end}{query}", expect_errors=True)
            shop.get(f"/v1/badges/other{end}{query}", expect_errors=True)
    assert all_rows(store) == before


# Without credentials


@pytest.fixture
def public(store: Store, settings: Settings) -> Api:
    """The API with authentication and public badges."""
    guarded = replace(settings, root_api_key=ROOT.key, root_api_secret=ROOT.secret)
    api = Api(create_app(store, replace(guarded, public_badges=True)))
    api.put("/v1/accounts/7", headers=basic(ROOT))
    for base, value in (("/v1", 1), ("/v1/accounts/7", 7)):
        api.put(f"{base}/series/shop", b'{"value":%d}' % value, headers=basic(ROOT))
        api.put(f"{base}/semver/shop/minor/a", headers=basic(ROOT))
    return api


@both
def test_badges_need_credentials_unless_they_are_public(guarded: Api, end: str) -> None:
    guarded.put("/v1/series/shop", b'{"value":1}', headers=basic(ROOT))
    for base in ("/v1", "/v1/accounts/1"):
        problem(guarded.get(f"{base}/badges/shop{end}", status=401), 401)
    assert guarded.get(f"/v1/badges/shop{end}", headers=basic(ROOT)).status_int == 200


def test_badges_of_versions_have_a_path_of_their_own(public: Api) -> None:
    for base in ("/v1", "/v1/accounts/1", "/v1/accounts/7"):
        of_version, same = f"{base}/semver/shop/badge", f"{base}/badges/shop"
        for look in ("", "&label=release&message=v%7Bvalue%7D&color=green"):
            for end in ("", ".svg"):
                badge = public.get(f"{of_version}{end}?{look.lstrip('&')}")
                expected = public.get(f"{same}{end}?show=version{look}")
                assert badge.body == expected.body
                assert badge.headers["Content-Type"] == expected.headers["Content-Type"]
                assert badge.headers["Cache-Control"] == "max-age=60"
        assert "no version yet" in problem(
            public.get(f"{base}/semver/other/badge", status=404), 404
        )
        problem(public.get(f"{of_version}?show=value", status=400), 400)


def test_public_badges_of_account_1_and_of_a_named_one_need_no_credentials(public: Api) -> None:
    for base, value in (("/v1", "1"), ("/v1/accounts/1", "1"), ("/v1/accounts/7", "7")):
        assert public.get(f"{base}/badges/shop").json == shields("shop", value)
        assert told(public.get(f"{base}/badges/shop.svg")) == f"shop: {value}"
        assert public.get(f"{base}/badges/shop?show=version").json["message"] == "0.1.0"
        assert public.head(f"{base}/badges/shop.svg").status_int == 200


@both
def test_without_credentials_nobody_learns_which_accounts_there_are(public: Api, end: str) -> None:
    answers = [
        public.get(f"/v1/accounts/{account}/badges/other{end}", status=404)
        for account in (1, 7, 8, LAST_VALUE)
    ]
    answers.append(public.get(f"/v1/badges/other{end}", status=404))
    for answer in answers:
        problem(answer, 404, "")
        assert answer.body == answers[0].body
        assert sorted(answer.headers.items()) == sorted(answers[0].headers.items())
    # Callers with the right to know it are told.
    target = f"/v1/accounts/8/badges/other{end}"
    problem(public.get(target, headers=basic(ROOT), status=404), 404, "no-such-account")


@both
def test_credentials_that_are_sent_for_a_public_badge_count(
    public: Api, store: Store, end: str
) -> None:
    reader, nobody = new_key(store, "read:series", account=7), new_key(store, account=7)
    target = f"/v1/badges/shop{end}"
    own = public.get(target, headers=basic(reader))
    assert "7" in (told(own) if end else own.json["message"])
    problem(public.get(target, headers=basic(nobody), status=403), 403)
    problem(public.get(f"/v1/accounts/1/badges/shop{end}", headers=basic(reader), status=403), 403)
    for wrong in (Pair(reader.key, "wrong"), replace(ROOT, secret="wrong")):
        problem(public.get(target, headers=basic(wrong), status=401), 401)
    broken = public.get(target, headers={"Authorization": "Bearer x"}, status=401)
    problem(broken, 401)
    assert public.get(target, headers={"Authorization": ""}).status_int == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/series/shop"),
        ("GET", "/v1/series"),
        ("GET", "/v1/history/shop"),
        ("GET", "/v1/semver/shop"),
        ("GET", "/metrics"),
        ("GET", "/v1/accounts/7"),
        ("GET", "/v1/badges"),
        ("GET", "/v1/badges/shop/more"),
        ("GET", "/v1/accounts/7/series/badges/shop"),
        ("GET", "/v1/series/badges/shop"),
        ("GET", "/x/v1/badges/shop"),
        ("GET", "//v1/badges/shop"),
        ("GET", "/v1/BADGES/shop"),
        ("GET", "/v1/badges%2Fshop"),
        ("GET", "/v1/accounts/7/x/badges/shop"),
        ("POST", "/v1/badges/shop"),
        ("PUT", "/v1/badges/shop"),
        ("DELETE", "/v1/accounts/7/badges/shop.svg"),
        ("OPTIONS", "/v1/badges/shop"),
        ("POST", "/v1/series/shop"),
    ],
)
def test_public_badges_open_nothing_else(
    public: Api, store: Store, method: str, target: str
) -> None:
    before = all_rows(store)
    environ = {"REQUEST_URI": target}
    response = public.request("/", method=method, environ=environ, expect_errors=True)
    problem(response, 401)
    assert all_rows(store) == before


@pytest.mark.parametrize("account", ["00x", "x", "", "-1", str(LAST_VALUE + 1)])
def test_a_public_badge_of_what_cannot_be_an_account_is_400(public: Api, account: str) -> None:
    problem(public.get(f"/v1/accounts/{account}/badges/shop", status=400), 400, "invalid-number")
