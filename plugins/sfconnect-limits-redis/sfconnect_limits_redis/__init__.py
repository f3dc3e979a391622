"""One limit for all processes and hosts that use an org, kept in Redis or Valkey."""

from sfconnect_limits_redis.limiter import RedisLimiter

__all__ = ["RedisLimiter"]
