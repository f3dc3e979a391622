"""One API under one login: tokens, replays, redirects, hosts, headers, events, counters."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    HostNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    PoolClosed,
    RequestTimeoutError,
    SessionExpiredError,
    TooManyRequests,
)
from sfconnect.instrumentation import QuotaSeen, RequestFinished, TokenFailed
from sfconnect.limits import (
    AdaptiveLimiter,
    FixedLimiter,
    Lane,
    LaneStats,
    PacedLimiter,
    Pacer,
    Quota,
    QuotaGuard,
    QuotaShare,
    ShareStats,
)
from sfconnect.messages import Replay, Request, Response, Timeout
from sfconnect.retry import RetryBudget, RetryPolicy
from sfconnect.service import HttpService
from sfconnect.session import Session
from sfconnect.testing import FakeClock, ScriptedStrategy

BASE = "https://org.example.com"
GET = Request("GET", "/rows")
CREATE = Request("POST", "/rows", content=b"{}")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def answer(status: int = 200, content: bytes = b"{}", **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, content
    )


async def run(world, work):
    """Await something while the clock runs on."""
    task = asyncio.ensure_future(work)
    await world.clock.advance(1000)
    return await task


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


# Dead tokens


@pytest.mark.parametrize("method", METHODS)
async def test_a_dead_token_is_replaced_and_any_request_sent_again(world, scripted, method):
    made = world(scripted(401, 200))

    response = await made.session.execute(Request(method, "/rows", content=b"{}"))

    assert response.status == 200
    assert made.transport.tokens == ["token-1", "token-2"]
    assert made.session.stats().logins == 2


@pytest.mark.parametrize("method", METHODS)
async def test_a_second_refusal_is_an_error_and_nothing_more_is_sent(world, scripted, method):
    made = world(scripted(401, 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, made.session.execute(Request(method, "/rows")))

    assert len(made.transport.requests) == 2
    assert made.strategy.started == 2


async def test_a_call_replays_once_in_all_its_attempts(world, scripted):
    made = world(scripted(401, ConnectError("No."), 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, made.session.execute(GET))

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_an_attempt_after_a_fault_may_still_replay(world, scripted):
    made = world(scripted(ConnectError("No."), 401, 200))

    assert (await run(made, made.session.execute(GET))).status == 200
    assert made.transport.tokens == ["token-1", "token-1", "token-2"]


async def test_a_stream_replays_once_in_all_its_attempts(world, scripted):
    made = world(scripted(401, ConnectError("No."), 401, 200))

    with pytest.raises(SessionExpiredError):
        await run(made, read(made.session))

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_nothing_is_sent_again_where_there_is_no_better_token(world, scripted):
    """The login gave the same token once more, so asking a third time is no help."""
    same = Credentials(Secret("same"), BASE)
    made = world(
        scripted(*[401] * 20), strategy=ScriptedStrategy(*[replace(same) for _ in range(20)])
    )

    for _ in range(3):
        with pytest.raises(SessionExpiredError, match="A new token was refused too"):
            await made.session.execute(GET)

    assert made.strategy.started == 2
    assert len(made.transport.requests) == 4


async def test_a_replay_that_succeeds_shows_that_logins_help(world, scripted):
    """A token that is revoked before each call is replaced before each of them."""
    made = world(scripted(*[401, 200] * 10))

    for _ in range(10):
        assert (await made.session.execute(GET)).status == 200

    assert made.strategy.started == 11


async def test_streams_show_it_too(world, scripted, stream_of):
    made = world(scripted(*[401, stream_of(answer(200), [b"{}"])] * 10))

    for _ in range(10):
        assert await read(made.session) == b"{}"

    assert made.strategy.started == 11


class Explaining(HttpService):
    """An API that knows why it refuses some tokens."""

    def explain_refusal(self, request, response, credentials):
        if request.path == "/strange" and credentials.access_token.reveal() == "token-1":
            return AuthError("of another kind")
        return None


async def test_a_refusal_that_the_credentials_explain_causes_no_login(world, scripted):
    made = world(scripted(401, 200, 401, 200), service=Explaining(BASE))

    with pytest.raises(AuthError, match="of another kind"):
        await made.session.execute(Request("GET", "/strange"))
    await made.session.execute(GET)
    await made.session.execute(GET)

    assert made.transport.tokens == ["token-1", "token-1", "token-1", "token-2"]


async def test_a_401_about_rights_is_not_the_tokens_fault(world, scripted):
    refusal = answer(401, WWW_Authenticate='Bearer error="insufficient_scope"')
    made = world(scripted(refusal))

    with pytest.raises(SessionExpiredError):
        await made.session.execute(GET)

    assert made.strategy.started == 1


async def produced():
    yield b"x"


async def test_a_streamed_body_is_not_replayed_empty_but_the_token_is_replaced(world, scripted):
    made = world(scripted(401, 200))
    request = replace(CREATE, content=produced())

    with pytest.raises(SessionExpiredError, match="call again"):
        await made.session.execute(request)

    assert len(made.transport.requests) == 1
    await made.session.execute(GET)
    assert made.transport.tokens == ["token-1", "token-2"]


async def test_a_failing_login_is_the_calls_error(world):
    made = world(strategy=ScriptedStrategy(AuthError("No such app.")))

    with pytest.raises(AuthError, match="No such app"):
        await made.session.execute(GET)

    assert made.transport.requests == []


@pytest.mark.parametrize(
    "fault", [RequestTimeoutError("Late."), ConnectionLostError("Cut."), ConnectError("No.")]
)
@pytest.mark.parametrize(
    ("logins", "ends"),
    [([], [201]), ([Credentials(Secret("old"), BASE)], [401, 201])],
    ids=["before the call", "after a 401"],
)
async def test_a_login_in_doubt_leaves_no_doubt_about_a_create(
    world, scripted, fault, logins, ends
):
    made = world(scripted(*ends), strategy=ScriptedStrategy(*logins, fault))

    response = await run(made, made.session.execute(CREATE))

    assert response.status == 201
    assert len(made.transport.requests) == len(ends)


async def test_the_token_is_read_for_each_attempt(world, scripted):
    made = world(scripted(ConnectError("No."), 200))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    # While the call backs off, another one finds out that the token is dead.
    await made.manager.replace(await made.manager.get())
    await made.clock.advance(10)

    assert (await call).status == 200
    assert made.transport.tokens == ["token-1", "token-2"]


async def test_who_waited_in_line_goes_out_with_the_newest_token(world):
    gate = asyncio.Event()

    async def handle(request):
        await gate.wait()
        return answer()

    made = world(handle, limiter=FixedLimiter(1))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(3)]
    await made.clock.settle()

    await made.manager.replace(await made.manager.get())
    gate.set()
    await asyncio.gather(*calls)

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


async def test_who_comes_to_the_head_of_the_line_during_a_login_waits_for_it_without_a_slot(world):
    limiter = FixedLimiter(1)

    async def handle(request):
        await made.clock.sleep(1)
        return answer(401 if request.headers["Authorization"].endswith("-1") else 200)

    made = world(handle, limiter=limiter, strategy=ScriptedStrategy(login_s=60, instance_url=BASE))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(20)]

    await made.clock.advance(61.5)
    assert made.transport.tokens == ["token-1"]
    await made.clock.advance(1)  # the 401 has come; everybody waits for the login it caused
    assert limiter.in_flight == 0
    assert made.transport.tokens == ["token-1"]
    await made.clock.advance(200)

    assert [(await call).status for call in calls] == [200] * 20
    assert made.transport.tokens == ["token-1"] + ["token-2"] * 20
    assert made.strategy.started == 2


async def test_the_head_of_the_line_loses_no_slot_when_its_login_fails(world, credentials_of):
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    strategy = ScriptedStrategy(credentials_of("a"), AuthError("Gone."), credentials_of("b"))
    made = world(limiter=limiter, strategy=strategy)
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    with pytest.raises(AuthError):
        await made.manager.replace(await made.manager.get())
    limiter.release("rest", 0.0, None)

    assert (await call).status == 200
    assert made.transport.tokens == ["b"]
    assert limiter.in_flight == 0


async def test_who_cannot_be_sent_with_the_newest_token_gives_its_slot_back(world, credentials_of):
    limiter = FixedLimiter(1)
    await limiter.acquire("rest")
    strategy = ScriptedStrategy(credentials_of("a"), credentials_of("b\n"), credentials_of("c"))
    made = world(limiter=limiter, strategy=strategy)
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    await made.manager.replace(await made.manager.get())
    limiter.release("rest", 0.0, None)

    with pytest.raises(ConfigurationError):
        await call
    assert limiter.in_flight == 0


async def test_500_calls_whose_token_dies_under_them_cause_one_login(world):
    async def handle(request):
        number = int(request.path.rpartition("/")[2])
        await made.clock.sleep(0.001 * number)  # refusals come spread over half a second
        dead = request.headers["Authorization"] == "Bearer token-1"
        return answer(401 if dead else 200)

    strategy = ScriptedStrategy(login_s=0.2, instance_url=BASE)
    made = world(handle, strategy=strategy, limiter=FixedLimiter(500))
    await run(made, made.manager.get())

    calls = [made.session.execute(Request("POST", f"/{number}")) for number in range(500)]
    responses = await run(made, asyncio.gather(*calls))

    assert {response.status for response in responses} == {200}
    assert strategy.started == 2  # the first, and one for all 500
    assert made.session.stats().logins == 2
    assert len(made.transport.requests) == 1000


async def test_a_cold_start_of_500_calls_is_one_login(world):
    made = world(strategy=ScriptedStrategy(login_s=0.2, instance_url=BASE))

    await run(made, asyncio.gather(*(made.session.execute(GET) for _ in range(500))))

    assert made.strategy.started == 1
    assert made.transport.most_in_flight <= 100


# Redirects


async def test_a_read_follows_redirects_on_its_own_host(world, scripted):
    made = world(
        scripted(
            answer(302, Location="/other/place?x=1"),
            answer(307, Location="next"),
            answer(301, Location=BASE + "/end"),
            answer(),
        )
    )

    response = await made.session.execute(Request("GET", "/rows", params={"a": 1}))

    assert response.status == 200
    assert made.transport.paths == ["/rows?a=1", "/other/place?x=1", "/other/next", "/end"]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/x#part", "/x"),
        ("?page=2", "/rows?page=2"),
        ("https://ORG.example.com:443/x", "https://ORG.example.com:443/x"),
    ],
)
async def test_a_location_is_brought_into_form(world, scripted, location, path):
    made = world(scripted(answer(302, Location=location), answer()))

    await made.session.execute(GET)

    assert made.transport.paths[1] == path


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/?q=canary",
        "//evil.example/x",
        "http://org.example.com/x",
        "https://user:canary@org.example.com/",
    ],
)
async def test_no_redirect_takes_the_token_to_another_host(world, scripted, location):
    made = world(scripted(answer(302, Location=location), answer()))

    with pytest.raises((HostNotAllowedError, ApiError)) as caught:
        await made.session.execute(GET)

    assert "canary" not in str(caught.value)
    assert {request.path.split("/")[2] for request in made.transport.requests} == {
        "org.example.com"
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_write_is_an_error_that_says_so(world, scripted, method, status):
    made = world(scripted(answer(status, Location="/elsewhere"), answer()))

    with pytest.raises(ApiError, match="writes never") as caught:
        await made.session.execute(Request(method, "/rows", content=b"{}"))

    assert caught.value.status == status
    assert caught.value.retry_safe is False
    assert len(made.transport.requests) == 1


async def test_redirects_in_a_circle_end(world, scripted):
    made = world(scripted(*[answer(302, Location="/rows")] * 10))

    with pytest.raises(ApiError, match="five times"):
        await made.session.execute(GET)

    assert len(made.transport.requests) == 6


@pytest.mark.parametrize("headers", [{}, {"Location": "https://[broken"}])
async def test_a_redirect_to_nowhere_is_an_error(world, scripted, headers):
    made = world(scripted(Response(302, headers, b"")))

    with pytest.raises(ApiError) as caught:
        await made.session.execute(GET)

    assert caught.value.status == 302


@pytest.mark.parametrize("status", [300, 304])
async def test_other_answers_of_the_third_class_are_the_services_to_read(world, scripted, status):
    made = world(scripted(answer(status, Location="/x")))

    with pytest.raises(ApiError) as caught:
        await made.session.execute(GET)

    assert (caught.value.status, caught.value.hint) == (status, None)


async def test_a_token_that_died_is_replaced_before_a_redirect_is_followed(world, scripted):
    made = world(scripted(401, answer(302, Location="/end"), answer()))

    await made.session.execute(GET)

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]


# Retry, limiter, budget


async def test_a_read_is_sent_again_until_it_works(world, scripted):
    made = world(scripted(ConnectionLostError("Cut."), 503, 200))

    response = await run(made, made.session.execute(GET))

    assert response.status == 200
    stats = made.session.stats()
    assert (stats.calls, stats.attempts) == (1, 3)
    assert stats.retries == {"ConnectionLostError": 1, "ServerError": 1}


@pytest.mark.parametrize(
    "end", [ConnectionLostError("Cut."), RequestTimeoutError("Late."), 500, 502, 503]
)
async def test_a_create_in_doubt_is_sent_once(world, scripted, end):
    made = world(scripted(end, 201))

    with pytest.raises(OutcomeUnknownError) as caught:
        await run(made, made.session.execute(CREATE))

    assert len(made.transport.requests) == 1
    assert caught.value.request is CREATE
    assert "token-1" not in repr(vars(caught.value))


async def test_a_create_that_was_refused_unread_is_sent_again(world, scripted):
    made = world(scripted(answer(429, Retry_After="5"), ConnectError("No."), 201))

    assert (await run(made, made.session.execute(CREATE))).status == 201


async def test_a_keyed_write_is_sent_again(world, scripted):
    made = world(scripted(RequestTimeoutError("Late."), 200))

    await run(made, made.session.execute(replace(CREATE, replay=Replay.KEYED)))

    assert len(made.transport.requests) == 2


async def test_no_slot_is_held_while_backing_off(world):
    ends: dict[str, list[object]] = {
        "/slow": [ConnectError("No."), answer()],
        "/quick": [answer()],
    }

    async def handle(request):
        end = ends[request.path.removeprefix(BASE)].pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    limiter = FixedLimiter(1)
    made = world(handle, limiter=limiter)
    slow = asyncio.create_task(made.session.execute(Request("GET", "/slow")))
    await made.clock.settle()

    assert limiter.in_flight == 0
    await made.session.execute(Request("GET", "/quick"))
    await made.clock.advance(5)

    assert (await slow).status == 200
    assert made.transport.paths == ["/slow", "/quick", "/slow"]


async def test_cancelling_during_back_off_ends_the_call(world, scripted):
    made = world(scripted(ConnectError("No."), 200))
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    call.cancel()
    await asyncio.wait({call})
    await made.clock.advance(100)

    assert call.cancelled()
    assert len(made.transport.requests) == 1


async def test_a_full_line_is_the_producers_to_hear_of(world):
    gate = asyncio.Event()

    async def handle(request):
        await gate.wait()
        return answer()

    made = world(handle, limiter=FixedLimiter(1, max_waiting=1))
    calls = [asyncio.create_task(made.session.execute(GET)) for _ in range(2)]
    await made.clock.settle()

    with pytest.raises(TooManyRequests):
        await made.session.execute(GET)

    gate.set()
    await asyncio.gather(*calls)
    assert made.session.stats().retries == {}


async def test_the_limiter_hears_how_each_attempt_went(world, scripted):
    heard: list[tuple[str, float, str]] = []

    class Listener(FixedLimiter):
        __slots__ = ()

        def release(self, lane, elapsed_s, error):
            heard.append((lane, elapsed_s, type(error).__name__))
            super().release(lane, elapsed_s, error)

    async def handle(request):
        await made.clock.sleep(2)
        return await ends(request)

    ends = scripted(ConnectError("No."), 200)
    made = world(handle, limiter=Listener(1))

    await run(made, made.session.execute(replace(GET, surface="query")))

    assert heard == [("query", 2.0, "ConnectError"), ("query", 2.0, "NoneType")]


async def test_the_limiter_hears_what_an_answer_refuses(world, scripted):
    heard: list[str] = []

    class Listener(FixedLimiter):
        __slots__ = ()

        def release(self, lane, elapsed_s, error):
            heard.append(type(error).__name__)
            super().release(lane, elapsed_s, error)

    made = world(scripted(429, 404), limiter=Listener(1))

    with pytest.raises(NotFoundError):
        await run(made, made.session.execute(GET))

    assert heard == ["ThrottledError", "NotFoundError"]
    assert made.session.stats().throttled == 1


async def test_stats_print_what_there_is_to_say(world, scripted):
    made = world(scripted(answer(X_Quota="5/100"), 429, 200), service=QuotaService())
    await made.session.execute(GET)
    await run(made, made.session.execute(GET))

    assert str(made.session.stats()).splitlines() == [
        "calls     2, and 1 attempts more",
        "in flight 0 of 100, 0 waiting",
        "retries   1 (ThrottledError 1)",
        "budget    496 of 500 tokens for retries left",
        "throttled 1",
        "logins    1",
        "received  2 bytes",
        "quota     calls: 5 of 100 (5%)",
    ]


async def test_stats_tell_of_the_limiter_through_what_is_around_it(world):
    async def stuck(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    clock = FakeClock()
    adaptive = AdaptiveLimiter(lanes={"bulk": Lane(limit=1, surfaces=("extract",))}, clock=clock)
    paced = PacedLimiter(adaptive, Pacer(1, clock=clock))
    guard = QuotaGuard(paced, QuotaShare("nightly", share_percent=50), clock=clock)
    guard.note_quota([Quota("api-usage", 0, 100)])
    made = world(stuck, limiter=guard)
    surfaces = ("rest", "extract", "extract")
    requests = [Request("GET", "/rows", surface=surface) for surface in surfaces]
    calls = [asyncio.create_task(made.session.execute(request)) for request in requests]
    await made.clock.settle()

    stats = made.session.stats()

    assert stats.lanes == {"bulk": LaneStats(1, 1, 1), "rest": LaneStats(1, 0, None)}
    assert stats.paced == 1
    assert stats.share == ShareStats("nightly", 1, 50, 0.0, None)
    assert (stats.limit, stats.in_flight, stats.waiting) == (16, 2, 1)
    assert (stats.retry_tokens, stats.retry_capacity) == (500, 500)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_stats_of_a_limiter_that_tells_little(world):
    stats = world().session.stats()

    assert (stats.lanes, stats.share, stats.paced) == ({}, None, 0)


async def test_successes_refill_the_budget(world, scripted):
    budget = RetryBudget(100, cost=10, refund=2)
    made = world(scripted(ConnectError("No."), 200, 200, 404), budget=budget)

    await run(made, made.session.execute(GET))
    assert budget.tokens == 92
    await made.session.execute(GET)
    assert budget.tokens == 94
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)
    assert budget.tokens == 94


async def test_a_session_may_never_retry(world, scripted):
    made = world(scripted(ConnectError("No."), 200), retry=RetryPolicy(max_attempts=1))

    with pytest.raises(ConnectError):
        await made.session.execute(GET)


# Events and counters


async def test_each_attempt_is_told(world, scripted):
    made = world(
        scripted(
            ConnectionLostError("Cut."),
            answer(401, X_Request_Id="r2"),
            answer(200, X_Request_Id="r3"),
        )
    )

    await run(made, made.session.execute(Request("GET", "/rows?q=canary", params={"a": "canary"})))

    told = [event for event in made.events if isinstance(event, RequestFinished)]
    assert [(e.status, e.error, e.attempt, e.request_id) for e in told] == [
        (None, "ConnectionLostError", 1, None),
        (401, None, 2, "r2"),
        (200, None, 2, "r3"),
    ]
    assert {(e.method, e.path, e.surface) for e in told} == {("GET", "/rows", "rest")}
    assert {(e.base_url, e.server) for e in told} == {(BASE, "org.example.com")}
    assert [type(e).__name__ for e in made.events] == [
        "TokenReplaced",
        "RequestFinished",
        "RetryScheduled",
        "RequestFinished",
        "TokenReplaced",
        "RequestFinished",
    ]
    assert "canary" not in repr(made.events)


async def test_a_cancelled_attempt_is_told_as_such(world):
    made = world(lambda request: asyncio.Event().wait())
    call = asyncio.create_task(made.session.execute(GET))
    await made.clock.settle()

    call.cancel()
    await asyncio.wait({call})

    assert made.events[-1].error == "CancelledError"
    assert made.events[-1].status is None


async def test_nothing_is_built_when_nobody_listens(world, scripted, monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("an event was built")

    made = world(scripted(ConnectError("No."), 401, 200), hooks=False, service=QuotaService())
    for name in ("RequestFinished", "QuotaSeen"):
        monkeypatch.setattr(f"sfconnect.session.{name}", build)
    monkeypatch.setattr("sfconnect.retry.executor.RetryScheduled", build)

    await run(made, made.session.execute(GET))


async def test_a_hook_that_raises_changes_no_outcome(world):
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reports.append(context["message"])
    )
    made = world()

    def bad(event):
        raise ValueError("a bug in a hook")

    made.session._emitter.hooks = (bad,)

    assert (await made.session.execute(GET)).status == 200
    assert any("request.finished" in report for report in reports)


class QuotaService(HttpService):
    """An API that tells its quota as ``used/maximum``."""

    quota_header = "X-Quota"

    def __init__(self) -> None:
        super().__init__(BASE)

    def read_quota(self, header: str) -> list[Quota]:
        used, _, maximum = header.partition("/")
        return [Quota("calls", int(used), int(maximum))] if maximum else []


async def test_the_newest_quota_is_kept_and_told(world, scripted):
    made = world(
        scripted(answer(X_Quota="5/100"), answer(404, X_Quota="6/100"), answer()),
        service=QuotaService(),
    )
    assert made.session.stats().quotas == {}

    await made.session.execute(GET)
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)
    await made.session.execute(GET)

    assert made.session.stats().quotas == {"calls": Quota("calls", 6, 100)}
    assert [event for event in made.events if isinstance(event, QuotaSeen)] == [
        QuotaSeen("calls", 5, 100),
        QuotaSeen("calls", 6, 100),
    ]


async def test_a_quota_is_kept_when_nobody_listens(world, scripted):
    made = world(scripted(answer(X_Quota="5/100")), service=QuotaService(), hooks=False)

    await made.session.execute(GET)

    assert made.session.stats().quotas["calls"].remaining == 95


async def test_the_counters_say_what_was_done(world, scripted):
    made = world(scripted(answer(content=b"12345"), 401, answer(content=b"123"), 404))

    await made.session.execute(GET)
    await made.session.execute(GET)
    with pytest.raises(NotFoundError):
        await made.session.execute(GET)

    stats = made.session.stats()
    assert (stats.calls, stats.attempts, stats.bytes_in, stats.logins) == (3, 4, 8, 2)
    assert stats.retries == {}


# Streams


async def read(session, request=GET):
    async with session.stream(request) as answer:
        return b"".join([piece async for piece in answer.iter_bytes()])


async def test_a_stream_is_given_once_its_status_means_success(world, scripted, stream_of):
    limiter = FixedLimiter(1)
    made = world(
        scripted(stream_of(answer(X_Quota="1/9"), [b"ab", b"cde"])),
        limiter=limiter,
        service=QuotaService(),
    )

    async with made.session.stream(GET) as stream:
        assert limiter.in_flight == 1
        pieces = [piece async for piece in stream.iter_bytes()]

    assert pieces == [b"ab", b"cde"]
    assert (limiter.in_flight, made.transport.open_streams) == (0, 0)
    stats = made.session.stats()
    assert (stats.calls, stats.attempts, stats.bytes_in) == (1, 1, 5)
    assert stats.quotas["calls"].used == 1
    assert made.events[-1].status == 200


async def test_a_stream_can_be_read_whole(world, scripted, stream_of):
    made = world(scripted(stream_of(answer(), [b"ab", b"cde"])))

    async with made.session.stream(GET) as stream:
        assert (await stream.read()).content == b"abcde"

    assert made.session.stats().bytes_in == 5


async def test_a_stream_is_opened_again_after_a_dead_token_a_fault_and_a_redirect(
    world, scripted, stream_of
):
    made = world(
        scripted(
            401,
            ConnectionLostError("Cut."),
            answer(302, Location="/end"),
            stream_of(answer(), [b"ab"]),
        )
    )

    assert await run(made, read(made.session)) == b"ab"

    assert made.transport.tokens == ["token-1", "token-2", "token-2", "token-2"]
    assert made.transport.paths == ["/rows", "/rows", "/rows", "/end"]
    told = [event.attempt for event in made.events if isinstance(event, RequestFinished)]
    assert told == [1, 1, 2, 2]
    assert made.transport.open_streams == 0


async def test_a_stream_that_is_refused_raises_and_holds_nothing(world, scripted):
    limiter = FixedLimiter(1)
    made = world(scripted(404), limiter=limiter)

    with pytest.raises(NotFoundError):
        await read(made.session)

    assert (limiter.in_flight, made.transport.open_streams) == (0, 0)


async def test_a_streamed_action_in_doubt_is_sent_once(world, scripted):
    made = world(scripted(ConnectionLostError("Cut."), 200))

    with pytest.raises(OutcomeUnknownError):
        await run(made, read(made.session, CREATE))

    assert len(made.transport.requests) == 1


async def test_what_breaks_while_a_stream_is_read_is_the_readers(world, scripted, stream_of):
    limiter = FixedLimiter(1)
    cut = ConnectionLostError("Cut.")
    made = world(scripted(stream_of(answer(), [b"ab", cut])), limiter=limiter)

    with pytest.raises(ConnectionLostError):
        await read(made.session)

    assert len(made.transport.requests) == 1
    assert limiter.in_flight == 0
    assert (made.events[-1].status, made.events[-1].error) == (200, "ConnectionLostError")


async def test_an_error_of_the_reader_passes_through(world):
    made = world()

    with pytest.raises(OSError, match="disk full"):
        async with made.session.stream(GET):
            raise OSError("disk full")

    assert made.transport.open_streams == 0


async def test_streams_wait_in_line_like_calls(world):
    limiter = FixedLimiter(1)
    made = world(limiter=limiter)

    async with made.session.stream(GET):
        other = asyncio.create_task(read(made.session))
        await made.clock.settle()
        assert limiter.waiting == 1
        await made.manager.replace(await made.manager.get())

    assert await other == b"{}"
    assert made.transport.tokens == ["token-1", "token-2"]


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
