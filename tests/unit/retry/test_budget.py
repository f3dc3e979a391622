"""A budget that retries spend and successes refill."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfconnect.retry import RetryBudget


def test_a_budget_pays_for_a_number_of_retries_and_then_for_none():
    budget = RetryBudget(30, cost=10)

    assert [budget.try_spend() for _ in range(4)] == [True, True, True, False]
    assert budget.tokens == 0


def test_a_retry_that_the_server_asked_for_is_cheaper():
    budget = RetryBudget(30, cost=10, throttled_cost=5)

    assert sum(budget.try_spend(throttled=True) for _ in range(10)) == 6


def test_successes_pay_back_up_to_the_capacity():
    budget = RetryBudget(10, cost=10, refund=4)
    budget.try_spend()

    assert not budget.try_spend()
    for _ in range(3):
        budget.earn()

    assert budget.tokens == 10
    assert budget.try_spend()


@given(st.lists(st.sampled_from(["spend", "throttled", "earn"])))
def test_the_store_is_never_below_nothing_nor_above_its_capacity(steps):
    budget = RetryBudget(25, cost=10, throttled_cost=5, refund=3)

    for step in steps:
        if step == "earn":
            budget.earn()
        else:
            budget.try_spend(throttled=step == "throttled")
        assert 0 <= budget.tokens <= 25


def test_in_an_outage_the_traffic_is_not_multiplied():
    budget = RetryBudget()

    retries = sum(budget.try_spend() for _ in range(10_000))

    assert retries == 50
