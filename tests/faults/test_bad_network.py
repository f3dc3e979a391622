"""Each trouble of the network and our client: which error, sent again or not, and how often.

What the server was sent is counted by the proxy that makes the trouble, with and without TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

import pytest

from sfconnect import Connector, OutcomeUnknownError, RetryPolicy
from sfconnect.errors import (
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SfConnectError,
    TransportError,
)
from sfconnect.messages import StreamedResponse
from sfconnect.testing import FakeTokenServer, ScriptedStrategy, answer
from sfconnect.testing.fault_proxy import (
    ConnectionFault,
    CorruptGzip,
    CutBody,
    CutHandshake,
    Deaf,
    Drip,
    Duplicate,
    DuplicateConnection,
    Ending,
    Exchange,
    Fault,
    FaultProxy,
    HalfOpen,
    IdleClose,
    Instead,
    Refuse,
    ResetAfter,
    ResetBefore,
    ResetMidway,
    Stall,
    Vanish,
    WrongCertificate,
)
from tests.faults.leftovers import hung_up

LIMIT_S, AMPLE_S = 0.4, 10.0
"""For troubles that end by a limit, of which there is one in each test; and for all others."""
AGAIN = RetryPolicy(max_attempts=2, initial_s=0.001, max_s=0.01)
PATIENT = RetryPolicy(max_attempts=50, initial_s=0.01, max_s=0.05)
UNAUTHORIZED = Instead(401, '{"error":"invalid_token"}', "application/json")
LARGE = {"note": "x" * 900_000}


@dataclass(frozen=True)
class Case:
    """A trouble, the error that an attempt ends with, and how often the server was sent it."""

    trouble: Fault | ConnectionFault
    error: type[SfConnectError]
    forwarded: int | None = None
    """None if the proxy, too, never had the request."""


IN_REQUESTS = [
    Case(ResetBefore(), ConnectionLostError, 0),
    Case(ResetAfter(), ConnectionLostError, 1),
    Case(Stall(acts=True), RequestTimeoutError, 1),
    Case(Stall(acts=False), RequestTimeoutError, 0),
    Case(Vanish(acts=True), RequestTimeoutError, 1),
    Case(Vanish(acts=False), RequestTimeoutError, 0),
    Case(CutBody(after=5), ResponseError, 1),
    Case(CutBody(after=5, chunked=True), ResponseError, 1),
    Case(CutBody(after=5, ends="reset"), ResponseError, 1),
    Case(CutBody(after=5, chunked=True, ends="reset"), ResponseError, 1),
    Case(CutBody(after=5, ends="silence"), RequestTimeoutError, 1),
    Case(CutBody(after=5, chunked=True, ends="silence"), RequestTimeoutError, 1),
    Case(CutBody(after=0), ResponseError, 1),
    Case(CorruptGzip(), ResponseError, 1),
    Case(Instead(503, acts=True), ServerError, 1),
    Case(Instead(503, acts=False), ServerError, 0),
]
BELOW_HTTP = [
    Case(Deaf(), RequestTimeoutError),
    Case(CutHandshake(), ConnectionLostError),
    Case(CutHandshake(ends="close"), ConnectionLostError),
    Case(CutHandshake(ends="silence"), RequestTimeoutError),
]
IN_HANDSHAKES = [
    Case(Deaf(), ConnectError),
    *[
        Case(CutHandshake(after, ends=ends), ConnectError)
        for ends in ("reset", "close", "silence")
        for after in (0, 50)
    ],
    Case(WrongCertificate("untrusted"), ConnectError),
    Case(WrongCertificate("expired"), ConnectError),
    Case(WrongCertificate("other name"), ConnectError),
    # The client takes hands for shaken, and has sent its request before it notices.
    Case(CutHandshake(100_000), ConnectionLostError),
    Case(CutHandshake(100_000, ends="close"), ConnectionLostError),
    Case(CutHandshake(100_000, ends="silence"), RequestTimeoutError),
]


def name(case: Case) -> str:
    return repr(case.trouble)


MATRIX = [
    *[
        pytest.param(case, tls, id=f"{name(case)} {'tls' if tls else 'plain'}")
        for case in IN_REQUESTS
        for tls in (False, True)
    ],
    *[pytest.param(case, False, id=f"{name(case)} plain") for case in BELOW_HTTP],
    *[pytest.param(case, True, id=f"{name(case)} tls") for case in IN_HANDSHAKES],
]


@pytest.fixture
async def server() -> AsyncIterator[FakeTokenServer]:
    async with FakeTokenServer() as running:
        yield running


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def troubled(server: FakeTokenServer, *troubles: Any, tls: bool) -> FaultProxy:
    """A proxy that makes these troubles in their order, each at its own level."""
    below = any(isinstance(each, ConnectionFault) for each in troubles)
    if below:
        return FaultProxy(server.url, connections=troubles, tls=tls)
    return FaultProxy(server.url, troubles, tls=tls)


def client(
    proxy: FaultProxy, retry: RetryPolicy = AGAIN, *, limit_s: float = AMPLE_S, **settings: Any
) -> Connector:
    return Connector.connect(
        ScriptedStrategy(instance_url=proxy.url),
        base_url=proxy.url,
        ca_file=proxy.ca_file,
        retry=retry,
        **{"read_timeout_s": limit_s, "connect_timeout_s": limit_s, **settings},
    )


def limit_for(trouble: Fault | ConnectionFault) -> float:
    """Short where nothing else ends a wait; elsewhere a busy machine must not look like one."""
    silent = isinstance(trouble, Stall | Vanish | Deaf) or getattr(trouble, "ends", "") == "silence"
    return LIMIT_S if silent else AMPLE_S


def sends(proxy: FaultProxy) -> list[int]:
    return [exchange.forwarded for exchange in proxy.exchanges]


def expected(case: Case, *more: int) -> list[int]:
    return [*([] if case.forwarded is None else [case.forwarded]), *more]


@pytest.mark.parametrize(("case", "tls"), MATRIX)
async def test_a_read_is_sent_again_after_each_trouble(
    server: FakeTokenServer, case: Case, tls: bool
) -> None:
    limit_s = limit_for(case.trouble)
    async with (
        troubled(server, case.trouble, tls=tls) as proxy,
        client(proxy, limit_s=limit_s) as api,
    ):
        assert await api.get("/thing")

        assert api.stats().retries == {case.error.__name__: 1}
        assert sends(proxy) == expected(case, 1)
        assert len(server.requests) == sum(sends(proxy))


@pytest.mark.parametrize(("case", "tls"), MATRIX)
async def test_a_read_that_is_sent_once_ends_with_the_error_of_its_trouble(
    server: FakeTokenServer, case: Case, tls: bool
) -> None:
    once, limit_s = RetryPolicy(max_attempts=1), limit_for(case.trouble)
    async with (
        troubled(server, case.trouble, tls=tls) as proxy,
        client(proxy, once, limit_s=limit_s) as api,
    ):
        with pytest.raises(SfConnectError) as caught:
            await api.get("/thing")

        assert type(caught.value) is case.error
        assert sends(proxy) == expected(case)
        if isinstance(caught.value, TransportError):
            assert caught.value.request_sent is (case.error is not ConnectError)
            assert proxy.url.partition("//")[2] in str(caught.value)


@pytest.mark.parametrize(("case", "tls"), MATRIX)
async def test_a_write_is_sent_again_only_if_it_was_not_sent(
    server: FakeTokenServer, case: Case, tls: bool
) -> None:
    limit_s = limit_for(case.trouble)
    async with (
        troubled(server, case.trouble, tls=tls) as proxy,
        client(proxy, limit_s=limit_s) as api,
    ):
        if case.error is ConnectError:
            assert await api.post("/things", json={"amount": 3})
            assert sends(proxy) == expected(case, 1)
        else:
            with pytest.raises(OutcomeUnknownError) as caught:
                await api.post("/things", json={"amount": 3})
            assert type(caught.value.__cause__) is case.error
            assert [one.reason for one in caught.value.attempts] == [case.error.__name__]
            assert sends(proxy) == expected(case)
        assert len(server.requests) == sum(sends(proxy))


@pytest.mark.parametrize(("case", "tls"), MATRIX)
async def test_nothing_of_the_client_outlasts_its_closing_while_the_peer_goes_on(
    server: FakeTokenServer, case: Case, tls: bool
) -> None:
    async with troubled(server, case.trouble, tls=tls) as proxy:
        async with client(proxy, limit_s=limit_for(case.trouble)) as api:
            with suppress(OutcomeUnknownError):
                await api.post("/things", json={"amount": 3})
            assert not api.stats().in_flight

        await hung_up(proxy)


# Bodies that are read piece by piece


LONG = b'{"member": "' + b"x" * 300_000 + b'"}'
CUTS = [
    *[
        CutBody(after, chunked, ends)
        for after in (0, 5, 100_000)
        for chunked in (False, True)
        for ends in get_args(Ending)
    ],
    CorruptGzip(),
]


@pytest.mark.parametrize("cut", CUTS, ids=repr)
async def test_a_stream_that_is_cut_never_looks_like_a_whole_one(
    server: FakeTokenServer, cut: Fault, tls: bool
) -> None:
    silent = isinstance(cut, CutBody) and cut.ends == "silence"
    server.script(answer(LONG))
    async with (
        troubled(server, cut, tls=tls) as proxy,
        client(proxy, limit_s=limit_for(cut)) as api,
    ):
        async with api.stream("GET", "/thing") as long:
            with pytest.raises(RequestTimeoutError if silent else TransportError):
                await read(long)

        assert sends(proxy) == [1]
        assert await api.get("/thing")


async def read(stream: StreamedResponse) -> bytes:
    return b"".join([piece async for piece in stream.iter_bytes()])


@pytest.mark.parametrize("trouble", [Drip(size=50_000, pause_s=0), Duplicate(), None], ids=repr)
async def test_a_stream_that_comes_in_pieces_is_whole(
    server: FakeTokenServer, trouble: Fault | None, tls: bool
) -> None:
    server.script(answer(LONG))
    async with (
        FaultProxy(server.url, [trouble], tls=tls) as proxy,
        client(proxy) as api,
        api.stream("GET", "/thing") as long,
    ):
        assert await read(long) == LONG


# What ends on the next request


@pytest.mark.parametrize("ends", [HalfOpen(), IdleClose()], ids=repr)
async def test_a_read_survives_a_connection_that_was_given_up_behind_its_back(
    server: FakeTokenServer, ends: Fault, tls: bool
) -> None:
    async with troubled(server, ends, tls=tls) as proxy, client(proxy) as api:
        for _ in range(2):
            assert await api.get("/thing")

        assert api.stats().retries == {"ConnectionLostError": 1}
        assert sends(proxy) == [1, 0, 1]


@pytest.mark.parametrize("ends", [HalfOpen(), IdleClose()], ids=repr)
async def test_a_write_on_a_connection_that_was_given_up_is_in_doubt(
    server: FakeTokenServer, ends: Fault, tls: bool
) -> None:
    async with troubled(server, ends, tls=tls) as proxy, client(proxy) as api:
        assert await api.post("/things", json={})
        with pytest.raises(OutcomeUnknownError):
            await api.post("/things", json={})
        assert await api.post("/things", json={})

        assert sends(proxy) == [1, 0, 1]


# What nobody can see


@pytest.mark.parametrize(
    ("trouble", "forwarded"),
    [
        (Drip(size=7, pause_s=0), [1, 1]),
        (Duplicate(), [2, 1]),
        (DuplicateConnection(), [2, 2]),
    ],
    ids=repr,
)
async def test_what_the_client_cannot_see_is_no_error(
    server: FakeTokenServer, trouble: Any, forwarded: list[int], tls: bool
) -> None:
    async with troubled(server, trouble, tls=tls) as proxy, client(proxy) as api:
        for _ in range(2):
            assert await api.post("/things", json={})

        assert sends(proxy) == forwarded
        assert api.stats().retries == {}


# Ports that are closed, requests that are cut


async def test_a_write_waits_for_a_port_to_open_again(server: FakeTokenServer, tls: bool) -> None:
    async with (
        FaultProxy(server.url, tls=tls) as proxy,
        client(proxy, PATIENT, circuit_breaker=False) as api,
    ):
        async with proxy.refusing():
            waiting = asyncio.create_task(api.post("/things", json={}).send())
            async with asyncio.timeout(5):
                while not api.stats().retries:  # noqa: ASYNC110  # nothing announces it
                    await asyncio.sleep(0.001)
        assert await waiting

        assert set(api.stats().retries) == {"ConnectError"}
        assert sends(proxy) == [1]


async def test_a_read_outlasts_a_port_that_closes_under_it(
    server: FakeTokenServer, tls: bool
) -> None:
    async with (
        FaultProxy(server.url, connections=[Refuse(for_s=0.05)], tls=tls) as proxy,
        client(proxy, PATIENT, circuit_breaker=False) as api,
    ):
        assert await api.get("/thing")

        first = "ConnectError" if tls else "ConnectionLostError"
        assert api.stats().retries[first] >= 1
        assert sends(proxy) == [1]


@pytest.mark.parametrize("method", ["post", "put"])
async def test_an_upload_that_breaks_off_is_sent_again_if_it_may_be_repeated(
    server: FakeTokenServer, method: str, tls: bool
) -> None:
    async with troubled(server, ResetMidway(after=100_000), tls=tls) as proxy, client(proxy) as api:
        call = getattr(api, method)("/things/7", json=LARGE)
        if method == "put":
            assert await call
        else:
            with pytest.raises(OutcomeUnknownError) as caught:
                await call
            assert type(caught.value.__cause__) is ConnectionLostError

        assert proxy.connections[0].received < len(LARGE["note"])
        assert sends(proxy) == ([1] if method == "put" else [])


async def test_an_upload_to_a_peer_that_is_gone_meets_the_limit_of_an_attempt(
    server: FakeTokenServer, tls: bool
) -> None:
    """Nothing is read, so that buffers fill, and the rest cannot even be sent."""
    gone = CutHandshake(100_000, ends="silence") if tls else Deaf()
    async with troubled(server, gone, tls=tls) as proxy:
        async with client(proxy, total_timeout_s=LIMIT_S) as api:
            with pytest.raises(OutcomeUnknownError) as caught:
                await api.post("/things", json={"note": "x" * 10_000_000})

        assert type(caught.value.__cause__) is RequestTimeoutError
        assert sends(proxy) == []
        await hung_up(proxy)


# A storm of refusals


async def test_a_storm_of_refused_tokens_is_one_login_and_each_write_is_sent_through_once(
    server: FakeTokenServer, tls: bool
) -> None:
    storm = 20

    def refuse_the_first(exchange: Exchange) -> Fault | None:
        return UNAUTHORIZED if exchange.headers["Authorization"] == "Bearer token-1" else None

    async with FaultProxy(server.url, refuse_the_first, tls=tls) as proxy:
        login = ScriptedStrategy(instance_url=proxy.url)
        async with Connector.connect(login, base_url=proxy.url, ca_file=proxy.ca_file) as api:
            await api.gather(api.post("/things", json={"n": n}) for n in range(storm))

        assert login.started == 2
        assert sorted(sends(proxy))[-storm:] == [1] * storm
        assert sum(sends(proxy)) == len(server.requests) == storm
