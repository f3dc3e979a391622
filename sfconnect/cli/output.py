"""Print small lists of records: a table for people, CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

from sfconnect.cli.common import Common

_WIDE: Final = 10_000

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
    """Lay records out as a table: as wide as the terminal, or as it has to be for a file."""
    if not records:
        return ""
    from rich.console import Console  # slow to import; machines do not need it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in records[0]:
        numbers = all(_is_number(record[name]) for record in records)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for record in records:
        # Text objects: a value in brackets is no markup.
        table.add_row(*(Text(cell_text(value)) for value in record.values()))
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
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
