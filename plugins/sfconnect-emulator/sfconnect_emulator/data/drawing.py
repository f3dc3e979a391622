"""Random columns: for a field, the values of all rows at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from operator import add
from random import Random
from typing import Final

from sfconnect_emulator.data import material
from sfconnect_emulator.data.tables import Stored
from sfconnect_emulator.schema import FieldType

Column = list[Stored]

_NULLS: Final = 0.2
_AWKWARD: Final = 0.03
_POOL: Final = 1000
_FIRST_YEAR: Final = 2020
_LAST_YEAR: Final = 2026
_SPREAD: Final = 0.8
"""Share of the possible parents that get any children."""


@cache
def days_between(first: int, last: int) -> tuple[str, ...]:
    """Return days of the years from ``first`` on, before ``last``."""
    parts = product(range(first, last), range(1, 13), range(1, 29))
    return tuple(f"{year}-{month:02d}-{day:02d}" for year, month, day in parts)


class Drawing:
    """Draws the columns of ``count`` rows from one source of randomness."""

    def __init__(self, rng: Random, count: int) -> None:
        self.rng = rng
        self.count = count

    def pick(self, pool: Sequence[Stored], *, nulls: float = 0.0) -> Column:
        """Draw from a pool, with about that share of nulls."""
        holes = round(len(pool) * nulls / (1 - nulls))
        scale = 1 if holes or not nulls else math.ceil((1 - nulls) / nulls / len(pool))
        nothing = [None] * (max(1, holes) if nulls else 0)
        return self.rng.choices([*list(pool) * scale, *nothing], k=self.count)

    def sprinkle(self, column: Column, values: Sequence[Stored]) -> Column:
        """Put every one of some values into a column, in few but certain places.

        The places are spread evenly, so that also a short column gets as many as it can.
        """
        step = max(2, min(self.count // max(1, len(values)), int(1 / _AWKWARD)))
        offset = self.rng.randrange(step) if self.count > step else 0
        for number, value in enumerate(values):
            place = offset + number * step
            if place < self.count:
                column[place] = value
        return column

    def parents(self, ids: Sequence[Stored], *, nulls: float = 0.0) -> Column:
        """Draw parents unevenly: the first have many children, the last have none."""
        if not ids:
            return [None] * self.count
        reach = max(1, int(len(ids) * _SPREAD))
        drawn: Column = [ids[int(reach * self.rng.random() ** 2)] for _ in range(self.count)]
        if nulls:
            drawn = [None if self.rng.random() < nulls else v for v in drawn]
        return drawn

    def moments(self) -> list[str]:
        """Draw datetimes of the years in which the org was used."""
        clocks = [f"T{h:02d}:{m:02d}:{s:02d}.000+0000" for h, m, s in
                  product(range(24), range(0, 60, 7), (0, 1, 30, 59))]  # fmt: skip
        days = self.rng.choices(days_between(_FIRST_YEAR, _LAST_YEAR), k=self.count)
        times = self.rng.choices(clocks, k=self.count)
        return list(map(add, days, times))

    def digits(self, width: int, form: str = "{}") -> Column:
        """Draw texts of digits, with leading zeros."""
        top = 10**width
        return self.pick([form.format(f"{int(self.rng.random() * top):0{width}d}")
                          for _ in range(_POOL)])  # fmt: skip

    def field(self, f: FieldType) -> Column:
        """Draw values for a field by its type alone."""
        make_pool = _POOLS.get(f.type)
        if make_pool is None:
            return [None] * self.count
        column = self.pick(make_pool(self.rng, f), nulls=_NULLS if f.nillable else 0.0)
        extremes = _EXTREMES.get(f.type)
        return self.sprinkle(column, extremes(f)) if extremes else column


Pool = Callable[[Random, FieldType], Sequence[Stored]]


def _texts(_: Random, f: FieldType) -> Sequence[Stored]:
    return [word[: f.length] for word in material.COMPANY_HEADS]


def _lines(_: Random, f: FieldType) -> Sequence[Stored]:
    pairs = product(material.SENTENCES, material.SENTENCES)
    return [f"{a} {b}"[: f.length] for a, b in pairs]


def _choices(_: Random, f: FieldType) -> Sequence[Stored]:
    return [entry.value for entry in f.picklist_values] or [None]


def _several(_: Random, f: FieldType) -> Sequence[Stored]:
    values = [entry.value for entry in f.picklist_values]
    masks = range(1, 2 ** len(values))
    return [";".join(v for i, v in enumerate(values) if mask >> i & 1) for mask in masks]


def _wholes(rng: Random, f: FieldType) -> Sequence[Stored]:
    top = 10 ** min(f.digits or 8, 6)
    return [int(rng.random() ** 3 * top) for _ in range(_POOL)]


def _numbers(rng: Random, f: FieldType) -> Sequence[Stored]:
    top = 10 ** min(f.precision - f.scale, 7)
    return [round(rng.random() ** 3 * top, f.scale) for _ in range(_POOL)]


def _written(form: str) -> Pool:
    """Make texts with a number in them."""
    return lambda rng, _: [form.format(int(rng.random() * 10**7)) for _ in range(_POOL)]


def _documents(_: Random, __: FieldType) -> Sequence[Stored]:
    texts = enumerate(material.AWKWARD[:8])
    return [json.dumps({"n": n, "text": text}, ensure_ascii=False) for n, text in texts]


_POOLS: Final[dict[str, Pool]] = {
    "string": _texts,
    "textarea": _lines,
    "encryptedstring": _texts,
    "datacategorygroupreference": _texts,
    "anyType": _texts,
    "phone": _written("+1 (555) {:07d}"),
    "email": _written("person{}@example.com"),
    "url": _written("https://www.example.com/{}?q=a%20b&x=1"),
    "picklist": _choices,
    "combobox": _choices,
    "multipicklist": _several,
    "boolean": lambda *_: (True, False),
    "int": _wholes,
    "long": _wholes,
    "double": _numbers,
    "currency": _numbers,
    "percent": _numbers,
    "date": lambda *_: days_between(_FIRST_YEAR, _LAST_YEAR + 2),
    "datetime": lambda *_: [
        f"{day}T12:34:56.000+0000" for day in days_between(_FIRST_YEAR, _LAST_YEAR)
    ],
    "time": lambda *_: ("00:00:00.000Z", "09:30:00.000Z", "12:00:00.001Z", "23:59:59.999Z"),
    "base64": lambda *_: (b"", b"hello", bytes(range(256)), b"\xc3\xa4"),
    "json": _documents,
    "complexvalue": _documents,
}


def _long_texts(f: FieldType) -> list[Stored]:
    texts = [*material.AWKWARD, *material.AWKWARD_LINES]
    texts += ["0123456789 \u00e4\u00f6\u00fc\n" * (n // 15) for n in material.LONG_LENGTHS]
    return [text for text in texts if len(text) <= f.length]


def _extreme_numbers(f: FieldType) -> list[Stored]:
    if f.compound_field_name is not None:
        return []
    top = 10 ** (f.precision - f.scale)
    return [round(n, f.scale) for n in material.EXTREME_NUMBERS if abs(n) < top]


def _extreme_wholes(f: FieldType) -> list[Stored]:
    top = 10 ** (f.digits or 9)
    big: list[Stored] = [2**53 - 1, -(2**53 - 1)] if f.type == "long" else []
    return [n for n in material.EXTREME_WHOLES if abs(n) < top] + big


_EXTREMES: Final[dict[str, Callable[[FieldType], Sequence[Stored]]]] = {
    "string": lambda f: [t for t in material.AWKWARD if len(t) <= f.length],
    "textarea": _long_texts,
    "int": _extreme_wholes,
    "long": _extreme_wholes,
    "double": _extreme_numbers,
    "currency": _extreme_numbers,
    "percent": _extreme_numbers,
    "date": lambda _: material.EXTREME_DATES,
    "datetime": lambda _: material.EXTREME_MOMENTS,
}
