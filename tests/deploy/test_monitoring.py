"""The dashboard and the rules for Prometheus match what the service really exports."""

import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monotron.core.api_keys import Pair
from monotron.measures import LOST_ANSWERS
from monotron.server.loop.server import BIG_BODIES
from tests.conftest import ROOT, basic, installed
from tests.deploy.test_deploy import OF_THE_OPERATOR
from tests.support import shown
from tests.support.etcd import Cluster
from tests.support.service import (
    COMMAND,
    END_WITH_US,
    PATIENCE,
    Service,
    environment,
    read_answer,
    services,
    wait_until,
)

pytestmark = pytest.mark.same_on_each_python

DEPLOY = Path(__file__).parents[2] / "deploy"
GRAFANA = DEPLOY / "grafana"
PROMETHEUS = DEPLOY / "prometheus"
ROOT_OF_K8S = DEPLOY / "k8s"

DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "monotron.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
GRAPHS = [panel for panel in PANELS if panel["type"] != "row"]
CORE_PANELS = {"row", "stat", "timeseries"}

PUT_ON_BY_PROMETHEUS = {"job", "instance"}
"""The labels of a target, which each of its samples gets."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SOURCE = "https://github.com/OWNER/monotron"
"""Where a reader of the docs is told to look for the repository, with their own OWNER."""

RULES: list[dict[str, Any]] = [
    rule for group in load(PROMETHEUS / "alerts.yml")["groups"] for rule in group["rules"]
]


def with_variables(expression: str) -> str:
    """Return an expression of the dashboard as Grafana would send it."""
    values = {
        "$__rate_interval": "1m",
        "$__range": "1h",
        "$job": "monotron",
        "$instance": ".+",
    }
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


SHOWN = {
    f"{panel['title']} {target['refId']}": with_variables(target["expr"])
    for panel in GRAPHS
    for target in panel["targets"]
}
"""Each expression of the dashboard, by its place."""

OF_ETCD = re.compile("monotron_store_(database|conflicts|lost_answers|last_answer|member)_")
"""How the metrics begin that only a store on etcd counts."""

ALERTING = {rule["alert"]: rule["expr"] for rule in RULES}
ASKED = {**SHOWN, **ALERTING}
ASKED_OF_A_FOLDER = {name: text for name, text in ASKED.items() if not OF_ETCD.search(text)}
ASKED_OF_ETCD = {name: text for name, text in ASKED.items() if OF_ETCD.search(text)}

EXPRESSIONS = [pytest.param(text, id=name) for name, text in ASKED_OF_A_FOLDER.items()]


@dataclass(frozen=True, slots=True)
class Selector:
    """What an expression picks: a metric, and conditions on its labels."""

    metric: str
    conditions: tuple[tuple[str, str, str], ...]

    @property
    def labels(self) -> set[str]:
        return {label for label, _, _ in self.conditions}


def selectors(expression: str) -> list[Selector]:
    found = []
    for metric, braces in re.findall(r"\b(monotron_\w+|up\b)(?:\{([^}]*)\})?", expression):
        conditions = re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', braces)
        assert len(conditions) == braces.count('"') // 2, expression
        found.append(Selector(metric, tuple(conditions)))
    assert found, f"nothing is picked: {expression}"
    return found


def grouped_by(expression: str) -> set[str]:
    groups = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",")}


# What the service exports


@dataclass
class Exported:
    """What one answer of `/metrics` has."""

    families: set[str] = field(default_factory=set)
    """As a `# TYPE` line names them, but a counter without `_total`."""
    labels: dict[str, set[str]] = field(default_factory=dict)
    """The labels of each sample."""
    values: dict[str, set[str]] = field(default_factory=dict)
    """The values of each label, in all samples together."""


def exported(text: str) -> Exported:
    found = Exported()
    for family in text_string_to_metric_families(text):
        found.families.add(family.name)
        for sample in family.samples:
            found.labels.setdefault(sample.name, set()).update(sample.labels)
            for label, value in sample.labels.items():
                found.values.setdefault(label, set()).add(value)
    return found


def take_at_once(service: Service, headers: Mapping[str, str]) -> None:
    """Ask for so many numbers at a time that some wait for the commit of another."""

    def take(client: int) -> int:
        return service.ask("POST", f"/v1/series/load-{client % 2}", headers=headers).status

    with ThreadPoolExecutor(16) as clients:
        assert set(clients.map(take, range(160))) == {200}


def make_traffic(service: Service, headers: Mapping[str, str]) -> None:
    """Cause every kind of answer that a rule tells apart, except those of a broken disk."""
    take_at_once(service, headers)
    for path in ("/livez", "/healthz", "/readyz", "/metrics"):
        assert service.ask("GET", path, headers=headers).status == 200
    assert service.ask("GET", "/v1/series/never", headers=headers).status == 404
    be_turned_away(service)


def be_turned_away(service: Service) -> None:
    """Announce one large body more than may be on their way at a time."""
    with ExitStack() as until_the_end:
        connections = [until_the_end.enter_context(service.socket()) for _ in range(BIG_BODIES + 1)]
        for connection in connections:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        # The service may read them in any order, and have some of the last time still to close.
        answered, _, _ = select.select(connections, [], [], PATIENCE)
        assert {read_answer(connection).status for connection in answered} == {503}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """What a service exports that has had traffic."""
    with services(tmp_path_factory.mktemp("measured")) as serve:
        service = serve()
        found = Exported()

        def has_all() -> bool:
            nonlocal found
            make_traffic(service, {})
            found = exported(service.get("/metrics").body.decode())
            # The first needs two updates at a moment, the other is counted after its answer.
            return "monotron_store_queue_length" in found.labels and "none" in found.values["route"]

        wait_until(has_all, "an update has waited for another, and a request was turned away")
        yield found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_is_exported(expression: str, measured: Exported) -> None:
    known = set(PUT_ON_BY_PROMETHEUS)
    for selector in selectors(expression):
        labels = PUT_ON_BY_PROMETHEUS | measured.labels.get(selector.metric, set())
        assert selector.metric == "up" or selector.metric in measured.labels, selector.metric
        assert selector.labels <= labels, selector
        known |= labels
    assert grouped_by(expression) <= known


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_route_that_an_expression_names_is_there(expression: str, measured: Exported) -> None:
    for selector in selectors(expression):
        for label, _, value in selector.conditions:
            if label == "route":
                assert set(value.split("|")) <= measured.values["route"]


@pytest.fixture(scope="module")
def measured_on_etcd(etcd: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """What a service with a store on etcd exports."""
    store = str(etcd.new_address())
    with services(tmp_path_factory.mktemp("measured-on-etcd")) as serve:
        service = serve(variables={"MONOTRON_STORE": store})
        found = exported(service.get("/metrics").body.decode())
        # Debian's etcd may be too old to tell it.
        found.families.add("monotron_store_database_quota_bytes")
        yield found


@pytest.mark.parametrize("expression", ASKED_OF_ETCD.values(), ids=ASKED_OF_ETCD)
def test_an_expression_about_etcd_asks_for_what_is_exported(
    expression: str, measured_on_etcd: Exported
) -> None:
    for selector in selectors(expression):
        assert selector.metric.removesuffix("_total") in measured_on_etcd.families
        assert selector.labels <= PUT_ON_BY_PROMETHEUS
    assert grouped_by(expression) <= {"instance", *LOST_ANSWERS.labels}


def test_everything_that_is_exported_is_on_the_dashboard(
    measured: Exported, measured_on_etcd: Exported
) -> None:
    asked = {
        re.sub("_(bucket|sum|count|total|info)$", "", selector.metric)
        for expression in SHOWN.values()
        for selector in selectors(expression)
    }
    families = measured.families | measured_on_etcd.families
    assert {re.sub("_info$", "", family) for family in families} == asked


# The dashboard


def test_the_dashboard_has_core_panels_only_each_with_an_id_and_a_title_of_its_own() -> None:
    assert {panel["type"] for panel in PANELS} == CORE_PANELS
    for each in ("id", "title"):
        assert len({panel[each] for panel in PANELS}) == len(PANELS), each
    assert DASHBOARD["schemaVersion"] >= 39


def test_no_panel_covers_another_or_leaves_the_grid() -> None:
    cells: dict[int, set[tuple[int, int]]] = {}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["w"] > 0, panel["title"]
        assert place["h"] > 0, panel["title"]
        assert 0 <= place["x"] <= 24 - place["w"], panel["title"]
        cells[panel["id"]] = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
    for one, other in combinations(cells, 2):
        assert not cells[one] & cells[other], (one, other)


@pytest.mark.parametrize("panel", GRAPHS, ids=lambda panel: str(panel["title"]))
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(set(references)) == len(references)


@pytest.mark.parametrize("panel", GRAPHS, ids=lambda panel: str(panel["title"]))
def test_a_legend_names_labels_that_are_there(panel: dict[str, Any], measured: Exported) -> None:
    for target in panel["targets"]:
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        expression = with_variables(target["expr"])
        kept = grouped_by(expression) - {"le"}
        if not kept and not re.search(r"\b(sum|min|max|avg)\s*\(", expression):
            kept = PUT_ON_BY_PROMETHEUS.union(
                *(measured.labels[each.metric] for each in selectors(expression))
            )
        assert named <= kept


def test_the_data_source_is_chosen_on_the_dashboard() -> None:
    assert "__inputs" not in DASHBOARD
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    chosen = variables.pop("datasource")
    assert (chosen["type"], chosen["query"]) == ("datasource", "prometheus")
    asking = [*GRAPHS, *(target for panel in GRAPHS for target in panel["targets"])]
    for each in [*asking, *variables.values()]:
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_each_expression_heeds_the_chosen_job_and_instances() -> None:
    for panel in GRAPHS:
        for target in panel["targets"]:
            for selector in selectors(target["expr"]):
                chosen = {("job", "=", "$job"), ("instance", "=~", "$instance")}
                assert chosen <= set(selector.conditions), panel["title"]
            variables = set(re.findall(r"\$\{?(\w+)", target["expr"]))
            assert variables <= {"job", "instance", "__rate_interval", "__range"}


def test_the_files_for_grafana_name_the_folder_that_the_guide_fills() -> None:
    (provider,) = load(GRAFANA / "provisioning/dashboards/monotron.yml")["providers"]
    (source,) = load(GRAFANA / "provisioning/datasources/monotron.yml")["datasources"]
    guide = (GRAFANA / "README.md").read_text(encoding="utf-8")
    assert f"$PWD/monotron.json:{provider['options']['path']}/monotron.json:" in guide
    assert source["type"] == "prometheus"
    scraped = load(PROMETHEUS / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped


# The rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert list(rule["annotations"]) == ["summary", "description", "runbook_url"]
    address = rule["annotations"]["runbook_url"]
    assert address.startswith(f"{SOURCE}/blob/main/docs/")
    page, _, section = address.removeprefix(f"{SOURCE}/blob/main/").partition("#")
    headings = re.findall("^### (.*)$", shown.page(page), re.MULTILINE)
    (heading,) = [each for each in headings if each.lower() == section]
    (text,) = re.findall(rf"^### {heading}\n(.*?)^(?:#|\Z)", shown.page(page), re.M | re.S)
    assert rule["alert"] in (heading, *re.findall(r"\w+", text))
    assert rule["labels"]["severity"] in text.lower()


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    fired = {
        name
        for test in load(PROMETHEUS / "alerts_test.yml")["tests"]
        for case in test["promql_expr_test"]
        for sample in case["exp_samples"]
        for name in re.findall('alertname="([^"]*)"', sample["labels"])
    }
    names = [rule["alert"] for rule in RULES]
    assert sorted(names) == sorted(fired)


# The same for Kubernetes

OPERATOR = ROOT_OF_K8S / "monitoring"
MADE = [
    "prometheus/alerts.yml",
    "prometheus/alerts_test.yml",
    "k8s/monitoring/prometheusrule.yaml",
    "helm/monotron/alerts.yml",
]
"""What deploy/prometheus/copy.sh writes."""


def copied(place: Path, **variables: str) -> Path:
    """Run copy.sh in a copy of the folder deploy; return the copy."""
    copy = place / "deploy"
    shutil.copytree(DEPLOY, copy)
    for name in MADE[2:]:
        (copy / name).unlink()
    subprocess.run(
        [copy / "prometheus" / "copy.sh"], cwd=place, env=environment(variables), check=True
    )
    return copy


def test_the_alerts_for_kubernetes_are_those_of_the_file(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    for name in MADE:
        assert (copy / name).read_bytes() == (DEPLOY / name).read_bytes(), name
    assert load(OPERATOR / "prometheusrule.yaml")["spec"] == load(PROMETHEUS / "alerts.yml")


def test_one_variable_says_where_every_runbook_is(tmp_path: Path) -> None:
    elsewhere = "https://git.example.com/ada/monotron"
    copy = copied(tmp_path, MONOTRON_SOURCE=elsewhere)
    for name in MADE:
        text = (copy / name).read_text(encoding="utf-8")
        assert text == (DEPLOY / name).read_text(encoding="utf-8").replace(SOURCE, elsewhere)
        assert f"runbook_url: {elsewhere}/blob/main/docs/operations.md#monotron" in text


def test_the_operator_scrapes_as_the_configuration_does() -> None:
    scraped = load(PROMETHEUS / "prometheus.yml")
    (job,) = scraped["scrape_configs"]
    monitor = load(OPERATOR / "servicemonitor.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["interval"] == scraped["global"]["scrape_interval"]
    assert endpoint["scrapeTimeout"] == scraped["global"]["scrape_timeout"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job["job_name"]}]


@pytest.mark.parametrize("folder", [ROOT_OF_K8S, ROOT_OF_K8S / "replicas"], ids=lambda at: at.name)
def test_the_operator_finds_the_service(folder: Path) -> None:
    service = load(folder / "service.yaml")
    monitor = load(OPERATOR / "servicemonitor.yaml")["spec"]
    (expression,) = monitor["selector"]["matchExpressions"]
    assert expression["operator"] == "In"
    assert service["metadata"]["labels"][expression["key"]] in expression["values"]
    assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]


STRICT: dict[str, Any] = {"type": "object", "additionalProperties": False}
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
SECRET_KEY = STRICT | {
    "required": ["name", "key"],
    "properties": {"name": {"type": "string"}, "key": {"type": "string"}},
}
SELECTOR = STRICT | {
    "properties": {
        "matchLabels": TEXTS,
        "matchExpressions": {
            "type": "array",
            "items": STRICT
            | {
                "required": ["key", "operator", "values"],
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"enum": ["In", "NotIn"]},
                    "values": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    }
}
ENDPOINT = STRICT | {
    "properties": {
        "port": {"type": "string"},
        "path": {"type": "string"},
        "interval": {"pattern": "^[0-9]+s$"},
        "scrapeTimeout": {"pattern": "^[0-9]+s$"},
        "basicAuth": STRICT | {"properties": {"username": SECRET_KEY, "password": SECRET_KEY}},
        "relabelings": {
            "type": "array",
            "items": STRICT
            | {
                "properties": {
                    "targetLabel": {"type": "string"},
                    "replacement": {"type": "string"},
                }
            },
        },
    }
}
KINDS = {
    "PrometheusRule": STRICT | {"properties": {"groups": {"type": "array"}}},
    "ServiceMonitor": STRICT
    | {
        "required": ["selector", "endpoints"],
        "properties": {"selector": SELECTOR, "endpoints": {"type": "array", "items": ENDPOINT}},
    },
}
"""Of the operator's own definitions (v0.82), what is used here."""


