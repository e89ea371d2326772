"""Arguments that several commands take."""

import argparse
import sys
from itertools import pairwise
from typing import NoReturn

from monotron import digits
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.settings import SETTINGS

ARGUMENT_DIGITS = 1_000
"""More than any number has; beyond 4,300 digits Python refuses to read one."""


class Parser(argparse.ArgumentParser):
    """Says how a value is written that begins with a hyphen: argparse takes it for an option."""

    def error(self, message: str) -> NoReturn:
        """See `argparse`; ends the process."""
        super().error(message + _hint(message))


def add_setting(command: argparse.ArgumentParser, name: str) -> None:
    """Add the flag of a setting."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    told = f"Variable {' or '.join(setting.variables)}, default {setting.default}."
    if setting.secret:
        told = f"A file that holds it. Variable {setting.variable} or {setting.file_variable}."
    command.add_argument(
        setting.flag,
        dest=setting.flag_name,
        metavar=setting.flag_name.upper(),
        help=f"{setting.meaning} {told}",
    )


def add_account(command: argparse.ArgumentParser) -> None:
    """Add what says where a series or an API key is: the account and the storage folder."""
    command.add_argument(
        "--account", type=whole_number, default=FIRST_ACCOUNT, help=f"default {FIRST_ACCOUNT}"
    )
    add_setting(command, "storage_dir")


def whole_number(text: str) -> int:
    """Return the number that an argument is, for `argparse`.

    One that is out of bounds, as each below 0 is, is refused by a rule, which says them.
    """
    number = digits.whole_number(text.removeprefix("-"), ARGUMENT_DIGITS)
    if number is None:
        raise argparse.ArgumentTypeError(f"it has to be a whole number, not {text!r:.80}")
    return -number if text.startswith("-") else number


def _hint(message: str) -> str:
    hyphened = [word for word in sys.argv[1:] if word[:1] == "-" and word[1:2] not in ("", "-")]
    if message.endswith(": expected one argument"):
        flag = message.removeprefix("argument ").partition(":")[0]
        after = dict(pairwise(sys.argv)).get(flag)
        value = after if after in hyphened else "-..."
        return f"; a value that begins with a hyphen is written {flag}={value}"
    if hyphened and message.startswith("the following arguments are required"):
        return "; what begins with a hyphen comes last, after --"
    return ""
