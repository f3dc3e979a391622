"""What answers tell about quotas, and how much of one a program may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a quota is used, as an answer last told.

    Attributes:
        name: The API's own name, such as ``api-usage`` or ``DailyApiRequests``.
        used: What counts as used; an org may overrun its maximum.
        maximum: How much there is.
        detail: What the answer says of it beside, such as ``appName=nightly``.
    """

    name: str
    used: int
    maximum: int
    detail: str = ""

    @property
    def remaining(self) -> int:
        """What is left; never below zero, although an org may overrun."""
        return max(0, self.maximum - self.used)

    def __str__(self) -> str:
        part = f" ({self.used / self.maximum:.0%})" if self.maximum else ""
        return f"{self.name}: {self.used:,} of {self.maximum:,}{part}"


@runtime_checkable
class NotesQuota(Protocol):
    """A limiter that goes by what answers tell of quotas, unless ``heeds_quota`` says no."""

    @property
    def heeds_quota(self) -> bool:
        """Whether it wants the readings."""
        ...

    def note_quota(self, quotas: Sequence[Quota]) -> None:
        """Take the newest readings."""
        ...


@dataclass(frozen=True, slots=True)
class QuotaShare:
    """How much of a quota of calls a program may use, and what it leaves to others.

    Attributes:
        name: Connections of one process with the same name and org use one share together. Other
            processes count for themselves.
        share_percent: Of the maximum, what they may use within the quota's window; None for all.
        reserve_percent: Of the maximum, what is left to others: it stops where the whole org has
            used the rest.
        wait: Wait until there is room again, instead of raising ``QuotaExceededError``.
        quota: Which quota it is about. Only calls that use it up count, and are stopped.
        window_s: The quota counts the calls of so many seconds.
    """

    name: str = "default"
    share_percent: float | None = None
    reserve_percent: float = 0.0
    wait: bool = False
    quota: str = "api-usage"
    window_s: float = 86_400.0

    def __post_init__(self) -> None:
        share = _WHOLE if self.share_percent is None else self.share_percent
        if not (0 < share <= _WHOLE and 0 <= self.reserve_percent < _WHOLE):
            message = f"A share of {share} % that leaves {self.reserve_percent} % is none."
            hint = "Give a share above 0 and up to 100, and a reserve from 0 to below 100."
            raise ConfigurationError(message, hint=hint)

    @property
    def bounds(self) -> bool:
        """Whether it bounds anything before the API itself refuses."""
        return self.share_percent is not None or self.reserve_percent > 0


@dataclass(frozen=True, slots=True)
class ShareStats:
    """How much of a share is used, and whether calls are stopped.

    Attributes:
        name: The share's.
        used: Calls of it within the quota's window, of this process.
        maximum: Calls that it may make within that; None where it is bounded by no share, or no
            answer has told yet how much the quota is.
        reserve_percent: Of the quota, what is left to others.
        stopped: The code of the error that stops calls, such as ``QUOTA_SHARE_SPENT``; None while
            there is room.
    """

    name: str
    used: int
    maximum: int | None
    reserve_percent: float
    stopped: str | None

    @property
    def remaining(self) -> int | None:
        """Calls that are left of it; None where ``maximum`` is."""
        return None if self.maximum is None else max(0, self.maximum - self.used)

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.used:,}"]
        if self.maximum is not None:
            parts = [f"{parts[0]} of {self.maximum:,}", f"{self.remaining:,} left"]
        if self.reserve_percent:
            parts.append(f"{self.reserve_percent:g}% of the quota for others")
        if self.stopped is not None:
            parts.append(f"stopped by {self.stopped}")
        return ", ".join(parts)


def read_limits(document: Mapping[str, Any]) -> dict[str, Quota]:
    """Read ``{name: {"Max", "Remaining"}}``; what has another form is left out."""
    found: dict[str, Quota] = {}
    for name, limit in document.items():
        most = limit.get("Max") if isinstance(limit, dict) else None
        left = limit.get("Remaining") if isinstance(limit, dict) else None
        if isinstance(most, int) and isinstance(left, int):
            found[name] = Quota(name, most - left, most)
    return found
