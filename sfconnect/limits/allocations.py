"""Quotas that only some calls use up, such as the bulk jobs of a day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from sfconnect._single import Single
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import (
    AccessDeniedError,
    ConfigurationError,
    QuotaExceededError,
    SfConnectError,
)
from sfconnect.instrumentation import Emitter, QuotaSeen
from sfconnect.limits.guard import (
    RESERVE_REACHED,
    SHARE_SPENT,
    USED_UP,
    RecentCalls,
    calls_of_share,
    not_sent,
)
from sfconnect.limits.quota import Quota, QuotaShare, ShareStats

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from sfconnect.call import Sender
    from sfconnect.messages import Request, Response

C = TypeVar("C")
Exchange: TypeAlias = "Callable[[Request, C, int], Coroutine[Any, Any, tuple[Response, C]]]"
"""Sends a request once, with credentials, as attempt number so-and-so."""

_ASK_AGAIN_S: Final = 60.0
"""After a refusal one call is let through so often: nothing else tells that there is room."""
_FRESH_S: Final = 300.0
"""For so long a reading is believed; Salesforce's own is as old as that at times."""
_REFUSALS: Final = 400


@runtime_checkable
class AllocatingService(Protocol):
    """What has to be known of an API that has such quotas."""

    @property
    def question(self) -> Request:
        """Asks the API for readings."""
        ...

    @property
    def allocated_surface(self) -> str:
        """The surface of the calls that use them up."""
        ...

    @property
    def allocated(self) -> Mapping[str, bool]:
        """Their names, and whether a call that uses one up takes exactly one of it."""
        ...

    def allocation(self, request: Request) -> Sequence[str]:
        """The quotas that a request uses up if it succeeds; the first, one of it at the least."""
        ...

    def read_allocations(self, response: Response) -> Sequence[Quota]:
        """Read what the API tells of them when it is asked."""
        ...

    def decode_error(self, request: Request, response: Response) -> SfConnectError:
        """Make the typed error of an answer that is not a success."""
        ...