def assert_is_of_the_operator(manifest: dict[str, Any]) -> None:
    assert manifest["apiVersion"] == OF_THE_OPERATOR
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    jsonschema.validate(manifest["spec"], KINDS[manifest["kind"]])


@pytest.mark.parametrize("name", ["prometheusrule.yaml", "servicemonitor.yaml"])
def test_a_manifest_for_the_operator_is_one_that_it_knows(name: str) -> None:
    assert_is_of_the_operator(load(OPERATOR / name))


# promtool


def assert_passes(cwd: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the folder for Prometheus, with a secret in it."""
    copy = tmp_path / "prometheus"
    shutil.copytree(PROMETHEUS, copy)
    (copy / "monotron_api_secret").write_text("secret", encoding="utf-8")
    return copy


def test_promtool_finds_nothing_wrong_with_the_configuration(rules: Path, promtool: str) -> None:
    assert_passes(rules, promtool, "check", "config", "prometheus.yml")


def test_promtool_finds_nothing_wrong_with_the_rules(rules: Path, promtool: str) -> None:
    assert_passes(rules, promtool, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


def test_the_alerts_fire_when_they_should_and_not_else(rules: Path, promtool: str) -> None:
    assert_passes(rules, promtool, "test", "rules", "alerts_test.yml")


def test_prometheus_understands_each_expression_of_the_dashboard(
    tmp_path: Path, promtool: str
) -> None:
    recorded = [
        {"record": f"shown:{number}", "expr": expression}
        for number, expression in enumerate(SHOWN.values())
    ]
    groups = {"groups": [{"name": "dashboard", "rules": recorded}]}
    (tmp_path / "shown.yml").write_text(yaml.safe_dump(groups), encoding="utf-8")
    assert_passes(tmp_path, promtool, "check", "rules", "shown.yml")


# Prometheus itself, beside a service with authentication


DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Connects directly to this machine, without any proxy."""


@dataclass
class Watched:
    """A Prometheus that scrapes a service each second."""

    service: Service
    url: str

    def api(self, path: str, **query: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with DIRECTLY.open(url, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> float | None:
        """Return the first value of an expression, or None if it has no value."""
        result = self.api("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def scrapes(self) -> bool:
        """Return whether it has got an answer from the service."""
        targets = self.api("targets", state="active")["activeTargets"]
        return [target["health"] for target in targets] == ["up"]

    def has(self, expression: str) -> bool:
        value = self.value(expression)
        return value is not None and not math.isnan(value)


def follow_guide(folder: Path, service: Service) -> None:
    """Do what README.md says first, then point the configuration to the service."""
    make_key = shown.blocks((folder / "README.md").read_text(encoding="utf-8"), "sh")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-ec", make_key],
        cwd=folder,
        env=environment({"PATH": path, "STORAGE_DIR": str(service.storage_dir)}),
        check=True,
        timeout=PATIENCE,
    )
    configuration = load(folder / "prometheus.yml")
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = configuration["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{service.port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")


@pytest.fixture
def watched(tmp_path: Path, rules: Path) -> Iterator[Watched]:
    """A service with authentication on, watched as README.md says."""
    program = installed("prometheus", "MONOTRON_REQUIRE_PROMTOOL", "prometheus")
    log = tmp_path / "prometheus.log"
    command = [
        program,
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    become = f"{END_WITH_US}\nimport os; os.execv({program!r}, {command!r})"
    with services(tmp_path) as serve, log.open("wb") as output:
        root = {"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret}
        service = serve(variables=root)
        follow_guide(rules, service)
        with subprocess.Popen([COMMAND[0], "-c", become], cwd=rules, stderr=output) as process:
            try:

                def ready() -> bool:
                    assert process.poll() is None, log.read_text()
                    return "Server is ready to receive web requests" in log.read_text()

                wait_until(ready, "Prometheus is ready")
                (address,) = re.findall(r'msg="Listening on" address=(\S+)', log.read_text())
                yield Watched(service, f"http://{address}")
            finally:
                process.kill()
                print(log.read_text())


def without_comparison(expression: str) -> str:
    """Return what an alert measures."""
    expression = re.sub(r"^absent\((.*)\)$", r"\1", expression)
    return re.sub(r"\s(<|>|==) [\d.]+$", "", expression)


def test_prometheus_gets_in_and_every_expression_has_something_to_show(watched: Watched) -> None:
    assert watched.service.get("/metrics").status == 401
    wait_until(watched.scrapes, "the service is scraped")
    # A full disk takes too long to make; this asks for the same with another status.
    waiting = [
        without_comparison(text.replace("507", "503")) for text in ASKED_OF_A_FOLDER.values()
    ]
    headers = basic(Pair(ROOT.key, ROOT.secret))

    def all_have() -> bool:
        make_traffic(watched.service, headers)
        waiting[:] = [expression for expression in waiting if not watched.has(expression)]
        return not waiting

    wait_until(all_have, "each expression has a value")
    assert watched.value("sum(monotron_values_total)")


def test_prometheus_loads_the_alerts_and_sees_a_service_end(watched: Watched) -> None:
    wait_until(watched.scrapes, "the service is scraped")

    def loaded() -> dict[str, dict[str, Any]]:
        groups = watched.api("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def evaluated() -> bool:
        alerts = loaded()
        assert alerts.keys() == {rule["alert"] for rule in RULES}
        return {alert["health"] for alert in alerts.values()} == {"ok"}

    wait_until(evaluated, "all alerts are evaluated")
    # A scrape that was late makes it pending for a moment.
    wait_until(lambda: loaded()["MonotronDown"]["state"] == "inactive", "the service is up")
    watched.service.kill()
    wait_until(lambda: loaded()["MonotronDown"]["state"] == "pending", "its end is seen")
