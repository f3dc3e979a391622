"""The SELECT list of a query that returns rows: what is read, and how records nest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sfconnect.soql.ast import (
    Field,
    FieldsMacro,
    Function,
    Query,
    SelectItem,
    Subquery,
    Typeof,
)
from sfconnect_emulator.data.render import Fix, Nested, Projection, SqlRow, Table
from sfconnect_emulator.schema import ChildRelationship, FieldType, SObjectType
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.functions import scalar
from sfconnect_emulator.soql.scope import Scope, Several

_MACRO_LIMIT: Final = 200
_MACRO_MESSAGE: Final = "The SOQL FIELDS function must have a LIMIT of at most 200"


class Node:
    """One object in a record: its own members, and the parents nested in it."""

    def __init__(self, scope: Scope, table: Table | Several) -> None:
        self.scope = scope
        self.table = table
        self.projection = (
            table.projection() if isinstance(table, Table) else Projection(None, table.url())
        )
        self._parents: dict[str, Node] = {}

    @property
    def entity(self) -> str:
        """The name under which errors speak of the object."""
        return self.table.t.name if isinstance(self.table, Table) else "Name"

    def parent(self, relationship: str, index: int) -> Node:
        """Return the nested parent, which becomes a member where it is first named."""
        known = self._parents.get(relationship.lower())
        if known is not None:
            return known
        t = self.table.t if isinstance(self.table, Table) else None
        f = t.parent_field(relationship) if t else None
        if f is None or not isinstance(self.table, Table):
            raise self.scope.context.problems.unknown_parent(index, relationship)
        node = Node(self.scope, self.scope.join(self.table, f))
        self.projection.add_part(str(f.relationship_name), Nested(node.projection))
        self._parents[relationship.lower()] = node
        return node

    def add(self, name: str, index: int) -> None:
        """Add one of the object's fields."""
        problems = self.scope.context.problems
        if isinstance(self.table, Several):
            operand = self.table.operand(name)
            if operand is None or operand.field is None:
                raise problems.unknown_field(index, name, self.entity)
            self.projection.add(operand.field.name, operand.sql, operand.type)
            return
        f = self.table.t.field(name)
        if f is None:
            raise problems.unknown_field(index, name, self.entity)
        self.table.add_to(self.projection, f)


@dataclass(slots=True)
class Children:
    """A child query: a member that is filled page by page.

    ``results`` holds the answers for the page at hand, by the id of the parent.
    """

    id_sql: str
    relationship: ChildRelationship
    t: SObjectType
    query: Query
    results: dict[str, object] = field(default_factory=dict)
    at: int = 0

    def columns(self) -> list[str]:
        """Return the SQL of the parent's id."""
        return [self.id_sql]

    def maker(self, base: int) -> Fix:
        """Return what takes the parent's answer; null where no child was found."""
        self.at = base
        return lambda row: self.results.get(row[base])

    def parent_ids(self, rows: Sequence[SqlRow]) -> list[str]:
        """Return the ids of the parents on a page."""
        return [row[self.at] for row in rows]


@dataclass(frozen=True, slots=True)
class _TypeofPart:
    """TYPEOF: other members for each kind of parent."""

    url: str
    branches: dict[str, Projection]
    otherwise: Projection | None

    def columns(self) -> list[str]:
        return [self.url, *(sql for part in self._parts() for sql in part.columns())]

    def maker(self, base: int) -> Fix:
        makers = {}
        at = base + 1
        for name, part in zip([*self.branches, None], self._parts(), strict=False):
            makers[name] = part.maker(at)
            at += len(part.columns())

        def make(row: SqlRow) -> object:
            url = row[base]
            if url is None:
                return None
            name = url.rsplit("/", 2)[1]
            chosen = makers.get(name) or makers.get(None)
            return chosen(row) if chosen else {"attributes": {"type": name, "url": url}}

        return make

    def _parts(self) -> list[Projection]:
        return [*self.branches.values(), *([self.otherwise] if self.otherwise else [])]


