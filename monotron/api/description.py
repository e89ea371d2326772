"""Descriptions: each call is described once, beside its handler.

A resource has one in `calls` for each of its methods except HEAD, which is GET without the body.
From it are derived the required rights (`access`), the accepted query parameters and bodies
(`unread`), and the OpenAPI document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Protocol

from falcon.routing import BaseConverter

from monotron.api.answers import JSON, PLAIN
from monotron.api.openapi.components import Component, Object, typed
from monotron.api.openapi.schemas import PLAIN_NUMBER
from monotron.api.query import WIDTH
from monotron.core.errors import RuleError
from monotron.core.scopes import Operation, ScopeResource

Need = tuple[Operation, ScopeResource] | Literal["root"] | None
"""A scope, the root pair, or just credentials (None)."""

ROOT: Final = "root"
READ_SERIES: Need = (Operation.READ, ScopeResource.SERIES)
WRITE_SERIES: Need = (Operation.WRITE, ScopeResource.SERIES)
DELETE_SERIES: Need = (Operation.DELETE, ScopeResource.SERIES)


@dataclass(frozen=True, slots=True)
class Tag:
    """A noun of the API that groups its calls."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The 200 of a call."""

    content: Mapping[str, Component]
    """The schema of each content type; empty for an answer without a body."""
    headers: tuple[Component, ...] = ()
    """The headers that only some answers have."""
    queries: tuple[Component, ...] = ()
    """The query parameters that say how it is written."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body that a call takes."""

    content: Mapping[str, Component]
    """The schema of each content type."""
    required: bool = True


NOTHING = Answer({})


def in_json(schema: Component, *headers: Component) -> Answer:
    """Describe an answer in JSON."""
    return Answer({JSON: schema}, headers)


def as_number(
    schema: Component,
    plain: Component = PLAIN_NUMBER,
    *headers: Component,
    content_type: str = JSON,
) -> Answer:
    """Describe an answer of `answer`: JSON, or plain text for clients that prefer it."""
    queries = (WIDTH,) if plain is PLAIN_NUMBER else ()
    return Answer({content_type: schema, PLAIN: plain}, headers, queries)


@dataclass(frozen=True)
class Description:
    """One method of a resource."""

    name: str
    """Its operationId, without the suffix that a route may add."""
    summary: str
    answer: Answer
    needs: Need = None
    queries: tuple[Component, ...] = ()
    """The query parameters that it accepts, besides those of its answer."""
    body: Body | None = None
    """The body that it takes; None if it takes no body."""
    raises: tuple[type[RuleError], ...] = ()
    """The errors of the rules, besides a wrong name, number or `Idempotency-Key`."""
    missing: str = ""
    """The detail of its 404; empty if it has no 404 of its own."""
    polled: tuple[Component, ...] = ()
    """The headers for polling it: it answers 304 while nothing has changed."""
    retried: bool = False
    """Whether it honours an `Idempotency-Key`."""
    then: tuple[str, ...] = ()
    """The names of calls that may follow it."""
    gives: Mapping[str, str] = field(default_factory=dict)
    """Where its answer has the path fields of those calls, as in OpenAPI's links."""

    @property
    def all_queries(self) -> tuple[Component, ...]:
        """Return all query parameters that it accepts."""
        return (*self.queries, *self.answer.queries)

    @cached_property
    def query_names(self) -> tuple[str, ...]:
        """Return the names of all query parameters."""
        return tuple(each.body["name"] for each in self.all_queries)


Calls = Mapping[str, Description]
"""The description of each method."""


@dataclass(frozen=True, slots=True)
class Field:
    """A path field that differs from other fields of the same name."""

    parameter: Component
    converter: type[BaseConverter] | None = None
    """The converter that decides whether a path reaches the resource."""


Fields = Mapping[str, Field]


class Described(Protocol):
    """A resource: a class with a handler for each method, `on_get` and so on.

    It may also have `fields`.
    """

    tag: ClassVar[Tag]
    """The group it belongs to."""
    calls: ClassVar[Calls]
    """The descriptions of its methods."""


def fields_of(resource: Any) -> Fields:
    """Return the path fields that a resource describes itself."""
    fields: Fields = getattr(resource, "fields", {})
    return fields


def content_of(content: Mapping[str, Component]) -> Object:
    """Return the bodies of an answer or a request, in OpenAPI's form."""
    return {content_type: typed(schema) for content_type, schema in content.items()}
