"""The files for deploying monotron are valid, and keep their promises."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from monotron import __version__, health
from monotron.core import records, tables
from monotron.settings import SETTINGS, Settings, read_settings
from monotron.store.lmdb import LmdbStore
from tests.conftest import from_test_extra
from tests.support import service, shown
from tests.support.ports import new_port
from tests.support.web import routes

pytestmark = pytest.mark.same_on_each_python

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
TRAEFIK = ROOT / "deploy" / "traefik"
K8S = ROOT / "deploy" / "k8s"

AUTHENTICATION = ROOT / "deploy" / "compose" / "authentication.yml"
"""Turns authentication on in the compose file of the root folder, copied beside it."""

CLUSTER = ROOT / "deploy" / "cluster" / "docker-compose.yml"
"""Several Monotron on an etcd; tests/deploy/test_replicas.py looks at it."""

COMPOSE_FILES = [COMPOSE, TRAEFIK / "docker-compose.yml"]
CLOSED_COMPOSE_FILES = [AUTHENTICATION, TRAEFIK / "docker-compose.yml"]
KUSTOMIZATIONS = sorted(path.parent for path in K8S.rglob("kustomization.yaml"))
MANIFESTS = sorted(path for path in K8S.rglob("*.yaml") if path.name != "kustomization.yaml")

OF_THE_OPERATOR = "monitoring.coreos.com/v1"
"""The kinds of the Prometheus Operator; tests/deploy/test_monitoring.py looks at them."""

KUBERNETES = ["1.29", "1.37"]
"""The first with ReadWriteOncePod for everybody, and the newest that kubernetes-validate knows."""

DEPLOYED = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file())
CHART = ROOT / "deploy" / "helm" / "monotron"
"""tests/deploy/test_chart.py looks at it; its templates are no YAML."""
YAML = {".yml", ".yaml"}

ROOT_PAIR = [s.name for s in SETTINGS if s.secret and s.name.startswith("root_")]
K8S_SECRET = "monotron-root"
GUIDES = [ROOT / "docs/deployment.md", K8S / "README.md", K8S / "replicas/README.md"]
"""Pages that set Monotron up on Kubernetes, without Helm."""
STORAGE = "/data"
SECRETS = "/run/secrets"
"""Where Docker and Compose mount secrets, and Kubernetes too."""
SECONDS_TO_LEAVE = 10
"""How long monotron takes to exit after SIGTERM, at most."""

ENCODED = ("Slash", "BackSlash", "Semicolon", "Percent", "QuestionMark", "Hash")
"""Characters that a name may contain and Traefik can refuse: its list without the null one."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run(
    *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def validate(manifest: dict[str, Any], version: str) -> None:
    if manifest["apiVersion"] == OF_THE_OPERATOR:
        return
    # It falls back to an older schema without a word, so what it used is compared.
    assert kubernetes_validate.validate(manifest, version, strict=True) == version


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, without comments and with continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    parts = [line.split(None, 1) for line in lines if line.strip()]
    return [(keyword.upper(), " ".join(rest.split())) for keyword, rest in parts]


def of(keyword: str) -> list[str]:
    return [rest for found, rest in instructions() if found == keyword]


def flags(rest: str) -> set[str]:
    found = re.match(r"(?:--\S+\s+)*", rest)
    assert found is not None
    return {word.partition("=")[0] for word in found.group().split()}


def image_env() -> dict[str, str]:
    return dict(word.split("=", 1) for rest in of("ENV") for word in rest.split())


def image_settings() -> Settings:
    return read_settings(image_env(), {})


def shell_blocks(path: Path) -> list[str]:
    return shown.blocks(path.read_text(encoding="utf-8"), "sh")


def pod() -> Any:
    return load(K8S / "statefulset.yaml")["spec"]["template"]["spec"]


def container() -> Any:
    (only,) = pod()["containers"]
    return only


def images(folder: Path) -> dict[str, dict[str, str]]:
    """Return the images that a kustomization names, by what the manifests call them."""
    found = load(folder / "kustomization.yaml").get("images", [])
    return {image["name"]: image for image in found}


# The version


