"""Events reach every hook, break no call, and let no secret out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections import OrderedDict, namedtuple
from dataclasses import FrozenInstanceError, asdict, fields
from functools import partial
from types import MappingProxyType

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from sfconnect._types import Secret
from sfconnect.errors import ConfigurationError
from sfconnect.instrumentation import (
    REDACTED,
    CircuitOpened,
    Emitter,
    Event,
    JobAdvanced,
    LimitChanged,
    LimiterLost,
    QuotaSeen,
    RequestFinished,
    RetryEnded,
    RetryScheduled,
    StructlogHook,
    TokenFailed,
    TokenReplaced,
    redact,
    redact_text,
    redacting_processor,
)

TOKEN = "00D5g000008bXyZ!AQEAQCanary.Canary_Canary"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Canary-canary_canary"
QUOTA = QuotaSeen("api-usage", 5, 100)
EVENTS: dict[Event, str] = {
    RequestFinished("GET", "/x", "rest", 200, None, 1.5, 1, "r1"): "request.finished",
    RetryScheduled("GET", "/x", "rest", "ConnectError", 1, 500.0): "retry.scheduled",
    TokenReplaced("JwtBearer", "abc", "initial", 12.0): "token.replaced",
    TokenFailed("JwtBearer", "abc", "initial", "AuthError", "invalid_grant"): "token.failed",
    LimitChanged("rest", 5, "throttled"): "limit.changed",
    LimiterLost("redis", 3, "ConnectionError"): "limiter.lost",
    QUOTA: "quota.seen",
    JobAdvanced("extract Account", "advanced", 5, None): "job.advanced",
}


@pytest.mark.parametrize(("event", "name"), EVENTS.items(), ids=EVENTS.values())
def test_events_are_values_with_a_dotted_name(event, name):
    assert event.name == name
    with pytest.raises(FrozenInstanceError):
        setattr(event, fields(event)[0].name, "another")


def test_every_hook_gets_every_event_in_order():
    seen: list[tuple[str, object]] = []
    emitter = Emitter([lambda event: seen.append(("a", event)), lambda e: seen.append(("b", e))])

    emitter.emit(QUOTA)

    assert seen == [("a", QUOTA), ("b", QUOTA)]


def test_an_emitter_without_hooks_is_silent():
    emitter = Emitter()

    emitter.emit(QUOTA)

    assert emitter.hooks == ()


async def test_a_hook_that_raises_is_reported_and_the_next_is_still_called():
    reports: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    seen: list[object] = []
    own = ValueError("a bug in a hook")

    def bad(event: object) -> None:
        raise own

    Emitter([bad, seen.append]).emit(QUOTA)

    assert seen == [QUOTA]
    assert reports[0]["exception"] is own
    assert "quota.seen" in str(reports[0]["message"])
    assert "bad" in str(reports[0]["message"])


def test_a_hook_that_raises_outside_of_a_loop_is_logged(caplog):
    def bad(event: object) -> None:
        raise ValueError("a bug in a hook")

    Emitter([bad]).emit(QUOTA)

    assert "quota.seen" in caplog.text
    assert "a bug in a hook" in caplog.text


def test_structlog_gets_each_event_under_its_name():
    with structlog.testing.capture_logs() as logs:
        hook = StructlogHook()
        for event in EVENTS:
            hook(event)

    assert [entry["event"] for entry in logs] == list(EVENTS.values())
    warnings = {entry["event"] for entry in logs if entry["log_level"] == "warning"}
    assert warnings == {"retry.scheduled", "token.failed", "limiter.lost"}
    assert logs[0]["path"] == "/x"
    assert logs[6]["used"] == 5


class AsyncHook:
    async def __call__(self, event: object) -> None:
        """Would have to be awaited."""


async def async_hook(event: object) -> None:
    """Would have to be awaited."""


@pytest.mark.parametrize("hook", [async_hook, AsyncHook(), partial(async_hook)])
def test_what_nobody_would_await_is_no_hook(hook):
    with pytest.raises(ConfigurationError, match="coroutine function") as caught:
        Emitter([hook])

    assert "queue" in str(caught.value.hint)


def test_why_a_login_failed_is_no_secret():
    event = TokenFailed("JwtBearer", "abc", "initial", "AuthError", "invalid_grant")

    assert "invalid_grant" in redacting_processor(None, "", {**asdict(event)}).values()


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (JobAdvanced("extract Account", "finished", 5, 5), "debug"),
        (JobAdvanced("extract Account", "failed", 2, 5, "QUERY_TIMEOUT"), "warning"),
        (CircuitOpened("org.example.com", "ConnectError", 10, 1000.0), "warning"),
        (RetryEnded("GET", "/x", "rest", "503", 5, "the policy allows 5 attempts"), "warning"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_troubles_are_warnings(event, level):
    with structlog.testing.capture_logs() as logs:
        StructlogHook()(event)

    assert logs[0]["log_level"] == level


def test_what_an_event_does_not_know_is_left_out_and_times_are_short():
    with structlog.testing.capture_logs() as logs:
        StructlogHook()(RequestFinished("GET", "/x", "rest", 200, None, 4.0166730013, 1, None))

    assert logs[0]["elapsed_ms"] == 4.017
    assert not {"error", "request_id"} & set(logs[0])


def test_structlog_may_be_given_a_logger_of_ones_own():
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture]).bind(org="acme")

    StructlogHook(logger)(QUOTA)

    assert capture.entries[0]["org"] == "acme"


SECRET_KEYS = [
    "access_token",
    "accessToken",
    "token",
    "refresh_token",
    "client_secret",
    "clientSecret",
    "password",
    "passphrase",
    "assertion",
    "client_assertion",
    "Authorization",
    "Proxy-Authorization",
    "cookie",
    "Set-Cookie",
    "code_verifier",
    "signature",
    "private_key",
    "privateKey",
    "code",
    "sid",
    "session_id",
    "sessionId",
    "api_key",
    "x-api-key",
    "apiKey",
]
HARMLESS_KEYS = [
    "token_type",
    "private_key_file",
    "status_code",
    "error_code",
    "path",
    "identity",
    "side",
    "keyboard",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("value", ["canary", b"canary", ["canary"], {"a": "canary"}, 12345])
def test_what_stands_under_a_secret_name_is_replaced_whatever_it_is(key, value):
    assert redact({key: value}) == {key: REDACTED}


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_names_that_only_resemble_a_secret_keep_their_value(key):
    assert redact({key: "value"}) == {key: "value"}


@pytest.mark.parametrize("value", [None, True, False])
def test_whether_there_is_a_secret_may_be_told(value):
    assert redact({"token": value}) == {"token": value}


CREDENTIALS = {
    "opaque access token": TOKEN,
    "jwt": JWT,
    "auth url": "force://PlatformCLI::5AepCanary.canary@acme.my.salesforce.com",
    "refresh token": "5Aep861Canary.Canary_canary",
    "bearer header": "Bearer abcCanary123456",
    "basic header": "basic Y2FuYXJ5OmNhbmFyeQ==",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nCanary\n-----END RSA PRIVATE KEY-----",
    "cut private key": "-----BEGIN PRIVATE KEY-----\nCanary",
}


@pytest.mark.parametrize("text", CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials_are_replaced_inside_of_any_text(text):
    shown = redact_text(f"before {text} after")

    assert "anary" not in shown
    assert "Y2FuYXJ5" not in shown
    assert REDACTED in shown
    assert shown.startswith("before ")


def test_a_consumer_key_keeps_its_first_characters():
    assert redact_text("id 3MVG9" + "x" * 40) == f"id 3MVG9{REDACTED}"


@given(st.text(alphabet="abc 0123456789-_.:/!?", max_size=60))
def test_plain_text_stays_as_it_is(text):
    assert redact_text(text) == text


Pair = namedtuple("Pair", ["left", "right"])


class Opaque:
    """Something whose repr tells too much."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Opaque({self.text})"


