"""What names mean inside one query: its object, its aliases, and the parents that paths reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sfconnect.soql.ast import Field, Query
from sfconnect_emulator.data.render import Table, sobject_path
from sfconnect_emulator.data.tables import quote
from sfconnect_emulator.schema import FieldType, SObjectType
from sfconnect_emulator.schema.build import make
from sfconnect_emulator.soql.context import Context

MAX_HOPS: Final = 5
_NAME_FIELDS: Final = (
    "Id", "Name", "FirstName", "LastName", "Email", "Phone", "Title", "Alias", "Username",
    "IsActive", "Department",
)  # fmt: skip
_TYPE: Final = make("Type", "string", length=40, label="Type")


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that SQL can compute, with the type that says how it compares and shows."""

    sql: str
    type: str
    field: FieldType | None = None

    @property
    def folds(self) -> bool:
        """Whether case makes no difference when the value is compared."""
        return self.type in _FOLDED and not (self.field and self.field.case_sensitive)

    @property
    def key(self) -> str:
        """The SQL by which the value is compared, grouped and sorted."""
        return f"fold({self.sql})" if self.folds else self.sql


_FOLDED: Final = frozenset(
    {"string", "textarea", "phone", "url", "email", "picklist", "combobox", "multipicklist",
     "datacategorygroupreference", "anyType", "encryptedstring"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Several:
    """The parents that a polymorphic reference may point at, one joined table each."""

    reference: str
    tables: tuple[Table, ...]
    version: float

    def operand(self, name: str) -> Operand | None:
        """Return a field that any of the parents may have; ``Type`` is the parent's object."""
        if name.lower() == "type":
            return Operand(self.type_sql(), "string", _TYPE)
        if name.lower() not in {known.lower() for known in _NAME_FIELDS}:
            return None
        found = [(table, f) for table in self.tables if (f := table.t.field(name))]
        if not found:
            return None
        columns = [table.column(f) for table, f in found]
        sql = columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"
        return Operand(sql, found[0][1].type, found[0][1])

    def type_sql(self) -> str:
        """Return the SQL of the name of the parent's object."""
        cases = " ".join(
            f"WHEN {table.alias}.Id IS NOT NULL THEN '{table.t.name}'" for table in self.tables
        )
        return f"CASE {cases} END"

    def url(self) -> str:
        """Return the SQL of the parent's URL."""
        return f"'{sobject_path(self.version)}' || {self.type_sql()} || '/' || {self.reference}"


class Scope:
    """The names of one level of a query; parents are joined when a path first needs them."""

    def __init__(self, context: Context, t: SObjectType, query: Query | None = None) -> None:
        self.context = context
        self.t = t
        self.root = Table(t, context.alias(), context.version)
        self.joins: list[str] = []
        self._joined: dict[tuple[str, ...], Table | Several] = {(): self.root}
        self._own_names = {t.name.lower()}
        self._paths: dict[str, tuple[str, ...]] = {}
        if query is not None:
            self._own_names |= {name.lower() for name in (query.from_.alias,) if name}
            for extra in query.from_aliases:
                self._paths[extra.alias.lower()] = extra.path

    def source(self) -> str:
        """Return the SQL of the FROM clause so far."""
        return " ".join([f"{quote(self.t.name)} AS {self.root.alias}", *self.joins])

    def path(self, field: Field) -> tuple[str, ...]:
        """Return a path without the alias or object name that it may begin with."""
        path = field.path
        while path[0].lower() in self._paths and len(path) > 1:
            path = self._paths[path[0].lower()] + path[1:]
        own = path[0].lower() in self._own_names and len(path) > 1
        return path[1:] if own and self.t.parent_field(path[0]) is None else path

    def operand(self, field: Field) -> Operand:
        """Return the value that a path leads to.

        Raises:
            ApiError: A relationship or field on the way does not exist.
        """
        path = self.path(field)
        at = self.parents(path[:-1], field.at)
        if isinstance(at, Several):
            found = at.operand(path[-1])
            if found is None:
                raise self.context.problems.unknown_field(field.at, path[-1], "Name")
            return found
        f = at.t.field(path[-1])
        if f is None:
            raise self.context.problems.unknown_field(field.at, path[-1], at.t.name)
        sql = "NULL" if f.compound else at.column(f)
        return Operand(sql, f.type, f)

    def compound(self, field: Field) -> tuple[str, str] | None:
        """Return latitude and longitude of an address or location."""
        path = self.path(field)
        table = self.parents(path[:-1], field.at)
        f = table.t.field(path[-1]) if isinstance(table, Table) else None
        if f is None or not f.compound or isinstance(table, Several):
            return None
        return table.component(f, "latitude"), table.component(f, "longitude")

    def parents(self, path: Sequence[str], index: int) -> Table | Several:
        """Join the parents on a path of relationships and return the last."""
        key = tuple(name.lower() for name in path)
        if key in self._joined:
            return self._joined[key]
        self.check_hops(path, index)
        child = self.parents(path[:-1], index)
        f = None if isinstance(child, Several) else child.t.parent_field(path[-1])
        if f is None or isinstance(child, Several):
            raise self.context.problems.unknown_parent(index, path[-1])
        self._joined[key] = self.join(child, f)
        return self._joined[key]

    def check_hops(self, path: Sequence[str], index: int) -> None:
        """Refuse a path over more than five relationships."""
        if len(path) > MAX_HOPS:
            message = f"Relationship paths may have at most {MAX_HOPS} levels"
            raise self.context.problems.at(index, "INVALID_FIELD", message)

    def join(self, child: Table, f: FieldType) -> Table | Several:
        """Join the parents that a reference field points at."""
        targets = [t for name in f.reference_to if (t := self.context.schema.get(name))]
        tables = [self._join_one(child.column(f), t) for t in targets]
        if f.polymorphic:
            return Several(child.column(f), tuple(tables), self.context.version)
        return tables[0]

    def _join_one(self, reference: str, t: SObjectType) -> Table:
        table = Table(t, self.context.alias(), self.context.version)
        on = f"{table.alias}.Id = {reference}"
        self.joins.append(f"LEFT JOIN {quote(t.name)} AS {table.alias} ON {on}")
        return table
