"""Descriptions: what each call is, said once, beside its handler.

A resource has one in `calls` for each of its methods but HEAD, which is GET without the body. From
it come who may call (`access`), which query parameters and bodies are read (`unread`), and
OpenAPI's document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Protocol

from falcon.routing import BaseConverter

from monotron.api.answers import JSON, PLAIN
from monotron.api.openapi.components import Component, Object, typed
from monotron.api.openapi.schemas import PLAIN_NUMBER
from monotron.core.errors import RuleError
from monotron.core.scopes import Operation, Resource

Need = tuple[Operation, Resource] | Literal["root"] | None
"""A scope, the root pair, or nothing but credentials."""

ROOT: Final = "root"
READ_SERIES: Need = (Operation.READ, Resource.SERIES)
WRITE_SERIES: Need = (Operation.WRITE, Resource.SERIES)
DELETE_SERIES: Need = (Operation.DELETE, Resource.SERIES)


@dataclass(frozen=True, slots=True)
class Tag:
    """A noun of the API, under which its calls stand together."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The 200 of a call."""

    content: Mapping[str, Component]
    """The schema of each content type; empty for an answer without a body."""
    headers: tuple[Component, ...] = ()
    """Those that not every answer has."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a call reads."""

    content: Mapping[str, Component]
    """The schema of each content type."""
    required: bool = True


NOTHING = Answer({})


def in_json(schema: Component, *headers: Component) -> Answer:
    """Describe an answer in JSON."""
    return Answer({JSON: schema}, headers)


def as_number(
    schema: Component, plain: Component = PLAIN_NUMBER, *, content_type: str = JSON
) -> Answer:
    """Describe what `answer` makes: JSON, or plain text for clients that prefer that."""
    return Answer({content_type: schema, PLAIN: plain})


@dataclass(frozen=True)
class Description:
    """One method of a resource."""

    name: str
    """Its operationId. It has a suffix where the resource has another path as well."""
    summary: str
    answer: Answer
    needs: Need = None
    queries: tuple[Component, ...] = ()
    """The query parameters that it reads."""
    body: Body | None = None
    """The body that it reads; None if it reads none."""
    raises: tuple[type[RuleError], ...] = ()
    """What the rules may refuse beside a wrong name, number or `Idempotency-Key`."""
    missing: str = ""
    """What a 404 says."""
    polled: tuple[Component, ...] = ()
    """The headers by which it is polled: it answers 304 while nothing has changed."""
    retried: bool = False
    """Whether it honours an `Idempotency-Key`."""
    then: tuple[str, ...] = ()
    """What can be called next, by name."""
    gives: Mapping[str, str] = field(default_factory=dict)
    """Where its answer has what the paths of those need, as OpenAPI's links say it."""

    @cached_property
    def query_names(self) -> tuple[str, ...]:
        """Return the names of the query parameters."""
        return tuple(each.body["name"] for each in self.queries)


Calls = Mapping[str, Description]
"""The description of each method."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a path that means something else than its name says elsewhere."""

    parameter: Component
    converter: type[BaseConverter] | None = None
    """What lets a path through to the resource, or not."""


Fields = Mapping[str, Field]


class Described(Protocol):
    """A resource: a class with a handler for each method, `on_get` and so on.

    It may have `fields` as well.
    """

    tag: ClassVar[Tag]
    """What it belongs to."""
    calls: ClassVar[Calls]
    """What describes its methods."""


def fields_of(resource: Any) -> Fields:
    """Return the fields that a resource describes itself."""
    fields: Fields = getattr(resource, "fields", {})
    return fields


def content_of(content: Mapping[str, Component]) -> Object:
    """Return the bodies of an answer or a request, as OpenAPI has them."""
    return {content_type: typed(schema) for content_type, schema in content.items()}
