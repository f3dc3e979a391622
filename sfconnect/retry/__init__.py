"""When to send again, how long to wait, and how often at the most."""

from sfconnect.policy import RetryPolicy
from sfconnect.retry.budget import RetryBudget
from sfconnect.retry.executor import RetryExecutor
from sfconnect.retry.verdict import Verdict, classify

__all__ = ["RetryBudget", "RetryExecutor", "RetryPolicy", "Verdict", "classify"]
