"""One level of a query made ready to run: a statement that finds rows, and one that reads them.

Finding and reading are apart so that a locator can keep the list of rows it found, and pages read
from it later show the same rows in the same order, whatever has changed meanwhile.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sfconnect.soql.ast import Field, Ordering, Query
from sfconnect_emulator.data.render import Fix, Record
from sfconnect_emulator.data.tables import ROW, quote, statement
from sfconnect_emulator.schema import ChildRelationship, SObjectType, traits
from sfconnect_emulator.soql.conditions import joined, resolve_in, where
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.scope import Operand, Scope
from sfconnect_emulator.soql.selection import Children, Selection

Rows: TypeAlias = "range | array[int]"
"""Integer keys of rows in answer order; a range where they are consecutive, which is usual."""


@dataclass(frozen=True, slots=True)
class ChildLevel:
    """A child query: its level, and the member that it fills."""

    children: Children
    level: Level


class Level:
    """A query on one object, compiled."""

    def __init__(
        self, context: Context, t: SObjectType, query: Query,
        *, link: ChildRelationship | None = None,
    ) -> None:  # fmt: skip
        self.t = t
        self.query = query
        self.key = (t.name, query, context.version, context.zone_name)
        self._params = context.params
        self._find = _Finder(context, t, query, link)
        scope = Scope(context, t, query)
        selection = Selection(scope, query)
        self._columns = ", ".join(selection.root.projection.columns())
        self._make = selection.root.projection.maker()
        self._projection = selection.root.projection
        self._pack: Fix | None = None
        self._source = scope.source()
        self._row = f"{scope.root.alias}.{quote(ROW)}"
        self.children = [
            ChildLevel(c, Level(context, c.t, c.query, link=c.relationship))
            for c in selection.children
        ]

    def find(self, connection: sqlite3.Connection) -> Rows:
        """Return the rows of the answer, after LIMIT and OFFSET."""
        if self._find.plain:
            whole = self._whole_table(connection)
            if whole is not None:
                return whole
        found = connection.execute(self._find.sql, self._params).fetchall()
        return compact([row[0] for row in found])

    def find_children(
        self, connection: sqlite3.Connection, parent_ids: Sequence[str]
    ) -> dict[str, list[int]]:
        """Return the rows that hang on each of some parents; LIMIT and OFFSET count per parent."""
        marks = ", ".join(f"'{parent_id}'" for parent_id in parent_ids)
        sql = self._find.sql.replace(_PARENTS, marks)
        groups: dict[str, list[int]] = {}
        for row, parent_id in connection.execute(sql, self._params):
            groups.setdefault(parent_id, []).append(row)
        limit, offset = self.query.limit, self.query.offset or 0
        if limit is None and not offset:
            return groups
        end = None if limit is None else int(str(offset)) + int(str(limit))
        cut = {key: rows[int(str(offset)) : end] for key, rows in groups.items()}
        return {key: rows for key, rows in cut.items() if rows}

    def fetch(self, connection: sqlite3.Connection, rows: Rows) -> list[tuple[Any, ...]]:
        """Read rows, in their order; each ends with its integer key."""
        if len(rows) > _CHUNK:
            chunks = (rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK))
            return [row for chunk in chunks for row in self.fetch(connection, chunk)]
        if isinstance(rows, range):
            among, params = "BETWEEN :first AND :last", {"first": rows[0], "last": rows[-1]}
        else:
            among, params = f"IN ({', '.join(map(str, rows))})", {}
        sql = statement(
            "SELECT", f"{self._columns}, {self._row}", "FROM", self._source,
            "WHERE", self._row, among, "ORDER BY", self._row,
        )  # fmt: skip
        found = connection.execute(sql, self._params | params).fetchall()
        if isinstance(rows, range):
            return found
        by_key = {row[-1]: row for row in found}
        return [by_key[key] for key in rows]

    def records(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Make records from rows that were read, once the children are in place."""
        return [self._make(row) for row in rows]

    def structs(self, rows: Sequence[Sequence[Any]]) -> list[object]:
        """Make what is written as the records would be, in the way that suits their number."""
        if len(rows) < _WORTH_A_STRUCT:
            return list(self.records(rows))
        self._pack = self._pack or self._projection.packer()
        return [self._pack(row) for row in rows]

    def _whole_table(self, connection: sqlite3.Connection) -> range | None:
        """Return the rows of a query without conditions as a range, if they leave no gap."""
        count, first, last = connection.execute(self._find.bounds, self._params).fetchone()
        if count and last - first + 1 == count:
            return range(first, last + 1)
        return None


_PARENTS: Final = "/*parents*/"
_ENDLESS: Final = 2**62
_CHUNK: Final = 20_000
_WORTH_A_STRUCT: Final = 100
"""Rows from which on making a struct class first is faster."""


class _Finder:
    """Compiles the statement that finds the rows of a level."""

    def __init__(
        self, context: Context, t: SObjectType, query: Query, link: ChildRelationship | None
    ) -> None:
        self._context = context
        self._query = query
        self._scope = scope = Scope(context, t, query)
        row = f"{scope.root.alias}.{quote(ROW)}"
        selected = [row]
        parts = where(scope, query)
        if link is not None:
            reference = f"{scope.root.alias}.{quote(link.field)}"
            selected.append(reference)
            parts.append(f"{reference} IN ({_PARENTS})")
        order = [*(self._ordering(by) for by in query.order_by), row]
        condition = joined("AND", parts) if parts else "1"
        self.sql = statement(
            "SELECT", ", ".join(selected), "FROM", scope.source(), "WHERE", condition,
            "ORDER BY", ", ".join(order), *([] if link else [limits_sql(query)]),
        )  # fmt: skip
        fast = joined("AND", where(scope, query, by_index=True) or ["1"])
        self.bounds = statement(
            "SELECT count(*),", f"min({row}), max({row})", "FROM", scope.source(), "WHERE", fast
        )
        unbounded = query.limit is None and not query.offset
        self.plain = link is None and query.where is None and not query.order_by and unbounded

    def _ordering(self, by: Ordering) -> str:
        operand = resolve_in(self._scope)(by.by)
        check_sortable(self._context, by, operand)
        return ordering_sql(operand.key, by)


def check_sortable(context: Context, by: Ordering, operand: Operand) -> None:
    """Refuse to sort by fields that cannot be sorted."""
    if isinstance(by.by, Field) and operand.field and not traits.sortable(operand.field):
        message = f"field '{operand.field.name}' can not be sorted in a query call"
        raise context.problems.at(by.by.at, "MALFORMED_QUERY", message)


def ordering_sql(key: str, by: Ordering) -> str:
    """Return one term of ORDER BY; nulls come first in either direction unless told otherwise."""
    direction = "DESC" if by.descending else "ASC"
    return f"{key} {direction} NULLS {by.nulls or 'FIRST'}"


def limits_sql(query: Query) -> str:
    """Return LIMIT and OFFSET; a limit that SQLite could not count to is none at all."""
    limit = query.limit if isinstance(query.limit, int) and query.limit < _ENDLESS else -1
    return f"LIMIT {limit} OFFSET {query.offset or 0}"


def compact(rows: list[int]) -> Rows:
    """Keep row keys in as little room as possible."""
    if rows and rows[-1] - rows[0] + 1 == len(rows) and rows == sorted(rows):
        return range(rows[0], rows[-1] + 1)
    return array("q", rows)
