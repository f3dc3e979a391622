"""Extracting objects: several at once, whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import json
import resource
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio import to_thread

from sfconnect import etl
from sfconnect.errors import (
    ApiError,
    ConfigurationError,
    IncompleteResultError,
    SfConnectError,
    ThrottledError,
)
from sfconnect.etl import CallTally, Progress, extract
from sfconnect.instrumentation import JobAdvanced, RequestFinished, RetryScheduled
from tests.unit.etl.conftest import FakeOrg, describe_of, page_of

GONE = ApiError("invalid query locator", code="INVALID_QUERY_LOCATOR", status=400)


def ids(*numbers: int) -> list[dict[str, str]]:
    return [{"Id": str(number)} for number in numbers]


def two_pages() -> list[bytes]:
    return [page_of(ids(1, 2), total=3, next_="/next"), page_of(ids(3), total=3)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_each_object_becomes_a_file_with_all_its_rows(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), two_pages())
    org.add(describe_of("Contact", "Id"), [page_of(ids(4))])

    report = await extract(org, ["Account", "contact"], tmp_path / "out", "jsonl")

    accounts, contacts = (tmp_path / "out" / f"{name}.jsonl" for name in ("Account", "Contact"))
    assert accounts.read_text() == '{"Id":"1"}\n{"Id":"2"}\n{"Id":"3"}\n'
    assert contacts.read_text() == '{"Id":"4"}\n'
    assert [(one.object, one.rows) for one in report.objects] == [("Account", 3), ("Contact", 1)]
    assert report.rows == 4
    assert report.bytes == accounts.stat().st_size + contacts.stat().st_size
    assert report.failed == ()
    assert org.open_streams == 0


async def test_an_object_named_twice_is_read_once(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), [page_of(ids(1))])

    report = await extract(org, ["Account", "ACCOUNT"], tmp_path, "csv")

    assert len(report.objects) == len(org.queries) == 1
    assert org.surfaces == ["extract"]  # so that limiters can tell it from a person's query


class Seen:
    """Notes in which threads a module is looked for; it finds none itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.threads: list[threading.Thread] = []

    def find_spec(self, name: str, *_: object) -> None:
        if name == self.name:
            self.threads.append(threading.current_thread())


async def test_a_format_is_loaded_beside_the_event_loop(
    org: FakeOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen("sfconnect.etl.sinks.arrow")
    monkeypatch.delitem(sys.modules, seen.name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [seen, *sys.meta_path])
    org.add(describe_of("Account", "Id"), two_pages())

    await extract(org, ["Account"], tmp_path, "arrow")

    assert len(seen.threads) == 1
    assert threading.main_thread() not in seen.threads


async def test_fields_and_condition_go_into_every_query(org: FakeOrg, tmp_path: Path) -> None:
    for name in ("Account", "Contact"):
        org.add(describe_of(name, "Id", "Name"), [page_of(ids(1))])

    await extract(org, ["Account", "Contact"], tmp_path, "csv", fields=["id"], where="Name != null")

    assert sorted(org.queries) == [
        "SELECT Id FROM Account WHERE Name != null",
        "SELECT Id FROM Contact WHERE Name != null",
    ]


async def test_an_unknown_object_stops_everything_before_a_row_is_read(
    org: FakeOrg, tmp_path: Path
) -> None:
    org.add(describe_of("Account", "Id"), [page_of(ids(1))])

    with pytest.raises(ConfigurationError) as caught:
        await extract(org, ["Account", "Akkount"], tmp_path, "csv")

    assert caught.value.hint == "Did you mean 'Account'?"
    assert org.queries == []
    assert names(tmp_path) == []


async def test_a_bad_destination_is_found_before_anything_is_asked(org: FakeOrg) -> None:
    with pytest.raises(ConfigurationError, match="Cannot write"):
        await extract(org, ["Nothing the org knows"], "/proc/nowhere", "csv")


async def test_rows_that_are_missing_make_no_file(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), [page_of(ids(1, 2), total=3)])

    with pytest.raises(IncompleteResultError):
        await extract(org, ["Account"], tmp_path, "parquet")

    assert names(tmp_path) == []


async def test_a_query_that_the_org_forgot_is_read_again_from_the_start(
    org: FakeOrg, tmp_path: Path
) -> None:
    begun = page_of(ids(1, 2), total=4, next_="/")
    org.add(describe_of("Account", "Id"), [begun, GONE], [page_of(ids(7, 8))])

    report = await extract(org, ["Account"], tmp_path, "csv")

    assert (tmp_path / "Account.csv").read_text().split() == ["Id", "7", "8"]
    assert (report.objects[0].rows, report.objects[0].restarts) == (2, 1)
    assert names(tmp_path) == ["Account.csv"]


