"""Components: the named parts of the document.

Descriptions contain components as values. `referenced` replaces each with a reference and collects
it, so that the document has every component that it needs, and no others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
"""A JSON object, which may contain components."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the document, with its kind and its name."""

    kind: str
    name: str
    body: Object


def schema(name: str, body: Object, *examples: object) -> Component:
    """Return a schema with its examples."""
    return Component("schemas", name, body | {"examples": list(examples)})


def parameter(
    place: str, name: str, of: Component, description: str, *, within: str = "", **more: object
) -> Component:
    """Return a parameter whose values match the schema `of`.

    `place` is `path`, `query` or `header`. `within` distinguishes parameters of the same name.
    """
    body: Object = {"name": name, "in": place, "description": description}
    required: Object = {"required": True} if place == "path" else {}
    return Component("parameters", _apart(within, name), body | required | typed(of) | dict(more))


def header(
    name: str, of: Object, example: object, *, value: str = "", always: bool = True
) -> Component:
    """Return a header; `value` distinguishes those of the same name."""
    body: Object = {"required": always, "schema": of, "example": example}
    return Component("headers", _apart(name, value), body)


def constant_header(name: str, text: str, *, value: str = "") -> Component:
    """Return a header that always says `text`."""
    return header(name, constant(text), text, value=value)


def constant(value: str | int) -> Object:
    """Return the schema of a constant."""
    return {"type": "string" if isinstance(value, str) else "integer", "const": value}


def typed(of: Component) -> Object:
    """Return a schema with its examples, in the form of parameters and bodies."""
    examples = of.body["examples"]
    if len(examples) == 1:
        return {"schema": of, "example": examples[0]}
    named = {str(number): {"value": value} for number, value in enumerate(examples, 1)}
    return {"schema": of, "examples": named}


def headers(components: Iterable[Component]) -> Object:
    """Return an answer's headers by their names."""
    return {each.name.partition(".")[0]: each for each in components}


@dataclass(slots=True)
class Components:
    """The components that a document refers to."""

    _known: dict[tuple[str, str], Component] = field(default_factory=dict)
    _bodies: dict[str, Object] = field(default_factory=dict)

    def referenced(self, node: object) -> Any:
        """Return a node with a reference in place of each component.

        Raises `ValueError` if two different components of one kind have the same name.
        """
        if isinstance(node, Component):
            self._add(node)
            return {"$ref": f"#/components/{node.kind}/{node.name}"}
        if isinstance(node, dict):
            return {name: self.referenced(each) for name, each in node.items()}
        if isinstance(node, list | tuple):
            return [self.referenced(each) for each in node]
        return node

    def by_kind(self) -> Object:
        """Return every component that was referred to."""
        return self._bodies

    def _add(self, component: Component) -> None:
        known = self._known.setdefault((component.kind, component.name), component)
        if known != component:
            raise ValueError(f"two different {component.kind} have the name {component.name!r}")
        of_kind = self._bodies.setdefault(component.kind, {})
        if component.name not in of_kind:
            of_kind[component.name] = self.referenced(component.body)


def _apart(*words: str) -> str:
    return ".".join(filter(None, words))
