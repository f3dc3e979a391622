"""What the examples for logs, traces and metrics print is what the page says they tell."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sfconnect.transport.pool import PoolStats
from sfconnect_emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs/how-to/see-what-it-does.md"
TEXT = PAGE.read_text(encoding="utf-8")
LOGS, TRACES, METRICS, CONNECTIONS, OWN_HOOK = re.findall(
    r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 4}, seed=7) as running:
        running.control.add_faults(
            [{"match": {"path": "/query", "nth": 1}, "action": {"type": "respond"}}]
        )
        yield running


async def printed(program: str, org: Emulator, folder: Path) -> str:
    env = {
        **os.environ,
        "SFCONNECT_AUTH": "client-credentials",
        "SFCONNECT_LOGIN_URL": org.login_url,
        "SFCONNECT_CLIENT_ID": org.client_id,
        "SFCONNECT_CLIENT_SECRET": org.client_secret,
    }
    out = err = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=env, cwd=folder, stdout=out, stderr=err
    )
    told, complaints = await process.communicate()
    assert complaints == b""
    return told.decode()


def named_in_the_table_of(heading: str) -> set[str]:
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return set(re.findall(r"`([a-z_0-9]+)`", "".join(cells)))


async def test_logs_are_one_object_a_line(org: Emulator, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (await printed(LOGS, org, tmp_path)).splitlines()]

    told = [(line["level"], line["event"]) for line in lines]
    assert ("debug", "token.replaced") in told
    assert ("warning", "retry.scheduled") in told
    finished = [line for line in lines if line["event"] == "request.finished"]
    assert [line["status"] for line in finished] == [503, 200]


async def test_attempts_are_spans(org: Emulator, tmp_path: Path) -> None:
    told = await printed(TRACES, org, tmp_path)

    assert re.findall(r'"http.response.status_code": (\d+)', told) == ["503", "200"]
    assert "SELECT" not in told


async def test_metrics_have_the_names_that_prometheus_gives_them(
    org: Emulator, tmp_path: Path
) -> None:
    told = await printed(METRICS, org, tmp_path)

    named = named_in_the_table_of("In Prometheus")
    # What nothing is to be told of here: there is neither trouble, nor a limiter that adapts, nor
    # a job.
    silent = {
        "sfconnect_job_done",
        "sfconnect_job_total",
        "sfconnect_jobs_total",
        "sfconnect_circuit_opened_total",
        "sfconnect_hedges_total",
        "sfconnect_limit",
        "sfconnect_login_failures_total",
    }
    assert {
        name for name in named if re.search(rf"^{name}[_{{ ]", told, re.MULTILINE)
    } == named - silent
    retries = re.search(
        r'^sfconnect_retries_total\{.*reason="ServerError".*\} (\S+)$', told, re.MULTILINE
    )
    assert retries is not None
    assert float(retries[1]) == 1


def test_a_hook_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    from sfconnect.instrumentation import QuotaSeen

    names: dict[str, object] = {}
    exec(OWN_HOOK, names)  # the page's own
    hook = names["warn_of_quota"]
    assert callable(hook)

    hook(QuotaSeen("api-usage", 95, 100))
    hook(QuotaSeen("api-usage", 5, 100))

    assert capsys.readouterr().out == "api-usage: 95 of 100\n"


async def test_the_counts_of_the_pool_have_the_lines_that_the_page_shows(
    org: Emulator, tmp_path: Path
) -> None:
    shown = re.findall(r"^```text\n(0 of 100.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0]

    told = await printed(CONNECTIONS, org, tmp_path)

    def words(lines: str) -> list[str]:
        return re.sub(r"https?://[^ ]*:|\d+", "", lines).splitlines()

    assert words(told) == words(shown)
    # A login, a query that is asked again after a fault, and two more.
    assert "5 requests over 1 connections" in told
    assert "4 reused, 0 expired, 0 dropped; 1 addresses tried, 0 past the first" in told


def test_every_count_that_the_page_names_is_there() -> None:
    named = named_in_the_table_of("What became of the connections")

    assert named <= {field.name for field in dataclasses.fields(PoolStats)}
    assert len(named) == 11
