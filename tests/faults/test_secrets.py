"""A token, a query and a record's value show up nowhere, whatever goes wrong."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from dataclasses import dataclass, field

import pytest
import structlog

from sfconnect import Connector
from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.errors import OutcomeUnknownError, SfConnectError
from sfconnect.instrumentation import StructlogHook, redacting_processor
from sfconnect.retry import RetryPolicy
from sfconnect.salesforce.rest import SObject
from sfconnect.testing import ScriptedStrategy

TOKEN = "canary-token-00Dxx"
QUERY = "canary-query-value"
RECORD = "canary-record-value"


async def reset(connection):
    connection.reset()


async def never(connection):
    await connection.reader.read()


def status(code):
    async def refuse(connection):
        await connection.answer(b'{"m": "%s"}' % RECORD.encode(), status=code)

    return refuse


def raw(data):
    async def send(connection):
        await connection.send(data)

    return send


ENDS = {
    **{f"status {code}": status(code) for code in (400, 401, 403, 404, 429, 500, 503)},
    "cut": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + RECORD.encode()),
    "html": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n" + RECORD.encode()),
    "no http": raw(b"SSH-2.0\r\n\r\n"),
    "redirect": raw(
        f"HTTP/1.1 302 Moved\r\nLocation: https://evil.example/?q={QUERY}\r\n\r\n".encode()
    ),
    "reset": reset,
    "never": never,
}


def account(api: Connector) -> SObject:
    return SObject(api, "68.0", "Account")


CALLS = {
    "read": lambda api: api.get("/x", params={"q": QUERY}),
    "read by path": lambda api: api.get(f"/x?q={QUERY}"),
    "create": lambda api: api.post(f"/x?q={QUERY}", json={"name": RECORD}),
    "bad header": lambda api: api.get("/x").with_headers({"X-Note": f"{RECORD}\n"}),
    "bad query": lambda api: api.get(f"/x?q={QUERY} with a space"),
    "read by external id": lambda api: account(api).retrieve_by("Email__c", RECORD),
    "upsert": lambda api: account(api).upsert("Email__c", f"{RECORD}@x.example", {"Name": RECORD}),
    "foreign host": lambda api: api.get(f"https://evil.example/?q={QUERY}"),
}


def shown(error: BaseException) -> str:
    """Everything that a person or a log would see of an error."""
    texts = [str(error), repr(error), f"{error}", repr(vars(error))]
    return "\n".join(texts + traceback.format_exception(error))


@dataclass
class Listener:
    """Hears all that is told: events, structlog as an application might set it up, logging."""

    logging: pytest.LogCaptureFixture
    output: io.StringIO = field(default_factory=io.StringIO)
    events: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logger = structlog.wrap_logger(
            structlog.PrintLogger(self.output),
            processors=[
                structlog.processors.format_exc_info,
                redacting_processor,
                structlog.processors.KeyValueRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )

    @property
    def heard(self) -> str:
        return repr(self.events) + self.output.getvalue() + self.logging.text


@pytest.fixture
def listener(caplog) -> Listener:
    caplog.set_level(logging.DEBUG)
    return Listener(caplog)


@pytest.fixture
def connect(serve, listener, monkeypatch, tmp_path):
    """Describe a connection to a server that ends each request in one way."""
    monkeypatch.chdir(tmp_path)

    async def make(end) -> Connector:
        async def handler(connection):
            await connection.request()
            await end(connection)

        server = await serve(handler)
        tokens = [Credentials(Secret(f"{TOKEN}-{number}"), server.url) for number in range(9)]
        return Connector.connect(
            ScriptedStrategy(*tokens),
            base_url=server.url,
            read_timeout_s=0.03,
            retry=RetryPolicy(max_attempts=2, initial_s=0, max_s=0),
            hooks=[listener.events.append, StructlogHook(listener.logger)],
        )

    return make


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_no_error_event_or_log_shows_them(connect, listener, call, end):
    async with await connect(end) as api:
        made = call(api)
        with pytest.raises(SfConnectError) as caught:
            await made
        error = caught.value
        listener.logger.error("call failed", call=made, api=api, exc_info=error)

        assert "canary" not in shown(error) + repr((made, api, api.stats()))

    assert "canary" not in listener.heard
    assert "call failed" in listener.heard
    assert TOKEN.encode() not in pickle.dumps(error)
    # The one error that has to carry the body: whoever gets it may need to send it again.
    assert isinstance(error, OutcomeUnknownError) or b"canary" not in pickle.dumps(error)