NESTINGS = {
    "list": [TOKEN],
    "tuple": (TOKEN,),
    "set": {TOKEN},
    "frozenset": frozenset({TOKEN}),
    "named tuple": Pair("a", TOKEN),
    "dict": {"a": TOKEN},
    "ordered dict": OrderedDict(a=TOKEN),
    "mapping proxy": MappingProxyType({"a": TOKEN}),
    "headers": CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer canary"})),
    "deep": {"a": [{"b": ({"c": TOKEN},)}]},
    "bytes": b"x " + TOKEN.encode(),
    "bytearray": bytearray(TOKEN.encode()),
    "object": Opaque(TOKEN),
    "exception": ValueError(f"refused {TOKEN}"),
    "exception in a list": [ValueError(TOKEN)],
}


@pytest.mark.parametrize("value", NESTINGS.values(), ids=NESTINGS)
def test_no_nesting_hides_a_credential(value):
    assert "anary" not in repr(redact(value))


@pytest.mark.parametrize("value", [5, 2.5, None, Opaque("harmless"), Secret("x"), range(3)])
def test_harmless_objects_stay_themselves(value):
    assert redact(value) is value


def test_containers_keep_their_kind():
    assert redact([1, (2, {3}), {"a": frozenset({4})}]) == [1, (2, {3}), {"a": frozenset({4})}]


def logger_to(stream: io.StringIO):
    """structlog as an application might set it up."""
    return structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            redacting_processor,
            structlog.processors.JSONRenderer(default=repr),
        ],
        wrapper_class=structlog.BoundLogger,
    )


def test_the_processor_redacts_a_whole_event_with_its_exception():
    stream = io.StringIO()

    try:
        raise ValueError(f"refused {TOKEN}")
    except ValueError:
        logger_to(stream).error(
            f"login with {JWT}", access_token="canary", request={"headers": {"Cookie": "canary"}},
            host="acme.my.salesforce.com", exc_info=True,
        )  # fmt: skip

    entry = json.loads(stream.getvalue())
    assert "anary" not in stream.getvalue()
    assert entry["host"] == "acme.my.salesforce.com"
    assert entry["access_token"] == REDACTED
    assert "ValueError" in entry["exception"]


def test_the_processor_leaves_an_unrendered_exception_to_those_that_render_it():
    error = ValueError(TOKEN)
    event = redacting_processor(None, "error", {"exc_info": error, "event": "x"})

    assert event["exc_info"] is error


def test_our_own_events_hold_nothing_to_redact(caplog):
    with structlog.testing.capture_logs(processors=[redacting_processor]) as logs:
        for event in EVENTS:
            StructlogHook()(event)

    shown = {key: value for entry in logs for key, value in entry.items() if value == REDACTED}
    assert set(shown) <= {"code"}


def test_importing_us_sets_nothing_up_in_logging():
    assert logging.getLogger("sfconnect").handlers == []


def test_the_name_of_a_pem_block_is_no_secret() -> None:
    hint = "Give the private key, which begins with -----BEGIN PRIVATE KEY-----."

    assert redact_text(hint) == hint
