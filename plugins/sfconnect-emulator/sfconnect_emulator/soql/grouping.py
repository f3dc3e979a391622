"""Queries that count and sum: GROUP BY with ROLLUP and CUBE, HAVING, and COUNT()."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from sfconnect.soql.ast import Field, Function, Membership, Ordering, Query, SelectItem
from sfconnect_emulator.data.render import Record
from sfconnect_emulator.data.tables import statement
from sfconnect_emulator.schema import SObjectType, traits
from sfconnect_emulator.schema.traits import NUMERIC
from sfconnect_emulator.soql.conditions import Conditions, joined, label_of, resolve_in, where
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.functions import AGGREGATES, argument
from sfconnect_emulator.soql.level import limits_sql, ordering_sql
from sfconnect_emulator.soql.scope import Operand, Scope

MAX_GROUPS: Final = 2000
_TOO_MANY: Final = (
    "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single "
    "batch"
)


def is_grouped(query: Query) -> bool:
    """Return whether a query answers with groups and not with rows."""
    if query.group_by is not None:
        return True
    return any(isinstance(i, Function) and i.name in AGGREGATES for i in query.select)


@dataclass(frozen=True, slots=True)
class _Key:
    """One expression that rows are grouped by."""

    operand: Operand
    rolled: bool = False

    @property
    def shown(self) -> str:
        """The SQL of the value that stands for the group."""
        if self.rolled:
            return "NULL"
        return f"min({self.operand.sql})" if self.operand.folds else self.operand.sql

    @property
    def sort(self) -> str:
        """The SQL that sorts groups."""
        return "NULL" if self.rolled else self.operand.key


class Groups:
    """A grouped query, compiled."""

    def __init__(self, context: Context, t: SObjectType, query: Query) -> None:
        self._context = context
        self._query = query
        self._scope = Scope(context, t, query)
        self._resolve = resolve_in(self._scope)
        group_by = query.group_by
        self._keys = [_Key(self._groupable(item)) for item in group_by.items] if group_by else []
        self._condition = joined("AND", where(self._scope, query) or ["1"])
        self._names, self._types = self._members()

    def records(self, connection: sqlite3.Connection) -> list[Record]:
        """Run the query.

        Raises:
            ApiError: There are more groups than a page holds.
        """
        found = connection.execute(self.sql(), self._context.params).fetchmany(MAX_GROUPS + 1)
        if len(found) > MAX_GROUPS:
            raise self._context.problems.plain("EXCEEDED_ID_LIMIT", _TOO_MANY)
        return [self._record(row) for row in found]

    def count(self, connection: sqlite3.Connection) -> int:
        """Return how many rows ``SELECT COUNT()`` finds, after LIMIT and OFFSET."""
        condition = joined("AND", where(self._scope, self._query, by_index=True) or ["1"])
        source = f"FROM {self._scope.source()} WHERE {condition}"
        inner = statement("SELECT 1", source, limits_sql(self._query))
        sql = statement("SELECT count(*) FROM", f"({inner})")
        return int(connection.execute(sql, self._context.params).fetchone()[0])

    def _record(self, row: tuple[object, ...]) -> Record:
        record: Record = {"attributes": {"type": "AggregateResult"}}
        for name, type_, value in zip(self._names, self._types, row, strict=False):
            record[name] = value == 1 if type_ == "boolean" and value is not None else value
        return record

    def _members(self) -> tuple[list[str], list[str]]:
        """Name the members: an alias, a field's own name, or ``expr0`` and so on."""
        names: list[str] = []
        types: list[str] = []
        expressions = 0
        for item in self._query.select:
            operand = self._output(item, self._keys)
            name = getattr(item, "alias", None)
            if name is None and isinstance(item, Field) and operand.field is not None:
                name = operand.field.name
            elif name is None:
                name = f"expr{expressions}"
                expressions += 1
            if name.lower() in {known.lower() for known in names}:
                message = f"duplicate alias: {name}"
                raise self._context.problems.plain("MALFORMED_QUERY", message)
            names.append(name)
            types.append(operand.type)
        return names, types

    def _groupable(self, item: Field | Function) -> Operand:
        operand = self._resolve(item)
        if isinstance(item, Field) and operand.field and not traits.groupable(operand.field):
            message = f"field '{operand.field.name}' can not be grouped in a query call"
            raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)
        return operand

    def _output(self, item: SelectItem, keys: list[_Key]) -> Operand:
        if not isinstance(item, Field | Function):
            message = "Grouped query cannot use child relationships in the SELECT list"
            raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)
        found = self._value(item, keys)
        if found is None:
            message = f"Field must be grouped or aggregated: {_name(item)}"
            raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)
        return found

    def _value(self, item: Field | Function, keys: list[_Key]) -> Operand | None:
        """Return an aggregate or a group key; None if the item is neither."""
        if isinstance(item, Function) and item.name in AGGREGATES:
            return self._aggregate(item)
        if isinstance(item, Function) and item.name == "GROUPING":
            key = self._key_of(argument(self._scope, item), keys)
            return None if key is None else Operand(str(int(key.rolled)), "int")
        operand = self._resolve(item)
        key = self._key_of(operand, keys)
        return None if key is None else Operand(key.shown, operand.type, operand.field)

    def _key_of(self, operand: Operand, keys: list[_Key]) -> _Key | None:
        return next((key for key in keys if key.operand.sql == operand.sql), None)

    def _aggregate(self, item: Function) -> Operand:
        if not item.args:
            return Operand("count(*)", "int")
        x = argument(self._scope, item)
        self._check_aggregate(item, x)
        if item.name == "COUNT":
            return Operand(f"count({x.sql})", "int")
        if item.name == "COUNT_DISTINCT":
            return Operand(f"count(DISTINCT {x.key})", "int")
        if item.name in {"MIN", "MAX"}:
            collation = " COLLATE folded" if x.folds else ""
            return Operand(f"{item.name.lower()}({x.sql}{collation})", x.type, x.field)
        if item.name == "AVG":
            return Operand(f"avg({x.sql})", "double")
        places = x.field.scale if x.field else 0
        total = f"round(sum({x.sql}), {places})" if places else f"sum({x.sql})"
        return Operand(total, x.type)

    def _check_aggregate(self, item: Function, x: Operand) -> None:
        countable = x.field is None or traits.aggregatable(x.field)
        if countable and (item.name not in {"SUM", "AVG"} or x.type in NUMERIC):
            return
        message = f"field {_name(item.args[0])} does not support aggregate operator {item.name}"
        raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)

    def sql(self) -> str:
        """Compile all grouping sets, with their order.

        Raises:
            ApiError: HAVING or ORDER BY is refused.
        """
        order = self._query.order_by
        sets = list(self._grouping_sets())
        body = " UNION ALL ".join(self._set_sql(keys) for keys in sets)
        terms = [ordering_sql(f"o{n}", by) for n, by in enumerate(order)]
        for n in range(len(self._keys)):
            terms += [f"g{n}", f"k{n} NULLS FIRST"]
        ordering = f"ORDER BY {', '.join(terms)}" if terms else ""
        return statement("SELECT * FROM", f"({body})", ordering, limits_sql(self._query))

    def _set_sql(self, keys: list[_Key]) -> str:
        """Compile one grouping set: members, then what the whole is sorted by."""
        outputs = [self._output(item, keys).sql for item in self._query.select]
        columns = [f"{sql} AS c{n}" for n, sql in enumerate(outputs)]
        for n, by in enumerate(self._query.order_by):
            columns.append(f"{self._order_key(by, keys)} AS o{n}")
        for n, key in enumerate(keys):
            columns.append(f"{int(key.rolled)} AS g{n}, {key.sort} AS k{n}")
        grouped = [key.operand.key for key in keys if not key.rolled]
        group_by = f"GROUP BY {', '.join(grouped)}" if grouped else ""
        return f"SELECT {', '.join(columns)} {self._from_where()} {group_by} {self._having(keys)}"

    def _grouping_sets(self) -> Iterator[list[_Key]]:
        """Return which keys each set keeps: all; with ROLLUP prefixes, with CUBE every subset."""
        kind = self._query.group_by.kind if self._query.group_by else ""
        count = len(self._keys)
        if kind == "ROLLUP":
            masks = [(True,) * n + (False,) * (count - n) for n in range(count, -1, -1)]
        elif kind == "CUBE":
            masks = list(product((True, False), repeat=count))
        else:
            masks = [(True,) * count]
        for mask in masks:
            yield [
                _Key(key.operand, rolled=not kept)
                for key, kept in zip(self._keys, mask, strict=True)
            ]

    def _order_key(self, by: Ordering, keys: list[_Key]) -> str:
        item = self._aliased(by.by)
        found = self._value(item, keys)
        if found is None:
            message = f"Ordered field must be grouped or aggregated: {_name(item)}"
            raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)
        return f"fold({found.sql})" if found.folds else found.sql

    def _aliased(self, item: Field | Function) -> Field | Function:
        """Return what an alias of the SELECT list stands for."""
        if not isinstance(item, Field) or len(item.path) > 1:
            return item
        for selected in self._query.select:
            alias = getattr(selected, "alias", None) or ""
            if isinstance(selected, Field | Function) and alias.lower() == item.path[0].lower():
                return selected
        return item

    def _having(self, keys: list[_Key]) -> str:
        if self._query.having is None:
            return ""

        def resolve(item: Field | Function) -> Operand:
            found = self._value(self._aliased(item), keys)
            if found is None:
                message = f"Field must be grouped or aggregated: {label_of(item)}"
                raise self._context.problems.at(item.at, "MALFORMED_QUERY", message)
            return found

        conditions = Conditions(self._context, resolve, self._no_semi_join)
        return f"HAVING {conditions.sql(self._query.having)}"

    def _no_semi_join(self, _: Query, m: Membership) -> str:
        message = "Semi join sub-selects are not allowed in HAVING"
        raise self._context.problems.at(m.at, "MALFORMED_QUERY", message)

    def _from_where(self) -> str:
        return f"FROM {self._scope.source()} WHERE {self._condition}"


def _name(item: object) -> str:
    return item.name if isinstance(item, Field | Function) else str(item)
