"""Policies, limits and hooks of a session, of a surface and of a single call."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sfconnect import Credentials, Secret
from sfconnect.call import Call
from sfconnect.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    OutcomeUnknownError,
    RequestTimeoutError,
)
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Replay, Request, Response, Timeout
from sfconnect.policy import CircuitPolicy, DidNotHappen, Happened, HedgePolicy
from sfconnect.retry import RetryPolicy
from sfconnect.service import HttpService
from sfconnect.testing import ScriptedStrategy

GET = Request("GET", "/rows")
CREATE = Request("POST", "/rows", content=b"{}")
SOON = Timeout(call_s=0.05)


async def hang(request, number=0):
    await asyncio.Event().wait()


async def failing(request):
    raise ConnectError("No.")


async def ended(world, work):
    task = asyncio.ensure_future(work)
    await world.clock.advance(1000)
    return (await asyncio.gather(task, return_exceptions=True))[0]


@pytest.mark.parametrize(
    ("request_", "sends"),
    [
        (GET, 4),
        (Request("GET", "/jobs", surface="bulk"), 2),
        (Request("GET", "/jobs", surface="bulk", retry=RetryPolicy(max_attempts=1)), 1),
    ],
    ids=["client", "surface", "call"],
)
async def test_a_call_has_its_own_policy_or_its_surfaces_or_the_clients(world, request_, sends):
    made = world(failing, retry_by_surface={"bulk": RetryPolicy(max_attempts=2)})

    error = await ended(made, made.session.execute(request_))

    assert isinstance(error, ConnectError)
    assert len(made.transport.requests) == sends


async def test_what_is_sent_carries_no_policy_and_no_hook(world):
    made = world()

    async def hook(unknown, sender):
        raise NotImplementedError

    call = Call(GET, Response.json, made.session).with_retry(RetryPolicy()).with_reconcile(hook)
    await call

    (sent,) = made.transport.requests
    assert (sent.retry, sent.reconcile) == (None, None)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "5", True])
def test_a_time_limit_is_a_finite_number_of_seconds(value):
    with pytest.raises(ConfigurationError, match=r"Timeout\.call_s cannot be") as caught:
        Timeout(call_s=value)

    assert "None for no limit" in str(caught.value.hint)


async def test_the_limit_ends_an_attempt_that_hangs(world):
    made = world(hang)

    with pytest.raises(RequestTimeoutError, match=r"not done within the call's 0\.05 s") as caught:
        await made.session.execute(Request("GET", "/rows", timeout=SOON))

    assert caught.value.request_sent is True
    assert len(made.transport.requests) == 1


async def test_a_limit_of_the_client_holds_for_calls_that_bring_no_timeout(world):
    made = world(hang, call_timeout_s=0.05)

    with pytest.raises(RequestTimeoutError):
        await made.session.execute(GET)


async def test_a_create_that_was_out_when_the_limit_came_is_in_doubt(world):
    made = world(hang)

    with pytest.raises(OutcomeUnknownError) as caught:
        await made.session.execute(Request("POST", "/rows", content=b"{}", timeout=SOON))

    assert isinstance(caught.value.__cause__, RequestTimeoutError)
    assert [one.reason for one in caught.value.attempts] == ["RequestTimeoutError"]


async def test_a_create_that_stood_in_line_when_the_limit_came_was_not_sent(world):
    limiter = FixedLimiter(1)
    assert limiter.try_acquire("rest")
    made = world(limiter=limiter)

    with pytest.raises(RequestTimeoutError) as caught:
        await made.session.execute(Request("POST", "/rows", content=b"{}", timeout=SOON))

    assert caught.value.request_sent is False
    assert made.transport.requests == []
    assert (limiter.in_flight, limiter.waiting) == (1, 0)


async def test_the_error_of_a_late_call_tells_of_the_attempts_before(world):
    async def then_hang(request):
        if len(made.transport.requests) == 1:
            raise ConnectError("No.")
        await hang(request)

    made = world(then_hang, retry=RetryPolicy(initial_s=0, max_s=0))

    with pytest.raises(OutcomeUnknownError) as caught:
        await made.session.execute(Request("POST", "/rows", content=b"{}", timeout=SOON))

    assert [one.reason for one in caught.value.attempts] == ["ConnectError", "RequestTimeoutError"]


async def test_a_time_out_of_the_bodys_producer_is_its_own(world):
    async def producer_fails(request):
        raise TimeoutError("mine")

    made = world(producer_fails)

    with pytest.raises(TimeoutError, match="mine"):
        await made.session.execute(Request("GET", "/rows", timeout=Timeout(call_s=5)))


async def test_the_limit_bounds_a_stream_up_to_its_headers(world):
    made = world(hang, call_timeout_s=0.05)

    with pytest.raises(RequestTimeoutError):
        async with made.session.stream(GET):
            raise AssertionError("opened")


async def test_cancelling_a_call_with_a_limit_is_no_time_out(world):
    made = world(hang, call_timeout_s=5)
    task = asyncio.create_task(made.session.execute(CREATE))
    await made.clock.settle()

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()


async def lost(request):
    raise ConnectionLostError("Cut.")


async def test_a_call_asks_its_own_hook_and_else_the_clients(world):
    asked = []

    def hook(name, answer):
        async def found(unknown, sender):
            asked.append((name, sender))
            return answer

        return found

    made = world(lost, reconcile=hook("client", Happened({"by": "client"})))
    call = Call(CREATE, Response.json, made.session)

    assert await call == {"by": "client"}
    assert await call.with_reconcile(hook("call", Happened({"by": "call"}))) == {"by": "call"}
    assert asked == [("client", made.session), ("call", made.session)]


class Careful:
    """A hook that looks first, and finds a fault."""

    def __init__(self, error=None):
        self.error = error
        self.prepared = []

    async def prepare(self, request, sender):
        self.prepared.append(request.method)
        if self.error is not None:
            raise self.error

    async def __call__(self, unknown, sender):
        return DidNotHappen()


@pytest.mark.parametrize("of_call", [True, False])
async def test_a_hook_that_finds_a_fault_first_keeps_a_create_from_being_sent(world, of_call):
    hook = Careful(ConfigurationError("It could not tell."))
    made = world() if of_call else world(reconcile=hook)

    with pytest.raises(ConfigurationError, match="could not tell"):
        await made.session.execute(replace(CREATE, reconcile=hook) if of_call else CREATE)

    assert made.transport.requests == []
    assert made.session._under_way == 0


async def test_a_hook_looks_first_only_for_what_may_not_be_repeated(world):
    hook = Careful()
    made = world(reconcile=hook)
    upsert = Request("PATCH", "/rows/k/1", content=b"{}", replay=Replay.KEYED)

    for one in (GET, upsert, Request("DELETE", "/rows/1"), CREATE):
        await made.session.execute(one)

    assert hook.prepared == ["POST"]


async def test_a_hook_that_looks_first_does_so_within_the_calls_limit(world):
    class Slow(Careful):
        async def prepare(self, request, sender):
            await asyncio.Event().wait()

    made = world(reconcile=Slow())

    with pytest.raises(RequestTimeoutError) as caught:
        await made.session.execute(replace(CREATE, timeout=SOON))

    assert caught.value.request_sent is False
    assert made.transport.requests == []


async def test_a_hook_is_asked_while_no_slot_is_held_and_may_send_calls(world):
    async def lost_once(request):
        if request.method == "POST" and len(made.transport.requests) == 1:
            raise ConnectionLostError("Cut.")
        return Response(200, {}, b'"read"')

    async def looks(unknown, sender):
        assert (await sender.execute(GET)).json() == "read"
        return DidNotHappen()

    limiter = FixedLimiter(1)
    made = world(lost_once, limiter=limiter, reconcile=looks)

    response = await ended(made, made.session.execute(CREATE))

    assert response.status == 200
    assert [sent.method for sent in made.transport.requests] == ["POST", "GET", "POST"]


async def test_a_limit_that_ends_while_a_hook_looks_leaves_the_outcome_unknown(world):
    async def looks_long(unknown, sender):
        await asyncio.Event().wait()

    made = world(lost, reconcile=looks_long)

    with pytest.raises(OutcomeUnknownError) as caught:
        await made.session.execute(Request("POST", "/rows", content=b"{}", timeout=SOON))

    assert caught.value.attempts[0].reason == "ConnectionLostError"


async def test_a_stream_asks_no_hook(world):
    async def never(unknown, sender):
        raise AssertionError("asked")

    made = world(lost, reconcile=never)

    with pytest.raises(OutcomeUnknownError):
        async with made.session.stream(CREATE):
            pass


# The circuit to the server

ONE_ATTEMPT = RetryPolicy(max_attempts=1)


class Outage:
    """A server that is away until it is told to be back."""

    def __init__(self) -> None:
        self.away = True

    async def __call__(self, request):
        if self.away:
            raise ConnectError("No route.")
        return Response(200, {}, b"{}")


async def failures(world, times, request=GET):
    """Make calls one after the other that fail without a wait; give their errors."""
    errors = []
    for _ in range(times):
        task = asyncio.ensure_future(world.session.execute(request))
        await world.clock.settle()
        errors.append(task.exception())
    return errors


async def test_while_a_server_is_away_nothing_is_sent_but_probes(world):
    made = world(
        Outage(), retry=ONE_ATTEMPT, circuit=CircuitPolicy(failures=3, open_s=50, max_open_s=50)
    )

    errors = await failures(made, 20)

    assert len(made.transport.requests) == 3
    assert [error.code for error in errors] == [None] * 3 + ["CIRCUIT_OPEN"] * 17
    assert made.session.stats().circuits["org.example.com"].refused == 17
    assert made.session.stats().attempts == 3


async def test_a_call_that_meets_an_open_circuit_waits_for_the_probe_as_for_a_retry(world):
    outage = Outage()
    made = world(outage, circuit=CircuitPolicy(failures=1, open_s=30, max_open_s=30))
    await failures(made, 1, Request("GET", "/", retry=ONE_ATTEMPT))
    outage.away = False
    sent, tokens = len(made.transport.requests), made.session._budget.tokens

    call = asyncio.ensure_future(made.session.execute(CREATE))
    await made.clock.advance(29)
    assert len(made.transport.requests) == sent
    await made.clock.advance(60)

    assert (await call).status == 200
    assert len(made.transport.requests) == sent + 1
    assert made.session._budget.tokens >= tokens  # to wait for a probe costs no budget
    assert made.session.stats().circuits["org.example.com"].state == "closed"


async def test_a_call_whose_limit_ends_before_the_probe_fails_at_once(world):
    made = world(Outage(), circuit=CircuitPolicy(failures=1, open_s=50, max_open_s=50))
    await failures(made, 1, Request("GET", "/", retry=ONE_ATTEMPT))
    began = made.clock.monotonic()

    with pytest.raises(ConnectError, match="would end after the call's limit of 40 s") as caught:
        await made.session.execute(Request("GET", "/", timeout=Timeout(call_s=40)))

    assert caught.value.code == "CIRCUIT_OPEN"
    assert made.clock.monotonic() == began


async def test_a_lone_call_is_sent_as_often_as_without_a_circuit(world):
    made = world(Outage(), circuit=CircuitPolicy(failures=2))

    error = await ended(made, made.session.execute(GET))

    assert len(made.transport.requests) == len(error.attempts) == 4


async def test_who_stood_in_line_when_the_circuit_opened_is_not_sent(world):
    release = asyncio.Event()

    async def breaks(request):
        await release.wait()
        raise ConnectError("No route.")

    limiter = FixedLimiter(1)
    made = world(breaks, limiter=limiter, retry=ONE_ATTEMPT, circuit=CircuitPolicy(failures=1))
    calls = [asyncio.ensure_future(made.session.execute(GET)) for _ in range(3)]
    await made.clock.settle()
    release.set()

    errors = await asyncio.gather(*calls, return_exceptions=True)

    assert [getattr(error, "code", "") for error in errors] == [
        None,
        "CIRCUIT_OPEN",
        "CIRCUIT_OPEN",
    ]
    assert len(made.transport.requests) == 1
    assert (limiter.in_flight, limiter.waiting) == (0, 0)


async def test_streams_obey_the_circuit_and_open_it(world):
    made = world(
        Outage(), retry=ONE_ATTEMPT, circuit=CircuitPolicy(failures=2, open_s=50, max_open_s=50)
    )

    for _ in range(5):
        with pytest.raises(ConnectError):
            async with made.session.stream(GET):
                raise AssertionError("opened")

    assert len(made.transport.requests) == 2


async def test_without_a_circuit_every_call_is_sent(world):
    made = world(Outage(), retry=ONE_ATTEMPT)

    await failures(made, 30)

    assert len(made.transport.requests) == 30
    assert made.session.stats().circuits == {}


async def test_an_outage_under_many_calls_is_barely_noticed_by_the_server(world):
    made = world(Outage(), circuit=CircuitPolicy(), retry=RetryPolicy())

    calls = [asyncio.ensure_future(made.session.execute(GET)) for _ in range(300)]
    await made.clock.advance(1000)
    errors = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(error, ConnectError) for error in errors)
    # The first are in flight together, as many as the limiter lets; then there are probes only.
    assert len(made.transport.requests) < 130


# Reads that are asked for twice

HEDGE = HedgePolicy(after_s=0.0, share=1.0)


class SlowFirst:
    """The first request hangs, those after it are answered."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.requests = 0

    async def __call__(self, request):
        self.requests += 1
        if self.requests > 1:
            return Response(200, {}, b'"second"')
        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_a_late_read_is_asked_for_twice_and_the_slower_request_is_ended(world):
    server, limiter = SlowFirst(), FixedLimiter(2)
    made = world(server, limiter=limiter, retry=RetryPolicy(hedge=HEDGE))

    response = await made.session.execute(GET)

    assert response.json() == "second"
    assert (server.requests, server.cancelled) == (2, 1)
    assert (limiter.in_flight, made.transport.in_flight) == (0, 0)
    stats = made.session.stats()
    assert (stats.calls, stats.attempts, stats.hedges, stats.hedges_won) == (1, 2, 1, 1)
    assert [event.name for event in made.events if event.name == "hedge.sent"] == ["hedge.sent"]


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        (CREATE, {"retry": RetryPolicy(hedge=HEDGE)}),
        (Request("PATCH", "/k", replay=Replay.KEYED), {"retry": RetryPolicy(hedge=HEDGE)}),
        (GET, {}),
        (GET, {"retry_by_surface": {"bulk": RetryPolicy(hedge=HEDGE)}}),
        (GET, {"retry": RetryPolicy(hedge=HEDGE), "limiter": FixedLimiter(1)}),
    ],
    ids=["create", "upsert", "off", "another surface", "no slot"],
)
async def test_no_other_call_is_asked_for_twice(world, request_, options):
    made = world(hang, **options)
    task = asyncio.ensure_future(made.session.execute(request_))
    await made.clock.advance(1)
    assert len(made.transport.requests) == 1

    task.cancel()
    await asyncio.wait({task})


