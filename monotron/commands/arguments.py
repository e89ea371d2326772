"""Arguments that several commands take."""

import argparse
import re
import sys
from itertools import groupby, pairwise
from typing import NoReturn

from monotron import digits
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.errors import MonotronError
from monotron.settings import SETTINGS

ARGUMENT_DIGITS = 1_000
"""More than any number needs; Python refuses to read one beyond 4,300 digits."""

RETRY_SECONDS = 60
"""How long a command tries to reach a service."""


class Misused(MonotronError):
    """Arguments that do not go together."""


class Parser(argparse.ArgumentParser):
    """A parser that says how to write a value with a hyphen, which argparse takes for an option."""

    def error(self, message: str) -> NoReturn:
        """See `argparse`; exits, or raises `Misused`."""
        if re.match(r"unrecognized arguments:.* --url(?:[ =]|$)", message, re.DOTALL):
            raise Misused("this command works on a store itself, so it cannot ask a service: --url")
        super().error(message + _hint(message))


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add the flags of all settings, by what they are about."""
    for title, settings in groupby(SETTINGS, lambda setting: setting.group):
        group = command.add_argument_group(title)
        for setting in settings:
            add_setting(group, setting.name)


def add_setting(command: "argparse.ArgumentParser | argparse._ArgumentGroup", name: str) -> None:
    """Add the flag of a setting."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    told = f"Variable {' or '.join(setting.variables)}, default {setting.default or 'none'}."
    if setting.secret:
        told = f"A file that contains it. Variable {setting.variable} or {setting.file_variable}."
    command.add_argument(
        setting.flag,
        dest=setting.flag_name,
        metavar=setting.flag_name.upper(),
        help=f"{setting.meaning} {told}",
    )


def add_store(command: argparse.ArgumentParser) -> None:
    """Add the flags that say where the store is."""
    # As an abbreviation, --store-password would name its file, and be shown in an error.
    command.allow_abbrev = False
    for setting in SETTINGS:
        if setting.name == "storage_dir" or setting.name.startswith("store"):
            add_setting(command, setting.name)


def add_account(command: argparse.ArgumentParser) -> None:
    """Add the flags that say where a series or an API key is: account and storage folder."""
    command.add_argument(
        "--account", type=whole_number, default=FIRST_ACCOUNT, help=f"default {FIRST_ACCOUNT}"
    )
    add_store(command)


def add_place(command: argparse.ArgumentParser) -> None:
    """Add the flags that say where a series is: on a service, or in a store on this machine."""
    command.add_argument(
        "--url",
        help="a service to ask in place of a store (variable MONOTRON_URL); the variable "
        "MONOTRON_KEY takes the credentials, as KEY:SECRET",
    )
    command.add_argument(
        "--retry-for",
        type=whole_number,
        metavar="SECONDS",
        help=f"how long to try if the service does not answer; default {RETRY_SECONDS}",
    )
    command.add_argument(
        "--account",
        type=whole_number,
        help=f"default: the API key's own; in a store, {FIRST_ACCOUNT}",
    )
    add_store(command)


def add_json(command: argparse.ArgumentParser) -> None:
    """Add the flag for output that programs read."""
    command.add_argument("--json", action="store_true", help="print JSON")


def add_example(command: argparse.ArgumentParser, *lines: str) -> None:
    """Show commands at the end of the help."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = "\n".join(("example:", *(f"  {line}" for line in lines)))


def whole_number(text: str) -> int:
    """Return the number in an argument, for `argparse`.

    A number out of bounds, such as one below 0, is refused by a rule, which names the bounds.
    """
    number = digits.whole_number(text.removeprefix("-"), ARGUMENT_DIGITS)
    if number is None:
        raise argparse.ArgumentTypeError(f"it must be a whole number, not {text!r:.80}")
    return -number if text.startswith("-") else number


def _hint(message: str) -> str:
    hyphened = [word for word in sys.argv[1:] if word[:1] == "-" and word[1:2] not in ("", "-")]
    if message.endswith(": expected one argument"):
        flag = message.removeprefix("argument ").partition(":")[0]
        after = dict(pairwise(sys.argv)).get(flag)
        value = after if after in hyphened else "-..."
        return f"; write a value that begins with a hyphen as {flag}={value}"
    if hyphened and message.startswith("the following arguments are required"):
        return "; put arguments that begin with a hyphen last, after --"
    return ""
