"""What an extract tells: how far it is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sfconnect.errors import SfConnectError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one object is. ``total`` is None until the first page has come."""

    object: str
    rows: int
    total: int | None
    done: bool = False


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """How the extract of one object ended.

    ``calls`` and ``retries`` count attempts and repeated attempts of this object's own requests.
    ``restarts`` is 1 if the org dropped the query half-way and it was read again from the start.
    With an ``error`` there is no file, and ``rows`` is what had come by then.
    """

    object: str
    path: Path
    rows: int
    bytes: int
    seconds: float
    calls: int
    retries: int
    restarts: int = 0
    error: SfConnectError | OSError | None = None


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """How an extract ended, object by object in the order asked for."""

    objects: tuple[ObjectReport, ...]
    seconds: float

    @property
    def rows(self) -> int:
        """Rows in finished files."""
        return sum(one.rows for one in self.objects if one.error is None)

    @property
    def bytes(self) -> int:
        """Bytes in finished files."""
        return sum(one.bytes for one in self.objects)

    @property
    def failed(self) -> tuple[ObjectReport, ...]:
        """The objects that gave no file."""
        return tuple(one for one in self.objects if one.error is not None)
