"""A browser, for whatever looks at pages and pictures."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import ROOT
from tests.support.browser import Proxy, Visitor, browsers, proxy_for, visitors
from tests.support.service import PATIENCE, Serve, Service

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser for all tests that run in this process."""
    with browsers() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visitor]:
    """Opens tabs. At the end none of them may have complained."""
    with visitors(chromium) as start:
        yield start


@pytest.fixture
def running(serve: Serve) -> Service:
    return serve()


@pytest.fixture
def guarded_service(serve: Serve) -> Service:
    return serve(variables={"ROOT_API_KEY": ROOT.key, "ROOT_API_SECRET": ROOT.secret})


@pytest.fixture
def proxy(running: Service) -> Iterator[Proxy]:
    with proxy_for(running.port) as proxy:
        yield proxy
