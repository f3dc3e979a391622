"""Sums and counts that a parent keeps of its children."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from sfconnect_emulator.data.derived import Change, derive
from sfconnect_emulator.data.tables import Row, Stored, quote, statement

if TYPE_CHECKING:
    from sfconnect_emulator.data.store import Store


def refresh_totals(store: Store, object_name: str, row: Row) -> None:
    """Bring the parents of a written or deleted row up to date."""
    rule = _RULES.get(object_name)
    if rule is not None:
        rule(store, row)


def _opportunity(store: Store, item: Row) -> None:
    """An opportunity with products takes its amount and quantity from them."""
    parent = item.get("OpportunityId")
    sums = "count(*), round(sum(TotalPrice), 2), round(sum(Quantity), 2)"
    count, amount, quantity = _aggregate(
        store, sums, "OpportunityLineItem", "OpportunityId", parent
    )
    changes: Row = {"HasOpportunityLineItem": bool(count)}
    if count:
        changes |= {"Amount": amount, "TotalOpportunityQuantity": quantity}
    _change(store, "Opportunity", parent, changes)


def _campaign(store: Store, member: Row) -> None:
    parent = member.get("CampaignId")
    contacts, leads = _aggregate(
        store, "count(ContactId), count(LeadId)", "CampaignMember", "CampaignId", parent
    )
    _change(store, "Campaign", parent, {"NumberOfContacts": contacts, "NumberOfLeads": leads})


def _aggregate(store: Store, what: str, child: str, field: str, parent: Stored) -> list[Stored]:
    condition = f"{field} = ? AND IsDeleted = 0"
    sql = statement("SELECT", what, "FROM", quote(child), "WHERE", condition)
    return list(store.connection.execute(sql, (parent,)).fetchone())


def _change(store: Store, object_name: str, record_id: Stored, changes: Row) -> None:
    row = store.row(object_name, record_id)
    if row is None:
        return
    changed = row | changes
    derive(object_name, Change(changed, row, frozenset(changes), "", store))
    store.write(store.schema[object_name], row, changed)


_RULES: Final[Mapping[str, Callable[[Store, Row], None]]] = {
    "OpportunityLineItem": _opportunity,
    "CampaignMember": _campaign,
}
