"""Routes: where a resource stands, and what is special about it there.

`monotron/app.py` has the table of them. Whatever depends on a path is derived from it.
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
    """One path. Raises `ValueError` unless all that it answers is described."""

    path: str
    """As people write it, such as `/v1/series/{key}`."""
    resource: type[Described]
    """The application hands its constructor what that names."""
    open: bool = False
    """Whether it needs no credentials."""
    badge: bool = False
    """Whether it can be read without credentials where badges are public."""
    quick: bool = False
    """Whether it is answered under overload too. It looks at nothing that may have to be waited
    for, and its path has no fields."""
    long: bool = False
    """Whether it may read for long, so that others must not wait behind it."""
    suffix: str = ""
    """What tells the names of its calls from those of the same resource at another path."""

    def __post_init__(self) -> None:
        handled = {name[3:].upper() for name in dir(self.resource) if name.startswith("on_")}
        described = getattr(self.resource, "calls", {})
        if handled - {"HEAD"} != set(described):
            raise ValueError(
                f"{self.path} answers {_listed(handled)}, but described is {_listed(described)}"
            )
        if ("HEAD" in handled) != ("GET" in handled):
            raise ValueError(f"{self.path} answers only one of GET and HEAD")
        if unknown := set(self.fields) - FIELDS.keys() - fields_of(self.resource).keys():
            raise ValueError(f"{self.path}: nothing describes {_listed(unknown)}")
        if self.quick and self.fields:
            raise ValueError(f"{self.path}: a quick path has no fields")

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the path's fields."""
        return tuple(FIELD.findall(self.path))

    @property
    def parameters(self) -> tuple[Component, ...]:
        """Return what describes the path's fields."""
        own = fields_of(self.resource)
        return tuple(own[name].parameter if name in own else FIELDS[name] for name in self.fields)

    @property
    def methods(self) -> frozenset[str]:
        """Return the methods that it answers, HEAD among them."""
        methods = frozenset(self.resource.calls)
        return methods | {"HEAD"} if "GET" in methods else methods

    @property
    def converters(self) -> dict[str, type[BaseConverter]]:
        """Return what the router has to know of the template, by name."""
        converters = (field.converter for field in fields_of(self.resource).values())
        return {each.__name__: each for each in converters if each}

    @property
    def template(self) -> str:
        """Return the path as the router has it, with its converters."""
        own = fields_of(self.resource)

        def with_converter(field: "re.Match[str]") -> str:
            converter = own[field[1]].converter if field[1] in own else None
            return f"{{{field[1]}:{converter.__name__}}}" if converter else field[0]

        return FIELD.sub(with_converter, self.path)


def in_each_account(*routes: Route) -> tuple[Route, ...]:
    """Return routes for the caller's own account, and for any account by its id."""
    return below(("/v1", ""), ("/v1/accounts/{account_id}", "OfAccount"), routes=routes)


def below(*places: tuple[str, str], routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes below each of these paths; each path comes with its suffix."""
    routes = tuple(routes)
    return tuple(
        replace(route, path=path + route.path, suffix=route.suffix + suffix)
        for path, suffix in places
        for route in routes
    )


def matcher(routes: Iterable[Route]) -> Callable[[str], bool]:
    """Return what tells whether a raw path is one of these routes, whatever its fields hold."""
    patterns = ["[^/]*".join(map(re.escape, _FIELDS.split(route.path))) for route in routes]
    found = re.compile("|".join(patterns) or "(?!)").fullmatch
    return lambda path: found(path) is not None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"


_FIELDS = re.compile(r"{\w+}")
