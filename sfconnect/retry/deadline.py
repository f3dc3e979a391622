"""A limit over a whole call: its attempts, and every wait between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from sfconnect.errors import FailedAttempt, RequestTimeoutError, SfConnectError
from sfconnect.retry.outcome import final_error, reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sfconnect.clock import Clock
    from sfconnect.messages import Request

T = TypeVar("T")

SENT = "The request had been handed to the network."
"""Noted on what ends an attempt from outside, by whoever had handed its request on."""


class Deadline:
    """When a call has to have ended, and what it has done until then.

    Attributes:
        limit_s: The limit that was set.
        at: When it is over, by the clock's ``monotonic``.
        failed: The attempts that failed so far.
    """

    __slots__ = ("_clock", "at", "failed", "limit_s")

    def __init__(self, limit_s: float, clock: Clock) -> None:
        self.limit_s = limit_s
        self.at = clock.monotonic() + limit_s
        self.failed: list[FailedAttempt] = []
        self._clock = clock

    def excludes(self, wait_s: float) -> bool:
        """Whether a wait would not end before the limit, and so is not worth to begin."""
        return self._clock.monotonic() + wait_s >= self.at

    async def bound(self, request: Request, work: Awaitable[T]) -> T:
        """Await the work, and end it when the time is over.

        Raises:
            OutcomeUnknownError: It was ended while a request that may not be repeated was out.
            RequestTimeoutError: It was ended elsewhere.
        """
        scope = asyncio.timeout(self.limit_s)
        try:
            async with scope:
                return await work
        except TimeoutError as error:
            if not scope.expired():  # somebody else's, such as one of a body's producer
                raise
            late = self._late(request, sent=SENT in getattr(error.__cause__, "__notes__", ()))
        raise late

    def _late(self, request: Request, *, sent: bool) -> SfConnectError:
        error = RequestTimeoutError(
            f"{request.method} {request.place}: not done within the call's {self.limit_s:g} s.",
            hint="Raise Timeout.call_s, or look at the attempts for what took so long.",
        )
        error.request_sent = sent
        number = len(self.failed) + 1
        self.failed.append(FailedAttempt(number, self._clock.time(), reason_of(error), None))
        return final_error(request, error, self.failed)
