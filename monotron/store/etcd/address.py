"""The address of a store on etcd, as text: etcd://HOST:PORT,HOST:PORT/PREFIX."""

import re
from dataclasses import dataclass

SCHEME = "etcd://"
PORT = 2379
"""Where members listen for clients, unless the address says otherwise."""


@dataclass(frozen=True, slots=True)
class Address:
    """The members of a cluster, and where in it the store is."""

    endpoints: tuple[str, ...]
    """Each as host:port."""
    prefix: str
    """What every key of the store begins with, without slashes at its ends; may be empty."""
    user: str | None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        prefix = f"/{self.prefix}" if self.prefix else ""
        return f"{SCHEME}{user}{','.join(self.endpoints)}{prefix}"


def parse(text: str) -> Address:
    """Return the address; raises `ValueError`, which says what is allowed."""
    if not text.startswith(SCHEME):
        raise ValueError(_FORM)
    members, _, prefix = text.removeprefix(SCHEME).partition("/")
    user, at, members = members.rpartition("@")
    if ":" in user:
        raise ValueError("it must not have the password, which belongs in a file of its own")
    if at and not _USER.fullmatch(user):
        raise ValueError("the user before the @ must be printable ASCII without / and @")
    prefix = prefix.removesuffix("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError("the prefix must be words of a-z, A-Z, 0-9, '.', '_' and '-', between /")
    endpoints = tuple(_endpoint(member) for member in members.split(","))
    if len(set(endpoints)) < len(endpoints):
        raise ValueError("it must name each member once")
    return Address(endpoints, prefix, user or None)


def without_password(text: str) -> str:
    """Return a text that should be an address, without what may be a password."""
    return _PASSWORD.sub(r"\1:...@", text)


def _endpoint(member: str) -> str:
    found = _MEMBER.fullmatch(member)
    if found is None:
        raise ValueError(_FORM)
    port = int(found["port"] or PORT)
    if not 1 <= port <= 65535:
        raise ValueError(f"the port of {member} must be from 1 to 65535")
    return f"{found['host']}:{port}"


_FORM = "it must be etcd://HOST:PORT[,HOST:PORT...][/PREFIX]"

_MEMBER = re.compile(
    r"(?P<host>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
"""A name or an IPv4 address, or an IPv6 address in brackets."""

_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")

_USER = re.compile(r"[!-.0-?A-~]+")

_PASSWORD = re.compile(r"^([^:]*://[^:@]*):.*@", re.DOTALL)
