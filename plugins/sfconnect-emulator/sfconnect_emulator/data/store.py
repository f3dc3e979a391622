"""The rows of one org: SQLite underneath, the rules of an org on top."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from sfconnect_emulator.data import errors, ids, tables, values
from sfconnect_emulator.data.deletion import Deletion
from sfconnect_emulator.data.derived import Change, derive
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.files import attach_document
from sfconnect_emulator.data.founding import found
from sfconnect_emulator.data.numbering import auto_number
from sfconnect_emulator.data.org import Org
from sfconnect_emulator.data.render import Record, Table
from sfconnect_emulator.data.tables import ROW, Row, Stored, quote, statement
from sfconnect_emulator.data.totals import refresh_totals
from sfconnect_emulator.data.writing import Checker
from sfconnect_emulator.schema import FieldType, Schema, SObjectType

_MULTIPLE_CHOICES: Final = 300


class Store:
    """All rows of an org; every change is checked as an org checks it.

    Not thread-safe: one thread at a time, which an event loop is. With a ``path`` the rows
    outlive the process; the file must have been made for the same org.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        path: str | Path | None = None,
        org: Org,
        clock: Callable[[], datetime],
    ) -> None:
        self.schema = schema
        self.org = org
        self.clock = clock
        self.connection = _connect(path)
        self._next_row: dict[str, int] = {}
        try:
            self.is_new = not self._has_tables()
            if self.is_new:
                self._create()
            elif self.meta("org_id") != org.org_id:
                held = self.meta("org_id")
                raise ValueError(f"{path} holds another org: {held}, not {org.org_id}")
        except BaseException:
            self.close()
            raise

    def _create(self) -> None:
        with self.transaction():
            tables.create_tables(self.connection, self.schema)
            self.set_meta("org_id", self.org.org_id)
            self.set_meta("seed", str(self.org.seed))
            found(self)
            self.create_indexes()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    # Rows as the API sees them

    def create(self, object_name: str, values_: Mapping[str, object], *, user_id: str) -> str:
        """Create a row and return its id."""
        t = self._object(object_name)
        if not t.createable:
            raise errors.not_allowed("create", t.name)
        checker = Checker(t, self, creating=True)
        given = checker.row(values_)
        row = self._defaults(t, given, user_id)
        with self.transaction():
            derive(t.name, Change(row, None, frozenset(given), str(row["CreatedDate"]), self))
            if t.name == "ContentVersion":
                attach_document(self, row)
            checker.finish(row, given, None)
            self.insert_rows(t, [row])
            refresh_totals(self, t.name, row)
        return str(row["Id"])

    def retrieve(
        self,
        object_name: str,
        record_id: str,
        fields: Sequence[str] | None = None,
        *,
        version: float,
    ) -> Record:
        """Return one live row as JSON-ready members, ``attributes`` first."""
        t = self._object(object_name)
        full = ids.normalize(record_id)
        if full is None:
            raise errors.no_such_external_id(record_id)
        projection = Table(t, "t", version).projection(self._readable(t, fields))
        sql = statement(
            "SELECT", ", ".join([_deleted(t), *projection.columns()]),
            "FROM", quote(t.name), "AS t WHERE t.Id = ?",
        )  # fmt: skip
        row = self.connection.execute(sql, (full,)).fetchone()
        if row is None:
            raise errors.no_such_resource()
        if row[0]:
            raise errors.entity_is_deleted()
        return projection.maker(1)(row)

    def update(
        self, object_name: str, record_id: str, values_: Mapping[str, object], *, user_id: str
    ) -> None:
        """Change fields of a live row."""
        t = self._object(object_name)
        old = self._target(t, record_id)
        if not t.updateable:
            raise errors.not_allowed("update", t.name)
        checker = Checker(t, self, creating=False)
        given = checker.row(values_)
        now = self._now()
        row = old | given | self._touched(t, user_id, now)
        with self.transaction():
            derive(t.name, Change(row, old, frozenset(given), now, self))
            checker.finish(row, given, str(old["Id"]))
            self.write(t, old, row)
            refresh_totals(self, t.name, row)

    def delete(self, object_name: str, record_id: str, *, user_id: str) -> None:
        """Put a row, and the children that hang on it, into the recycle bin."""
        t = self._object(object_name)
        row = self._target(t, record_id)
        if not t.deletable:
            raise errors.not_allowed("delete", t.name)
        with self.transaction():
            Deletion(self, user_id, self._now()).delete(t, str(row["Id"]))
            refresh_totals(self, t.name, row)

    def find_by_external_id(self, object_name: str, field: str, value: object) -> list[str]:
        """Return the ids of live rows that an external id names."""
        t = self._object(object_name)
        return self._matches(t, self._external_id(t, field), value)

    def upsert(
        self,
        object_name: str,
        field: str,
        value: object,
        values_: Mapping[str, object],
        *,
        user_id: str,
        update_only: bool = False,
    ) -> tuple[str, bool]:
        """Create or update by external id; return the id and whether it is new.

        Raises:
            ApiError: With status 300 and the ids in ``matches`` if several rows have the value.
        """
        t = self._object(object_name)
        f = self._external_id(t, field)
        for name in values_:
            if name.lower() in {"id", f.name.lower()}:
                raise errors.field_not_allowed_here(t.field(name).name)  # type: ignore[union-attr]  # both exist
        found_ids = self._matches(t, f, value)
        if len(found_ids) > 1:
            raise ApiError(_MULTIPLE_CHOICES, "", "", matches=found_ids)
        if found_ids:
            self.update(t.name, found_ids[0], values_, user_id=user_id)
            return found_ids[0], False
        if update_only or f.type == "id":
            raise errors.no_such_resource()
        return self.create(t.name, {**values_, f.name: value}, user_id=user_id), True

    def count(self, object_name: str) -> int:
        """Return the number of live rows."""
        t = self._object(object_name)
        sql = statement("SELECT count(*) FROM", quote(t.name), "WHERE", live(t))
        return int(self.connection.execute(sql).fetchone()[0])

    def blob(self, object_name: str, record_id: str, field: str) -> bytes:
        """Return the bytes of a base64 field."""
        t = self._object(object_name)
        f = t.field(field)
        if f is None or f.type != "base64":
            raise errors.no_such_resource()
        row = self.row(t.name, ids.normalize(record_id))
        if row is None:
            raise errors.no_such_resource()
        content = row[f.name]
        return content if isinstance(content, bytes) else b""

    def content_hash(
        self, object_name: str, fields: Sequence[str], *, version: float = 68.0
    ) -> str:
        """Return a SHA-256 over all live rows, ordered by id, to prove an extract complete.

        Each row counts as the JSON array of its values as a REST page shows them, without
        blanks, non-ASCII as it is, in UTF-8, with a newline after it. The version shows only in
        the URLs that stand for base64 fields.
        """
        t = self._object(object_name)
        chosen = self._readable(t, fields)
        projection = Table(t, "t", version).projection(chosen)
        make, names = projection.maker(), [f.name for f in chosen]
        sql = statement(
            "SELECT", ", ".join(projection.columns()), "FROM", quote(t.name), "AS t WHERE",
            live(t), "ORDER BY t.Id",
        )  # fmt: skip
        digest = hashlib.sha256()
        for sql_row in self.connection.execute(sql):
            record = make(sql_row)
            line = json.dumps([record[n] for n in names], ensure_ascii=False, separators=(",", ":"))
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()

    # Rows as the rules see them

    def row(self, object_name: str, record_id: Stored) -> Row | None:
        """Return a stored row, deleted or not, or None."""
        t = self.schema.get(object_name)
        if t is None or record_id is None:
            return None
        names = [f.name for f in tables.columns(t)]
        sql = statement(
            "SELECT", ", ".join(map(quote, [ROW, *names])), "FROM", quote(t.name), "WHERE Id = ?"
        )
        found_row = self.connection.execute(sql, (record_id,)).fetchone()
        return None if found_row is None else dict(zip([ROW, *names], found_row, strict=True))

    def object_of(self, record_id: Stored) -> str | None:
        """Return the name of the object that an id belongs to."""
        t = self.schema.by_prefix(record_id) if isinstance(record_id, str) else None
        return None if t is None else t.name

    def ids_by_field(self, t: SObjectType, f: FieldType, value: Stored) -> list[str]:
        """Return the ids of live rows that have a value in a field, oldest first."""
        expression = tables.lookup_expression(f)
        wanted = tables.fold(value) if expression.startswith("fold") else value
        sql = statement(
            "SELECT Id FROM", quote(t.name), "WHERE", expression, "= ? AND", live(t),
            "ORDER BY", quote(ROW),
        )  # fmt: skip
        return [row[0] for row in self.connection.execute(sql, (wanted,))]

    def is_live(self, record_id: str) -> bool | None:
        """Return whether a row is live; None if it never existed."""
        name = self.object_of(record_id)
        row = self.row(name, record_id) if name else None
        return None if row is None else not row.get("IsDeleted")

    def insert_rows(self, t: SObjectType, rows: Iterable[Row]) -> None:
        """Insert complete rows, which must carry their integer key."""
        names = [f.name for f in tables.columns(t)]
        sql = tables.insert(t, names)
        self.connection.executemany(sql, ([row[ROW], *map(row.get, names)] for row in rows))

    def write(self, t: SObjectType, old: Row, row: Row) -> None:
        """Store the columns of a row that differ."""
        names = [name for name in row if row[name] != old.get(name)]
        if names:
            parameters = [*(row[name] for name in names), old[ROW]]
            self.connection.execute(tables.update(t, names), parameters)

    def new_row(self, t: SObjectType) -> Row:
        """Return a row that has nothing but its integer key and id."""
        key = self.reserve(t, 1)
        return {ROW: key, "Id": self.org.ids(t.key_prefix).id_of(key)}

    def reserve(self, t: SObjectType, count: int) -> int:
        """Take ``count`` integer keys and return the first."""
        if t.name not in self._next_row:
            sql = statement("SELECT coalesce(max(", quote(ROW), "), 0) + 1 FROM", quote(t.name))
            self._next_row[t.name] = int(self.connection.execute(sql).fetchone()[0])
        first = self._next_row[t.name]
        self._next_row[t.name] = first + count
        return first

    def create_indexes(self) -> None:
        """Create the indexes that lookups and child queries use."""
        tables.create_indexes(self.connection, self.schema)

    def meta(self, key: str) -> str | None:
        """Return what is remembered about the org under a key."""
        row = self.connection.execute("SELECT value FROM _meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember something about the org."""
        self.connection.execute("INSERT OR REPLACE INTO _meta VALUES (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes made inside, or none; may be nested."""
        keys = dict(self._next_row)
        self.connection.execute("SAVEPOINT step")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO step")
            self.connection.execute("RELEASE step")
            self._next_row = keys
            raise
        self.connection.execute("RELEASE step")

    def _has_tables(self) -> bool:
        sql = "SELECT count(*) FROM sqlite_master WHERE name = '_meta'"
        return bool(self.connection.execute(sql).fetchone()[0])

    def _object(self, name: str) -> SObjectType:
        t = self.schema.get(name)
        if t is None:
            raise errors.no_such_resource()
        return t

    def _readable(self, t: SObjectType, names: Sequence[str] | None) -> list[FieldType]:
        if names is None:
            return list(t.fields)
        chosen: dict[str, FieldType] = {}
        for name in names:
            f = t.field(name)
            if f is None:
                raise errors.no_such_column(name, t.name)
            chosen[f.name] = f
        return list(chosen.values())

    def _target(self, t: SObjectType, record_id: str) -> Row:
        """Return the live row that a write is about."""
        full = ids.normalize(record_id)
        if full is None or not full.startswith(t.key_prefix):
            raise errors.incorrect_id_type("Record ID", record_id, "Id")
        row = self.row(t.name, full)
        if row is None:
            raise errors.invalid_cross_reference(404)
        if row.get("IsDeleted"):
            raise errors.entity_is_deleted()
        return row

    def _external_id(self, t: SObjectType, field: str) -> FieldType:
        f = t.field(field)
        if f is None or not (f.external_id or f.id_lookup):
            raise errors.no_such_external_id(field)
        return f

    def _matches(self, t: SObjectType, f: FieldType, value: object) -> list[str]:
        if f.type == "id":
            full = ids.normalize(str(value))
            if full is None or not full.startswith(t.key_prefix):
                raise errors.incorrect_id_type("Record ID", str(value), "Id")
            return self.ids_by_field(t, f, full)
        try:
            return self.ids_by_field(t, f, values.to_stored(f, value))
        except values.WrongJsonTypeError:
            return []

    def _now(self) -> str:
        return values.format_datetime(self.clock())

    def _defaults(self, t: SObjectType, given: Row, user_id: str) -> Row:
        """Return a new row with system fields, default values and what was given."""
        row = self.new_row(t)
        for f in tables.columns(t):
            if f.auto_number_format is not None:
                row[f.name] = auto_number(f.auto_number_format, int(row[ROW] or 0))
            elif f.default_value is not None:
                row[f.name] = f.default_value
        now = self._now()
        row |= {"CreatedDate": now, "CreatedById": user_id} | self._touched(t, user_id, now)
        if t.field("OwnerId") is not None:
            row["OwnerId"] = user_id
        return row | {name: value for name, value in given.items() if value is not None}

    def _touched(self, t: SObjectType, user_id: str, now: str) -> Row:
        fields = {"LastModifiedDate": now, "LastModifiedById": user_id, "SystemModstamp": now}
        return {name: value for name, value in fields.items() if t.field(name) is not None}


def _deleted(t: SObjectType) -> str:
    return "IsDeleted" if t.field("IsDeleted") is not None else "0"


def live(t: SObjectType) -> str:
    """Return the SQL condition that leaves out the recycle bin."""
    return "IsDeleted = 0" if t.field("IsDeleted") is not None else "1"


def _connect(path: str | Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if path is None else str(path), isolation_level=None, check_same_thread=False
    )
    connection.create_function("fold", 1, tables.fold, deterministic=True)
    connection.execute("PRAGMA synchronous = OFF")
    if path is not None:
        connection.execute("PRAGMA journal_mode = WAL")
    return connection
