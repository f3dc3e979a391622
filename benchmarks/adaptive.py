"""The adaptive limiter beside fixed ones, against an org whose capacity changes while they run.

``python -m benchmarks.adaptive`` writes its part of ``benchmarks/report.md``, with plots over time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks import report
from benchmarks.logins import Org, emulated_org
from benchmarks.machine import Machine
from benchmarks.plots import Line, Panel, Plot
from benchmarks.report import Table
from sfconnect import Call, RetryPolicy, Salesforce
from sfconnect.errors import SfConnectError
from sfconnect.limits import AdaptiveLimiter, FixedLimiter

CAPACITIES = (20, 60, 8, 40)
SERVICE_MS = 100
LOW, HIGH, CALLERS = 5, 100, 120
TICK_S = 0.25


@dataclass(slots=True)
class Run:
    """What one limiter did: per tick its limit and how many calls were answered and refused."""

    name: str
    limits: list[tuple[float, float]] = field(default_factory=list)
    answered: list[tuple[float, float]] = field(default_factory=list)
    refused: int = 0
    done: int = 0
    waited_s: float = 0.0
    """Over all answered calls, from the moment in which they were sent."""

    @property
    def latency_ms(self) -> float:
        """Mean time of an answered call, the wait for a slot not counted."""
        return 1000 * self.waited_s / max(1, self.done)


class Timed(AdaptiveLimiter):
    """The adaptive limiter, which also notes how long attempts took."""

    run: Run

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Note the attempt."""
        super().release(lane, elapsed_s, error)
        _note(self.run, elapsed_s, error)


class TimedFixed(FixedLimiter):
    """A fixed limiter, which also notes how long attempts took."""

    run: Run

    def release(self, lane: str, elapsed_s: float, error: SfConnectError | None) -> None:
        """Note the attempt."""
        super().release(lane, elapsed_s, error)
        _note(self.run, elapsed_s, error)


def _note(run: Run, elapsed_s: float, error: SfConnectError | None) -> None:
    if error is not None and error.throttled:
        run.refused += 1
    elif error is None and elapsed_s:
        run.done += 1
        run.waited_s += elapsed_s


async def measure(over: str, phase_s: float) -> list[Run]:
    """Let each limiter meet the same capacities; ``over`` is ``queue`` or ``refuse``."""
    runs = [Run("adaptive"), Run(f"fixed at {LOW}"), Run(f"fixed at {HIGH}")]
    async with emulated_org() as org:
        await org.control("POST", "latency", {"ms": SERVICE_MS})
        for run in runs:
            await _drive(org, run, over, phase_s)
    return runs


async def _drive(org: Org, run: Run, over: str, phase_s: float) -> None:
    limiter: Any = Timed(maximum=HIGH)
    if run.name != "adaptive":
        limiter = TimedFixed(LOW if run.name.endswith(f" {LOW}") else HIGH)
    limiter.run = run
    retry = RetryPolicy(max_attempts=1)
    options: dict[str, Any] = {"limiter": limiter, "retry": retry, "max_connections": CALLERS}
    async with Salesforce.connect(org.auth(), **options) as client:
        await client.limits()
        work = asyncio.create_task(_call_without_end(client.limits(), CALLERS))
        started = time.monotonic()
        for number, capacity in enumerate(CAPACITIES):
            await org.control("POST", "capacity", {"concurrent": capacity, "over": over})
            await _watch(run, limiter, started, (number + 1) * phase_s)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _watch(run: Run, limiter: Any, started: float, until_s: float) -> None:
    while (now := time.monotonic() - started) < until_s:
        before = run.done
        await asyncio.sleep(TICK_S)
        after = time.monotonic() - started
        run.limits.append((after, limiter.limit))
        run.answered.append((after, (run.done - before) / (after - now)))


async def _call_without_end(call: Call[Any], callers: int) -> None:
    async def repeat() -> None:
        while True:
            try:
                await call
            except SfConnectError:
                # As a caller does who does not give up, but not at once.
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(repeat())


def plot(title: str, runs: list[Run], phase_s: float) -> Plot:
    """Limits above, answered calls below, over time; the capacity in both."""
    steps = [(number * phase_s, float(one)) for number, one in enumerate(CAPACITIES)]
    steps.append((len(CAPACITIES) * phase_s, float(CAPACITIES[-1])))
    most = [(at, capacity * 1000 / SERVICE_MS) for at, capacity in steps]
    limits = [Line(run.name, run.limits, stepped=True) for run in runs]
    rates = [Line(run.name, run.answered) for run in runs]
    return Plot(
        title,
        "seconds",
        [
            Panel("calls in flight", [Line("capacity", steps, stepped=True, dashed=True), *limits]),
            Panel("answers/s", [Line("possible", most, stepped=True, dashed=True), *rates]),
        ],
    )


def table(over: str, runs: list[Run], phase_s: float, picture: str) -> Table:
    """What came out, over all phases."""
    possible = sum(CAPACITIES) * phase_s * 1000 / SERVICE_MS
    title = {"queue": "An org that lets calls wait", "refuse": "An org that refuses"}[over]
    return Table(
        title,
        f"The emulator works on {', '.join(map(str, CAPACITIES))} requests at once, for "
        f"{phase_s:g} s each, {SERVICE_MS} ms a request; {CALLERS} callers without end, no "
        "retry, a pause of 50 ms after a refusal. Latency is from sending to the answer.",
        ["limiter", "answered", "of possible", "refused", "latency, ms"],
        [
            [
                run.name,
                f"{run.done:,}",
                f"{run.done / possible:.0%}",
                f"{run.refused:,}",
                f"{run.latency_ms:.0f}",
            ]
            for run in runs
        ],
        picture,
    )


async def run_all(phase_s: float) -> str:
    """Measure, draw, and render the part of the report."""
    tables, machine = [], Machine()
    for over in ("queue", "refuse"):
        runs = await measure(over, phase_s)
        picture = f"adaptive-{over}.svg"
        tables.append(table(over, runs, phase_s, picture))
        plot(tables[-1].title, runs, phase_s).write(report.PLOTS / picture)
    command = "nox -s bench"
    return report.part("Limiters where the capacity changes", command, tables, machine)


def main() -> None:
    """Run, write and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter phases")
    text = asyncio.run(run_all(2.0 if parser.parse_args().quick else 12.0))
    report.write("limits", text)
    print(text)


if __name__ == "__main__":
    main()
