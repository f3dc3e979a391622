"""Relative dates: the days that ``THIS_QUARTER`` or ``LAST_N_WEEKS:3`` stand for."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from sfconnect.soql.ast import DateLiteral

_MONTHS: Final = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_FORM: Final = re.compile(
    r"(?P<side>LAST|THIS|NEXT)_(?:(?P<counted>N|90)_)?(?P<span>.+)|N_(?P<ago>.+)_AGO"
)
_DAYS: Final = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}


def days_of(literal: DateLiteral, today: date) -> tuple[date, date]:
    """Return the first day of a period and the first day after it.

    Weeks begin on Sunday, as in an org whose locale is en_US. Fiscal periods are calendar
    periods. ``LAST_N_MONTHS:2`` is the two whole months before this one, while
    ``LAST_N_DAYS:2`` ends with today; both as Salesforce counts them.
    """
    if literal.name in _DAYS:
        return _span("DAY", today, _DAYS[literal.name], 1)
    form = _FORM.fullmatch(literal.name)
    if form is None:
        raise ValueError(f"unknown date literal {literal.name}")
    if form["ago"]:
        return _span(_unit(form["ago"]), today, -(literal.n or 0), 1)
    return _sided(form, literal.n, today)


def _sided(form: re.Match[str], n: int | None, today: date) -> tuple[date, date]:
    unit, side, counted = _unit(form["span"]), form["side"], form["counted"]
    if counted is None:
        return _span(unit, today, {"LAST": -1, "THIS": 0, "NEXT": 1}[side], 1)
    count = 90 if counted == "90" else n or 0
    if unit == "DAY" and side == "LAST":
        return _span(unit, today, -count, count + 1)
    return _span(unit, today, -count if side == "LAST" else 1, count)


def _unit(name: str) -> str:
    return name.removeprefix("FISCAL_").removesuffix("S")


def _span(unit: str, today: date, first: int, count: int) -> tuple[date, date]:
    """Return ``count`` units that begin ``first`` units away from the current one."""
    return _start(unit, today, first), _start(unit, today, first + count)


def _start(unit: str, today: date, offset: int) -> date:
    try:
        if unit in _MONTHS:
            return _month_start(today, _MONTHS[unit], offset)
        if unit == "WEEK":
            sunday = today - timedelta(days=(today.weekday() + 1) % 7)
            return sunday + timedelta(weeks=offset)
        return today + timedelta(days=offset)
    except (OverflowError, ValueError):
        return date.min if offset < 0 else date.max


def _month_start(today: date, months: int, offset: int) -> date:
    current = today.year * 12 + today.month - 1
    month = (current // months + offset) * months
    return date(month // 12, month % 12 + 1, 1)
