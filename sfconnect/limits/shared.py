"""Limiters that several processes share: what one is told, and what it has to be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sfconnect.instrumentation import Emitter, LimiterLost
from sfconnect.limits.concurrency import Limiter


@dataclass(frozen=True, slots=True)
class LimiterContext:
    """What a connection tells its limiter.

    Attributes:
        scope: Whose limits they are: the host of an org, or a hash that stands for a login.
        max_waiting: Calls that may stand in line; None for no bound.
        wait_s: Longest wait in line; None for no bound.
        emitter: Told when the limit changes, when it cannot be shared any more, and can again.
        max_connections: Requests that the connection itself may have in flight.
    """

    scope: str
    max_waiting: int | None = None
    wait_s: float | None = None
    emitter: Emitter = field(default_factory=Emitter)
    max_connections: int = 100

    def tell_lost(self, limiter: str, limit: int, error: str | None) -> None:
        """Send the event ``limiter.lost``; ``error`` is None when it is over."""
        if self.emitter.hooks:
            self.emitter.emit(LimiterLost(limiter, limit, error))


class OpenLimiter(Limiter, Protocol):
    """A limiter that has to be closed."""

    async def aclose(self) -> None:
        """Give back what this process has of the limit. It ends in bounded time, and twice."""
        ...


@runtime_checkable
class SharedLimiter(Protocol):
    """A limit that other processes take part in; plugins of ``sfconnect.limiter`` are such.

    It is a dataclass whose fields are its options, as strategies are, and may be opened by
    several connections.
    """

    async def open(self, context: LimiterContext) -> OpenLimiter:
        """Take part. It ends in bounded time, whether or not the others can be reached.

        Raises:
            ConfigurationError: It is set up wrongly, so that it could never work.
        """
        ...
