r"""Read literals: strings, numbers, dates and times, relative dates, currencies, binds.

Strings know the escapes of "SOQL and SOSL Reference", "Quoted String Escape Sequences"; ``\%`` and
``\_`` stand in LIKE patterns only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

from sfconnect.soql._cursor import Cursor
from sfconnect.soql._words import COUNTED_DATE_LITERALS, DATE_LITERALS
from sfconnect.soql.ast import Bind, Currency, DateLiteral, Value
from sfconnect.soql.tokens import Token, TokenKind

# A double has 17 digits and exponents up to 308; what is far beyond is a mistake or an attack, as
# the cost of arithmetic on decimals grows with both.
MAX_DIGITS: Final = 400
MAX_EXPONENT: Final = 400
MAX_PERIODS: Final = 1_000_000_000
_MAX_NUMBER_TEXT = 1000

_ESCAPE = re.compile(
    r"\\(?:u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))",
    re.DOTALL,
)
_PLAIN_ESCAPES = {
    "n": "\n", "N": "\n", "r": "\r", "R": "\r", "t": "\t", "T": "\t", "b": "\b", "B": "\b",
    "f": "\f", "F": "\f", '"': '"', "'": "'", "\\": "\\",
}  # fmt: skip
_PATTERN_ESCAPES = _PLAIN_ESCAPES | {"\\": r"\\", "%": r"\%", "_": r"\_"}
_SURROGATE = re.compile("[\ud800-\udfff]")

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]+)?|(\.[0-9]+))([Ee][+-]?[0-9]{1,4})?")
_CURRENCY = re.compile(r"([A-Za-z]{3})([0-9]+)")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt](.*))?")
_CLOCK = re.compile(
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None}


def read_value(cursor: Cursor) -> Value:
    """Read one literal, relative date or bind."""
    reader = _READERS.get(cursor.token.kind)
    if reader is None:
        return read_bind(cursor)
    return reader(cursor)


def read_pattern(cursor: Cursor) -> str | Bind:
    """Read what stands beside LIKE; its pattern escapes are kept."""
    if cursor.token.kind is TokenKind.NAME:
        raise _bare_word(cursor)
    if cursor.token.kind is not TokenKind.STRING:
        return read_bind(cursor, wanted="a string")
    token = cursor.advance()
    return _unescaped(cursor, token, _PATTERN_ESCAPES)


def read_bind(cursor: Cursor, wanted: str = "a value") -> Bind:
    """Read ``:name`` where the caller allows binds, else fail over the value that is missing."""
    sign = cursor.token
    if sign.word != ":":
        raise cursor.unexpected(wanted)
    if not cursor.binds:
        hint = "Only Apex has them; bind() puts values in their places."
        raise cursor.fail("a bind variable cannot be sent", sign, hint=hint)
    cursor.advance()
    if cursor.token.kind is not TokenKind.NAME:
        raise cursor.unexpected("the name of a bind")
    return Bind(cursor.advance().text, at=sign.start)


def read_count(cursor: Cursor) -> int | Bind:
    """Read the number after LIMIT or OFFSET."""
    token = cursor.token
    if token.kind is not TokenKind.NUMBER:
        return read_bind(cursor, wanted="a whole number")
    count = _number(cursor)
    if not isinstance(count, int) or count < 0 or token.text[0] == "-":
        raise cursor.fail("expected a whole number that is not negative", token)
    return count


def _string(cursor: Cursor) -> str:
    return _unescaped(cursor, cursor.advance(), _PLAIN_ESCAPES)


def _unescaped(cursor: Cursor, token: Token, escapes: dict[str, str]) -> str:
    text = token.text[1:-1]
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: _character(cursor, token, match, escapes), text)
    if not text.isascii() and _SURROGATE.search(text):
        raise cursor.fail("the string holds half of a surrogate pair", token)
    return text


def _character(cursor: Cursor, token: Token, match: re.Match[str], escapes: dict[str, str]) -> str:
    high, low, unit, letter = match.groups()
    if high:
        return bytes.fromhex(high + low).decode("utf-16-be")
    if unit:
        # A backslash that is spelt as a code is the character, also where escapes are kept.
        character = chr(int(unit, 16))
        return escapes["\\"] if character == "\\" else character
    if letter in escapes:
        return escapes[letter]
    hint = r"A backslash itself is written \\."
    if letter in "%_":
        hint = r"\% and \_ are for LIKE patterns."
    raise cursor.fail(
        "the string holds an unknown escape", token, hint=hint, offset=match.start() + 1
    )


def _number(cursor: Cursor) -> int | Decimal:
    token = cursor.advance()
    match = _NUMBER.fullmatch(token.text)
    if match is None:
        raise cursor.fail("this is not a number", token)
    if len(token.text) <= _MAX_NUMBER_TEXT:
        value = Decimal(token.text)
        if len(value.as_tuple().digits) <= MAX_DIGITS and abs(value.adjusted()) <= MAX_EXPONENT:
            return value if match.lastindex else int(token.text)
    raise cursor.fail("the number is out of any range", token)


def _temporal(cursor: Cursor) -> date | time:
    token = cursor.advance()
    match = _DATE.fullmatch(token.text)
    try:
        if match is None:
            return _time(token.text)
        day = date(int(match[1]), int(match[2]), int(match[3]))
        return day if match[4] is None else _datetime(day, match[4])
    except (ValueError, OverflowError) as error:
        hint = str(error) if isinstance(error, _FormError) else None
        raise cursor.fail("this is not a date or time", token, hint=hint) from None


class _FormError(ValueError):
    """The text of a date or time has the wrong form; the message is a hint that may be shown."""


def _time(text: str) -> time:
    match = _CLOCK.fullmatch(text)
    if match is None or (match[5] or "Z") not in "Zz":
        raise _FormError("A date is written 2026-11-23, a time 13:45:00.000Z.")
    return _clock(match)


def _datetime(day: date, text: str) -> datetime:
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise _FormError("A date with a time is written 2026-11-23T13:45:00Z.")
    if match[5] is None:
        raise _FormError("The zone is missing: Z, or an offset whose + is %2B in a URL.")
    moment = datetime.combine(day, _clock(match), tzinfo=UTC)
    if match[5] in "Zz":
        return moment
    reach = time(int(match[5][1:3]), int(match[5][-2:]))  # refuses what no clock can show
    offset = timedelta(hours=reach.hour, minutes=reach.minute)
    return moment - offset if match[5][0] == "+" else moment + offset


def _clock(match: re.Match[str]) -> time:
    # Any number of fraction digits is valid; what is finer than a microsecond is cut off.
    microsecond = int((match[4] or "")[:6].ljust(6, "0"))
    return time(int(match[1]), int(match[2]), int(match[3]), microsecond)


def _word(cursor: Cursor) -> Value:
    token = cursor.token
    if token.word in _CONSTANTS:
        cursor.advance()
        return _CONSTANTS[token.word]
    if token.word in DATE_LITERALS:
        cursor.advance()
        return DateLiteral(token.word)
    if token.word in COUNTED_DATE_LITERALS:
        return _counted_date_literal(cursor)
    if match := _CURRENCY.fullmatch(token.text):
        return _currency(cursor, match)
    raise _bare_word(cursor)


def _counted_date_literal(cursor: Cursor) -> DateLiteral:
    name = cursor.advance()
    if not cursor.accept(":"):
        raise cursor.unexpected("':' and a number of periods")
    token = cursor.token
    if token.kind is not TokenKind.NUMBER or not token.text.isdigit():
        raise cursor.unexpected("a number of periods")
    periods = int(_number(cursor))
    if periods > MAX_PERIODS:
        raise cursor.fail("the number of periods is out of any range", token)
    return DateLiteral(name.word, periods)


def _currency(cursor: Cursor, match: re.Match[str]) -> Currency:
    token = cursor.advance()
    amount = match[2]
    fraction = cursor.token
    # "USD5000.01" is cut into a word and a number that begins with the point.
    if fraction.kind is TokenKind.NUMBER and fraction.start == token.end:
        if not re.fullmatch(r"\.[0-9]+", fraction.text):
            raise cursor.fail("this is not an amount of money", token)
        amount += cursor.advance().text
    if len(amount) > MAX_DIGITS:
        raise cursor.fail("the amount is out of any range", token)
    return Currency(match[1].upper(), Decimal(amount))


def _bare_word(cursor: Cursor) -> Exception:
    """Build the error for a word that is no value; it may be an unquoted name, so is not shown."""
    token = cursor.token
    near = get_close_matches(token.word, [*_CONSTANTS, *DATE_LITERALS, *COUNTED_DATE_LITERALS], 1)
    hint = f"Did you mean {near[0]}?" if near else "Strings take single quotes."
    return cursor.fail("expected a value, found a bare word", token, hint=hint)


_READERS: Final[dict[TokenKind, Callable[[Cursor], Value]]] = {
    TokenKind.STRING: _string,
    TokenKind.NUMBER: _number,
    TokenKind.TEMPORAL: _temporal,
    TokenKind.NAME: _word,
}
