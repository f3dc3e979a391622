"""Literals against the type of what they are compared with: checks, and the stored form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from sfconnect.soql.ast import Currency, DateLiteral, Value
from sfconnect_emulator.data import ids
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.tables import Stored, fold
from sfconnect_emulator.data.values import format_datetime
from sfconnect_emulator.schema.traits import NUMERIC
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.periods import days_of
from sfconnect_emulator.soql.scope import Operand

_MAX_LITERAL: Final = 4000
_INTEGERS: Final = 2**63
_TYPE_WORDS: Final = {
    "int": "int", "long": "long", "date": "date", "datetime": "dateTime", "time": "time",
    "boolean": "boolean", "double": "double", "currency": "double", "percent": "double",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """The values from ``first`` up to, but not including, ``end``."""

    first: str
    end: str


@dataclass(frozen=True, slots=True)
class Literals:
    """Reads the literals of one condition."""

    context: Context
    operand: Operand
    label: str
    index: int

    def read(self, value: Value) -> Stored | Period:
        """Return a literal as it is stored, or the period that a relative date stands for."""
        if value is None or value == "":
            return None
        return self._reader()(value)

    def _reader(self) -> Callable[[Value], Stored | Period]:
        if self.operand.type in NUMERIC:
            return self._number
        readers: dict[str, Callable[[Value], Stored | Period]] = {
            "id": self._id,
            "reference": self._id,
            "boolean": self._boolean,
            "date": self._date,
            "datetime": self._datetime,
            "time": self._time,
        }
        return readers.get(self.operand.type, self._text)

    def _wrong_type(self) -> ApiError:
        wanted = _TYPE_WORDS.get(self.operand.type, "string")
        quoted = "should be" if wanted == "string" else "should not be"
        return self._error(
            "INVALID_FIELD",
            f"value of filter criterion for field '{self.label}' must be of type {wanted} and "
            f"{quoted} enclosed in quotes",
        )

    def _error(self, code: str, message: str) -> ApiError:
        problems = self.context.problems
        return problems.at(problems.before_condition(self.index), code, message)

    def _text(self, value: Value) -> Stored:
        if not isinstance(value, str):
            raise self._wrong_type()
        if len(value) > _MAX_LITERAL:
            raise self._error("MALFORMED_QUERY", f"Filter value too long: {len(value)} characters")
        return fold(value) if self.operand.folds else value

    def _id(self, value: Value) -> Stored:
        full = ids.normalize(value) if isinstance(value, str) else None
        if full is None:
            raise self._error("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
        return full

    def _boolean(self, value: Value) -> Stored:
        if not isinstance(value, bool):
            raise self._wrong_type()
        return int(value)

    def _number(self, value: Value) -> Stored:
        amount = value.amount if isinstance(value, Currency) else value
        if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
            raise self._wrong_type()
        if isinstance(amount, int) and abs(amount) < _INTEGERS:
            return amount
        return float(amount)

    def _date(self, value: Value) -> Stored | Period:
        if isinstance(value, DateLiteral):
            first, end = days_of(value, self.context.today)
            return Period(first.isoformat(), end.isoformat())
        if isinstance(value, datetime) or not isinstance(value, date):
            raise self._wrong_type()
        return value.isoformat()

    def _datetime(self, value: Value) -> Stored | Period:
        if isinstance(value, DateLiteral):
            first, end = days_of(value, self.context.today)
            return Period(self.context.midnight(first), self.context.midnight(end))
        if not isinstance(value, datetime):
            raise self._wrong_type()
        # Stored values are whole seconds, but a literal between two of them must stay between.
        return format_datetime(value).replace(".000", f".{value.microsecond // 1000:03d}")

    def _time(self, value: Value) -> Stored:
        if not isinstance(value, time):
            raise self._wrong_type()
        return f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}Z"
