"""The examples in docs/operations.md are what really happens."""

import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from monotron.store.data_file import verify_file
from tests.deploy.test_deploy import K8S, KUBERNETES, container, load, pod
from tests.support import shown
from tests.support.service import Serve, environment

PAGE = shown.page("docs/operations.md")
(SCRIPT,) = [block for block in shown.blocks(PAGE, "sh") if block.startswith("#!/bin/sh\n")]
(POD,) = map(yaml.safe_load, shown.blocks(PAGE, "yaml"))


def test_each_command_prints_what_is_shown(serve: Serve, tmp_path: Path) -> None:
    assert len(shown.commands(PAGE)) > 10
    shown.assert_prints_what_is_shown(PAGE, serve(), tmp_path)


def run_script(storage_dir: Path, backups: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", SCRIPT.replace("/var/backups/monotron", str(backups))],
        env=environment({"PATH": path, "STORAGE_DIR": str(storage_dir)}),
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_script_for_cron_keeps_a_backup_and_removes_old_ones(
    serve: Serve, tmp_path: Path
) -> None:
    running = serve()
    assert running.take() == 1
    backups = tmp_path / "backups"
    backups.mkdir()
    (backups / "monotron-old.mdb").touch()
    os.utime(backups / "monotron-old.mdb", (0, 0))
    done = run_script(running.storage_dir, backups)
    assert (done.returncode, done.stderr) == (0, "")
    (kept,) = backups.iterdir()
    assert kept.name.startswith("monotron-20")
    assert verify_file(kept) == []


def test_the_script_for_cron_fails_where_there_is_no_store(tmp_path: Path) -> None:
    done = run_script(tmp_path / "nowhere", tmp_path)
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_pod_that_restores_is_valid(version: str) -> None:
    assert kubernetes_validate.validate(POD, version, strict=True) == version


def test_the_pod_that_restores_fits_to_what_is_deployed() -> None:
    stateful = load(K8S / "statefulset.yaml")
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    (restore,) = POD["spec"]["containers"]
    (ours,) = load(K8S / "kustomization.yaml")["images"]
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in POD["spec"]["volumes"]] == [
        f"{claim['metadata']['name']}-{stateful['metadata']['name']}-0",
        load(K8S / "backup/volume.yaml")["metadata"]["name"],
    ]
    assert restore["image"] == f"{ours['newName']}:{ours['newTag']}"
    assert restore["securityContext"] == container()["securityContext"]
    context = pod()["securityContext"]
    assert POD["spec"]["securityContext"].items() <= context.items()
