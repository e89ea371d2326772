"""The examples of the command's page and of the Python client's are what really happens."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

from monotron import client
from monotron.client import Client
from monotron.client.errors import ClientError
from monotron.commands import SUBCOMMANDS
from tests.commands.test_terminal import on_terminal
from tests.support import shown
from tests.support.service import Serve

COMMAND, CLIENT = shown.page("docs/command.md"), shown.page("docs/client.md")


def test_each_command_prints_what_is_shown(serve: Serve, tmp_path: Path) -> None:
    running = serve()
    before, _, after = COMMAND.partition("\n## On a service")
    assert len(shown.commands(before)) > 8
    shown.assert_prints_what_is_shown(before, running, tmp_path)
    assert [on_terminal(running.storage_dir, "list")] == [
        (0, table) for table in shown.blocks(before, "text")
    ]
    assert len(shown.commands(after)) > 8
    shown.assert_prints_what_is_shown(after, running, tmp_path)


def test_each_line_of_python_does_what_is_shown(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MONOTRON_KEY", raising=False)
    url = f"http://127.0.0.1:{serve().port}"
    text = shown.with_address("\n".join(shown.blocks(CLIENT, "pycon")), url)
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/client.md", None, None)
    assert len(test.examples) > 12
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test, out=report.append, clear_globs=False).failed == 0, "".join(report)
    test.globs["client"].close()


def test_every_method_is_on_the_page() -> None:
    methods = {
        name
        for name, member in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_")
    }
    assert methods - {"close"} == set(re.findall(r"`([a-z_]+)\([^`]*\)`", CLIENT))


def test_every_error_is_on_the_page() -> None:
    errors = {
        name
        for name in client.__all__
        if isinstance(error := getattr(client, name), type) and issubclass(error, ClientError)
    }
    table = CLIENT.partition("| error | when |")[2].partition("\n\n")[0]
    told = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
    assert told == errors - {"ClientError"}


def test_the_commands_that_ask_a_service_are_named() -> None:
    (told,) = re.findall(r"names the service\. ([^.]*) ask it then", COMMAND)
    named = set(re.findall(r"`([a-z]+)`", told))
    assert named == {"next", "get", "list", "history", "seed", "delete", "version"}
    assert named <= set(SUBCOMMANDS)
