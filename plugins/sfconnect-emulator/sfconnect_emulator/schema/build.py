"""Short constructors for fields, so that an object reads as a list of what is special about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sfconnect_emulator.schema.types import FieldType, PicklistValue

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SYSTEM: Final = {"createable": False, "updateable": False, "defaulted_on_create": True}
_READ_ONLY: Final = {"createable": False, "updateable": False}

GEOCODE_ACCURACIES: Final = (
    "Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip",
    "Neighborhood", "City", "County", "State", "Unknown",
)  # fmt: skip


def label_of(name: str) -> str:
    """Make a label from an API name: ``Ext_Id__c`` is "Ext Id", ``AccountId`` is "Account ID"."""
    bare = re.sub(r"__[cs]$", "", name)
    words = " ".join(part for piece in bare.split("_") for part in _WORD.split(piece))
    return re.sub(r"(?<=.) Id$", " ID", words) if "__" not in name else words


def make(name: str, type_: str, **options: Any) -> FieldType:
    """Make a field; a label is derived from the name unless one is given."""
    options.setdefault("label", label_of(name))
    writable = options.get("createable", True) or options.get("updateable", True)
    options.setdefault("permissionable", options.get("nillable", True) and writable)
    return FieldType(name=name, type=type_, **options)


def text(name: str, length: int = 255, **options: Any) -> FieldType:
    """Make a single line of text."""
    return make(name, "string", length=length, **options)


def area(name: str, length: int = 255, **options: Any) -> FieldType:
    """Make text of several lines; above 255 characters it can be neither filtered nor sorted."""
    options.setdefault("extra_type_info", "plaintextarea")
    return make(name, "textarea", length=length, **options)


def phone(name: str, **options: Any) -> FieldType:
    """Make a phone number."""
    return make(name, "phone", length=40, **options)


def email(name: str, **options: Any) -> FieldType:
    """Make an e-mail address."""
    return make(name, "email", length=80, **options)


def url(name: str, **options: Any) -> FieldType:
    """Make a web address."""
    return make(name, "url", length=255, **options)


def entries(values: Iterable[str], default: str | None = None) -> tuple[PicklistValue, ...]:
    """Make picklist entries; ``value|label`` gives an entry a label of its own."""
    pairs = [entry.partition("|") for entry in values]
    return tuple(
        PicklistValue(value, label or value, default=value == default) for value, _, label in pairs
    )


def picklist(
    name: str, *values: str, length: int = 255, default: str | None = None, **options: Any
) -> FieldType:
    """Make a picklist; an entry ``value|label`` shows another text than it stores."""
    if default is not None:
        options |= {"defaulted_on_create": True, "default_value": default}
    type_ = options.pop("type_", "picklist")
    return make(name, type_, length=length, picklist_values=entries(values, default), **options)


def flag(name: str, *, default: bool = False, **options: Any) -> FieldType:
    """Make a checkbox, which is never null."""
    return make(
        name, "boolean", nillable=False, defaulted_on_create=True, default_value=default, **options
    )


def whole(name: str, digits: int = 8, **options: Any) -> FieldType:
    """Make a whole number of at most ``digits`` digits."""
    return make(name, "int", digits=digits, **options)


def number(name: str, precision: int = 18, scale: int = 0, **options: Any) -> FieldType:
    """Make a decimal number."""
    return make(name, "double", precision=precision, scale=scale, **options)


def money(name: str, scale: int = 2, **options: Any) -> FieldType:
    """Make an amount of money."""
    return make(name, "currency", precision=18, scale=scale, **options)


def percent(name: str, precision: int = 3, scale: int = 0, **options: Any) -> FieldType:
    """Make a percentage."""
    return make(name, "percent", precision=precision, scale=scale, **options)


def day(name: str, **options: Any) -> FieldType:
    """Make a date."""
    return make(name, "date", **options)


def moment(name: str, **options: Any) -> FieldType:
    """Make a date with a time."""
    return make(name, "datetime", **options)


def ref(
    name: str, *targets: str, relationship: str | None = None, children: str | None = None,
    **options: Any,
) -> FieldType:  # fmt: skip
    """Make a reference; ``children`` is the relationship's name seen from the target."""
    if relationship is None:
        relationship = name[:-1] + "r" if name.endswith("__c") else name.removesuffix("Id")
    return make(
        name, "reference", length=18, reference_to=targets, relationship_name=relationship,
        child_relationship=children, **options,
    )  # fmt: skip


def read_only(field_type: FieldType) -> FieldType:
    """Take away the right to write a field."""
    return replace(field_type, permissionable=False, createable=False, updateable=False)


def address(prefix: str) -> tuple[FieldType, ...]:
    """Make a standard address such as ``BillingAddress`` with its eight parts."""
    whole_name = f"{prefix}Address" if prefix else "Address"
    part: dict[str, Any] = {"compound_field_name": whole_name}
    return (
        area(f"{prefix}Street", **part),
        text(f"{prefix}City", 40, **part),
        text(f"{prefix}State", 80, label=f"{label_of(prefix)} State/Province".strip(), **part),
        text(
            f"{prefix}PostalCode", 20, label=f"{label_of(prefix)} Zip/Postal Code".strip(), **part
        ),
        text(f"{prefix}Country", 80, **part),
        number(f"{prefix}Latitude", 18, 15, **part),
        number(f"{prefix}Longitude", 18, 15, **part),
        picklist(
            f"{prefix}GeocodeAccuracy", *GEOCODE_ACCURACIES, length=40, restricted=True, **part
        ),
        make(whole_name, "address", permissionable=True, **_READ_ONLY),
    )


def record_id(object_label: str) -> FieldType:
    """Make the ``Id`` field."""
    return make(
        "Id", "id", length=18, nillable=False, id_lookup=True, label=f"{object_label} ID", **_SYSTEM
    )


def deleted_flag() -> FieldType:
    """Make the ``IsDeleted`` field."""
    return flag("IsDeleted", label="Deleted", permissionable=False, **_READ_ONLY)


def owner(*targets: str, **options: Any) -> FieldType:
    """Make the ``OwnerId`` field; without targets a user owns the row."""
    return ref(
        "OwnerId", *(targets or ("User",)), nillable=False, defaulted_on_create=True, **options
    )


def audit() -> tuple[FieldType, ...]:
    """Make the fields that say who made and changed a row, and when."""
    fixed: dict[str, Any] = {"nillable": False, **_SYSTEM}
    return (
        moment("CreatedDate", **fixed),
        ref("CreatedById", "User", **fixed),
        moment("LastModifiedDate", **fixed),
        ref("LastModifiedById", "User", **fixed),
        moment("SystemModstamp", **fixed),
    )


def viewed() -> tuple[FieldType, ...]:
    """Make the fields that say when a user last saw a row."""
    return (
        moment("LastViewedDate", **_READ_ONLY),
        moment("LastReferencedDate", **_READ_ONLY),
    )


def last_activity() -> FieldType:
    """Make the ``LastActivityDate`` field."""
    return day("LastActivityDate", label="Last Activity", **_READ_ONLY)
