"""Certificates of a cluster of etcd, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import installed


@dataclass(frozen=True, slots=True)
class Certificate:
    """A PEM file, and the file of its key."""

    file: Path
    key: Path


def authority(folder: Path, name: str = "ca") -> Certificate:
    """Make a CA."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    # Python 3.13 trusts no CA without it.
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _request(name, made.key, "-x509", "-days", "2", *usage, "-out", made.file)
    return made


def signed(ca: Certificate, name: str) -> Certificate:
    """Make a certificate of a server on loopback, or of a client of this name."""
    folder = ca.file.parent
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n"
    )
    _request(name, made.key, "-out", request)
    _openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-extfile",
        extensions,
        "-days",
        "2",
        "-out",
        made.file,
        "-CA",
        ca.file,
        "-CAkey",
        ca.key,
        "-CAcreateserial",
    )
    return made


def encrypted(key: Path, password: str) -> Path:
    """Return a copy of a key that needs a password."""
    copy = key.with_suffix(".encrypted")
    _openssl("pkey", "-in", key, "-aes256", "-passout", f"pass:{password}", "-out", copy)
    return copy


def _request(name: str, key: Path, *more: str | Path) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    _openssl("req", *curve, "-nodes", "-subj", f"/CN={name}", "-keyout", key, *more)


def _openssl(*arguments: str | Path) -> None:
    program = installed("openssl", "MONOTRON_REQUIRE_ETCD", "openssl")
    subprocess.run([program, *arguments], check=True, capture_output=True, timeout=60)
