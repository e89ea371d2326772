"""The specifics of Jenkins, GitHub and GitLab, and that all clients are one script."""

import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from monotron.core.api_keys import Pair
from tests.conftest import basic, from_test_extra
from tests.support import ci
from tests.support.ci import CLIENTS, COMMIT, SHELLS, Place, at, no_url, odd_server, reply
from tests.support.service import Service

pytestmark = pytest.mark.same_on_each_python


ACTION = yaml.safe_load(ci.ACTION.read_text(encoding="utf-8"))
TEMPLATES = yaml.safe_load(ci.TEMPLATE.read_text(encoding="utf-8"))
NUMBER_JOB = ci.gitlab_job({"extends": ".monotron"})


@pytest.fixture
def key() -> str:
    return f"series of {uuid4()}"


@pytest.fixture
def github(tmp_path: Path) -> ci.GithubAction:
    return ci.GithubAction(Place.make(tmp_path / "place"))


@pytest.fixture(params=SHELLS)
def gitlab(request: pytest.FixtureRequest, tmp_path: Path) -> ci.GitlabTemplate:
    return ci.GitlabTemplate(request.param, Place.make(tmp_path / "place"))


SCRIPTS = {
    "monotron.sh": (CLIENTS / "monotron.sh").read_text(),
    "copy.sh": (CLIENTS / "copy.sh").read_text(),
    "github": ACTION["runs"]["steps"][0]["run"],
    "gitlab": "\n".join([*NUMBER_JOB["before_script"], *NUMBER_JOB["script"]]),
}
"""All that runs in a shell."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    done = subprocess.run(
        [from_test_extra("shellcheck"), "--norc", "--shell=sh", "-"],
        input=SCRIPTS[name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_client_has_the_same_script() -> None:
    script = SCRIPTS["monotron.sh"]
    assert (CLIENTS / "jenkins" / "resources" / "monotron.sh").read_text() == script
    assert NUMBER_JOB["before_script"] == [f"monotron() (\n{script})\n"]
    assert '"$GITHUB_ACTION_PATH/clients/monotron.sh"' in SCRIPTS["github"]
    assert (ci.ACTION.parent / "clients" / "monotron.sh").exists()


def test_copies_are_made_by_the_command_for_it(tmp_path: Path) -> None:
    copy = tmp_path / "clients"
    shutil.copytree(CLIENTS, copy)
    changed = SCRIPTS["monotron.sh"].replace("\n# It needs", "\n# Changed: \\1 & \\\\\n# It needs")
    (copy / "monotron.sh").write_text(changed)
    for _ in range(2):
        subprocess.run([copy / "copy.sh"], cwd=tmp_path, check=True)
    assert (copy / "jenkins" / "resources" / "monotron.sh").read_text() == changed
    templates = yaml.safe_load((copy / "gitlab" / "monotron.yml").read_text())
    embedded = {".monotron-function": {"before_script": [f"monotron() (\n{changed})\n"]}}
    assert templates == TEMPLATES | embedded


def test_no_library_file_is_a_link() -> None:
    assert not [path for path in CLIENTS.rglob("*") if path.is_symlink()]


# Jenkins.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("next('a', token: env.GIT_COMMIT)", "the token is null (as env.GIT_COMMIT is"),
        ("next(env.NAME)", "the key is null"),
        ("next('a', token: '')", "the token is empty"),
        ("next(token: 'a')", "the key must be text"),
        ("next('a', token: ['b'])", "the token must be text"),
        ("next('a', tokn: 'b')", "the options can be [token, remember, width, url, credentials]"),
        ("next('a', token: 'b', remember: 'no')", "remember must be true or false"),
        ("next('a', width: null)", "the width is null"),
        ("version('a', 'minor', env.GIT_COMMIT)", "the token is null"),
        ("version('a', null, 'b')", "the bump is null"),
        ("version('a', 'minor', 'b', token: 'c')", "the options can be [pre, url, credentials]"),
        ("version('a', 'minor', 'b', pre: '')", "the pre is empty"),
        ("calver('a', null, 'b')", "the scheme is null"),
        ("calver('a', 'YY.MICRO', 'b', scheme: 'c')", "the options can be [tz, url, credentials]"),
        ("seed('a', null)", "the value is null"),
        ("seed('a', env.BUILD_NUMBER)", "the value is null"),
    ],
)
def test_jenkins_call_that_is_wrong_fails_and_asks_nothing(
    jenkins: ci.Jenkins, call: str, message: str
) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        done = jenkins.build(f"monotron.{call}", {"MONOTRON_URL": odd.url})
    assert done["failure"].startswith(f"monotron: {message}")
    assert odd.requests == []


def test_jenkins_without_an_address_fails(jenkins: ci.Jenkins) -> None:
    done = jenkins.build("monotron.next('a')", {})
    assert "MONOTRON_URL" in done["failure"]


def test_jenkins_takes_address_and_credentials_from_options(jenkins: ci.Jenkins) -> None:
    variables = {"MONOTRON_URL": no_url(), "MONOTRON_CREDENTIALS": "another"}
    with odd_server(reply("200 OK", "1\n")) as odd:
        call = f"monotron.next('a', url: '{odd.url}', credentials: 'mine')"
        done = jenkins.build(f"return {call}", variables, {"mine": ["key", "secret"]})
    assert (done["failure"], done["result"]) == (None, "1")
    assert odd.requests[0].headers["Authorization"] == "Basic a2V5OnNlY3JldA=="


def test_jenkins_takes_the_key_of_the_build_where_no_credentials_are_named(
    jenkins: ci.Jenkins,
) -> None:
    call = "monotron.next('a')\nmonotron.next('a', credentials: 'mine')"
    with odd_server(reply("200 OK", "1\n")) as odd:
        variables = {"MONOTRON_URL": odd.url, "MONOTRON_KEY": "of:the-build"}
        done = jenkins.build(call, variables, {"mine": ["key", "secret"]})
    assert done["failure"] is None
    sent = [request.headers["Authorization"] for request in odd.requests]
    pairs = [Pair("of", "the-build"), Pair("key", "secret")]
    assert sent == [basic(pair)["Authorization"] for pair in pairs]


def test_jenkins_moves_a_series_up_and_never_back(
    jenkins: ci.Jenkins, service: Service, key: str
) -> None:
    script = "monotron.seed(args[0], env.BUILD_NUMBER)\nreturn monotron.next(args[0])"
    variables = at(service) | {"BUILD_NUMBER": "4711"}
    assert jenkins.build(script, variables, args=(key,))["result"] == "4712"
    again = jenkins.build(script, variables, args=(key,))
    assert again["failure"] is not None
    assert "never moves back" in again["log"]
    assert service.get(ci.series_path(key)).json["value"] == 4712


def test_jenkins_without_the_credentials_fails(jenkins: ci.Jenkins) -> None:
    done = jenkins.build("monotron.next('a', credentials: 'no')", {"MONOTRON_URL": no_url()})
    assert "'no'" in done["failure"]


def test_jenkins_keeps_the_secret_to_the_one_step(jenkins: ci.Jenkins) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        done = jenkins.build(
            "monotron.next('a', credentials: 'mine')\nsh 'env'",
            {"MONOTRON_URL": odd.url},
            {"mine": ["key", "secret-of-mine"]},
        )
    assert done["failure"] is None
    assert "MONOTRON_URL=" in done["log"]
    assert "secret-of-mine" not in done["log"]


def test_jenkins_takes_texts_that_are_put_together(
    jenkins: ci.Jenkins, service: Service, key: str
) -> None:
    call = 'monotron.next("${args[0]}-${40 + 2}", token: 7)'
    assert jenkins.build(f"return {call}", at(service), args=(key,))["result"] == "1"
    assert service.get(ci.series_path(f"{key}-42")).json["token"] == "7"


def test_jenkins_number_fits_a_display_name_and_calculations(
    jenkins: ci.Jenkins, service: Service, key: str
) -> None:
    service.put(ci.series_path(key), b'{"value":9223372036854775805}')
    done = jenkins.build(
        "currentBuild.displayName = monotron.next(args[0])\n"
        "return (monotron.next(args[0]) as long) - 7",
        at(service),
        args=(key,),
    )
    assert (done["displayName"], done["result"]) == ("9223372036854775806", 2**63 - 8)


def test_jenkins_fails_where_the_script_gives_nothing(jenkins: ci.Jenkins, tmp_path: Path) -> None:
    shutil.copytree(CLIENTS / "jenkins", tmp_path / "library")
    (tmp_path / "library" / "resources" / "monotron.sh").write_text(":\n")
    done = jenkins.build(
        "return monotron.next('a')", {"MONOTRON_URL": no_url()}, library=tmp_path / "library"
    )
    assert (done["failure"], done["result"]) == ("monotron: the script printed no number", None)


def test_jenkins_name_that_java_would_spoil_fails_and_asks_nothing(tmp_path: Path) -> None:
    """Without a UTF-8 locale Java hands other letters on as `?`: all names of a length are one."""
    calls = ["next(args[0])", "next('a', token: args[0])", "version('a', 'minor', args[0])"]
    with ci.jenkins(tmp_path, locale="C") as jenkins, odd_server(reply("200 OK", "1\n")) as odd:
        for call in calls:
            done = jenkins.build(f"monotron.{call}", {"MONOTRON_URL": odd.url}, args=("größe",))
            assert done["failure"] is not None
            assert "monotron: this agent's Java has no UTF-8 locale" in done["log"]
            assert "set LC_ALL=C.UTF-8" in done["log"]
        assert odd.requests == []
        done = jenkins.build("return monotron.next('a', token: 'b')", {"MONOTRON_URL": odd.url})
    assert (done["failure"], done["result"]) == (None, "1")


def test_jenkins_library_needs_no_approval() -> None:
    """Only steps and methods that the sandbox allows, and no loop that a restart would break."""
    text = (CLIENTS / "jenkins" / "vars" / "monotron.groovy").read_text()
    quoted = r"'''.*?'''|'[^'\n]*'|\"[^\"\n]*\""
    code = re.sub(rf"{quoted}|//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    called = set(re.findall(r"\b(\w+)\(", code)) - {"if", "for"}
    own = set(re.findall(r"^(?:private )?\w+ (\w+)\(", code, re.MULTILINE))
    steps = {"sh", "withEnv", "withCredentials", "usernamePassword", "libraryResource", "error"}
    methods = {"add", "addAll", "size", "containsKey", "toString", "isEmpty", "trim", "matches"}
    assert own | steps <= called <= own | steps | methods
    assert not re.search(r"\bimport\b|\bnew\b|@|\.each|\.collect|\bin\b", code)


# GitHub.


def test_github_inputs_are_never_part_of_a_script() -> None:
    (step,) = ACTION["runs"]["steps"]
    assert "${{" not in step["run"]
    used = set(re.findall(r"inputs\.([\w-]+)", str(step["env"])))
    assert used == set(ACTION["inputs"])


def test_github_number_stands_for_the_commit_where_no_token_is_given(
    github: ci.GithubAction, service: Service, key: str
) -> None:
    inputs = {"url": at(service)["MONOTRON_URL"], "key": key}
    assert github.use(inputs, {})[1] == {"number": "1"}
    assert github.use(inputs, {})[1] == {"number": "1"}
    assert service.get(ci.series_path(key)).json["token"] == COMMIT
    assert github.use(inputs | {"bump": "patch"}, {})[1] == {"version": "0.0.1"}


def test_github_marketplace_can_list_the_action() -> None:
    """It lists the one at the root of a repository, with an icon that its schema knows."""
    assert ci.ACTION.relative_to(ci.ROOT) == Path("action.yml")
    assert ACTION["branding"].keys() == {"icon", "color"}
    assert len(ACTION["description"]) < 125


def test_github_takes_the_two_parts_of_a_pair(github: ci.GithubAction) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        inputs = {"url": odd.url, "key": "a", "api-key": "key", "api-secret": "secret"}
        outcome, outputs = github.use(inputs, {})
    assert (outcome.status, outputs) == (0, {"number": "1"})
    assert odd.requests[0].headers["Authorization"] == basic(Pair("key", "secret"))["Authorization"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"without-token": "yes"}, "without-token must be true or false"),
        ({"without-token": ""}, "without-token must be true or false"),
        ({"remember": "yes"}, "remember must be true or false"),
        ({"without-token": "true", "bump": "minor"}, "only one of"),
        ({"without-token": "true", "scheme": "YY.MICRO"}, "only one of"),
        ({"bump": "minor", "scheme": "YY.MICRO"}, "only one of"),
    ],
    ids=repr,
)
def test_github_inputs_that_cannot_be_fail(
    github: ci.GithubAction, wrong: dict[str, str], message: str
) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        outcome, outputs = github.use({"url": odd.url, "key": "a"} | wrong, {})
    assert (outcome.status, outputs, odd.requests) == (2, {}, [])
    assert message in outcome.log


def test_github_needs_an_address(github: ci.GithubAction) -> None:
    outcome, outputs = github.use({"key": "a"}, {"MONOTRON_URL": no_url()})
    assert (outcome.status, outputs) == (2, {})
    assert "MONOTRON_URL is not set" in outcome.log


# GitLab.


def test_gitlab_number_stands_for_the_commit_where_no_token_is_given(
    gitlab: ci.GitlabTemplate, service: Service, key: str
) -> None:
    for _ in range(2):
        outcome, report = gitlab.extend({"MONOTRON_SERIES": key}, at(service))
        assert (outcome.status, report) == (0, {"MONOTRON_NUMBER": "1"})
    assert service.get(ci.series_path(key)).json["token"] == COMMIT


def test_gitlab_variable_can_be_named(
    gitlab: ci.GitlabTemplate, service: Service, key: str
) -> None:
    job = {"MONOTRON_SERIES": key, "MONOTRON_BUMP": "minor", "MONOTRON_VARIABLE": "SHOP_VERSION"}
    assert gitlab.extend(job, at(service))[1] == {"SHOP_VERSION": "0.1.0"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"MONOTRON_VARIABLE": ""},
        {"MONOTRON_VARIABLE": "1A"},
        {"MONOTRON_VARIABLE": "PATH=x\nA"},
        {"MONOTRON_WITHOUT_TOKEN": "yes"},
        {"MONOTRON_REMEMBER": ""},
        {"MONOTRON_BUMP": "minor", "MONOTRON_WITHOUT_TOKEN": "true"},
        {"MONOTRON_BUMP": "minor", "MONOTRON_SCHEME": "YY.MICRO"},
    ],
    ids=repr,
)
def test_gitlab_variables_that_cannot_be_fail(
    gitlab: ci.GitlabTemplate, wrong: dict[str, str]
) -> None:
    with odd_server(reply("200 OK", "1\n")) as odd:
        job = {"MONOTRON_SERIES": "a"} | wrong
        outcome, report = gitlab.extend(job, {"MONOTRON_URL": odd.url})
    assert (outcome.status, report, odd.requests) == (2, {}, [])
    assert next(iter(wrong)) in outcome.log


def test_gitlab_job_can_ask_in_its_own_script(
    gitlab: ci.GitlabTemplate, service: Service, key: str
) -> None:
    script = ['NUMBER=$(monotron next "$MONOTRON_SERIES" a)', 'echo "$NUMBER $-"']
    own = ".monotron-function"
    job = {"MONOTRON_SERIES": key}
    done = gitlab.extend(job, at(service), script=script, extended=own)[0]
    # The shell of the job stays as it was.
    options = gitlab.extend({}, {}, script=['echo "$-"'], extended=own)[0].answer
    assert done.answer == f"1 {options}"


def test_gitlab_function_brings_nothing_else_to_a_job() -> None:
    """A report that is never written would be an error in the log of each job that has it."""
    assert ci.gitlab_job({"extends": ".monotron-function"}).keys() == {"before_script"}


def test_gitlab_job_ends_where_its_own_script_gets_no_number(gitlab: ci.GitlabTemplate) -> None:
    script = ["NUMBER=$(monotron next)", "echo goes on"]
    at_none = {"MONOTRON_URL": no_url()}
    ended = gitlab.extend({}, at_none, script=script, extended=".monotron-function")[0]
    assert (ended.status, ended.answer) == (2, "")


# GitLab's component.


SHOP = {"url": "https://monotron.example.com", "series": "shop"}


def test_gitlab_component_is_the_template_with_an_input_for_each_variable() -> None:
    pipeline = ci.gitlab_component(SHOP)
    assert pipeline.pop("include") == [{"local": "/monotron.yml"}]
    (job,) = pipeline.values()
    assert job.pop("extends") == ".monotron"
    variables = job.pop("variables")
    assert job == {"stage": ".pre", "image": "curlimages/curl"}
    given = {"MONOTRON_URL": SHOP["url"], "MONOTRON_SERIES": SHOP["series"]}
    assert variables == NUMBER_JOB["variables"] | given


def test_gitlab_component_takes_a_number(
    gitlab: ci.GitlabTemplate, service: Service, key: str
) -> None:
    inputs = {"url": at(service)["MONOTRON_URL"], "series": key, "variable": "SHOP", "job": "ask"}
    for bump, answer in (("", "1"), ("minor", "0.1.0")):
        job = ci.gitlab_component(inputs | {"bump": bump})["ask"]
        outcome, report = gitlab.extend(job["variables"], {}, extended=job["extends"])
        assert (outcome.status, report) == (0, {"SHOP": answer})
    assert service.get(ci.series_path(key)).json["token"] == COMMIT


@pytest.mark.parametrize(
    "wrong", [{"bump": "huge"}, {"remember": "yes"}, {"without-token": ""}], ids=repr
)
def test_gitlab_component_lets_no_pipeline_start_with_a_wrong_input(wrong: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="cannot be"):
        ci.gitlab_component(SHOP | wrong)


def test_gitlab_component_stands_where_a_catalog_looks_for_it() -> None:
    """A component project has `templates` and a README at its root, and all that it includes."""
    project = CLIENTS / "gitlab"
    assert ci.COMPONENT.relative_to(project) == Path("templates/number.yml")
    assert {"README.md", "monotron.yml"} <= {path.name for path in project.iterdir()}
    head = next(yaml.safe_load_all(ci.COMPONENT.read_text()))
    assert all("description" in rule for rule in head["spec"]["inputs"].values())


def test_gitlab_component_asks_for_no_secret() -> None:
    """An input stands in the pipeline's configuration, where everybody can read it."""
    head = next(yaml.safe_load_all(ci.COMPONENT.read_text()))
    assert not [name for name in head["spec"]["inputs"] if re.search("key|secret|cred", name)]
