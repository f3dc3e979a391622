"""One API under one login: what a request looks like on its way out, and closing."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import ConfigurationError, ConnectError, HostNotAllowedError, PoolClosed
from sfconnect.instrumentation import TokenFailed
from sfconnect.messages import Request, Timeout
from sfconnect.service import HttpService
from sfconnect.session import Session
from sfconnect.testing import ScriptedStrategy
from tests.unit.small_api import BASE, GET

# The request on its way out


async def test_a_request_goes_out_with_address_and_token(world):
    made = world(service=HttpService(BASE + "/v1", headers={"X-Client": "x"}))
    request = Request(
        "PATCH", "/a%20b", params={"n": 1, "all": True}, headers={"X-Own": "1"},
        content=b"{}", surface="bulk", timeout=Timeout(1),
    )  # fmt: skip

    response = await made.session.execute(request)

    assert response.status == 200
    (sent,) = made.transport.requests
    assert sent.path == BASE + "/v1/a%20b?n=1&all=true"
    assert sent.headers == {
        "X-Client": "x",
        "Authorization": "Bearer token-1",
        "X-Own": "1",
    }
    assert (sent.method, sent.content, sent.surface) == ("PATCH", b"{}", "bulk")
    assert sent.timeout == Timeout(1)


async def test_parameters_join_a_query_that_is_there(world):
    made = world()

    await made.session.execute(Request("GET", "/x?a=1", params={"b": "2"}))

    assert made.transport.paths == ["/x?a=1&b=2"]


async def test_a_token_type_is_sent_as_the_login_gave_it(world):
    credentials = Credentials(Secret("t"), BASE, token_type="OAuth")
    made = world(strategy=ScriptedStrategy(credentials))

    await made.session.execute(GET)

    assert made.transport.requests[0].headers["Authorization"] == "OAuth t"


@dataclass(frozen=True)
class SignedStrategy:
    """A strategy whose requests are signed."""

    async def authenticate(self, context: AuthContext) -> Credentials:
        return Credentials(Secret("key"), BASE)

    def authorize(self, request: Request, credentials: Credentials) -> Request:
        return request.with_headers({"X-Signature": f"{request.method} {request.path}"})


async def test_a_strategy_may_sign_what_is_sent_instead(world):
    made = world(strategy=SignedStrategy())

    await made.session.execute(Request("GET", "/x", params={"a": 1}))

    assert made.transport.requests[0].headers == {"X-Signature": f"GET {BASE}/x?a=1"}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "rows",
        "/a b",
        "/a\r\nHost: evil.example",
        "/a\nX: y",
        "/a\x00",
        "/é",
        "/a#b",
        "/a\\b",
        '/a"b',
        "/<a>",
        "/{a}",
        "/a|b",
        "/a^b",
        "/a`b",
        "?q=x",
        "ftp://org.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "@evil.example",
    ],
)
async def test_a_path_that_is_not_encoded_is_refused_before_it_is_sent(world, path):
    made = world()

    with pytest.raises(ConfigurationError, match="percent-encoded") as caught:
        await made.session.execute(Request("GET", path))

    assert "evil" not in str(caught.value)
    assert made.transport.requests == []


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/../..//evil.example", "/%2e%2e/x", "/@evil.example", "/:80/x"]
)
async def test_no_path_leaves_the_host(world, path):
    made = world()

    await made.session.execute(Request("GET", path))

    assert made.transport.requests[0].path == BASE + path


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x?q=canary",
        "https://org.example.com.evil.example/",
        "https://org.example.com:444/",
        "http://org.example.com/",
        "https://org.example.com@evil.example/",
        "https://user:canary@org.example.com/",
        "https://@org.example.com/",
        "https://[org.example.com]/",
        "https://org.example.com:port/",
        "https://",
        "https:///x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_absolute_url_of_another_host_gets_no_token(world, url, method):
    made = world()

    with pytest.raises(HostNotAllowedError, match="not sent") as caught:
        await made.session.execute(Request(method, url))

    assert "canary" not in str(caught.value)
    assert caught.value.request_sent is False
    assert made.transport.requests == []


class CarelessService(HttpService):
    """A service of somebody who takes URLs apart without a safety net."""

    def owns(self, url: str, credentials: Credentials) -> bool:
        return urlsplit(url).port == 443


async def test_a_url_that_a_service_cannot_read_gets_no_token(world):
    made = world(service=CarelessService(BASE))

    with pytest.raises(HostNotAllowedError):
        await made.session.execute(Request("GET", "https://org.example.com:port/"))

    assert made.transport.requests == []


async def test_an_absolute_url_of_the_apis_own_host_is_sent(world):
    made = world()

    await made.session.execute(Request("GET", BASE + "/next?page=2"))

    assert made.transport.paths == ["/next?page=2"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Note": "a\r\nX-Injected: 1"},
        {"X-Note": "a\nb"},
        {"X-Note": "a\x00b"},
        {"X-Note\r\nX-Injected": "1"},
        {"X Note": "1"},
        {"X-Note:": "1"},
        {"": "1"},
    ],
    ids=repr,
)
async def test_a_header_that_could_become_another_is_refused(world, headers):
    made = world()

    with pytest.raises(ConfigurationError) as caught:
        await made.session.execute(GET.with_headers(headers))

    assert "Injected" not in str(caught.value)
    assert made.transport.requests == []


async def test_a_token_with_a_line_break_is_refused_without_showing_it(world, credentials_of):
    made = world(strategy=ScriptedStrategy(credentials_of("canary\r\nX-Injected: 1")))

    with pytest.raises(ConfigurationError, match="Authorization") as caught:
        await made.session.execute(GET)

    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert made.transport.requests == []


# Closing


async def test_closing_cancels_what_runs_and_can_be_repeated(world):
    made = world()
    never = asyncio.Event()
    task = made.session.spawn(never.wait())
    await asyncio.sleep(0)

    await asyncio.gather(made.session.aclose(), made.session.aclose())
    await made.session.aclose()

    assert task.cancelled()
    assert made.transport.closed == 0


async def test_work_that_ended_is_not_kept(world):
    made = world()

    await made.session.spawn(asyncio.sleep(0))
    await asyncio.sleep(0)

    assert made.session._tasks == set()


async def test_work_that_closes_its_own_session_does_not_wait_for_itself(world):
    made = world()

    async with asyncio.timeout(1):
        await made.session.spawn(made.session.aclose())


async def test_a_closed_session_begins_nothing(world):
    made = world()
    await made.session.aclose()

    with pytest.raises(PoolClosed):
        made.session.spawn(asyncio.sleep(0))
    with pytest.raises(PoolClosed):
        await made.session.execute(GET)


async def test_closing_ends_calls_that_back_off_when_they_come_back(world, scripted):
    made = world(scripted(ConnectError("No."), 200))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    await made.session.aclose()
    await made.clock.advance(10)

    with pytest.raises(PoolClosed):
        await call
    assert len(made.transport.requests) == 1


async def test_closing_leaves_the_session_on_the_server_alone(world):
    made = world()
    await made.session.execute(GET)

    await made.session.aclose()

    assert made.strategy.revoked == []


async def test_closing_ends_the_session_on_the_server_if_that_is_asked_for(world):
    made = world(revoke_on_close=True)
    await made.session.execute(GET)

    await made.session.aclose()
    await made.session.aclose()

    assert made.strategy.revoked == ["token-1"]


async def test_closing_revokes_nothing_where_nobody_logged_in(world):
    made = world(revoke_on_close=True)

    await made.session.aclose()

    assert made.strategy.revoked == []
    assert made.strategy.started == 0


@pytest.mark.parametrize("fault", [ConnectError("No."), TimeoutError()], ids=["refused", "late"])
async def test_a_revocation_that_fails_is_an_event_and_the_rest_is_closed(world, fault):
    class Stubborn(ScriptedStrategy):
        async def revoke(self, context, credentials):
            raise fault

    made = world(strategy=Stubborn(), revoke_on_close=True)
    await made.session.execute(GET)

    await made.session.aclose()

    assert isinstance(made.events[-1], TokenFailed)
    assert (made.events[-1].reason, made.events[-1].error) == ("revoke", type(fault).__name__)
    with pytest.raises(PoolClosed):
        await made.manager.get()


async def test_tokens_that_others_have_from_a_store_are_never_revoked_by_closing(
    clock, fake_transport
):
    async def nowhere(request):
        raise AssertionError

    strategy = ScriptedStrategy()
    manager = CredentialManager(strategy, send=nowhere, store=MemoryStore(), clock=clock)

    with pytest.raises(ConfigurationError, match="revoke_on_close"):
        Session(HttpService(BASE), strategy, manager, fake_transport(nowhere), revoke_on_close=True)
