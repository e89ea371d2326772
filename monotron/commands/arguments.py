"""Arguments that several commands take."""

import argparse
from typing import TypeAlias

from monotron.core.accounts import FIRST_ACCOUNT
from monotron.settings import SETTINGS

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where commands are added; argparse has no public name for it."""


def add_setting(command: argparse.ArgumentParser, name: str) -> None:
    """Add the flag of a setting."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    told = f"Variable {setting.variable}, default {setting.default}."
    if setting.secret:
        told = f"A file that holds it. Variable {setting.variable} or {setting.file_variable}."
    command.add_argument(
        setting.flag,
        dest=setting.flag_name,
        metavar=setting.flag_name.upper(),
        help=f"{setting.meaning} {told}",
    )


def add_place(command: argparse.ArgumentParser) -> None:
    """Add what says where a series or an API key is: the account and the storage folder."""
    command.add_argument(
        "--account", type=int, default=FIRST_ACCOUNT, help=f"default {FIRST_ACCOUNT}"
    )
    add_setting(command, "storage_dir")
