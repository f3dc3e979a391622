"""Extract objects: one file each, several at a time, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from anyio import CancelScope, CapacityLimiter, create_task_group, get_cancelled_exc_class
from anyio.to_thread import run_sync

from sfconnect.errors import ApiError, SfConnectError
from sfconnect.etl.files import check_destination
from sfconnect.etl.objects import describe_object
from sfconnect.etl.plan import ObjectPlan, plan_object
from sfconnect.etl.report import ExtractReport, ObjectReport, Progress
from sfconnect.etl.sinks import SinkFactory, sink_factory
from sfconnect.etl.source import QuerySource, Source
from sfconnect.etl.tally import CallTally, counted_as
from sfconnect.etl.writer import ObjectWriter
from sfconnect.instrumentation import JobAdvanced

OnProgress: TypeAlias = Callable[[Progress], None]

_LOCATOR_GONE: Final = "INVALID_QUERY_LOCATOR"


async def extract(
    sf: Source,
    objects: Sequence[str],
    to: Path | str,
    file_format: str,
    *,
    concurrency: int = 4,
    on_progress: OnProgress | None = None,
    where: str | None = None,
    fields: Sequence[str] | None = None,
    on_error: Literal["raise", "report"] = "raise",
    tally: CallTally | None = None,
) -> ExtractReport:
    """Read objects into files ``<to>/<object>.<format>``.

    Every file is written under a temporary name and gets its own when it is proven to hold as
    many rows as the org counted; a file from before is replaced then. Cancelling, too, leaves
    whole files or none. Pages are decoded and written in worker threads, and no page is fetched
    further ahead than the query does, so memory does not grow with the number of rows.

    Args:
        sf: An open connection.
        objects: Names of objects, in any case; a name given twice is read once.
        to: The folder; created when the first file is.
        file_format: ``jsonl``, ``csv``, ``parquet`` or ``arrow``.
        concurrency: How many objects are read at once.
        on_progress: Called on the event loop after every page.
        where: A condition in SOQL, without the word WHERE, for every object.
        fields: Names of fields, for every object; otherwise all that make sense in a table.
        on_error: ``raise`` stops everything at the first object that fails; ``report`` reads the
            others, and tells in the report.
        tally: Counts calls and retries per object, when it is also a hook of the connection.

    Raises:
        ConfigurationError: Unknown object, field or format, or a destination that cannot be
            written; raised before any file is made.
        IncompleteResultError: The org gave fewer rows than it counted, or more.
        OSError: The disk is full, or failed.
        SfConnectError: What reading from the org may raise.
    """
    started = time.monotonic()
    factory = await run_sync(sink_factory, file_format)  # it may import pyarrow, which takes long
    folder = Path(to)
    await run_sync(check_destination, folder)
    shared = _Shared(sf, tally or CallTally(), on_progress or _ignore)
    plans = await _plan_all(shared, objects, fields=fields, where=where)
    readers = [_Reader(shared, plan, folder, file_format, factory) for plan in plans]
    reports = await _read_all(readers, concurrency, stop=on_error == "raise")
    return ExtractReport(reports, time.monotonic() - started)


def _ignore(_: Progress) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all objects of an extract have in common."""

    sf: Source
    tally: CallTally
    on_progress: OnProgress


async def _plan_all(
    shared: _Shared, names: Sequence[str], *, fields: Sequence[str] | None, where: str | None
) -> list[ObjectPlan]:
    """Describe all before any is read, so that a wrong name costs nothing."""
    plans: list[ObjectPlan] = []
    for key, name in {name.lower(): name for name in names}.items():
        with counted_as(key):
            description = await describe_object(shared.sf, name)
        plans.append(plan_object(description, fields=fields, where=where))
    return plans


async def _read_all(
    readers: Sequence[_Reader], concurrency: int, *, stop: bool
) -> tuple[ObjectReport, ...]:
    """Read every object; with ``stop``, cancel the others when one fails, and raise its error."""
    limiter = CapacityLimiter(concurrency)
    failures: list[SfConnectError | OSError] = []

    async def read(reader: _Reader) -> None:
        async with limiter:
            await reader.read()
        if reader.error is not None and stop:
            failures.append(reader.error)
            group.cancel_scope.cancel()

    async with create_task_group() as group:
        for reader in readers:
            group.start_soon(read, reader, name=f"extract {reader.plan.object}")
    if failures:
        raise failures[0]
    return tuple(reader.report() for reader in readers)


@dataclass(slots=True)
class _Reader:
    """Reads one object into its file."""

    shared: _Shared
    plan: ObjectPlan
    folder: Path
    file_format: str
    factory: SinkFactory
    rows: int = 0
    total: int | None = None
    size: int = 0
    seconds: float = 0
    restarts: int = 0
    error: SfConnectError | OSError | None = field(default=None)

    @property
    def path(self) -> Path:
        return self.folder / f"{self.plan.object}.{self.file_format}"

    def report(self) -> ObjectReport:
        counts = self.shared.tally.of(self.plan.object.lower())
        return ObjectReport(
            object=self.plan.object,
            path=self.path,
            rows=self.rows,
            bytes=self.size,
            seconds=self.seconds,
            calls=counts.calls,
            retries=counts.retries.total(),
            restarts=self.restarts,
            error=self.error,
        )

    async def read(self) -> None:
        """Read the object; what goes wrong is kept in ``error``."""
        started = time.monotonic()
        self._emit("started")
        try:
            with counted_as(self.plan.object.lower()):
                await self._read_with_restart()
        except (SfConnectError, OSError) as error:
            self.error = error
            self._emit("failed", error)
        except BaseException as error:
            cancelled = isinstance(error, get_cancelled_exc_class())
            self._emit("cancelled" if cancelled else "failed", None if cancelled else error)
            raise
        else:
            self._emit("finished")
        finally:
            self.seconds = time.monotonic() - started

    async def _read_with_restart(self) -> None:
        """Begin anew, once, when the org no longer knows the query: its pages cannot be joined."""
        try:
            await self._read_once()
        except ApiError as error:
            if error.code != _LOCATOR_GONE:
                raise
            self.restarts += 1
            self.rows, self.total = 0, None
            self._emit("restarted")
            await self._read_once()

    async def _read_once(self) -> None:
        writer = ObjectWriter(self.path, self.plan.columns, self.factory)
        try:
            await run_sync(writer.open)
            await self._write_pages(writer)
            self.size = await run_sync(writer.commit)
        finally:
            with CancelScope(shield=True):
                await run_sync(writer.abort)
        self._tell(self.rows, done=True)  # proven: as many as counted

    async def _write_pages(self, writer: ObjectWriter) -> None:
        self.rows, self.total = 0, None
        self._tell(None)
        async with aclosing(self._query().responses()) as responses:
            async for response in responses:
                written = await run_sync(writer.write, response.content)
                self.rows, self.total = written.rows, written.total
                self._tell(written.total)
                self._emit("advanced")

    def _query(self) -> QuerySource:
        return self.shared.sf.query(self.plan.soql, surface="extract")

    def _tell(self, total: int | None, *, done: bool = False) -> None:
        self.shared.on_progress(Progress(self.plan.object, self.rows, total, done))

    def _emit(self, state: str, error: BaseException | None = None) -> None:
        named: str | None = None if error is None else type(error).__name__
        reason = getattr(error, "code", None) or named
        job = f"extract {self.plan.object}"
        self.shared.sf.emit(JobAdvanced(job, state, self.rows, self.total, reason))
