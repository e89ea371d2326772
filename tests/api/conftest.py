"""What the matrices over ROUTES are asked of."""

import pytest

from monotron.settings import Settings
from tests.support.furnished import open_api
from tests.support.memory import MemoryStore
from tests.support.web import Api


@pytest.fixture
def furnished(settings: Settings) -> Api:
    """An API with something at each path. What is asked does not depend on the engine."""
    return open_api(MemoryStore(), settings)
