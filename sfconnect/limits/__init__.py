"""How much may be asked at once, and how much of a quota is left."""

from sfconnect.limits.adaptive import USUAL_LANES, AdaptiveLimiter
from sfconnect.limits.allocations import AllocatingService, Allocations
from sfconnect.limits.concurrency import (
    ENDED_BY_CALLER,
    FixedLimiter,
    HeedsLongCalls,
    Limiter,
    has_use_for,
    innermost,
    told_by,
)
from sfconnect.limits.guard import QuotaGuard, RecentCalls, calls_of_share
from sfconnect.limits.lanes import Lane, LaneStats
from sfconnect.limits.logins import LoginLane, login_lane
from sfconnect.limits.long_calls import LONG_LIMIT
from sfconnect.limits.named import Adaptive
from sfconnect.limits.quota import NotesQuota, Quota, QuotaShare, ShareStats, read_limits
from sfconnect.limits.rate import PacedLimiter, Pacer, PacesCalls
from sfconnect.limits.shared import LimiterContext, OpenLimiter, SharedLimiter

__all__ = [
    "ENDED_BY_CALLER",
    "LONG_LIMIT",
    "USUAL_LANES",
    "Adaptive",
    "AdaptiveLimiter",
    "AllocatingService",
    "Allocations",
    "FixedLimiter",
    "HeedsLongCalls",
    "Lane",
    "LaneStats",
    "Limiter",
    "LimiterContext",
    "LoginLane",
    "NotesQuota",
    "OpenLimiter",
    "PacedLimiter",
    "Pacer",
    "PacesCalls",
    "Quota",
    "QuotaGuard",
    "QuotaShare",
    "RecentCalls",
    "ShareStats",
    "SharedLimiter",
    "calls_of_share",
    "has_use_for",
    "innermost",
    "login_lane",
    "read_limits",
    "told_by",
]
