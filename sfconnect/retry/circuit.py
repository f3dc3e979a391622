"""A circuit breaker: while an API's server is away, calls to it wait instead of being sent."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from sfconnect.errors import ConnectError, ConnectionLostError
from sfconnect.instrumentation import CircuitClosed, CircuitOpened, CircuitProbed, Emitter
from sfconnect.messages import Response

if TYPE_CHECKING:
    from sfconnect.clock import Clock
    from sfconnect.messages import StreamedResponse
    from sfconnect.policy import CircuitPolicy

CIRCUIT_OPEN = "CIRCUIT_OPEN"
"""The code of the error of a call that was not sent because the circuit is open."""

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"

_AWAY = frozenset({502, 503, 504})
_WRITTEN_BY_THE_API = ("json", "xml")


@dataclass(frozen=True, slots=True)
class CircuitStats:
    """How one server's circuit stands.

    Attributes:
        server: Host and port.
        state: closed, open or half-open.
        opened: How often it opened.
        refused: Attempts that it kept from being sent.
        open_s: For how long it has been open; 0 while it is closed.
        next_probe_s: When the next probe may go out; 0 while it is closed, or at once.
        reason: What the server did last that counts against it.
    """

    server: str
    state: str
    opened: int
    refused: int
    open_s: float
    next_probe_s: float
    reason: str


class Circuit:
    """The circuit to one server.

    Closed, it counts first attempts that find no server. Too many of them open it, and attempts
    are refused until a probe is due. A few probes then go out (half-open): one that the server
    answers closes the circuit, one that it does not opens it again, for twice as long.

    A repeat counts as a proof of life, and never as a failure: so a call that fails alone, however
    often it is repeated, opens nothing, and one in whose midst the circuit opens has its repeats.

    Attributes:
        tripped: Whether it is not closed; what the hot path asks before it sends.
        troubled: Whether it counts, and so wants to hear of successes too.
    """

    __slots__ = (
        "_clock", "_emitter", "_failed", "_open_s", "_opened_at", "_policy", "_probe_at", "_probes",
        "_probing_since", "_reason", "_row", "_succeeded", "_times", "_turned_away", "_window_ends",
        "server", "state", "tripped", "troubled",
    )  # fmt: skip

    def __init__(
        self, server: str, policy: CircuitPolicy, *, clock: Clock, emitter: Emitter | None = None
    ) -> None:
        self.server = server
        self.state = CLOSED
        self.tripped = self.troubled = False
        self._policy = policy
        self._clock = clock
        self._emitter = emitter or Emitter()
        self._row = self._failed = self._succeeded = 0
        self._window_ends = 0.0
        self._opened_at = self._probe_at = self._probing_since = 0.0
        self._open_s = policy.open_s
        self._probes = 0
        self._times = self._turned_away = 0
        self._reason = ""

    def check(self) -> None:
        """Refuse, before a slot is waited for, what :meth:`admit` would refuse.

        Raises:
            ConnectError: The circuit is open and no probe is due.
        """
        if self.tripped and self._clock.monotonic() < self._probe_at:
            self._turned_away += 1
            raise self._refusal()

    def admit(self) -> None:
        """Let an attempt through as a probe, if one is due.

        Probes that get no verdict, since they were cancelled or hang, are followed by others
        after the same time: nothing has to be given back.

        Raises:
            ConnectError: The circuit is open and no probe is due.
        """
        self.check()
        now = self._clock.monotonic()
        if self.state == OPEN:
            self.state = HALF_OPEN
            self._probing_since = now
            self._emitter.emit(CircuitProbed(self.server, now - self._opened_at))
        self._probes += 1
        if self._probes >= self._policy.probes:
            self._probes = 0
            self._probe_at = now + self._open_s

    def note(
        self,
        answer: Response | StreamedResponse | None,
        error: BaseException | None,
        started: float,
        number: int,
    ) -> None:
        """Take note of how an attempt ended that began at ``started``."""
        fault = _fault(answer, error)
        if fault is not None:
            self._note_failure(fault, started, number)
        elif answer is not None and answer.status not in _AWAY:
            self._note_life(started)

    def _note_failure(self, reason: str, started: float, number: int) -> None:
        if self.state == HALF_OPEN:
            # What was sent before the probes proves nothing about now.
            if started >= self._probing_since:
                self._reason = reason
                self._open(min(self._open_s * 2, self._policy.max_open_s), self._opened_at)
            return
        if self.tripped or number > 1:
            return
        now = self._clock.monotonic()
        if not self.troubled or now > self._window_ends:
            self._failed = self._succeeded = 0
            self._window_ends = now + self._policy.window_s
        self.troubled = True
        self._row += 1
        self._failed += 1
        self._reason = reason
        if self._is_away():
            self._times += 1
            self._open(self._policy.open_s, now)

    def _is_away(self) -> bool:
        policy, seen = self._policy, self._failed + self._succeeded
        if self._row >= policy.failures:
            return True
        return seen >= policy.ratio_calls and self._failed >= policy.ratio * seen

    def _open(self, open_s: float, since: float) -> None:
        now = self._clock.monotonic()
        self.state = OPEN
        self.tripped, self.troubled = True, True
        self._open_s, self._opened_at = open_s, since
        self._probe_at, self._probes = now + open_s, 0
        self._emitter.emit(CircuitOpened(self.server, self._reason, self._failed, open_s * 1000))

    def _note_life(self, started: float) -> None:
        if self.tripped:
            if started >= self._opened_at:
                self._close()
            return
        self._row = 0
        self._succeeded += 1
        if self._clock.monotonic() > self._window_ends:
            self.troubled = False

    def _close(self) -> None:
        self.state = CLOSED
        self.tripped = self.troubled = False
        self._row = 0
        self._emitter.emit(CircuitClosed(self.server, self._clock.monotonic() - self._opened_at))

    def _refusal(self) -> ConnectError:
        stats = self.stats()
        error = ConnectError(
            f"{self.server} has not answered for {stats.open_s:.1f} s (last: {self._reason}); "
            f"nothing is sent to it until the next probe, in {stats.next_probe_s:.1f} s.",
            code=CIRCUIT_OPEN,
            hint="Look whether the server is up and reachable; calls go on as soon as it answers.",
        )
        error.retry_after = stats.next_probe_s
        if self._policy.fail_fast:
            error.retry_safe = False
        return error

    def stats(self) -> CircuitStats:
        """Return how the circuit stands."""
        now = self._clock.monotonic()
        return CircuitStats(
            server=self.server,
            state=self.state,
            opened=self._times,
            refused=self._turned_away,
            open_s=now - self._opened_at if self.tripped else 0.0,
            next_probe_s=max(0.0, self._probe_at - now) if self.tripped else 0.0,
            reason=self._reason,
        )


class Circuits:
    """The circuits of a session, one for each server; none without a policy."""

    def __init__(
        self, policy: CircuitPolicy | None, *, clock: Clock, emitter: Emitter | None = None
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._emitter = emitter
        self._by_server: dict[str, Circuit] = {}

    def to(self, base_url: str) -> Circuit | None:
        """The circuit to the server of a URL."""
        if self._policy is None:
            return None
        scheme, _, rest = base_url.partition("://")
        server = rest.partition("/")[0]
        if scheme == "http" and ":" not in server.rpartition("]")[2]:
            server += ":80"  # without a port it would be taken for the one of https
        circuit = self._by_server.get(server)
        if circuit is None:
            circuit = Circuit(server, self._policy, clock=self._clock, emitter=self._emitter)
            self._by_server[server] = circuit
        return circuit

    def stats(self) -> dict[str, CircuitStats]:
        """How each of them stands, by host and port."""
        return {server: circuit.stats() for server, circuit in self._by_server.items()}


def _fault(answer: Response | StreamedResponse | None, error: BaseException | None) -> str | None:
    """What of an attempt's end says that the server is away; None if nothing does.

    Not an attempt that timed out, since a query may take too long on a server that is well; not a
    503 that asks for patience, since a server that does so is there; and not an error of the API's
    own, since another request may do better.
    """
    if answer is None:
        if isinstance(error, ConnectError | ConnectionLostError):
            return f"{type(error).__name__}: {error.message}"
        return None
    if answer.status in _AWAY:
        return None if "Retry-After" in answer.headers else f"status {answer.status}"
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = answer.headers.get("Content-Type", "")
        if not any(form in kind for form in _WRITTEN_BY_THE_API):
            return "status 500 of a gateway"
    return None
