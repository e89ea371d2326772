"""Routes: the path of a resource, and what is special about it there.

The table of them is in `monotron/app.py`. Everything that depends on a path is derived from it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from falcon.routing import BaseConverter

from monotron.api.description import Described, fields_of
from monotron.api.openapi.components import Component
from monotron.api.openapi.parameters import FIELDS

FIELD = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Route:
    """One path. Raises `ValueError` unless all its methods are described."""

    path: str
    """The path as people write it, such as `/v1/series/{key}`."""
    resource: type[Described]
    """Its class; the application passes its constructor what the parameters name."""
    open: bool = False
    """Whether it needs no credentials."""
    badge: bool = False
    """Whether it can be read without credentials if badges are public."""
    quick: bool = False
    """Whether it is answered even under overload. It must not wait for anything, and its path must
    not have fields."""
    long: bool = False
    """Whether it may read for a long time, so that other requests must not wait behind it."""
    suffix: str = ""
    """Appended to the names of its calls if the same resource has another path too."""

    def __post_init__(self) -> None:
        handled = {name[3:].upper() for name in dir(self.resource) if name.startswith("on_")}
        described = getattr(self.resource, "calls", {})
        if handled - {"HEAD"} != set(described):
            raise ValueError(
                f"{self.path} handles {_listed(handled)}, but describes {_listed(described)}"
            )
        if ("HEAD" in handled) != ("GET" in handled):
            raise ValueError(f"{self.path} handles only one of GET and HEAD")
        if unknown := set(self.fields) - FIELDS.keys() - fields_of(self.resource).keys():
            raise ValueError(f"{self.path}: nothing describes {_listed(unknown)}")
        if self.quick and self.fields:
            raise ValueError(f"{self.path}: a quick path cannot have fields")

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the path's fields."""
        return tuple(FIELD.findall(self.path))

    @property
    def parameters(self) -> tuple[Component, ...]:
        """Return the descriptions of the path's fields."""
        own = fields_of(self.resource)
        return tuple(own[name].parameter if name in own else FIELDS[name] for name in self.fields)

    @property
    def methods(self) -> frozenset[str]:
        """Return the methods that it answers, including HEAD."""
        methods = frozenset(self.resource.calls)
        return methods | {"HEAD"} if "GET" in methods else methods

    @property
    def converters(self) -> dict[str, type[BaseConverter]]:
        """Return the converters that the template uses, by name."""
        converters = (field.converter for field in fields_of(self.resource).values())
        return {each.__name__: each for each in converters if each}

    @property
    def template(self) -> str:
        """Return the path as the router needs it, with its converters."""
        own = fields_of(self.resource)

        def with_converter(field: "re.Match[str]") -> str:
            converter = own[field[1]].converter if field[1] in own else None
            return f"{{{field[1]}:{converter.__name__}}}" if converter else field[0]

        return FIELD.sub(with_converter, self.path)


def in_each_account(*routes: Route) -> tuple[Route, ...]:
    """Return routes for the caller's own account, and for any account by its id."""
    return below(("/v1", ""), ("/v1/accounts/{account_id}", "OfAccount"), routes=routes)


def below(*places: tuple[str, str], routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes below each of these paths, which come with their suffixes."""
    routes = tuple(routes)
    return tuple(
        replace(route, path=path + route.path, suffix=route.suffix + suffix)
        for path, suffix in places
        for route in routes
    )


def matcher(routes: Iterable[Route]) -> Callable[[str], bool]:
    """Return a function that says whether a raw path is one of these routes."""
    patterns = ["[^/]*".join(map(re.escape, _FIELDS.split(route.path))) for route in routes]
    found = re.compile("|".join(patterns) or "(?!)").fullmatch
    return lambda path: found(path) is not None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"


_FIELDS = re.compile(r"{\w+}")
