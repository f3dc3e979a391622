"""A report of measurements as Markdown: tables, each with its method, and what they ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

PACKAGES = ("aiohttp", "msgspec", "sfconnect")


@dataclass(frozen=True, slots=True)
class Table:
    """One measurement: what was asked, how it was measured, what came out."""

    title: str
    method: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Render as a section."""
        lines = [_row(self.columns), _row(["---"] * len(self.columns)), *map(_row, self.rows)]
        return "\n".join([f"## {self.title}", "", self.method, "", *lines])


def markdown(tables: Iterable[Table]) -> str:
    """Render the whole report."""
    head = [
        "# Benchmarks",
        "",
        "Written by `nox -s bench`. Everything runs on loopback without TLS; servers run in a "
        "process of their own. Where two clients are compared they take turns in the same run, "
        "and a ratio is the median of the ratios of the rounds, with the lowest and the highest "
        "behind it. Other work on the machine makes every figure worse but the counts: compare "
        "the load with the cores.",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {_machine()}",
        f"- Load (processes that ran or waited over the last minute), at the end: {_load()}",
        f"- Software: {_software()}",
    ]
    sections = [table.markdown() for table in tables]
    return "\n".join(head) + "\n\n" + "\n\n".join(sections) + "\n"


def spread(ratios: Sequence[float]) -> str:
    """The median of the rounds, with the lowest and the highest."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}"


def _load() -> str:
    """The load average, which counts this run too; not every system keeps one."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _processor() -> str:
    """The processor's name, where the system tells it in the Linux way."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _software() -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join([python, *(f"{name} {version(name)}" for name in PACKAGES)])
