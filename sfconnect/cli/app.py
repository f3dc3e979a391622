"""The command and its subcommands, each imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import click
import rich  # noqa: F401  # so that its absence shows here, not in the middle of a command

from sfconnect._version import VERSION
from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common, common_options

_PACKAGE: Final = "sfconnect.cli.commands"


class LazyGroup(click.Group):
    """A group whose commands are modules; its help imports none of them.

    ``summaries`` has a line of help for each command, by name. The module is called like the
    command, below that of the group, and has the command under the name ``command``.
    """

    def __init__(self, *args: Any, summaries: Mapping[str, str], prefix: str = "", **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._summaries = summaries
        self._prefix = prefix

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help where no command is named: on stderr, since nothing was done."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(exit_codes.USAGE)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        del ctx
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self._summaries:
            return None
        command: click.Command = import_module(f"{_PACKAGE}.{self._prefix}{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument, or say which one was probably meant."""
        if args and args[0] not in self._summaries and not args[0].startswith("-"):
            from sfconnect.config import did_you_mean  # only for slips

            hint = did_you_mean(args[0], self._summaries, kind="commands")
            raise click.UsageError(f"No such command '{args[0]}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


@click.group(
    cls=LazyGroup,
    summaries={
        "login": "Log in as a person, and keep the login.",
        "logout": "End such a login, everywhere.",
        "demo": "Start an emulated org and show the main job, proven.",
        "query": "Print the rows of a SOQL query.",
        "extract": "Write whole objects to files, several at once.",
        "describe": "Show the objects of the org, or the fields of one.",
        "limits": "Show the org's limits, and what is left of them.",
        "whoami": "Show which user the calls run as, and in which org.",
        "request": "Send one request and print the answer.",
        "auth": "Explain logins, check them, get a token.",
        "plugins": "Show what plugins are installed.",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 login failed, "
    "4 done in part.",
)
@click.version_option(VERSION, message="sfconnect %(version)s")
@common_options
def root() -> None:
    """Talk to Salesforce, and to other APIs with the same login.

    Logins come from sfconnect.toml (--profile), or from the environment (SFCONNECT_AUTH and
    SFCONNECT_… for its options). Secrets are never arguments.
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command; every failure ends as one line on stderr and an exit code."""
    common = Common()
    try:
        code = root.main(list(arguments), "sfconnect", standalone_mode=False, obj=common)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the border of the program
        from sfconnect.cli.failures import show_failure  # help goes without

        return show_failure(error, common)
    return code if isinstance(code, int) else exit_codes.DONE
