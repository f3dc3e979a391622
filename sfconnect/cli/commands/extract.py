"""``sfconnect extract``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect.etl import ExtractReport


@click.command("extract")
@click.argument("objects", metavar="OBJECT…", nargs=-1, required=True)
@click.option(
    "--to",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the files <object>.<format>; created if it is not there.",
)
@click.option("--fields", metavar="A,B,…", help="Read these fields only.")
@click.option("--where", metavar="CONDITION", help="Read only rows that meet this SOQL condition.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many objects to read at once.",
)
@common_options
@click.pass_obj
def command(
    common: Common,
    objects: tuple[str, ...],
    *,
    to: Path,
    fields: str | None,
    where: str | None,
    concurrency: int,
) -> int:
    """Write whole objects to files, several at once.

    Formats: jsonl (the default), csv, parquet, arrow. A file gets its name when it is proven to
    be whole, so after Ctrl-C or a failure there are whole files or none. Ends with a table of
    what was done; --json prints it as JSON.
    """
    from sfconnect.cli.extracting import Job, run_job  # not for --help
    from sfconnect.cli.running import run_async

    names = [name.strip() for name in fields.split(",")] if fields else None
    job = Job(
        common,
        objects,
        to,
        _format_of(common),
        fields=names,
        where=_checked(common, where),
        concurrency=concurrency,
    )
    return _end(common, run_async(common, lambda: run_job(job)))


def _format_of(common: Common) -> str:
    if common.format == "table":
        raise click.UsageError("A table is no file format; use jsonl, csv, parquet or arrow.")
    return common.format or "jsonl"


def _checked(common: Common, where: str | None) -> str | None:
    """Find slips in the condition here; the object stands for any."""
    if where is not None:
        from sfconnect.soql import parse

        common.soql = " ".join(("SELECT Id FROM Object WHERE", where))
        parse(common.soql)
        common.soql = None  # the org sees other text, so its columns would point wrongly
    return where


def _end(common: Common, report: ExtractReport) -> int:
    from sfconnect.cli.extracting import print_report
    from sfconnect.cli.failures import failure_of

    print_report(common, report)
    failures = [(one.object, failure_of(one.error)) for one in report.failed if one.error]
    for name, failure in failures:
        click.echo(f"Error: {name}: {failure.message}", err=True)
        if failure.history:
            click.echo(failure.history, err=True)
    if not failures:
        return exit_codes.DONE
    return exit_codes.PARTLY if len(failures) < len(report.objects) else failures[0][1].code
