"""``sfconnect demo``."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfconnect.cli.demo.run import DemoReport

_SHARES = {"Account": 1, "Contact": 3, "Opportunity": 2}
_LATENCY_MS = 30


@click.command("demo")
@click.option(
    "--to",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the Parquet files here; else they are removed at the end.",
)
@click.option("--seed", default=7, show_default=True, help="Same seed, same org.")
@click.option(
    "--rows",
    type=click.IntRange(min=60_000),
    default=60_000,
    show_default=True,
    help="How many rows the org has, over three objects.",
)
@common_options
@click.pass_obj
def command(common: Common, to: Path | None, *, seed: int, rows: int) -> int:
    """Start an emulated org and show the main job, proven.

    Two logins (JWT bearer and client credentials) read three objects at once to Parquet, while
    the org revokes all sessions, answers errors and cuts connections. Then every file is compared
    with the org, row by row. Exits with 1 if anything differs.
    """
    with _folder(to) as folder:
        report = _run(common, folder, seed=seed, rows=rows)
    from sfconnect.cli.demo.show import print_demo  # not for --help

    print_demo(common, report, kept=to)
    return exit_codes.DONE if report.ok else exit_codes.FAILED


def _run(common: Common, folder: Path, *, seed: int, rows: int) -> DemoReport:
    from sfconnect.cli.extracting import open_screen
    from sfconnect.cli.running import run_async
    from sfconnect.etl.sinks import sink_factory

    sink_factory("parquet")  # says how to install it, before anything is started
    from sfconnect.cli.demo.run import run_demo

    part = rows // sum(_SHARES.values())
    counts = {name: part * share for name, share in _SHARES.items()}
    with open_screen() as screen:
        return run_async(
            common,
            lambda: run_demo(folder, counts, screen, seed=seed, latency_ms=_LATENCY_MS),
        )


@contextmanager
def _folder(to: Path | None) -> Iterator[Path]:
    if to is not None:
        yield to
        return
    with tempfile.TemporaryDirectory(prefix="sfconnect-demo-") as folder:
        yield Path(folder)
