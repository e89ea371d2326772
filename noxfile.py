"""Runs the tests on every other Python from 3.10 on that the machine has.

The one that runs this has run them already, in `make test`. A Python between the oldest and the
newest runs only what takes no seconds.
"""

import os
import subprocess
import sys
from pathlib import Path

import nox

OLDEST, NEWEST = 10, 19

SIDE_BY_SIDE = os.environ.get("SIDE_BY_SIDE", "auto")
"""How many tests run at once."""

SESSIONS = {
    "not alone and not same_on_each_python": ["-n", SIDE_BY_SIDE],
    "alone and not same_on_each_python": [],
}
"""Which tests run together, and how."""


QUICK = {
    "not alone and not long and not same_on_each_python": [
        *("-n", SIDE_BY_SIDE),
        *("tests/core", "tests/api", "tests/store"),
    ],
}
"""The same for a Python between the oldest and the newest, where what works on both works."""

FEWER = {"MONOTRON_KILLS": "50"}
"""`make test` has killed writers often enough; another Python is killed in the same way."""


def pythons() -> list[str]:
    """Return the versions, such as 3.12, that really start: pyenv's shims may not."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [str(folder) for folder in sorted(pyenv.glob("versions/3.*/bin"))]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
    versions = [f"3.{minor}" for minor in range(OLDEST, NEWEST + 1) if minor != sys.version_info[1]]
    return [version for version in versions if starts(f"python{version}")]


def starts(python: str) -> bool:
    """Return whether there is such a command and it works."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


VERSIONS = pythons()


@nox.session(python=VERSIONS or False, venv_backend="venv")
def tests(session: nox.Session) -> None:
    """Run the tests, with the pinned versions."""
    if not session.python:
        session.log("this machine has no other Python")
        return
    # As in the Makefile.
    editable = ("--config-settings", "editable_mode=compat", "--editable")
    session.install("--constraint", "constraints.txt", *editable, ".[test]")
    between = session.python not in (VERSIONS[0], VERSIONS[-1])
    for marks, how in (QUICK if between else SESSIONS).items():
        session.run("pytest", "-m", marks, *how, *session.posargs, env=FEWER)
