"""The way of a REST call: version, session, quota, resource, handler."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from sfconnect_emulator.data.errors import ApiError, no_such_resource
from sfconnect_emulator.instance import Exchange, Instance
from sfconnect_emulator.oauth.server import bearer_token
from sfconnect_emulator.oauth.tokens import Session
from sfconnect_emulator.rendering import json_answer
from sfconnect_emulator.rest.call import Call
from sfconnect_emulator.rest.errors import (
    api_disabled,
    daily_limit_exceeded,
    error_answer,
    invalid_auth_header,
    method_not_allowed,
    retired_version,
    session_invalid,
    session_not_for_rest,
)
from sfconnect_emulator.rest.resources import find_resource
from sfconnect_emulator.settings import NEWEST_VERSION, OLDEST_VERSION
from sfconnect_emulator.wire import Request, Response

_VERSION = re.compile(r"v([1-9][0-9]?)\.0")
_FIRST_VERSION_EVER = 7
_SEASONS = ("Winter", "Spring", "Summer")
_WINTER_26 = 65


class RestService:
    """Answer requests under ``/services/data``."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._versions = [_version_entry(n) for n in range(OLDEST_VERSION, NEWEST_VERSION + 1)]

    def handle(self, exchange: Exchange) -> Response:
        """Answer one request; every refusal becomes an answer too."""
        request = exchange.request
        if not request.segments[2:]:
            return self._list_versions(request)
        try:
            version = _version(request.segments[2])
            session = self._session(request)
        except ApiError as error:
            return error_answer(error)
        exchange.user = session.username
        return self._counted(exchange, version, session)

    def _list_versions(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return error_answer(method_not_allowed(request.method, ["GET"]))
        return json_answer(200, self._versions)

    def _session(self, request: Request) -> Session:
        token = bearer_token(request.headers)
        if token is None and "authorization" in request.headers:
            raise invalid_auth_header()
        session = None if token is None else self._instance.tokens.use(token)
        if session is None:
            raise session_invalid()
        org = self._instance.apps.org
        if not org.api_enabled:
            raise api_disabled()
        if not _opens_rest(session.scope) or session.username.lower() in org.users_without_api:
            raise session_not_for_rest()
        return session

    def _counted(self, exchange: Exchange, version: int, session: Session) -> Response:
        usage = self._instance.usage
        within_quota = usage.count()
        try:
            if not within_quota:
                raise daily_limit_exceeded()
            response = self._dispatch(exchange, version, session)
        except ApiError as error:
            response = error_answer(error)
        headers = {**response.headers, "Sforce-Limit-Info": usage.header()}
        return replace(response, headers=headers)

    def _dispatch(self, exchange: Exchange, version: int, session: Session) -> Response:
        request = exchange.request
        method = _method(request)
        rest = request.segments[3:]
        resource = find_resource(self._instance.schema, rest)
        if resource is None:
            raise no_such_resource()
        handler = resource.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise method_not_allowed(method, resource)
        request_id = exchange.request_id
        return handler(Call(self._instance, request, request_id, method, version, session, rest))


@lru_cache(maxsize=64)
def _opens_rest(scope: str) -> bool:
    return not frozenset(scope.split()).isdisjoint({"api", "full"})


def _method(request: Request) -> str:
    if request.method == "POST" and "_HttpMethod=" in request.query:
        return request.params().get("_HttpMethod", "POST")
    return request.method


def _version(segment: str) -> int:
    match = _VERSION.fullmatch(segment)
    number = 0 if match is None else int(match[1])
    if OLDEST_VERSION <= number <= NEWEST_VERSION:
        return number
    if _FIRST_VERSION_EVER <= number < OLDEST_VERSION:
        raise retired_version(number)
    raise no_such_resource()


def _version_entry(number: int) -> dict[str, str]:
    years, season = divmod(number - _WINTER_26, len(_SEASONS))
    return {
        "label": f"{_SEASONS[season]} '{26 + years}",
        "url": f"/services/data/v{number}.0",
        "version": f"{number}.0",
    }
