"""The control API: ``Control`` over HTTP, for processes that are not the org's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated

import msgspec

from sfconnect_emulator.capacity import Capacity, Overload
from sfconnect_emulator.control import Control
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.faults import FaultFileError, parse_rules
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.oauth.devices import DeviceRequest
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuer
from sfconnect_emulator.rendering import json_answer
from sfconnect_emulator.wire import Request, Response

CONTROL_PREFIX = "/__control__"


class _Revoke(msgspec.Struct, forbid_unknown_fields=True):
    token: str | None = None
    refresh_tokens: bool = False


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: float = 0
    freeze: bool | datetime = False
    reset: bool = False


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    ms: Annotated[float, msgspec.Meta(ge=0)]


class _TokenTtl(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(gt=0)]


class _Capacity(msgspec.Struct, forbid_unknown_fields=True):
    concurrent: Annotated[int, msgspec.Meta(ge=1)] | None = None
    over: Overload = Overload.QUEUE
    daily_api_requests: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _ContentHash(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    fields: list[str]


class _Authorize(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    username: str | None = None
    allow: bool = True


class _AnswerDevice(msgspec.Struct, forbid_unknown_fields=True):
    user_code: str
    username: str | None = None
    allow: bool = True


class _DeviceInterval(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(ge=0)]


class _Data360Ttl(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[int, msgspec.Meta(ge=0)]


class _SamlAssertion(msgspec.Struct, forbid_unknown_fields=True):
    username: str | None = None
    audience: str = "https://login.salesforce.com"
    valid_s: Annotated[float, msgspec.Meta(ge=-86_400, le=86_400)] = 300


class ControlApi:
    """Answer requests under ``/__control__``; they are neither counted nor delayed."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._operations: dict[tuple[str, ...], Callable[[Request], object]] = {
            ("GET",): self._index,
            ("POST", "reset"): self._reset,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "tokens", "revoke"): self._revoke,
            ("POST", "token-ttl"): self._token_ttl,
            ("POST", "clock"): self._clock,
            ("GET", "stats"): lambda _: control.statistics(),
            ("GET", "ledger"): self._ledger,
            ("POST", "content-hash"): self._content_hash,
            ("POST", "latency"): self._latency,
            ("POST", "capacity"): self._capacity,
            ("POST", "locators", "expire"): self._expire_locators,
            ("POST", "authorize"): self._authorize,
            ("GET", "devices"): lambda _: [_shown_device(one) for one in control.devices()],
            ("POST", "devices"): self._answer_device,
            ("POST", "device-interval"): self._device_interval,
            ("POST", "saml-assertion"): self._saml_assertion,
            ("GET", "token-issuers"): lambda _: control.trusted_issuers(),
            ("POST", "token-issuers"): self._trust_issuer,
            ("POST", "data360-ttl"): self._data360_ttl,
            ("GET", "org"): lambda _: control.org_policies(),
            ("PATCH", "org"): self._change_org,
            ("GET", "apps"): lambda _: [_shown(app) for app in control.apps()],
        }
        self._named: dict[tuple[str, str], Callable[[Request], object]] = {
            ("PATCH", "apps"): self._change_app,
            ("DELETE", "token-issuers"): self._distrust_issuer,
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request."""
        if not _from_loopback(request):
            return _refusal(403, "the control API answers on loopback names only")
        operation = self._find(request)
        if operation is None:
            return _refusal(404, f"no such operation: {request.method} {request.path}")
        try:
            return json_answer(200, operation(request))
        except (msgspec.DecodeError, FaultFileError, ValueError) as error:
            return _refusal(400, str(error))
        except KeyError as error:
            return _refusal(404, f"unknown: {error}")
        except ApiError as error:
            return _refusal(404, error.message)

    def _find(self, request: Request) -> Callable[[Request], object] | None:
        steps = request.segments[1:]
        match steps:
            case (kind, _) if (request.method, kind) in self._named:
                return self._named[request.method, kind]
        return self._operations.get((request.method, *steps))

    def _index(self, request: Request) -> object:
        del request
        names = [f"{method} /{'/'.join(steps)}" for method, *steps in self._operations]
        named = [f"{method} /{kind}/{{name}}" for method, kind in self._named]
        return {"operations": [*names, *named]}

    def _reset(self, request: Request) -> object:
        del request
        self._control.reset()
        return {}

    def _list_faults(self, request: Request) -> object:
        del request
        return self._control.faults()

    def _add_faults(self, request: Request) -> object:
        return {"rules": self._control.add_faults(parse_rules(request.body))}

    def _clear_faults(self, request: Request) -> object:
        del request
        self._control.clear_faults()
        return {"rules": 0}

    def _revoke(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body or b"{}", type=_Revoke)
        count = self._control.revoke_tokens(asked.token, refresh_tokens=asked.refresh_tokens)
        return {"revoked": count}

    def _token_ttl(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_TokenTtl)
        self._control.set_token_ttl(asked.seconds)
        return {"seconds": asked.seconds}

    def _clock(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body or b"{}", type=_Clock)
        if asked.reset:
            self._control.reset_clock()
        if asked.freeze is not False:
            self._control.freeze_clock(None if asked.freeze is True else asked.freeze)
        return {"now": self._control.advance_clock(asked.advance_s)}

    def _ledger(self, request: Request) -> object:
        since = int(request.params().get("since", "0"))
        return [write for write in self._control.ledger() if write.number > since]

    def _content_hash(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_ContentHash)
        digest = self._control.content_hash(asked.object, asked.fields)
        return {"rows": self._control.count(asked.object), "sha256": digest}

    def _latency(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_Latency)
        self._control.set_latency(asked.ms)
        return {"ms": asked.ms}

    def _capacity(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body or b"{}", type=_Capacity)
        self._control.set_capacity(Capacity(asked.concurrent, asked.over))
        if asked.daily_api_requests is not None:
            self._control.set_daily_api_requests(asked.daily_api_requests)
        return asked

    def _expire_locators(self, request: Request) -> object:
        del request
        self._control.expire_locators()
        return {}

    def _authorize(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_Authorize)
        decide = self._control.authorize
        return {"location": decide(asked.url, username=asked.username, allow=asked.allow)}

    def _answer_device(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_AnswerDevice)
        answer = self._control.answer_device
        answer(asked.user_code, username=asked.username, allow=asked.allow)
        return {"allowed": asked.allow}

    def _device_interval(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_DeviceInterval)
        self._control.set_device_interval(asked.seconds)
        return {"seconds": asked.seconds}

    def _saml_assertion(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body or b"{}", type=_SamlAssertion)
        sign = self._control.saml_assertion
        xml = sign(username=asked.username, audience=asked.audience, valid_s=asked.valid_s)
        return {"assertion": xml}

    def _trust_issuer(self, request: Request) -> object:
        issuer = msgspec.json.decode(request.body, type=TrustedIssuer)
        self._control.trust_issuer(issuer)
        return issuer

    def _distrust_issuer(self, request: Request) -> object:
        self._control.distrust_issuer(request.segments[2])
        return {}

    def _data360_ttl(self, request: Request) -> object:
        asked = msgspec.json.decode(request.body, type=_Data360Ttl)
        self._control.set_data360_token_life(asked.seconds)
        return asked

    def _change_org(self, request: Request) -> object:
        changes = msgspec.json.decode(request.body, type=dict[str, object])
        return self._control.change_org(changes)

    def _change_app(self, request: Request) -> object:
        changes = msgspec.json.decode(request.body, type=dict[str, object])
        return _shown(self._control.change_app(request.segments[2], changes))


def _from_loopback(request: Request) -> bool:
    """A page in a browser can reach loopback under a name of its own; it finds nobody here."""
    host = request.headers.get("host", "localhost").rpartition("@")[2]
    name = host.rsplit("]", 1)[0].lstrip("[") if "[" in host else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _refusal(status: int, message: str) -> Response:
    return json_answer(status, {"error": message})


def _shown(app: ConnectedApp) -> dict[str, object]:
    return {
        "client_id": app.client_id,
        "name": app.name,
        "run_as": app.run_as,
        "scopes": app.scopes,
        "flows": sorted(app.flows),
        "profiles": sorted(app.profiles),
        "permission_sets": sorted(app.permission_sets),
        "approved_users": None if app.approved_users is None else sorted(app.approved_users),
        "admin_approval": app.admin_approval,
        "rotate_refresh_tokens": app.rotate_refresh_tokens,
        "require_secret_for_refresh": app.require_secret_for_refresh,
        "require_secret_for_exchange": app.require_secret_for_exchange,
        "refresh_token_idle_s": app.refresh_token_idle_s,
        "refresh_token_life_s": app.refresh_token_life_s,
        "max_assertion_s": app.max_assertion_s,
        "callbacks": app.callbacks,
        "require_pkce": app.require_pkce,
        "require_secret": app.require_secret,
        "ip_ranges": app.ip_ranges,
        "ip_relaxation": app.ip_relaxation,
        "installed": app.installed,
        "propagated": app.propagated,
        "introspects_all": app.introspects_all,
        "jwt_access_tokens": app.jwt_access_tokens,
        "jwt_access_token_life_s": app.jwt_access_token_life_s,
    }


def _shown_device(waiting: DeviceRequest) -> dict[str, object]:
    return {
        "user_code": waiting.user_code,
        "client_id": waiting.client_id,
        "scope": waiting.scope,
        "allowed": waiting.allowed,
        "expired": waiting.is_expired(),
    }
