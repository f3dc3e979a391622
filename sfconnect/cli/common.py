"""The options that every command takes, before or after its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMATS: Final = ("table", "csv", "jsonl", "parquet", "arrow")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(slots=True)
class Common:
    """Values of the common options; None where one was not given."""

    profile: str | None = None
    auth: str | None = None
    login_url: str | None = None
    format: str | None = None
    json: bool | None = None
    log_level: str | None = None
    log_json: bool | None = None
    soql: str | None = None
    """The query that the command was given, for errors that point into it."""

    @property
    def debug(self) -> bool:
        """Whether errors should come with all that is known of them."""
        return self.log_level == "debug"


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Store an option that was given; a later place, so the command's own, wins."""
    if value is not None and parameter.name is not None:
        setattr(context.find_object(Common), parameter.name, value)


def _option(*names: str, **facts: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_keep, default=None, **facts)


_OPTIONS: Final = (
    _option("--profile", metavar="NAME", help="Profile of sfconnect.toml to log in with."),
    _option("--auth", metavar="NAME", help="Login to use; see: sfconnect auth list."),
    _option("--login-url", metavar="URL", help="Where to log in."),
    _option("--format", type=click.Choice(FORMATS), help="How rows are written."),
    _option("--json", is_flag=True, help="Print for machines, as JSON."),
    _option("--log-level", type=click.Choice(LOG_LEVELS), help="What to log on stderr (error)."),
    _option("--log-json", is_flag=True, help="Log one JSON object per line."),
)


def common_options(command: F) -> F:
    """Give a command the common options; it finds them by ``@click.pass_obj``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
