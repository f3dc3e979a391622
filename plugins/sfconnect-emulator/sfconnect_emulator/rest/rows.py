"""Rows by id and by external id: create, retrieve, update, delete, upsert."""

from __future__ import annotations

from sfconnect_emulator.data.errors import ApiError, no_such_resource
from sfconnect_emulator.data.ids import normalize
from sfconnect_emulator.rendering import empty_answer, json_answer
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.schema.types import SObjectType
from sfconnect_emulator.wire import Response

BLOB_TYPE = "application/octetstream"  # sic: without a hyphen
_UPSERT_TELLS_SINCE = 46
_SEVERAL = 300


def create(call: Call) -> Response:
    """Answer ``POST /sobjects/X``."""
    t = call.sobject()
    record_id = call.instance.store.create(t.name, call.json_object(), user_id=_user(call))
    _written(call, "created", t, record_id)
    return _created(call, t, record_id, {"id": record_id, "success": True, "errors": []})


def create_by_upsert(call: Call) -> Response:
    """Answer ``POST /sobjects/X/Id``: create through the door of upserts."""
    t = call.sobject()
    record_id = call.instance.store.create(t.name, call.json_object(), user_id=_user(call))
    _written(call, "created", t, record_id)
    return _upserted(call, t, record_id, created=True)


def retrieve(call: Call) -> Response:
    """Answer ``GET /sobjects/X/<id>``."""
    return _row(call, call.sobject(), call.rest[2])


def update(call: Call) -> Response:
    """Answer ``PATCH /sobjects/X/<id>``."""
    t = call.sobject()
    call.instance.store.update(t.name, call.rest[2], call.json_object(), user_id=_user(call))
    _written(call, "updated", t, call.rest[2])
    return empty_answer(204)


def delete(call: Call) -> Response:
    """Answer ``DELETE /sobjects/X/<id>``."""
    t = call.sobject()
    call.instance.store.delete(t.name, call.rest[2], user_id=_user(call))
    _written(call, "deleted", t, call.rest[2])
    return empty_answer(204)


def retrieve_by_external_id(call: Call) -> Response:
    """Answer ``GET /sobjects/X/<field>/<value>``."""
    t = call.sobject()
    found = _found(call, t)
    return found if isinstance(found, Response) else _row(call, t, found)


def delete_by_external_id(call: Call) -> Response:
    """Answer ``DELETE /sobjects/X/<field>/<value>``."""
    t = call.sobject()
    found = _found(call, t)
    if isinstance(found, Response):
        return found
    call.instance.store.delete(t.name, found, user_id=_user(call))
    _written(call, "deleted", t, found)
    return empty_answer(204)


def upsert(call: Call) -> Response:
    """Answer ``PATCH /sobjects/X/<field>/<value>``; how depends on the version."""
    t = call.sobject()
    field, value = call.rest[2:4]
    update_only = call.request.params().get("updateOnly", "").lower() == "true"
    try:
        record_id, created = call.instance.store.upsert(
            t.name, field, value, call.json_object(), user_id=_user(call), update_only=update_only
        )
    except ApiError as error:
        if error.status != _SEVERAL:
            raise
        return _choices(call, t, error.matches)
    _written(call, "created" if created else "updated", t, record_id)
    return _upserted(call, t, record_id, created=created)


def blob(call: Call) -> Response:
    """Answer ``GET /sobjects/X/<id>/<field>`` with the bytes of a file."""
    t = call.sobject()
    content = call.instance.store.blob(t.name, call.rest[2], call.rest[3])
    return Response(200, {"Content-Type": BLOB_TYPE}, content)


def _user(call: Call) -> str:
    return call.session.user_id


def _row(call: Call, t: SObjectType, record_id: str) -> Response:
    fields = None
    if "fields=" in call.request.query:
        asked = call.request.params().get("fields", "")
        fields = [name.strip() for name in asked.split(",") if name.strip()] or None
    row = call.instance.store.retrieve(t.name, record_id, fields, version=call.version)
    call.instance.recent.touch(_user(call), normalize(record_id) or record_id, t.name)
    return json_answer(200, row)


def _found(call: Call, t: SObjectType) -> str | Response:
    """The one row that an external id names, or the answer that there are several."""
    found = call.instance.store.find_by_external_id(t.name, call.rest[2], call.rest[3])
    if not found:
        raise no_such_resource()
    return found[0] if len(found) == 1 else _choices(call, t, found)


def _choices(call: Call, t: SObjectType, record_ids: list[str]) -> Response:
    paths = [f"{call.base}/sobjects/{t.name}/{record_id}" for record_id in record_ids]
    return json_answer(_SEVERAL, paths)


def _upserted(call: Call, t: SObjectType, record_id: str, *, created: bool) -> Response:
    body = {"id": record_id, "success": True, "errors": []}
    if call.version >= _UPSERT_TELLS_SINCE:
        body["created"] = created
    elif not created:
        return empty_answer(204)
    return _created(call, t, record_id, body) if created else json_answer(200, body)


def _created(call: Call, t: SObjectType, record_id: str, body: dict[str, object]) -> Response:
    location = f"{call.base}/sobjects/{t.name}/{record_id}"
    return json_answer(201, body, {"Location": location})


def _written(call: Call, action: str, t: SObjectType, record_id: str) -> None:
    """Enter a write that has happened into the books."""
    instance = call.instance
    record_id = normalize(record_id) or record_id
    instance.statistics.rows[action] += 1
    if action != "deleted":
        instance.recent.touch(_user(call), record_id, t.name)
    instance.ledger.add(
        at=instance.clock.now().isoformat(timespec="milliseconds"),
        request_id=call.request_id,
        method=call.request.method,
        path=call.request.path,
        action=action,
        sobject=t.name,
        record_id=record_id,
    )
