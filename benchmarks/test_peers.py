"""The comparison with other clients runs, with whichever of them are installed; sizes are tiny."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import report
from benchmarks.machine import Machine
from benchmarks.peers import memory, rates, scenes
from benchmarks.peers.__main__ import QUICK, at_once, with_tls
from benchmarks.peers.actors import ACTOR_BY_NAME
from benchmarks.peers.clients import BY_NAME, CLIENTS
from benchmarks.peers.doors import elsewhere
from benchmarks.report import Table
from benchmarks.static_server import static_server

# Processes are started one after the other, which takes long where others work too.
pytestmark = pytest.mark.timeout(120)


def test_every_client_that_is_there_makes_calls_in_its_own_process() -> None:
    with static_server() as url:
        for client in CLIENTS:
            if client.is_there:
                cells = rates.measure(client, url, seconds=0.0, in_flight=[2])

                assert [(cell.client, cell.in_flight) for cell in cells] == [(client.name, 2)]
                assert cells[0].calls_per_s > 0
                assert cells[0].cpu_ms > 0


def test_the_table_has_a_row_for_each_client_and_number_in_flight() -> None:
    figures = at_once(QUICK)

    rows = {(row[0], row[1]) for row in figures.tables[0].rows}
    assert {("bare aiohttp", "1"), ("bare aiohttp", "8"), ("sfconnect", "8")} <= rows
    lines = {line.label for line in figures.plots["at-once.svg"].panels[0].lines}
    assert {"bare aiohttp", "sfconnect"} <= lines


def test_clients_reach_a_server_that_speaks_tls() -> None:
    clients = {row[0] for row in with_tls(QUICK).tables[0].rows}

    assert {"bare aiohttp", "sfconnect"} <= clients


def test_our_client_logs_in_once_and_sends_a_create_once() -> None:
    scene = asyncio.run(scenes.play(ACTOR_BY_NAME["sfconnect"], callers=20))

    assert (scene.cold_logins, scene.revoked_logins, scene.failed) == (1, 1, {})
    assert (scene.sends, scene.told) == (1, "OutcomeUnknownError")


def test_memory_is_sampled_along_the_way() -> None:
    run = memory.measure(200)

    assert run.calls == 200
    assert len(run.samples) == memory.SAMPLES
    assert 0 < run.at(0.5) <= run.peak_mib


def test_a_client_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARKS_ASYNC_SIMPLE_SALESFORCE", raising=False)

    assert not BY_NAME["async-simple-salesforce"].is_there
    assert BY_NAME["bare aiohttp"].is_there


def test_a_door_changes_the_host_and_nothing_else() -> None:
    url = "https://acme.my.salesforce.com/services/data?q=SELECT%20Id"

    assert (
        elsewhere(url, "http://127.0.0.1:81") == "http://127.0.0.1:81/services/data?q=SELECT%20Id"
    )


def test_a_part_takes_the_place_of_its_former_self_and_leaves_the_other() -> None:
    first = report.with_part("", "peers", "## Peers\n\nold\n")
    both = report.with_part(first, "bench", "## Bench\n\ntext\n")

    again = report.with_part(both, "peers", "## Peers\n\nnew\n")

    assert again.startswith("# Benchmarks\n")
    assert again.index("## Bench") < again.index("## Peers")
    assert "old" not in again
    assert again.endswith("\nnew\n")
    assert report.with_part(again, "peers", "## Peers\n\nnew\n") == again


def test_a_part_says_so_when_the_machine_was_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("Counts", "Counted.", ["a"], [["1"]], "counts.svg")
    monkeypatch.setattr(Machine, "others_share", lambda _: 0.4)
    busy = report.part("Part", "nox -s bench", [table], Machine())
    monkeypatch.setattr(Machine, "others_share", lambda _: 0.01)
    quiet = report.part("Part", "nox -s bench", [table], Machine())

    assert "40% of the cores" in busy
    assert "too long" in busy
    assert "too long" not in quiet
    assert "| 1 |" in quiet
    assert "![Counts](plots/counts.svg)" in quiet


def test_the_time_of_others_is_a_share_of_all_cores() -> None:
    share = Machine().others_share()

    assert share is None or share >= 0.0
