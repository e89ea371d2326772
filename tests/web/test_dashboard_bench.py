"""The benchmark of the dashboard measures what it says. No time is judged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench import dashboard
from tests.support.service import PATIENCE
from tests.support.shown import ROOT as REPOSITORY

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_it_says_how_soon_the_first_row_is_there_and_what_an_idle_page_costs(
    tmp_path: Path, chromium: Browser
) -> None:
    options = ["--series", "3", "--visits", "1", "--minutes", "2", "--storage-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.dashboard", *options],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert re.fullmatch(r"3 series: first row after \d+ ms", said[0])
    assert len(said) == 2 + len(dashboard.CALLS)
    idle = re.fullmatch(
        r"  idle for 2 minutes: (\d+) requests, ([\d,]+) bytes received, some ([\d,]+) sent",
        said[-1],
    )
    assert idle is not None
    # 24 polls of the list; activity, versions and health twice.
    assert 26 <= int(idle[1]) <= 34
    # Each has headers, and hardly one a body.
    assert 100 * int(idle[1]) < int(idle[2].replace(",", "")) < 1000 * int(idle[1])
