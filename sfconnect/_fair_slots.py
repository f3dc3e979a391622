"""Slots that several parties share: each has a line of its own, and they are served in turn."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from sfconnect._slots import Slots

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping


_TIMES_FREE = 9


class FairSlots(Slots):
    """Slots whose waiters are told apart by a key, so that the many of one starve no other.

    A free slot goes to the parties that wait in turn, one each, and within a party to who came
    first. A party that comes to a long line of others is next after one of each of them. Taking
    and freeing cost the same however many wait, and however many parties there are.

    Turns alone would not help where nothing is freed, since what one party took is stalled. So,
    once :attr:`shared` is set, nobody who holds nine times as many slots as are free takes another:
    one party alone leaves a tenth, two a twentieth, and there is a slot for who comes new. Of fewer
    than ten slots none is kept.

    Attributes:
        shared: Whether there are several parties, so that room is to be left for others.
    """

    __slots__ = ("_held", "_lines", "shared")

    def __init__(self, capacity: int, **options: Any) -> None:
        super().__init__(capacity, **options)
        # Beside the line in the order of coming, which is the one that times out.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._held: dict[str, int] = {}
        self.shared = False

    def try_acquire(self, key: str = "") -> bool:
        """Take a slot if one is free, nobody waits for it, and the party may have it."""
        if self.used >= self.capacity or self.waiting or self._refusal is not None:
            return False
        if self.shared and not self._may_take(key):
            return False
        self.used += 1
        self._held[key] = self._held.get(key, 0) + 1
        return True

    def _may_take(self, key: str) -> bool:
        return self._held.get(key, 0) < _TIMES_FREE * (self.capacity - self.used)

    def release(self, key: str = "") -> None:
        """Free a slot of a party; whose turn it is gets it."""
        left = self._held[key] - 1
        if left:
            self._held[key] = left
        else:
            del self._held[key]
        super().release()

    def waiting_by_key(self) -> Mapping[str, int]:
        """How many wait for each party that has somebody in line."""
        return Counter(key for key, line in self._lines.items() for turn in line if not turn.done())

    def _stand_in_line(self, loop: asyncio.AbstractEventLoop, key: str) -> asyncio.Future[None]:
        turn = super()._stand_in_line(loop, key)
        self._lines.setdefault(key, deque()).append(turn)
        if self.used < self.capacity:  # all who wait have too many to take what is free
            self._serve()
        return turn

    def _serve(self) -> None:
        for turn in self._in_turn():
            self.used += 1
            self.waiting -= 1
            turn.set_result(None)
        # Who was served out of the order of coming is still in that line.
        while self._line and self._line[0].done():
            _ = self._next_in_line()
        if len(self._line) > 2 * self.waiting:
            self._close_ranks()

    def _in_turn(self) -> Iterator[asyncio.Future[None]]:
        """Those whom free slots go to, as long as there are any."""
        while self.used < self.capacity and (key := self._next_party()) is not None:
            line = self._lines[key]
            turn = line.popleft()
            if not line:
                del self._lines[key]
            elif not turn.done():
                self._lines.move_to_end(key)
            if not turn.done():
                self._held[key] = self._held.get(key, 0) + 1
                yield turn

    def _next_party(self) -> str | None:
        """Whose turn it is, of those that may take a slot; they are few who may not."""
        if not self.shared:
            return next(iter(self._lines), None)
        return next(filter(self._may_take, self._lines), None)

    def _close_ranks(self) -> None:
        super()._close_ranks()
        for key, line in list(self._lines.items()):
            still = deque(turn for turn in line if not turn.done())
            if still:
                self._lines[key] = still
            else:
                del self._lines[key]
