"""Columns of an extract: what describe says of a field, and how its values are carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Kind(Enum):
    """How the values of a column look in a page of rows, and what becomes of them."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    OPAQUE = "opaque"
    """Any JSON: kept as text, because guessing would make a number of ``"00123"``."""


# Types that are not listed are OPAQUE: an org may know more types than this release does.
_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        (
            *("id", "reference", "string", "textarea", "phone", "email", "url", "combobox"),
            *("picklist", "multipicklist", "encryptedstring", "base64"),
        ),
        Kind.TEXT,
    ),
    "boolean": Kind.BOOLEAN,
    "int": Kind.INTEGER,
    "long": Kind.INTEGER,
    "double": Kind.FLOAT,
    "percent": Kind.FLOAT,
    "currency": Kind.DECIMAL,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "time": Kind.TIME,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One field of an object, as describe tells it."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    calculated: bool = False
    reference_to: tuple[str, ...] = ()
    compound: str | None = None

    @classmethod
    def from_describe(cls, field: Mapping[str, Any]) -> Column:
        """Read an entry of ``describe().fields``."""
        return cls(
            name=field["name"],
            type=field["type"],
            length=field.get("length") or 0,
            precision=field.get("precision") or 0,
            scale=field.get("scale") or 0,
            calculated=bool(field.get("calculated")),
            reference_to=tuple(field.get("referenceTo") or ()),
            compound=field.get("compoundFieldName"),
        )

    @property
    def kind(self) -> Kind:
        """How values of this column are carried."""
        return _KINDS.get(self.type.lower(), Kind.OPAQUE)
