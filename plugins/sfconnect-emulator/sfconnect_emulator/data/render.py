"""From SQL rows to JSON-ready records: which columns to read, and how to put a record together.

A projection first lists the columns that become members as they are, in member order, so that a
record is built in C; only members that need more (booleans, compound values, parents) are patched
afterwards. A record is a dict where somebody looks at it, and a msgspec struct where it is only
written as JSON, which takes a third of the time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from sfconnect_emulator.data.tables import quote
from sfconnect_emulator.schema import FieldType, SObjectType

SqlRow: TypeAlias = Sequence[Any]
Record: TypeAlias = dict[str, Any]
Fix: TypeAlias = Callable[[SqlRow], Any]

_ADDRESS: Final = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode",
                   "state", "street")  # fmt: skip
_LOCATION: Final = ("latitude", "longitude")


def sobject_path(version: float) -> str:
    """Return the path under which rows of a version live."""
    return f"/services/data/v{version:.1f}/sobjects/"


class Part(Protocol):
    """A member that is made from columns of its own."""

    def columns(self) -> list[str]:
        """Return the SQL columns that it needs."""

    def maker(self, base: int) -> Fix:
        """Return what makes the member's value from a row whose columns start at ``base``."""


class Projection:
    """The members of one record, and the SQL that reads them.

    Args:
        name: The object that rows are of; None where the record's URL tells.
        url: SQL of the record's URL, null where there is no record.
    """

    def __init__(self, name: str | None, url: str) -> None:
        self._name = name
        self._keys: list[str] = ["attributes"]
        self._sql: list[str] = [url]
        self._flags: list[str] = []
        self._parts: list[tuple[str, Part]] = []

    def add(self, key: str, sql: str, type_: str = "string") -> None:
        """Add a member computed by SQL; ``type_`` says how its value is shown."""
        if type_ in {"json", "complexvalue"}:
            self.add_part(key, _Decoded(sql))
            return
        self._keys.append(key)
        self._sql.append(sql)
        if type_ == "boolean":
            self._flags.append(key)

    def add_part(self, key: str, part: Part) -> None:
        """Add a member made from columns of its own."""
        self._keys.append(key)
        self._sql.append("NULL")
        self._parts.append((key, part))

    def columns(self) -> list[str]:
        """Return all SQL columns: members first, then what the parts need."""
        return [*self._sql, *(sql for _, part in self._parts for sql in part.columns())]

    def maker(self, base: int = 0) -> Callable[[SqlRow], Record]:
        """Return what makes a record from a row whose columns start at ``base``."""
        keys, flags, name = tuple(self._keys), tuple(self._flags), self._name
        end = base + len(keys)
        fixes = self._fixes(end)

        def make(row: SqlRow) -> Record:
            record = dict(zip(keys, row[base:end] if base else row, strict=False))
            url = record["attributes"]
            record["attributes"] = {"type": name or url.rsplit("/", 2)[1], "url": url}
            for flag in flags:
                record[flag] = record[flag] == 1
            for key, fix in fixes:
                record[key] = fix(row)
            return record

        return make

    def packer(self, base: int = 0) -> Fix:
        """Return what makes a struct that is written as the record would be."""
        fields = [f"m{n}" for n in range(len(self._keys))]
        struct = msgspec.defstruct(
            "Record", fields, rename=dict(zip(fields, self._keys, strict=True)), gc=False
        )
        name, start, end = self._name, base + 1, base + len(fields)
        member = dict(zip(self._keys, fields, strict=True))
        flags = [(member[key], base + self._keys.index(key)) for key in self._flags]
        fixes = [(member[key], fix) for key, fix in self._fixes(end, pack=True)]

        def pack(row: SqlRow) -> object:
            url = row[base]
            record = struct(_Attributes(name or url.rsplit("/", 2)[1], url), *row[start:end])
            for field, at in flags:
                setattr(record, field, row[at] == 1)
            for field, fix in fixes:
                setattr(record, field, fix(row))
            return record

        return pack

    def _fixes(self, base: int, *, pack: bool = False) -> list[tuple[str, Fix]]:
        fixes: list[tuple[str, Fix]] = []
        for key, part in self._parts:
            if pack and isinstance(part, Nested):
                fixes.append((key, part.packer(base)))
            else:
                fixes.append((key, part.maker(base)))
            base += len(part.columns())
        return fixes


class _Attributes(msgspec.Struct, gc=False):
    """The first member of a record."""

    type: str
    url: str


@dataclass(frozen=True, slots=True)
class Nested:
    """A record inside a record; null where there is none."""

    projection: Projection

    def columns(self) -> list[str]:
        """Return the SQL columns of the inner record."""
        return self.projection.columns()

    def maker(self, base: int) -> Fix:
        """Return what makes the inner record."""
        make = self.projection.maker(base)
        return lambda row: None if row[base] is None else make(row)

    def packer(self, base: int) -> Fix:
        """Return what makes the inner record as a struct."""
        pack = self.projection.packer(base)
        return lambda row: None if row[base] is None else pack(row)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A value kept as JSON text."""

    sql: str

    def columns(self) -> list[str]:
        return [self.sql]

    def maker(self, base: int) -> Fix:
        return lambda row: None if row[base] is None else json.loads(row[base])


@dataclass(frozen=True, slots=True)
class _Compound:
    """An address or location: null where all its components are."""

    names: Sequence[str]
    sql: Sequence[str]

    def columns(self) -> list[str]:
        return list(self.sql)

    def maker(self, base: int) -> Fix:
        names, end = self.names, base + len(self.names)

        def make(row: SqlRow) -> Any:
            found = row[base:end]
            if all(value is None for value in found):
                return None
            return dict(zip(names, found, strict=True))

        return make


@dataclass(frozen=True, slots=True)
class Table:
    """An object under an alias of a statement, read for one API version."""

    t: SObjectType
    alias: str
    version: float

    def column(self, f: FieldType) -> str:
        """Return the SQL of a field that has a column."""
        return f"{self.alias}.{quote(f.name)}"

    def url(self) -> str:
        """Return the SQL of the row's URL."""
        return f"'{sobject_path(self.version)}{self.t.name}/' || {self.alias}.{quote('Id')}"

    def projection(self, fields: Iterable[FieldType] = ()) -> Projection:
        """Return a projection of the object with some fields."""
        made = Projection(self.t.name, self.url())
        for f in fields:
            self.add_to(made, f)
        return made

    def add_to(self, projection: Projection, f: FieldType, key: str | None = None) -> None:
        """Add a field, as a member named as the schema spells it unless ``key`` says otherwise."""
        key = key or f.name
        if f.compound:
            projection.add_part(key, self._compound(f))
        elif f.type == "base64":
            url = f"{self.url()} || '/{f.name}'"
            projection.add(key, f"CASE WHEN {self.column(f)} IS NOT NULL THEN {url} END")
        else:
            projection.add(key, self.column(f), f.type)

    def component(self, compound: FieldType, member: str) -> str:
        """Return the SQL of one component of an address or location."""
        parts = {component_name(part, compound): part for part in self.t.components(compound)}
        return self.column(parts[member])

    def _compound(self, f: FieldType) -> _Compound:
        names = _ADDRESS if f.type == "address" else _LOCATION
        return _Compound(names, [self.component(f, name) for name in names])


def component_name(part: FieldType, compound: FieldType) -> str:
    """Return the member that a component becomes: ``BillingPostalCode`` is ``postalCode``."""
    stem = compound.name.removesuffix("Address").removesuffix("__c")
    bare = part.name.removeprefix(stem).removesuffix("__s").strip("_")
    return bare[0].lower() + bare[1:]
