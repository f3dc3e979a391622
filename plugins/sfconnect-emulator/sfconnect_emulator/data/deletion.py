"""Deleting a row, and what becomes of the rows that point at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.tables import Row, Stored, quote, statement
from sfconnect_emulator.schema import ChildRelationship, SObjectType

if TYPE_CHECKING:
    from sfconnect_emulator.data.store import Store


@dataclass(frozen=True, slots=True)
class Deletion:
    """One delete call: children that cascade go too, other references to the row are emptied."""

    store: Store
    user_id: str
    now: str

    def delete(self, t: SObjectType, record_id: str) -> None:
        """Put a row into the recycle bin."""
        row = self.store.row(t.name, record_id)
        if row is None or row.get("IsDeleted"):
            return
        self._refuse_if_restricted(t, row)
        self._mark(t, row, {"IsDeleted": True})
        for relationship in t.child_relationships:
            self._release(relationship, record_id)

    def _refuse_if_restricted(self, t: SObjectType, row: Row) -> None:
        for relationship in t.child_relationships:
            if not relationship.restricted_delete:
                continue
            children = self._children(relationship, row["Id"])
            if children:
                raise _in_use(t, row, relationship, children)

    def _release(self, relationship: ChildRelationship, record_id: str) -> None:
        child = self.store.schema[relationship.child]
        for row in self._children(relationship, record_id):
            if relationship.cascade_delete:
                self.delete(child, str(row["Id"]))
            else:
                self._mark(child, row, {relationship.field: None})

    def _children(self, relationship: ChildRelationship, record_id: Stored) -> list[Row]:
        child = self.store.schema[relationship.child]
        if child.field("IsDeleted") is None:
            return []
        condition = f"{quote(relationship.field)} = ? AND IsDeleted = 0"
        sql = statement("SELECT Id FROM", quote(child.name), "WHERE", condition)
        found = self.store.connection.execute(sql, (record_id,)).fetchall()
        rows = (self.store.row(child.name, row[0]) for row in found)
        return [row for row in rows if row is not None]

    def _mark(self, t: SObjectType, row: Row, changes: Row) -> None:
        stamp: Row = {"LastModifiedDate": self.now, "LastModifiedById": self.user_id}
        stamp["SystemModstamp"] = self.now
        self.store.write(t, row, row | changes | stamp)


def _in_use(
    t: SObjectType, row: Row, relationship: ChildRelationship, children: list[Row]
) -> ApiError:
    name = str(row.get(t.name_field.name) if t.name_field else row["Id"])
    listed = ", ".join(str(c.get("CaseNumber") or c.get("Name") or c["Id"]) for c in children)
    message = (
        f"Your attempt to delete {name} could not be completed because it is associated with the "
        f"following {(relationship.name or relationship.child).lower()}.: {listed}\n"
    )
    return ApiError(400, "DELETE_FAILED", message, ())
