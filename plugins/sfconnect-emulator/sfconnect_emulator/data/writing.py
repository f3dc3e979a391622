"""Whole-row checks of a create or update: names, rights, types, required, unique, references."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sfconnect_emulator.data import errors, values
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.tables import Row, Stored
from sfconnect_emulator.schema import FieldType, Schema, SObjectType

_IGNORED: Final = frozenset({"attributes"})
_TOKENS: Final = {
    "str": "VALUE_STRING",
    "bool": "VALUE_BOOLEAN",
    "int": "VALUE_NUMBER_INT",
    "float": "VALUE_NUMBER_FLOAT",
    "list": "START_ARRAY",
}


class Lookup(Protocol):
    """What the checks have to know about other rows."""

    @property
    def schema(self) -> Schema:
        """The schema of the org."""

    def ids_by_field(self, t: SObjectType, f: FieldType, value: Stored) -> list[str]:
        """Return the ids of live rows that have a value in a field."""

    def is_live(self, record_id: str) -> bool | None:
        """Return whether a row is live; None if it never existed."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks one row of one object, for a create (``creating``) or an update."""

    t: SObjectType
    lookup: Lookup
    creating: bool

    def row(self, given: Mapping[str, object]) -> Row:
        """Turn the body of a write into stored values.

        Raises:
            ApiError: The first thing that is wrong with it, in the order in which orgs check.
        """
        named = self._named(given)
        self._check_rights(f for f, _ in named)
        row: Row = {}
        for f, value in named:
            if f.type == "reference" and isinstance(value, Mapping):
                row[f.name] = self._by_external_id(f, value)
            else:
                row[f.name] = self._convert(f, value, given)
        return row

    def finish(self, row: Row, given: Iterable[str], record_id: str | None) -> None:
        """Check what needs the whole row: required fields, references, unique values."""
        self._check_required(row)
        for name in given:
            f = self.t.field(name)
            if f is not None and row.get(f.name) is not None:
                self._check_reference(f, row[f.name])
                self._check_unique(f, row[f.name], record_id)

    def _named(self, given: Mapping[str, object]) -> list[tuple[FieldType, object]]:
        """Pair values with their fields; a relationship name stands for its reference field."""
        named = []
        for name, value in given.items():
            if name in _IGNORED:
                continue
            if name.lower() == "id":
                raise errors.field_not_allowed_here("Id")
            f = self.t.field(name)
            if f is None and (value is None or isinstance(value, Mapping)):
                f = self.t.parent_field(name)
            if f is None:
                raise errors.no_such_column(name, self.t.name)
            named.append((f, value))
        return named

    def _check_rights(self, fields: Iterable[FieldType]) -> None:
        refused = [f.name for f in fields if not (f.createable if self.creating else f.updateable)]
        if refused:
            raise errors.not_writable(refused)

    def _convert(self, f: FieldType, value: object, given: Mapping[str, object]) -> Stored:
        try:
            return values.to_stored(f, value)
        except values.WrongJsonTypeError as error:
            raise _wrong_json_type(str(error), f, value, given) from None

    def _check_required(self, row: Row) -> None:
        missing = [
            f.name
            for f in self.t.fields
            if not f.nillable and f.createable and not f.compound and row.get(f.name) is None
        ]
        if missing:
            raise errors.required_missing(missing)

    def _check_reference(self, f: FieldType, value: Stored) -> None:
        if f.type != "reference" or not isinstance(value, str):
            return
        target = self.lookup.schema.by_prefix(value)
        if target is None or target.name not in f.reference_to:
            message = f"{f.label}: id value of incorrect type: {value}"
            raise ApiError(400, "FIELD_INTEGRITY_EXCEPTION", message, (f.name,))
        if not self.lookup.is_live(value):
            raise errors.invalid_cross_reference()

    def _check_unique(self, f: FieldType, value: Stored, record_id: str | None) -> None:
        if not f.unique:
            return
        others = [i for i in self.lookup.ids_by_field(self.t, f, value) if i != record_id]
        if others and f.name == "Username":
            raise ApiError(400, "DUPLICATE_USERNAME", "Duplicate Username.", ("Username",))
        if others:
            raise errors.duplicate_value(f.name, others[0])

    def _by_external_id(self, f: FieldType, key: Mapping[str, object]) -> Stored:
        """Find the parent that ``{"Owner": {"Username": …}}`` names."""
        parts = {name: value for name, value in key.items() if name not in _IGNORED}
        if len(parts) != 1:
            message = (
                "More than 1 field provided in an external foreign key reference in entity: "
                f"{self.t.name}"
            )
            raise ApiError(400, "INVALID_FIELD", message)
        ((name, value),) = parts.items()
        for parent in self._parents(f, key):
            target = parent.field(name)
            if target is None or not (target.external_id or target.id_lookup):
                continue
            found = self.lookup.ids_by_field(parent, target, values.to_stored(target, value))
            if len(found) == 1:
                return found[0]
            raise errors.foreign_key_not_found(value, target.name, parent.name)
        raise errors.no_such_column(name, f.reference_to[0])

    def _parents(self, f: FieldType, key: Mapping[str, object]) -> list[SObjectType]:
        attributes = key.get("attributes")
        wanted = attributes.get("type") if isinstance(attributes, Mapping) else None
        found = [self.lookup.schema.get(name) for name in f.reference_to]
        return [t for t in found if t is not None and wanted in {None, t.name}]


def _wrong_json_type(
    wanted: str, f: FieldType, value: object, given: Mapping[str, object]
) -> ApiError:
    """Word the answer to a value of the wrong JSON type, placed as in the compact body."""
    token = _TOKENS.get(type(value).__name__, "START_OBJECT")
    message = (
        f"Cannot deserialize instance of {wanted} from {token} value {_shown(value)} or request "
        f"may be missing a required field at [line:1, column:{_column(f, given)}]"
    )
    return ApiError(400, "JSON_PARSER_ERROR", message)


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "[" if isinstance(value, list) else "{"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _column(f: FieldType, given: Mapping[str, object]) -> int:
    """Return the place after the value's first character in the body without blanks."""
    before = 1
    for name, value in given.items():
        before += len(json.dumps(name)) + 1
        if name.lower() == f.name.lower():
            break
        before += len(json.dumps(value, separators=(",", ":"), default=str)) + 1
    return before + 1
