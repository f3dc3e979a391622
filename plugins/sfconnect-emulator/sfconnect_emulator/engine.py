"""The org as one pure function: a request in, an answer out. No sockets, no event loop."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Mapping
from dataclasses import replace

from msgspec import UNSET

from sfconnect_emulator import faults
from sfconnect_emulator.control import Control
from sfconnect_emulator.control_api import CONTROL_PREFIX, ControlApi
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.faults import Rule
from sfconnect_emulator.finishing import corrupt_gzip, finish
from sfconnect_emulator.instance import Exchange, Instance
from sfconnect_emulator.ledger import LoggedRequest, RequestLog
from sfconnect_emulator.oauth.server import bearer_token
from sfconnect_emulator.rendering import HTML, JSON, TEXT, encode_json, html_answer
from sfconnect_emulator.rest.errors import (
    concurrent_limit_exceeded,
    error_answer,
    json_parser_error,
    session_invalid,
    unknown_exception,
)
from sfconnect_emulator.rest.service import RestService
from sfconnect_emulator.routes import route_label
from sfconnect_emulator.wire import Request, Response

MAX_HEAD_BYTES = 16_384
MAX_BODY_BYTES = 50 * 1024 * 1024
_ANY_ZLIB_WINDOW = 47
_LINE_EXTRA = len("  HTTP/1.1\r\n")
_HEADER_EXTRA = len(": \r\n")
_log = logging.getLogger("sfconnect_emulator")


class Engine:
    """Answer requests for one org, with the faults that are set."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.control = Control(instance)
        self._control_api = ControlApi(self.control)
        self._rest = RestService(instance)
        log = instance.settings.request_log
        self._request_log = None if log is None else RequestLog(log)
        digest = hashlib.sha256(f"requests of {instance.settings.seed}".encode())
        self._id_prefix = digest.hexdigest()[:20]
        self._count = 0

    def close(self) -> None:
        """Release files."""
        if self._request_log is not None:
            self._request_log.close()
        self.instance.close()

    def handle(self, request: Request) -> Response:
        """Answer one request; never raises for anything that a client can send."""
        if request.path.startswith(CONTROL_PREFIX):
            return self._control_api.handle(request)
        exchange = self._begin(request)
        rule = self.instance.faults.pick(request)
        answer = self._answer(exchange) if rule is None else self._answer_under(rule, exchange)
        return self._end(exchange, answer, rule)

    def refuse_for_load(self, request: Request) -> Response:
        """Answer a request that came while too many others were being worked on."""
        return self._end(self._begin(request), error_answer(concurrent_limit_exceeded()), None)

    def _begin(self, request: Request) -> Exchange:
        self._count += 1
        return Exchange(request, f"{self._id_prefix}{self._count:012x}")

    def _end(self, exchange: Exchange, answer: Response, rule: Rule | None) -> Response:
        request = exchange.request
        date = self.instance.clock.http_date()
        response = finish(request, answer, date, exchange.request_id)
        if rule is not None:
            exchange.fault = rule.label
            self.instance.statistics.faults[rule.label] += 1
            response = _spoilt(response, rule)
        label = route_label(request.method, request.segments)
        self.instance.statistics.answered(label, response.status, len(response.body))
        if self._request_log is not None:
            self._write_log(self._request_log, exchange, response)
        return response

    def _answer_under(self, rule: Rule, exchange: Exchange) -> Response:
        action = rule.action
        tokens = self.instance.tokens
        if isinstance(action, faults.Respond):
            return _made_up(action)
        if isinstance(action, faults.Unauthorized):
            return error_answer(session_invalid())
        if isinstance(action, faults.ExpireSession):
            tokens.revoke(bearer_token(exchange.request.headers) or "")
        elif isinstance(action, faults.RevokeTokens):
            self.control.revoke_tokens(refresh_tokens=action.refresh_tokens)
        return self._answer(exchange) if action.acts else Response(0)

    def _answer(self, exchange: Exchange) -> Response:
        refusal = _too_large(exchange.request)
        if refusal is not None:
            return refusal
        try:
            exchange.request = _decoded(exchange.request)
            return self._route(exchange)
        except ApiError as error:
            return error_answer(error)
        except Exception:  # noqa: BLE001 - the org must answer; the log names the failure
            _log.exception("request %s failed", exchange.request_id)
            return error_answer(unknown_exception())

    def _route(self, exchange: Exchange) -> Response:
        if exchange.request.segments[:2] == ("services", "data"):
            return self._rest.handle(exchange)
        response = self.instance.authorization.handle(exchange.request)
        if response is not None:
            return response
        page = "<html><head><title>URL No Longer Exists</title></head><body></body></html>"
        return Response(404, {"Content-Type": HTML}, page.encode())

    def _write_log(self, log: RequestLog, exchange: Exchange, response: Response) -> None:
        request = exchange.request
        log.write(
            LoggedRequest(
                at=self.instance.clock.now().isoformat(),
                request_id=exchange.request_id,
                method=request.method,
                path=request.path,
                query=request.query,
                status=response.status,
                request_bytes=len(request.body),
                response_bytes=len(response.body),
                user=exchange.user,
                fault=exchange.fault,
            )
        )


def _too_large(request: Request) -> Response | None:
    uri_bytes = len(request.path) + len(request.query) + 1
    if uri_bytes > MAX_HEAD_BYTES:
        return html_answer(414, "URI Too Long")
    if uri_bytes + _head_bytes(request.headers) > MAX_HEAD_BYTES:
        return html_answer(431, "Request Header Fields Too Large")
    if len(request.body) > MAX_BODY_BYTES:
        return html_answer(413, "Request Entity Too Large")
    return None


def _head_bytes(headers: Mapping[str, str]) -> int:
    return _LINE_EXTRA + sum(
        [len(name) + len(value) + _HEADER_EXTRA for name, value in headers.items()]
    )


def _decoded(request: Request) -> Request:
    """Unpack a compressed body; a body that does not unpack cannot be parsed either."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity" or not request.body:
        return request
    if encoding not in {"gzip", "deflate"}:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Encoding '{encoding}' is unknown")
    unpacker = zlib.decompressobj(_ANY_ZLIB_WINDOW)
    try:
        body = unpacker.decompress(request.body, MAX_BODY_BYTES)
    except zlib.error:
        body = b""
    if not unpacker.eof:
        raise json_parser_error(f"The entity body is no complete {encoding} stream")
    return replace(request, body=body)


def _made_up(action: faults.Respond) -> Response:
    if action.html is not None:
        kind, body = HTML, action.html.encode()
    elif action.text is not None:
        kind, body = TEXT, action.text.encode()
    elif action.json is not UNSET:
        kind, body = JSON, encode_json(action.json)
    else:
        return Response(action.status, dict(action.headers))
    return Response(action.status, {"Content-Type": kind, **action.headers}, body)


def _spoilt(response: Response, rule: Rule) -> Response:
    if isinstance(rule.action, faults.CorruptGzip):
        response = corrupt_gzip(response)
    return replace(response, delivery=rule.action.delivery())
