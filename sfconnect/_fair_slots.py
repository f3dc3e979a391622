"""Slots that several parties share: each has a line of its own, and they are served in turn."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from sfconnect._slots import Slots

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping


class FairSlots(Slots):
    """Slots whose waiters are told apart by a key, so that the many of one starve no other.

    A free slot goes to the parties that wait in turn, one each, and within a party to who came
    first. A party that comes to a long line of others is next after one of each of them. Taking
    and freeing cost the same however many wait, and however many parties there are.
    """

    __slots__ = ("_lines",)

    def __init__(self, capacity: int, **options: Any) -> None:
        super().__init__(capacity, **options)
        # Beside the line in the order of coming, which is the one that times out.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def waiting_by_key(self) -> Mapping[str, int]:
        """How many wait for each party that has somebody in line."""
        return Counter(key for key, line in self._lines.items() for turn in line if not turn.done())

    def _stand_in_line(self, loop: asyncio.AbstractEventLoop, key: str) -> asyncio.Future[None]:
        turn = super()._stand_in_line(loop, key)
        self._lines.setdefault(key, deque()).append(turn)
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
        while self._lines and self.used < self.capacity:
            key, line = next(iter(self._lines.items()))
            turn = line.popleft()
            if not line:
                del self._lines[key]
            elif not turn.done():
                self._lines.move_to_end(key)
            if not turn.done():
                yield turn

    def _close_ranks(self) -> None:
        super()._close_ranks()
        for key, line in list(self._lines.items()):
            still = deque(turn for turn in line if not turn.done())
            if still:
                self._lines[key] = still
            else:
                del self._lines[key]
