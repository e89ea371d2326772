"""`/openapi.json` describes what the service does: every route, and every answer."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator

from monotron.api import errors
from monotron.app import App, create_app
from monotron.core.api_keys import Pair
from monotron.settings import Settings
from monotron.store.lmdb import LmdbStore
from tests.conftest import basic
from tests.support import web
from tests.support.service import Service, environment, services
from tests.support.web import UUID, Api, routes

METHODS = {"get", "put", "post", "delete"}
ROOT = {"ROOT_API_KEY": "root", "ROOT_API_SECRET": "correct horse battery staple"}


@pytest.fixture(params=[False, True], ids=["open", "authenticated"])
def described(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The document."""
    return web.described(authentication=request.param)


@pytest.fixture
def app(store: LmdbStore, settings: Settings) -> App:
    return create_app(store, settings)


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return each operation by its method and path."""
    return {
        (method.upper(), path): item[method]
        for path, item in described["paths"].items()
        for method in METHODS & item.keys()
    }


def inside(node: object) -> Iterator[dict[str, Any]]:
    """Iterate over every object in a document, outer ones before inner ones."""
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from inside(child)


def with_schema(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Iterate over every object with a schema: a parameter, a header, a body."""
    return [each for each in inside(described) if isinstance(each.get("schema"), dict)]


# Every described call exists, and every call is described


def test_it_has_every_route_with_every_method_and_no_other(described: dict[str, Any]) -> None:
    served = {(method, path) for path, methods in routes().items() for method in methods}
    # HEAD, which is GET without the body, would only make clients twice as large.
    assert operations(described).keys() == {call for call in served if call[0] != "HEAD"}
    assert not [path for path, item in described["paths"].items() if "head" in item]
    assert "HEAD works wherever GET does" in described["info"]["description"]


def test_it_names_the_scope_that_each_call_needs(app: App) -> None:
    told = {}
    needed = {}
    for (method, path), operation in operations(web.described(authentication=True)).items():
        found: Any = app._router.find(path.replace("{uuid}", UUID))
        need = found[0].calls[method].needs
        told[method, path] = [scheme["basic"] for scheme in operation.get("security", [])]
        scope = ":".join(each.value for each in need) if isinstance(need, tuple) else need
        needed[method, path] = [[scope]] if scope else []
    assert told == needed


def test_it_has_every_kind_of_problem(described: dict[str, Any]) -> None:
    told = {
        (members["status"]["const"], kind)
        for schema in inside(described)
        if "const" in (members := schema.get("properties", {})).get("status", {})
        for kind in members.get("type", {}).get("enum", [])
        if kind != "about:blank"
    }
    kinds = {(status, f"urn:monotron:problem:{kind}") for status, kind in errors.ANSWERS.values()}
    assert told == kinds


def test_credentials_are_spoken_of_only_where_they_are_asked_for() -> None:
    unguarded = web.described(authentication=False)
    # Said so: tools take a document that is silent about it for one that forgot.
    assert unguarded.pop("security") == []
    assert "security" not in str(unguarded)
    assert not {"401", "403"} & {
        status for operation in operations(unguarded).values() for status in operation["responses"]
    }
    described = web.described(authentication=True)
    assert described["security"] == [{"basic": []}]
    for (_, path), operation in operations(described).items():
        is_open = path in ("/livez", "/healthz", "/readyz", "/", "/web/{file}")
        assert ("401" in operation["responses"]) is not is_open, path
        assert (operation.get("security") == []) is is_open, path


def test_credentials_may_be_left_out_for_badges_where_these_are_public(
    store: LmdbStore, settings: Settings
) -> None:
    described = web.described(authentication=True, public_badges=True)
    for (_, path), operation in operations(described).items():
        security = operation.get("security", [])
        may_be_left_out = {} in security
        assert may_be_left_out is ("/badge" in path), path
        if may_be_left_out:
            assert security == [{"basic": ["read:series"]}, {}]
            assert "401" in operation["responses"]
    guarded = replace(settings, root_api_key="root", root_api_secret="secret")
    for public in (False, True):
        api = Api(create_app(store, replace(guarded, public_badges=public)))
        served = api.get("/openapi.json", headers=basic(Pair("root", "secret"))).json
        assert served == web.described(authentication=True, public_badges=public)


def test_every_answer_has_a_request_id(described: dict[str, Any]) -> None:
    answers = [
        described["components"]["responses"][each["$ref"].rpartition("/")[2]]
        if "$ref" in each
        else each
        for operation in operations(described).values()
        for each in operation["responses"].values()
    ]
    assert len(answers) > 400
    assert all("X-Request-ID" in each["headers"] for each in answers)


def test_metrics_come_in_the_content_types_that_it_names(
    api: Api, described: dict[str, Any]
) -> None:
    content = described["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    answered = [
        api.get("/metrics", headers={"Accept": accept}).headers["Content-Type"]
        for accept in ("*/*", "application/openmetrics-text")
    ]
    assert list(content) == answered