def named_images() -> list[tuple[str, str]]:
    """Return the place of a tag of Monotron's image, and the tag."""
    tag = (
        r"\bmonotron:(\d[\w.]*)|\bMONOTRON_TAG=(\S*)|/monotron\n +newTag: (\S*)"
        r"|^(?:appVersion|version): (\d+\.\d+\.\S*)"
    )
    pages = [COMPOSE, *DEPLOYED, ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        (name(path), "".join(found.groups(default="")))
        for path in pages
        for found in re.finditer(tag, path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_every_tag_of_the_image_is_the_version() -> None:
    named = named_images()
    ours = [folder for folder in KUSTOMIZATIONS if "monotron" in images(folder)]
    assert len(ours) >= 4
    pages = {TRAEFIK / ".env.sample", CHART / "Chart.yaml"}
    pages |= {folder / "kustomization.yaml" for folder in ours}
    assert set(map(name, pages)) <= {path for path, _ in named}
    assert [(path, tag) for path, tag in named if tag != __version__] == []


def test_the_change_log_begins_with_the_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


# The image


def test_the_dockerfile_passes_hadolint_with_nothing_ignored(tmp_path: Path) -> None:
    # An empty home and folder: nobody's own settings may ignore a rule.
    found = run(
        from_test_extra("hadolint"),
        "--failure-threshold=style",
        "--disable-ignore-pragma",
        str(DOCKERFILE),
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_both_stages_stand_on_one_base_image() -> None:
    assert [rest.split()[0] for rest in of("FROM")] == ["python:3.13-slim"] * 2


def test_any_builder_takes_the_dockerfile() -> None:
    old = {
        "COPY": {"--from"},
        "HEALTHCHECK": {"--interval", "--timeout", "--start-period", "--retries"},
    }
    for keyword, rest in instructions():
        assert flags(rest) <= old.get(keyword, set()), f"{keyword} {rest}"
        assert "<<" not in rest, "a heredoc"
    assert not re.match(r"#\s*(syntax|escape|check)\s*=", DOCKERFILE.read_text(encoding="utf-8"))


def test_the_image_installs_the_pinned_versions() -> None:
    installs = [rest for rest in of("RUN") if re.search(r"\bpip\b.* install\b", rest)]
    assert len(installs) == 1
    assert "--constraint constraints.txt" in installs[0]


def test_what_the_dockerfile_copies_exists_and_nothing_else_reaches_the_builder() -> None:
    copied = {
        source.removeprefix("./")
        for rest in of("COPY")
        if "--from" not in flags(rest)
        for source in rest.split()[:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {line[1:] for line in rules if line.startswith("!")} == copied
    assert [source for source in sorted(copied) if not (ROOT / source).exists()] == []


def test_what_the_dockerfile_imports_exists() -> None:
    imported = re.findall(r"monotron\.(\w+)", " ".join(of("RUN")))
    assert imported
    assert [module for module in imported if not (ROOT / f"monotron/{module}.py").exists()] == []


def test_the_image_is_labelled_as_the_package_is() -> None:
    said = ConfigParser()
    said.read(ROOT / "setup.cfg")
    labels = dict(re.findall(r'(\S+)="([^"]*)"', " ".join(of("LABEL"))))
    assert labels == {
        "org.opencontainers.image.title": "Monotron",
        "org.opencontainers.image.description": said["metadata"]["description"],
        "org.opencontainers.image.licenses": said["metadata"]["license_expression"],
    }


def test_make_adds_what_differs_from_image_to_image() -> None:
    elsewhere = "https://git.example.com/ada/monotron"
    made = run("make", "--dry-run", "image", f"MONOTRON_SOURCE={elsewhere}").stdout
    labels = dict(
        re.findall(r"--label org\.opencontainers\.image\.(\w+)=(.*?)(?: \\\n| \.\n)", made)
    )
    assert labels == {
        "version": __version__,
        "revision": "$(git rev-parse HEAD)",
        "source": elsewhere,
    }


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    users = of("USER")
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])
    after = [keyword for keyword, _ in instructions()]
    assert "RUN" not in after[after.index("USER") :]


def test_the_image_keeps_its_store_in_its_only_volume() -> None:
    assert of("VOLUME") == [STORAGE]
    assert image_settings().storage_dir == Path(STORAGE)
    (user,) = of("USER")
    uid, gid = user.split(":")
    assert f"install -d -m 0700 -o {uid} -g {gid} {STORAGE}" in " ".join(of("RUN"))


def test_the_image_serves_on_the_port_that_it_exposes() -> None:
    assert image_settings().host == "0.0.0.0"
    assert of("EXPOSE") == [str(image_settings().port)]


def test_the_image_starts_monotron_serve_without_a_shell() -> None:
    # A shell would be process 1 and keep SIGTERM to itself.
    (entry,), (command,) = of("ENTRYPOINT"), of("CMD")
    assert json.loads(entry) + json.loads(command) == ["monotron", "serve"]


def test_the_image_writes_no_bytecode_at_run_time() -> None:
    assert image_env()["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "python -m compileall" in " ".join(of("RUN"))


def health_check() -> list[str]:
    """Return the command of the health check, for the Python running here."""
    (rest,) = of("HEALTHCHECK")
    python, *arguments = json.loads(rest[rest.index("CMD ") + 4 :])
    assert python == "python"
    return [sys.executable, *arguments]


CONTAINER = """
serve() {{
    touch log
    {monotron} serve "$@" 2>log &
    until grep -q ' listens on ' log; do kill -0 $!; sleep 0.1; done
}}
{script}
"""


def in_container(
    tmp_path: Path, script: str, *, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a shell script whose processes see no others; `serve` starts the service there.

    Needs the rights to make such a place, which the tests have in a container of their own too.
    """
    monotron = shlex.join(service.COMMAND)
    text = CONTAINER.format(monotron=monotron, script=script)
    variables = {"STORAGE_DIR": str(tmp_path / "data"), "http_proxy": "http://127.0.0.1:9"}
    return run(
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-euc", text, "sh", *health_check()),
        cwd=tmp_path,
        env=service.environment({**variables, "no_proxy": "", **(env or {})}),
    )


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ("", {"PORT": "{port}"}),
        ("--port {port}", {"PORT": "1"}),
        ("--port={port} --host=0.0.0.0", {"PORT": "1", "HOST": "127.0.0.2"}),
        ("--port {port} --host localhost", {}),
        ("--port {port} --host ::", {}),
        ("--workers 2", {"PORT": "1", "MONOTRON_PORT": "{port}"}),
        ("", {"PORT": "{port}", "MONOTRON_PORT": "tcp://10.0.0.1:80"}),
    ],
)
def test_the_health_check_asks_where_the_service_listens(
    tmp_path: Path, arguments: str, variables: dict[str, str]
) -> None:
    port = new_port()
    env = {name: value.format(port=port) for name, value in variables.items()}
    script = f'serve {arguments.format(port=port)}; env -i "$@"'
    done = in_container(tmp_path, script, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_health_check_fails_where_nobody_answers(tmp_path: Path) -> None:
    script = f'serve --port {new_port()}; kill -STOP $!; pkill -STOP -P $! ; exec "$@"'
    done = in_container(tmp_path, script)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "monotron is not healthy: timed out\n"


def test_the_health_check_fails_where_no_service_runs(tmp_path: Path) -> None:
    done = in_container(tmp_path, '"$@"')
    assert (done.returncode, done.stdout) == (1, "")
    assert "no `monotron serve` process" in done.stderr


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def test_the_health_check_fails_when_livez_fails(tmp_path: Path) -> None:
    # It looks like the service, and answers otherwise.
    with answering(503) as (port, asked):
        like_monotron = "import sys, time; time.sleep(60)"
        # What runs in the background is a copy of the shell at first.
        script = f"""
{sys.executable} -c "{like_monotron}" monotron serve --port {port} &
until grep -qzx serve /proc/$!/cmdline; do :; done
exec "$@"
"""
        done = in_container(tmp_path, script)
    assert (done.returncode, done.stderr) == (1, "monotron is not healthy: /livez answers 503\n")
    assert asked == ["/livez"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/opt/monotron/bin/python", "/opt/monotron/bin/monotron", "serve"], ("::1", 81)),
        (["/sbin/docker-init", "--", "monotron", "serve", "--port", "82"], ("::1", 82)),
        (["python", "-m", "monotron", "serve", "--log-format=json", "--host=::2"], ("::2", 81)),
    ],
)
def test_the_health_check_finds_the_service_however_it_was_started(
    tmp_path: Path, words: list[str], expected: tuple[str, int]
) -> None:
    others = {"1": ["sh", "-c", "monotron serve --port 9"], "7": [], "20": ["monotron", "list"]}
    for pid, line in {**others, "9": words, "100": ["monotron", "serve", "--port", "8"]}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_text("".join(f"{word}\0" for word in line))
        (tmp_path / pid / "environ").write_text("PATH=/bin\0HOST=::\0PORT=81\0")
    assert health.address(tmp_path) == expected


# Compose


@pytest.mark.parametrize("path", [*COMPOSE_FILES, AUTHENTICATION, CLUSTER], ids=name)
def test_a_compose_file_is_valid(path: Path) -> None:
    found = run(
        sys.executable,
        *("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
        str(path),
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=name)
def test_composed_monotron_can_write_to_its_volume_only_and_gain_no_rights(path: Path) -> None:
    composed = load(path)
    monotron = composed["services"]["monotron"]
    assert monotron["volumes"] == [f"data:{STORAGE}"]
    assert composed["volumes"]["data"] is None
    assert monotron["read_only"] is True
    assert monotron["cap_drop"] == ["ALL"]
    assert monotron["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "tmpfs", "user", "devices", "pid"} & set(monotron)


def test_the_file_for_authentication_changes_nothing_else() -> None:
    added = load(AUTHENTICATION)
    assert set(added) == {"services", "secrets"}
    assert set(added["services"]) == {"monotron"}
    assert set(added["services"]["monotron"]) == {"environment", "secrets"}


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=name)
def test_composed_monotron_has_time_to_leave_and_comes_back(path: Path) -> None:
    monotron = load(path)["services"]["monotron"]
    assert int(monotron["stop_grace_period"].removesuffix("s")) > SECONDS_TO_LEAVE
    assert monotron["restart"] == "unless-stopped"


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=name)
def test_a_compose_file_builds_this_dockerfile(path: Path) -> None:
    context = path.parent / load(path)["services"]["monotron"]["build"]
    assert context.resolve() == ROOT.resolve()


def test_compose_publishes_on_this_machine_only() -> None:
    ports = load(COMPOSE)["services"]["monotron"]["ports"]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_two_compose_files_can_never_run_two_containers_on_one_store() -> None:
    assert len({load(path)["name"] for path in COMPOSE_FILES}) == 1


def test_who_is_reached_from_elsewhere_asks_for_credentials() -> None:
    for path in COMPOSE_FILES:
        monotron = load(path)["services"]["monotron"]
        on_loopback = all(port.startswith("127.0.0.1:") for port in monotron.get("ports", []))
        if "labels" in monotron or not on_loopback:
            assert path in CLOSED_COMPOSE_FILES


@pytest.mark.parametrize("path", CLOSED_COMPOSE_FILES, ids=name)
def test_composed_monotron_takes_the_root_pair_from_secrets(path: Path) -> None:
    composed = load(path)
    monotron = composed["services"]["monotron"]
    # Without a mode or an owner, which Compose passes over for a file, it says what happens. What
    # is mounted as a secret is mounted read-only.
    assert sorted(monotron["secrets"]) == sorted(composed["secrets"]) == sorted(ROOT_PAIR)
    assert monotron["environment"] == {
        f"{secret.upper()}_FILE": f"{SECRETS}/{secret}" for secret in monotron["secrets"]
    }
    for secret, source in composed["secrets"].items():
        assert source == {"file": f"./secrets/{secret}"}


@pytest.mark.parametrize("path", [ROOT / "docs/deployment.md", TRAEFIK / "README.md"], ids=name)
@pytest.mark.parametrize("umask", ["0022", "0077", "0000"])
def test_the_secrets_that_the_guide_makes_are_read_by_the_container_and_by_nobody_else(
    path: Path, umask: str, tmp_path: Path
) -> None:
    (script,) = [block for block in shell_blocks(path) if "> secrets/" in block]
    making = script.partition("export ")[0]
    found = run("sh", "-ec", f"umask {umask}; {making}", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    # Compose mounts the files, past the folder: its user is another one, and needs to read them.
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    files = {file.name: file for file in (tmp_path / "secrets").iterdir()}
    assert sorted(files) == sorted(ROOT_PAIR)
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o444}
    settings = read_settings({f"{key.upper()}_FILE": str(files[key]) for key in files}, {})
    assert settings.root_api_key == "root"
    assert settings.root_api_secret is not None
    assert re.fullmatch("[A-Za-z0-9]{128}", settings.root_api_secret)


def test_no_secret_gets_into_the_repository_or_the_image() -> None:
    rules = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"secrets/", ".env", "/docker-compose.override.yml"} <= set(rules)
    written = [*ROOT.glob("*.yml"), *(path for path in DEPLOYED if path.suffix in YAML)]
    for path in written:
        if path.is_relative_to(CHART / "templates"):
            continue
        for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for keys, value in leaves(manifest):
                where = f"{name(path)}: {'.'.join(keys)}"
                assert "secretGenerator" not in keys, where
                assert (keys[0], value) != ("kind", "Secret"), where
                for secret in ROOT_PAIR:
                    assert secret.upper() not in (keys[-1], value), where
                    assert f"{secret.upper()}=" not in str(value), where
    for keyword, rest in instructions():
        assert not re.search("ROOT_API|secrets", rest), f"{keyword} {rest}"


def leaves(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return each single value of a manifest with the keys that lead to it."""
    members = enumerate(value) if isinstance(value, list) else ()
    for key, member in value.items() if isinstance(value, dict) else members:
        yield from leaves(member, (*keys, str(key)))
    if not isinstance(value, (dict, list)):
        yield keys, value


# Traefik


def traefik_options() -> dict[str, str]:
    composed = load(TRAEFIK / "docker-compose.yml")
    return dict(option.split("=", 1) for option in composed["services"]["traefik"]["command"])


def traefik_labels() -> dict[str, str]:
    composed = load(TRAEFIK / "docker-compose.yml")
    return dict(label.split("=", 1) for label in composed["services"]["monotron"]["labels"])


def sample_env() -> dict[str, str]:
    lines = (TRAEFIK / ".env.sample").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_traefik_is_the_only_way_in() -> None:
    assert "ports" not in load(TRAEFIK / "docker-compose.yml")["services"]["monotron"]
    assert traefik_options()["--providers.docker.exposedByDefault"] == "false"
    assert not [option for option in traefik_options() if option.startswith("--api")]
    assert traefik_labels()["traefik.enable"] == "true"


def test_traefik_serves_under_buildnumber_and_takes_the_prefix_off() -> None:
    labels = traefik_labels()
    rule = labels["traefik.http.routers.monotron.rule"]
    assert re.fullmatch(r"Host\(`\$\{PUBLIC_HOST:.*\}`\) && PathPrefix\(`/buildnumber`\)", rule)
    _, strip = labels["traefik.http.routers.monotron.middlewares"].split(",")
    prefix = labels[f"traefik.http.middlewares.{strip}.stripPrefix.prefixes"]
    assert prefix == "/buildnumber"
    port = labels["traefik.http.services.monotron.loadBalancer.server.port"]
    assert port == str(image_settings().port)


def test_traefik_sends_the_dashboard_s_readers_to_the_address_with_a_slash() -> None:
    labels = traefik_labels()
    slash = labels["traefik.http.routers.monotron.middlewares"].split(",")[0]
    redirect = f"traefik.http.middlewares.{slash}.redirectRegex"
    # Compose has $$ for a dollar, and Go's expressions have $1 for the first group.
    regex = labels[f"{redirect}.regex"].replace("$$", "$")
    replacement = labels[f"{redirect}.replacement"].replace("$$1", r"\1")
    here = "https://ci.example.com/buildnumber"
    assert re.sub(regex, replacement, here) == f"{here}/"
    for other in (f"{here}/", f"{here}/v1/series/buildnumber", f"{here}s", f"{here}/buildnumber"):
        assert re.sub(regex, replacement, other) == other


def test_traefik_serves_over_tls_only() -> None:
    options, labels = traefik_options(), traefik_labels()
    entry = labels["traefik.http.routers.monotron.entryPoints"]
    assert options[f"--entryPoints.{entry}.address"] == ":443"
    resolver = labels["traefik.http.routers.monotron.tls.certResolver"]
    assert options[f"--certificatesResolvers.{resolver}.acme.tlsChallenge"] == "true"
    assert options["--entryPoints.web.address"] == ":80"
    assert options["--entryPoints.web.http.redirections.entryPoint.to"] == entry
    assert options["--entryPoints.web.http.redirections.entryPoint.scheme"] == "https"


def test_traefik_keeps_certificates_over_a_restart() -> None:
    storage = traefik_options()["--certificatesResolvers.letsencrypt.acme.storage"]
    volumes = load(TRAEFIK / "docker-compose.yml")["services"]["traefik"]["volumes"]
    assert f"letsencrypt:{Path(storage).parent}" in volumes


def test_traefik_lets_every_encoded_character_of_a_name_through() -> None:
    options = traefik_options()
    entries = [
        match[1] for o in options if (match := re.match(r"--entryPoints\.(\w+)\.address", o))
    ]
    assert sorted(entries) == ["web", "websecure"]
    for entry in entries:
        for character in ENCODED:
            option = f"--entryPoints.{entry}.http.encodedCharacters.allowEncoded{character}"
            assert options.get(option) == "true", option


def test_the_sample_names_a_traefik_that_knows_and_heeds_these_options() -> None:
    major, minor, patch = map(int, sample_env()["TRAEFIK_TAG"].removeprefix("v").split("."))
    assert (3, 6, 7) <= (major, minor, patch) < (4, 0, 0)


def test_the_sample_sets_every_variable_that_is_used_and_no_other() -> None:
    text = (TRAEFIK / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) == set(sample_env())
    assert re.findall(r"\$\{\w+(?!\w|:\?)", text) == [], "one that may be forgotten silently"


# Kubernetes


def test_every_manifest_is_listed_in_a_kustomization() -> None:
    listed = {
        folder / resource
        for folder in KUSTOMIZATIONS
        for resource in load(folder / "kustomization.yaml")["resources"]
    }
    assert sorted(listed) == MANIFESTS


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", MANIFESTS, ids=name)
def test_a_manifest_is_valid(path: Path, version: str) -> None:
    validate(load(path), version)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=name)
def test_kustomize_builds_valid_manifests_in_the_namespace(folder: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NOT CHECKED: the kustomizations, because kubectl is not on PATH")
    found = run(kubectl, "kustomize", str(folder))
    assert found.returncode == 0, found.stderr
    manifests = list(yaml.safe_load_all(found.stdout))
    assert len(manifests) == len(load(folder / "kustomization.yaml")["resources"])
    for manifest in manifests:
        for version in KUBERNETES:
            validate(manifest, version)
        if manifest["kind"] == "Namespace":
            assert manifest["metadata"]["name"] == "monotron"
        else:
            assert manifest["metadata"]["namespace"] == "monotron"
        for keys, value in leaves(manifest):
            if keys[-1] == "image":
                assert re.fullmatch(r"\S+/\S+:v?\d+\.\d+\.\d+", value), "no fixed version"


def test_there_is_one_pod_and_no_other_can_mount_its_volume() -> None:
    stateful = load(K8S / "statefulset.yaml")
    assert stateful["kind"] == "StatefulSet"
    assert stateful["spec"]["replicas"] == 1
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_pod_is_not_root_and_is_the_images_user() -> None:
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    (user,) = of("USER")
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    # Without it a new volume belongs to root, and the process could not write to it.
    assert context["fsGroup"] == context["runAsGroup"]


def test_the_pod_has_no_rights_to_gain() -> None:
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "initContainers" not in pod()
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod())
    labels = load(K8S / "namespace.yaml")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_pod_can_write_to_its_volume_only() -> None:
    (claim,) = load(K8S / "statefulset.yaml")["spec"]["volumeClaimTemplates"]
    (writable,) = [mount for mount in container()["volumeMounts"] if not mount.get("readOnly")]
    assert writable == {"name": claim["metadata"]["name"], "mountPath": STORAGE}
    assert all(set(volume) == {"name", "secret"} for volume in pod()["volumes"])


def test_the_pod_takes_the_root_pair_from_a_secret_that_it_can_read_and_not_write() -> None:
    (volume,) = pod()["volumes"]
    (mount,) = [mount for mount in container()["volumeMounts"] if mount["mountPath"] != STORAGE]
    assert mount == {
        "name": volume["name"],
        "mountPath": f"{SECRETS}/monotron",
        "readOnly": True,
    }
    # It is never optional, since without it the service would ask for no credentials. The files
    # belong to root and fsGroup: others get no rights.
    assert volume["secret"] == {"secretName": K8S_SECRET, "defaultMode": 0o440}
    assert pod()["securityContext"]["fsGroup"] == pod()["securityContext"]["runAsGroup"]
    variables = {entry["name"]: entry["value"] for entry in container()["env"]}
    assert variables == {
        f"{secret.upper()}_FILE": f"{SECRETS}/monotron/{secret}" for secret in ROOT_PAIR
    }


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_the_guide_makes_the_secret_that_the_pod_mounts(path: Path) -> None:
    (block,) = [block for block in shell_blocks(path) if f"secret generic {K8S_SECRET}" in block]
    lines = block.replace("\\\n", " ").replace("|\n", "| ").splitlines()
    (command,) = [line for line in lines if "create secret" in line]
    # The namespace exists before it, and it exists before the pod.
    assert "namespace.yaml" in block.partition("create secret")[0]
    assert "apply -k" in block.partition("create secret")[2]
    if shutil.which("kubectl") is None:
        pytest.skip("NOT CHECKED: the command for the secret, because kubectl is not on PATH")
    found = run("sh", "-ec", f"{command} --dry-run=client --output=yaml")
    assert found.returncode == 0, found.stderr
    secret = yaml.safe_load(found.stdout)
    for version in KUBERNETES:
        validate(secret, version)
    assert secret["metadata"]["name"] == K8S_SECRET
    assert secret["metadata"]["namespace"] == "monotron"
    values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    settings = read_settings({key.upper(): value for key, value in values.items()}, {})
    assert sorted(values) == sorted(ROOT_PAIR)
    assert settings.root_api_key == "root"
    assert re.fullmatch("[A-Za-z0-9]{128}", values["root_api_secret"])


def test_the_cluster_adds_no_variables_that_look_like_settings() -> None:
    assert pod()["enableServiceLinks"] is False


def test_the_pod_has_time_to_leave() -> None:
    assert pod()["terminationGracePeriodSeconds"] > SECONDS_TO_LEAVE


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")],
)
def test_only_readiness_looks_at_the_store(probe: str, path: str) -> None:
    assert container()[probe]["httpGet"] == {"path": path, "port": "http"}


def test_every_path_that_is_probed_is_served() -> None:
    served = routes()
    probes = [probe for key, probe in container().items() if key.endswith("Probe")]
    assert len(probes) == 3
    assert {"/livez"} | {probe["httpGet"]["path"] for probe in probes} <= served.keys()


def test_the_way_in_leads_to_the_port_that_the_image_serves() -> None:
    (port,) = container()["ports"]
    assert port == {"name": "http", "containerPort": image_settings().port}
    service = load(K8S / "service.yaml")
    stateful = load(K8S / "statefulset.yaml")
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == stateful["spec"]["selector"]["matchLabels"] == labels
    assert [entry["targetPort"] for entry in service["spec"]["ports"]] == ["http"]
    assert stateful["spec"]["serviceName"] == service["metadata"]["name"]
    ((way,),) = [
        rule["http"]["paths"] for rule in load(K8S / "ingress/ingress.yaml")["spec"]["rules"]
    ]
    assert way["backend"]["service"] == {
        "name": service["metadata"]["name"],
        "port": {"name": service["spec"]["ports"][0]["name"]},
    }


def test_the_ingress_passes_paths_on_as_they_are() -> None:
    ingress = load(K8S / "ingress/ingress.yaml")
    # A rewriting controller decodes %2F, and rewriting is asked for by annotations.
    assert "annotations" not in ingress["metadata"]
    for rule in ingress["spec"]["rules"]:
        assert [(way["path"], way["pathType"]) for way in rule["http"]["paths"]] == [
            ("/", "Prefix")
        ]
    hosts = [host for entry in ingress["spec"]["tls"] for host in entry["hosts"]]
    assert hosts == [rule["host"] for rule in ingress["spec"]["rules"]]


def test_no_disruption_budget_holds_up_a_node_drain() -> None:
    files = load(K8S / "kustomization.yaml")["resources"]
    assert "PodDisruptionBudget" not in {load(K8S / file)["kind"] for file in files}


# Backups in Kubernetes


def backup_pod() -> Any:
    return load(K8S / "backup/cronjob.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def backup_containers() -> dict[str, Any]:
    pod = backup_pod()
    return {each["name"]: each for each in pod["initContainers"] + pod["containers"]}


def test_the_backup_pod_has_no_rights_to_gain_and_writes_to_its_volume_only() -> None:
    assert backup_pod()["securityContext"] == pod()["securityContext"]
    for each in backup_containers().values():
        assert each["securityContext"] == container()["securityContext"]
    assert [list(volume) for volume in backup_pod()["volumes"]] == [
        ["name", "persistentVolumeClaim"]
    ]


def test_the_backup_job_may_run_commands_in_the_pod_of_monotron_only() -> None:
    role, binding = load(K8S / "backup/role.yaml"), load(K8S / "backup/rolebinding.yaml")
    only = load(K8S / "statefulset.yaml")["metadata"]["name"] + "-0"
    assert {rule["resources"][0]: rule["resourceNames"] for rule in role["rules"]} == {
        "pods": [only],
        "pods/exec": [only],
    }
    account = load(K8S / "backup/serviceaccount.yaml")["metadata"]["name"]
    assert backup_pod()["serviceAccountName"] == account
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (volume,) = backup_pod()["volumes"]
    claim = load(K8S / "backup/volume.yaml")["metadata"]["name"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim


def test_the_backup_job_has_fixed_versions_and_that_of_the_service() -> None:
    named = images(K8S / "backup")
    assert named["monotron"] == images(K8S)["monotron"]
    assert {each["image"] for each in backup_containers().values()} == set(named)
    assert all(re.search(r"\d+\.\d+\.\d+$", image["newTag"]) for image in named.values())


def run_backup_job(data: Path, backups: Path) -> subprocess.CompletedProcess[str]:
    """Do what the three containers do, with folders of ours, and `cp` for `kubectl cp`."""
    containers = backup_containers()
    places = {STORAGE: str(data), "/backup/": f"{backups}/", "/backup ": f"{backups} "}
    dashes = containers["take"]["args"].index("--")
    assert containers["take"]["args"][:dashes] == ["exec", "monotron-0"]
    copied, _, source = containers["fetch"]["args"][2].partition(":")
    assert (containers["fetch"]["args"][0], copied) == ("cp", "monotron-0")
    for command in (
        containers["take"]["args"][dashes + 1 :],
        ["cp", source, containers["fetch"]["args"][3]],
        containers["keep"]["command"],
    ):
        for there, here in places.items():
            command = [word.replace(there, here) for word in command]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = run(*command, env={"PATH": path, "STORAGE_DIR": str(data)})
        if done.returncode:
            break
    return done


def test_the_backup_job_keeps_checked_backups_for_thirty_days(tmp_path: Path) -> None:
    data, backups = tmp_path / "store", tmp_path / "kept"
    backups.mkdir()
    LmdbStore(data, tables.ALL).close()
    old, older = backups / "monotron-20260101T000000Z.mdb", backups / "monotron-2025.mdb"
    now = time.time()
    for file, days in ((old, 29), (older, 32)):
        file.touch()
        os.utime(file, (now, now - days * 86_400))
    assert run_backup_job(data, backups).returncode == 0
    (new,) = set(backups.iterdir()) - {old}
    assert re.fullmatch(r"monotron-\d{8}T\d{6}Z\.mdb", new.name)
    assert new.read_bytes() == (data / "backup.mdb").read_bytes()


def test_the_backup_job_fails_on_damage_and_keeps_what_it_has(tmp_path: Path) -> None:
    data, backups = tmp_path / "store", tmp_path / "kept"
    backups.mkdir()
    store = LmdbStore(data, tables.ALL)
    row = records.series_row_key(1, "shop")
    store.update(lambda txn: txn.put(tables.SERIES, row, b"?"))
    store.close()
    (backups / "monotron-2025.mdb").touch()
    os.utime(backups / "monotron-2025.mdb", (0, 0))
    done = run_backup_job(data, backups)
    assert done.returncode == 1
    assert "problem: " in done.stdout
    assert {file.name for file in backups.iterdir()} == {"monotron-2025.mdb", "fetched.mdb"}
