r"""Write values as SOQL literals, so that no value can end its literal and become query text.

Every value that is accepted here is read back by ``parse`` as an equal value.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import singledispatch
from typing import Final, TypeAlias

from sfconnect.soql._literals import MAX_DIGITS, MAX_EXPONENT, MAX_PERIODS
from sfconnect.soql._words import COUNTED_DATE_LITERALS, DATE_LITERALS
from sfconnect.soql.ast import Currency, DateLiteral

Quotable: TypeAlias = (
    str | bool | int | float | Decimal | date | datetime | time | DateLiteral | Currency | None
)
"""One value that ``quote`` can write; ``bool`` goes before ``int``, datetimes are aware."""

QuotableList: TypeAlias = (
    list[Quotable] | tuple[Quotable, ...] | set[Quotable] | frozenset[Quotable]
)

_ESCAPES: Final = str.maketrans(
    {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)}
    | {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f", "'": r"\'", "\\": r"\\"}
)
_PATTERN_ESCAPE = re.compile(r"(\\[\\%_])")
_SPECIAL_IN_PATTERN = re.compile(r"[\\%_]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
_PLAIN_EXPONENT = 30
_MILLISECOND = 1000


def quote(value: Quotable | QuotableList) -> str:
    r"""Return the literal for a value, or the list in parentheses for a list of values.

    Text that goes beside LIKE is a pattern and needs ``quote_like``.

    >>> print(quote("O'Brien"), quote(None), quote(["a", 1, True]))
    'O\'Brien' null ('a', 1, TRUE)

    Raises:
        ValueError: The value has no literal: an empty list, NaN or an infinity, a naive datetime,
            a time with a zone, half of a surrogate pair, a number beyond all ranges.
        TypeError: There is no literal for this type.
    """
    if isinstance(value, list | tuple | set | frozenset):
        if not value:
            raise ValueError("SOQL has no empty list: leave the condition out instead")
        return f"({', '.join(map(_literal, value))})"
    return _literal(value)


def quote_like(pattern: str) -> str:
    r"""Return the literal for a LIKE pattern, in which ``\%``, ``\_`` and ``\\`` are escapes.

    >>> print(quote_like(like_escape("100%") + "%"))
    '100\%%'
    """
    parts = _PATTERN_ESCAPE.split(pattern)
    written = (part if place % 2 else _escaped(part) for place, part in enumerate(parts))
    return f"'{''.join(written)}'"


def like_escape(text: str) -> str:
    r"""Return a LIKE pattern that matches just this text; add wildcards around it.

    The result is a pattern, not yet a literal: pass it to ``bind`` or ``quote_like``.

    >>> print(like_escape("50%_off"))
    50\%\_off
    """
    return _SPECIAL_IN_PATTERN.sub(r"\\\g<0>", text)


@singledispatch
def _literal(value: object) -> str:
    raise TypeError(f"SOQL has no literal for a value of type {type(value).__name__}")


@_literal.register
def _(value: str) -> str:
    return f"'{_escaped(value)}'"


@_literal.register
def _(value: bool) -> str:  # the value itself, not a switch
    return "TRUE" if value else "FALSE"


@_literal.register
def _(value: None) -> str:
    return "null"


@_literal.register
def _(value: int) -> str:
    if abs(value) >= 10**MAX_DIGITS:
        raise ValueError("the number is out of any range")
    return format(int(value), "d")


@_literal.register
def _(value: float) -> str:
    return _literal(Decimal(repr(float(value))))


@_literal.register
def _(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("SOQL has no literal for NaN and infinities")
    exponent = value.adjusted()
    if abs(exponent) > MAX_EXPONENT or len(value.as_tuple().digits) > MAX_DIGITS:
        raise ValueError("the number is out of any range")
    if not value:
        value = value.copy_abs()
    # Without "+", which a URL would turn into a space if it were not encoded.
    return format(value, "f" if abs(exponent) <= _PLAIN_EXPONENT else "E").replace("+", "")


@_literal.register
def _(value: date) -> str:
    return value.isoformat()


@_literal.register
def _(value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError("a datetime needs a time zone before it can be quoted")
    try:
        moment = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError("the datetime lies outside the years 1 to 9999 in UTC") from error
    return f"{moment.isoformat(timespec=_precision(moment))}Z"


@_literal.register
def _(value: time) -> str:
    if value.tzinfo is not None:
        raise ValueError("a time field has no zone: quote a time without one")
    # A time literal always shows its milliseconds; a datetime need not.
    precision = "microseconds" if _precision(value) == "microseconds" else "milliseconds"
    return f"{value.isoformat(timespec=precision)}Z"


@_literal.register
def _(value: DateLiteral) -> str:
    if value.n is None and value.name in DATE_LITERALS:
        return value.name
    if value.n is not None and value.name in COUNTED_DATE_LITERALS and 0 <= value.n <= MAX_PERIODS:
        return f"{value.name}:{value.n:d}"
    raise ValueError("this is no relative date of SOQL")


@_literal.register
def _(value: Currency) -> str:
    if not _CURRENCY_CODE.fullmatch(value.code):
        raise ValueError("a currency has a code of three capital letters")
    if not value.amount.is_finite() or value.amount < 0:
        raise ValueError("a currency literal cannot be negative, NaN or infinite")
    if abs(value.amount.adjusted()) < MAX_DIGITS:
        digits = format(value.amount.copy_abs(), "f")
        if len(digits) <= MAX_DIGITS:
            return f"{value.code}{digits}"
    raise ValueError("the amount is out of any range")


def _escaped(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        raise ValueError("text with half of a surrogate pair cannot be sent")
    return text.translate(_ESCAPES)


def _precision(value: datetime | time) -> str:
    if not value.microsecond:
        return "seconds"
    return "microseconds" if value.microsecond % _MILLISECOND else "milliseconds"
