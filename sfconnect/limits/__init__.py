"""How much may be asked at once, and how much of a quota is left."""

from sfconnect.limits.adaptive import AdaptiveLimiter
from sfconnect.limits.concurrency import FixedLimiter, HeedsLongCalls, Limiter, has_use_for
from sfconnect.limits.lanes import Lane
from sfconnect.limits.long_calls import LONG_LIMIT
from sfconnect.limits.named import Adaptive
from sfconnect.limits.quota import Quota
from sfconnect.limits.shared import LimiterContext, OpenLimiter, SharedLimiter

__all__ = [
    "LONG_LIMIT",
    "Adaptive",
    "AdaptiveLimiter",
    "FixedLimiter",
    "HeedsLongCalls",
    "Lane",
    "Limiter",
    "LimiterContext",
    "OpenLimiter",
    "Quota",
    "SharedLimiter",
    "has_use_for",
]