async def test_a_single_call_may_be_hedged(world):
    made = world(SlowFirst())
    call = Call(GET, Response.json, made.session)

    assert await call.with_retry(RetryPolicy(hedge=HEDGE)) == "second"


async def test_a_hedged_read_whose_attempts_fail_is_retried(world):
    made = world(
        Fails(2), retry=RetryPolicy(hedge=HedgePolicy(after_s=0.5), initial_s=1, random=lambda: 1.0)
    )

    response = await ended(made, made.session.execute(GET))

    assert response.status == 200
    assert len(made.transport.requests) == 3


class Fails:
    """A server that breaks connections so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def __call__(self, request):
        self.times -= 1
        if self.times >= 0:
            raise ConnectionLostError("Cut.")
        return Response(200, {}, b"{}")


async def test_streams_are_not_asked_for_twice(world):
    made = world(hang, retry=RetryPolicy(hedge=HEDGE), call_timeout_s=0.05)

    with pytest.raises(RequestTimeoutError):
        async with made.session.stream(GET):
            raise AssertionError("opened")

    assert len(made.transport.requests) == 1


async def test_while_a_circuit_is_open_nothing_is_asked_for_twice(world):
    made = world(Outage(), retry=ONE_ATTEMPT, circuit=CircuitPolicy(failures=1))
    await failures(made, 1)
    hedged = Request("GET", "/", retry=RetryPolicy(max_attempts=1, hedge=HEDGE))

    (error,) = await failures(made, 1, hedged)

    assert error.code == "CIRCUIT_OPEN"
    assert made.session.stats().hedges == 0


async def test_the_limit_of_a_call_ends_both_requests(world):
    made = world(hang, retry=RetryPolicy(hedge=HEDGE), call_timeout_s=0.05)

    with pytest.raises(RequestTimeoutError) as caught:
        await made.session.execute(GET)

    assert caught.value.request_sent is True
    assert (len(made.transport.requests), made.transport.in_flight) == (2, 0)


async def test_each_server_has_a_circuit_of_its_own(world):
    elsewhere = Credentials(Secret("t2"), "https://other.example.com")
    here = Credentials(Secret("t1"), "https://org.example.com")

    async def one_is_away(request):
        if request.path.startswith("https://org."):
            return Response(401, {}, b"") if moved else Response(502, {}, b"")
        return Response(200, {}, b"{}")

    moved = False
    made = world(
        one_is_away,
        strategy=ScriptedStrategy(here, elsewhere),
        service=HttpService(),
        retry=ONE_ATTEMPT,
        circuit=CircuitPolicy(failures=2, open_s=5, max_open_s=5),
    )
    await failures(made, 2)
    await made.clock.advance(5)
    moved = True  # the probe is told that its token is dead, and the login names another server

    await made.session.execute(GET)
    await made.session.execute(GET)

    states = {server: one.state for server, one in made.session.stats().circuits.items()}
    assert states == {"org.example.com": "closed", "other.example.com": "closed"}
    assert "circuit   org.example.com: closed" in str(made.session.stats())


async def test_the_counts_print_hedges_only_where_there_are_some(world):
    hedging = world(SlowFirst(), retry=RetryPolicy(hedge=HEDGE))
    plain = world()
    for made in (hedging, plain):
        await made.session.execute(GET)

    assert "hedges    1, of which 1 answered first" in str(hedging.session.stats())
    assert "hedges" not in str(plain.session.stats())
