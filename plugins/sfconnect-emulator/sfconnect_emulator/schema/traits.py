"""What follows from a field's type alone: SOAP type, byte length, what queries may do with it."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema.types import FieldType

_SOAP: Final = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int",
    "long": "xsd:long", "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double",
    "date": "xsd:date", "datetime": "xsd:dateTime", "time": "xsd:time",
    "base64": "xsd:base64Binary", "address": "urn:address", "location": "urn:location",
    "anyType": "xsd:anyType", "complexvalue": "urn:complexvalue", "json": "urn:json",
}  # fmt: skip

NUMERIC: Final = frozenset({"int", "long", "double", "currency", "percent"})
TEXTUAL: Final = frozenset(
    {"string", "textarea", "phone", "url", "email", "picklist", "combobox", "multipicklist",
     "encryptedstring", "datacategorygroupreference"}
)  # fmt: skip
OPAQUE: Final = frozenset({"base64", "anyType", "complexvalue", "json"})
"""Types whose values queries can only return."""

_NOT_GROUPABLE: Final = (
    OPAQUE | {"datetime", "time", "double", "currency", "percent", "multipicklist",
              "encryptedstring", "address", "location"}
)  # fmt: skip


def soap_type(f: FieldType) -> str:
    """Return the type under which SOAP knows the field."""
    return _SOAP.get(f.type, "xsd:string")


def byte_length(f: FieldType) -> int:
    """Return the room a value takes: three bytes per character, one where ids are ASCII."""
    return f.length if f.type in {"id", "reference"} else f.length * 3


def filterable(f: FieldType) -> bool:
    """Return whether WHERE may name the field."""
    return f.type not in OPAQUE and f.type != "encryptedstring" and not f.long_text


def sortable(f: FieldType) -> bool:
    """Return whether ORDER BY may name the field."""
    return filterable(f) and not f.compound and f.type != "multipicklist"


def groupable(f: FieldType) -> bool:
    """Return whether GROUP BY may name the field."""
    return sortable(f) and f.type not in _NOT_GROUPABLE and not f.calculated


def aggregatable(f: FieldType) -> bool:
    """Return whether COUNT(f), MIN(f) and the like may name the field."""
    return sortable(f) and f.type != "boolean"
