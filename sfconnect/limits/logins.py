"""Logins have a lane of their own, beside the limit of the calls that wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sfconnect._slots import Slots
from sfconnect.errors import ConfigurationError, PoolTimeout
from sfconnect.limits.lanes import LaneStats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sfconnect.limits.lanes import Lane
    from sfconnect.messages import Request, Response

LOGIN: Final = "login"
"""The name of the lane of logins."""
AT_ONCE: Final = 4
"""One connection sends one at a time; this is for many that share a limiter and start together."""


class LoginLane:
    """Let a few requests of logins be under way at once, whatever the calls do.

    Its slots are its own, so all of them are reserved: no line of calls is in the way of a login,
    and no login takes a slot from calls. It cannot come to a deadlock, even where one call may be
    in flight: a call reads its token before it takes a slot, and what fetches the token waits for
    requests of other logins alone, which wait for nothing here, since a slot is held for one
    request and not for all that a login does.

    For the same reason no limiter learns from logins. A token endpoint is another server with
    times of its own, and a refusal for too many logins counts those of a user within an hour: fewer
    calls would be no help. The credential manager heeds it.

    Connections that share a limiter share its lane; give several limiters one to bound them
    together.

    Args:
        limit: Requests of logins that may be under way.
        wait_s: Longest wait in line; None for no bound.
    """

    __slots__ = ("_slots", "_wait_s")

    def __init__(self, limit: int = AT_ONCE, *, wait_s: float | None = None) -> None:
        if limit < 1:
            message = f"A lane of logins must let at least one through, not {limit}."
            raise ConfigurationError(message)
        self._wait_s = wait_s
        self._slots = Slots(limit, wait_s=wait_s, late=self._late)

    def stats(self) -> LaneStats:
        """How full it is."""
        slots = self._slots
        return LaneStats(slots.used, slots.waiting, slots.capacity, slots.capacity)

    def carrying(
        self, send: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Give what sends a request of a login by this lane."""
        slots = self._slots

        async def send_by_lane(request: Request) -> Response:
            await slots.acquire()
            try:
                return await send(request)
            finally:
                slots.release()

        return send_by_lane

    def _late(self) -> PoolTimeout:
        used = self._slots.used
        message = f"The login waited {self._wait_s} s behind others; {used} are under way."
        hint = "See whether the login server answers; or give the limiter logins=LoginLane(…)."
        return PoolTimeout(message, hint=hint)


def login_lane(limiter: object, wait_s: float | None = None) -> LoginLane:
    """The lane of logins of a limiter, or of one within it; a new one where none has any."""
    while limiter is not None:
        if isinstance(lane := getattr(limiter, "logins", None), LoginLane):
            return lane
        limiter = getattr(limiter, "inner", None)
    return LoginLane(wait_s=wait_s)


def checked_lanes(lanes: Mapping[str, Lane]) -> Mapping[str, Lane]:
    """Refuse a lane of calls for what no call ever is.

    Raises:
        ConfigurationError: It would keep slots of calls for logins, which take none.
    """
    if LOGIN in lanes:
        message = "Logins have a lane of their own, beside the limit of calls."
        hint = "Leave the lane 'login' out; logins=LoginLane(2) sets how many may be under way."
        raise ConfigurationError(message, hint=hint)
    return lanes
