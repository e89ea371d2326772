"""The Helm chart: what it renders is what deploy/k8s has, and wrong values are refused."""

import json
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monotron.settings import SETTINGS, read_settings
from tests.deploy.test_deploy import (
    CHART,
    K8S,
    K8S_SECRET,
    KUBERNETES,
    ROOT_PAIR,
    SECRETS,
    load,
    shell_blocks,
    validate,
)
from tests.deploy.test_monitoring import assert_is_of_the_operator
from tests.support import shown
from tests.support.certificates import authority, signed

if platform.machine() == "aarch64":
    pytest.skip("NOT SHOWN: helm-python-sdk has no wheel here", allow_module_level=True)

import helm_python as helm

pytestmark = pytest.mark.same_on_each_python

RELEASE = "monotron"
"""With it, everything has the names of deploy/k8s."""

NODE: dict[str, Any] = {}
REPLICAS: dict[str, Any] = {"replicas": 3, "etcd": {"enabled": True}}
ELSEWHERE, MONITORED = (
    yaml.safe_load(block) for block in shown.blocks((CHART / "README.md").read_text(), "yaml")
)
"""With an etcd that exists, and with the Prometheus Operator, as README.md shows them."""

EVERYTHING: dict[str, Any] = {
    "ingress": {"enabled": True, "className": "nginx", "annotations": {"example.com/a": "b"}},
    "settings": {"MONOTRON_LOG_FORMAT": "json", "MONOTRON_WORKERS": 2, "MONOTRON_ACCESS_LOG": True},
    "image": {"pullSecrets": ["registry"]},
    "storage": {"className": "local", "accessMode": "ReadWriteOnce"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "ci", "operator": "Exists"}],
    **MONITORED,
}
"""Whatever else can be set, with other values than those of values.yaml."""

WAYS = {
    "node": NODE,
    "node with everything": EVERYTHING,
    "replicas": REPLICAS,
    "replicas with everything": {**EVERYTHING, **REPLICAS},
    "replicas with an etcd that exists": ELSEWHERE,
    "a client certificate": {
        "etcd": {**ELSEWHERE["etcd"], "clientCertificate": True},
    },
}


@pytest.fixture(scope="module")
def chart() -> Iterator[helm.Chart]:
    with helm.Chart.load(CHART) as chart:
        yield chart


def rendered(
    chart: helm.Chart, values: dict[str, Any], name: str = RELEASE, *, upgrade: bool = False
) -> dict[str, Any]:
    """Return what an install makes, by the names of the templates."""
    texts = chart.render(
        values, name=name, namespace="monotron", is_install=not upgrade, is_upgrade=upgrade
    )
    documents = {
        Path(path).name: yaml.safe_load(text)
        for path, text in texts.items()
        if path.endswith(".yaml")
    }
    return {path: document for path, document in documents.items() if document is not None}


def workloads(manifests: dict[str, Any]) -> Iterator[Any]:
    for manifest in manifests.values():
        if "template" in manifest["spec"]:
            yield manifest


def monotron_containers(manifests: dict[str, Any]) -> list[Any]:
    return [
        container
        for workload in workloads(manifests)
        for container in workload["spec"]["template"]["spec"]["containers"]
        if "/monotron:" in container["image"]
    ]


def without(manifest: Any, *keys: str) -> Any:
    """Return a manifest without what the chart names in its own way, at any depth."""
    if isinstance(manifest, dict):
        return {key: without(each, *keys) for key, each in manifest.items() if key not in keys}
    if isinstance(manifest, list):
        return [without(each, *keys) for each in manifest]
    return manifest


def test_helm_finds_nothing_wrong() -> None:
    for values in WAYS.values():
        report = helm.lint(CHART, values, strict=True)
        assert report["errors"] == []
        # A picture of the chart would be an address on somebody's server.
        assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


def test_helm_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: other\n")
    assert helm.lint(tmp_path, strict=True)["errors"]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("way", WAYS)
def test_what_it_renders_is_valid(way: str, version: str, chart: helm.Chart) -> None:
    manifests = rendered(chart, WAYS[way])
    assert len(manifests) >= 2
    for manifest in manifests.values():
        validate(manifest, version)


