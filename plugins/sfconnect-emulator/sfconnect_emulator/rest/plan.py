"""Query plans for ``query?explain=``: honest about size, simple about cost."""

from __future__ import annotations

from collections.abc import Iterator

from sfconnect.soql.ast import And, Comparison, Condition, Field, Membership
from sfconnect_emulator.data.errors import no_such_resource
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.schema.types import SObjectType

_INDEXED = frozenset({"id", "name", "ownerid", "createddate", "systemmodstamp", "recordtypeid"})
_INDEX_COST = 0.6
_SCAN_COST = 1.2


def explain(call: Call, soql: str) -> dict[str, object]:
    """Say how a query would be run: by an index that its conditions allow, or row by row."""
    queries, store = call.instance.queries, call.instance.store
    query = queries.parse(soql, call.version)
    found = queries.run(soql, version=call.version, user=call.session.user_id).total_size
    t = call.instance.schema.get(query.from_.name)
    if t is None:
        raise no_such_resource()
    size = store.count(t.name)
    usable = [name for name in _filtered(query.where) if _is_indexed(t, name)]
    plans = [_plan(t, found, size, usable)] if usable else []
    return {"plans": [*plans, _plan(t, found, size, [])], "sourceQuery": soql}


def _plan(t: SObjectType, found: int, size: int, fields: list[str]) -> dict[str, object]:
    share = found / size if size else 0.0
    return {
        "cardinality": found,
        "fields": fields,
        "leadingOperationType": "Index" if fields else "TableScan",
        "notes": [],
        "relativeCost": round(share * _INDEX_COST, 3) if fields else _SCAN_COST,
        "sobjectCardinality": size,
        "sobjectType": t.name,
    }


def _filtered(condition: Condition | None) -> Iterator[str]:
    """Fields of the object itself that every row of the result has to match."""
    if isinstance(condition, And):
        for part in condition.parts:
            yield from _filtered(part)
    elif isinstance(condition, Comparison | Membership) and condition.op in {"=", "IN"}:
        left = condition.left
        if isinstance(left, Field) and len(left.path) == 1:
            yield left.path[0]


def _is_indexed(t: SObjectType, name: str) -> bool:
    f = t.field(name)
    return f is not None and (
        f.name.lower() in _INDEXED or f.external_id or f.unique or f.type == "reference"
    )
