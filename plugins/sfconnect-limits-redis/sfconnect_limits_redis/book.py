"""The book in Redis: who holds how many slots of a limit, and until when. One script keeps it."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from sfconnect.limits import Lane
    from sfconnect_limits_redis.server import Server

SCRIPT: Final = Path(__file__).with_name("book.lua").read_text(encoding="utf-8")
NEW: Final = 0
"""The book of who has seen none yet."""
_NAME_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a limit: all processes should name the same."""

    budget: int
    lanes: Mapping[str, Lane]
    lease_s: float
    turn_s: float = 1.0
    """How long it takes until what cannot be divided goes to the next one."""


@dataclass(frozen=True, slots=True)
class Need:
    """Slots of one lane that a holder keeps whatever the answer is, and that it would use."""

    keep: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Slots of one lane that a holder may use, and those that would be its fair part."""

    slots: int
    part: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the book says to a holder.

    Attributes:
        grants: By lane.
        book: When the book was begun; another one shows that the server has lost it.
        holders: How many there are, this one among them.
    """

    grants: Mapping[str, Grant]
    book: int
    holders: int


def book_name(scope: str) -> str:
    """Name the key of a limit. Braces keep all that belongs to it in one slot of a cluster."""
    digest = hashlib.sha256(scope.encode()).hexdigest()[:_NAME_CHARACTERS]
    return f"sfconnect:limit:{{{digest}}}"


def holder_name() -> str:
    """Name this process so that a person who reads the book finds it, and as nobody else."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def question(
    terms: Terms, needs: Mapping[str, Need], *, book: int, number: int, leaving: bool = False
) -> bytes:
    """Write what the script is asked; ``number`` tells a holder's questions apart, in order."""
    rules = {
        name: {"reserve": lane.reserve, **({} if lane.limit is None else {"limit": lane.limit})}
        for name, lane in terms.lanes.items()
    }
    asked = {
        "budget": terms.budget,
        "lease_ms": int(terms.lease_s * 1000),
        "turn_ms": int(terms.turn_s * 1000),
        "rules": rules,
        "book": book,
        "number": number,
        "leaving": leaving,
        "lanes": {name: (need.keep, need.wanted) for name, need in needs.items()},
    }
    return msgspec.json.encode(asked)


class _Said(msgspec.Struct):
    lanes: dict[str, tuple[int, int]]
    book: int
    holders: int


def read_answer(said: bytes) -> Answer:
    """Read what the script answered."""
    found = msgspec.json.decode(said, type=_Said, strict=False)
    grants = {name: Grant(slots, part) for name, (slots, part) in found.lanes.items()}
    return Answer(grants, found.book, found.holders)


class Book:
    """One holder's access to the book of one limit."""

    def __init__(self, server: Server, scope: str, holder: str) -> None:
        self.name = book_name(scope)
        self._server = server
        self._holder = holder
        self._number = 0
        self._script = server.script(SCRIPT)

    async def ask(
        self, terms: Terms, needs: Mapping[str, Need], *, book: int, leaving: bool = False
    ) -> Answer:
        """Tell what this holder has and wants, and learn what it may use.

        Raises:
            UnreachableError: The server does not answer in time, or cannot at the moment.
            ConfigurationError: It refuses, and will the next time.
        """
        self._number += 1
        asked = question(terms, needs, book=book, number=self._number, leaving=leaving)
        return read_answer(await self._script(self.name, self._holder, asked))

    def wakes(self) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        """Listen; gives what waits until the book has something new for this holder.

        Raises:
            UnreachableError: The server cannot be listened to any more.
        """
        return self._server.listen(f"{self.name}:wake:{self._holder}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()
