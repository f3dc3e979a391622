"""The trouble of a network, as the dice of a seed say.

The dice are thrown anew for each request, from what it asks and how often it came before, and for
each connection, from its number. So a seed makes the same trouble again, as far as the client asks
the same again, however its tasks are interleaved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from sfconnect.testing.fault_proxy import (
    Connection,
    ConnectionFault,
    CorruptGzip,
    CutBody,
    CutHandshake,
    Deaf,
    Drip,
    Duplicate,
    Exchange,
    Fault,
    HalfOpen,
    IdleClose,
    Instead,
    Refuse,
    ResetAfter,
    ResetBefore,
    ResetMidway,
    Stall,
    Vanish,
    WrongCertificate,
)

UNAUTHORIZED = Instead(
    401,
    '[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]',
    "application/json",
)
STORMS_EVERY = 150
"""So many requests after the beginning of one storm of refusals, the next may begin."""


class Weather:
    """One request in four and one connection in eight meet something, and there are storms.

    Args:
        seed: Decides what happens.
        on_storm: Called at the beginning of a storm, in which every request is refused.
        ports_close: Whether the port closes at times.

    Attributes:
        made: What happened so far, by its kind.
    """

    def __init__(
        self,
        seed: int,
        on_storm: Callable[[], object] = lambda: None,
        *,
        ports_close: bool = True,
    ) -> None:
        self.made: Counter[str] = Counter()
        self._seed = seed
        self._on_storm = on_storm
        self._ports_close = ports_close
        self._asked = 0
        self._times: Counter[str] = Counter()

    def of_request(self, exchange: Exchange) -> Fault | None:
        """Say what happens to a request."""
        if self._is_storm():
            self.made["storm"] += 1
            return UNAUTHORIZED
        asks = f"{exchange.method} {exchange.path} {exchange.body!r}"
        self._times[asks] += 1
        dice = Random(f"{self._seed} {asks} {self._times[asks]}")
        if dice.random() > 0.25:
            return None
        fault = dice.choice(_faults(dice, exchange.method))
        self.made[type(fault).__name__] += 1
        return fault

    def of_connection(self, connection: Connection) -> ConnectionFault | None:
        """Say what happens to a connection."""
        dice = Random(f"{self._seed} connection {connection.number}")
        if dice.random() > 0.125:
            return None
        fault = dice.choice(_connection_faults(dice))
        if isinstance(fault, Refuse) and not self._ports_close:
            return None
        self.made[type(fault).__name__] += 1
        return fault

    def _is_storm(self) -> bool:
        era, place = divmod(self._asked, STORMS_EVERY)
        self._asked += 1
        dice = Random(f"{self._seed} storm {era}")
        begin, length = dice.randrange(STORMS_EVERY), dice.randrange(1, 20)
        if place == begin:
            self._on_storm()
        return begin <= place < begin + length


def _faults(dice: Random, method: str) -> list[Fault]:
    acts, after, chunked = dice.random() < 0.5, dice.randrange(60), dice.random() < 0.5
    anywhere: list[Fault] = [
        ResetBefore(),
        ResetAfter(),
        CutBody(after, chunked),
        CutBody(after, chunked, ends="reset"),
        CutBody(after, chunked, ends="silence"),
        CorruptGzip(),
        Drip(size=500, pause_s=0),
        HalfOpen(),
        IdleClose(),
        Instead(503, acts=acts),
        UNAUTHORIZED,
        Stall(acts=acts),
        Vanish(acts=acts),
    ]
    # A network that doubles a create has doubled it, whatever the client does.
    return anywhere if method == "POST" else [*anywhere, Duplicate()]


def _connection_faults(dice: Random) -> list[ConnectionFault]:
    after = dice.randrange(200)
    return [
        Refuse(for_s=0.005),
        Deaf(),
        CutHandshake(after),
        CutHandshake(after, ends="close"),
        CutHandshake(after, ends="silence"),
        CutHandshake(100_000),
        WrongCertificate(dice.choice(["untrusted", "expired", "other name"])),
        ResetMidway(dice.randrange(200, 5000)),
    ]