def test_each_template_is_rendered_in_some_way(chart: helm.Chart) -> None:
    made = {name for values in WAYS.values() for name in rendered(chart, values)}
    files = {path.name for path in (CHART / "templates").glob("*.yaml")}
    assert made == files


# The same as deploy/k8s

NAMED = ("labels", "matchLabels", "image", "imagePullPolicy")
"""What is named otherwise: the chart has labels for the release, and the images of the values."""


def test_one_pod_is_that_of_the_manifests(chart: helm.Chart) -> None:
    mine, theirs = rendered(chart, NODE), K8S
    assert without(mine["statefulset.yaml"], *NAMED) == without(
        load(theirs / "statefulset.yaml"), *NAMED
    )
    assert without(mine["service.yaml"], "labels", "selector") == without(
        load(theirs / "service.yaml"), "labels", "selector"
    )


@pytest.mark.parametrize(
    ("template", "manifest"),
    [
        ("deployment.yaml", "deployment.yaml"),
        ("poddisruptionbudget.yaml", "poddisruptionbudget.yaml"),
        ("etcd-poddisruptionbudget.yaml", "etcd-poddisruptionbudget.yaml"),
        ("etcd-service.yaml", "etcd-service.yaml"),
        ("etcd-statefulset.yaml", "etcd-statefulset.yaml"),
    ],
)
def test_replicas_and_etcd_are_those_of_the_manifests(
    template: str, manifest: str, chart: helm.Chart
) -> None:
    mine, theirs = rendered(chart, REPLICAS)[template], load(K8S / "replicas" / manifest)
    assert mine["metadata"]["name"] == theirs["metadata"]["name"].replace("-replicas", "")
    assert without(mine["spec"], "selector", *NAMED) == without(theirs["spec"], "selector", *NAMED)


def test_the_first_install_initializes_the_store_as_the_manifest_does(chart: helm.Chart) -> None:
    mine = rendered(chart, REPLICAS)["init.yaml"]["spec"]
    theirs = load(K8S / "replicas/init/job.yaml")["spec"]
    # The group can read a password and a key, which this etcd does not have.
    assert without(mine, "fsGroup", *NAMED) == without(theirs, *NAMED)


def test_the_ingress_is_that_of_the_manifests(chart: helm.Chart) -> None:
    mine = rendered(chart, {"ingress": {"enabled": True}})["ingress.yaml"]
    assert mine["spec"] == load(K8S / "ingress/ingress.yaml")["spec"]


def test_what_the_operator_gets_is_that_of_the_manifests(chart: helm.Chart) -> None:
    for values in (NODE, REPLICAS):
        mine = rendered(chart, {**values, "monitoring": {"enabled": True}})
        for name in ("prometheusrule.yaml", "servicemonitor.yaml"):
            assert_is_of_the_operator(mine[name])
            theirs = load(K8S / "monitoring" / name)
            assert without(mine[name]["spec"], "selector") == without(theirs["spec"], "selector")
        wanted = mine["servicemonitor.yaml"]["spec"]["selector"]["matchLabels"].items()
        assert wanted <= mine["service.yaml"]["metadata"]["labels"].items()


def test_the_operator_gets_the_labels_that_it_looks_for(chart: helm.Chart) -> None:
    made = rendered(chart, MONITORED)
    for name in ("prometheusrule.yaml", "servicemonitor.yaml"):
        assert MONITORED["monitoring"]["labels"].items() <= made[name]["metadata"]["labels"].items()


# Promises of its own


def test_an_upgrade_never_initializes_the_store(chart: helm.Chart) -> None:
    assert "init.yaml" in rendered(chart, REPLICAS)
    assert "init.yaml" not in rendered(chart, REPLICAS, upgrade=True)
    never = {"etcd": {"enabled": True, "init": False}}
    assert "init.yaml" not in rendered(chart, never)


@pytest.mark.parametrize("way", WAYS)
def test_monotron_takes_every_setting_that_is_rendered(
    way: str, chart: helm.Chart, tmp_path: Path
) -> None:
    known = {variable for setting in SETTINGS for variable in setting.variables}
    known |= {setting.file_variable for setting in SETTINGS if setting.secret}
    containers = monotron_containers(rendered(chart, WAYS[way]))
    assert containers
    for container in containers:
        given = {entry["name"]: entry["value"] for entry in container["env"]}
        assert set(given) <= known
        read_settings(with_files(given, tmp_path), {})


