"""docs/settings.md has every setting, and nothing else."""

import re
from itertools import groupby

import pytest

from monotron.setting import Setting
from monotron.settings import SETTINGS
from tests.support import shown
from tests.support.service import run

PAGE = shown.page("docs/settings.md")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_settings_table_is_complete(setting: Setting) -> None:
    variables = ", ".join(f"`{variable}`" for variable in setting.variables)
    if setting.secret:
        variables += f", `{setting.file_variable}`"
    default = f"`{setting.default}`" if setting.default else "none"
    assert f"| `{setting.flag}` | {variables} | {default} | {setting.meaning} |\n" in PAGE


def test_tables_have_the_groups_of_the_settings_and_nothing_else() -> None:
    """A group is a heading with a table below it, and so it is in the help of `monotron serve`."""
    grouped = [
        (title, [setting.flag for setting in settings])
        for title, settings in groupby(SETTINGS, lambda setting: setting.group)
    ]
    assert len(dict(grouped)) == len(grouped), "a group in two parts"
    tables = re.findall(r"^## (.*)\n\n\| flag .*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert [
        (title, re.findall(r"^\| `(--[\w-]+)`", rows, re.M)) for title, rows in tables
    ] == grouped
    helped = run("serve", "--help").stdout
    titles = re.findall(r"^(\w+):$(.*?)(?=^\w|\Z)", helped, re.MULTILINE | re.DOTALL)
    found = [(title, re.findall(r"^  (--[\w-]+)", text, re.M)) for title, text in titles]
    assert [(title, flags) for title, flags in found[1:] if title != "example"] == grouped
