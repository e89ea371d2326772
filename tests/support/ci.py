"""The clients in `clients/`, each run as its CI system runs it."""

import json
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol
from urllib.parse import quote

import yaml

from tests.conftest import installed, need_curl
from tests.support import ports
from tests.support.service import PATIENCE, Service
from tests.support.shown import with_address

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
SCRIPT = CLIENTS / "monotron.sh"
ACTION = ROOT / "action.yml"
TEMPLATE = CLIENTS / "gitlab" / "monotron.yml"
COMPONENT = CLIENTS / "gitlab" / "templates" / "number.yml"
COMMIT = "90d8c75c8e7d4c3795884be0643f1d98573b97cd"
"""The commit that a CI system builds here."""

SHELLS = {
    name: command
    for name, command in {
        "sh": ["sh"],
        "dash": ["dash"],
        "bash": ["bash", "--posix"],
        "busybox": ["busybox", "sh"],
    }.items()
    if shutil.which(command[0])
}
"""The shells of this machine that a build may run in."""

if os.path.realpath(shutil.which("sh") or "") == os.path.realpath(shutil.which("dash") or "none"):
    del SHELLS["dash"]

Words = tuple[str, ...]
"""What is asked for, as `monotron.sh` has it: ("next", key), ("next", key, token),
("version", name, part, token) or ("calver", name, scheme, token), with options such as
"--width=6" before."""


