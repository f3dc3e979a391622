"""What an org says about itself: resources, limits, counts."""

from __future__ import annotations

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.limits import limits_document
from sfconnect_emulator.oauth.identity import identity_url
from sfconnect_emulator.recent import KEPT_ITEMS
from sfconnect_emulator.rendering import json_answer
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.wire import Response

# The resources that this emulator answers; a real org lists more.
_RESOURCES = ("limits", "sobjects", "query", "queryAll", "recent")


def list_resources(call: Call) -> Response:
    """Answer ``GET /services/data/vNN.0``."""
    resources = {name: f"{call.base}/{name}" for name in _RESOURCES}
    instance = call.instance
    resources["identity"] = identity_url(
        instance.base_url, instance.org.org_id, call.session.user_id
    )
    return json_answer(200, resources)


def show_limits(call: Call) -> Response:
    """Answer ``GET /limits``."""
    return json_answer(200, limits_document(call.instance.usage, call.version))


def count_rows(call: Call) -> Response:
    """Answer ``GET /limits/recordCount``; names of no object are left out silently."""
    asked = call.request.params().get("sObjects")
    schema, store = call.instance.schema, call.instance.store
    if asked is None:
        chosen = sorted(t.name for t in schema)
    else:
        found = [schema.get(name.strip()) for name in asked.split(",")]
        chosen = sorted({t.name for t in found if t is not None})
    counts = [{"count": store.count(name), "name": name} for name in chosen]
    return json_answer(200, {"sObjects": counts})


def list_recent(call: Call) -> Response:
    """Answer ``GET /recent``."""
    limit = call.request.params().get("limit", str(KEPT_ITEMS))
    most = min(int(limit), KEPT_ITEMS) if limit.isdecimal() else KEPT_ITEMS
    return json_answer(200, recent_items(call)[:most])


def recent_items(call: Call, sobject: str | None = None) -> list[dict[str, object]]:
    """What the user has used last, newest first; of one object or of all."""
    items = []
    for record_id, name in call.instance.recent.of(call.session.user_id):
        if sobject in {None, name}:
            item = _recent_item(call, name, record_id)
            items.extend([] if item is None else [item])
    return items


def _recent_item(call: Call, name: str, record_id: str) -> dict[str, object] | None:
    t = call.instance.schema.get(name)
    title = None if t is None else t.name_field
    fields = ["Id"] if title is None else ["Id", title.name]
    try:
        return call.instance.store.retrieve(name, record_id, fields, version=call.version)
    except ApiError:
        # Deleted since.
        return None
