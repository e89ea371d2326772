"""What a command prints."""

import sys
from collections.abc import Mapping


def show(*values: object, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
    """Print; raises `CannotPrint` where that is not possible."""
    try:
        print(*values, sep=sep, end=end, flush=flush)
    except OSError as error:
        raise CannotPrint(error.strerror) from error


def show_columns(figures: Mapping[str, int]) -> None:
    """Print a line for each figure."""
    figures = {name.replace("_", " "): number for name, number in figures.items()}
    wide = max(len(name) for name in figures)
    digits = max(len(str(number)) for number in figures.values())
    for name, number in figures.items():
        show(f"{name:<{wide}}  {number:>{digits}}")


def remark(what: object) -> None:
    """Say on stderr what a person should know, and what is no failure."""
    print(f"monotron: {what}", file=sys.stderr)


def fail(reason: object, status: int) -> int:
    """Say on stderr why the command fails; gives the exit status."""
    print(f"monotron: {reason}", file=sys.stderr)
    return status


class CannotPrint(Exception):
    """The output has nowhere to go."""
