"""Which resource a path names, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from sfconnect_emulator.data.errors import no_such_resource
from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.rest import describe, discovery, query, rows
from sfconnect_emulator.rest.call import Resource
from sfconnect_emulator.schema.types import Schema, SObjectType

_FIXED: dict[tuple[str, ...], Resource] = {
    (): {"GET": discovery.list_resources},
    ("limits",): {"GET": discovery.show_limits},
    ("limits", "recordCount"): {"GET": discovery.count_rows},
    ("recent",): {"GET": discovery.list_recent},
    ("sobjects",): {"GET": describe.list_objects},
    ("query",): {"GET": query.query},
    ("queryAll",): {"GET": query.query_all},
}
_OF_OBJECT: dict[tuple[str, ...], Resource] = {
    (): {"GET": describe.show_object, "POST": rows.create},
    ("describe",): {"GET": describe.describe},
    ("Id",): {"POST": rows.create_by_upsert},
}
_ROW: Resource = {"GET": rows.retrieve, "PATCH": rows.update, "DELETE": rows.delete}
_KEYED_ROW: Resource = {
    "GET": rows.retrieve_by_external_id,
    "PATCH": rows.upsert,
    "DELETE": rows.delete_by_external_id,
}
_BLOB: Resource = {"GET": rows.blob}
_NEXT_PAGE: Resource = {"GET": query.query_more}


def find_resource(schema: Schema, rest: tuple[str, ...]) -> Resource | None:
    """Find the resource for the path segments behind the version."""
    fixed = _FIXED.get(rest)
    if fixed is not None:
        return fixed
    family = _FAMILIES.get(rest[0])
    return None if family is None else family(schema, rest)


def _sobject(schema: Schema, rest: tuple[str, ...]) -> Resource | None:
    """The resources of one object; whether it exists is asked before what the verb may be."""
    t = schema.get(rest[1])
    if t is None:
        raise no_such_resource()
    return _OF_OBJECT.get(rest[2:]) or _of_row(t, rest[2:])


def _of_row(t: SObjectType, rest: tuple[str, ...]) -> Resource | None:
    match rest:
        case (_,):
            return _ROW
        case (key, _) if t.field(key) is None and normalize(key) is not None:
            return _BLOB
        case (key, _) if key != "describe":
            return _KEYED_ROW
    return None


def _page(schema: Schema, rest: tuple[str, ...]) -> Resource | None:
    del schema
    match rest:
        case (_, _locator):
            return _NEXT_PAGE
    return None


_FAMILIES: dict[str, Callable[[Schema, tuple[str, ...]], Resource | None]] = {
    "sobjects": _sobject,
    "query": _page,
    "queryAll": _page,
}
