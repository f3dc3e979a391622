"""Plan an extract: which fields of an object to read, and the query that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sfconnect.config import nearest
from sfconnect.errors import ConfigurationError
from sfconnect.etl.columns import Column
from sfconnect.soql import SoqlSyntaxError, parse
from sfconnect.soql.ast import Query

MAX_QUERY_BYTES: Final = 14_000
"""How long a query may be in the URL. The API takes 16,384 bytes for URL and headers together."""

# Their value is put together from fields that are read anyway.
_COMPOUND: Final = frozenset({"address", "location"})
# A row holds the URL of the content, so reading it costs a call per row.
_CONTENT: Final = frozenset({"base64"})


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What to read of one object. ``columns`` are in the order of the query."""

    object: str
    columns: tuple[Column, ...]
    soql: str


def plan_object(
    describe: Mapping[str, Any], *, fields: Sequence[str] | None = None, where: str | None = None
) -> ObjectPlan:
    """Choose the columns of an object and write its query.

    Without ``fields``, all are read in the order of describe, except compound addresses and
    locations (their components are read) and the content of files. The query has no ORDER BY:
    sorting a large object makes the org time out.

    Raises:
        ConfigurationError: The object cannot be queried, a field is unknown, more than a condition
            was given as one, or the query does not fit a URL. Joining several narrower queries is
            no way out: rows change between them.
    """
    name = str(describe["name"])
    if not describe.get("queryable", True):
        raise ConfigurationError(f"{name} cannot be queried.")
    known = [Column.from_describe(field) for field in describe["fields"]]
    columns = _chosen(name, known, fields) if fields else tuple(filter(_is_read, known))
    clauses = ["SELECT", ", ".join(column.name for column in columns), "FROM", name]
    if where:
        _check_condition(where)
        clauses += ["WHERE", where]
    soql = " ".join(clauses)
    _check_length(name, soql)
    return ObjectPlan(name, columns, soql)


def _check_condition(where: str) -> None:
    """Refuse a LIMIT and the like behind a condition: it would cut the count that proves rows too.

    What cannot be read at all is left to the org, which says where the fault is.
    """
    try:
        query = parse(" ".join(["SELECT Id FROM Name WHERE", where]))
    except SoqlSyntaxError:
        return
    if query != Query(query.select, query.from_, where=query.where):
        message = "The condition of an extract is followed by more than a condition."
        raise ConfigurationError(message, hint="Leave out LIMIT, ORDER BY and what else follows.")


def _is_read(column: Column) -> bool:
    return column.type not in _COMPOUND and column.type not in _CONTENT


def _chosen(object_name: str, known: Iterable[Column], fields: Sequence[str]) -> tuple[Column, ...]:
    by_name = {column.name.lower(): column for column in known}
    chosen: dict[str, Column] = {}
    for field in fields:
        column = by_name.get(field.lower())
        if column is None:
            raise ConfigurationError(
                f"{object_name} has no field '{field}'.",
                hint=did_you_mean(field, [column.name for column in by_name.values()]),
            )
        chosen[column.name] = column
    return tuple(chosen.values())


def _check_length(object_name: str, soql: str) -> None:
    size = len(quote(soql, safe=""))
    if size > MAX_QUERY_BYTES:
        raise ConfigurationError(
            f"The query for {object_name} takes {size:,} bytes of a URL; "
            f"the API accepts about {MAX_QUERY_BYTES:,}.",
            hint="Name the fields you need.",
        )


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return ``Did you mean '…'?`` with the known name that is nearest, in any case."""
    by_lower = {one.lower(): one for one in known}
    match = nearest(name.lower(), by_lower)
    return f"Did you mean '{by_lower[match]}'?" if match else None
