"""The circuit to a server: what opens it, what closes it, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import math
import pickle

import pytest

from sfconnect.errors import (
    ApiError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    PoolTimeout,
    RequestTimeoutError,
    ResponseError,
    SfConnectError,
)
from sfconnect.instrumentation import CircuitClosed, CircuitOpened, CircuitProbed, Emitter
from sfconnect.messages import Response
from sfconnect.policy import CircuitPolicy
from sfconnect.retry.circuit import CIRCUIT_OPEN, CLOSED, HALF_OPEN, OPEN, Circuit, Circuits
from sfconnect.testing import FakeClock

OK = Response(200, {}, b"")
REFUSED = ConnectError("No route.")
POLICY = CircuitPolicy(failures=3, ratio_calls=10, window_s=30, open_s=2, max_open_s=7)


@pytest.fixture
def events() -> list[object]:
    return []


class Server:
    """A circuit, and a server that answers or does not."""

    def __init__(self, clock: FakeClock, events: list[object], policy: CircuitPolicy) -> None:
        self.clock = clock
        self.circuit = Circuit("org:443", policy, clock=clock, emitter=Emitter([events.append]))

    def attempt(
        self,
        end: Response | BaseException = REFUSED,
        *,
        number: int = 1,
        started: float | None = None,
    ) -> None:
        """Let an attempt end so; it is sent as the session would send it."""
        began = self.clock.monotonic() if started is None else started
        if started is None and self.circuit.tripped:
            self.circuit.admit()
        answer = end if isinstance(end, Response) else None
        error = None if isinstance(end, Response) else end
        self.circuit.note(answer, error, began, number)

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.attempt()

    @property
    def state(self) -> str:
        return self.circuit.state


@pytest.fixture
def server(clock: FakeClock, events: list[object]) -> Server:
    return Server(clock, events, POLICY)


def answer(status: int, content_type: str = "", **headers: str) -> Response:
    return Response(status, {"Content-Type": content_type, **headers}, b"x")


# What counts

AWAY: list[Response | BaseException] = [
    ConnectError("x"),
    ConnectionLostError("x"),
    answer(502, "text/html"),
    answer(503, "text/html"),
    answer(503, "application/json"),
    answer(504),
    answer(500),
    answer(500, "text/html"),
]
ALIVE = [
    OK,
    answer(201),
    answer(301),
    answer(400, "application/json"),
    answer(401),
    answer(403, "application/json"),
    answer(404),
    answer(420, "text/html"),
    answer(429),
    answer(500, "application/json;charset=UTF-8"),
    answer(500, "text/xml"),
    answer(501),
]
TELLS_NOTHING: list[Response | BaseException] = [
    RequestTimeoutError("x"),
    ResponseError("x"),
    PoolTimeout("x"),
    ApiError("x"),
    asyncio.CancelledError(),
    ValueError(),
    answer(503, "application/json", **{"Retry-After": "3"}),
    answer(502, "text/html", **{"Retry-After": "3"}),
]


def name(end: Response | BaseException) -> str:
    if isinstance(end, Response):
        return f"{end.status}-{end.content_type}-{end.headers.get('Retry-After')}"
    return type(end).__name__


@pytest.mark.parametrize("end", AWAY, ids=name)
def test_a_server_that_is_away_opens_its_circuit(server: Server, end: Response | BaseException):
    for _ in range(3):
        assert server.state == CLOSED
        server.attempt(end)

    assert server.state == OPEN


@pytest.mark.parametrize("end", [*ALIVE, *TELLS_NOTHING], ids=name)
def test_an_error_of_another_kind_opens_nothing(server: Server, end: Response | BaseException):
    for _ in range(100):
        server.attempt(end)

    assert server.state == CLOSED
    assert not server.circuit.tripped


@pytest.mark.parametrize("end", ALIVE, ids=name)
def test_any_answer_of_the_server_ends_a_row_of_failures(server: Server, end: Response):
    for _ in range(4):
        server.fail(2)
        server.attempt(end)

    assert server.state == CLOSED


@pytest.mark.parametrize("end", TELLS_NOTHING, ids=name)
def test_what_tells_nothing_neither_adds_to_a_row_nor_ends_it(
    server: Server, end: Response | BaseException
):
    server.fail(2)
    server.attempt(end)
    assert server.state == CLOSED

    server.attempt()

    assert server.state == OPEN


def test_the_repeats_of_a_lone_call_open_nothing(server: Server):
    for number in range(1, 50):
        server.attempt(number=number)

    assert server.state == CLOSED


def test_a_large_share_of_failures_opens_too(clock: FakeClock, events: list[object]):
    server = Server(clock, events, CircuitPolicy(failures=100, ratio=0.8, ratio_calls=10))
    for number in range(1, 10):
        server.attempt(OK if number in {3, 6} else REFUSED)
    assert server.state == CLOSED

    server.attempt()  # the tenth: eight of ten

    assert server.state == OPEN


def test_a_small_share_of_failures_opens_nothing(clock: FakeClock, events: list[object]):
    server = Server(clock, events, CircuitPolicy(failures=100, ratio=0.8, ratio_calls=10))

    for number in range(1000):
        server.attempt(REFUSED if number % 2 else OK)

    assert server.state == CLOSED


async def test_failures_of_an_earlier_window_are_no_part_of_the_share(
    clock: FakeClock, events: list[object]
):
    server = Server(clock, events, CircuitPolicy(failures=100, ratio=0.8, ratio_calls=10))
    server.fail(9)
    await clock.advance(31)

    server.fail(9)

    assert server.state == CLOSED


async def test_once_a_window_is_over_without_trouble_successes_cost_nothing_again(
    server: Server, clock: FakeClock
):
    server.attempt()
    assert server.circuit.troubled
    server.attempt(OK)
    assert server.circuit.troubled
    await clock.advance(31)

    server.attempt(OK)

    assert not server.circuit.troubled


# Open, half-open, closed


def test_an_open_circuit_says_since_when_and_why_and_until_when(server: Server):
    server.fail(3)

    with pytest.raises(ConnectError) as caught:
        server.circuit.check()

    error = caught.value
    assert str(error).startswith(
        "CIRCUIT_OPEN: org:443 has not answered for 0.0 s (last: ConnectError: No route.); "
        "nothing is sent to it until the next probe, in 2.0 s."
    )
    assert (error.code, error.retry_after) == (CIRCUIT_OPEN, 2.0)
    assert (error.retry_safe, error.request_sent) == (True, False)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_circuit_that_is_to_fail_fast_gives_errors_that_are_not_repeated(
    clock: FakeClock, events: list[object]
):
    server = Server(clock, events, CircuitPolicy(failures=1, fail_fast=True))
    server.attempt()

    with pytest.raises(ConnectError) as caught:
        server.circuit.admit()

    assert caught.value.retry_safe is False


async def test_a_probe_goes_out_when_its_time_has_come_and_others_do_not(
    server: Server, clock: FakeClock
):
    server.fail(3)
    await clock.advance(1.9)
    with pytest.raises(ConnectError):
        server.circuit.admit()
    await clock.advance(0.1)

    server.circuit.admit()

    assert server.state == HALF_OPEN
    with pytest.raises(ConnectError, match=r"in 2\.0 s"):
        server.circuit.admit()


async def test_as_many_probes_go_out_as_the_policy_says(clock: FakeClock, events: list[object]):
    server = Server(clock, events, CircuitPolicy(failures=1, open_s=2, probes=3))
    server.attempt()
    await clock.advance(2)

    for _ in range(3):
        server.circuit.admit()

    with pytest.raises(ConnectError):
        server.circuit.admit()


@pytest.mark.parametrize("end", ALIVE, ids=name)
async def test_a_probe_that_is_answered_closes_the_circuit(
    server: Server, clock: FakeClock, end: Response
):
    server.fail(3)
    await clock.advance(2)

    server.attempt(end)

    assert server.state == CLOSED
    assert not server.circuit.tripped
    server.circuit.check()


async def test_a_probe_may_be_a_repeat(server: Server, clock: FakeClock):
    server.fail(3)
    await clock.advance(2)
    server.attempt(number=4)
    assert server.state == OPEN
    await clock.advance(4)

    server.attempt(OK, number=5)

    assert server.state == CLOSED


async def test_probes_that_fail_come_ever_more_seldom(
    server: Server, clock: FakeClock, events: list[object]
):
    server.fail(3)
    for wait_s in (2, 4, 7, 7):
        await clock.advance(wait_s - 0.01)
        with pytest.raises(ConnectError):
            server.circuit.check()
        await clock.advance(0.01)
        server.attempt()

    opened = [event for event in events if isinstance(event, CircuitOpened)]
    assert [event.probe_in_ms for event in opened] == [2000, 4000, 7000, 7000, 7000]
    assert server.circuit.stats().opened == 1
    assert server.circuit.stats().open_s == pytest.approx(20)


async def test_probes_without_a_verdict_are_followed_by_others(server: Server, clock: FakeClock):
    server.fail(3)
    await clock.advance(2)
    server.attempt(RequestTimeoutError("Hangs."))
    assert server.state == HALF_OPEN
    await clock.advance(2)

    server.attempt(OK)

    assert server.state == CLOSED


async def test_several_probes_that_fail_count_once(clock: FakeClock, events: list[object]):
    server = Server(clock, events, CircuitPolicy(failures=1, open_s=2, max_open_s=30, probes=3))
    server.attempt()
    await clock.advance(2)
    started = clock.monotonic()
    for _ in range(3):
        server.circuit.admit()

    for _ in range(3):
        server.attempt(started=started)

    assert server.circuit.stats().next_probe_s == 4


async def test_an_answer_to_what_was_sent_before_the_outage_proves_nothing(
    server: Server, clock: FakeClock
):
    before = clock.monotonic()
    await clock.advance(1)
    server.fail(3)

    server.attempt(OK, started=before)

    assert server.state == OPEN


async def test_a_failure_of_what_was_sent_before_the_probe_proves_nothing(
    server: Server, clock: FakeClock
):
    before = clock.monotonic()
    server.fail(3)
    await clock.advance(2)
    server.circuit.admit()

    server.attempt(started=before)

    assert server.state == HALF_OPEN


async def test_opening_probing_and_closing_are_told(
    server: Server, clock: FakeClock, events: list[object]
):
    server.fail(3)
    await clock.advance(2)
    server.attempt(OK)

    assert events == [
        CircuitOpened("org:443", "ConnectError: No route.", 3, 2000),
        CircuitProbed("org:443", 2),
        CircuitClosed("org:443", 2),
    ]


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://org.example.com", "org.example.com"),
        ("https://org.example.com:8443/v2", "org.example.com:8443"),
        ("http://localhost/v2", "localhost:80"),
        ("http://[::1]", "[::1]:80"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_a_circuit_is_named_by_host_and_port_where_it_is_not_443(base_url: str, name: str):
    circuits = Circuits(CircuitPolicy(), clock=FakeClock())

    circuit = circuits.to(base_url)

    assert circuit is not None
    assert circuit.server == name
    assert list(circuits.stats()) == [name]


async def test_the_state_can_be_read(server: Server, clock: FakeClock):
    assert server.circuit.stats().state == CLOSED
    server.fail(3)
    await clock.advance(0.5)
    for _ in range(2):
        with pytest.raises(ConnectError):
            server.circuit.check()

    stats = server.circuit.stats()

    assert (stats.server, stats.state, stats.opened, stats.refused) == ("org:443", OPEN, 1, 2)
    assert (stats.open_s, stats.next_probe_s) == (0.5, 1.5)
    assert stats.reason == "ConnectError: No route."


@pytest.mark.parametrize(
    ("option", "value"),
    [("failures", 0), ("probes", 0), ("ratio_calls", 0), ("ratio", 0), ("window_s", -1),
     ("open_s", math.nan), ("max_open_s", math.inf)],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(option: str, value: float):
    with pytest.raises(ConfigurationError, match=rf"CircuitPolicy\.{option} cannot be"):
        CircuitPolicy(**{option: value})  # type: ignore[arg-type]  # the wrong kind is the point


def test_the_longest_time_between_probes_is_not_less_than_the_first():
    with pytest.raises(ConfigurationError, match="is less than open_s"):
        CircuitPolicy(open_s=2, max_open_s=1)


def test_an_error_is_an_sfconnect_error(server: Server):
    server.fail(3)

    with pytest.raises(SfConnectError):
        server.circuit.admit()


async def test_each_round_of_probes_is_as_large_as_the_first(
    clock: FakeClock, events: list[object]
):
    server = Server(clock, events, CircuitPolicy(failures=1, open_s=2, probes=2))
    server.attempt()

    for _ in range(3):  # of probes that get no verdict
        await clock.advance(2)
        server.circuit.admit()
        server.circuit.admit()
        with pytest.raises(ConnectError):
            server.circuit.admit()


async def test_a_circuit_that_closed_is_opened_by_a_whole_row_again(
    server: Server, clock: FakeClock
):
    server.fail(3)
    await clock.advance(2)
    server.attempt(OK)

    server.fail(2)
    assert server.state == CLOSED

    server.fail(1)
    assert server.state == OPEN
