"""How much may be asked at once, and how much of a quota is left."""

from sfconnect.limits.concurrency import FixedLimiter, Limiter
from sfconnect.limits.quota import Quota

__all__ = ["FixedLimiter", "Limiter", "Quota"]
