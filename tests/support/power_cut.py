"""What a power cut may leave of a folder, computed from the system calls a program really made.

`strace` gives the command that records a program, `calls` reads the record, and a `Disk` follows
the calls. A disk keeps no more than POSIX and open(2) promise:

- a write is durable once an fsync or fdatasync of its file that began after it has come back, or
  once it has come back itself where the file was opened with O_DSYNC;
- the name of a file or folder is durable once its folder was synced after it was made: to sync the
  file alone is not enough.

Whatever is not durable yet may be there after the cut or not, each change by itself and in any
order: a write in whole, in part or not at all, sector by sector; a file's new length without what
was written there, or the other way round; a name, a renaming. A sector is written whole or not at
all.
"""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from monotron.core import attributes, records, retries, semver, series, tables
from monotron.core.accounts import FIRST_ACCOUNT
from monotron.store.contract import Transaction
from monotron.store.lmdb import LmdbStore
from tests.support.calls import call_in

SECTOR = 512

LONGEST = 2**30
"""A file with more bytes is not followed, nor a sparse one."""

TRACED = (
    *("execve", "clone", "clone3", "fork", "vfork"),
    *("open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "fcntl", "lseek"),
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg"),
    *("ftruncate", "truncate", "fallocate", "mmap"),
    *("fsync", "fdatasync", "sync", "syncfs"),
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    *("link", "linkat", "symlink", "symlinkat", "mknod", "mknodat"),
    *("sendfile", "splice", "copy_file_range", "io_submit", "io_uring_setup"),
)
"""The calls that can change a file or make a change durable, and those that identify the file.

sync_file_range is not among them: it makes nothing durable, says its manual page."""


class NotUnderstood(Exception):
    """The program did something that this module does not follow."""


# Recording


def why_not() -> str | None:
    """Return why no program can be traced here; None if one can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={_TRACE}", "-o", os.devnull, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode == 0:
        return None
    reason = "; ".join(tried.stderr.splitlines()) or f"exit status {tried.returncode}"
    return f"strace cannot trace here ({reason})"


def strace(record: Path, program: Sequence[str], *options: str) -> list[str]:
    """Return the command that runs a program, with all its threads and children, and records it."""
    flags = ["-f", "-qq", "-xx", "-yy", "-s", str(2**24), "-e", f"trace={_TRACE}"]
    return ["strace", *flags, *options, "-o", str(record), "--", *program]


# A name with a question mark is skipped if the machine's kernel does not have it.
_TRACE = ",".join(f"?{name}" for name in TRACED)


# Reading the record


@dataclass(eq=False)
class Call:
    """A system call."""

    task: int
    """The thread that made it."""
    name: str
    arguments: list[str]
    result: int | None
    """None if the process ended before it returned."""
    began: int
    """The line of the record in which it begins."""
    ended: float

    def data(self) -> bytes:
        """Return what it writes, without anything that was not sent."""
        if self.name in ("writev", "pwritev", "pwritev2", "sendmsg"):
            parts = _BUFFER.findall(self.arguments[1])
        else:
            parts = [self.arguments[1]]
        if any(part.endswith("...") for part in parts):
            raise NotUnderstood(f"{self} was not recorded in full")
        data = b"".join(_text(part) for part in parts)
        return data if self.result is None else data[: max(0, self.result)]

    def writes_to_socket(self) -> bool:
        """Return whether it sends something on a TCP connection."""
        return self.name in _WRITES and "<TCP" in self.arguments[0]

    def __str__(self) -> str:
        shown = [
            _STRING.sub(lambda match: f"{len(_text(match[0]))} bytes", _PATH.sub(_last_name, text))
            for text in self.arguments
        ]
        return f"line {self.began + 1} of the record, {self.name}({', '.join(shown)})"


def calls(record: Path) -> list[Call]:
    """Read what strace has recorded.

    Calls that failed are left out: they have done nothing, but for writes.
    """
    found: list[Call] = []
    begun: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(record.read_text(encoding="ascii").splitlines()):
        task_text, _, text = line.partition(" ")
        task, text, began = int(task_text), text.strip(), number
        if text.startswith(("---", "+++")):
            continue
        if text.endswith("<unfinished ...>"):
            begun[task] = (number, text.removesuffix("<unfinished ...>").rstrip())
            continue
        if resumed := _RESUMED.match(text):
            began, start = begun.pop(task)
            text = start + text[resumed.end() :]
        call = _call(task, text, began, number)
        if call is not None:
            found.append(call)
    for task, (number, text) in begun.items():
        call = _call(task, f"{text}) = ?", number, float("inf"))
        if call is not None:
            found.append(call)
    return found


def _call(task: int, text: str, began: int, ended: float) -> Call | None:
    match = _CALL.fullmatch(text)
    if match is None:
        raise NotUnderstood(f"line {began + 1} of the record: {text[:200]}")
    name, arguments, result, rest = match.groups()
    if result == "?":
        # It comes again.
        if "ERESTART" in rest:
            return None
        return Call(task, name, _split(arguments), None, began, float("inf"))
    value = int(result, 0)
    if value < 0 and name not in _WRITES:
        return None
    return Call(task, name, _split(arguments), value, began, ended)


def _split(arguments: str) -> list[str]:
    """Split the arguments; every character of a string is escaped, so none gets in the way."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"[\[({\])}]|, ", arguments):
        if match[0] in "[({":
            depth += 1
        elif match[0] in "])}":
            depth -= 1
        elif depth == 0:
            parts.append(arguments[start : match.start()])
            start = match.end()
    return [*parts, arguments[start:]]


def _text(part: str) -> bytes:
    return bytes.fromhex(part.strip('"').replace("\\x", ""))


def _last_name(match: "re.Match[str]") -> str:
    """Return a path's name in a message: the part after its last slash."""
    return match[1] + os.fsdecode(_text(match[2])).rpartition("/")[2] + match[3]


_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_BUFFER = re.compile(r'iov_base=("[^"]*"(?:\.\.\.)?)')
_STRING = re.compile(r'"(?:\\x[0-9a-f]{2})*"')
_PATH = re.compile(r'([<"])(\\x2f(?:\\x[0-9a-f]{2})*)([>"])')
_FILE = re.compile(r"(-?\d+|AT_FDCWD)(?:<(.*)>(?:\(deleted\))?)?")
_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg")


# What is on the disk


@dataclass(eq=False)
class Change:
    """Something that a power cut may undo, as long as it is not durable."""

    number: int
    what: str
    sectors: list[int] = field(default_factory=list)
    """Those that it writes."""

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Survivors:
    """Which of the changes that are not durable yet are left after the cut."""

    whole: Collection[Change]
    parts: Mapping[Change, Collection[int]] = field(default_factory=dict)
    """Writes of which only these sectors are left."""

    def has(self, change: Change, sector: int | None = None) -> bool:
        if change in self.parts:
            return sector in self.parts[change]
        return change in self.whole


@dataclass(eq=False)
class File:
    """A file: what it holds for those who read it now, and what of that is durable."""

    name: str
    hidden: bool = False
    """It is written through a memory map, so that no call shows what is in it."""
    now: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    sectors: dict[int, list[tuple[Change, bytes]]] = field(default_factory=dict)
    """What was written to each sector since it was durable, oldest first."""
    lengths: list[tuple[Change, int]] = field(default_factory=list)
    """The lengths that the file has had since, oldest first."""

    def pending(self) -> list[Change]:
        changes = [change for written in self.sectors.values() for change, _ in written]
        return changes + [change for change, _ in self.lengths]

    def write(self, offset: int, data: bytes, change: Change, growth: Change) -> None:
        end = offset + len(data)
        if end > len(self.now):
            self._resize(end, growth)
        self.now[offset:end] = data
        for sector in range(offset // SECTOR, -(-end // SECTOR)):
            content = bytes(self.now[sector * SECTOR : (sector + 1) * SECTOR])
            self.sectors.setdefault(sector, []).append((change, content))
            change.sectors.append(sector)

    def truncate(self, length: int, change: Change) -> None:
        if self.hidden or length == len(self.now):
            return
        if length < len(self.now):
            raise NotUnderstood(f"{self.name} was cut short")
        if length > LONGEST:
            raise NotUnderstood(f"{self.name} has {length} bytes, too many to follow")
        self._resize(length, change)

    def _resize(self, length: int, change: Change) -> None:
        self.now.extend(bytes(length - len(self.now)))
        self.lengths.append((change, length))

    def keep(self, before: int, only: Change | None = None) -> None:
        """Make durable what was changed before; or, of that, only one write."""
        length = len(self.durable)
        lengths = [each for change, each in self.lengths if change.number < before]
        if only is not None:
            # O_DSYNC: so much of the length as is needed to read it.
            needed = min((only.sectors[-1] + 1) * SECTOR, len(self.now))
            lengths = [min(needed, max(lengths, default=0))]
        length = max([length, *lengths])
        self.lengths = [
            (change, each)
            for change, each in self.lengths
            if change.number >= before or each > length
        ]
        self.durable.extend(bytes(length - len(self.durable)))
        for sector in sorted(self.sectors if only is None else only.sectors):
            written = self.sectors.get(sector, [])
            kept = [content for change, content in written if change.number < before]
            if kept:
                _put_sector(self.durable, sector, kept[-1])
                self.sectors[sector] = written[len(kept) :]
            if not self.sectors.get(sector):
                self.sectors.pop(sector, None)

    def left(self, survivors: Survivors) -> bytes:
        """Return what it contains after the cut."""
        content = bytearray(self.durable)
        length = len(content)
        for change, each in self.lengths:
            if survivors.has(change):
                length = each
        content.extend(bytes(max(0, length - len(content))))
        for sector, written in self.sectors.items():
            for change, data in reversed(written):
                if survivors.has(change, sector):
                    _put_sector(content, sector, data)
                    break
        return bytes(content[:length])


@dataclass(eq=False)
class Folder:
    """A folder: the names in it."""

    name: str
    now: dict[str, "Node"] = field(default_factory=dict)
    durable: dict[str, "Node"] = field(default_factory=dict)
    changes: list[tuple[Change, dict[str, "Node | None"]]] = field(default_factory=list)

    def pending(self) -> list[Change]:
        return [change for change, _ in self.changes]

    def set(self, change: Change, names: "dict[str, Node | None]") -> None:
        _rename(self.now, names)
        self.changes.append((change, names))

    def keep(self, before: int) -> None:
        for change, names in self.changes:
            if change.number < before:
                _rename(self.durable, names)
        self.changes = [each for each in self.changes if each[0].number >= before]

    def left(self, survivors: Survivors) -> "dict[str, Node]":
        left = dict(self.durable)
        for change, names in self.changes:
            if survivors.has(change):
                _rename(left, names)
        return left


Node: TypeAlias = File | Folder

HIDDEN = None
Image: TypeAlias = dict[str, bytes | None]
"""What is left after a cut: the content of each file by its path, HIDDEN if no call shows it.
The path of a folder ends in a slash."""


def _put_sector(content: bytearray, sector: int, data: bytes) -> None:
    start = sector * SECTOR
    length = len(content)
    content[start : start + len(data)] = data[: max(0, length - start)]


def _rename(names: dict[str, Node], changed: Mapping[str, Node | None]) -> None:
    for name, node in changed.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


@dataclass(eq=False)
class _Open:
    """An open file, which descriptors refer to."""

    node: Node
    durable: bool
    """Whether a write is durable when it comes back."""
    for_children: bool
    """Whether it stays open where another program is executed."""
    position: int = 0


@dataclass(frozen=True)
class Moment:
    """A point in time at which the power may go."""

    call: Call
    begins: bool
    """Just when the call begins; else just when it has come back."""

    def __str__(self) -> str:
        return f"{'at' if self.begins else 'after'} {self.call}"


class Disk:
    """A folder with all that is in it, as programs see it, and what of that is durable."""

    def __init__(self, root: Path, hidden: Collection[str] = ()) -> None:
        """Start with an empty folder. Of files that have these names the content is not shown."""
        self._path = str(root)
        self._hidden = hidden
        self.root = Folder("")
        self._folders = [self.root]
        self._files: list[File] = []
        self.version = 0
        """Another number whenever a cut would leave something else."""
        self._count = 0
        self._running: dict[Call, int] = {}
        """The writes that are under way, with the number of the first change of each."""
        self._written: dict[Call, tuple[File, Change]] = {}
        """Those of them that are durable when they come back."""
        self._synced: dict[Call, int] = {}
        """The syncs that are under way, with the number up to which changes are durable then."""
        self._tasks: dict[int, dict[int, _Open]] = {}

    def pending(self) -> list[Change]:
        """Return the changes that are not durable yet, oldest first."""
        nodes: list[Node] = [*self._folders, *self._files]
        changes = {change for node in nodes for change in node.pending()}
        return sorted(changes, key=lambda change: change.number)

    def left(self, survivors: Survivors) -> Image:
        """Return what is left after a cut that these changes survive."""
        image: Image = {}

        def walk(folder: Folder, path: str) -> None:
            for name, node in folder.left(survivors).items():
                if isinstance(node, Folder):
                    image[f"{path}{name}/"] = b""
                    walk(node, f"{path}{name}/")
                else:
                    image[path + name] = HIDDEN if node.hidden else node.left(survivors)

        walk(self.root, "")
        return image

    def now(self) -> Image:
        """Return what a reader sees now."""
        return self.left(Survivors(self.pending()))

    def follow(self, made: Iterable[Call]) -> Iterator[Moment]:
        """Do what the calls do, and stop at each moment at which the power may go."""
        made = list(made)
        self._tasks, self._running, self._written, self._synced = {}, {}, {}, {}
        moments: list[tuple[float, int, Call]] = [(call.began, 0, call) for call in made]
        moments += [(call.ended, 1, call) for call in made if call.result is not None]
        moments.sort(key=lambda moment: moment[:2])
        for _, comes_back, call in moments:
            (self._end if comes_back else self._begin)(call)
            yield Moment(call, not comes_back)

    def does(self, call: Call) -> tuple[str, str] | None:
        """Return what a call does to a file, and the file's name; None if it does nothing here."""
        if call.name in ("write", "writev", "pwrite64", "pwritev"):
            file = self._file(call)
            kind = "synced write" if file is not None and file.durable else "write"
        elif call.name in ("fsync", "fdatasync"):
            file, kind = self._file(call), "sync"
        else:
            return None
        return None if file is None else (kind, file.node.name)

    # Each call: what it does when it begins, and when it comes back

    def _begin(self, call: Call) -> None:
        name = call.name
        if name in _NOT_FOLLOWED and self._is_ours(call):
            raise NotUnderstood(str(call))
        if name in ("clone", "clone3", "fork", "vfork"):
            # The child may be heard of before the call has come back.
            if call.result:
                files = self._tasks.setdefault(call.task, {})
                shared = "CLONE_FILES" in " ".join(call.arguments)
                self._tasks[call.result] = files if shared else dict(files)
        elif name in ("write", "writev", "pwrite64", "pwritev"):
            self._write(call)
        elif name in ("fsync", "fdatasync", "sync", "syncfs"):
            # A write that is under way when a sync begins may be too late for it.
            self._synced[call] = min([self._count, *self._running.values()])

    def _end(self, call: Call) -> None:
        name = call.name
        files = self._tasks.setdefault(call.task, {})
        assert call.result is not None
        if name in ("open", "openat", "creat"):
            self._open(call, files)
        elif name == "execve":
            self._tasks[call.task] = {
                number: file for number, file in files.items() if file.for_children
            }
        elif name == "close":
            files.pop(_descriptor(call.arguments[0]), None)
        elif name in ("dup", "dup2", "dup3") or "F_DUPFD" in call.arguments[1:2]:
            self._duplicate(call, files)
        elif name == "lseek":
            if (file := self._file(call)) is not None:
                file.position = call.result
        elif name in ("write", "writev", "pwrite64", "pwritev"):
            self._running.pop(call, None)
            if call in self._written:
                node, change = self._written.pop(call)
                node.keep(change.number + 1, only=change)
                self.version += 1
        elif name in ("fsync", "fdatasync"):
            if (file := self._file(call)) is not None:
                file.node.keep(self._synced.pop(call))
                self.version += 1
        elif name in ("sync", "syncfs"):
            for folder in self._folders:
                folder.keep(self._synced[call])
            for file_of_all in self._files:
                file_of_all.keep(self._synced[call])
            self.version += 1
        elif name in ("ftruncate", "fallocate"):
            self._resize(call)
        elif name == "mmap":
            self._map(call)
        elif name in ("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat"):
            self._change_names(call)

    def _write(self, call: Call) -> None:
        file = self._file(call)
        if file is None:
            return
        node, data = file.node, call.data()
        # Of a write that failed, a part may be there.
        if not isinstance(node, File) or (call.result is not None and call.result < 0):
            raise NotUnderstood(str(call))
        if call.name.startswith("p"):
            offset = int(call.arguments[3])
        else:
            offset = file.position
            file.position += len(data)
        if node.hidden or not data:
            return
        where = f"{len(data)} bytes at {offset} of {node.name}"
        self._running[call] = self._count
        growth = self._change(f"the length for {where}")
        change = self._change(where)
        node.write(offset, data, change, growth)
        if file.durable:
            self._written[call] = (node, change)

    def _resize(self, call: Call) -> None:
        file = self._file(call)
        if file is None:
            return
        if not isinstance(file.node, File):
            raise NotUnderstood(str(call))
        if call.name == "ftruncate":
            length = int(call.arguments[1])
        else:
            if call.arguments[1] != "0":
                raise NotUnderstood(str(call))
            length = max(len(file.node.now), int(call.arguments[2]) + int(call.arguments[3]))
        file.node.truncate(length, self._change(f"the length {length} of {file.node.name}"))

    def _map(self, call: Call) -> None:
        file = self._file(call, 4)
        if file is None or not isinstance(file.node, File) or file.node.hidden:
            return
        if "PROT_WRITE" in call.arguments[2] and "MAP_SHARED" in call.arguments[3]:
            raise NotUnderstood(f"{call}: what is written through a map is in no record")

    def _open(self, call: Call, files: dict[int, _Open]) -> None:
        assert call.result is not None
        # A reused descriptor does not stand for the older file.
        files.pop(call.result, None)
        at = 1 if call.name == "openat" else 0
        path = self._place(call, at)
        if path is None:
            return
        flags = "O_CREAT|O_TRUNC" if call.name == "creat" else call.arguments[at + 1]
        folder, name = self._find(path)
        node = folder.now.get(name) if name else folder
        if node is None:
            if "O_CREAT" not in flags or "O_TMPFILE" in flags:
                raise NotUnderstood(str(call))
            node = File(name, name in self._hidden)
            self._files.append(node)
            folder.set(self._change(f"the name of the file {path}"), {name: node})
        elif isinstance(node, File) and "O_TRUNC" in flags:
            node.truncate(0, self._change(f"the length 0 of {path}"))
        if "O_APPEND" in flags:
            raise NotUnderstood(str(call))
        files[call.result] = _Open(
            node, "O_DSYNC" in flags or "O_SYNC" in flags, "O_CLOEXEC" not in flags
        )

    def _duplicate(self, call: Call, files: dict[int, _Open]) -> None:
        assert call.result is not None
        file = files.get(_descriptor(call.arguments[0]))
        if file is None:
            files.pop(call.result, None)
        elif call.result != _descriptor(call.arguments[0]):
            files[call.result] = file

    def _change_names(self, call: Call) -> None:
        from_folder = call.name.endswith(("at", "at2"))
        first = 1 if from_folder else 0
        path = self._place(call, first)
        if call.name.startswith("rename"):
            target = self._place(call, 3 if from_folder else 1)
            if path is None and target is None:
                return
            if path is None or target is None or call.arguments[4:] not in ([], ["0"]):
                raise NotUnderstood(str(call))
            folder, name = self._find(path)
            new_folder, new_name = self._find(target)
            if folder is not new_folder:
                raise NotUnderstood(str(call))
            change = self._change(f"the renaming of {path} to {target}")
            folder.now[name].name = new_name
            folder.set(change, {name: None, new_name: folder.now[name]})
            return
        if path is None:
            return
        folder, name = self._find(path)
        if call.name.startswith("mkdir"):
            made = Folder(name)
            self._folders.append(made)
            folder.set(self._change(f"the name of the folder {path}"), {name: made})
        else:
            folder.set(self._change(f"the removal of {path}"), {name: None})

    def _change(self, what: str) -> Change:
        self._count += 1
        self.version += 1
        return Change(self._count - 1, what)

    # Finding what a call is about

    def _file(self, call: Call, argument: int = 0) -> _Open | None:
        """Return the file of a descriptor; None if it is not in this folder."""
        match = _FILE.fullmatch(call.arguments[argument])
        if match is None or match[1] == "AT_FDCWD":
            raise NotUnderstood(str(call))
        file = self._tasks.setdefault(call.task, {}).get(int(match[1]))
        if (file is not None) != (self._inside(match[2]) is not None):
            raise NotUnderstood(f"{call}: it is not clear what the descriptor stands for")
        return file

    def _place(self, call: Call, argument: int) -> str | None:
        """Return a path relative to this folder; None if it is outside."""
        path = os.fsdecode(_text(call.arguments[argument]))
        if not path.startswith("/"):
            match = _FILE.fullmatch(call.arguments[argument - 1]) if argument else None
            if match is None or match[2] is None:
                raise NotUnderstood(f"{call}: it is not clear where that is")
            path = os.path.join(os.fsdecode(_text(match[2])), path)
        path = os.path.normpath(path)
        if path == self._path:
            return ""
        return path[len(self._path) + 1 :] if path.startswith(self._path + "/") else None

    def _find(self, path: str) -> tuple[Folder, str]:
        *folders, name = path.split("/")
        folder = self.root
        for each in folders:
            below = folder.now[each]
            assert isinstance(below, Folder)
            folder = below
        return folder, name

    def _inside(self, escaped: str | None) -> str | None:
        if not escaped or not escaped.startswith("\\x"):
            return None
        path = os.fsdecode(_text(escaped.partition("<")[0]))
        return path if path == self._path or path.startswith(self._path + "/") else None

    def _is_ours(self, call: Call) -> bool:
        if call.name.startswith("io_"):
            return True
        return any(
            self._inside(path) is not None
            for argument in call.arguments
            for _, path, _ in _PATH.findall(argument)
        )


def _descriptor(text: str) -> int:
    match = _FILE.fullmatch(text)
    if match is None:
        raise NotUnderstood(text)
    return int(match[1])


_NOT_FOLLOWED = frozenset(
    {
        *("openat2", "pwritev2", "truncate", "rmdir", "link", "linkat", "symlink", "symlinkat"),
        *("mknod", "mknodat", "sendfile", "splice", "copy_file_range"),
        *("io_submit", "io_uring_setup"),
    }
)


# What may be there after a cut


def ways(pending: Sequence[Change], chance: random.Random, more: int) -> Iterator[Survivors]:
    """Return ways in which a cut can treat changes that are not durable; `more` of them random."""
    everything = frozenset(pending)
    # Names and lengths: without them nobody sees what was written.
    frame = frozenset(change for change in pending if not change.sectors)
    yield Survivors(frozenset())
    yield Survivors(everything)
    if not pending:
        return
    for number, change in enumerate(pending):
        yield Survivors(everything - {change})
        yield Survivors(frame | {change})
        yield Survivors(frozenset(pending[:number]))
        if len(change.sectors) > 1:
            middle = chance.randrange(1, len(change.sectors))
            yield Survivors(everything - {change}, {change: change.sectors[:middle]})
            yield Survivors(everything - {change}, {change: _some(change, chance)})
            yield Survivors(frame, {change: change.sectors[middle:]})
    for _ in range(more):
        share = chance.choice((0.2, 0.5, 0.8))
        whole, parts = set(), {}
        for change in pending:
            if len(change.sectors) > 1 and chance.random() < 0.4:
                parts[change] = _some(change, chance)
            elif chance.random() < (share if change.sectors else 0.8):
                whole.add(change)
        yield Survivors(whole, parts)


def _some(change: Change, chance: random.Random) -> frozenset[int]:
    return frozenset(sector for sector in change.sectors if chance.random() < 0.5)


def digest(image: Image) -> bytes:
    """Return what distinguishes one image from another."""
    total = hashlib.blake2b(digest_size=16)
    for path, content in sorted(image.items()):
        total.update(b"%d %s " % (len(path), os.fsencode(path)))
        total.update(b"-" if content is HIDDEN else b"%d %s" % (len(content), content))
    return total.digest()


def put(image: Image, root: Path, hidden: bytes | None) -> None:
    """Make the files and folders of an image in an empty folder.

    `hidden` is what the files hold whose content no call shows; with None there are none of them.
    """
    for path, content in sorted(image.items()):
        if path.endswith("/"):
            (root / path).mkdir()
        elif content is not HIDDEN:
            (root / path).write_bytes(content)
        elif hidden is not None:
            (root / path).write_bytes(hidden)


def read(root: Path, hidden: Collection[str] = ()) -> Image:
    """Return the contents of a folder, as an image."""
    image: Image = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_dir():
            image[f"{name}/"] = b""
        else:
            image[name] = HIDDEN if path.name in hidden else path.read_bytes()
    return image


# A program to follow: it takes numbers, and tells on its output what was answered when


Step: TypeAlias = Callable[[Transaction], object]

NOW = 1_800_000_000_000_000
DAY = 24 * 3600 * 1_000_000
KEEP = 15
"""How many values the history of a series keeps: few, so that rows of it are removed."""

THREADS = 4
TAKES = 6
"""How many numbers each thread takes."""


def _take(txn: Transaction, key: str, token: str | None = None, count: int = 1) -> int:
    state = series.advance(
        txn,
        call_in(FIRST_ACCOUNT, now=NOW, api_key="k" * 24, keep=KEEP),
        key,
        token=token,
        count=count,
    )
    return state.value


def _take_once(txn: Transaction, key: str, idempotency_key: str, now: int) -> int:
    request = records.request_digest("POST", key)
    take = partial(_take, txn, key)
    return retries.once(txn, call_in(FIRST_ACCOUNT, now=now), idempotency_key, request, take)


def _bump(txn: Transaction, part: int, token: str) -> str:
    return str(semver.bump(txn, call_in(FIRST_ACCOUNT, now=NOW, keep=KEEP), "shop", part, token))


def _seed(txn: Transaction, key: str, value: int) -> int:
    return series.seed(txn, call_in(FIRST_ACCOUNT, now=NOW), key, value).value


def _delete(txn: Transaction, key: str) -> bool:
    return series.delete(txn, FIRST_ACCOUNT, key)


def _describe(txn: Transaction, key: str, token: str, size: int) -> None:
    attributes.put(txn, FIRST_ACCOUNT, key, token, {"log": "x" * size, "url": token})


def alone() -> list[Step]:
    """Return what is done, in order."""
    job, git = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", [f"{number:040x}" for number in range(36)]
    steps: list[Step] = [partial(_take, key=job)]
    steps += [partial(_take, key="shop", token=token) for token in (git[0], git[0], git[1])]
    steps += [partial(_take, key=job), partial(_take, key="shop", count=100)]
    # Values of more than a page, and again in the room that they leave.
    steps += [
        partial(_describe, key="shop", token=git[1], size=size) for size in (9_000, 50, 7_000)
    ]
    for part, token in ((1, git[0]), (2, git[1]), (3, git[2]), (2, git[3]), (2, git[1])):
        steps.append(partial(_bump, part=part, token=token))
    # The same Idempotency-Key twice, and so late that the old ones are removed.
    for key, now in (
        ("a", NOW),
        ("b", NOW),
        ("a", NOW),
        ("c", NOW + 2 * DAY),
        ("b", NOW + 2 * DAY),
    ):
        steps.append(partial(_take_once, key="retried", idempotency_key=key, now=now))
    # More than a row of history holds, and more than it keeps.
    steps += [partial(_take, key="shop", token=token) for token in git]
    steps += [partial(_seed, key="shop", value=500), partial(_take, key="shop", token=git[5])]
    # More than a page of series.
    steps += [partial(_take, key=f"{number}/" + "n" * 250, token="t" * 250) for number in range(10)]
    steps += [partial(_delete, key="shop"), partial(_take, key="shop", token=git[0])]
    steps += [partial(_delete, key=f"{number}/" + "n" * 250) for number in range(4)]
    steps += [partial(_take, key=job), partial(_take, key="shop", token=git[0])]
    return steps


together: Step = partial(_take, key="together")
"""What several threads do at the same time."""


def main(folder: Path, threads: int, takes: int, before: Sequence[Step]) -> None:
    store = LmdbStore(folder, tables.ALL)
    for number, step in enumerate(before):
        # As when the service is restarted.
        if number == len(before) // 2:
            store.close()
            store = LmdbStore(folder, tables.ALL)
        _tell("begin")
        answer = store.update(step)
        _tell(f"answer {number} {answer!r}")

    def take() -> None:
        for _ in range(takes):
            _tell("begin")
            value = store.update(together)
            assert isinstance(value, int)
            _tell(f"answer {len(before) + value - 1} {value!r}")

    running = [threading.Thread(target=take) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if not threads:
        take()
    store.close()


def _tell(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        threads=int(sys.argv[2]),
        takes=int(sys.argv[3]),
        before=alone() if sys.argv[4:] else [],
    )
