"""A connection to any API: opening, verbs, closing, what is shared and what is its own."""

from __future__ import annotations

import asyncio

import pytest

from sfconnect import Connector
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.errors import (
    ConfigurationError,
    LoginRateLimited,
    NotFoundError,
    OutcomeUnknownError,
    PoolClosed,
    RequestTimeoutError,
    ThrottledError,
    TooManyRequests,
)
from sfconnect.instrumentation import JobAdvanced, LoginRateHigh, RequestFinished, TokenReplaced
from sfconnect.limits import FixedLimiter, QuotaShare
from sfconnect.messages import Replay, Request, Response, Timeout
from sfconnect.retry import RetryPolicy
from sfconnect.testing import FakeClock, ScriptedStrategy
from sfconnect.transport import ConnectionPool

BASE = "https://org.example.com"


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch, tmp_path):
    """No configuration of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SFCONNECT_PROFILE", "SFCONNECT_AUTH", "SFCONNECT_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connect(fake_transport):
    """Describe a connection over a fake transport."""

    def make(handler=None, **options):
        async def ok(request: Request) -> Response:
            return Response(200, {}, b'{"n": 5}')

        options.setdefault("transport", fake_transport(handler or ok))
        options.setdefault("base_url", BASE)
        strategy = options.pop("strategy", None) or ScriptedStrategy(instance_url=BASE)
        return Connector.connect(strategy, **options)

    return make


# Calls


@pytest.mark.parametrize(
    ("verb", "arguments", "expected"),
    [
        ("get", {"params": {"a": 1}}, ("GET", None, Replay.SAFE)),
        ("post", {"json": {"a": 1}}, ("POST", b'{"a":1}', Replay.UNSAFE)),
        ("put", {"json": [1]}, ("PUT", b"[1]", Replay.SAFE)),
        ("patch", {"json": {}, "replay": Replay.KEYED}, ("PATCH", b"{}", Replay.KEYED)),
        ("delete", {"headers": {"X-A": "1"}}, ("DELETE", None, Replay.SAFE)),
    ],
)
async def test_verbs_describe_calls_that_decode_json(connect, verb, arguments, expected):
    async with connect() as api:
        call = getattr(api, verb)("/v1/things", **arguments)
        assert api.stats().calls == 0

        assert await call == {"n": 5}

        request = call.request
        assert (request.method, request.content, request.replay) == expected
        assert request.path == "/v1/things"
        assert call.request.params == arguments.get("params")
        assert api.stats().calls == 1


async def test_any_method_can_be_asked_for_and_an_empty_answer_is_none(connect, scripted):
    async with connect(scripted(204)) as api:
        call = api.request("options", "/x", params={"a": True}, headers={"X-A": "1"})

        assert await call is None
        assert call.request.method == "OPTIONS"


async def test_calls_can_be_fanned_out_and_gathered(connect):
    async with connect() as api:
        calls = [api.get(f"/{number}") for number in range(20)]

        assert await api.gather(calls, concurrency=5) == [{"n": 5}] * 20
        async with api.fan_out(calls, concurrency=3, ordered=True, window=6) as outcomes:
            assert [outcome.index async for outcome in outcomes] == list(range(20))
        assert api.stats().calls == 40


async def test_a_stream_is_read_piece_by_piece(connect, scripted, stream_of):
    source = stream_of(Response(200, {}, b""), [b"ab", b"c"])
    async with (
        connect(scripted(source)) as api,
        api.stream("get", "/file", params={"a": 1}, headers={"Accept": "*/*"}) as answer,
    ):
        assert [piece async for piece in answer.iter_bytes()] == [b"ab", b"c"]


async def test_a_streamed_action_is_not_repeated_when_its_outcome_is_unknown(connect, scripted):
    late = RequestTimeoutError("Late.")

    async def act(api: Connector) -> None:
        async with api.stream("POST", "/action"):
            pass

    async with connect(scripted(late, 200)) as api:
        with pytest.raises(OutcomeUnknownError):
            await act(api)


async def test_hooks_hear_of_logins_and_requests(connect):
    events: list[object] = []

    async with connect(hooks=[events.append]) as api:
        await api.get("/x")

    assert [type(event) for event in events] == [TokenReplaced, RequestFinished]


async def test_credentials_can_be_asked_for(connect):
    async with connect() as api:
        first = await api.credentials()

        assert first.access_token.reveal() == "token-1"
        assert await api.credentials() is first
        assert api.stats().logins == 1


async def test_policy_limiter_and_clock_can_be_ones_own(connect, scripted):
    clock, limiter = FakeClock(), FixedLimiter(1)
    made = connect(
        scripted(503, 200),
        retry=RetryPolicy(initial_s=5.0),
        limiter=limiter,
        clock=clock,
    )
    async with made as api:
        call = asyncio.create_task(api.get("/x").send())
        await clock.settle()
        assert clock.sleepers == 1
        await clock.advance(5)
        await call

    assert limiter.in_flight == 0


async def test_settings_bound_attempts_and_the_line(connect):
    gate = asyncio.Event()

    async def handler(request: Request) -> Response:
        await gate.wait()
        return Response(503, {}, b"")

    async with connect(handler, max_connections=2, max_waiting=1, max_attempts=1) as api:
        calls = [asyncio.create_task(api.get(f"/{number}").send()) for number in range(3)]
        await asyncio.sleep(0.01)

        with pytest.raises(TooManyRequests, match="max_waiting"):
            await api.get("/x")

        gate.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome).__name__ for outcome in outcomes} == {"ServerError"}
        assert api.stats().attempts == 3


# Opening


async def test_describing_a_connection_reads_and_sends_nothing(fake_transport):
    Connector.connect("no-such-strategy", profile="nowhere", nonsense=1)


async def test_entering_without_a_base_url_says_what_is_missing(connect):
    with pytest.raises(ConfigurationError, match="base_url"):
        async with connect(base_url=None):
            pass


async def test_a_login_that_names_the_api_needs_no_base_url(connect, fake_transport):
    async def handler(request: Request) -> Response:
        return Response(200, {}, b'{"access_token": "t"}')

    login = OAuth2ClientCredentials(
        "https://auth.example.com/token", "app", "s", base_url="https://api.example.com/v1/"
    )
    transport = fake_transport(handler)
    async with connect(transport=transport, strategy=login, base_url=None) as api:
        await api.get("/things")

    assert transport.requests[-1].path == "https://api.example.com/v1/things"


async def test_a_login_that_does_not_name_the_api_needs_a_base_url(connect):
    login = OAuth2ClientCredentials("https://auth.example.com/token", "app", "s")

    with pytest.raises(ConfigurationError, match="base_url"):
        async with connect(strategy=login, base_url=None):
            pass


async def test_unknown_options_are_refused_when_entering(connect):
    with pytest.raises(ConfigurationError, match="max_conections"):
        async with connect(max_conections=5):
            pass


async def test_opening_twice_makes_one_connection(connect):
    api = connect()

    await asyncio.gather(api.open(), api.open())
    await api.get("/x")
    await api.open()

    assert api.stats().calls == 1
    await api.aclose()


async def test_opening_twice_at_once_opens_one_pool(monkeypatch):
    opened: list[ConnectionPool] = []
    original = ConnectionPool.open

    async def note(self: ConnectionPool) -> None:
        opened.append(self)
        await original(self)

    monkeypatch.setattr(ConnectionPool, "open", note)
    api = Connector.connect(ScriptedStrategy(), base_url=BASE)

    await asyncio.gather(api.open(), api.open())
    await api.aclose()

    assert len(opened) == 1


async def test_a_failure_while_opening_leaves_nothing_open(tmp_path):
    api = Connector.connect(ScriptedStrategy(), base_url=BASE, ca_file=tmp_path / "missing.pem")

    with pytest.raises(ConfigurationError, match="missing"):
        await api.open()

    with pytest.raises(PoolClosed):
        await api.get("/x")


def broken(*args: object, **kwargs: object) -> None:
    raise ZeroDivisionError


async def test_a_bug_after_the_pool_was_opened_closes_it_again(monkeypatch):
    closed: list[ConnectionPool] = []
    original = ConnectionPool.aclose

    async def note(self: ConnectionPool) -> None:
        closed.append(self)
        await original(self)

    monkeypatch.setattr(ConnectionPool, "aclose", note)
    monkeypatch.setattr("sfconnect.connector.Session", broken)
    api = Connector.connect(ScriptedStrategy(), base_url=BASE)

    with pytest.raises(ZeroDivisionError):
        await api.open()

    assert len(closed) == 1


async def test_a_shared_pool_is_not_closed_when_opening_fails(monkeypatch, connect, fake_transport):
    async def handler(request: Request) -> Response:
        return Response(200, {}, b"")

    transport = fake_transport(handler)
    monkeypatch.setattr("sfconnect.connector.Session", broken)

    with pytest.raises(ZeroDivisionError):
        await connect(transport=transport).open()

    assert transport.closed == 0


# Closing


async def test_an_own_pool_is_closed_with_the_connection():
    async with Connector.connect(ScriptedStrategy(), base_url=BASE) as api:
        pool = api._transport
        assert isinstance(pool, ConnectionPool)

    with pytest.raises(PoolClosed):
        await pool.send(Request("GET", BASE))


async def test_a_shared_pool_stays_open():
    async with ConnectionPool() as pool:
        for _ in range(2):
            async with Connector.connect(ScriptedStrategy(), base_url=BASE, transport=pool):
                pass
        await pool.open()
        assert pool.stats().requests_in_flight == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda api: api.get("/x").send(),
        lambda api: api.credentials(),
        lambda api: api.gather([api.get("/x")]),
    ],
    ids=["call", "credentials", "gather"],
)
@pytest.mark.parametrize("state", ["never opened", "closed"])
async def test_a_connection_that_is_not_open_says_so(connect, use, state):
    api = connect()
    if state == "closed":
        async with api:
            pass

    with pytest.raises(PoolClosed, match="async with"):
        await use(api)


@pytest.mark.parametrize("use", [lambda api: api.stats(), lambda api: api.stream("GET", "/x")])
async def test_plain_methods_of_a_closed_connection_say_so_too(connect, use):
    with pytest.raises(PoolClosed):
        use(connect())


async def test_work_for_a_closed_connection_is_not_begun(connect):
    with pytest.raises(PoolClosed):
        connect().spawn(asyncio.sleep(0))


async def test_closing_ends_work_and_may_be_repeated(connect):
    api = connect()
    await api.aclose()
    await api.open()
    task = api.spawn(asyncio.Event().wait())
    await asyncio.sleep(0)

    await asyncio.gather(api.aclose(), api.aclose())
    await api.aclose()

    assert task.cancelled()


async def test_a_closed_connection_can_be_opened_again(connect):
    api = connect()
    for _ in range(2):
        async with api:
            assert await api.get("/x") == {"n": 5}


async def test_an_error_inside_of_the_block_passes_through_and_closes(connect, scripted):
    api = connect(scripted(404))

    with pytest.raises(NotFoundError):
        async with api:
            await api.get("/x")

    with pytest.raises(PoolClosed):
        api.stats()


async def test_a_call_outlives_the_connection_it_was_made_by_and_serves_the_next(connect):
    api = connect()
    call = api.get("/x").with_timeout(Timeout(total_s=5))

    async with api:
        assert await call == {"n": 5}


# People


async def test_a_login_reaches_the_person_that_the_application_names(fake_transport):
    asked = []

    async def prompt(text: str) -> str:
        asked.append(text)
        return "123456"

    async def browser(url: str) -> bool:
        asked.append(url)
        return True

    class Asking(ScriptedStrategy):
        async def authenticate(self, context):
            assert await context.browser("https://login.example.com/")
            assert await context.prompt("Code: ") == "123456"
            return await super().authenticate(context)

    class Derived(Asking):
        async def authenticate(self, context):
            await context.child(Asking())
            return await super().authenticate(context)

    connection = Connector.connect(
        Derived(), transport=fake_transport(None), base_url=BASE, prompt=prompt, browser=browser
    )
    async with connection as api:
        await api.credentials()

    assert asked == ["https://login.example.com/", "Code: "] * 2


async def test_where_nobody_is_there_a_login_is_told_so(fake_transport):
    class Asking(ScriptedStrategy):
        async def authenticate(self, context):
            assert context.prompt is None
            assert context.browser is None
            return await super().authenticate(context)

    strategy = Asking()
    connection = Connector.connect(strategy, transport=fake_transport(None), base_url=BASE)
    async with connection as api:
        await api.credentials()

    assert strategy.finished == 1


# Revoking


async def test_revoking_tells_the_server_and_the_next_call_logs_in_anew(fake_transport):
    strategy = ScriptedStrategy(instance_url=BASE)

    async def ok(request: Request) -> Response:
        return Response(200, {}, b"1")

    transport = fake_transport(ok)
    async with Connector.connect(strategy, transport=transport, base_url=BASE) as api:
        await api.get("/v1/things")
        told = await api.revoke()
        await api.get("/v1/things")

    assert told
    assert strategy.revoked == ["token-1"]
    assert transport.tokens == ["token-1", "token-2"]


async def test_revoking_without_a_token_tells_nobody(connect):
    async with connect() as api:
        assert await api.revoke() is False


async def test_a_closed_connection_has_nothing_to_revoke(connect):
    api = connect()

    with pytest.raises(PoolClosed):
        await api.revoke()


async def test_closing_revokes_the_token_if_the_setting_says_so(connect, monkeypatch):
    strategy = ScriptedStrategy(instance_url=BASE)
    monkeypatch.setenv("SFCONNECT_REVOKE_ON_CLOSE", "yes")

    async with connect(strategy=strategy) as api:
        await api.get("/things")

    assert strategy.revoked == ["token-1"]


async def test_the_limits_of_logins_are_settings(connect, monkeypatch):
    class Asking(ScriptedStrategy):
        async def authenticate(self, context):
            await context.send(Request("POST", "https://login.example.com/token"))
            return await super().authenticate(context)

    events: list[object] = []
    api = connect(
        strategy=Asking(instance_url=BASE), clock=FakeClock(), hooks=[events.append],
        login_warning_per_hour=1, login_limit_per_hour=1,
    )  # fmt: skip
    async with api:
        credentials = await api.credentials()

        assert [one.logins for one in events if isinstance(one, LoginRateHigh)] == [1]
        with pytest.raises(LoginRateLimited):
            await api._opened().manager.replace(credentials)


async def test_the_life_of_tokens_is_a_setting(connect):
    clock = FakeClock()
    strategy = ScriptedStrategy(instance_url=BASE)
    async with connect(strategy=strategy, clock=clock, token_lifetime_s=100) as api:
        await api.credentials()
        await clock.advance(101.0)

        await api.credentials()

    assert strategy.started == 2


async def test_a_call_may_name_its_surface(connect):
    policy = RetryPolicy(max_attempts=1)
    async with connect(retry_by_surface={"reports": policy}) as api:
        plain, named = api.get("/a"), api.request("GET", "/a", surface="reports")

        assert (plain.request.surface, named.request.surface) == ("rest", "reports")
        assert api._session._retry.policy_of(named.request) is policy


async def test_shares_of_quotas_that_an_api_does_not_have_are_refused(connect):
    with pytest.raises(ConfigurationError, match="not known to have") as caught:
        await connect(quota_shares=[QuotaShare(quota="jobs", reserve_percent=5)]).open()

    assert "max_per_second" in str(caught.value.hint)


async def test_a_program_may_give_its_own_events_to_the_hooks(connect):
    seen: list[object] = []
    event = JobAdvanced("nightly load", "started", 0, None)

    async with connect(hooks=[seen.append]) as api:
        api.emit(event)

    assert seen == [event]


@pytest.mark.parametrize(
    ("surface", "own", "options", "sends"),
    [
        (None, None, {}, 3),
        (None, None, {"retry": RetryPolicy(max_attempts=4)}, 4),
        ("reports", None, {"retry": RetryPolicy(max_attempts=4)}, 2),
        ("reports", RetryPolicy(max_attempts=6), {"retry": RetryPolicy(max_attempts=4)}, 6),
        (None, RetryPolicy(max_attempts=1), {}, 1),
    ],
    ids=["setting", "client", "surface", "call before surface", "call before setting"],
)
async def test_the_nearest_retry_policy_counts(connect, surface, own, options, sends):
    sent = 0

    async def busy(request: Request) -> Response:
        nonlocal sent
        sent += 1
        return Response(429, {}, b"")

    clock = FakeClock()
    by_surface = {"reports": RetryPolicy(max_attempts=2)}
    async with connect(
        busy, retry_by_surface=by_surface, max_attempts=3, clock=clock, **options
    ) as api:
        call = api.request("GET", "/a", surface=surface)
        task = asyncio.create_task((call if own is None else call.with_retry(own)).send())
        await clock.advance(1000)

    assert isinstance(task.exception(), ThrottledError)
    assert sent == sends
