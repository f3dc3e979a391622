"""A call as a value: what to send, and how to read the answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sfconnect.messages import Request, Response, Timeout
    from sfconnect.policy import Reconcile, RetryPolicy

T_co = TypeVar("T_co", covariant=True)


class Sender(Protocol):
    """What can carry out a call."""

    async def execute(self, request: Request) -> Response:
        """Send with credentials, retry and limits; give an answer that means success."""
        ...


# Two calls that read alike are two: asyncio.gather awaits equal ones once, and a create among them
# would be lost.
@dataclass(frozen=True, slots=True, eq=False)
class Call(Generic[T_co]):
    """One API call that has not been sent yet.

    Awaiting it sends it, each time anew. Many go to ``fan_out``, ``gather`` or ``composite``.
    A call holds no credentials and no open resource, so it costs nothing to drop. It is equal to
    itself alone.
    """

    request: Request
    decode: Callable[[Response], T_co] = field(repr=False)
    sender: Sender = field(repr=False)

    def __await__(self) -> Generator[object, None, T_co]:
        return self.send().__await__()

    async def send(self) -> T_co:
        """Send the call and decode its answer.

        Raises:
            SfConnectError: See :mod:`sfconnect.errors`; ``OutcomeUnknownError`` if it is a write
                that may have happened. Cancellation ends the wait; it does not undo a write.
        """
        return self.decode(await self.sender.execute(self.request))

    def with_headers(self, headers: Mapping[str, str]) -> Call[T_co]:
        """Return a copy that sends these headers too."""
        return replace(self, request=self.request.with_headers(headers))

    def with_timeout(self, timeout: Timeout) -> Call[T_co]:
        """Return a copy with other time limits; ``Timeout.call_s`` bounds all attempts."""
        return replace(self, request=self.request.with_timeout(timeout))

    def with_retry(self, policy: RetryPolicy) -> Call[T_co]:
        """Return a copy with a retry policy of its own; ``max_attempts=1`` sends once."""
        return replace(self, request=replace(self.request, retry=policy))

    def with_reconcile(self, hook: Reconcile) -> Call[T_co]:
        """Return a copy that asks this hook what became of a write whose answer was lost."""
        return replace(self, request=replace(self.request, reconcile=hook))
