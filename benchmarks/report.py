"""The report: parts that are measured by different commands, each of tables with their method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.machine import Machine

REPORT: Final = Path(__file__).with_name("report.md")
PLOTS: Final = Path(__file__).with_name("plots")
"""The folder of pictures beside the report."""

PARTS: Final = ("bench", "limits", "peers")
_HEAD: Final = """\
# Benchmarks

Everything runs on loopback; servers run in a process of their own, so that their work is in no
figure. Where clients are compared they take turns in the same run, and a ratio is the median of
the ratios of the rounds, with the lowest and the highest behind it. Machines differ, and so do
days on one machine: quote ratios and counts rather than times.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One measurement: what was asked, how it was measured, what came out.

    ``plot`` is the name of a picture in the folder of plots.
    """

    title: str
    method: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    plot: str | None = None

    def markdown(self) -> str:
        """Render as a section."""
        lines = [_row(self.columns), _row(["---"] * len(self.columns)), *map(_row, self.rows)]
        shown = [] if self.plot is None else ["", f"![{self.title}]({PLOTS.name}/{self.plot})"]
        return "\n".join([f"### {self.title}", "", self.method, "", *lines, *shown])


def part(title: str, command: str, tables: Iterable[Table], machine: Machine) -> str:
    """Render one part of the report."""
    head = [f"## {title}", "", f"Written by `{command}`.", "", *machine.facts()]
    sections = [table.markdown() for table in tables]
    return "\n".join(head) + "\n\n" + "\n\n".join(sections) + "\n"


def with_part(report: str, name: str, text: str) -> str:
    """Put a part in its place among the others, or instead of its former self."""
    found = re.findall(r"<!-- part: (\w+) -->\n(.*?)(?=\n<!-- part: |\Z)", report, re.DOTALL)
    parts = {**{key: body.strip("\n") for key, body in found}, name: text.strip("\n")}
    bodies = [f"<!-- part: {key} -->\n{parts[key]}\n" for key in PARTS if key in parts]
    return "\n".join([_HEAD, *bodies])


def write(name: str, text: str) -> None:
    """Put a part into the file."""
    old = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    REPORT.write_text(with_part(old, name, text), encoding="utf-8")


def spread(ratios: Sequence[float]) -> str:
    """The median of the rounds, with the lowest and the highest."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
