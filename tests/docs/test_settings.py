"""docs/settings.md has every setting, and nothing else."""

import pytest

from monotron.setting import Setting
from monotron.settings import SETTINGS
from tests.support import shown

PAGE = shown.page("docs/settings.md")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_settings_table_is_complete(setting: Setting) -> None:
    variables = ", ".join(f"`{variable}`" for variable in setting.variables)
    if setting.secret:
        variables += f", `{setting.file_variable}`"
    default = f"`{setting.default}`" if setting.default else "none"
    assert f"| `{setting.flag}` | {variables} | {default} | {setting.meaning} |\n" in PAGE


def test_settings_table_has_nothing_else() -> None:
    table = PAGE.partition("| flag | variable |")[2].partition("\n\n")[0]
    assert table.count("\n") == len(SETTINGS) + 1
