"""Generated rows: the same seed gives the same data, byte for byte.

Each object draws from a source of its own, so that asking for more rows of one object leaves the
values of the others as they are, but for the parents they can point at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from sfconnect_emulator.data import material, tables
from sfconnect_emulator.data.derived import Change, derive
from sfconnect_emulator.data.drawing import Column, Drawing, days_between
from sfconnect_emulator.data.files import attach_document
from sfconnect_emulator.data.numbering import auto_number
from sfconnect_emulator.data.store import Store
from sfconnect_emulator.data.tables import ROW, Row, Stored, columns, quote, statement
from sfconnect_emulator.data.totals import refresh_totals
from sfconnect_emulator.schema import FieldType, SObjectType
from sfconnect_emulator.schema.objects.sales import STAGES

ORDER: Final = (
    "User", "Account", "Contact", "Lead", "Campaign", "Opportunity", "Case", "Product2",
    "Pricebook2", "PricebookEntry", "OpportunityLineItem", "CampaignMember", "Everything__c",
    "Everything_Item__c", "Task", "Event", "ContentVersion",
)  # fmt: skip
"""Objects that can be seeded, parents before children."""

_NEEDS: Final = {
    "PricebookEntry": ("Product2",),
    "OpportunityLineItem": ("Opportunity", "PricebookEntry", "Product2"),
    "CampaignMember": ("Campaign", "Lead"),
    "Everything_Item__c": ("Everything__c",),
}
_TOTALS: Final = {"OpportunityLineItem": "OpportunityId", "CampaignMember": "CampaignId"}
_PER_PARENT: Final = 10
_NO_PARENT: Final = 0.08
_LAST_NAME_LENGTH: Final = 80
_CITY_PARTS: Final = ("City", "State", "PostalCode", "Country", "Latitude", "Longitude")


def seed(store: Store, counts: Mapping[str, int], *, seed: int) -> None:
    """Add rows to an org.

    Objects that rows cannot do without are seeded too where the org has none of them.

    Raises:
        ValueError: An object is unknown or cannot be seeded, or a count is negative.
    """
    wanted = _completed(store, counts)
    nursery = Nursery(store, seed)
    with store.transaction():
        tables.drop_indexes(store.connection, store.schema)
        for name in ORDER:
            if wanted.get(name):
                nursery.grow(name, wanted[name])
        store.create_indexes()
        nursery.refresh_totals()


def _completed(store: Store, counts: Mapping[str, int]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for name, count in counts.items():
        t = store.schema.get(name)
        if t is None or t.name not in ORDER:
            raise ValueError(f"{name} cannot be seeded; these can: {', '.join(ORDER)}")
        if count < 0:
            raise ValueError(f"{name}: a negative number of rows")
        wanted[t.name] = count
    for name in [name for name, count in wanted.items() if count]:
        for parent in _NEEDS.get(name, ()):
            if not wanted.get(parent) and not store.count(parent):
                wanted[parent] = max(1, wanted[name] // _PER_PARENT)
    return wanted


@dataclass(slots=True)
class Nursery:
    """Where rows grow: knows the ids of all rows so far, and the rows that were just made."""

    store: Store
    seed: int
    _ids: dict[str, list[Stored]] = field(default_factory=dict)
    _rows: dict[Stored, Row] = field(default_factory=dict)
    _made: dict[str, list[Row]] = field(default_factory=dict)

    def grow(self, name: str, count: int) -> None:
        """Make and insert the rows of one object."""
        t = self.store.schema[name]
        rows = self._drafts(t, Drawing(Random(f"{self.seed} {name}"), count))  # noqa: S311 - reproducible, not secret
        for row in rows:
            derive(name, Change(row, None, frozenset(row), str(row["CreatedDate"]), self))
            if name == "ContentVersion":
                attach_document(self.store, row)
        self.store.insert_rows(t, rows)
        self._ids.pop(name, None)
        self._rows |= {row["Id"]: row for row in rows}
        self._made[name] = rows

    def refresh_totals(self) -> None:
        """Bring the sums and counts of parents up to date."""
        for name, link in _TOTALS.items():
            for parent in dict.fromkeys(row[link] for row in self._made.get(name, ())):
                refresh_totals(self.store, name, {link: parent})

    def ids(self, name: str) -> list[Stored]:
        """Return the ids of an object, oldest first."""
        if name not in self._ids:
            sql = statement("SELECT Id FROM", quote(name), "ORDER BY", quote(ROW))
            self._ids[name] = [row[0] for row in self.store.connection.execute(sql)]
        return self._ids[name]

    def row(self, object_name: str, record_id: Stored) -> Row | None:
        """Return a stored row, or None."""
        return self._rows.get(record_id) or self.store.row(object_name, record_id)

    def object_of(self, record_id: Stored) -> str | None:
        """Return the name of the object that an id belongs to."""
        return self.store.object_of(record_id)

    def _drafts(self, t: SObjectType, drawing: Drawing) -> list[Row]:
        drawn = self._columns(t, drawing)
        names = list(drawn)
        return [dict(zip(names, values, strict=True))
                for values in zip(*drawn.values(), strict=True)]  # fmt: skip

    def _columns(self, t: SObjectType, drawing: Drawing) -> dict[str, Column]:
        drawn = self._system(t, drawing)
        for f in columns(t):
            if f.name not in drawn:
                drawn[f.name] = self._column(t, f, drawing)
        rule = _RULES.get(t.name)
        if rule is not None:
            rule(drawn, drawing, self)
        _place(t, drawn, drawing)
        return drawn

    def _system(self, t: SObjectType, drawing: Drawing) -> dict[str, Column]:
        count = drawing.count
        first = self.store.reserve(t, count)
        created = sorted(drawing.moments())
        changed = [max(pair) for pair in zip(created, drawing.moments(), strict=True)]
        users = [user.id for user in self.store.org.users]
        drawn: dict[str, Column] = {
            ROW: list(range(first, first + count)),
            "Id": list(self.store.org.ids(t.key_prefix).ids_of(first, count)),
            "CreatedDate": list(created),
            "CreatedById": drawing.pick(users),
            "LastModifiedDate": list(changed),
            "LastModifiedById": drawing.pick(users),
            "SystemModstamp": list(changed),
        }
        if t.field("OwnerId"):
            drawn["OwnerId"] = drawing.pick([user.id for user in self.store.org.users[:3]])
        return drawn

    def _column(self, t: SObjectType, f: FieldType, drawing: Drawing) -> Column:
        keyed = f.external_id or f.unique
        if f.auto_number_format is not None:
            first = self.store.reserve(t, 0) - drawing.count
            return [auto_number(f.auto_number_format, first + n) for n in range(drawing.count)]
        if f.type == "reference":
            return self._references(f, drawing)
        if f.createable and not keyed:
            return drawing.field(f)
        if f.type in {"json", "complexvalue", "anyType"}:
            return drawing.field(f)
        return [f.default_value] * drawing.count

    def _references(self, f: FieldType, drawing: Drawing) -> Column:
        """Point at rows that exist; a reference to several kinds of row mixes them."""
        if not f.createable or f.name == "OwnerId":
            return [None] * drawing.count
        nulls = _NO_PARENT if f.nillable else 0.0
        pools = [pool for name in f.reference_to if (pool := self.ids(name))]
        if not pools:
            return [None] * drawing.count
        drawn = [drawing.parents(pool, nulls=nulls) for pool in pools]
        chosen = drawing.rng.choices(range(len(pools)), k=drawing.count)
        return [drawn[choice][n] for n, choice in enumerate(chosen)]


def _place(t: SObjectType, drawn: dict[str, Column], drawing: Drawing) -> None:
    """Make addresses whose parts belong together."""
    for f in t.fields:
        if f.type != "address":
            continue
        prefix, suffix = f.name.removesuffix("Address"), ""
        if f.custom:
            prefix, suffix = f"{f.name.removesuffix('__c')}__", "__s"
        cities = drawing.rng.choices((*material.CITIES, None, None), k=drawing.count)
        for index, part in enumerate(_CITY_PARTS):
            drawn[f"{prefix}{part}{suffix}"] = [city and city[index] for city in cities]
        streets = drawing.sprinkle(drawing.pick(material.STREETS), material.AWKWARD_LINES)
        drawn[f"{prefix}Street{suffix}"] = [
            street if city else None for street, city in zip(streets, cities, strict=True)
        ]
        drawn[f"{prefix}GeocodeAccuracy{suffix}"] = ["Zip" if city else None for city in cities]


Rule = Callable[[dict[str, Column], Drawing, Nursery], None]


def _keys(drawn: dict[str, Column], drawing: Drawing, name: str, stem: str) -> None:
    """Number an external id; the first keys are ones that URLs find hard."""
    first = drawn[ROW][0] if drawn[ROW] else 0
    plain = (f"{stem}-{int(first or 0) + n:06d}" for n in range(drawing.count))
    keys: Column = [None if drawing.rng.random() < _NO_PARENT else key for key in plain]
    if first == 1:
        awkward = material.AWKWARD_KEYS[: drawing.count]
        keys[: len(awkward)] = awkward
    drawn[name] = keys


def _companies(drawing: Drawing) -> Column:
    heads, tails = drawing.pick(material.COMPANY_HEADS), drawing.pick(material.COMPANY_TAILS)
    names: Column = [f"{h} {t}" for h, t in zip(heads, tails, strict=True)]  # type: ignore[str-bytes-safe]  # words are texts
    return drawing.sprinkle(names, material.AWKWARD)


def _account(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    drawn["Name"] = _companies(drawing)
    drawn["AccountNumber"] = drawing.digits(8)
    drawn["DunsNumber"] = drawing.digits(9)
    drawn["Sic"] = drawing.digits(4)
    drawn["NaicsCode"] = drawing.digits(6)
    drawn["YearStarted"] = drawing.pick([str(year) for year in range(1850, 2026)], nulls=0.3)
    drawn["TickerSymbol"] = drawing.pick(("NA", "NULL", "TRUE", "ACME", "0005.HK", None))
    ids = drawn["Id"]
    drawn["ParentId"] = [
        ids[int(n * drawing.rng.random())] if n and drawing.rng.random() < _NO_PARENT else None
        for n in range(drawing.count)
    ]
    _keys(drawn, drawing, "Ext_Id__c", "EXT")


def _person(drawn: dict[str, Column], drawing: Drawing, _: Nursery) -> None:
    drawn["FirstName"] = drawing.pick(material.FIRST_NAMES, nulls=0.05)
    names = [text for text in material.AWKWARD if len(text) <= _LAST_NAME_LENGTH]
    drawn["LastName"] = drawing.sprinkle(drawing.pick(material.LAST_NAMES), names)


def _contact(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    _person(drawn, drawing, nursery)
    birthdays = drawing.pick(days_between(1920, 2010), nulls=0.4)
    drawn["Birthdate"] = drawing.sprinkle(birthdays, material.EXTREME_DATES)
    ids = drawn["Id"]
    drawn["ReportsToId"] = [
        ids[int(n * drawing.rng.random())] if n and drawing.rng.random() < _NO_PARENT else None
        for n in range(drawing.count)
    ]


def _lead(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    _person(drawn, drawing, nursery)
    drawn["Company"] = _companies(drawing)


def _user(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    _person(drawn, drawing, nursery)
    rows = [int(row or 0) for row in drawn[ROW]]
    host = nursery.store.org.user.username.partition("@")[2]
    drawn["Username"] = [f"user{row}@{host}" for row in rows]
    drawn["Alias"] = [f"u{row}" for row in rows]
    drawn["CommunityNickname"] = [f"user{row}" for row in rows]
    drawn["UserType"] = ["Standard"] * drawing.count


def _opportunity(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    drawn["Name"] = [str(name)[:110] for name in _companies(drawing)]
    drawn["StageName"] = drawing.pick(list(STAGES))
    for derived in ("Probability", "ForecastCategoryName"):
        drawn.pop(derived, None)


def _case(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    """Give each case the account of its contact."""
    contacts = [nursery.row("Contact", contact) or {} for contact in drawn["ContactId"]]
    drawn["AccountId"] = [
        contact.get("AccountId") or account
        for contact, account in zip(contacts, drawn["AccountId"], strict=True)
    ]
    drawn["Status"] = drawing.pick(("New", "Working", "Escalated", "Closed", "Closed"))


def _priced(drawn: dict[str, Column], drawing: Drawing, _: Nursery) -> None:
    """Keep sums of prices within what an amount can hold."""
    prices = [round(drawing.rng.random() * 5000, 2) for _ in range(drawing.count)]
    drawn["UnitPrice"] = drawing.sprinkle([*prices], (0.01, 0.07, 33.33, 9999.99))
    if "Quantity" in drawn:
        drawn["Quantity"] = drawing.pick((1.0, 2.0, 10.0, 0.5, 25.75))
        drawn["TotalPrice"] = [None] * drawing.count


def _member(drawn: dict[str, Column], drawing: Drawing, nursery: Nursery) -> None:
    """A member is a lead or a contact, and never both."""
    leads, contacts = drawn["LeadId"], drawn["ContactId"]
    for n in range(drawing.count):
        by_lead = contacts[n] is None or (leads[n] is not None and n % 2 == 1)
        leads[n] = (leads[n] or nursery.ids("Lead")[0]) if by_lead else None
        contacts[n] = None if by_lead else contacts[n]


def _everything(drawn: dict[str, Column], drawing: Drawing, _: Nursery) -> None:
    drawn["Name"] = _companies(drawing)
    drawn["Location__Longitude__s"] = [
        None if latitude is None else round(drawing.rng.random() * 360 - 180, 6)
        for latitude in drawn["Location__Latitude__s"]
    ]
    drawn["Location__Latitude__s"] = [
        None if latitude is None else round(drawing.rng.random() * 180 - 90, 6)
        for latitude in drawn["Location__Latitude__s"]
    ]
    rows = [int(row or 0) for row in drawn[ROW]]
    drawn["Case_Key__c"] = [f"{'K' if row % 2 else 'k'}{row // 2}" for row in rows]
    drawn["Number_Key__c"] = [float(row) for row in rows]
    drawn["Group_Key__c"] = drawing.pick(("G1", "G2", "g1", None))
    _keys(drawn, drawing, "Ext__c", "EV")


def _item(drawn: dict[str, Column], drawing: Drawing, _: Nursery) -> None:
    _keys(drawn, drawing, "Item_Ext__c", "EI")


def _version(drawn: dict[str, Column], drawing: Drawing, _: Nursery) -> None:
    drawn["PathOnClient"] = drawing.pick(
        ("report.pdf", "data.csv", "no extension", "b\u00efld.png")
    )
    drawn["ContentDocumentId"] = [None] * drawing.count


_RULES: Final[Mapping[str, Rule]] = {
    "Account": _account,
    "Contact": _contact,
    "Lead": _lead,
    "User": _user,
    "Opportunity": _opportunity,
    "Case": _case,
    "CampaignMember": _member,
    "PricebookEntry": _priced,
    "OpportunityLineItem": _priced,
    "Everything__c": _everything,
    "Everything_Item__c": _item,
    "ContentVersion": _version,
}
