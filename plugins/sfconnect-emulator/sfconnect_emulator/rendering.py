"""Turn values into answers: JSON compact or pretty, XML errors, HTML of the edge, plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

import msgspec

from sfconnect_emulator.wire import Response

JSON = "application/json;charset=UTF-8"
XML = "application/xml;charset=UTF-8"
HTML = "text/html;charset=UTF-8"
TEXT = "text/plain;charset=UTF-8"

_encoder = msgspec.json.Encoder()
encode_json = _encoder.encode


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with compact JSON."""
    return Response(status, {"Content-Type": JSON, **(headers or {})}, encode_json(content))


def html_answer(status: int, reason: str) -> Response:
    """Answer as the edge proxy does for requests it will not pass on."""
    body = f"<h1>Bad Message {status}</h1><pre>reason: {escape(reason)}</pre>"
    return Response(status, {"Content-Type": "text/html;charset=iso-8859-1"}, body.encode())


def text_answer(status: int, text: str) -> Response:
    """Answer with a line of plain text."""
    return Response(status, {"Content-Type": TEXT}, text.encode())


def empty_answer(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answer without body and Content-Type."""
    return Response(status, dict(headers or {}))


def pretty_json(content: object) -> bytes:
    """JSON as ``X-PrettyPrint: 1`` gives it: two spaces, ``"k" : v``, ``[ ]``, ``{ }``."""
    return _pretty(content, "").encode("utf-8")


def _pretty(value: object, indent: str) -> str:
    if isinstance(value, Mapping):
        return _pretty_object(value, indent)
    if isinstance(value, list | tuple):
        inner = ", ".join(_pretty(item, indent) for item in value)
        return f"[ {inner} ]" if inner else "[ ]"
    return encode_json(value).decode("utf-8")


def _pretty_object(value: Mapping[str, object], indent: str) -> str:
    if not value:
        return "{ }"
    deeper = indent + "  "
    members = [
        f"{deeper}{encode_json(name).decode('utf-8')} : {_pretty(item, deeper)}"
        for name, item in value.items()
    ]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def xml_errors(errors: Sequence[Mapping[str, object]]) -> bytes:
    """The XML form of REST errors; other members than code, message and fields are dropped."""
    parts = []
    for error in errors:
        fields = error.get("fields")
        named = "".join(f"<fields>{escape(str(one))}</fields>" for one in _items(fields))
        parts.append(
            f"<Error><errorCode>{escape(str(error['errorCode']))}</errorCode>"
            f"<message>{escape(str(error['message']))}</message>{named}</Error>"
        )
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}<Errors>{''.join(parts)}</Errors>".encode()


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
