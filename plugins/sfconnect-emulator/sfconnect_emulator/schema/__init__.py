"""The schema of an emulated org: objects, fields, and how describe shows them."""

from __future__ import annotations

from functools import cache

from sfconnect_emulator.schema.objects import STANDARD
from sfconnect_emulator.schema.types import (
    ChildRelationship,
    FieldType,
    PicklistValue,
    Schema,
    SObjectType,
)

__all__ = [
    "ChildRelationship",
    "FieldType",
    "PicklistValue",
    "SObjectType",
    "Schema",
    "standard_schema",
]


@cache
def standard_schema() -> Schema:
    """Return the schema that every emulated org has."""
    return Schema(STANDARD)
