"""A budget for retries, so that an outage does not multiply traffic."""

from __future__ import annotations


class RetryBudget:
    """A store of tokens that retries spend and successes refill.

    While most calls succeed, retries are free for practical purposes. When most fail, the store
    runs dry and calls fail with their own error instead of being sent again and again.

    Args:
        capacity: Tokens at most, and at the start.
        cost: Tokens a retry takes.
        throttled_cost: Tokens a retry takes after the server asked for less traffic: those are
            cheaper, since the wait does what the budget is for.
        refund: Tokens a success gives back.
    """

    __slots__ = ("capacity", "cost", "refund", "throttled_cost", "tokens")

    def __init__(
        self,
        capacity: float = 500.0,
        *,
        cost: float = 10.0,
        throttled_cost: float = 5.0,
        refund: float = 1.0,
    ) -> None:
        self.capacity = capacity
        self.cost = cost
        self.throttled_cost = throttled_cost
        self.refund = refund
        self.tokens = capacity

    def try_spend(self, *, throttled: bool = False) -> bool:
        """Take the tokens of one retry, if they are there."""
        cost = self.throttled_cost if throttled else self.cost
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def earn(self) -> None:
        """Give back what a success earns."""
        self.tokens = min(self.capacity, self.tokens + self.refund)
