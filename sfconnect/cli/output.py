"""Print small lists of records: a table for people, CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import click

from sfconnect.cli.common import Common

_GAP: Final = 2
_LONG_WORD: Final = 30
"""Words that are longer may be broken to make a table narrower."""

Record = Mapping[str, Any]


def print_records(common: Common, records: Sequence[Record], *, whole: Any = None) -> None:
    """Print records that have the same keys, in the format that was asked for.

    Args:
        common: Says which format: ``--json``, or ``--format`` table, csv or jsonl.
        records: What to print; the keys are the headings.
        whole: What ``--json`` prints instead of the records, where more is known.
    """
    if common.json:
        print_json(records if whole is None else whole)
    elif common.format == "csv":
        click.echo(_csv(records), nl=False)
    elif common.format == "jsonl":
        for record in records:
            click.echo(json.dumps(record, ensure_ascii=False))
    elif common.format in {None, "table"}:
        print_table(records)
    else:
        raise click.UsageError(f"--format {common.format} is for rows of the org.")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(records: Sequence[Record]) -> None:
    """Print records as a table."""
    click.echo(table_text(records), nl=False)


def table_text(records: Sequence[Record]) -> str:
    """Lay records out as a table: as wide as it has to be, or as the terminal allows.

    Long texts fold there. Where also their words would break, which nobody could read or copy,
    each record is a block of lines instead.
    """
    if not records:
        return ""
    columns = [_Column.of(name, [record[name] for record in records]) for name in records[0]]
    room = _room()
    widths = _widths(columns, room)
    if widths is None:
        return _blocks(columns, room)
    return _grid(columns, widths, head=True)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as text, with its width: as it is, and the least at which no word breaks."""

    name: str
    cells: Sequence[str]
    is_numeric: bool
    width: int
    least: int

    @classmethod
    def of(cls, name: str, values: Sequence[object]) -> _Column:
        from rich.cells import cell_len  # slow to import; machines do not need it

        cells = [cell_text(value) for value in values]
        texts = [name, *cells]
        width = max(map(cell_len, texts))
        longest = max((cell_len(word) for text in texts for word in text.split()), default=0)
        return cls(name, cells, all(map(_is_number, values)), width, min(longest, _LONG_WORD))


def _room() -> int | None:
    """Return how many columns the terminal has; None where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _widths(columns: Sequence[_Column], room: int | None) -> list[int] | None:
    """Share the room out, taking from whoever can spare most; None if it is too little."""
    if room is None:
        return [column.width for column in columns]
    room -= _GAP * (len(columns) - 1)
    widths = [max(column.least, min(column.width, room)) for column in columns]
    while sum(widths) > room:
        spare = [width - column.least for width, column in zip(widths, columns, strict=True)]
        if not max(spare):
            return None
        widths[spare.index(max(spare))] -= 1
    return widths


def _blocks(columns: Sequence[_Column], room: int | None) -> str:
    """Write each record as lines of name and value, with a blank line between records."""
    names = max(column.width for column in (_Column.of(one.name, ()) for one in columns))
    values = max(_LONG_WORD, (room or 0) - names - _GAP)
    lines = zip(*(column.cells for column in columns), strict=True)
    blocks = [
        _grid(
            [
                _Column("", [column.name for column in columns], False, names, names),
                _Column("", cells, False, values, values),
            ],
            [names, values],
            head=False,
        )
        for cells in lines
    ]
    return "\n".join(blocks)


def _grid(columns: Sequence[_Column], widths: Sequence[int], *, head: bool) -> str:
    from rich.console import Console  # slow to import; machines do not need it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    for column, width in zip(columns, widths, strict=True):
        side: Literal["left", "right"] = "right" if column.is_numeric else "left"
        table.add_column(Text(column.name), justify=side, overflow="fold", width=max(1, width))
    for cells in zip(*(column.cells for column in columns), strict=True):
        # Text objects: a value in brackets is no markup.
        table.add_row(*map(Text, cells))
    # Without a height, the width would not count where TERM is dumb.
    console = Console(width=sum(widths) + _GAP * len(widths), height=1, highlight=False)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def listed(counts: Mapping[str, int]) -> str:
    """Write counts as a phrase: ``2 x this, 1 x that``."""
    return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "none"


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def cell_text(value: object) -> str:
    """Write a value for people: nothing for null, no control characters, no line breaks."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else "␣" for sign in text.replace("\r\n", "\n"))


def _csv(records: Iterable[Record]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    for number, record in enumerate(records):
        if number == 0:
            writer.writerow(record)
        writer.writerow(record.values())
    return file.getvalue()
