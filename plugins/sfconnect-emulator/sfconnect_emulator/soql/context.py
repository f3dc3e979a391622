"""What the compilation of one query shares: parameters, time, errors, aliases."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sfconnect_emulator.data.values import format_datetime
from sfconnect_emulator.schema import Schema, SObjectType
from sfconnect_emulator.schema.types import ChildRelationship
from sfconnect_emulator.soql.problems import Problems


@dataclass(slots=True)
class Context:
    """One query on its way to SQL."""

    schema: Schema
    soql: str
    version: float
    user_id: str
    zone_name: str
    now: datetime
    include_deleted: bool
    params: dict[str, Any] = field(default_factory=dict)
    problems: Problems = field(init=False)
    _names: dict[tuple[type, object], str] = field(default_factory=dict)
    _aliases: int = 0

    def __post_init__(self) -> None:
        self.problems = Problems(self.soql)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the user who asks, by which relative dates are counted."""
        return UTC if self.zone_name == "GMT" else ZoneInfo(self.zone_name)

    @property
    def today(self) -> date:
        """The current day where the user is."""
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> str:
        """Return the beginning of a day where the user is, as it is stored."""
        try:
            return format_datetime(datetime.combine(day, time(), self.zone))
        except OverflowError:
            return format_datetime(datetime.combine(day, time(), UTC))

    def children(self, t: SObjectType, name: str, at: int) -> tuple[ChildRelationship, SObjectType]:
        """Find a child relationship of an object, and the object that it leads to.

        Raises:
            ApiError: There is none of that name.
        """
        relationship = t.child(name)
        child = self.schema.get(relationship.child) if relationship else None
        if relationship is None or child is None:
            raise self.problems.unknown_children(at, name)
        return relationship, child

    def param(self, value: object) -> str:
        """Keep a value for the statement and return its placeholder; equal values share one."""
        name = self._names.setdefault((type(value), value), f"p{len(self._names)}")
        self.params[name] = value
        return f":{name}"

    def alias(self) -> str:
        """Return an alias that no other table of the query has."""
        self._aliases += 1
        return f"t{self._aliases}"

    def object(self, name: str, index: int) -> SObjectType:
        """Find an object that the query names."""
        t = self.schema.get(name)
        if t is None:
            raise self.problems.unknown_object(index, name)
        return t
