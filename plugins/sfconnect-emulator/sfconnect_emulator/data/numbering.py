"""Auto-number fields: ``EV-{00000}`` counts rows with at least five digits."""

from __future__ import annotations

import re
from typing import Final

_PLACE: Final = re.compile(r"\{(0+)\}")


def auto_number(pattern: str, row: int) -> str:
    """Return the number of the row with an integer key; numbers start at 1 and are never reused."""
    return _PLACE.sub(lambda place: f"{row:0{len(place[1])}d}", pattern)
