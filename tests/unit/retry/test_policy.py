"""What may be sent again, and when: a table of facts."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import (
    ApiError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    PoolTimeout,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SfConnectError,
    ThrottledError,
    TransientAuthError,
)
from sfconnect.messages import Replay, Request
from sfconnect.policy import NO_RETRY
from sfconnect.retry import RetryPolicy, Verdict, classify

RETRY, GIVE_UP, UNKNOWN = Verdict.RETRY, Verdict.GIVE_UP, Verdict.UNKNOWN


def error_with(retry_safe: bool | None, request_sent: bool | None) -> SfConnectError:
    error = SfConnectError("It failed.")
    error.retry_safe = retry_safe
    error.request_sent = request_sent
    return error


async def produced():
    yield b"x"


# (retry_safe, request_sent) → what SAFE and KEYED calls get, what UNSAFE calls get
TABLE = {
    (True, False): (RETRY, RETRY),
    (True, True): (RETRY, RETRY),
    (True, None): (RETRY, RETRY),
    (None, False): (RETRY, RETRY),
    (None, True): (RETRY, UNKNOWN),
    (None, None): (RETRY, UNKNOWN),
    (False, False): (GIVE_UP, GIVE_UP),
    (False, True): (GIVE_UP, GIVE_UP),
    (False, None): (GIVE_UP, GIVE_UP),
}


@pytest.mark.parametrize(("facts", "replay"), [*itertools.product(TABLE, Replay)], ids=str)
def test_the_verdict_follows_from_the_facts(facts, replay):
    repeatable, unsafe = TABLE[facts]
    request = Request("POST", "/x", content=b"{}", replay=replay)

    verdict = classify(request, error_with(*facts))

    assert verdict is (unsafe if replay is Replay.UNSAFE else repeatable)


@pytest.mark.parametrize(("facts", "replay"), [*itertools.product(TABLE, Replay)])
def test_a_body_that_is_used_up_is_never_sent_again(facts, replay):
    request = Request("POST", "/x", content=produced(), replay=replay)

    verdict = classify(request, error_with(*facts))

    assert verdict is not RETRY
    unknown = TABLE[facts][1] is UNKNOWN and replay is Replay.UNSAFE
    assert verdict is (UNKNOWN if unknown else GIVE_UP)


@pytest.mark.parametrize(
    ("method", "verdict"),
    [("GET", RETRY), ("PUT", RETRY), ("DELETE", RETRY), ("POST", UNKNOWN), ("PATCH", UNKNOWN)],
)
def test_a_request_without_a_mark_is_judged_by_its_method(method, verdict):
    assert classify(Request(method, "/x"), ConnectionLostError("Cut.")) is verdict


@pytest.mark.parametrize(
    ("error", "read", "create"),
    [
        (ConnectError("x"), RETRY, RETRY),
        (ConnectionLostError("x"), RETRY, UNKNOWN),
        (RequestTimeoutError("x"), RETRY, UNKNOWN),
        (ResponseError("x"), RETRY, UNKNOWN),
        (PoolTimeout("x"), GIVE_UP, GIVE_UP),
        (ThrottledError("x", retry_safe=True), RETRY, RETRY),
        (ServerError("x", retry_safe=None), RETRY, UNKNOWN),
        (ApiError("x"), GIVE_UP, GIVE_UP),
        (TransientAuthError("x"), RETRY, RETRY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SfConnectError) else "",
)
def test_the_errors_of_the_framework_are_judged_as_they_should_be(error, read, create):
    assert classify(Request("GET", "/x"), error) is read
    assert classify(Request("POST", "/x", content=b"{}"), error) is create


def test_waits_double_up_to_the_longest():
    policy = RetryPolicy(initial_s=0.5, max_s=4, random=lambda: 1.0)

    waits = [policy.wait_s(failures, ConnectError("x")) for failures in range(1, 7)]

    assert waits == [0.5, 1, 2, 4, 4, 4]


def test_a_wait_is_drawn_from_the_upper_half():
    low = RetryPolicy(initial_s=8.0, random=lambda: 0.0)
    high = RetryPolicy(initial_s=8.0, random=lambda: 1.0)

    assert low.wait_s(1, ConnectError("x")) == 4.0
    assert high.wait_s(1, ConnectError("x")) == 8.0


def test_drawn_waits_differ():
    policy = RetryPolicy()

    assert len({policy.wait_s(3, ConnectError("x")) for _ in range(50)}) > 40


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_no_number_of_failures_breaks_the_wait(failures, drawn):
    wait = RetryPolicy(random=lambda: drawn).wait_s(failures, ConnectError("x"))

    assert 0.25 <= wait <= 20.0


def throttled(retry_after: float | None) -> ThrottledError:
    return ThrottledError("Busy.", retry_safe=True, retry_after=retry_after)


@given(st.floats(0, 120), st.integers(1, 20), st.floats(0, 1))
def test_the_servers_wish_is_a_lower_bound_that_is_spread_a_little(wish, failures, drawn):
    policy = RetryPolicy(random=lambda: drawn)

    wait = policy.wait_s(failures, throttled(wish))

    assert wish <= wait <= max(wish + 0.5, 20.0)


def test_callers_that_were_told_the_same_wait_come_back_apart():
    policy = RetryPolicy()

    assert len({policy.wait_s(1, throttled(60)) for _ in range(50)}) > 40


def test_a_wish_that_is_too_long_ends_the_call():
    policy = RetryPolicy(retry_after_cap_s=120)

    assert policy.allows(1, throttled(120))
    assert not policy.allows(1, throttled(120.5))
    assert policy.allows(1, throttled(None))


def test_the_number_of_attempts_includes_the_first():
    policy = RetryPolicy(max_attempts=3)

    assert [policy.allows(failures, throttled(None)) for failures in (1, 2, 3)] == [
        True,
        True,
        False,
    ]
    assert not NO_RETRY.allows(1, throttled(None))


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, None])
def test_attempts_are_a_whole_number_of_one_or_more(value):
    with pytest.raises(ConfigurationError, match=r"RetryPolicy\.max_attempts cannot be") as caught:
        RetryPolicy(max_attempts=value)

    assert "1 sends once" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["initial_s", "max_s", "retry_after_cap_s"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "1", True])
def test_waits_are_finite_numbers_of_seconds(name, value):
    with pytest.raises(ConfigurationError, match=rf"RetryPolicy\.{name} cannot be") as caught:
        RetryPolicy(**{name: value})

    assert "seconds" in str(caught.value.hint)


def test_why_no_attempt_follows_is_told():
    policy = RetryPolicy(max_attempts=3)
    lost_race = throttled(None)
    lost_race.max_retries = 1

    assert policy.refusal(2, throttled(None)) is None
    assert "allows 3 attempts" in str(policy.refusal(3, throttled(None)))
    assert "120 s" in str(policy.refusal(1, throttled(121)))
    assert policy.refusal(1, lost_race) is None
    assert "once more" in str(policy.refusal(2, lost_race))
