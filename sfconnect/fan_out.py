"""Many calls at once, bounded, with each outcome told apart."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Sized,
)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar

from sfconnect._slots import Slots
from sfconnect.call import Call
from sfconnect.errors import ConfigurationError, PoolClosed, SfConnectError
from sfconnect.progress import OnProgress, ProgressMeter

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

_END = object()
"""Ends the input; None would be an item that is not a call."""

OnError: TypeAlias = Literal["collect", "raise", "stop"]
Calls: TypeAlias = Iterable[Call[T]] | AsyncIterable[Call[T]]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How one call ended. ``index`` is its place in the input; exactly one of the others counts."""

    index: int
    call: Call[T] = field(repr=False)
    value: T | None = field(default=None, repr=False)
    error: SfConnectError | None = None

    def unwrap(self) -> T:
        """Return the value, or raise the call's error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # set whenever error is not


class FanOut(Generic[T]):
    """Outcomes of many calls, as they finish or in the order of the input.

    Enter it with ``async with`` and iterate over it inside. At most ``concurrency`` calls are under
    way; no more are begun once as many stand in line as may be in flight, since they could only
    wait. At most ``window`` are begun and not yet taken by the loop, so a slow consumer slows the
    calls down and memory stays flat however many calls there are. The input is read one by one as
    calls begin; it may be an (async) generator without end.

    Leaving the block cancels what is still in flight; a call that is a write may then have
    happened or not.

    ``progress`` is called as calls end, ten times a second at most, and once when all have ended;
    ``total`` tells it how many there will be, where the input has no length. What it raises is
    raised out of the loop.

    ``on_error``: ``collect`` gives errors as outcomes; with ``raise`` and ``stop`` no more calls
    are started once one has failed. ``raise`` raises its error out of the loop; ``stop`` gives it
    as an outcome, and those in flight.

    When the connection is closed or drained, no more calls are started, those in flight give their
    outcomes, and ``PoolClosed`` is raised out of the loop; a call that met it before it was sent is
    no outcome.

    Only ``SfConnectError`` is an outcome. An exception of the input, or of a decoder, is a bug
    somewhere: it is raised out of the loop, or where that has been left, out of the block. If an
    exception leaves the block already, the event loop's exception handler gets the bug.
    """

    def __init__(
        self,
        calls: Calls[T],
        *,
        concurrency: int = 64,
        ordered: bool = False,
        on_error: OnError = "collect",
        window: int | None = None,
        progress: OnProgress | None = None,
        total: int | None = None,
    ) -> None:
        for name, number in (("concurrency", concurrency), ("window", window)):
            _check_count(name, number)
        if on_error not in {"collect", "raise", "stop"}:
            message = f"on_error must be 'collect', 'raise' or 'stop', not {on_error!r}."
            raise ConfigurationError(message)
        known = len(calls) if total is None and isinstance(calls, Sized) else total
        self._meter = None if progress is None else ProgressMeter(progress, known)
        self._source: Any = _iterator(calls)
        self._waits_for_input = isinstance(self._source, AsyncIterator)
        self._concurrency = concurrency
        self._on_error = on_error
        self._ready: _Ordered[T] | _AsFinished[T] = _Ordered() if ordered else _AsFinished()
        # Not asyncio's semaphore, which walks along its waiters for each one it wakes.
        self._window = Slots(max(window or 2 * concurrency, concurrency))
        self._reading = asyncio.Lock()
        self._group = asyncio.TaskGroup()
        self._workers: set[asyncio.Task[None]] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._entered = self._left = False
        self._count = 0
        self._exhausted = False
        self._crash: Exception | None = None
        self._told_of_crash = False
        self._closed: PoolClosed | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigurationError("A fan-out can be entered once; make another.")
        self._entered = True
        await self._group.__aenter__()
        self._add_worker()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exhausted = True
        for worker in self._workers:
            worker.cancel()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            self._left = True
            self._workers.clear()  # one that was cancelled before its first step is still there
            await _close(self._source)
        self._tell_of_crash(exc)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[T]:
        while (outcome := self._ready.take()) is None:
            if self._crash is not None:
                self._told_of_crash = True
                raise self._crash
            if not self._workers:
                self._end()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._window.release()
        if outcome.error is not None and self._on_error == "raise":
            raise outcome.error
        return outcome

    def _end(self) -> None:
        """Say why there is no further outcome, unless all calls have given theirs."""
        if not self._entered or self._left:
            message = "A fan-out gives its outcomes inside its block."
            hint = "async with sf.fan_out(calls) as outcomes: async for outcome in outcomes: …"
            raise ConfigurationError(message, hint=hint)
        if self._closed is not None:
            raise self._closed
        if self._meter is not None:
            self._meter.finish()

    def _start_no_more(self) -> None:
        """Let what is in flight finish; a source that is just being read is not waited for."""
        self._exhausted = True
        for worker in self._starting:
            worker.cancel()

    def _add_worker(self) -> None:
        worker = self._group.create_task(self._work())
        if not worker.done():  # an eager task factory may have run it to its end already
            self._workers.add(worker)

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # this is one
        try:
            while True:
                self._starting.add(task)
                started = await self._next()
                self._starting.discard(task)
                if started is None:
                    break
                index, call = started
                if len(self._workers) < self._concurrency and self._has_use_for_more(call):
                    self._add_worker()
                try:
                    # What call.send() does, without its frame: thousands may be waiting here.
                    value = call.decode(await call.sender.execute(call.request))
                    outcome = Outcome(index, call, value)
                except SfConnectError as error:
                    failed = self._failed(index, call, error)
                    if failed is None:
                        break
                    outcome = failed
                self._ready.put(outcome)
                self._news.set()
                if self._meter is not None:
                    self._meter.note(failed=outcome.error is not None)
        except Exception as error:  # noqa: BLE001  # a task's border: raised out of the loop
            self._fail(error)
        except asyncio.CancelledError:
            if not task.cancelling():  # or its outcome would be missing without a word
                self._fail(RuntimeError("A call ended as cancelled, but nobody had cancelled it."))
            raise
        finally:
            self._starting.discard(task)
            self._workers.discard(task)
            self._news.set()

    def _failed(self, index: int, call: Call[T], error: SfConnectError) -> Outcome[T] | None:
        """Make the outcome of a call that failed; None if closing came before it was sent."""
        if isinstance(error, PoolClosed):
            self._closed = error
            self._start_no_more()
            if error.request_sent is False:
                self._ready.skip(index)
                return None
        elif self._on_error != "collect":
            self._start_no_more()
        return Outcome(index, call, None, error)

    def _has_use_for_more(self, call: Call[T]) -> bool:
        """Whether one more worker may shorten the run.

        Where a line is full of waiting calls, more of them would only cost memory, and the
        garbage collector's time. The line grows again as it moves.
        """
        if self._exhausted:
            return False
        asked = getattr(call.sender, "has_use_for", None)
        return asked is None or asked(len(self._workers))

    def _fail(self, error: Exception) -> None:
        if isinstance(error, StopAsyncIteration):  # would end the loop as if all were done
            error, bug = (
                RuntimeError("A decoder, hook or iterator raised StopAsyncIteration."),
                error,
            )
            error.__cause__ = bug
        if self._crash is None:
            self._crash = error
        self._exhausted = True

    def _tell_of_crash(self, leaving: BaseException | None) -> None:
        """Raise a bug that the loop was left too early to meet, unless an error is on its way."""
        if self._crash is None or self._told_of_crash:
            return
        if leaving is None:
            raise self._crash
        context = {"message": "A fan-out failed while it was left", "exception": self._crash}
        asyncio.get_running_loop().call_exception_handler(context)

    async def _next(self) -> tuple[int, Call[T]] | None:
        """Take the next call once there is room for its outcome; None at the end."""
        if not self._window.try_acquire():
            await self._window.acquire()
        call = await self._read() if self._waits_for_input else self._read_now()
        if call is _END:
            self._exhausted = True
            self._window.release()  # lets the next worker see the end too
            return None
        index = self._count
        self._count += 1
        return index, _checked(call, index)

    def _read_now(self) -> object:
        return _END if self._exhausted else next(self._source, _END)

    async def _read(self) -> object:
        async with self._reading:  # a generator can be asked by one at a time
            return _END if self._exhausted else await anext(self._source, _END)


class _AsFinished(Generic[T]):
    """Outcomes in the order in which they came."""

    def __init__(self) -> None:
        self._outcomes: deque[Outcome[T]] = deque()

    def put(self, outcome: Outcome[T]) -> None:
        self._outcomes.append(outcome)

    def skip(self, index: int) -> None:
        """Nothing waits for it."""

    def take(self) -> Outcome[T] | None:
        return self._outcomes.popleft() if self._outcomes else None


class _Ordered(Generic[T]):
    """Outcomes in the order of the input; those that came early wait."""

    def __init__(self) -> None:
        self._outcomes: dict[int, Outcome[T]] = {}
        self._skipped: set[int] = set()
        self._due = 0

    def put(self, outcome: Outcome[T]) -> None:
        self._outcomes[outcome.index] = outcome

    def skip(self, index: int) -> None:
        """Let those behind it not wait for one that has no outcome."""
        self._skipped.add(index)

    def take(self) -> Outcome[T] | None:
        while self._due in self._skipped:
            self._due += 1
        outcome = self._outcomes.pop(self._due, None)
        if outcome is not None:
            self._due += 1
        return outcome


def _iterator(calls: Any) -> Any:
    if isinstance(calls, AsyncIterable):
        return aiter(calls)
    if isinstance(calls, Iterable):
        return iter(calls)
    message = f"fan_out takes an iterable of calls, not {type(calls).__name__}."
    raise ConfigurationError(message)


async def _close(source: object) -> None:
    """Let a generator run its clean-up, as leaving a for loop early would not."""
    if isinstance(source, AsyncGenerator):
        await source.aclose()
    elif isinstance(source, Generator):
        source.close()


def _check_count(name: str, number: object) -> None:
    if number is not None and (not isinstance(number, int) or number < 1):
        message = f"{name} must be a whole number of at least 1, not {number!r}."
        raise ConfigurationError(message)


def _checked(call: Any, index: int) -> Call[Any]:
    if isinstance(call, Call):
        return call
    message = f"Item {index} of the calls is a {type(call).__name__}, not a call."
    hint = "Give calls that were not awaited, such as sf.sobject('Account').retrieve(id)."
    raise ConfigurationError(message, hint=hint)


async def gather(
    calls: Calls[T],
    *,
    concurrency: int = 64,
    progress: OnProgress | None = None,
    total: int | None = None,
) -> list[T]:
    """Send calls and return their values in the order of the input.

    The first error to come is raised, and what is in flight then is cancelled.
    """
    values: dict[int, T] = {}
    fan_out = FanOut(
        calls, concurrency=concurrency, on_error="raise", progress=progress, total=total
    )
    async with fan_out as outcomes:
        async for outcome in outcomes:
            values[outcome.index] = outcome.unwrap()
    return [values[index] for index in range(len(values))]
