"""``query?columns=true``: what the columns of an answer are, without the answer."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from sfconnect.soql.ast import Field, FieldsMacro, Function, Query, SelectItem, Subquery, Typeof
from sfconnect_emulator.schema import FieldType, SObjectType
from sfconnect_emulator.schema.traits import NUMERIC, TEXTUAL
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.functions import AGGREGATES, argument, scalar
from sfconnect_emulator.soql.grouping import is_grouped
from sfconnect_emulator.soql.scope import Operand, Scope
from sfconnect_emulator.soql.selection import macro_fields

Column: TypeAlias = dict[str, Any]

_APEX: Final = {
    "id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer", "long": "Long",
    "double": "Double", "currency": "Double", "percent": "Double", "date": "Date",
    "datetime": "Datetime", "time": "Time", "base64": "Blob", "address": "complexvaluetype",
    "location": "complexvaluetype",
}  # fmt: skip


def column_metadata(context: Context, t: SObjectType, query: Query) -> dict[str, Any]:
    """Return the answer of ``query?columns=true``."""
    columns = _Columns(context, t, query).columns()
    return {
        "columnMetadata": columns,
        "entityName": t.name,
        "groupBy": query.group_by is not None,
        "idSelected": any(c["columnName"] == "Id" for c in columns),
        "keyPrefix": t.key_prefix,
    }


class _Columns:
    """Collects the columns of one level of a query."""

    def __init__(self, context: Context, t: SObjectType, query: Query) -> None:
        self._context = context
        self._query = query
        self._scope = Scope(context, t, query)
        self._grouped = is_grouped(query)
        self._columns: list[Column] = []

    def columns(self) -> list[Column]:
        """Return the columns in the order of the SELECT list."""
        for item in self._query.select:
            self._add(item)
        return self._columns

    def _add(self, item: SelectItem) -> None:
        if isinstance(item, Field):
            self._add_field(item)
        elif isinstance(item, FieldsMacro):
            for f in macro_fields(self._scope.t, item):
                self._columns.append(_column(f.name, f.type, f))
        elif isinstance(item, Function):
            self._columns.append(self._function(item))
        elif isinstance(item, Typeof):
            name = self._scope.path(item.reference)[-1]
            self._columns.append(_joined(name))
        else:
            self._add_children(item)

    def _add_field(self, item: Field) -> None:
        operand = self._scope.operand(item)
        path = self._scope.path(item)
        f = operand.field
        name = item.alias or (f.name if f else path[-1])
        leaf = _column(name, operand.type, f)
        parents = () if self._grouped else self._relationships(path[:-1])
        into = self._columns
        for relationship in parents:
            into = _branch(into, relationship)["joinColumns"]
        into.append(leaf)

    def _relationships(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """Return relationships as the schema spells them."""
        names: list[str] = []
        t: SObjectType | None = self._scope.t
        for part in path:
            f = t.parent_field(part) if t else None
            names.append(str(f.relationship_name) if f else part)
            t = self._context.schema.get(f.reference_to[0]) if f and not f.polymorphic else None
        return tuple(names)

    def _function(self, item: Function) -> Column:
        aggregate = item.name in AGGREGATES
        operand = self._value(item)
        numbered = sum(1 for c in self._columns if c["columnName"].startswith("expr"))
        keeps = item.name in {"TOLABEL", "FORMAT", "CONVERTCURRENCY"} and operand.field
        name = item.alias or (operand.field.name if keeps and operand.field else None)
        shown = name or f"expr{numbered}"
        column = _column(shown, operand.type, operand.field if keeps else None)
        label = shown if item.alias else f"{item.name.lower()}({_argument_name(item)})"
        return column | {"aggregate": aggregate, "displayName": label}

    def _value(self, item: Function) -> Operand:
        if item.name not in AGGREGATES and item.name != "GROUPING":
            return scalar(self._scope, item)
        if item.name in {"MIN", "MAX", "SUM"}:
            return argument(self._scope, item)
        return Operand("", "double" if item.name == "AVG" else "int")

    def _add_children(self, item: Subquery) -> None:
        source = item.query.from_
        name = source.path[-1]
        relationship, child = self._context.children(self._scope.t, name, source.at)
        inner = _Columns(self._context, child, item.query).columns()
        whole = _joined(str(relationship.name)) | {"aggregate": True, "joinColumns": inner}
        self._columns.append(whole)


def _argument_name(item: Function) -> str:
    first = item.args[0] if item.args else None
    return first.name if isinstance(first, Field | Function) else ""


def _branch(columns: list[Column], relationship: str) -> Column:
    for column in columns:
        if column["columnName"] == relationship:
            return column
    column = _joined(relationship) | {"foreignKeyName": relationship}
    columns.append(column)
    return column


def _joined(name: str) -> Column:
    return _column(name, "address", None) | {"custom": name.endswith("__r")}


def _column(name: str, type_: str, f: FieldType | None) -> Column:
    return {
        "aggregate": False,
        "apexType": _APEX.get(type_, "String"),
        "booleanType": type_ == "boolean",
        "columnName": name,
        "custom": f is not None and f.custom,
        "displayName": name,
        "foreignKeyName": f.relationship_name if f and f.type == "reference" else None,
        "insertable": f is not None and f.createable,
        "joinColumns": [],
        "numberType": type_ in NUMERIC,
        "textType": type_ in TEXTUAL,
        "updatable": f is not None and f.updateable,
    }
