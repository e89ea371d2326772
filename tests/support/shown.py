"""The examples of the repository's pages: commands run as a reader runs them.

They have to print what stands below them, byte for byte but for what differs from run to run:
see `TIMES` and `WORDS`.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.conftest import need_curl
from tests.support.service import PATIENCE, Service, environment

ROOT = Path(__file__).parents[2]
SHOWN_URL = "http://127.0.0.1:8080"
"""The service on the reader's own machine."""
SHARED_URL = "https://monotron.example.com"
"""The service's address for a build: at 127.0.0.1 the runner would reach itself."""

TIMES = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"\b[0-9]{4}\.[0-9]{2}",
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
)
"""A time on a page, or the month of a version, stands for any that is written in the same way."""

WORDS = {"KEY": "[A-Za-z0-9]{24}", "SECRET": "[A-Za-z0-9]{128}", "REQUEST": "[0-9a-f]{24}"}
"""Such a word followed by a digit stands for a text like this, and always for the same one."""

_VARYING = re.compile("|".join((*TIMES, *(rf"\b{word}[0-9]\b" for word in WORDS))))
_END = "\036"
"""Printed after each command: ASCII's record separator."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a page shows, and what it shows below."""

    text: str
    output: str


@dataclass
class Seen:
    """Compares what is shown with what was printed, and keeps what each word stood for."""

    words: dict[str, str] = field(default_factory=dict)

    def same(self, shown: str, printed: str) -> bool:
        """Return whether it is the same; JSON ends without a newline, which a page cannot show."""
        pattern, place = "", 0
        for found in _VARYING.finditer(shown):
            pattern += re.escape(shown[place : found.start()]) + self._pattern(found[0], pattern)
            place = found.end()
        pattern += re.escape(shown[place:].removesuffix("\n"))
        match = re.fullmatch(pattern, printed.removesuffix("\n"), re.DOTALL)
        if match is None:
            return False
        self.words.update(match.groupdict())
        return True

    def _pattern(self, text: str, before: str) -> str:
        for time in TIMES:
            if re.fullmatch(time, text):
                return time
        if text in self.words:
            return re.escape(self.words[text])
        if f"(?P<{text}>" in before:
            return f"(?P={text})"
        return f"(?P<{text}>{WORDS[text[:-1]]})"


def repository_files() -> set[str]:
    """Return the path of every file of the repository, without what .gitignore names."""
    ignored = [".git", *(line.strip("/") for line in page(".gitignore").splitlines())]

    def kept(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in ignored)

    found: set[str] = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = filter(kept, folders)
        found |= {os.path.relpath(os.path.join(folder, name), ROOT) for name in filter(kept, names)}
    return found


def page(path: str) -> str:
    """Return the text of a page of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[Command]:
    """Return each command of the console blocks; a backslash at its end continues a line."""
    found = []
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            match = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", part, re.DOTALL)
            assert match is not None, part
            found.append(Command(*match.groups()))
    return found


def with_address(text: str, url: str) -> str:
    """Return a text with the address of a service in place of those that pages show."""
    return text.replace(SHOWN_URL, url).replace(SHARED_URL, url)


def exported(text: str) -> dict[str, str]:
    """Return the variables that the only `export` of a text sets."""
    (words,) = re.findall(r"^export (.*)$", text, re.MULTILINE)
    return dict(word.split("=", 1) for word in words.split())


def run(script: str, service: Service | None, cwd: Path | None = None, **variables: str) -> str:
    """Return what a script prints when it runs as in a CI system, against the service."""
    done = _shell(script, service, cwd, variables)
    done.check_returncode()
    return done.stdout


def assert_prints_what_is_shown(
    text: str, service: Service | None, cwd: Path, **variables: str
) -> None:
    """Run a page's commands in order, all in one shell, and compare their output."""
    shown = commands(text)
    script = "".join(f"{command.text}\nprintf '{_END}'\n" for command in shown)
    done = _shell(script, service, cwd, variables)
    outputs = done.stdout.split(_END)[:-1]
    seen = Seen()
    for command, output in zip(shown, outputs, strict=False):
        assert seen.same(command.output, output), (
            f"{command.text}\n--- shown:\n{command.output}--- printed:\n{output}"
        )
    assert len(outputs) == len(shown), f"fails: {shown[len(outputs)].text}\n{done.stderr}"
    assert (done.returncode, done.stderr) == (0, "")


def _shell(
    script: str, service: Service | None, cwd: Path | None, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    # The script asks with curl, too.
    if re.search(r"\b(curl|monotron\.sh)\b", script):
        need_curl()
    ours = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if service is not None:
        url = f"http://127.0.0.1:{service.port}"
        script = with_address(script, url)
        ours["STORAGE_DIR"] = str(service.storage_dir)
        # It would lead the command away from the store that it is shown on.
        if re.search(r"\bmonotron\.sh\b|MONOTRON_URL\b", script):
            ours["MONOTRON_URL"] = url
    return subprocess.run(
        ["sh", "-ec", script],
        env=environment(ours | variables),
        cwd=cwd,
        check=False,
        capture_output=True,
        # With the line ends of a terminal: headers end in CR LF.
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
