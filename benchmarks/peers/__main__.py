"""Measure every client that is installed, and write the peers' part of ``benchmarks/report.md``.

``--quick`` takes fewer and shorter rounds, to see that everything runs, and writes nothing unless
``--write`` asks for it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import report
from benchmarks.certificates import certificate
from benchmarks.logins import SPREAD_S
from benchmarks.machine import Machine
from benchmarks.peers import memory, rates, scenes
from benchmarks.peers.actors import ACTORS
from benchmarks.peers.clients import CLIENTS, Client, is_there
from benchmarks.peers.rates import Cell
from benchmarks.plots import Line, Panel, Plot
from benchmarks.report import Table, spread
from benchmarks.static_server import static_server

LATENCY_MS = 50
BASE = "bare aiohttp"
Rounds = Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure; None for all numbers in flight, or callers, that there are."""

    rounds: int
    seconds: float
    calls: int
    in_flight: tuple[int, ...] | None = None
    callers: int | None = None


FULL = Effort(rounds=3, seconds=0.6, calls=1_000_000)
QUICK = Effort(rounds=1, seconds=0.1, calls=2_000, in_flight=(1, 8), callers=8)


@dataclass(frozen=True, slots=True)
class Figures:
    """Tables of a measurement, and the pictures that belong to them by file name."""

    tables: Sequence[Table]
    plots: dict[str, Plot]


def at_once(effort: Effort) -> Figures:
    """Calls per second and CPU per call, from a server that answers at once."""
    with static_server() as url:
        rounds = _rounds(CLIENTS, url, effort)
    method = (
        f"GETs of 1 kB, each answer decoded by the client, for {effort.seconds} s after a round "
        f"of calls to warm up; {effort.rounds} rounds, each client in a process of its own. "
        "One server on one core answers: where two clients come near its limit, CPU per call "
        "tells them apart. Ratio: CPU per call, to bare aiohttp in the same round with the next "
        "number in flight that it was measured with."
    )
    table = _table("Calls, answered at once", method, rounds, "at-once.svg", ratio_of=_cpu_ratio)
    plot = Plot("Answered at once", "calls in flight", [_panel_rate(rounds), _panel_cpu(rounds)], 2)
    return Figures([table], {"at-once.svg": plot})


def with_latency(effort: Effort) -> Figures:
    """Calls per second and CPU per call, from a server that takes 50 ms."""
    with static_server(delay_ms=LATENCY_MS) as url:
        rounds = _rounds(CLIENTS, url, effort)
    method = (
        f"The same from a server that answers after {LATENCY_MS} ms, as a near org does. Of "
        "ideal: calls per second against the number in flight divided by the latency."
    )
    title = f"Calls, answered after {LATENCY_MS} ms"
    table = _table(title, method, rounds, "latency.svg", ratio_of=_of_ideal, ratio="of ideal")
    ideal = [(float(n), n * 1000 / LATENCY_MS) for n in _numbers(rounds)]
    panel = _panel_rate(rounds, Line("ideal", ideal, dashed=True))
    return Figures([table], {"latency.svg": Plot(title, "calls in flight", [panel], 2)})


def with_tls(effort: Effort) -> Figures:
    """Calls per second and CPU per call over TLS."""
    clients = [client for client in CLIENTS if client.tls]
    with certificate() as (ca_file, cert_file), static_server(cert_file=cert_file) as url:
        rounds = _rounds(clients, url, effort, ca_file=ca_file, most=64)
    method = "As the first table, over TLS 1.3 on connections that are kept alive."
    table = _table("Calls over TLS, answered at once", method, rounds, None, ratio_of=_cpu_ratio)
    return Figures([table], {})


def trouble(effort: Effort) -> Figures:
    """Logins when a token dies under many callers, and sends of a write without an answer."""
    played = [
        asyncio.run(scenes.play(actor, callers=effort.callers))
        for actor in ACTORS
        if is_there(actor.needs)
    ]
    method = (
        "Against `sfconnect-emulator`, by client credentials; logins are those that it counted. "
        "Cold: all call at once with a client that has not logged in (simple-salesforce logs in "
        "when it is made, async-simple-salesforce when it is built). Revoked: the token is dead, "
        f"and the refusals of all callers come in over {SPREAD_S} s. Sends: one create, "
        "whose connection the server closes after it has read the request; more than one may "
        "mean more than one record."
    )
    columns = ["client", "callers", "logins, cold", "logins, revoked", "calls failed then"]
    rows = [
        [
            scene.client,
            str(scene.callers),
            str(scene.cold_logins),
            str(scene.revoked_logins),
            ", ".join(f"{count} {name}" for name, count in scene.failed.items()) or "none",
            str(scene.sends),
            f"`{scene.told}`",
        ]
        for scene in played
    ]
    columns += ["sends of a create", "what the caller gets"]
    return Figures([Table("Logins and sends in trouble", method, columns, rows)], {})


