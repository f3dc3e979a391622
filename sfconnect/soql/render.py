"""Write a query tree as text: the canonical spelling, with only the parentheses that are needed.

Names and words are checked on the way, so that a tree built by hand from foreign text cannot
smuggle a clause in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import singledispatch

from sfconnect.soql._words import (
    ACCESS_MODES,
    CATEGORY_SELECTORS,
    COMPARISONS,
    FIELDS_KINDS,
    FUNCTION_SPELLINGS,
    MEMBERSHIPS,
    RESERVED_ALIASES,
    RESERVED_NAMES,
)
from sfconnect.soql.ast import (
    And,
    Bind,
    Comparison,
    Condition,
    Currency,
    DataCategory,
    DateLiteral,
    Field,
    FieldsMacro,
    From,
    FromAlias,
    Function,
    GroupBy,
    Membership,
    Not,
    Or,
    Ordering,
    Query,
    Subquery,
    Typeof,
    TypeofWhen,
    Value,
    With,
)
from sfconnect.soql.quoting import quote, quote_like

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MIN_PARTS = 2
# Beside the reserved words: what would be read as the beginning of something else.
_NO_ALIASES = RESERVED_ALIASES | {"AS", "BY", "FOR", "ORDER"}


def render(query: Query) -> str:
    """Return the text of a query; parsed again it gives an equal tree.

    Binds are written as ``:name``. Words that only Apex understands are written where the tree
    holds them.

    Raises:
        ValueError: The tree holds what SOQL cannot say: a name that is none, an unknown operator,
            a value without a literal, a list without items.
    """
    return " ".join(_clauses(query))


def _clauses(query: Query) -> Iterator[str]:
    yield f"SELECT {_listed(query.select)}"
    yield f"FROM {_listed((query.from_, *query.from_aliases))}"
    if query.scope is not None:
        yield f"USING SCOPE {_name(query.scope)}"
    if query.where is not None:
        yield f"WHERE {_text(query.where)}"
    if query.with_ is not None:
        yield _text(query.with_)
    if query.group_by is not None:
        yield f"GROUP BY {_text(query.group_by)}"
    if query.having is not None:
        yield f"HAVING {_text(query.having)}"
    if query.order_by:
        yield f"ORDER BY {_listed(query.order_by)}"
    yield from _tail(query)


def _tail(query: Query) -> Iterator[str]:
    if query.limit is not None:
        yield f"LIMIT {_count(query.limit)}"
    if query.offset is not None:
        yield f"OFFSET {_count(query.offset)}"
    if query.for_:
        yield f"FOR {_words(query.for_, ('VIEW', 'REFERENCE', 'UPDATE'))}"
    if query.update:
        yield f"UPDATE {_words(query.update, ('TRACKING', 'VIEWSTAT'))}"
    if query.all_rows:
        yield "ALL ROWS"


@singledispatch
def _text(node: object) -> str:
    """Write one node; what is no node is a value."""
    return quote(node)  # type: ignore[arg-type]  # quote refuses what is no value


@_text.register
def _(node: Field) -> str:
    return _path(node.path) + _alias(node.alias)


@_text.register
def _(node: Function) -> str:
    name = FUNCTION_SPELLINGS.get(node.name) or _unreserved(node.name, RESERVED_NAMES)
    args = ", ".join(map(_argument, node.args))
    return f"{name}({args}){_alias(node.alias)}"


@_text.register
def _(node: FieldsMacro) -> str:
    return f"FIELDS({_word(node.kind, FIELDS_KINDS)})"


@_text.register
def _(node: Typeof) -> str:
    otherwise = f" ELSE {_listed(node.otherwise)}" if node.otherwise else ""
    whens = " ".join(map(_text, _some(node.whens)))
    return f"TYPEOF {_text(node.reference)} {whens}{otherwise} END"


@_text.register
def _(node: TypeofWhen) -> str:
    return f"WHEN {_name(node.type_name)} THEN {_listed(node.fields)}"


@_text.register
def _(node: Subquery) -> str:
    return f"({render(node.query)})"


@_text.register
def _(node: From) -> str:
    return _path(node.path) + _alias(node.alias)


@_text.register
def _(node: FromAlias) -> str:
    return _path(node.path) + _alias(node.alias)


@_text.register
def _(node: Bind) -> str:
    return f":{_name(node.name)}"


@_text.register
def _(node: Comparison) -> str:
    op = _word(node.op, COMPARISONS)
    like = op == "LIKE" and isinstance(node.value, str)
    value = quote_like(str(node.value)) if like else _text(node.value)
    return f"{_text(node.left)} {op} {value}"


@_text.register
def _(node: Membership) -> str:
    return f"{_text(node.left)} {_word(node.op, MEMBERSHIPS)} {_members(node.values)}"


@_text.register
def _(node: And) -> str:
    return _joined(" AND ", node.parts)


@_text.register
def _(node: Or) -> str:
    return _joined(" OR ", node.parts)


@_text.register
def _(node: Not) -> str:
    return f"NOT {_part(node.part)}"


@_text.register
def _(node: With) -> str:
    mode = f" WITH {_word(node.mode, ACCESS_MODES)}" if node.mode else ""
    if node.categories:
        categories = " AND ".join(map(_text, node.categories))
        return f"WITH DATA CATEGORY {categories}{mode}"
    if node.condition is not None:
        return f"WITH {_text(node.condition)}{mode}"
    return f"WITH {_word(node.kind, ACCESS_MODES)}"


@_text.register
def _(node: DataCategory) -> str:
    names = ", ".join(map(_name, _some(node.categories)))
    listed = f"({names})" if len(node.categories) > 1 else names
    return f"{_name(node.group)} {_word(node.selector, CATEGORY_SELECTORS)} {listed}"


@_text.register
def _(node: GroupBy) -> str:
    if not node.kind:
        return _listed(node.items)
    return f"{_word(node.kind, ('ROLLUP', 'CUBE'))}({_listed(node.items)})"


@_text.register
def _(node: Ordering) -> str:
    direction = " DESC" if node.descending else ""
    nulls = f" NULLS {_word(node.nulls, ('FIRST', 'LAST'))}" if node.nulls else ""
    return f"{_text(node.by)}{direction}{nulls}"


def _joined(junction: str, parts: tuple[Condition, ...]) -> str:
    if len(parts) < _MIN_PARTS:
        raise ValueError("AND and OR join two conditions or more")
    return junction.join(map(_part, parts))


def _part(condition: Condition) -> str:
    text = _text(condition)
    return text if isinstance(condition, Comparison | Membership) else f"({text})"


def _members(values: tuple[Value, ...] | Query | Bind) -> str:
    if isinstance(values, Query):
        return f"({render(values)})"
    return _text(values) if isinstance(values, Bind) else f"({_listed(values)})"


def _argument(argument: Field | Function | Value) -> str:
    if isinstance(argument, DateLiteral | Currency):
        raise ValueError("a function takes no relative date and no currency")  # noqa: TRY004
    return _text(argument)


def _count(count: object) -> str:
    if isinstance(count, Bind):
        return _text(count)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError("LIMIT and OFFSET take whole numbers that are not negative")
    return quote(count)


def _listed(nodes: Iterable[object]) -> str:
    return ", ".join(map(_text, _some(tuple(nodes))))


def _some(nodes: tuple[object, ...]) -> tuple[object, ...]:
    if not nodes:
        raise ValueError("a list in a query needs at least one item")
    return nodes


def _path(path: tuple[str, ...]) -> str:
    first, *rest = _some(path)
    return ".".join((_unreserved(first, RESERVED_NAMES), *map(_name, rest)))


def _alias(alias: str | None) -> str:
    return "" if alias is None else f" {_unreserved(alias, _NO_ALIASES)}"


def _unreserved(name: object, reserved: frozenset[str]) -> str:
    text = _name(name)
    if text.upper() in reserved:
        raise ValueError(f"{text.upper()} is a word of SOQL and cannot be a name here")
    return text


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("this tree holds a name that SOQL does not allow")
    return name


def _word(word: str, words: Iterable[str]) -> str:
    if word not in words:
        raise ValueError(f"this tree holds none of {', '.join(words)} where one must be")
    return word


def _words(chosen: tuple[str, ...], words: Iterable[str]) -> str:
    return ", ".join(_word(word, words) for word in chosen)
