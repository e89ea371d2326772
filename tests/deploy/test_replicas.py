"""Several Monotron on an etcd: the files for deploying them, and what nginx does before them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monotron.limits import ATTRIBUTES_BYTES, BODY_BYTES, URL_BYTES
from monotron.server.service import IDLE_SECONDS
from tests.conftest import need_etcd
from tests.deploy.test_deploy import (
    CLUSTER,
    K8S,
    SECONDS_TO_LEAVE,
    container,
    image_settings,
    images,
    load,
    of,
    pod,
)
from tests.support import nginx
from tests.support.etcd import cluster
from tests.support.nginx import REPLICAS, in_front_of, stubs
from tests.support.ports import new_port, new_ports, nobody
from tests.support.service import (
    JOB,
    PATIENCE,
    Load,
    Serve,
    Service,
    assert_none_twice,
    environment,
    wait_until,
)
from tests.support.web import routes

pytestmark = pytest.mark.same_on_each_python

FOLDER = K8S / "replicas"

ETCD = "gcr.io/etcd-development/etcd"

FIXED_ETCD = {(3, 5): 33, (3, 6): 14}
"""The first of each minor version without known faults that corrupt data."""

WRITES = ("POST", "PUT", "DELETE")


def composed() -> dict[str, Any]:
    services: dict[str, Any] = load(CLUSTER)["services"]
    return services


def etcds() -> dict[str, Any]:
    return {name: each for name, each in composed().items() if name.startswith("etcd-")}


def document(name: str) -> Any:
    return load(FOLDER / name)


def replicas_pod() -> Any:
    return document("deployment.yaml")["spec"]["template"]["spec"]


def etcd_pod() -> Any:
    return document("etcd-statefulset.yaml")["spec"]["template"]["spec"]


def only(containers: list[Any]) -> Any:
    (one,) = containers
    return one


def variables(container: Any) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def etcd_arguments() -> dict[str, str]:
    given = only(etcd_pod()["containers"])["args"]
    return dict(argument.removeprefix("--").split("=", 1) for argument in given)


def members(store: str) -> list[str]:
    """Return the hosts of a store's address, each of which has to have etcd's own port."""
    found = [host.rsplit(":", 1) for host in store.removeprefix("etcd://").split(",")]
    assert {port for _, port in found} == {"2379"}
    return [host for host, _ in found]


def assert_has_no_known_faults(tag: str) -> None:
    major, minor, patch = map(int, tag.removeprefix("v").split("."))
    assert patch >= FIXED_ETCD[major, minor]


# Compose


def test_each_container_of_the_cluster_can_gain_no_rights_and_comes_back() -> None:
    for name, each in composed().items():
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert not {"cap_add", "privileged", "devices", "pid"} & set(each), name
        assert each["restart"] == ("no" if name == "init" else "unless-stopped"), name


def test_only_nginx_is_reached_and_only_from_this_machine() -> None:
    published = {name: each["ports"] for name, each in composed().items() if "ports" in each}
    assert published == {"nginx": [f"127.0.0.1:8080:{nginx.PORT}"]}


def test_only_monotron_reaches_etcd() -> None:
    assert load(CLUSTER)["networks"]["etcd"] == {"internal": True}
    inside = {name for name, each in composed().items() if "etcd" in each["networks"]}
    assert inside == {*REPLICAS, "init", *etcds()}


def test_monotron_knows_every_member_and_the_members_know_each_other() -> None:
    for name in (*REPLICAS, "init"):
        assert members(composed()[name]["environment"]["MONOTRON_STORE"]) == sorted(etcds())
    cluster = ",".join(f"{name}=http://{name}:2380" for name in sorted(etcds()))
    for name, each in etcds().items():
        assert each["environment"]["ETCD_NAME"] == name
        assert each["environment"]["ETCD_INITIAL_CLUSTER"] == cluster
        assert each["environment"]["ETCD_ADVERTISE_CLIENT_URLS"] == f"http://{name}:2379"
        assert each["environment"]["ETCD_INITIAL_ADVERTISE_PEER_URLS"] == f"http://{name}:2380"
        # Each has a volume that no other has.
        (folder,) = each["volumes"]
        assert folder == f"{name}:{Path(each['environment']['ETCD_DATA_DIR']).parent}"
    assert set(load(CLUSTER)["volumes"]) == set(etcds())
    assert len(etcds()) == 3


def test_composed_etcd_forgets_old_values_and_has_a_quota() -> None:
    for each in etcds().values():
        settings = each["environment"]
        assert settings["ETCD_AUTO_COMPACTION_MODE"] == "periodic"
        assert settings["ETCD_AUTO_COMPACTION_RETENTION"] == "10m"
        assert settings["ETCD_QUOTA_BACKEND_BYTES"] == str(8 * 2**30)
        assert int(settings["ETCD_MAX_REQUEST_BYTES"]) > ATTRIBUTES_BYTES
        assert_has_no_known_faults(each["image"].rpartition(":")[2])


def test_composed_monotron_keeps_nothing_and_has_time_to_leave() -> None:
    for name in REPLICAS:
        each = composed()[name]
        assert "volumes" not in each
        assert each["tmpfs"] == of("VOLUME")
        assert int(each["stop_grace_period"].removesuffix("s")) > SECONDS_TO_LEAVE
        assert (CLUSTER.parent / each["build"]).resolve() == CLUSTER.parents[2]


def test_nothing_makes_the_store_but_a_person() -> None:
    init = composed()["init"]
    assert init["command"] == ["init"]
    assert init["profiles"] == ["init"]
    assert "init/" not in str(document("kustomization.yaml")["resources"])
    assert "initContainers" not in replicas_pod()


# Kubernetes


def test_a_pod_is_the_one_of_the_folder_above_without_its_volume() -> None:
    """What test_deploy.py says of that one holds for each of these, too."""
    ours, theirs = replicas_pod(), pod()
    for key in ("automountServiceAccountToken", "enableServiceLinks", "volumes"):
        assert ours[key] == theirs[key], key
    context = dict(theirs["securityContext"])
    del context["fsGroupChangePolicy"]
    assert ours["securityContext"] == context
    mine, other = only(ours["containers"]), container()
    for key in ("image", "ports", "securityContext", "resources", "startupProbe", "livenessProbe"):
        assert mine[key] == other[key], key
    assert mine["volumeMounts"] == [mount for mount in other["volumeMounts"] if "readOnly" in mount]
    assert variables(mine).items() - variables(other).items() == {
        ("MONOTRON_STORE", variables(mine)["MONOTRON_STORE"])
    }


def test_replicas_stay_in_the_service_when_etcd_is_gone() -> None:
    for key, probe in only(replicas_pod()["containers"]).items():
        if key.endswith("Probe"):
            assert probe["httpGet"] == {"path": "/livez", "port": "http"}, key


def test_a_pod_leaves_after_the_calls_to_it_and_has_time_to() -> None:
    (_, seconds) = only(replicas_pod()["containers"])["lifecycle"]["preStop"]["exec"]["command"]
    assert replicas_pod()["terminationGracePeriodSeconds"] > int(seconds) + SECONDS_TO_LEAVE


def test_an_update_or_a_drain_leaves_numbers_going_on() -> None:
    deployment = document("deployment.yaml")["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    for workload, budget in (
        ("deployment.yaml", "poddisruptionbudget.yaml"),
        ("etcd-statefulset.yaml", "etcd-poddisruptionbudget.yaml"),
    ):
        assert document(budget)["spec"]["maxUnavailable"] == 1
        assert document(budget)["spec"]["selector"] == document(workload)["spec"]["selector"]


def test_no_node_takes_all_of_them_along() -> None:
    labels = document("deployment.yaml")["spec"]["selector"]
    spread = {each["topologyKey"]: each for each in replicas_pod()["topologySpreadConstraints"]}
    assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(each["labelSelector"] == labels for each in spread.values())
    (apart,) = etcd_pod()["affinity"]["podAntiAffinity"].values()
    assert apart == [
        {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": document("etcd-statefulset.yaml")["spec"]["selector"],
        }
    ]


def test_the_service_leads_to_the_replicas_and_never_to_the_one_pod_as_well() -> None:
    selector = document("service.yaml")["spec"]["selector"]
    assert selector == document("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    above = load(K8S / "service.yaml")
    assert selector != above["spec"]["selector"]
    assert document("service.yaml")["metadata"]["name"] == above["metadata"]["name"]
    assert document("service.yaml")["spec"]["ports"] == above["spec"]["ports"]


def test_the_pods_and_the_job_know_every_member_and_the_members_know_each_other() -> None:
    stateful = document("etcd-statefulset.yaml")
    name, service = stateful["metadata"]["name"], stateful["spec"]["serviceName"]
    pods = [f"{name}-{number}" for number in range(stateful["spec"]["replicas"])]
    hosts = [f"{pod}.{service}" for pod in pods]
    job = document("init/job.yaml")["spec"]["template"]["spec"]
    for each in (replicas_pod(), job):
        assert members(variables(only(each["containers"]))["MONOTRON_STORE"]) == hosts
    given = etcd_arguments()
    assert given["initial-cluster"] == ",".join(
        f"{pod}=http://{host}:2380" for pod, host in zip(pods, hosts, strict=True)
    )
    assert given["name"] == "$(POD_NAME)"
    assert given["advertise-client-urls"] == f"http://$(POD_NAME).{service}:2379"
    assert given["initial-advertise-peer-urls"] == f"http://$(POD_NAME).{service}:2380"
    headless = document("etcd-service.yaml")
    assert headless["metadata"]["name"] == service
    assert headless["spec"]["clusterIP"] == "None"
    assert headless["spec"]["publishNotReadyAddresses"] is True
    assert headless["spec"]["selector"] == stateful["spec"]["selector"]["matchLabels"]


def test_etcd_on_kubernetes_has_the_settings_of_the_one_in_compose() -> None:
    given = etcd_arguments()
    for each in etcds().values():
        for variable, value in each["environment"].items():
            setting = variable.removeprefix("ETCD_").lower().replace("_", "-")
            same = not re.search("name|advertise|initial-cluster$", setting)
            assert not same or given[setting] == value, setting
    (image,) = {each["image"] for each in etcds().values()}
    assert image == only(etcd_pod()["containers"])["image"] + ":" + images(FOLDER)[ETCD]["newTag"]


def test_etcd_has_no_rights_to_gain_and_writes_to_its_volume_only() -> None:
    assert only(etcd_pod()["containers"])["securityContext"] == container()["securityContext"]
    context = etcd_pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] != pod()["securityContext"]["runAsUser"]
    assert context["fsGroup"] == context["runAsGroup"]
    (mount,) = only(etcd_pod()["containers"])["volumeMounts"]
    assert Path(etcd_arguments()["data-dir"]).parent == Path(mount["mountPath"])
    assert "volumes" not in etcd_pod()


def test_the_volume_of_etcd_holds_its_quota_twice() -> None:
    (claim,) = document("etcd-statefulset.yaml")["spec"]["volumeClaimTemplates"]
    gibibytes = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    assert gibibytes * 2**30 > 2 * int(etcd_arguments()["quota-backend-bytes"])


def test_only_monotron_and_its_job_reach_etcd() -> None:
    policy = document("etcd-networkpolicy.yaml")["spec"]
    assert policy["podSelector"] == document("etcd-statefulset.yaml")["spec"]["selector"]
    allowed = {
        port["port"]: rule.get("from") for rule in policy["ingress"] for port in rule["ports"]
    }
    assert set(allowed) == {"client", "peer", "metrics"}
    callers = [
        load(FOLDER / file)["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        for file in ("etcd-statefulset.yaml", "init/job.yaml", "deployment.yaml")
    ]
    (expression,) = only(allowed["client"])["podSelector"]["matchExpressions"]
    assert (expression["operator"], expression["values"]) == ("In", callers)
    assert allowed["peer"] == [{"podSelector": policy["podSelector"]}]


def test_all_parts_have_the_version_of_the_folder_above() -> None:
    assert images(FOLDER)["monotron"] == images(K8S)["monotron"]
    assert images(FOLDER / "init") == images(K8S)
    assert_has_no_known_faults(images(FOLDER)[ETCD]["newTag"])


# nginx


def test_nginx_is_new_enough_to_look_names_up_again() -> None:
    version = composed()["nginx"]["image"].partition(":")[2].partition("-")[0]
    assert tuple(map(int, version.split("."))) >= (1, 27, 3)


def test_nginx_leads_to_every_monotron_on_the_port_of_the_image() -> None:
    text = nginx.CONFIGURATION.read_text(encoding="utf-8")
    servers = re.findall(r"^ +server ([\w-]+):(\d+) ", text, re.MULTILINE)
    assert servers == [(name, str(image_settings().port)) for name in REPLICAS]
    assert set(REPLICAS) == {name for name in composed() if name.startswith("monotron-")}
    (mounted,) = composed()["nginx"]["volumes"]
    assert mounted == f"./{nginx.CONFIGURATION.name}:/etc/nginx/nginx.conf:ro"


def test_nginx_writes_to_its_tmpfs_only() -> None:
    text = nginx.CONFIGURATION.read_text(encoding="utf-8")
    written = re.findall(r"^ *(?:pid|\w+_temp_path) (\S+);", text, re.MULTILINE)
    assert len(written) == 6
    assert {str(Path(path).parent) for path in written} == set(composed()["nginx"]["tmpfs"])


def test_nginx_closes_idle_connections_before_monotron_does() -> None:
    assert "keepalive_timeout" not in nginx.CONFIGURATION.read_text(encoding="utf-8")
    assert IDLE_SECONDS > 60


def test_nginx_finds_nothing_wrong_with_its_configuration(tmp_path: Path) -> None:
    file = nginx.configured(tmp_path, 8080, (8081, 8082))
    done = subprocess.run(
        [nginx.program(), "-t", "-c", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_calls_go_to_both(tmp_path: Path) -> None:
    with stubs(200, 200) as (one, other), in_front_of(tmp_path, one.port, other.port) as front:
        assert [front.ask("POST", "/x").status for _ in range(20)] == [200] * 20
    assert (len(one.asked), len(other.asked)) == (10, 10)


@pytest.mark.parametrize("method", ["GET", "HEAD", *WRITES])
def test_no_call_fails_because_one_replica_is_gone(method: str, tmp_path: Path) -> None:
    with (
        stubs(200) as (alive,),
        in_front_of(tmp_path, nobody(), alive.port) as front,
    ):
        answers = [front.ask(method, "/x", b"{}" if method == "PUT" else None) for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert alive.asked == [f"{method} /x"] * 20


@pytest.mark.parametrize("method", WRITES)
def test_what_may_have_taken_a_number_is_never_repeated(method: str, tmp_path: Path) -> None:
    with (
        stubs(None, None) as (one, other),
        in_front_of(tmp_path, one.port, other.port) as front,
    ):
        answer = front.ask(method, "/x")
    assert one.asked + other.asked == [f"{method} /x"]
    assert answer.status == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "not known whether a number was taken" in answer.json["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_is_repeated_at_the_other_replica(method: str, tmp_path: Path) -> None:
    with (
        stubs(None, 200) as (broken, other),
        in_front_of(tmp_path, broken.port, other.port) as front,
    ):
        answers = [front.ask(method, "/x") for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert broken.asked
    assert len(other.asked) == 10


def test_a_503_that_explains_reaches_the_caller_and_takes_nobody_out(tmp_path: Path) -> None:
    with stubs(503, 503) as (one, other), in_front_of(tmp_path, one.port, other.port) as front:
        answers = [front.ask(method, "/x") for method in ("GET", *WRITES) * 3]
    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["X-Stub"] for answer in answers} == {str(one.port), str(other.port)}
    assert len(one.asked + other.asked) == len(answers)


def test_replicas_that_are_back_are_asked_again(tmp_path: Path, serve: Serve) -> None:
    replica = serve("--port", str(new_port()))
    with in_front_of(tmp_path / "nginx", replica.port, nobody()) as front:
        assert front.ask("POST", JOB).value == 1
        replica.kill()
        assert front.ask("POST", JOB).status == 502
        serve("--port", str(replica.port))
        wait_until(lambda: front.ask("POST", JOB).status == 200, "numbers go on")


@pytest.fixture
def front(tmp_path: Path, shared: Service) -> Iterator[nginx.Front]:
    """nginx before a real Monotron, and a second one that is gone."""
    with in_front_of(tmp_path / "nginx", shared.port, nobody()) as front:
        yield front


@pytest.mark.parametrize(("method", "token"), [("PUT", "1"), ("POST", "2")])
def test_a_name_arrives_as_it_was_sent(method: str, token: str, front: nginx.Front) -> None:
    sent = "a%2Fb%3Fc%23%25%5C%2E%2E%20%C3%BC//d"
    answer = front.ask(method, f"/v1/series/{sent.replace('//', '%2F%2F')}/{token}")
    assert answer.json["key"] == "a/b?c#%\\.. ü//d"


def test_every_path_leads_to_monotron(front: nginx.Front, shared: Service) -> None:
    for path in routes():
        direct, through = shared.get(path), front.ask("GET", path)
        assert (through.status, through.headers["Content-Type"]) == (
            direct.status,
            direct.headers["Content-Type"],
        ), path


def test_it_is_monotron_that_refuses_what_is_too_long(front: nginx.Front) -> None:
    body = front.ask("PUT", "/v1/series/x/t", b"x" * (BODY_BYTES + 1))
    path = front.ask("GET", f"/v1/series/{'x' * URL_BYTES}")
    for answer, status in ((body, 413), (path, 414)):
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/problem+json"


# All of it together


PLACES = re.compile("name|data-dir|urls|initial-cluster")
"""The flags of etcd that say where it is. All others are those of deploy/k8s."""


@dataclass
class Running:
    """Two Monotron on three members of etcd, and what starts another."""

    serve: Serve
    store: str
    replicas: list[Service]

    def start(self, *flags: str) -> Service:
        return self.serve(*flags, variables={"MONOTRON_STORE": self.store})

    def initialize(self) -> "subprocess.CompletedProcess[str]":
        """Do what the job does."""
        (container,) = document("init/job.yaml")["spec"]["template"]["spec"]["containers"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            container["command"],
            env=environment({"PATH": path, "MONOTRON_STORE": self.store}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture
def running(tmp_path: Path, serve: Serve) -> Iterator[Running]:
    need_etcd()
    flags = [
        f"--{flag}={value}" for flag, value in etcd_arguments().items() if not PLACES.search(flag)
    ]
    assert len(flags) == 4
    with cluster(tmp_path / "etcd", 3, *flags) as etcd:
        hosts = ",".join(member.endpoint for member in etcd.members)
        running = Running(serve, f"etcd://{hosts}/builds", [])
        assert running.initialize().returncode == 0
        running.replicas = [running.start("--port", str(port)) for port in new_ports(2)]
        yield running


def test_the_job_can_be_repeated_and_makes_the_store_once(running: Running) -> None:
    assert running.replicas[0].take() == 1
    again = running.initialize()
    assert again.returncode == 0
    assert "has been initialized already" in again.stderr
    assert running.replicas[1].take() == 2


def test_numbers_go_on_through_nginx_when_a_replica_is_killed_and_when_it_is_back(
    running: Running, tmp_path: Path
) -> None:
    one, other = running.replicas
    with (
        in_front_of(tmp_path / "nginx", one.port, other.port) as front,
        Load(front, clients=8) as load,
    ):
        load.wait_for_more(100)
        one.kill()
        load.wait_for_more(100)
        back = running.start("--port", str(one.port))
        wait_until(lambda: takes_part(back), "the replica that is back is asked")
        other.kill()
        load.wait_for_more(100)
    assert_none_twice(load.answered)
    assert (load.unanswered, load.cut) == (0, 0)
    # What the killed ones were working on, at most once for each client.
    assert len(load.broken) <= 2 * load.clients
    assert all("not known whether a number was taken" in answer for answer in load.broken)


def takes_part(service: Service) -> bool:
    """Return whether a service has handed out numbers since it started."""
    return bool(
        re.search(r"^monotron_values_total\S* [1-9]", service.get("/metrics").body.decode(), re.M)
    )