def long_run(effort: Effort) -> Figures:
    """Memory over a million calls from an async generator."""
    run = memory.measure(effort.calls)
    method = (
        f"One `fan_out` of {run.calls:,} calls that an async generator yields, "
        f"{memory.IN_FLIGHT} in flight, in a process of its own; resident memory in MiB. It took "
        f"{run.seconds:.0f} s."
    )
    shares = (0.02, 0.1, 0.5, 1.0)
    columns = ["before", *(f"after {share * run.calls:,.0f}" for share in shares), "peak"]
    row = [run.idle_mib, *map(run.at, shares), run.peak_mib]
    table = Table(
        "Memory over many calls", method, columns, [[f"{mib:.1f}" for mib in row]], "memory.svg"
    )
    line = Line("resident", [(float(done), mib) for done, mib in run.samples])
    plot = Plot("sfconnect: memory", "calls done", [Panel("MiB", [line])])
    return Figures([table], {"memory.svg": plot})


MEASUREMENTS: Sequence[Callable[[Effort], Figures]] = (
    at_once,
    with_latency,
    with_tls,
    trouble,
    long_run,
)


def _rounds(
    clients: Sequence[Client],
    url: str,
    effort: Effort,
    *,
    ca_file: str | None = None,
    most: int | None = None,
) -> Rounds:
    """Let the clients take turns; a round is what all of them did once."""
    present = [client for client in clients if client.is_there]
    rounds = []
    for _ in range(effort.rounds):
        cells: list[Cell] = []
        for client in present:
            numbers = [n for n in client.in_flight if n <= (most or n)]
            if effort.in_flight:
                numbers = [n for n in numbers if n in effort.in_flight or client.threads]
            more = {"in_flight": numbers, "ca_file": ca_file}
            cells += rates.measure(client, url, seconds=effort.seconds, **more)
        rounds.append(cells)
    return rounds


def _table(
    title: str,
    method: str,
    rounds: Rounds,
    plot: str | None,
    *,
    ratio_of: Callable[[Cell, Sequence[Cell]], float],
    ratio: str = "CPU, to bare aiohttp",
) -> Table:
    columns = ["client", "in flight", "calls/s", "CPU per call, ms", ratio]
    rows = [
        [
            first.client,
            str(first.in_flight),
            f"{median(cell.calls_per_s for cell in cells):,.0f}",
            f"{median(cell.cpu_ms for cell in cells):.3f}",
            spread([ratio_of(cell, turn) for cell, turn in zip(cells, rounds, strict=True)]),
        ]
        for first, *rest in zip(*rounds, strict=True)
        for cells in [[first, *rest]]
    ]
    return Table(title, method, columns, rows, plot)


def _cpu_ratio(cell: Cell, turn: Sequence[Cell]) -> float:
    bare = [other for other in turn if other.client == BASE]
    near = [other for other in bare if other.in_flight >= cell.in_flight] or bare[-1:]
    return cell.cpu_ms / near[0].cpu_ms


def _of_ideal(cell: Cell, _: Sequence[Cell]) -> float:
    return cell.calls_per_s * LATENCY_MS / 1000 / cell.in_flight


def _numbers(rounds: Rounds) -> list[int]:
    return sorted({cell.in_flight for cell in rounds[0]})


def _panel_rate(rounds: Rounds, *more: Line) -> Panel:
    return Panel("calls/s", [*_lines(rounds, lambda cell: cell.calls_per_s), *more], log=True)


def _panel_cpu(rounds: Rounds) -> Panel:
    return Panel("CPU per call, ms", _lines(rounds, lambda cell: cell.cpu_ms), log=True)


def _lines(rounds: Rounds, value: Callable[[Cell], float]) -> list[Line]:
    points: dict[str, list[tuple[float, float]]] = {}
    for cells in zip(*rounds, strict=True):
        middle = median(value(cell) for cell in cells)
        points.setdefault(cells[0].client, []).append((cells[0].in_flight, middle))
    return [Line(client, places) for client, places in points.items()]


def run(effort: Effort) -> tuple[str, dict[str, Plot]]:
    """Measure one after the other, saying what is under way; give the text and the pictures."""
    machine, tables, plots = Machine(), list[Table](), dict[str, Plot]()
    for measurement in MEASUREMENTS:
        print(f"{measurement.__doc__}", file=sys.stderr, flush=True)
        figures = measurement(effort)
        tables += figures.tables
        plots |= figures.plots
    return report.part("Beside other clients", "nox -s peers", tables, machine), plots


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, run, write and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--write", action="store_true", help="write although it was quick")
    options = parser.parse_args(arguments)
    text, plots = run(QUICK if options.quick else FULL)
    if options.write or not options.quick:
        report.write("peers", text)
        for name, plot in plots.items():
            plot.write(report.PLOTS / name)
    print(text)


if __name__ == "__main__":
    main()
