"""How much may be asked at once, and how much of a quota is left."""

from sfconnect.limits.adaptive import AdaptiveLimiter
from sfconnect.limits.concurrency import FixedLimiter, Limiter
from sfconnect.limits.lanes import Lane
from sfconnect.limits.quota import Quota
from sfconnect.limits.shared import LimiterContext, OpenLimiter, SharedLimiter

__all__ = [
    "AdaptiveLimiter",
    "FixedLimiter",
    "Lane",
    "Limiter",
    "LimiterContext",
    "OpenLimiter",
    "Quota",
    "SharedLimiter",
]
