"""Hypothesis' settings for tests whose fixtures go on from one example to the next."""

from hypothesis import HealthCheck, settings

sharing_fixtures = settings(
    suppress_health_check=[
        *settings().suppress_health_check,
        HealthCheck.function_scoped_fixture,
    ]
)
"""The store goes on, as it does in life; a test that needs a new one for each example must not."""
