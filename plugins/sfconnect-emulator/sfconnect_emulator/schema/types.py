"""What an org's objects and fields are: the values that describe, storage and queries read.

A ``FieldType`` states only what differs from field to field; whatever describe derives from the
type alone (SOAP type, byte length, sortable …) is worked out in ``schema.describe`` and
``schema.traits``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_FILTERABLE_LENGTH: Final = 255

COMPOUND_TYPES: Final = frozenset({"address", "location"})
"""Types without a column of their own: their value is put together from component fields."""


@dataclass(frozen=True, slots=True)
class PicklistValue:
    """One entry of a picklist. ``valid_for`` is the base64 bitmap of controlling values."""

    value: str
    label: str
    default: bool = False
    active: bool = True
    valid_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """One field of an object, named as describe names it."""

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted_on_create: bool = False
    default_value: bool | int | float | str | None = None
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    name_field: bool = False
    auto_number_format: str | None = None
    formula: str | None = None
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    child_relationship: str | None = None
    cascade_delete: bool = False
    restricted_delete: bool = False
    relationship_order: int | None = None
    picklist_values: tuple[PicklistValue, ...] = ()
    restricted: bool = False
    controller_name: str | None = None
    compound_field_name: str | None = None
    extra_type_info: str | None = None
    html_formatted: bool = False
    mask: str | None = None
    mask_type: str | None = None
    inline_help_text: str | None = None
    permissionable: bool = False

    @property
    def custom(self) -> bool:
        """Whether the field was made in the org; the parts of a custom compound count too."""
        return self.name.endswith(("__c", "__s"))

    @property
    def auto_number(self) -> bool:
        """Whether the org numbers rows in this field by itself."""
        return self.auto_number_format is not None

    @property
    def calculated(self) -> bool:
        """Whether the value comes from a formula or roll-up."""
        return self.formula is not None

    @property
    def polymorphic(self) -> bool:
        """Whether a reference may point at more than one kind of object."""
        return len(self.reference_to) > 1

    @property
    def compound(self) -> bool:
        """Whether the value is an object put together from other fields."""
        return self.type in COMPOUND_TYPES

    @property
    def long_text(self) -> bool:
        """Whether the text is too long to be filtered or sorted."""
        return self.type == "textarea" and (self.length > _FILTERABLE_LENGTH or self.html_formatted)


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """A reference seen from the object it points at; ``name`` is None where SOQL has no path."""

    name: str | None
    child: str
    field: str
    cascade_delete: bool = False
    restricted_delete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SObjectType:
    """One object of the org with its fields in describe order."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: tuple[FieldType, ...]
    child_relationships: tuple[ChildRelationship, ...] = ()
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    undeletable: bool = True
    layoutable: bool = True
    searchable: bool = True
    mergeable: bool = False
    replicateable: bool = True
    triggerable: bool = True
    feed_enabled: bool = False
    mru_enabled: bool = True
    deep_cloneable: bool = False
    scopes: tuple[str, ...] = ("everything", "mine", "team")
    by_name: Mapping[str, FieldType] = field(default_factory=dict, repr=False, compare=False)

    @property
    def custom(self) -> bool:
        """Whether the object was made in the org."""
        return self.name.endswith("__c")

    def field(self, name: str) -> FieldType | None:
        """Find a field by its name in any case."""
        return self.by_name.get(name.lower())

    def components(self, compound: FieldType) -> tuple[FieldType, ...]:
        """Return the fields that make up an address or location."""
        return tuple(f for f in self.fields if f.compound_field_name == compound.name)

    def child(self, relationship: str) -> ChildRelationship | None:
        """Find a child relationship by its name in any case."""
        wanted = relationship.lower()
        return next((c for c in self.child_relationships if (c.name or "").lower() == wanted), None)

    def parent_field(self, relationship: str) -> FieldType | None:
        """Find the reference field behind a parent relationship, by its name in any case."""
        wanted = relationship.lower()
        return next((f for f in self.fields if (f.relationship_name or "").lower() == wanted), None)

    @property
    def name_field(self) -> FieldType | None:
        """The field that names a row; a few objects have none."""
        return next((f for f in self.fields if f.name_field), None)


class Schema:
    """Every object of an org; finds them by name in any case, and by key prefix."""

    def __init__(self, objects: Iterable[SObjectType]) -> None:
        drafts = tuple(objects)
        self._objects = tuple(_finish(draft, drafts) for draft in drafts)
        self._by_name = {t.name.lower(): t for t in self._objects}
        self._by_prefix = {t.key_prefix: t for t in self._objects}

    def __iter__(self) -> Iterator[SObjectType]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: str) -> SObjectType | None:
        """Find an object by its name in any case."""
        return self._by_name.get(name.lower())

    def __getitem__(self, name: str) -> SObjectType:
        return self._by_name[name.lower()]

    def by_prefix(self, record_id: str) -> SObjectType | None:
        """Find the object that an id belongs to, by its first three characters."""
        return self._by_prefix.get(record_id[:3])


def _finish(draft: SObjectType, drafts: tuple[SObjectType, ...]) -> SObjectType:
    """Add what follows from the whole schema: lookups by name, relationships of children."""
    children = tuple(_children(draft.name, drafts))
    index = {f.name.lower(): f for f in draft.fields}
    return replace(draft, child_relationships=children, by_name=index)


def _children(name: str, drafts: tuple[SObjectType, ...]) -> Iterator[ChildRelationship]:
    for draft in drafts:
        for f in draft.fields:
            if name in f.reference_to:
                yield ChildRelationship(
                    f.child_relationship, draft.name, f.name, f.cascade_delete, f.restricted_delete
                )
