"""The shape of a SOQL query: what the parser builds, and what renderers and executors read.

Every node is a frozen value. A node that an error message may point at carries ``at``: the
0-based index in the source text at which it begins. ``at`` takes no part in comparison, so that a
query equals the same query parsed from differently spaced text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import TypeAlias


def _at() -> int:
    return field(default=-1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DateLiteral:
    """A relative date: ``TODAY``, ``LAST_N_DAYS:7``; ``name`` is upper case, ``n`` may be None."""

    name: str
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency literal such as ``USD5000``."""

    code: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bind:
    """A named parameter (``:name``); a REST query must have none left when it is sent."""

    name: str
    at: int = _at()


Scalar: TypeAlias = str | int | Decimal | bool | date | datetime | time | None
"""A literal. ``bool`` before ``int``; datetimes are aware; exact numbers stay ``Decimal``."""

Value: TypeAlias = Scalar | DateLiteral | Currency | Bind


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its path: ``("Account", "Owner", "Name")`` is ``Account.Owner.Name``."""

    path: tuple[str, ...]
    alias: str | None = None
    at: int = _at()

    @property
    def name(self) -> str:
        """The path as it is written in a query."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Function:
    """A function in any clause; ``name`` is upper case. ``COUNT()`` has no arguments.

    Arguments may be fields, nested functions (``convertTimezone``, ``GEOLOCATION``) or values.
    """

    name: str
    args: tuple[Field | Function | Value, ...] = ()
    alias: str | None = None
    at: int = _at()


@dataclass(frozen=True, slots=True)
class FieldsMacro:
    """``FIELDS(ALL)``, ``FIELDS(STANDARD)`` or ``FIELDS(CUSTOM)``; ``kind`` is upper case."""

    kind: str
    at: int = _at()


@dataclass(frozen=True, slots=True)
class TypeofWhen:
    """One branch of a TYPEOF: the fields to read where the reference is of ``type_name``."""

    type_name: str
    fields: tuple[Field | FieldsMacro, ...]


@dataclass(frozen=True, slots=True)
class Typeof:
    """``TYPEOF What WHEN Account THEN Name ELSE Id END``."""

    reference: Field
    whens: tuple[TypeofWhen, ...]
    otherwise: tuple[Field | FieldsMacro, ...] = ()
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Subquery:
    """A child query in the SELECT list; its ``query.from_`` is the relationship."""

    query: Query
    at: int = _at()


SelectItem: TypeAlias = Field | Function | FieldsMacro | Typeof | Subquery


@dataclass(frozen=True, slots=True)
class From:
    """The object (or, in a subquery, the relationship path) that is read, with its alias."""

    path: tuple[str, ...]
    alias: str | None = None
    at: int = _at()

    @property
    def name(self) -> str:
        """The name as it is written in a query."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class FromAlias:
    """A further FROM entry that names a parent path: ``FROM Contact c, c.Account a``."""

    path: tuple[str, ...]
    alias: str


@dataclass(frozen=True, slots=True)
class Comparison:
    r"""One field against one value; ``op`` is one of ``= != < <= > >= LIKE``.

    ``<>`` is read as ``!=``. A string beside LIKE is a pattern: ``%`` and ``_`` are wildcards, and
    ``\%``, ``\_`` and ``\\`` stand for the characters themselves, for only so can a pattern tell
    them apart. Every other string, here and in other nodes, is plain text without escapes.
    """

    left: Field | Function
    op: str
    value: Value
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Membership:
    """``left op (values)``; ``op`` is one of ``IN``, ``NOT IN``, ``INCLUDES``, ``EXCLUDES``.

    ``values`` is a tuple of literals, a ``Query`` for a semi-join or anti-join, or a ``Bind``.
    """

    left: Field | Function
    op: str
    values: tuple[Value, ...] | Query | Bind
    at: int = _at()


@dataclass(frozen=True, slots=True)
class And:
    """Conditions that must all hold; at least two, in source order."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Conditions of which one must hold; at least two, in source order."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that must not hold."""

    part: Condition


Condition: TypeAlias = Comparison | Membership | And | Or | Not


@dataclass(frozen=True, slots=True)
class GroupBy:
    """GROUP BY; ``kind`` is ``""``, ``"ROLLUP"`` or ``"CUBE"``."""

    items: tuple[Field | Function, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Ordering:
    """One ORDER BY term; ``nulls`` is ``"FIRST"``, ``"LAST"`` or None for the default (first)."""

    by: Field | Function
    descending: bool = False
    nulls: str | None = None


@dataclass(frozen=True, slots=True)
class DataCategory:
    """One filter of WITH DATA CATEGORY: group, selector (``AT``, ``ABOVE`` …), category names."""

    group: str
    selector: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class With:
    """The WITH clause.

    ``kind`` is ``SECURITY_ENFORCED``, ``USER_MODE``, ``SYSTEM_MODE``, ``DATA CATEGORY`` or
    ``FILTER`` (any other condition, such as ``WITH NetworkId = '…'``). Data categories and filters
    may be followed by a second WITH; ``mode`` holds its word, such as ``SECURITY_ENFORCED``.
    """

    kind: str
    categories: tuple[DataCategory, ...] = ()
    condition: Condition | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query, at the top, as a child query, or as a semi-join.

    ``scope`` is the word after USING SCOPE. ``for_`` holds ``VIEW``, ``REFERENCE`` or ``UPDATE``;
    ``update`` holds ``TRACKING`` or ``VIEWSTAT``; both upper case, in source order.
    """

    select: tuple[SelectItem, ...]
    from_: From
    from_aliases: tuple[FromAlias, ...] = ()
    scope: str | None = None
    where: Condition | None = None
    with_: With | None = None
    group_by: GroupBy | None = None
    having: Condition | None = None
    order_by: tuple[Ordering, ...] = ()
    limit: int | Bind | None = None
    offset: int | Bind | None = None
    for_: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    all_rows: bool = False