# It is well made


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(described).validate()
    for schema in [
        *described["components"]["schemas"].values(),
        *(each["schema"] for each in with_schema(described)),
    ]:
        Draft202012Validator(schema | {"components": described["components"]})


def test_it_keeps_to_the_specification(described: dict[str, Any]) -> None:
    openapi_spec_validator.validate(described)


def test_it_says_where_calls_go_and_under_which_licence_it_all_is(
    described: dict[str, Any],
) -> None:
    assert described["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    here, elsewhere = described["servers"]
    # A generator joins it and a path; it cannot join `.` and a path.
    assert here["url"] == "/"
    names = re.findall(r"{(\w+)}", elsewhere["url"])
    assert set(names) == elsewhere["variables"].keys()
    defaults = {name: each["default"] for name, each in elsewhere["variables"].items()}
    assert elsewhere["url"].format(**defaults) == "http://127.0.0.1:8080"


def test_answers_may_get_new_members(described: dict[str, Any]) -> None:
    """docs/api.md promises it, so no client may be made that refuses them."""
    closed = [each for each in inside(described) if each.get("additionalProperties") is False]
    # They are only read, and the service refuses what it does not know.
    schemas = described["components"]["schemas"]
    of_grant = schemas["WantedGrant"]["anyOf"][1]
    expected = [schemas["Seed"], schemas["NewLimit"], of_grant]
    assert sorted(map(str, closed)) == sorted(map(str, expected))


def test_what_is_always_the_same_has_a_type(described: dict[str, Any]) -> None:
    constants = [each for each in inside(described) if "const" in each]
    assert len(constants) > 20
    types = {str: "string", int: "integer"}
    assert [each for each in constants if each.get("type") != types[type(each["const"])]] == []


def test_what_it_refers_to_is_there_and_nothing_is_left_over(described: dict[str, Any]) -> None:
    references = {each["$ref"] for each in inside(described) if "$ref" in each}
    components = {
        f"#/components/{kind}/{name}"
        for kind, parts in described["components"].items()
        for name in parts
        if kind != "securitySchemes"
    }
    assert references == components

    names = [operation["operationId"] for operation in operations(described).values()]
    assert len(names) == len(set(names))
    linked = {
        link["operationId"]
        for operation in operations(described).values()
        for link in operation["responses"]["200"].get("links", {}).values()
    }
    assert linked <= set(names)


def test_every_parameter_header_and_body_has_an_example_that_fits(
    described: dict[str, Any],
) -> None:
    for each in with_schema(described):
        examples = [named["value"] for named in each.get("examples", {}).values()]
        if "example" in each:
            examples.append(each["example"])
        assert examples, each
        assert_fits(examples, each["schema"], described)


def test_every_schema_has_an_example_that_fits(described: dict[str, Any]) -> None:
    for schema in described["components"]["schemas"].values():
        assert schema["examples"]
        assert_fits(schema["examples"], schema, described)


def assert_fits(examples: list[Any], schema: dict[str, Any], described: dict[str, Any]) -> None:
    whole = schema | {"components": described["components"]}
    validator = Draft202012Validator(whole, validate_formats=True)
    for example in examples:
        validator.validate(example)


# A client that is made from it works

GENERATOR = {
    # They are beyond it: a body of plain text, and an image.
    "content_type_overrides": {
        "text/plain": "application/octet-stream",
        "image/svg+xml": "application/octet-stream",
    },
    # It would format the client with whichever ruff is on the PATH.
    "post_hooks": [],
}

CALL = """
import sys
from client import AuthenticatedClient
from client.api.series import get_series, take_value_for_token

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], prefix="Basic")
for token in ("7d4c", "90d8", "90d8"):
    answer = take_value_for_token.sync("feature/login", token, client=client)
    print(answer.key, answer.token, answer.value)
print(get_series.sync_detailed("missing", client=client).parsed.detail)
"""


@pytest.mark.long
def test_a_generated_client_takes_numbers(tmp_path: Path) -> None:
    with services(tmp_path) as serve:
        running = serve(variables=ROOT)
        url = f"http://127.0.0.1:{running.port}"
        pair = base64.b64encode(":".join(ROOT.values()).encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps(GENERATOR))
        (tmp_path / "openapi.json").write_text(json.dumps(web.described(authentication=True)))
        (tmp_path / "call.py").write_text(CALL)
        flags = ["--path", "openapi.json", "--config", "config.json", "--meta", "none"]
        command = ["-m", "openapi_python_client", "generate", *flags, "--output-path", "client"]
        made = python(tmp_path, *command, "--fail-on-warning")
        assert "WARNING" not in made
        assert python(tmp_path, "call.py", url, pair).splitlines() == [
            "feature/login 7d4c 1",
            "feature/login 90d8 2",
            "feature/login 90d8 2",
            "the series 'missing' has no value yet",
        ]


def python(folder: Path, *arguments: str) -> str:
    """Run Python in a folder; return what it printed, after checking that it did not fail."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment({"PYTHONUTF8": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


# The service keeps to it

SCHEMATHESIS = r"""
color = false
continue-on-failure = true
seed = 1

[generation]
database = "none"
max-examples = 8
# Credentials come from the command line. It is the check ignored_auth that leaves them out.
with-security-parameters = false

[phases.coverage]
generate-duplicate-query-parameters = true

[phases.stateful.generation]
max-examples = 40

[phases.stateful.inference]
# Links guessed from names would crowd out those of the document.
algorithms = []

[[operations]]
# An Idempotency-Key, too, is drawn for one request and then for another one.
include-operation-id-regex = "^(take(BuildNumber|Values)|postValueForToken)"
[operations.checks.positive_data_acceptance]
expected-statuses = [REFUSED_WIDTH"2xx", "404", "409", "412", "422"]

[[operations]]
# Nor can the document say that a width needs text/plain.
include-operation-id-regex = "^get(BuildNumber|Series|ValueOfToken|Limit)"
[operations.checks.positive_data_acceptance]
expected-statuses = [REFUSED_WIDTH"2xx", "401", "403", "404"]

[[operations]]
include-operation-id-regex = "^(takeValueForToken|seedSeries)"
[operations.checks.positive_data_acceptance]
expected-statuses = [REFUSED_WIDTH"2xx", "401", "403", "404", "409", "412"]

[[operations]]
# It cannot say either which time zones there are.
include-operation-id-regex = "^takeCalendarVersion"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412"]

[[operations]]
# With `sort=changed`, `after` has to be the `next` of the page before.
include-operation-id-regex = "^listSeries"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404"]

[[operations]]
# The query is for the token of that name, which takes no body.
include-operation-id-regex = "^setLimit"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412"]

[[operations]]
# The document cannot say which ETag is current. The first of these that fits a call counts, so it
# comes after those of single calls.
include-method-regex = "^(PUT|DELETE)$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412"]