def with_files(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the variables with files of this machine in place of those that secrets mount."""
    ca = authority(folder)
    certificate = signed(ca, "monotron")
    secret = folder / "secret"
    secret.write_text("secret")
    files = {"ca.crt": ca.file, "tls.crt": certificate.file, "tls.key": certificate.key}
    return {
        name: str(files.get(Path(value).name, secret)) if value.startswith(SECRETS) else value
        for name, value in variables.items()
    }


def test_values_can_have_every_setting_that_the_chart_does_not_set() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    own = {"host", "port", "storage_dir", *ROOT_PAIR}
    further = [
        setting.variable
        for setting in SETTINGS
        if setting.name not in own and not setting.name.startswith("store")
    ]
    assert schema["properties"]["settings"]["propertyNames"]["enum"] == further


@pytest.mark.parametrize(
    "name", ["monotron", "ci", "a-release-with-a-name-of-fifty-three-characters-inside"]
)
@pytest.mark.parametrize("way", ["node", "replicas"])
def test_every_selector_finds_the_pods_that_it_means(
    name: str, way: str, chart: helm.Chart
) -> None:
    manifests = rendered(chart, WAYS[way], name)
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in workloads(manifests)
    }
    for manifest in manifests.values():
        assert len(manifest["metadata"]["name"]) < 60
        spec = manifest["spec"]
        selector = spec.get("selector", spec.get("podSelector"))
        if selector is None:
            continue
        wanted = selector.get("matchLabels", selector).items()
        found = [each for each, labels in pods.items() if wanted <= labels.items()]
        assert found == [manifest["metadata"]["name"]]


def test_the_service_never_leads_to_both_stores(chart: helm.Chart) -> None:
    node, replicas = rendered(chart, NODE), rendered(chart, REPLICAS)
    pods = node["statefulset.yaml"]["spec"]["template"]["metadata"]["labels"]
    selector = replicas["service.yaml"]["spec"]["selector"]
    assert not selector.items() <= pods.items()


@pytest.mark.parametrize("name", ["monotron", "ci"])
def test_monotron_and_the_members_know_every_member(name: str, chart: helm.Chart) -> None:
    manifests = rendered(chart, REPLICAS, name)
    etcd = manifests["etcd-statefulset.yaml"]
    service = etcd["spec"]["serviceName"]
    assert service == manifests["etcd-service.yaml"]["metadata"]["name"]
    hosts = [f"{etcd['metadata']['name']}-{number}.{service}" for number in range(3)]
    store = "etcd://" + ",".join(f"{host}:2379" for host in hosts)
    for container in monotron_containers(manifests):
        assert {"name": "MONOTRON_STORE", "value": store} in container["env"]
    (arguments,) = (each["args"] for each in etcd["spec"]["template"]["spec"]["containers"])
    peers = ",".join(f"{host.partition('.')[0]}=http://{host}:2380" for host in hosts)
    assert f"--initial-cluster={peers}" in arguments


def test_an_etcd_that_exists_is_used_and_none_is_made(chart: helm.Chart) -> None:
    manifests = rendered(chart, WAYS["a client certificate"])
    assert not [name for name in manifests if name.startswith("etcd-")]
    folders = {"/run/secrets/etcd-tls": "etcd-ca", "/run/secrets/etcd-password": "etcd-password"}
    for workload in workloads(manifests):
        pod = workload["spec"]["template"]["spec"]
        secrets = {each["name"]: each["secret"]["secretName"] for each in pod["volumes"]}
        (container,) = pod["containers"]
        mounted = {each["mountPath"]: secrets[each["name"]] for each in container["volumeMounts"]}
        assert folders.items() <= mounted.items()
        given = {entry["name"]: entry["value"] for entry in container["env"]}
        assert given["MONOTRON_STORE"] == ELSEWHERE["etcd"]["address"]
        files = {given[f"MONOTRON_STORE_{each}"] for each in ("CA", "CERTIFICATE", "KEY")}
        assert files == {
            f"/run/secrets/etcd-tls/{each}" for each in ("ca.crt", "tls.crt", "tls.key")
        }
        assert given["MONOTRON_STORE_PASSWORD_FILE"] == "/run/secrets/etcd-password/password"
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


@pytest.mark.parametrize("way", WAYS)
def test_no_pod_has_rights_to_gain_or_takes_variables_of_services(
    way: str, chart: helm.Chart
) -> None:
    for workload in workloads(rendered(chart, WAYS[way])):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_the_guide_makes_the_secret_of_the_values(chart: helm.Chart) -> None:
    assert chart.values["rootSecret"] == K8S_SECRET
    (block,) = [block for block in shell_blocks(CHART / "README.md") if "create secret" in block]
    assert f"create secret generic {K8S_SECRET} " in block
    assert all(f"={secret}=" in block for secret in ROOT_PAIR)


def test_what_the_guide_sets_is_accepted(chart: helm.Chart) -> None:
    lines = re.findall(
        r"^helm install .*(?:\\\n.*)?", (CHART / "README.md").read_text(), re.MULTILINE
    )
    assert len(lines) == 2
    for line in lines:
        settings = ",".join(re.findall(r"--set (\S+)", line))
        chart.validate_schema(helm.parse_set_string(settings))


def test_the_notes_name_what_there_is(chart: helm.Chart) -> None:
    for values in (NODE, REPLICAS):
        texts = chart.render(values, name="ci", namespace="builds")
        notes = texts["monotron/templates/NOTES.txt"]
        kind, name = re.findall(r"-n builds exec (\w+)/(\S+)", notes)[0]
        made = rendered(chart, values, "ci")[f"{kind}.yaml"]
        assert made["metadata"]["name"] == name
        assert ("ci-monotron-init" in notes) == (values is REPLICAS)


# Values


def test_every_value_is_explained_and_has_a_rule() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def names(rule: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, each in rule.get("properties", {}).items():
            yield f"{path}{key}"
            yield from names(each, f"{path}{key}.")

    def given(values: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, each in values.items():
            yield f"{path}{key}"
            if isinstance(each, dict) and key != "resources":
                yield from given(each, f"{path}{key}.")

    assert set(names(schema)) - {"global"} == set(given(load(CHART / "values.yaml")))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 2}, "/replicas"),
        ({"replicas": 0}, "/replicas"),
        ({"replicas": "3", "etcd": {"enabled": True}}, "/replicas"),
        ({"replica": 3}, "'replica'"),
        ({"etcd": {"address": "etcd://a:2379"}}, "/etcd/address"),
        ({"etcd": {"enabled": True, "address": "http://a:2379"}}, "/etcd/address"),
        ({"etcd": {"enabled": True, "tlsSecret": "etcd-ca"}}, "/etcd/tlsSecret"),
        ({"etcd": {"enabled": True, "passwordSecret": "etcd"}}, "/etcd/passwordSecret"),
        (
            {"etcd": {**ELSEWHERE["etcd"], "tlsSecret": "", "clientCertificate": True}},
            "/etcd/client",
        ),
        ({"etcd": {**ELSEWHERE["etcd"], "passwordSecret": ""}}, "/etcd/passwordSecret"),
        (
            {"etcd": {"enabled": True, "address": "etcd://a:2379", "passwordSecret": "etcd"}},
            "/etcd/passwordSecret",
        ),
        ({"etcd": {"enabled": True, "quotaBytes": 2**34}}, "/etcd/quotaBytes"),
        ({"etcd": {"storage": {"size": "20"}}}, "/etcd/storage/size"),
        ({"storage": {"accessMode": "ReadWriteMany"}}, "/storage/accessMode"),
        ({"storage": {"size": "much"}}, "/storage/size"),
        ({"settings": {"MONOTRON_HISTROY": "5"}}, "MONOTRON_HISTROY"),
        ({"settings": {"STORAGE_DIR": "/tmp"}}, "STORAGE_DIR"),
        ({"settings": {"ROOT_API_SECRET": "x"}}, "ROOT_API_SECRET"),
        ({"rootSecret": ""}, "/rootSecret"),
        ({"image": {"repository": ""}}, "/image/repository"),
        ({"ingress": {"enabled": True, "tlsSecret": ""}}, "/ingress/tlsSecret"),
        ({"monitoring": {"enabled": True, "secret": ""}}, "/monitoring/secret"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], named: str, chart: helm.Chart) -> None:
    with pytest.raises(helm.HelmValuesError) as refused:
        chart.render(values, name=RELEASE, namespace="monotron")
    assert named in str(refused.value)
