"""The setting of a store on etcd: what is refused, and that every command works on both stores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from monotron.commands import SUBCOMMANDS
from monotron.settings import InvalidSetting, read_settings
from monotron.store.etcd.address import Address
from tests.server.test_start import refusal
from tests.support import certificates
from tests.support.certificates import Certificate
from tests.support.service import run

STORE = "etcd://a,b,c/builds"
PASSWORD = "hunter2-hunter2"


def refused(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> str:
    """Return the one line that says why these settings cannot be used."""
    with pytest.raises(InvalidSetting) as error:
        read_settings(environ, flags or {})
    line = str(error.value)
    assert line.isprintable()
    assert PASSWORD not in line
    return line


@dataclass(frozen=True)
class Files:
    """The files that TLS needs, and others that do not fit."""

    ca: Certificate
    client: Certificate
    other: Certificate

    def variables(self, **more: str | Path) -> dict[str, str]:
        """Return the variables of the right ones, or others in their place."""
        files = {
            "ca": self.ca.file,
            "certificate": self.client.file,
            "key": self.client.key,
            **more,
        }
        names = {f"MONOTRON_STORE_{name.upper()}": str(file) for name, file in files.items()}
        return {"MONOTRON_STORE": STORE, **names}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    ca = certificates.authority(tmp_path_factory.mktemp("certificates"))
    return Files(ca, certificates.signed(ca, "client"), certificates.signed(ca, "other"))


# What is set


def test_the_store_is_a_folder_unless_it_is_set() -> None:
    assert read_settings({"MONOTRON_STORE": ""}, {}).store is None
    address = Address(("a:2379", "b:2379", "c:2379"), "builds", None)
    assert read_settings({"MONOTRON_STORE": STORE}, {}).store == address
    assert read_settings({"MONOTRON_STORE": "etcd://d"}, {"store": STORE}).store == address


def test_a_folder_by_variable_does_not_count_beside_a_store() -> None:
    settings = read_settings({"STORAGE_DIR": "/data", "MONOTRON_STORE": STORE}, {})
    assert settings.place == "etcd://a:2379,b:2379,c:2379/builds"


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({"MONOTRON_STORE": STORE}, {"storage_dir": "data"}),
        ({}, {"storage_dir": "data", "store": STORE}),
    ],
)
def test_a_folder_by_flag_beside_a_store_is_refused(
    environ: dict[str, str], flags: dict[str, str]
) -> None:
    line = refused(environ, flags)
    assert "--storage-dir and " in line
    assert "only one can count" in line


@pytest.mark.parametrize("text", ["data", "etcd://", "http://a", "etcd://a:0", "etcd://a//b", " "])
def test_a_text_that_is_no_store_is_refused_by_name(text: str) -> None:
    assert f"MONOTRON_STORE is {text!r}, but " in refused({"MONOTRON_STORE": text})
    assert f"--store is {text!r}, but " in refused({"MONOTRON_STORE": STORE}, {"store": text})


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    line = refused({}, {"store": f"etcd://monotron:{PASSWORD}@a"})
    assert line.startswith("--store is 'etcd://monotron:...@a', but ")


def test_a_user_and_a_password_belong_together(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    with_user = {"MONOTRON_STORE": "etcd://monotron@a"}
    for way in ({"MONOTRON_STORE_PASSWORD": PASSWORD}, {"MONOTRON_STORE_PASSWORD_FILE": str(file)}):
        settings = read_settings({**with_user, **way}, {})
        assert settings.store_password == PASSWORD
        assert PASSWORD not in repr(settings)
        assert "names no user" in refused({"MONOTRON_STORE": STORE, **way})
    assert read_settings(with_user, {"store_password_file": str(file)}).store_password == PASSWORD
    assert "MONOTRON_STORE_PASSWORD is not set" in refused(with_user)


def test_a_certificate_and_its_key_belong_together(files: Files) -> None:
    settings = read_settings(files.variables(), {})
    assert settings.store_ca == files.ca.file
    assert (settings.store_certificate, settings.store_key) == (files.client.file, files.client.key)
    for missing in ("certificate", "key"):
        assert "belong together" in refused(files.variables(**{missing: ""}))
    assert "MONOTRON_STORE_CA, which turns TLS on" in refused(files.variables(ca=""))


@pytest.mark.parametrize("name", ["CA", "CERTIFICATE", "KEY"])
def test_a_file_that_cannot_be_read_is_refused_by_name(
    name: str, files: Files, tmp_path: Path
) -> None:
    variable = f"MONOTRON_STORE_{name}"
    missing = str(tmp_path / "missing")
    line = refused({**files.variables(), variable: missing})
    assert f"{variable} is {missing!r}, but it cannot be read: No such file" in line
    other = tmp_path / "other"
    other.write_bytes(b"\x30\x82")
    assert "not a PEM file" in refused({**files.variables(), variable: str(other)})


def test_files_that_tls_cannot_use_are_refused_by_name(files: Files, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
    assert "MONOTRON_STORE_CA is " in refused(files.variables(ca=broken))
    for key in (files.other.key, certificates.encrypted(files.client.key, PASSWORD), broken):
        line = refused(files.variables(key=key))
        assert line.startswith("MONOTRON_STORE_CERTIFICATE is ")
        assert "TLS cannot use it" in line


@pytest.mark.parametrize("name", ["ca", "password"])
def test_what_is_only_for_etcd_is_refused_without_a_store(name: str, files: Files) -> None:
    value = str(files.ca.file) if name == "ca" else PASSWORD
    variable = f"MONOTRON_STORE_{name.upper()}"
    assert refused({variable: value}).startswith(f"{variable} is set, but MONOTRON_STORE, ")


# Without a cluster


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_takes_the_store(name: str) -> None:
    command = (
        [name, "create"] if name == "keys" else [name, "jsonl"] if name == "import" else [name]
    )
    text = run(*command, "--help").stdout
    for flag in ("--storage-dir", "--store", "--store-ca", "--store-password-file"):
        assert f"{flag} " in text


def test_a_folder_needs_no_init(folder: Path) -> None:
    status, line = refusal("init", variables={"STORAGE_DIR": str(folder)})
    assert status == 2
    assert "a storage folder needs none" in line
    assert not folder.exists()


@pytest.mark.parametrize("command", [["backup", "-"], ["restore", "copy.mdb"]])
def test_backup_and_restore_are_for_a_folder(command: list[str], folder: Path) -> None:
    variables = {"STORAGE_DIR": str(folder), "MONOTRON_STORE": STORE}
    _, line = refusal(*command, variables=variables)
    assert f"monotron {command[0]} is for a storage folder" in line
    assert "export and import move a store" in line
    assert not folder.exists()


@pytest.mark.parametrize("command", [["init"], ["serve", "--port", "0"], ["next", "svc"]])
def test_without_the_extra_the_error_names_it(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text('raise ModuleNotFoundError("no grpc", name="grpc")\n')
    _, line = refusal(*command, "--store", STORE, variables={"PYTHONPATH": str(tmp_path)})
    assert line == (
        "monotron: the store etcd://a:2379,b:2379,c:2379/builds needs the extra: "
        "pip install monotron[etcd]"
    )
