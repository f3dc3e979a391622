"""``sfconnect query``."""

from __future__ import annotations

from pathlib import Path

import click

from sfconnect.cli.common import Common, common_options


@click.command("query")
@click.argument("soql")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of stdout.",
)
@click.option("--all", "deleted", is_flag=True, help="Include deleted and archived rows.")
@common_options
@click.pass_obj
def command(common: Common, soql: str, to: Path | None, *, deleted: bool) -> None:
    """Print the rows of a SOQL query.

    The query is checked before it is sent. Rows are printed as they come: as a table, or as
    --format csv, jsonl, parquet or arrow says; --json prints one JSON array. With --to the file's
    ending says the format, unless --format does.
    """
    from sfconnect.cli.printers import check_output  # not for --help
    from sfconnect.cli.running import run_async
    from sfconnect.soql import parse

    common.soql = soql
    parsed = parse(soql)
    file_format = check_output(common, to)
    from sfconnect.cli.querying import Job, run_query  # not for a slip

    job = Job(common, soql, parsed, file_format, to, deleted)
    run_async(common, lambda: run_query(job))
