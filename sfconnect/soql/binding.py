"""Put values into the ``:name`` places of a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from sfconnect.soql.ast import Bind, Comparison, Membership, Value
from sfconnect.soql.parser import parse
from sfconnect.soql.quoting import Quotable, QuotableList, quote
from sfconnect.soql.render import render

_Values = Mapping[str, Quotable | QuotableList]


def bind(text: str, /, **values: Quotable | QuotableList) -> str:
    r"""Return the query with every ``:name`` replaced by its quoted value, in canonical spelling.

    Values go in as nodes of the parsed query, never as text, so none can change its structure.
    A place after IN, INCLUDES and their negations takes a list; every other place takes one
    value, and one beside LIKE takes a pattern (see ``like_escape``).

    >>> query = "SELECT Id FROM User WHERE Name = :name AND Id IN :ids"
    >>> print(bind(query, name="O'Brien", ids=["005000000000001"]))
    SELECT Id FROM User WHERE Name = 'O\'Brien' AND Id IN ('005000000000001')

    Raises:
        SoqlSyntaxError: The text is no query.
        ValueError: A place has no value, a value has no place, or a value has no literal.
        TypeError: There is no literal for the type of a value, or not in its place.
    """
    used: set[str] = set()
    query = _filled(parse(text, binds=True), values, used)
    unused = values.keys() - used
    if unused:
        raise ValueError(f"the query has no place for {_colons(unused)}")
    return render(query)


def _filled(node: Any, values: _Values, used: set[str]) -> Any:
    """Copy a part of the tree with values for binds; ``used`` gathers the names that were met."""
    match node:
        case Bind():
            return _single(node, values, used)
        case Membership(values=Bind() as place):
            left = _filled(node.left, values, used)
            return replace(node, left=left, values=_several(place, values, used))
        case Comparison(op="LIKE", value=Bind() as place):
            left = _filled(node.left, values, used)
            return replace(node, left=left, value=_pattern(place, values, used))
        case tuple():
            return tuple(_filled(item, values, used) for item in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    parts = {part.name: _filled(getattr(node, part.name), values, used) for part in fields(node)}
    return replace(node, **parts)


def _single(place: Bind, values: _Values, used: set[str]) -> Value:
    value = _value(place, values, used)
    if isinstance(value, list | tuple | set | frozenset):
        raise TypeError(f"{_colons([place.name])} is a list, which only IN and its kin take")
    return _exact(value)


def _several(place: Bind, values: _Values, used: set[str]) -> tuple[Value, ...]:
    value = _value(place, values, used)
    if not isinstance(value, list | tuple | set | frozenset):
        raise TypeError(f"{_colons([place.name])} needs a list")
    return tuple(map(_exact, value))


def _exact(value: Quotable) -> Value:
    return Decimal(repr(float(value))) if isinstance(value, float) else value


def _pattern(place: Bind, values: _Values, used: set[str]) -> str:
    value = _value(place, values, used)
    if not isinstance(value, str):
        raise TypeError(f"{_colons([place.name])} needs text, the pattern for LIKE")
    return value


def _value(place: Bind, values: _Values, used: set[str]) -> Quotable | QuotableList:
    if place.name not in values:
        raise ValueError(f"there is no value for {_colons([place.name])}")
    used.add(place.name)
    value = values[place.name]
    try:
        quote(value)  # only to say which bind it is that has no literal
    except (TypeError, ValueError) as error:
        raise type(error)(f"{_colons([place.name])}: {error}") from error
    return value


def _colons(names: Iterable[str]) -> str:
    return ", ".join(f":{name}" for name in sorted(names))
