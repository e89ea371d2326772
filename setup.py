"""What setup.cfg cannot say: the README as a package index shows it, with no files beside it.

`MONOTRON_SOURCE` says where the repository is, such as https://github.com/OWNER/NAME; the release
workflow sets it. Relative links and pictures then lead there, to the tag of this version. Without
it a link becomes its text and a picture goes, since both would be broken.
"""

import os
import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
SOURCE = os.environ.get("MONOTRON_SOURCE", "").rstrip("/")

_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def text(path: str) -> str:
    """Return the text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def standing_alone(page: str) -> str:
    """Return a Markdown page without links to files beside it; what is fenced stays as it is."""
    parts = _FENCED.split(page)
    parts[::2] = [_RELATIVE.sub(_elsewhere, part) for part in parts[::2]]
    return "".join(parts)


def _elsewhere(link: re.Match[str]) -> str:
    picture, label, path = link.groups()
    if not SOURCE:
        return "" if picture else label
    # Imported it would be another Monotron, where one is installed: this one is not on the path.
    (version,) = re.findall(r'^__version__ = "(.+)"$', text("monotron/__init__.py"), re.MULTILINE)
    return f"{picture}[{label}]({SOURCE}/{'raw' if picture else 'blob'}/v{version}/{path})"


setup(
    long_description=standing_alone(text("README.md")),
    project_urls={"Source": SOURCE} if SOURCE else {},
)
