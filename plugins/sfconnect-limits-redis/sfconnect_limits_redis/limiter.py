"""The options of a shared limit, from which connections open their part of it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sfconnect import Secret
from sfconnect.auth import coerce_secrets, option
from sfconnect.errors import ConfigurationError
from sfconnect_limits_redis.book import Book, Terms, book_name, holder_name
from sfconnect_limits_redis.lanes import read_lanes
from sfconnect_limits_redis.pace import PacedSlots, SharedPace
from sfconnect_limits_redis.server import Server
from sfconnect_limits_redis.slots import SharedSlots
from sfconnect_limits_redis.times import Schedule

if TYPE_CHECKING:
    from sfconnect.limits import LimiterContext

_SHORTEST_LEASE: Final = 3
"""A lease lasts this many time-outs at least, so that a slow server does not end it at once."""

_LOWEST_RATE: Final = 1e-3
"""A call in a quarter of an hour, as for ``max_per_second``."""


@dataclass(frozen=True, slots=True)
class RedisLimiter:
    """Let all processes that use an org have so many calls in flight together.

    A process leases as many slots as its calls use, as far as they are free, and shares evenly
    with others that want some; calls take them from there without asking Redis. One that dies
    loses its lease after ``redis_lease_s``. All should have the same budget and lanes.

    Give it to a connection as ``limiter``, or have a setting name it: ``limiter = "redis"``.
    """

    redis_url: Secret | str = option(
        secret=True,
        env="REDIS_URL",
        help="Address of the server; a password in it is shown nowhere.",
        example="redis://localhost:6379/0",
    )
    redis_budget: int = option(help="Calls in flight of all processes together.", example="25")
    redis_max_per_second: float | None = option(
        default=None, help="Calls sent in a second by all processes together, evenly spaced."
    )
    redis_lanes: tuple[str, ...] = option(
        default=(),
        help="Slots kept for a lane (interactive>=2), and most that it may have (bulk<=5).",
        example="interactive>=2, bulk<=5",
    )
    redis_limit_name: str | None = option(
        default=None,
        help="Whoever names the same shares the limit; none: whoever uses the same org.",
    )
    redis_ca_file: Path | None = option(
        default=None,
        help="Whom a rediss:// server's certificate may be signed by; none: the system's list.",
    )
    redis_lease_s: float = option(
        default=10.0, help="After so long the slots of a process that died are free."
    )
    redis_timeout_s: float = option(default=1.0, help="Limit of each question to the server.")
    redis_on_outage: Literal["local", "fail"] = option(
        default="local",
        help="While the server is away: go on with a part of the budget, or fail.",
    )
    redis_outage_limit: int | None = option(
        default=None,
        help="Calls in flight of this process while the server is away; none: its part.",
    )

    def __post_init__(self) -> None:
        coerce_secrets(self)
        if self.redis_budget < 1:
            raise ConfigurationError(f"redis_budget must be at least 1, not {self.redis_budget}.")
        rate = self.redis_max_per_second
        if rate is not None and not _LOWEST_RATE <= rate < inf:
            message = f"redis_max_per_second must be at least {_LOWEST_RATE}, not {rate}."
            raise ConfigurationError(message)
        if not self.redis_timeout_s > 0:
            message = f"redis_timeout_s must be above 0, not {self.redis_timeout_s}."
            raise ConfigurationError(message)
        if not self.redis_lease_s >= _SHORTEST_LEASE * self.redis_timeout_s:
            message = f"redis_lease_s is {self.redis_lease_s}, which is too short."
            hint = f"Give {_SHORTEST_LEASE} times redis_timeout_s ({self.redis_timeout_s}) or more."
            raise ConfigurationError(message, hint=hint)
        if self.redis_outage_limit is not None and self.redis_outage_limit < 1:
            message = f"redis_outage_limit must be at least 1, not {self.redis_outage_limit}."
            raise ConfigurationError(message, hint='Calls stop with redis_on_outage = "fail".')
        read_lanes(self.redis_lanes, self.redis_budget)

    async def open(self, context: LimiterContext) -> SharedSlots | PacedSlots:
        """Take part in the limit.

        Raises:
            ConfigurationError: The address or its password is wrong, or the server is none that
                can keep a limit. One that is only away is no error here.
        """
        given = self.redis_url
        url = given if isinstance(given, Secret) else Secret(given)
        await self._check_trust()
        server = Server(url, timeout_s=self.redis_timeout_s, ca_file=self.redis_ca_file)
        scope = self.redis_limit_name or context.scope
        slots = self._slots(Book(server, scope, holder_name()), context)
        try:
            await slots.open()
        except BaseException:
            await slots.aclose()
            raise
        rate = self.redis_max_per_second
        if rate is None:
            return slots
        schedule = Schedule(server, book_name(scope), rate)
        return PacedSlots(slots, SharedPace(schedule, slots, rate, timeout_s=self.redis_timeout_s))

    async def _check_trust(self) -> None:
        if self.redis_ca_file is None:
            return
        try:
            await asyncio.to_thread(ssl.create_default_context, cafile=self.redis_ca_file)
        except (OSError, ValueError) as error:  # those of ssl are of the first
            message = (
                f"redis_ca_file holds no certificates that can be read: {type(error).__name__}."
            )
            hint = "It is a file of certificates as text (PEM)."
            raise ConfigurationError(message, hint=hint) from error

    def _slots(self, book: Book, context: LimiterContext) -> SharedSlots:
        lanes = read_lanes(self.redis_lanes, self.redis_budget)
        return SharedSlots(
            book,
            Terms(self.redis_budget, lanes, self.redis_lease_s),
            context,
            timeout_s=self.redis_timeout_s,
            on_outage=self.redis_on_outage,
            outage_limit=self.redis_outage_limit,
        )
