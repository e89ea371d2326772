"""Tests that share something costly run in one process."""

import os

import pytest


@pytest.mark.xdist_group("together")
def test_tests_of_a_group_are_handed_out_together(request: pytest.FixtureRequest) -> None:
    # xdist knows a group by the end of a test's id. A pytest that keeps it from writing that end
    # (pytest-xdist #1386) makes each process build what is shared, without a word.
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@together")
