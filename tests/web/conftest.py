"""A browser, for whatever looks at pages and pictures."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visitor, browsers, visitors


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
