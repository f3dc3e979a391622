"""Ask for a late read a second time, and take the answer that comes first."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import SfConnectError
from sfconnect.instrumentation import Emitter, HedgeSent
from sfconnect.messages import Replay
from sfconnect.retry.deadline import SENT
from sfconnect.retry.verdict import Verdict, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sfconnect.messages import Request, Response
    from sfconnect.policy import HedgePolicy

_READS = frozenset({"GET", "HEAD"})
_NEWEST = 200
"""How many answers a percentile is taken of."""
_ENOUGH = 20
"""How many there must be, and after how many more it is taken anew."""
_SAVED_UP = 10.0
"""How many hedges may be saved up while none is needed."""


def may_be_hedged(request: Request) -> bool:
    """Whether asking twice at once can do no harm."""
    is_read = request.method in _READS and request.content is None
    return is_read and request.replay in {None, Replay.SAFE}


class Hedger:
    """Races a late attempt against a second one, for a limited share of the reads.

    Attributes:
        sent: Second attempts made.
        won: Those of them that answered first.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, emitter: Emitter | None = None) -> None:
        self.sent = self.won = 0
        self._clock = clock
        self._emitter = emitter or Emitter()
        self._saved = 0.0
        self._times: dict[str, _Times] = {}

    async def send(
        self,
        policy: HedgePolicy,
        request: Request,
        attempt: Callable[[], Coroutine[Any, Any, Response]],
        has_room: Callable[[], bool],
    ) -> Response:
        """Make an attempt, and a second one if the first is late.

        Args:
            policy: When and how often.
            request: What ``attempt`` sends.
            attempt: Sends it once, with a slot of its own.
            has_room: Whether a second attempt would get a slot at once; one that had to stand in
                line would only be later than the first.

        Raises:
            SfConnectError: Both failed, with the first one's error; or one was refused in a way
                that the other would be too.
        """
        times = self._times.setdefault(request.surface, _Times())
        self._saved = min(_SAVED_UP, self._saved + policy.share)
        began = self._clock.monotonic()
        delay_s = times.late_after(policy)
        if delay_s is None:
            answer = await attempt()
        else:
            answer = await self._race(request, attempt, delay_s, has_room)
        times.add(self._clock.monotonic() - began)
        return answer

    async def _race(
        self,
        request: Request,
        attempt: Callable[[], Coroutine[Any, Any, Response]],
        delay_s: float,
        has_room: Callable[[], bool],
    ) -> Response:
        first = asyncio.create_task(attempt())
        racing = [first]
        timer = asyncio.create_task(self._clock.sleep(delay_s))
        try:
            await asyncio.wait({first, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and self._saved >= 1 and has_room():
                self._saved -= 1
                self.sent += 1
                racing.append(asyncio.create_task(attempt()))
                event = HedgeSent(request.method, request.place, request.surface, delay_s * 1000)
                self._emitter.emit(event)
            winner = await _first_to_answer(request, racing)
            self.won += winner is not first
            return winner.result()
        except asyncio.CancelledError as cancelled:
            cancelled.add_note(SENT)
            raise
        finally:
            # Whoever lost is gone before the answer is used: its slot is free, its connection shut.
            await _end([timer, *racing])


async def _first_to_answer(
    request: Request, racing: list[asyncio.Task[Response]]
) -> asyncio.Task[Response]:
    """Wait for the first answer; an error that repeating may help leaves it to the other."""
    left = set(racing)
    failures: list[SfConnectError] = []
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in sorted(done, key=racing.index):
            try:
                task.result()
            except SfConnectError as error:
                if classify(request, error) is not Verdict.RETRY:
                    raise
                failures.append(error)
            else:
                return task
    raise failures[0]


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    for task in tasks:
        task.add_done_callback(_note_end)
    if running:
        await asyncio.wait(running)


def _note_end(task: asyncio.Task[Any]) -> None:
    """Take note of an error that has been raised, or is the loser's, and no news to anybody."""
    if not task.cancelled():
        task.exception()


class _Times:
    """How long the newest answers took, and from when on one is late."""

    __slots__ = ("_late", "_new", "_newest")

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=_NEWEST)
        self._new = 0
        self._late: dict[float, float] = {}

    def add(self, elapsed_s: float) -> None:
        self._newest.append(elapsed_s)
        self._new += 1
        if self._new >= _ENOUGH:
            self._new = 0
            self._late.clear()

    def late_after(self, policy: HedgePolicy) -> float | None:
        """Seconds after which an answer is late; None while that is not known."""
        if policy.percentile is None:
            return policy.after_s
        if len(self._newest) < _ENOUGH:
            return None
        late_s = self._late.get(policy.percentile)
        if late_s is None:
            ordered = sorted(self._newest)
            late_s = ordered[min(len(ordered) - 1, int(policy.percentile * len(ordered)))]
            self._late[policy.percentile] = late_s
        return max(late_s, policy.after_s or 0.0)
