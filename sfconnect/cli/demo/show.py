"""Print what happened in the demo."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sfconnect.cli.common import Common
from sfconnect.cli.demo.run import DemoReport
from sfconnect.cli.output import listed, print_json, print_table

_MIB = 1024 * 1024


def print_demo(common: Common, report: DemoReport, *, kept: Path | None) -> None:
    """Print the report: for people, or with ``--json`` for machines."""
    if common.json:
        print_json(_known(report))
        return
    print_table([_object(one) for one in report.objects])
    click.echo()
    for name, text in _facts(report):
        click.echo(f"{name:<9} {text}")
    click.echo()
    for check in report.checks:
        mark = click.style("ok   ", fg="green") if check.ok else click.style("WRONG", fg="red")
        click.echo(f"{mark} {check.name}: {check.found}")
    if kept is not None:
        click.echo(f"\nThe files are in {kept}.")


def _facts(report: DemoReport) -> list[tuple[str, str]]:
    rate = report.rows / report.seconds if report.seconds else 0.0
    mib = report.bytes_in / _MIB
    logins = (f"{name} ({', '.join(reasons)})" for name, reasons in report.logins.items())
    total = sum(map(len, report.logins.values()))
    return [
        ("rows", f"{report.rows:,} in {report.seconds:.1f} s: {rate:,.0f} a second, {mib:.1f} MiB"),
        ("calls", f"{report.calls:,}, sent in {report.attempts:,} attempts"),
        ("logins", f"{total}: {', '.join(logins)}"),
        ("retries", listed(report.retries)),
        ("the org", f"made {listed(report.faults)}"),
    ]


def _object(one: Any) -> dict[str, Any]:
    return {
        "object": one.object,
        "rows": one.rows,
        "bytes": one.bytes,
        "seconds": round(one.seconds, 2),
        "calls": one.calls,
        "retries": one.retries,
    }


def _known(report: DemoReport) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows / report.seconds) if report.seconds else None,
        "bytes_in": report.bytes_in,
        "calls": report.calls,
        "attempts": report.attempts,
        "logins": {name: list(reasons) for name, reasons in report.logins.items()},
        "retries": dict(report.retries),
        "faults": dict(report.faults),
        "objects": [_object(one) for one in report.objects],
        "checks": [asdict(check) for check in report.checks],
    }