class Selection:
    """Compiles a SELECT list into a projection and the child queries in it."""

    def __init__(self, scope: Scope, query: Query) -> None:
        self.context: Context = scope.context
        self.scope = scope
        self.query = query
        self.root = Node(scope, scope.root)
        self.children: list[Children] = []
        self._seen: set[str] = set()
        self._expressions = 0
        for item in query.select:
            self._add(item)

    def _add(self, item: SelectItem) -> None:
        if isinstance(item, Field):
            self._add_field(item)
        elif isinstance(item, FieldsMacro):
            self._add_macro(item)
        elif isinstance(item, Function):
            self._add_function(item)
        elif isinstance(item, Typeof):
            self._add_typeof(item)
        else:
            self._add_children(item)

    def _once(self, name: str) -> None:
        if name.lower() in self._seen:
            message = f"duplicate field selected: {name}"
            raise self.context.problems.plain("INVALID_FIELD", message)
        self._seen.add(name.lower())

    def _add_field(self, item: Field) -> None:
        if item.alias is not None:
            message = "only aggregate expressions use field aliasing"
            raise self.context.problems.at(item.at, "MALFORMED_QUERY", message)
        path = self.scope.path(item)
        self._node(path[:-1], item.at).add(path[-1], item.at)
        self._once(".".join(path))

    def _node(self, path: Sequence[str], index: int) -> Node:
        self.scope.check_hops(path, index)
        node = self.root
        for relationship in path:
            node = node.parent(relationship, index)
        return node

    def _add_macro(self, item: FieldsMacro) -> None:
        limit = self.query.limit
        bounded = isinstance(limit, int) and limit <= _MACRO_LIMIT
        if item.kind != "STANDARD" and not bounded:
            raise self.context.problems.plain("MALFORMED_QUERY", _MACRO_MESSAGE)
        for f in macro_fields(self.scope.t, item):
            self._once(f.name)
            self.scope.root.add_to(self.root.projection, f)

    def _add_function(self, item: Function) -> None:
        operand = scalar(self.scope, item)
        path = self._argument_path(item)
        if item.alias is not None or not path:
            key = item.alias or self._expression_name()
            self.root.projection.add(key, operand.sql, operand.type)
            return
        node = self._node(path[:-1], item.at)
        key = operand.field.name if operand.field else path[-1]
        self._once(".".join([*path[:-1], key]))
        node.projection.add(key, operand.sql, operand.type)

    def _argument_path(self, function: Function) -> tuple[str, ...]:
        """Return the field whose place the function's value takes, if it is that kind."""
        first = function.args[0] if function.args else None
        if isinstance(first, Function):
            return self._argument_path(first)
        keeps = function.name in {"TOLABEL", "FORMAT", "CONVERTCURRENCY"}
        return self.scope.path(first) if keeps and isinstance(first, Field) else ()

    def _expression_name(self) -> str:
        self._expressions += 1
        return f"expr{self._expressions - 1}"

    def _add_typeof(self, item: Typeof) -> None:
        path = self.scope.path(item.reference)
        node = self._node(path[:-1], item.at)
        f = node.table.t.parent_field(path[-1]) if isinstance(node.table, Table) else None
        if f is None or not isinstance(node.table, Table):
            raise self.context.problems.unknown_parent(item.reference.at, path[-1])
        joined = self.scope.join(node.table, f)
        several = (
            Several(node.table.column(f), (joined,), self.context.version)
            if isinstance(joined, Table)
            else joined
        )
        self._once(str(f.relationship_name))
        node.projection.add_part(str(f.relationship_name), self._typeof_part(item, several))

    def _typeof_part(self, item: Typeof, several: Several) -> _TypeofPart:
        tables = {table.t.name: table for table in several.tables}
        branches = {}
        for when in item.whens:
            t = self.context.object(when.type_name, item.at)
            if t.name not in tables:
                message = f"{t.name} is no type that '{item.reference.name}' can refer to"
                raise self.context.problems.at(item.at, "INVALID_FIELD", message)
            branches[t.name] = self._branch(Node(self.scope, tables[t.name]), when.fields)
        otherwise = None
        if item.otherwise:
            otherwise = self._branch(Node(self.scope, several), item.otherwise)
        return _TypeofPart(several.url(), branches, otherwise)

    def _branch(self, node: Node, fields: Iterable[Field | FieldsMacro]) -> Projection:
        for item in fields:
            if isinstance(item, FieldsMacro):
                if isinstance(node.table, Table):
                    for f in macro_fields(node.table.t, item):
                        node.table.add_to(node.projection, f)
                continue
            inner = node
            for relationship in item.path[:-1]:
                inner = inner.parent(relationship, item.at)
            inner.add(item.path[-1], item.at)
        return node.projection

    def _add_children(self, item: Subquery) -> None:
        source = item.query.from_
        path = self.scope.path(Field(source.path, at=source.at))
        if path[1:]:
            raise self.context.problems.unknown_children(source.at, path[-1])
        relationship, t = self.context.children(self.scope.t, path[0], source.at)
        key = str(relationship.name)
        self._once(key)
        id_sql = f"{self.scope.root.alias}.Id"
        children = Children(id_sql, relationship, t, item.query)
        self.children.append(children)
        self.root.projection.add_part(key, children)


def macro_fields(t: SObjectType, macro: FieldsMacro) -> list[FieldType]:
    """Return the fields that FIELDS(ALL), FIELDS(STANDARD) or FIELDS(CUSTOM) stands for."""
    if macro.kind == "ALL":
        return list(t.fields)
    return [f for f in t.fields if f.custom == (macro.kind == "CUSTOM")]