[[operations]]
include-operation-id-regex = "^makeGrant"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412"]

[[operations]]
# Beside an unknown parameter, Schemathesis (4.32) takes the number in `limit=50` for text, and
# blames the 400 on the wrong one of the two.
include-operation-id-regex = "^(list(Series|Accounts|Versions)|getHistory|getBadge|takeValues)"
[operations.generation]
allow-extra-parameters = false

[[operations]]
# `{}` is the answer if there are no attributes, so also after they were deleted.
include-operation-id-regex = "^getAttributes"
[operations.checks.use_after_free]
enabled = false
"""

PATIENCE = 600.0
"""Seconds after which Schemathesis counts as hanging. Not a measure of speed."""

AS_TEXT = ("--header", "Accept: text/plain")

RUNS: dict[str, tuple[dict[str, str], list[str]]] = {
    "open": ({}, []),
    # What is below an account is the same resources as in the caller's own, which are enough here.
    "authenticated, plain text": (
        ROOT,
        [
            *("--auth", ":".join(ROOT.values()), *AS_TEXT),
            *("--exclude-path-regex", "^/v1/accounts/{account_id}/(?!grants)"),
        ],
    ),
}
"""The service's variables, and Schemathesis's flags."""


@dataclass
class Run:
    """Schemathesis running on a service, in its own process.

    Its pytest plugin has no such phase as the stateful one, and depends on pytest's inner parts.
    """

    service: Service
    tester: "subprocess.Popen[bytes]"
    report: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All runs, beside each other."""
    started: dict[str, Run] = {}
    with ExitStack() as stack:
        for name, (variables, flags) in RUNS.items():
            place = tmp_path_factory.mktemp("openapi")
            service = stack.enter_context(services(place))(variables=variables)
            report = place / "report"
            tester = stack.enter_context(schemathesis_on(service, report, flags))
            stack.callback(tester.kill)
            started[name] = Run(service, tester, report)
        yield started


def schemathesis_on(service: Service, report: Path, flags: list[str]) -> "subprocess.Popen[bytes]":
    settings = report.with_name("schemathesis.toml")
    refused = "" if {*AS_TEXT} <= {*flags} else '"400", '
    settings.write_text(SCHEMATHESIS.replace("REFUSED_WIDTH", refused))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)]
    url = f"http://127.0.0.1:{service.port}/openapi.json"
    with report.open("wb") as output:
        return subprocess.Popen(
            [*command, "run", url, "--checks", "all", *flags],
            env=environment({"PYTHONUTF8": "1"}),
            cwd=report.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@pytest.mark.long
@pytest.mark.same_on_each_python
@pytest.mark.xdist_group("schemathesis")
@pytest.mark.parametrize("name", RUNS)
def test_the_service_answers_as_described(runs: dict[str, Run], name: str) -> None:
    """Requests made from the document, right and wrong ones; all checks look at the answers."""
    run = runs[name]
    status = run.tester.wait(PATIENCE)
    report = run.report.read_text(encoding="utf-8")
    print(report)
    assert status == 0
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}\n" in report
    assert run.service.lines == []
