"""``sfconnect auth doctor``."""

from __future__ import annotations

import click

from sfconnect.cli.common import Common, common_options


@click.command("doctor")
@click.option("--login", is_flag=True, help="Log in, and check what the login may do.")
@click.option(
    "--path", metavar="PATH", help="What to read, from an API that is not Salesforce: /me, say."
)
@common_options
@click.pass_context
def command(context: click.Context, *, login: bool, path: str | None) -> None:
    """Find out why a login does not work, or what it is about to stumble over.

    It looks at the options, the way to the server, clocks, key and certificate; nobody is logged
    in without --login. Then it looks at scopes, user, org, API access and limits too. What fails
    comes with the fix. Exit codes: 0 nothing failed, 3 the login is refused, 1 other failures.
    """
    from sfconnect.cli.doctor.case import Case  # not for --help
    from sfconnect.cli.doctor.report import WIDEST, Lines, known
    from sfconnect.cli.doctor.steps import examine
    from sfconnect.cli.output import print_json
    from sfconnect.cli.paragraphs import text_width
    from sfconnect.cli.running import run_async

    common = context.find_object(Common) or Common()
    lines = Lines(text_width(WIDEST))
    case = Case(common, wants_login=login, path=path)
    tell = (lambda _: None) if common.json else lines.tell
    examination = run_async(common, lambda: examine(case, tell))
    if common.json:
        print_json(known(examination.checks))
    else:
        lines.finish(examination.checks)
    context.exit(examination.exit_code)
