"""Record ids: 3 characters of key prefix, 2 of instance, 1 reserved, 9 of counter, 3 of check.

The counter's digits run in ASCII order, so that sorting ids as text is the order of creation.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUE: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_CHECK: Final = string.ascii_uppercase + "012345"
_BASE: Final = len(_DIGITS)
_COUNTER_WIDTH: Final = 9
_SHORT: Final = 15
_LONG: Final = 18
_LAST_BIT: Final = 16


def check_characters(short_id: str) -> str:
    """Return the three characters that make a 15-character id safe where case is lost.

    Bit *i* of each group of five is set where character *i* is an upper-case letter.
    """
    return "".join(
        _CHECK[
            sum(1 << i for i, char in enumerate(short_id[start : start + 5]) if "A" <= char <= "Z")
        ]
        for start in (0, 5, 10)
    )


def normalize(value: str) -> str | None:
    """Return the 18-character form of an id of either length; None if it is no id at all."""
    if len(value) not in {_SHORT, _LONG} or not (value.isascii() and value.isalnum()):
        return None
    full = value[:_SHORT] + check_characters(value[:_SHORT])
    return full if full.startswith(value) else None


def encode_counter(number: int) -> str:
    """Write a number in base 62, nine digits wide."""
    digits = []
    for _ in range(_COUNTER_WIDTH):
        number, rest = divmod(number, _BASE)
        digits.append(_DIGITS[rest])
    return "".join(reversed(digits))


def decode_counter(text: str) -> int:
    """Read a base-62 number."""
    number = 0
    for char in text:
        number = number * _BASE + _VALUE[char]
    return number


@dataclass(frozen=True, slots=True)
class IdSpace:
    """The ids of one object in one org: row *n* has the counter ``start + n``."""

    prefix: str
    pod: str
    start: int

    def id_of(self, row: int) -> str:
        """Return the 18-character id of a row."""
        short = f"{self.prefix}{self.pod}0{encode_counter(self.start + row)}"
        return short + check_characters(short)

    def ids_of(self, first: int, count: int) -> list[str]:
        """Return the ids of ``count`` rows from ``first`` on; much faster than one by one."""
        made: list[str] = []
        while len(made) < count:
            start = self.id_of(first + len(made))
            low = _VALUE[start[_SHORT - 1]]
            made.extend(self._until_carry(start, low, min(_BASE - low, count - len(made))))
        return made

    def _until_carry(self, start: str, low: int, count: int) -> list[str]:
        """Return ids that differ from ``start`` only in the last digit and the last check."""
        head, check = start[: _SHORT - 1], start[_SHORT : _LONG - 1]
        bits = _CHECK.index(check_characters(f"{head}0")[2])
        lower, upper = _CHECK[bits], _CHECK[bits | _LAST_BIT]
        return [
            f"{head}{digit}{check}{upper if 'A' <= digit <= 'Z' else lower}"
            for digit in _DIGITS[low : low + count]
        ]

    def row_of(self, record_id: str) -> int | None:
        """Return the row of an 18-character id; None if the id is not of this space."""
        if not record_id.startswith(f"{self.prefix}{self.pod}0"):
            return None
        row = decode_counter(record_id[6:_SHORT]) - self.start
        return row if row > 0 else None
