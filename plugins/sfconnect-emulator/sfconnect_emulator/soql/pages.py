"""Pages of an answer, written as JSON in one go where nobody has to look at the records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from sfconnect_emulator.data.render import Record
from sfconnect_emulator.soql.level import Level

_encode: Final = msgspec.json.Encoder().encode


class Content(Protocol):
    """The records of a page."""

    def records(self) -> list[Record]:
        """Return the records as JSON-ready values."""

    def encodable(self) -> object:
        """Return what is written as the records, in the form that is fastest to write."""


@dataclass(frozen=True, slots=True)
class Made:
    """Records that exist already."""

    made: list[Record]

    def records(self) -> list[Record]:
        """Return the records."""
        return self.made

    def encodable(self) -> object:
        """Return the records."""
        return self.made


@dataclass(frozen=True, slots=True)
class Unmade:
    """Rows as they were read, made into records when these are asked for."""

    level: Level
    rows: Sequence[Sequence[Any]]
    written: Written
    key: Hashable
    state: object

    def records(self) -> list[Record]:
        """Make the records."""
        return self.level.records(self.rows)

    def encodable(self) -> object:
        """Make structs in place of records, write them, and remember the text."""
        text = _encode(self.level.structs(self.rows))
        self.written.keep(self.key, self.state, text)
        return msgspec.Raw(text)


@dataclass(frozen=True, slots=True)
class Remembered:
    """Records that were written before."""

    text: bytes

    def records(self) -> list[Record]:
        """Read the records back."""
        return msgspec.json.decode(self.text, type=list[Record])

    def encodable(self) -> object:
        """Return the text."""
        return msgspec.Raw(self.text)


class Written:
    """Pages as they were last written, so that asking again costs next to nothing.

    An emulator shares its processor with the client that it is there to test; the same extract
    is often run many times against it. Any change of the data empties the memory.
    """

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._state: object = None
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()

    def find(self, key: Hashable, state: object) -> bytes | None:
        """Return the text of a page; ``state`` is what changes whenever the data does."""
        if state != self._state:
            self._texts.clear()
            self._bytes, self._state = 0, state
        text = self._texts.get(key)
        if text is not None:
            self._texts.move_to_end(key)
        return text

    def keep(self, key: Hashable, state: object, text: bytes) -> None:
        """Remember a page read in a state; the ones not asked for longest make room."""
        if key in self._texts or state != self._state:
            return
        self._texts[key] = text
        self._bytes += len(text)
        while self._bytes > self._max_bytes:
            _, dropped = self._texts.popitem(last=False)
            self._bytes -= len(dropped)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer; ``next`` is the locator of the next page, or None on the last."""

    total_size: int
    done: bool
    content: Content
    next: str | None = None

    @property
    def records(self) -> list[Record]:
        """The records, JSON-ready, ``attributes`` first."""
        return self.content.records()

    def value(self, version: float) -> Record:
        """Return the page as the REST API shows it; the last page has no ``nextRecordsUrl``."""
        return self._envelope(version) | {"records": self.records}

    def body(self, version: float) -> bytes:
        """Return the page as compact JSON; faster than encoding ``value``."""
        return _encode(self._envelope(version) | {"records": self.content.encodable()})

    def _envelope(self, version: float) -> Record:
        shown: Record = {"totalSize": self.total_size, "done": self.done}
        if self.next is not None:
            shown["nextRecordsUrl"] = query_url(version, self.next)
        return shown


def query_url(version: float, locator: str) -> str:
    """Return the path of a page."""
    return f"/services/data/v{version:.1f}/query/{locator}"