def split(words: Words) -> tuple[dict[str, str], Words]:
    """Return the options, and the words after them; what stands alone is true."""
    options = {}
    while words and words[0].startswith("--"):
        name, _, value = words[0].removeprefix("--").partition("=")
        options[name] = value or "true"
        words = words[1:]
    return options, words


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build has after it asked."""

    status: int
    answer: str
    """What it goes on with: what the shell prints, the step returns, or the job hands on."""
    log: str

    @property
    def failed(self) -> bool:
        return self.status != 0 and self.answer == ""


class Client(Protocol):
    @property
    def place(self) -> "Place":
        """Where it runs."""
        ...

    def __call__(self, words: Words, variables: Mapping[str, str], trace: bool = False) -> Outcome:
        """Ask in a build with these variables; `trace` has the shell log each command."""
        ...


@dataclass(frozen=True)
class Place:
    """A folder to run in, where `sleep` tells how long it was asked to and then hardly does."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Place":
        need_curl()
        (folder / "bin").mkdir(parents=True)
        sleep = folder / "bin" / "sleep"
        sleep.write_text(
            f"""#!/bin/sh
echo "$1" >>"{folder}/pauses"
while {shutil.which("sleep")} 0.02; [ -e "{folder}/hold" ]; do :; done
"""
        )
        sleep.chmod(sleep.stat().st_mode | stat.S_IXUSR)
        return cls(folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no pause of the clients here end meanwhile."""
        hold = self.folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    def pauses(self) -> list[int]:
        """How long the clients have paused here, in seconds; forgets it."""
        file = self.folder / "pauses"
        # One that begins just now makes the file before it writes.
        if not file.exists() or not (text := file.read_text()):
            return []
        file.unlink()
        return [int(line) for line in text.splitlines()]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        # No proxy: these calls stay on this machine.
        ours = {"PATH": path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "NO_PROXY": "*"}
        return ours | dict(variables)

    def run(self, command: list[str], variables: Mapping[str, str]) -> tuple[int, str, str]:
        """Run to the end; give the exit status, stdout and stderr."""
        done = subprocess.run(
            command,
            env=self.environment(variables),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@dataclass(frozen=True)
class Shell:
    """`monotron.sh` in one shell."""

    command: list[str]
    place: Place

    def __call__(self, words: Words, variables: Mapping[str, str], trace: bool = False) -> Outcome:
        options = ["-x"] if trace else []
        command = [*self.command, *options, str(SCRIPT), *words]
        status, out, err = self.place.run(command, variables)
        return Outcome(status, out.removesuffix("\n"), err)


@dataclass(frozen=True)
class GithubAction:
    """`action.yml`, as a runner runs it: with `sh -e`."""

    place: Place

    def __call__(self, words: Words, variables: Mapping[str, str], trace: bool = False) -> Outcome:
        options, words = split(words)
        inputs = {"url": variables.get("MONOTRON_URL", ""), "key": words[1]} | options
        inputs["credentials"] = variables.get("MONOTRON_KEY", "")
        if words[0] == "version":
            inputs |= {"bump": words[2], "token": words[3]}
        elif words[0] == "calver":
            inputs |= {"scheme": words[2], "token": words[3]}
        elif len(words) == 3:
            inputs |= {"token": words[2]}
        else:
            inputs |= {"without-token": "true"}
        outcome, outputs = self.use(inputs, variables, trace)
        assert len(outputs) <= 1
        return Outcome(outcome.status, "".join(outputs.values()), outcome.log)

    def use(
        self, inputs: Mapping[str, str], variables: Mapping[str, str], trace: bool = False
    ) -> tuple[Outcome, dict[str, str]]:
        """Return the result of a step that uses it with these inputs, and its outputs."""
        action = yaml.safe_load(ACTION.read_text())
        assert inputs.keys() <= action["inputs"].keys()
        values = {
            name: inputs.get(name, rules.get("default", ""))
            for name, rules in action["inputs"].items()
        }
        context = {f"inputs.{name}": text for name, text in values.items()}
        context = {
            name: text.replace("${{ github.sha }}", COMMIT) for name, text in context.items()
        }
        (step,) = action["runs"]["steps"]
        folder = Path(mkdtemp(dir=self.place.folder))
        output = folder / "output"
        output.touch()
        given = {name: _evaluate(text, context) for name, text in step["env"].items()}
        given |= {
            "GITHUB_OUTPUT": str(output),
            "GITHUB_ACTION_PATH": str(ACTION.parent),
        }
        script = folder / "script.sh"
        script.write_text(step["run"])
        command = [step["shell"], "-ex" if trace else "-e", str(script)]
        status, out, err = self.place.run(command, dict(variables) | given)
        lines = output.read_text().splitlines()
        pairs: dict[str, str] = dict(line.split("=", 1) for line in lines)
        assert {name: f"steps.{step['id']}.outputs.{name}" for name in ("number", "version")} == {
            name: rules["value"].removeprefix("${{ ").removesuffix(" }}")
            for name, rules in action["outputs"].items()
        }
        return Outcome(status, "", out + err), pairs


def _evaluate(text: str, context: Mapping[str, str]) -> str:
    """Fill in a workflow's expressions, which are only names of the context."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: context[found[1]], text)


@dataclass(frozen=True)
class GitlabTemplate:
    """`clients/gitlab/monotron.yml`, as a runner runs it in one shell."""

    shell: str
    place: Place

    def __call__(self, words: Words, variables: Mapping[str, str], trace: bool = False) -> Outcome:
        options, words = split(words)
        job = {f"MONOTRON_{name.upper()}": value for name, value in options.items()}
        job["MONOTRON_SERIES"] = words[1]
        if words[0] == "version":
            job |= {"MONOTRON_BUMP": words[2], "MONOTRON_TOKEN": words[3]}
        elif words[0] == "calver":
            job |= {"MONOTRON_SCHEME": words[2], "MONOTRON_TOKEN": words[3]}
        elif len(words) == 3:
            job |= {"MONOTRON_TOKEN": words[2]}
        else:
            job |= {"MONOTRON_WITHOUT_TOKEN": "true"}
        outcome, report = self.extend(job, variables, trace)
        assert report.keys() <= {"MONOTRON_NUMBER"}
        return Outcome(outcome.status, report.get("MONOTRON_NUMBER", ""), outcome.log)

    def extend(
        self,
        job: Mapping[str, str],
        variables: Mapping[str, str],
        trace: bool = False,
        script: list[str] | None = None,
        extended: str = ".monotron",
    ) -> tuple[Outcome, dict[str, str]]:
        """Return the result of a job with these variables that extends a template, and its report.

        The answer is what it prints. `script` stands in the place of the template's own. A job that
        ends well has written the report that it promises, or its log would have an error.
        """
        template = gitlab_job({"extends": extended})
        given = {
            name: text.replace("$CI_COMMIT_SHA", COMMIT)
            for name, text in (template.get("variables", {}) | dict(job)).items()
        }
        folder = Path(mkdtemp(dir=self.place.folder))
        # A runner turns them off with the first lines of the script that it makes.
        options = "set -eo pipefail" if self.shell == "bash" else "set -e"
        lines = [*template["before_script"], *(script or template["script"])]
        text = "\n".join([f"cd '{folder}'", options, *(["set -x"] if trace else []), *lines])
        command = [*SHELLS[self.shell], "-c", text]
        status, out, err = self.place.run(command, dict(variables) | given)
        pairs: dict[str, str] = {}
        for name in template.get("artifacts", {}).get("reports", {}).values():
            report = folder / name
            assert report.exists() or status != 0, "ERROR: No files to upload"
            if report.exists():
                pairs |= dict(line.split("=", 1) for line in report.read_text().splitlines())
        return Outcome(status, out, err), pairs


def gitlab_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job merged with what it extends, as GitLab does it: only maps are merged."""
    templates = yaml.safe_load(TEMPLATE.read_text())
    own = dict(job)
    base = own.pop("extends", None)
    return own if base is None else _merged(gitlab_job(templates[base]), own)


def gitlab_component(inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the pipeline that the component `number` makes of these inputs, as GitLab does it."""
    head, pipeline = yaml.safe_load_all(COMPONENT.read_text())
    rules: dict[str, dict[str, Any]] = head["spec"]["inputs"]
    defaults = {name: str(rule["default"]) for name, rule in rules.items() if "default" in rule}
    values = defaults | dict(inputs)
    assert values.keys() == rules.keys()
    for name, rule in rules.items():
        assert values[name] in rule.get("options", [values[name]]), (
            f"{name} cannot be {values[name]}"
        )
    filled: dict[str, Any] = _filled(pipeline, values)
    return filled


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    """Fill in a component's inputs, in each text of its configuration."""
    if isinstance(node, dict):
        return {_filled(name, values): _filled(each, values) for name, each in node.items()}
    if isinstance(node, list):
        return [_filled(each, values) for each in node]
    return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: values[found[1]], node)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        both_maps = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both_maps else value
    return merged


