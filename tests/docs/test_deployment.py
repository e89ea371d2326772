"""What docs/deployment.md says of processes, systems and authentication is so.

tests/deploy looks at what it says of Docker, Compose, Traefik and Kubernetes.
"""

import re
from pathlib import Path

import pytest

from tests.support import shown
from tests.support.service import Serve, Service
from tests.support.shown import blocks, run

PAGE = shown.page("docs/deployment.md")
(AUTHENTICATION,) = re.findall(r"^## Authentication\n.*?(?=^## )", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def service(serve: Serve) -> Service:
    return serve()


def test_there_are_as_many_processes_as_the_page_says(service: Service) -> None:
    assert "The service is two processes:" in PAGE
    supervisor = service.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    assert len([supervisor, *children]) == 2


def test_operating_system_is_the_one_that_is_declared() -> None:
    declared = re.findall("Operating System :: (.*)", shown.page("setup.cfg"))
    (python,) = re.findall("python_requires = >=(.*)", shown.page("setup.cfg"))
    assert declared == ["POSIX :: Linux"]
    assert f"It needs Linux and Python {python} or newer" in shown.page("README.md")
    assert "Monotron is made for Linux and tested on Linux." in PAGE


def test_authentication_is_turned_on_as_shown(serve: Serve, tmp_path: Path) -> None:
    (script,) = blocks(AUTHENTICATION, "sh")
    before, start = script.removesuffix("\n").rsplit("\n", 1)
    assert start == "monotron serve"
    run(before, None, tmp_path)
    files = shown.exported(before)
    assert set(files) == {"ROOT_API_KEY_FILE", "ROOT_API_SECRET_FILE"}
    service = serve(variables={name: str(tmp_path / file) for name, file in files.items()})
    assert service.post("/v1/series/shop").status == 401
    shown.assert_prints_what_is_shown(AUTHENTICATION, service, tmp_path)
