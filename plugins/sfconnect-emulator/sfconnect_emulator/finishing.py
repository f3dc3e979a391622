"""The last steps of an answer: format, headers that all answers have, compression."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgspec

from sfconnect_emulator.rendering import JSON, XML, pretty_json, xml_errors
from sfconnect_emulator.wire import Request, Response

GZIP_FROM_BYTES = 1_024
_FIRST_ERROR = 300
_GZIP_WINDOW = 31
_DEFLATE_START = slice(10, 14)
# A deflate block type that does not exist: whatever follows cannot be read.
_NO_DEFLATE = b"\xff\xff\xff\xff"
_EVERYWHERE = {
    "Vary": "Accept-Encoding",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "X-Robots-Tag": "none",
    "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
    "Server": "sfdcedge",
}


def finish(request: Request, response: Response, http_date: str, request_id: str) -> Response:
    """Give an answer its final form for this client."""
    headers = {
        "Date": http_date,
        **_EVERYWHERE,
        "X-SFDC-Request-Id": request_id,
        "X-Request-Id": request_id,
        **response.headers,
    }
    # An answer carries one cookie; that of a login is worth more than this one.
    if "Set-Cookie" not in headers and "BrowserId=" not in request.headers.get("cookie", ""):
        headers["Set-Cookie"] = _cookie(request_id)
    body = response.body
    if body:
        body = _formatted(request, response.status, headers, body)
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = _compressed(headers, body)
    if request.method == "HEAD":
        body = b""
    return replace(response, headers=headers, body=body)


def corrupt_gzip(response: Response) -> Response:
    """Compress the body, if it is not, and spoil it behind the header."""
    headers = dict(response.headers)
    body = response.body
    if headers.get("Content-Encoding") != "gzip":
        body = _gzip(body)
        headers["Content-Encoding"] = "gzip"
    spoilt = bytearray(body)
    spoilt[_DEFLATE_START] = _NO_DEFLATE
    return replace(response, headers=headers, body=bytes(spoilt))


def _formatted(request: Request, status: int, headers: dict[str, str], body: bytes) -> bytes:
    if headers.get("Content-Type") != JSON:
        return body
    if status > _FIRST_ERROR and "xml" in request.headers.get("accept", ""):
        errors = msgspec.json.decode(body)
        if isinstance(errors, list):
            headers["Content-Type"] = XML
            return xml_errors(errors)
    if request.headers.get("x-prettyprint") == "1":
        return pretty_json(msgspec.json.decode(body))
    return body


def _compressed(headers: dict[str, str], body: bytes) -> bytes:
    if len(body) < GZIP_FROM_BYTES:
        return body
    headers["Content-Encoding"] = "gzip"
    return _gzip(body)


def _gzip(body: bytes) -> bytes:
    # Level 1: the server shares its processor with the clients under test.
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()


def _cookie(request_id: str) -> str:
    return (
        f"BrowserId={request_id[:22]}; domain=.salesforce.com; path=/; "
        "Max-Age=31536000; SameSite=Lax"
    )
