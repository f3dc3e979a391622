"""The extract of the command line: progress on a terminal, and the table at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sfconnect.cli.common import Common
from sfconnect.cli.output import print_records
from sfconnect.cli.running import connect
from sfconnect.cli.suggestions import suggest
from sfconnect.errors import QueryError
from sfconnect.etl import CallTally, ExtractReport, ObjectReport, Progress, extract

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@dataclass(frozen=True, slots=True)
class Job:
    """What to extract."""

    common: Common
    objects: Sequence[str]
    to: Path
    file_format: str
    fields: Sequence[str] | None = None
    where: str | None = None
    concurrency: int = 4


async def run_job(job: Job) -> ExtractReport:
    """Extract, showing how far it is."""
    tally = CallTally()
    with open_screen() as screen:
        async with connect(job.common, hooks=[tally]) as sf:
            report = await extract(
                sf,
                job.objects,
                job.to,
                job.file_format,
                concurrency=job.concurrency,
                on_progress=screen.show,
                where=job.where,
                fields=job.fields,
                on_error="report",
                tally=tally,
            )
            for one in report.failed:
                if isinstance(one.error, QueryError):
                    await suggest(sf, one.error)
    return report


class Screen(Protocol):
    """Where progress is shown while something runs."""

    def show(self, progress: Progress) -> None:
        """Show how far an object is."""
        ...

    def say(self, line: str) -> None:
        """Show what is going on."""
        ...


@contextmanager
def open_screen() -> Iterator[Screen]:
    """Show progress on stderr if that is a terminal; elsewhere show none."""
    if not sys.stderr.isatty():
        yield _Nowhere()
        return
    from rich.console import Console  # nobody would see it elsewhere
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


class _Nowhere:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Take it."""

    def say(self, line: str) -> None:
        """Take it."""


class _Bars:
    """One bar per object, made when the object begins; lines scroll above them."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def show(self, progress: Progress) -> None:
        """Move the object's bar."""
        name = progress.object
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None)
        self._bars.update(self._tasks[name], completed=progress.rows, total=progress.total)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(line, highlight=False, markup=False)


def print_report(common: Common, report: ExtractReport) -> None:
    """Print what was done: a table, or with ``--json`` all that is known."""
    records = [_record(one) for one in report.objects]
    whole = {"objects": [_known(one) for one in report.objects], "seconds": report.seconds}
    plain = Common(json=common.json)  # --format says how rows are written, not this
    print_records(plain, records, whole=whole)


def _record(one: ObjectReport) -> dict[str, Any]:
    return {
        "object": one.object,
        "rows": one.rows if one.error is None else None,
        "bytes": one.bytes if one.error is None else None,
        "seconds": round(one.seconds, 2),
        "calls": one.calls,
        "retries": one.retries,
    }


def _known(one: ObjectReport) -> dict[str, Any]:
    from sfconnect.cli.failures import failure_of

    error = failure_of(one.error).message if one.error else None
    path = str(one.path) if one.error is None else None
    return {**_record(one), "restarts": one.restarts, "path": path, "error": error}
