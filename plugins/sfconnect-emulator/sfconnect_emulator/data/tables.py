"""How objects lie in SQLite: one table each, one typed column per field.

Datetimes are kept as the API prints them (``…T14:05:06.000+0000``): fixed width and in UTC, so
that text order is time order and pages need no conversion.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from sfconnect_emulator.schema import FieldType, Schema, SObjectType

Stored: TypeAlias = int | float | str | bytes | None
Row: TypeAlias = dict[str, Stored]

ROW: Final = "_row"
"""Name of the integer key; its order is the order of creation."""

_AFFINITY: Final = {
    "boolean": "INTEGER", "int": "INTEGER", "long": "INTEGER", "double": "REAL",
    "currency": "REAL", "percent": "REAL", "base64": "BLOB",
}  # fmt: skip


def quote(name: str) -> str:
    """Quote an identifier; names come from the schema only."""
    return f'"{name}"'


def columns(t: SObjectType) -> tuple[FieldType, ...]:
    """Return the fields that have a column: all but compound ones."""
    return tuple(f for f in t.fields if not f.compound)


def fold(value: Stored) -> Stored:
    """Bring text to the form in which SOQL compares it, which ignores case."""
    return value.lower() if isinstance(value, str) else value


def statement(*parts: str) -> str:
    """Join the parts of a statement."""
    return " ".join(parts)


def create_tables(connection: sqlite3.Connection, schema: Schema) -> None:
    """Create the tables, and one for what is known of the org."""
    connection.execute("CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT)")
    for t in schema:
        definitions = ", ".join(_definition(f) for f in columns(t))
        key = f"{quote(ROW)} INTEGER PRIMARY KEY"
        connection.execute(statement("CREATE TABLE", quote(t.name), f"({key}, {definitions})"))


def create_indexes(connection: sqlite3.Connection, schema: Schema) -> None:
    """Create what lookups and child queries need; done after seeding because it is faster so."""
    for t in schema:
        for f, expression in _indexed(t):
            kind = "CREATE UNIQUE INDEX" if f.type == "id" else "CREATE INDEX"
            name = quote(f"ix_{t.name}_{f.name}")
            on = f"{quote(t.name)} ({expression})"
            connection.execute(statement(kind, "IF NOT EXISTS", name, "ON", on))


def drop_indexes(connection: sqlite3.Connection, schema: Schema) -> None:
    """Drop all indexes but those on ids, which many inserts at once would keep up to date."""
    for t in schema:
        for f, _ in _indexed(t):
            if f.type != "id":
                connection.execute(f"DROP INDEX IF EXISTS {quote(f'ix_{t.name}_{f.name}')}")


def insert(t: SObjectType, names: Iterable[str]) -> str:
    """Return the statement that inserts a row with these columns and its integer key."""
    listed = [ROW, *names]
    marks = ", ".join("?" * len(listed))
    into = f"{quote(t.name)} ({', '.join(map(quote, listed))})"
    return statement("INSERT INTO", into, "VALUES", f"({marks})")


def update(t: SObjectType, names: Iterable[str]) -> str:
    """Return the statement that sets columns of the row with a given integer key."""
    assignments = ", ".join(f"{quote(name)} = ?" for name in names)
    return statement("UPDATE", quote(t.name), "SET", assignments, "WHERE", f"{quote(ROW)} = ?")


def _definition(f: FieldType) -> str:
    return f"{quote(f.name)} {_AFFINITY.get(f.type, 'TEXT')}"


def _indexed(t: SObjectType) -> Iterator[tuple[FieldType, str]]:
    for f in columns(t):
        if f.type == "id" or f.child_relationship is not None or f.name == "IsDeleted":
            yield f, quote(f.name)
        elif f.external_id or f.unique:
            yield f, lookup_expression(f)


def lookup_expression(f: FieldType) -> str:
    """Return the SQL by which an external id is found: as it is, or without regard to case."""
    textual = f.type not in {"id", "reference", "double"} and not f.case_sensitive
    return f"fold({quote(f.name)})" if textual else quote(f.name)
