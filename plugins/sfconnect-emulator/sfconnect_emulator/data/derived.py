"""Fields that the org works out by itself: full names, stages, formulas, copies from parents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Final, Protocol

from sfconnect_emulator.data.tables import Row, Stored
from sfconnect_emulator.schema.objects.sales import STAGES

_FORECASTS: Final = {"Best Case": "BestCase", "Most Likely": "MostLikely", "Commit": "Forecast"}
"""Forecast categories whose API value differs from the name that is written."""


class Rows(Protocol):
    """What a derivation may ask the store for."""

    def row(self, object_name: str, record_id: Stored) -> Row | None:
        """Return a stored row, or None."""

    def object_of(self, record_id: Stored) -> str | None:
        """Return the name of the object that an id belongs to."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row about to be written: its values now and before, and what the caller gave."""

    row: Row
    old: Row | None
    given: frozenset[str]
    now: str
    rows: Rows

    def changed(self, field: str) -> bool:
        """Return whether the write sets the field to another value."""
        return self.old is None or self.old.get(field) != self.row.get(field)


def derive(object_name: str, change: Change) -> None:
    """Fill in what follows from the other values."""
    rule = _RULES.get(object_name)
    if rule is not None:
        rule(change)


def full_name(row: Mapping[str, Stored]) -> str:
    """Return first and last name as one."""
    return " ".join(str(part) for part in (row.get("FirstName"), row.get("LastName")) if part)


def fiscal(close: Stored) -> tuple[int | None, int | None, str | None]:
    """Return year, quarter and period of a date; the fiscal year is the calendar year."""
    if not isinstance(close, str):
        return None, None, None
    day = date.fromisoformat(close)
    quarter = (day.month + 2) // 3
    return day.year, quarter, f"{day.year} {quarter}"


def _person(change: Change) -> None:
    change.row["Name"] = full_name(change.row)


def _opportunity(change: Change) -> None:
    row = change.row
    probability, category = STAGES.get(str(row.get("StageName")), (0, "Pipeline"))
    if change.changed("StageName"):
        row["LastStageChangeDate"] = change.now if change.old else None
        if "Probability" not in change.given:
            row["Probability"] = float(probability)
        if "ForecastCategoryName" not in change.given:
            row["ForecastCategoryName"] = category
    name = str(row.get("ForecastCategoryName"))
    row["ForecastCategory"] = _FORECASTS.get(name, name)
    row["IsWon"] = row.get("StageName") == "Closed Won"
    row["IsClosed"] = row["IsWon"] or row.get("StageName") == "Closed Lost"
    row["ExpectedRevenue"] = _share(row.get("Amount"), row.get("Probability"))
    row["FiscalYear"], row["FiscalQuarter"], row["Fiscal"] = fiscal(row.get("CloseDate"))


def _share(amount: Stored, percent: Stored) -> float | None:
    if not isinstance(amount, int | float) or not isinstance(percent, int | float):
        return None
    return round(amount * percent / 100, 2)


def _case(change: Change) -> None:
    row = change.row
    row["IsClosed"] = row.get("Status") == "Closed"
    if change.changed("Status"):
        row["ClosedDate"] = change.now if row["IsClosed"] else None
    contact = change.rows.row("Contact", row.get("ContactId"))
    row["ContactPhone"] = contact.get("Phone") if contact else None
    row["ContactEmail"] = contact.get("Email") if contact else None
    if contact and row.get("AccountId") is None:
        row["AccountId"] = contact.get("AccountId")


def _account_of(change: Change) -> Stored:
    """Return the account that an activity belongs to, through what it is about or for whom."""
    for link in ("WhatId", "WhoId"):
        target = change.row.get(link)
        name = change.rows.object_of(target)
        if name == "Account":
            return target
        row = change.rows.row(name, target) if name else None
        if row and row.get("AccountId"):
            return row["AccountId"]
    return None


def _task(change: Change) -> None:
    row = change.row
    row["IsClosed"] = row.get("Status") == "Completed"
    row["IsHighPriority"] = row.get("Priority") == "High"
    row["AccountId"] = _account_of(change)
    if change.changed("Status"):
        row["CompletedDateTime"] = change.now if row["IsClosed"] else None


def _event(change: Change) -> None:
    row = change.row
    row["AccountId"] = _account_of(change)
    start = row.get("StartDateTime") or row.get("ActivityDateTime")
    row["StartDateTime"] = row["ActivityDateTime"] = start
    if isinstance(start, str) and row.get("ActivityDate") is None:
        row["ActivityDate"] = start[:10]


def _pricebook_entry(change: Change) -> None:
    product = change.rows.row("Product2", change.row.get("Product2Id")) or {}
    change.row["Name"] = product.get("Name")
    change.row["ProductCode"] = product.get("ProductCode")


def _line_item(change: Change) -> None:
    row = change.row
    entry = change.rows.row("PricebookEntry", row.get("PricebookEntryId")) or {}
    opportunity = change.rows.row("Opportunity", row.get("OpportunityId")) or {}
    row["Product2Id"] = entry.get("Product2Id")
    row["ProductCode"] = entry.get("ProductCode")
    row["ListPrice"] = entry.get("UnitPrice")
    row["Name"] = " ".join(str(part.get("Name")) for part in (opportunity, entry))
    if row.get("UnitPrice") is None:
        row["UnitPrice"] = row["ListPrice"]
    price, quantity = row.get("UnitPrice"), row.get("Quantity")
    if isinstance(price, int | float) and isinstance(quantity, int | float):
        row["TotalPrice"] = round(price * quantity, 2)


def _member(change: Change) -> None:
    row = change.row
    kind = "Contact" if row.get("ContactId") else "Lead"
    row["Type"] = kind
    row["LeadOrContactId"] = row.get("ContactId") or row.get("LeadId")
    row["HasResponded"] = row.get("Status") == "Responded"
    person = change.rows.row(kind, row["LeadOrContactId"]) or {}
    for field in ("Name", "FirstName", "LastName", "Email"):
        row[field] = person.get(field)


def _version(change: Change) -> None:
    row = change.row
    path = PurePath(str(row.get("PathOnClient") or ""))
    blob = row.get("VersionData")
    content = blob if isinstance(blob, bytes) else b""
    row["Title"] = row.get("Title") or path.stem
    row["FileExtension"] = path.suffix.removeprefix(".") or None
    row["FileType"] = (path.suffix.removeprefix(".") or "unknown").upper()
    row["ContentSize"] = len(content)
    row["Checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest()


def _everything(change: Change) -> None:
    row = change.row
    number = row.get("Number__c")
    row["Name"] = row.get("Name") or str(row["Id"])[:15]
    row["Formula__c"] = round(number * 2, 2) if isinstance(number, int | float) else None
    row["Formula_Text__c"] = str(row.get("Text__c") or "") + f" ({row['Name']!s})"


_RULES: Final[Mapping[str, Callable[[Change], None]]] = {
    "Contact": _person,
    "Lead": _person,
    "User": _person,
    "Opportunity": _opportunity,
    "Case": _case,
    "Task": _task,
    "Event": _event,
    "PricebookEntry": _pricebook_entry,
    "OpportunityLineItem": _line_item,
    "CampaignMember": _member,
    "ContentVersion": _version,
    "Everything__c": _everything,
}
