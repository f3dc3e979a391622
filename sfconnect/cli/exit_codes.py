"""What the exit status of the command means."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
"""Wrong usage or wrong configuration; nothing was written."""
AUTHENTICATION: Final = 3
PARTLY: Final = 4
"""Some of it was done."""
INTERRUPTED: Final = 130
TERMINATED: Final = 143
