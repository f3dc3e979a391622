"""Read the error bodies of Salesforce's surfaces into one shape.

REST sends an array of objects, Bulk 1.0 an object or XML, SOAP a fault, OAuth an object of its
own, UI API sometimes another; edges and proxies send HTML, plain text or nothing.
Source: REST API Developer Guide, "Status Codes and Error Responses"; Bulk API guide, "Errors".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec

from sfconnect.messages import JSON_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfconnect.messages import Response


@dataclass(frozen=True, slots=True)
class Fault:
    """One error that an answer lists."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


_TITLE = re.compile(rb"<(title|h1)[^>]*>\s*(.*?)\s*</\1>", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(rb"[A-Za-z]{1,20}(?:_[A-Za-z]{1,20}){1,3}")
_XML_START = re.compile(rb"<(?!!doctype\s+html|html|h1|body|head)", re.IGNORECASE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_faults(response: Response) -> tuple[Fault, ...]:
    """Return the errors that the body lists, whatever its form; none if it lists none."""
    content = response.content.removeprefix(_BYTE_ORDER_MARK).strip()
    if content[:1] in {b"[", b"{"}:
        return tuple(_from_json(content))
    if _XML_START.match(content):
        return tuple(_from_xml(content))
    return tuple(_from_plain(response))


def page_title(content: bytes) -> str | None:
    """Return the title of an HTML page: all that such an answer tells."""
    found = _TITLE.search(content[:4096])
    if found is None:
        return None
    text = re.sub(rb"<[^>]+>|\s+", b" ", found[2]).strip()
    return text.decode("utf-8", "replace")[:100] or None


def _from_json(content: bytes) -> Iterator[Fault]:
    try:
        body = msgspec.json.decode(content)
    except JSON_ERRORS:
        return
    for entry in _objects(body if isinstance(body, list) else [body]):
        yield from _from_object(entry)


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; what a broken body has in its place counts as none."""
    entries = value if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


_CODE_KEYS = ("errorCode", "statusCode", "exceptionCode", "error", "enhancedErrorType")
_MESSAGE_KEYS = ("message", "exceptionMessage", "error_description")


def _from_object(entry: dict[str, Any]) -> Iterator[Fault]:
    output = entry.get("output")
    if isinstance(output, dict):
        yield from _from_ui_api(output)
    yield from _from_rows(entry)
    code, message = _first(entry, _CODE_KEYS), _first(entry, _MESSAGE_KEYS)
    if code or message:
        yield Fault(code, message, _fields(entry))


def _from_rows(entry: dict[str, Any]) -> Iterator[Fault]:
    """Of a request about several records, as a tree is, each record lists its own errors."""
    for result in (entry, *_objects(entry.get("results"))):
        for error in _objects(result.get("errors")):
            code, message = _first(error, _CODE_KEYS), _first(error, _MESSAGE_KEYS)
            if code or message:
                yield Fault(code, message, _fields(error))


def _fields(entry: dict[str, Any]) -> tuple[str, ...]:
    fields = entry.get("fields")
    return tuple(str(name) for name in fields) if isinstance(fields, list) else ()


def _from_ui_api(output: dict[str, Any]) -> Iterator[Fault]:
    for entry in _objects(output.get("errors")):
        yield Fault(_first(entry, _CODE_KEYS), _first(entry, _MESSAGE_KEYS))
    by_field = output.get("fieldErrors")
    for name, entries in by_field.items() if isinstance(by_field, dict) else ():
        for entry in _objects(entries):
            yield Fault(_first(entry, _CODE_KEYS), _first(entry, _MESSAGE_KEYS), (name,))


def _first(entry: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _from_xml(content: bytes) -> Iterator[Fault]:
    # An error of Salesforce has no DTD; refusing one leaves entity tricks nothing to work with.
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return
    try:
        root = ET.fromstring(content)  # noqa: S314  # without a DTD there is nothing to expand
    except (ET.ParseError, LookupError, ValueError):  # the latter for encodings it does not know
        return
    for element in root.iter():
        children = {_local(child.tag): (child.text or "").strip() for child in element}
        code = children.get("errorCode") or children.get("exceptionCode")
        code = code or children.get("faultcode", "").rpartition(":")[2]
        message = children.get("message") or children.get("exceptionMessage")
        message = message or children.get("faultstring", "")
        if code:
            yield Fault(code, message)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _from_plain(response: Response) -> Iterator[Fault]:
    # The identity and single-access endpoints answer with a bare word.
    if response.content_type not in {"text/plain", "text/html", ""}:
        return
    if (word := _WORD.fullmatch(response.content.strip())) is not None:
        code = word[0].decode()
        yield Fault(code, code)
