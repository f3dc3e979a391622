"""The one clock of an emulated org: real time until somebody moves or stops it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Tell the org's time; tokens, issue dates, row stamps and ``Date`` headers all ask here."""

    def __init__(self, start: datetime | None = None) -> None:
        """Run with real time, or stand still at ``start`` until advanced."""
        self._offset_s = 0.0
        self._frozen_s = None if start is None else start.timestamp()
        self._http_date = (-1, "")

    def time(self) -> float:
        """Seconds since the epoch."""
        base = time.time() if self._frozen_s is None else self._frozen_s
        return base + self._offset_s

    def now(self) -> datetime:
        """The same instant as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass that an answer takes.

        That is real time also where the clock stands still or was moved, so that answers come;
        a clock of a test's own may wait for what the test decides.
        """
        await asyncio.sleep(seconds)

    def advance(self, seconds: float) -> datetime:
        """Move the clock; negative values move it back, which tests of clock skew need."""
        self._offset_s += seconds
        return self.now()

    def freeze(self, at: datetime | None = None) -> datetime:
        """Stop the clock, at the given instant or where it stands."""
        self._frozen_s = self.time() if at is None else at.timestamp()
        self._offset_s = 0.0
        return self.now()

    def reset(self) -> None:
        """Return to real time."""
        self._offset_s = 0.0
        self._frozen_s = None

    def http_date(self) -> str:
        """The ``Date`` header, formatted once per second."""
        second = int(self.time())
        if self._http_date[0] != second:
            self._http_date = (second, formatdate(second, usegmt=True))
        return self._http_date[1]