async def test_it_is_read_again_only_once(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), [GONE], [GONE], [page_of([])])

    with pytest.raises(ApiError, match="invalid query locator"):
        await extract(org, ["Account"], tmp_path, "csv")

    assert names(tmp_path) == []


async def test_another_refusal_is_not_a_reason_to_read_again(org: FakeOrg, tmp_path: Path) -> None:
    refused = ApiError("no", code="INSUFFICIENT_ACCESS")
    org.add(describe_of("Account", "Id"), [refused], [page_of([])])

    with pytest.raises(ApiError, match="no"):
        await extract(org, ["Account"], tmp_path, "csv")


async def test_the_first_failure_ends_the_others_and_leaves_no_half_file(
    org: FakeOrg, tmp_path: Path
) -> None:
    begun, forever = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await forever.wait()

    async def until_begun() -> None:
        await begun.wait()

    org.add(describe_of("Account", "Id"), [page_of(ids(1), total=2, next_="/"), wait])
    org.add(describe_of("Contact", "Id"), [until_begun, ThrottledError("busy", code="BUSY")])

    with pytest.raises(ThrottledError):
        await extract(org, ["Account", "Contact"], tmp_path, "csv")

    assert names(tmp_path) == []
    assert org.open_streams == 0


async def test_with_a_report_the_others_are_read_to_the_end(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), [page_of(ids(1), total=2)])
    org.add(describe_of("Contact", "Id"), [page_of(ids(4))])

    report = await extract(org, ["Account", "Contact"], tmp_path, "csv", on_error="report")

    assert [one.object for one in report.failed] == ["Account"]
    assert isinstance(report.failed[0].error, IncompleteResultError)
    assert report.rows == 1
    assert names(tmp_path) == ["Contact.csv"]


@pytest.mark.parametrize("file_format", etl.FORMATS)
async def test_cancelling_leaves_whole_files_or_none(
    org: FakeOrg, tmp_path: Path, file_format: str
) -> None:
    reached, forever, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await forever.wait()

    def look(progress: Progress) -> None:
        if progress.done:
            finished.set()

    org.add(describe_of("Account", "Id"), [page_of(ids(1), total=2, next_="/"), wait])
    org.add(describe_of("Contact", "Id"), [page_of(ids(4))])
    work = asyncio.create_task(
        extract(org, ["Account", "Contact"], tmp_path, file_format, on_progress=look)
    )
    await reached.wait()
    await finished.wait()

    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert names(tmp_path) == [f"Contact.{file_format}"]
    assert org.open_streams == 0


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 100 kB: the nearest thing to a full disk that needs no rights."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("file_format", etl.FORMATS)
async def test_a_disk_that_takes_no_more_is_an_error_and_leaves_nothing(
    org: FakeOrg, tmp_path: Path, file_format: str
) -> None:
    rows = [{"Id": secrets.token_hex(100)} for _ in range(2000)]
    org.add(describe_of("Account", "Id"), [page_of(rows)])

    with pytest.raises(OSError, match=r"File too large|bytes to file") as caught:
        await extract(org, ["Account"], tmp_path, file_format)

    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == []


async def test_not_more_objects_are_read_at_once_than_asked_for(
    org: FakeOrg, tmp_path: Path
) -> None:
    most = 0
    both = asyncio.Event()

    async def look() -> None:
        """Hold the first reader until the second is there, then give a third every chance."""
        nonlocal most
        most = max(most, org.open_streams)
        if org.open_streams == 2:
            both.set()
        await both.wait()
        for _ in range(5):
            await to_thread.run_sync(lambda: None)
        most = max(most, org.open_streams)

    for name in ("A", "B", "C", "D", "E"):
        org.add(describe_of(name, "Id"), [look, page_of(ids(1)), look])

    await extract(org, ["A", "B", "C", "D", "E"], tmp_path, "csv", concurrency=2)

    assert most == 2


async def test_progress_tells_of_every_page(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), two_pages())
    seen: list[Progress] = []

    await extract(org, ["Account"], tmp_path, "csv", on_progress=seen.append)

    assert [(one.rows, one.total, one.done) for one in seen] == [
        (0, None, False),
        (2, 3, False),
        (3, 3, False),
        (3, 3, True),
    ]


def moves(org: FakeOrg) -> list[tuple[str, int, int | None, str | None]]:
    """What was told of the extract of accounts."""
    events = [event for event in org.events if isinstance(event, JobAdvanced)]
    assert {event.job for event in events} == {"extract Account"}
    return [(event.state, event.done, event.total, event.error) for event in events]


async def test_events_tell_of_every_page_that_is_down_and_of_the_end(
    org: FakeOrg, tmp_path: Path
) -> None:
    org.add(describe_of("Account", "Id"), two_pages())

    await extract(org, ["Account"], tmp_path, "csv")

    assert moves(org) == [
        ("started", 0, None, None),
        ("advanced", 2, 3, None),
        ("advanced", 3, 3, None),
        ("finished", 3, 3, None),
    ]