class Allocations:
    """Stop the calls that have no room in a quota of their own, and no others.

    A refusal stops the calls of its kind; one a minute is let through to see whether it still
    holds. A share stops them before it is overrun. What it goes by is asked for when it is needed
    and older than five minutes, which costs one request; without shares nothing is asked.

    Args:
        service: Knows which calls use up which quotas.
        shares: How much of which quota may be used.
        scope: Whose quotas they are; connections of one scope count together.
        emitter: Told of each reading.
        clock: Time.

    Raises:
        ConfigurationError: A share is of a quota that the service does not know, or of one whose
            use by this program cannot be counted.
    """

    def __init__(
        self,
        service: AllocatingService,
        *,
        shares: Sequence[QuotaShare] = (),
        scope: str = "",
        emitter: Emitter | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.surface = service.allocated_surface
        self.readings: dict[str, Quota] = {}
        """The newest of each quota, with the calls of this connection since."""
        _check(shares, service.allocated)
        self._service = service
        self._shares = [_Share(share, calls_of_share(scope, share)) for share in shares]
        self._emitter = emitter or Emitter()
        self._clock = clock
        self._asked_at: float | None = None
        self._asking = Single[None]()
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def note(self, quotas: Sequence[Quota]) -> None:
        """Take readings, and tell of them."""
        self._asked_at = self._clock.monotonic()
        for quota in quotas:
            self.readings[quota.name] = quota
            if self._emitter.hooks:
                self._emitter.emit(QuotaSeen(quota.name, quota.used, quota.maximum))

    def read(self, response: Response) -> None:
        """Take the readings of an answer, whoever asked for it."""
        self.note(self._service.read_allocations(response))

    def stats(self) -> dict[str, ShareStats]:
        """How much of each share is used, and what stops the calls, by the quota."""
        found = {one.share.quota: self._stats_of(one) for one in self._shares}
        for names, kind in self._kinds.items():
            if kind.refused is not None:
                name = kind.refused.quota or names[0]
                known = found.get(name) or ShareStats("default", 0, None, 0.0, None)
                found[name] = replace(known, stopped=USED_UP)
        return found

    def _stats_of(self, one: _Share) -> ShareStats:
        share, reading = one.share, self.readings.get(one.share.quota)
        used, maximum = one.used(self._clock.monotonic()), None
        if reading is not None and share.share_percent is not None:
            maximum = ceil(reading.maximum * share.share_percent / 100)
        stopped = None if reading is None else one.obstacle(reading, used)
        return ShareStats(share.name, used, maximum, share.reserve_percent, stopped)

    def heeding(self, exchange: Exchange[C], request: Request, sender: Sender) -> Exchange[C]:
        """Wrap what sends a request once, if the request uses up a quota; else give it back."""
        names = tuple(self._service.allocation(request))
        if not names:
            return exchange
        kind = self._kinds.get(names)
        if kind is None:
            shares = [one for one in self._shares if one.share.quota in names]
            kind = self._kinds[names] = _Kind(names, shares)
        heeded = kind

        async def send(request: Request, credentials: C, number: int) -> tuple[Response, C]:
            await self._enter(heeded, sender)
            try:
                answer, used = await exchange(request, credentials, number)
            except BaseException as error:
                if not _was_sent(error):
                    self._give_back(heeded)
                raise
            self._leave(heeded, request, answer)
            return answer, used

        return send

    async def _enter(self, kind: _Kind, sender: Sender) -> None:
        """Wait until there is room, or raise; then count the call."""
        while (error := self._refusal(kind) or await self._no_room(kind, sender)) is not None:
            if not kind.waits:
                raise error
            await self._clock.sleep(error.retry_after or _ASK_AGAIN_S)
        now = self._clock.monotonic()
        if kind.refused is not None:
            kind.try_at = now + _ASK_AGAIN_S
        for one in kind.shares:
            one.calls.add(now)

    def _refusal(self, kind: _Kind) -> QuotaExceededError | None:
        left_s = kind.try_at - self._clock.monotonic()
        if kind.refused is None or left_s <= 0:
            return None
        quota = kind.refused.quota or kind.names[0]
        hint = f"{kind.refused.hint or ''} A call is tried once a minute.".lstrip()
        error = QuotaExceededError(
            _USED_UP.format(quota), code=USED_UP, hint=hint, retry_after=left_s
        )
        window_s = kind.refused.window_s or 0.0
        share = QuotaShare(quota=quota, window_s=window_s)
        return not_sent(error, share, at=self._clock.time() + window_s)

    async def _no_room(self, kind: _Kind, sender: Sender) -> QuotaExceededError | None:
        if kind.shares:
            await self._refresh(kind, sender)
        now = self._clock.monotonic()
        for one in kind.shares:
            reading = self.readings.get(one.share.quota)
            if reading is None:
                message = f"The API tells nothing of {one.share.quota}, so no share can be kept."
                raise ConfigurationError(message, hint="Leave the share out.")
            code = one.obstacle(reading, one.used(now))
            if code is not None:
                return self._held_back(code, one, reading, now)
        return None

    def _held_back(self, code: str, one: _Share, reading: Quota, now: float) -> QuotaExceededError:
        share = one.share
        if code == SHARE_SPENT:
            message = _SPENT.format(share.name, share.share_percent, reading)
            left_s = within_s = one.calls.room_in_s(now)
        else:
            message = _RESERVED.format(reading, share.reserve_percent)
            left_s, within_s = max(1.0, self._stale_at - now), share.window_s
        error = QuotaExceededError(message, code=code, hint=_HINTS[code], retry_after=left_s)
        return not_sent(error, share, at=self._clock.time() + within_s)

    @property
    def _stale_at(self) -> float:
        return float("-inf") if self._asked_at is None else self._asked_at + _FRESH_S

    async def _refresh(self, kind: _Kind, sender: Sender) -> None:
        """Ask for readings if what is known is old; many that want to know ask once."""
        if self._clock.monotonic() < self._stale_at:
            return
        await self._asking.run(partial(self._ask, kind, sender))

    async def _ask(self, kind: _Kind, sender: Sender) -> None:
        try:
            response = await sender.execute(self._service.question)
        except AccessDeniedError as error:
            error.hint = _MAY_NOT_ASK.format(kind.shares[0].share.quota)
            raise
        self.read(response)

    def _leave(self, kind: _Kind, request: Request, answer: Response) -> None:
        if answer.status < _REFUSALS:
            kind.refused = None
            name = kind.names[0]
            if (reading := self.readings.get(name)) is not None:
                self.readings[name] = replace(reading, used=reading.used + 1)
            return
        error = self._service.decode_error(request, answer)
        if error.retry_safe is not None:
            self._give_back(kind)  # it was refused, and so used up nothing
        if isinstance(error, QuotaExceededError) and kind.stops_at(error):
            kind.refused = error
            kind.try_at = self._clock.monotonic() + _ASK_AGAIN_S

    def _give_back(self, kind: _Kind) -> None:
        for one in kind.shares:
            one.calls.add(self._clock.monotonic(), -1)


@dataclass(frozen=True, slots=True)
class _Share:
    """A share, and the calls of it."""

    share: QuotaShare
    calls: RecentCalls

    def used(self, now: float) -> int:
        self.calls.forget_old(now)
        return self.calls.used

    def obstacle(self, reading: Quota, used: int) -> str | None:
        """The code of what stops the next call; None if nothing does."""
        share, maximum = self.share, reading.maximum
        if share.share_percent is not None and used >= maximum * share.share_percent / 100:
            return SHARE_SPENT
        kept = share.reserve_percent
        is_reached = kept and reading.used * 100 >= maximum * (100 - kept)
        return RESERVE_REACHED if is_reached else None


@dataclass(slots=True)
class _Kind:
    """Calls that use up the same quotas; what the API refuses one of them, it refuses all."""

    names: tuple[str, ...]
    shares: Sequence[_Share]
    refused: QuotaExceededError | None = None
    try_at: float = 0.0

    @property
    def waits(self) -> bool:
        return any(one.share.wait for one in self.shares)

    def stops_at(self, error: QuotaExceededError) -> bool:
        """Whether an error says that there is no room for calls of this kind for long."""
        return error.window_s is not None and error.quota in self.names


def _was_sent(error: BaseException) -> bool:
    """Whether a request may have reached the API."""
    if isinstance(error, SfConnectError):
        return error.request_sent is not False
    # Whoever hands a request on to the network notes that on what cancels it.
    return bool(getattr(error, "__notes__", ()))


def _check(shares: Sequence[QuotaShare], allocated: Mapping[str, bool]) -> None:
    seen: set[str] = set()
    for share in shares:
        if share.quota not in allocated:
            message = f"A share of {share.quota!r} cannot be kept: no call is known to use that up."
            hint = f"Give {', '.join(allocated)}; for the daily requests there are settings."
            raise ConfigurationError(message, hint=hint)
        if share.share_percent is not None and not allocated[share.quota]:
            message = f"How much of {share.quota} a call takes is not known when it is sent."
            hint = "Give reserve_percent alone, which goes by what the whole org has used."
            raise ConfigurationError(message, hint=hint)
        if share.quota in seen:
            message = f"There are two shares of {share.quota}."
            raise ConfigurationError(message, hint="One may have a share and a reserve.")
        seen.add(share.quota)


_USED_UP = "The quota {} is used up, as an answer told a moment ago; this call was not sent."
_SPENT = "The share {!r} of {:g} % is spent ({}); this call was not sent."
_RESERVED = "The org has used what may be used ({}; {:g} % are for others); this call was not sent."
_MAY_NOT_ASK = "A share of {} is kept by what this answers, so the user must be allowed to ask it."
_HINTS = {
    RESERVE_REACHED: "It counts the last 24 hours, so there is room bit by bit; or lower "
    "reserve_percent of the share. Other calls go on.",
    SHARE_SPENT: "It has room again when its oldest calls are a day old (resets_at); or raise "
    "share_percent of the share. Other calls go on.",
}
