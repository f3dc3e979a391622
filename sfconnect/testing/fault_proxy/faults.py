"""What can go wrong with a request or with a connection, and the record of what did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from multidict import CIMultiDict

Ending: TypeAlias = Literal["close", "reset", "silence"]
"""How a connection ends: in order, by a TCP reset, or by a peer that is simply not there any more,
whose socket stays open and is never read from again."""


# Faults of requests


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """Reset the connection; the server never sees the request."""


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Let the server act, then reset the connection instead of handing its answer on."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Let the server act if ``acts``; then answer nothing until the client gives up."""

    acts: bool = True


@dataclass(frozen=True, slots=True)
class Vanish:
    """Let the server act if ``acts``; then be gone without a word.

    Unlike :class:`Stall` it does not notice that the client gives up: a goodbye is not answered.
    """

    acts: bool = True


@dataclass(frozen=True, slots=True)
class CutBody:
    """End after so many bytes of the body, which its framing promises more of."""

    after: int
    chunked: bool = False
    ends: Ending = "close"


@dataclass(frozen=True, slots=True)
class CorruptGzip:
    """Compress the body, and spoil a byte in the middle of it."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body in pieces of ``size`` bytes, ``pause_s`` apart."""

    size: int = 1
    pause_s: float = 0.001


@dataclass(frozen=True, slots=True)
class Instead:
    """Answer something else; the server sees the request only if it ``acts``."""

    status: int = 503
    body: str = "<html><head><title>Service Unavailable</title></head><body></body></html>"
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Send the request twice, as a broken middlebox does; hand on the first answer."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Answer well, and then forget the connection: the next request on it meets a reset."""


@dataclass(frozen=True, slots=True)
class IdleClose:
    """Answer well, and close the connection just as the next request comes over it."""


Fault: TypeAlias = (
    ResetBefore
    | ResetAfter
    | Stall
    | Vanish
    | CutBody
    | CorruptGzip
    | Drip
    | Instead
    | Duplicate
    | HalfOpen
    | IdleClose
)


# Faults of connections


@dataclass(frozen=True, slots=True)
class Refuse:
    """Close the port for ``for_s``: who connects meanwhile is refused by the system.

    The connection that meets this was made by the system before anybody was asked, so it is reset.
    See also :meth:`FaultProxy.refusing`.
    """

    for_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Deaf:
    """Accept the connection, and never read or write: with TLS, not even a handshake."""


@dataclass(frozen=True, slots=True)
class CutHandshake:
    """Break the TLS handshake off after so many bytes of the server's part of it.

    Without TLS the connection ends with the first bytes that come. With more bytes than the
    server's part has, the client takes the handshake for done.
    """

    after: int = 0
    ends: Ending = "reset"


@dataclass(frozen=True, slots=True)
class WrongCertificate:
    """Show a certificate that nobody should take. Without TLS it does nothing."""

    kind: Literal["untrusted", "expired", "other name"] = "untrusted"


@dataclass(frozen=True, slots=True)
class ResetMidway:
    """Reset once so many bytes of requests have come: in the middle of a body, say."""

    after: int


@dataclass(frozen=True, slots=True)
class DuplicateConnection:
    """Send each request that comes over it twice; hand on the first answer."""


ConnectionFault: TypeAlias = (
    Refuse | Deaf | CutHandshake | WrongCertificate | ResetMidway | DuplicateConnection
)


# What happened


@dataclass(slots=True)
class Connection:
    """One connection that the proxy accepted.

    Attributes:
        number: Its place in ``connections``.
        fault: What was done to it; None for nothing.
        usable: Whether requests could come over it: with TLS, whether hands were shaken.
        received: How many bytes of requests came, after TLS was taken off.
        closed: Whether it has ended, as far as the proxy has noticed.
    """

    number: int
    fault: ConnectionFault | None = None
    usable: bool = False
    received: int = 0
    closed: bool = False


@dataclass(slots=True)
class Exchange:
    """One request that reached the proxy.

    Attributes:
        method: As it was sent.
        path: With its query.
        fault: What was done to it; None for nothing.
        connection: The number of the connection that it came over.
        forwarded: How often the server was sent it.
        status: Of the server's first answer; None without one.
    """

    method: str
    path: str
    fault: Fault | None
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int = 0
    forwarded: int = 0
    status: int | None = None


Plan: TypeAlias = Callable[[Exchange], Fault | None]
"""Tells what happens to a request; asked once it has come, before it is forwarded."""

ConnectionPlan: TypeAlias = Callable[[Connection], ConnectionFault | None]
"""Tells what happens to a connection; asked when it has been accepted."""

_Subject = TypeVar("_Subject")
_Trouble = TypeVar("_Trouble")


def in_order(troubles: Iterable[_Trouble | None]) -> Callable[[_Subject], _Trouble | None]:
    """Plan one trouble after the other, and none after the last."""
    upcoming = iter(troubles)

    def plan(_: _Subject) -> _Trouble | None:
        return next(upcoming, None)

    return plan
