"""An executor on a controllable clock, its budget, and the events that it tells."""

from __future__ import annotations

import pytest

from sfconnect.instrumentation import Emitter, RetryScheduled
from sfconnect.retry import RetryBudget, RetryExecutor, RetryPolicy


@pytest.fixture
def events() -> list[RetryScheduled]:
    return []


@pytest.fixture
def budget() -> RetryBudget:
    return RetryBudget()


@pytest.fixture
def executor(clock, events, budget) -> RetryExecutor:
    policy = RetryPolicy(max_attempts=4, initial_s=1.0, random=lambda: 1.0)
    return RetryExecutor(policy, budget, clock=clock, emitter=Emitter([events.append]))
