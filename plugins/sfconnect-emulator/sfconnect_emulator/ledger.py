"""The books of an org: what was really written, and what was asked for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sfconnect_emulator.rendering import encode_json

KEPT_WRITES = 100_000


@dataclass(frozen=True, slots=True)
class Write:
    """One row that the org created, updated or deleted, and the request that made it."""

    number: int
    at: str
    request_id: str
    method: str
    path: str
    action: str
    sobject: str
    record_id: str


class Ledger:
    """The last writes, oldest first; a client's belief can be compared with it."""

    def __init__(self, kept: int = KEPT_WRITES) -> None:
        self._writes: deque[Write] = deque(maxlen=kept)
        self._count = 0

    def add(
        self,
        *,
        at: str,
        request_id: str,
        method: str,
        path: str,
        action: str,
        sobject: str,
        record_id: str,
    ) -> None:
        """Note a write that has happened."""
        self._count += 1
        self._writes.append(
            Write(self._count, at, request_id, method, path, action, sobject, record_id)
        )

    def clear(self) -> None:
        """Forget all writes and number from one again."""
        self._writes.clear()
        self._count = 0

    @property
    def count(self) -> int:
        """How many writes there were, kept or not."""
        return self._count

    @property
    def writes(self) -> tuple[Write, ...]:
        """The writes that are kept."""
        return tuple(self._writes)


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the request log. Headers, bodies and tokens never get into it."""

    at: str
    request_id: str
    method: str
    path: str
    query: str
    status: int
    request_bytes: int
    response_bytes: int
    user: str | None
    fault: str | None


class RequestLog:
    """Append one JSON object per request to a file."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)

    def write(self, entry: LoggedRequest) -> None:
        """Write one line; it is in the file when this returns."""
        self._file.write(encode_json(entry).decode("utf-8") + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
