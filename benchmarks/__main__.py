"""Run every measurement of the library itself, and write its part of ``benchmarks/report.md``.

``--quick`` takes fewer and shorter rounds, to see that everything runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks import bodies, cost, fan_out, hedging, logins, report, stalls, throughput
from benchmarks.clients import bare, ours
from benchmarks.counters import Counts, count
from benchmarks.machine import Machine
from benchmarks.report import Table, spread
from benchmarks.static_server import static_server


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    rounds: int
    requests: int
    fan_out_calls: int
    turns: int
    sizes_mb: tuple[float, ...]


FULL = Effort(rounds=7, requests=4_000, fan_out_calls=8_000, turns=40, sizes_mb=(0.1, 1, 3, 10, 20))
QUICK = Effort(rounds=2, requests=800, fan_out_calls=8_000, turns=5, sizes_mb=(0.1, 1))


async def counters(_: Effort) -> Table:
    """Python calls per warm GET, and own frames on the way to the socket."""
    with static_server() as url:
        async with bare(url) as fetch:
            alone = await count(fetch)
        async with ours(url) as fetch:
            own = await count(fetch)
    return Table(
        "Calls per warm GET",
        "Events of the kind `call` that `sys.setprofile` reports (Python functions entered, "
        "coroutines resumed, of every package) over 500 GETs one after the other on a warm "
        "connection, each answer decoded, divided by 500. Own frames: the most frames of "
        "sfconnect on the stack when asyncio's transport is asked to write. "
        "Gates: at most 230 calls and 8 frames (330 were allowed).",
        ["client", "Python calls", "of them sfconnect's", "own frames to the socket"],
        [_counts("bare aiohttp", alone), _counts("sfconnect", own)],
    )


def _counts(name: str, counts: Counts) -> list[str]:
    return [name, f"{counts.python_calls:.0f}", f"{counts.own_calls:.0f}", str(counts.own_frames)]


async def cpu(effort: Effort) -> Table:
    """CPU per call against bare aiohttp."""
    costs = [
        await cost.measure(concurrency, rounds=effort.rounds, requests=effort.requests)
        for concurrency in (1, 16, 64)
    ]
    return Table(
        "CPU per call",
        f"User and system time of the client's process over {effort.requests} GETs of 1 kB, "
        f"answers decoded by msgspec in both; {effort.rounds} rounds. Bar: 1.5 times.",
        ["tasks", "bare aiohttp, ms", "sfconnect, ms", "ratio"],
        [
            [str(c.concurrency), f"{c.bare_ms:.3f}", f"{c.own_ms:.3f}", spread(c.ratios)]
            for c in costs
        ],
    )


async def queues(effort: Effort) -> Table:
    """CPU per call against the number under way."""
    lengths = [100, 1_000, 8_000]
    rows = [
        row
        for made_by in ("fan_out", "tasks")
        for row in await fan_out.measure(
            lengths, calls=effort.fan_out_calls, rounds=effort.rounds, made_by=made_by
        )
    ]
    return Table(
        "Many calls under way on 100 connections",
        f"{effort.fan_out_calls} calls, by one `fan_out` with `concurrency` set to the number "
        "under way, which begins no more than can be of use; or by that number of tasks of the "
        "program's own, all but 100 of which wait in line. Bar: 8,000 cost at most 1.3 times what "
        "100 cost.",
        ["made by", "under way", "CPU per call, ms", "calls/s", "against 100"],
        [
            [
                f"`{row.made_by}`" if row.made_by == "fan_out" else row.made_by,
                f"{row.under_way:,}",
                f"{row.cpu_ms:.3f}",
                f"{row.calls_per_s:,.0f}",
                spread(row.ratios),
            ]
            for row in rows
        ],
    )


async def rates(effort: Effort) -> Table:
    """Calls per second at 50 ms latency."""
    rows = [
        await throughput.measure(in_flight, rounds=effort.rounds, turns=effort.turns)
        for in_flight in (64, 128)
    ]
    return Table(
        f"Throughput at {throughput.LATENCY_MS} ms latency",
        "Ideal is the number in flight divided by the latency. aiohttp: one task for each call "
        "in flight. sfconnect: one `fan_out`. Bar: 0.97 of aiohttp's.",
        ["in flight", "bare aiohttp, calls/s (of ideal)", "sfconnect (of ideal)", "ratio"],
        [
            [
                str(row.in_flight),
                f"{row.bare_per_s:,.0f} ({row.bare_per_s / row.ideal_per_s:.0%})",
                f"{row.own_per_s:,.0f} ({row.own_per_s / row.ideal_per_s:.0%})",
                spread(row.ratios),
            ]
            for row in rows
        ],
    )


async def expiry(_: Effort) -> Table:
    """Logins when a token dies under many callers."""
    rows = await logins.measure()
    return Table(
        "Logins per expiry",
        "Against `sfconnect-emulator`, over sockets, logging in by client credentials or, where "
        "it says so, by a refresh token that the server changes with each use; logins are those "
        "that the emulator counted. Processes share tokens by the file store. Bar: 1 each.",
        ["situation", "callers", "logins"],
        [[row.situation, str(row.callers), str(row.logins)] for row in rows],
    )


async def large(effort: Effort) -> Table:
    """CPU per large answer."""
    rows = await asyncio.to_thread(
        bodies.measure, rounds=min(effort.rounds, 3), pages=effort.turns, streams=effort.turns // 5
    )
    return Table(
        "Large answers",
        "CPU of the client's process per body. A page: 2,000 records as JSON, compressed, opened "
        "and decoded. A bulk result: 50 MB, streamed in pieces of the given size.",
        ["body", "client", "loop", "opened by", "TLS", "pieces", "CPU, ms"],
        [
            [
                case.body,
                case.client,
                case.loop,
                case.library if case.body == "page" else "",
                "yes" if case.tls else "no",
                f"{case.piece // 1024} KiB" if case.piece else "",
                f"{cpu_ms:.1f}",
            ]
            for case, cpu_ms in rows
        ],
    )


async def standing_still(effort: Effort) -> Table:
    """Stalls of the event loop by large answers."""
    rows = await stalls.measure(sizes_mb=effort.sizes_mb, rounds=effort.rounds)
    return Table(
        "Stalls of the event loop",
        "The longest that a task had to wait which wants to run every millisecond, while JSON of "
        "this size was opened or decoded, on the loop or in a thread; the best of "
        f"{effort.rounds} rounds, in ms.",
        ["MB", "compressed, KiB", "opened here", "in a thread", "decoded here", "in a thread"],
        [
            [
                f"{row.plain_mb:.1f}",
                str(row.packed_kib),
                f"{row.inflate_here:.1f}",
                f"{row.inflate_away:.1f}",
                f"{row.decode_here:.1f}",
                f"{row.decode_away:.1f}",
            ]
            for row in rows
        ],
    )


async def tails(effort: Effort) -> Table:
    """The slowest reads, with and without asking twice for late ones."""
    rows = await hedging.measure(reads=effort.requests)
    return Table(
        "Hedged reads",
        f"{effort.requests} GETs by {hedging.IN_FLIGHT} tasks. The server answers after "
        f"{hedging.USUAL_MS} ms, and one time in {hedging.SLOW_EVERY} after {hedging.SLOW_MS} ms. "
        "With `RetryPolicy(hedge=…)` a read that is late is asked for a second time, and the "
        "slower request is cancelled with its connection; at most 5 % of the reads unless it says "
        "otherwise.",
        [
            "hedged",
            "p50, ms",
            "p95, ms",
            "p99, ms",
            "worst, ms",
            "requests per read",
            "connections",
        ],
        [
            [
                row.hedge,
                f"{row.p50_ms:.0f}",
                f"{row.p95_ms:.0f}",
                f"{row.p99_ms:.0f}",
                f"{row.worst_ms:.0f}",
                f"{row.requests_per_read:.3f}",
                str(row.connections),
            ]
            for row in rows
        ],
    )


MEASUREMENTS: list[Callable[[Effort], Awaitable[Table]]] = [
    counters,
    cpu,
    queues,
    rates,
    tails,
    large,
    standing_still,
    expiry,
]


async def run(effort: Effort) -> str:
    """Measure one after the other, saying what is under way, and render the report."""
    tables, machine = [], Machine()
    for measurement in MEASUREMENTS:
        print(f"{measurement.__doc__}", file=sys.stderr, flush=True)
        tables.append(await measurement(effort))
    return report.part("Beside bare aiohttp", "nox -s bench", tables, machine)


def main() -> None:
    """Read the arguments, run, write and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    text = asyncio.run(run(QUICK if parser.parse_args().quick else FULL))
    report.write("bench", text)
    print(text)


if __name__ == "__main__":
    main()