@dataclass
class Jenkins:
    """The shared library, in builds that `tests/jenkins_pipeline.groovy` runs."""

    place: Place
    process: "subprocess.Popen[str]"

    def __call__(self, words: Words, variables: Mapping[str, str], trace: bool = False) -> Outcome:
        options, words = split(words)
        call = {
            ("next", 2): "next(args[1]",
            ("next", 3): "next(args[1], token: args[2]",
            ("version", 4): "version(args[1], args[2], args[3]",
            ("calver", 4): "calver(args[1], args[2], args[3]",
        }[words[0], len(words)]
        for name, value in options.items():
            call += f", {name}: {value if value in ('true', 'false') else repr(value)}"
        env = dict(variables)
        credentials = {}
        if "MONOTRON_KEY" in env:
            env["MONOTRON_CREDENTIALS"] = "of-the-test"
            credentials["of-the-test"] = env.pop("MONOTRON_KEY").split(":", 1)
        done = self.build(f"return monotron.{call})", env, credentials, words)
        answer = done["result"] or ""
        return Outcome(0 if done["failure"] is None else 1, answer, done["log"])

    def build(
        self,
        script: str,
        variables: Mapping[str, str],
        credentials: Mapping[str, Any] | None = None,
        args: Words = (),
        library: Path = CLIENTS / "jenkins",
    ) -> dict[str, Any]:
        """Run a pipeline; give its result or failure, its log, variables and display name."""
        wanted = {
            "script": script,
            "args": args,
            "env": dict(variables),
            "environment": self.place.environment({}),
            "credentials": dict(credentials or {}),
            "workspace": mkdtemp(dir=self.place.folder),
            "library": str(library),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(wanted), file=self.process.stdin, flush=True)
        # A build that hangs must not keep the tests from ending.
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, "the pipeline's process has ended"
        done: dict[str, Any] = json.loads(line)
        return done


@contextmanager
def jenkins(folder: Path, locale: str = "C.UTF-8") -> Iterator[Jenkins]:
    """Run builds in one Groovy, since its start takes a second or two.

    `locale` is that of its Java, which encodes what it hands to a shell.
    """
    groovy = installed("groovy", "MONOTRON_REQUIRE_GROOVY", "groovy")
    place = Place.make(folder)
    with subprocess.Popen(
        [groovy, str(Path(__file__).with_name("jenkins_pipeline.groovy"))],
        env=os.environ | {"LC_ALL": locale},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield Jenkins(place, process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]


Reply = bytes | Callable[[Request], bytes]
"""The literal answer of an odd server; if it is empty, nothing is sent."""


@dataclass
class OddServer:
    """Answers each request with the next of its replies, and all later ones with the last."""

    replies: list[Reply]
    url: str
    requests: list[Request]


@contextmanager
def odd_server(*replies: Reply) -> Iterator[OddServer]:
    """Serve what no Monotron would, on a free port."""
    odd = OddServer(list(replies), "", [])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            request = Request(self.command, self.path, dict(self.headers))
            reply = odd.replies[min(len(odd.requests), len(odd.replies) - 1)]
            odd.requests.append(request)
            self.close_connection = True
            self.wfile.write(reply if isinstance(reply, bytes) else reply(request))

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        odd.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield odd
        finally:
            server.shutdown()
            thread.join()


def at(service: Service) -> dict[str, str]:
    """Return the variable that leads a client to a service."""
    return {"MONOTRON_URL": f"http://127.0.0.1:{service.port}"}


def to(service: Service, text: str) -> str:
    """Return what a page shows, with the address of a service in place of the one shown."""
    return with_address(text, at(service)["MONOTRON_URL"])


def no_url() -> str:
    """Return an address that nobody listens on."""
    return f"http://127.0.0.1:{ports.nobody()}"


def series_path(key: str) -> str:
    """Return the path of a series in the API."""
    return f"/v1/series/{quote(key, safe='')}"


def reply(status: str, body: str = "", **headers: str) -> bytes:
    """Return an answer as it is sent."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "", ""]) + body).encode()
