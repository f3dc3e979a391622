"""Describes, kept as bytes: the schema does not change while an org runs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from sfconnect_emulator.rendering import JSON, encode_json, json_answer
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.rest.discovery import recent_items
from sfconnect_emulator.schema.describe import (
    describe_global,
    describe_global_entry,
    describe_object,
)
from sfconnect_emulator.wire import Response

# When the schema was changed last, as far as conditional requests are concerned.
_SCHEMA_CHANGED = datetime(2026, 10, 12, tzinfo=UTC)
_LAST_MODIFIED = format_datetime(_SCHEMA_CHANGED, usegmt=True)


def list_objects(call: Call) -> Response:
    """Answer ``GET /sobjects``."""
    return _conditional(call, "")


def show_object(call: Call) -> Response:
    """Answer ``GET /sobjects/X``."""
    t = call.sobject()
    entry = describe_global_entry(t, call.version)
    return json_answer(200, {"objectDescribe": entry, "recentItems": recent_items(call, t.name)})


def describe(call: Call) -> Response:
    """Answer ``GET /sobjects/X/describe``."""
    return _conditional(call, call.sobject().name)


def _conditional(call: Call, name: str) -> Response:
    body = _described(call, name)
    etag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
    headers = {"Content-Type": JSON, "ETag": etag, "Last-Modified": _LAST_MODIFIED}
    if _unchanged(call):
        del headers["Content-Type"]
        return Response(304, headers)
    return Response(200, headers, body)


def _unchanged(call: Call) -> bool:
    since = call.request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(since) >= _SCHEMA_CHANGED
    except (ValueError, TypeError):
        return False


def _described(call: Call, name: str) -> bytes:
    instance, key = call.instance, (name, call.version)
    body = instance.describes.get(key)
    if body is None:
        t = instance.schema.get(name)
        content = (
            describe_global(instance.schema, call.version)
            if t is None
            else describe_object(instance.schema, t, call.version, instance_url=instance.base_url)
        )
        body = instance.describes[key] = encode_json(content)
    return body