async def test_events_tell_of_a_restart_and_of_why_it_failed(org: FakeOrg, tmp_path: Path) -> None:
    begun = page_of(ids(1, 2), total=4, next_="/")
    org.add(describe_of("Account", "Id"), [begun, GONE], [begun])

    with pytest.raises(IncompleteResultError):
        await extract(org, ["Account"], tmp_path, "csv")

    assert moves(org) == [
        ("started", 0, None, None),
        ("advanced", 2, 4, None),
        ("restarted", 0, None, None),
        ("advanced", 2, 4, None),
        ("failed", 2, 4, "IncompleteResultError"),
    ]


async def test_events_tell_the_code_of_an_error_that_has_one(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), [ApiError("no", code="INVALID_FIELD")])

    with pytest.raises(ApiError):
        await extract(org, ["Account"], tmp_path, "csv")

    assert moves(org)[-1] == ("failed", 0, None, "INVALID_FIELD")


async def test_events_tell_of_a_bug_in_what_takes_the_progress(
    org: FakeOrg, tmp_path: Path
) -> None:
    org.add(describe_of("Account", "Id"), two_pages())

    def broken(progress: Progress) -> None:
        raise ZeroDivisionError(progress.rows)

    with pytest.raises(ExceptionGroup):
        await extract(org, ["Account"], tmp_path, "csv", on_progress=broken)

    assert moves(org)[-1] == ("failed", 0, None, "ZeroDivisionError")


async def test_events_tell_that_an_extract_was_cancelled(org: FakeOrg, tmp_path: Path) -> None:
    reading, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reading.set()
        await never.wait()

    org.add(describe_of("Account", "Id"), [two_pages()[0], hang])
    task = asyncio.create_task(extract(org, ["Account"], tmp_path, "csv"))
    await reading.wait()

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert moves(org)[-1] == ("cancelled", 2, 3, None)
    assert names(tmp_path) == []


def finished(status: int | None) -> RequestFinished:
    return RequestFinished("GET", "/query", "query", status, None, 1.0, 1, None)


async def test_calls_and_retries_are_counted_for_the_object_they_serve(
    org: FakeOrg, tmp_path: Path
) -> None:
    tally = CallTally()

    async def troubled() -> None:
        tally(finished(503))
        tally(RetryScheduled("GET", "/query", "query", "503", 1, 10.0))
        # Reading ahead happens in tasks of its own.
        await asyncio.create_task(smooth())

    async def smooth() -> None:
        tally(finished(200))

    org.add(describe_of("Account", "Id"), [troubled, page_of(ids(1))])
    org.add(describe_of("Contact", "Id"), [smooth, page_of(ids(1))])

    report = await extract(org, ["Account", "Contact"], tmp_path, "csv", tally=tally)
    tally(finished(200))

    assert [(one.calls, one.retries) for one in report.objects] == [(2, 1), (1, 0)]
    assert tally.retries() == {"503": 1}


async def test_what_describe_promises_wrongly_is_told_without_the_value(
    org: FakeOrg, tmp_path: Path
) -> None:
    org.add(
        {"name": "Odd", "fields": [{"name": "F", "type": "date"}]}, [page_of([{"F": "not a date"}])]
    )

    with pytest.raises(SfConnectError) as caught:
        await extract(org, ["Odd"], tmp_path, "parquet")

    assert "not a date" not in str(caught.value)
    assert names(tmp_path) == []


async def test_all_formats_hold_the_same_rows(org: FakeOrg, tmp_path: Path) -> None:
    org.add(describe_of("Account", "Id"), *[two_pages() for _ in etl.FORMATS])
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file_format in etl.FORMATS:
        await extract(org, ["Account"], tmp_path, file_format)

    with pa.memory_map(str(tmp_path / "Account.arrow")) as file:
        arrow = pa.ipc.open_file(file).read_all().to_pylist()
    lines = (tmp_path / "Account.jsonl").read_text().splitlines()
    assert arrow == pq.read_table(tmp_path / "Account.parquet").to_pylist() == ids(1, 2, 3)
    assert [json.loads(line) for line in lines] == ids(1, 2, 3)


async def test_what_gave_no_file_has_no_bytes_and_a_time_that_has_passed(
    org: FakeOrg, tmp_path: Path
) -> None:
    org.add(describe_of("Account", "Id"), [page_of(ids(1), total=2)])
    began = time.monotonic()

    report = await extract(org, ["Account"], tmp_path, "csv", on_error="report")

    (failed,) = report.failed
    assert (failed.rows, failed.bytes, report.rows, report.bytes) == (1, 0, 0, 0)
    assert 0 < failed.seconds <= report.seconds <= time.monotonic() - began
