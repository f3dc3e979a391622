"""Tell a person what went wrong, in one line where one will do, and pick the exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import Counter
from dataclasses import dataclass

import click

from sfconnect.cli import exit_codes
from sfconnect.cli.common import Common
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    FailedAttempt,
    QueryError,
    SessionExpiredError,
    SfConnectError,
)
from sfconnect.instrumentation import redact_text
from sfconnect.soql import SoqlSyntaxError


class Interrupted(Exception):  # noqa: N818  # it is no error
    """Somebody pressed Ctrl-C. Click would print an empty line for a KeyboardInterrupt."""


class Terminated(Exception):  # noqa: N818  # it is no error
    """The process was asked to end by SIGTERM."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is shown: a sentence, and perhaps more below it.

    ``history`` tells how often it was tried, and ``picture`` shows a place in the query.
    """

    code: int
    message: str
    picture: str | None = None
    history: str | None = None


def show_failure(error: BaseException, common: Common) -> int:
    """Write the failure to stderr, and return the exit code."""
    if isinstance(error, BrokenPipeError):
        return _reader_is_gone()
    failure = failure_of(_first(error), common.soql)
    if common.debug and not isinstance(error, click.ClickException):
        trace = "".join(traceback.format_exception(error))
        print(redact_text(trace), file=sys.stderr, end="")
    if common.log_json:
        line = {"event": "command.failed", "level": "error", "message": failure.message}
        if failure.history:
            line["history"] = failure.history
        print(json.dumps({**line, "exit_code": failure.code}), file=sys.stderr)
        return failure.code
    click.secho("Error: ", fg="red", nl=False, err=True)
    click.echo(failure.message, err=True)
    for more in (failure.history, failure.picture):
        if more:
            click.echo(more, err=True)
    return failure.code


def _first(error: BaseException) -> BaseException:
    """Take one error out of a group: the others came of the same cause, or would tell no more."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def failure_of(error: BaseException, soql: str | None = None) -> Failure:
    """Decide what is shown of an error; ``soql`` is the query that it may point into."""
    if isinstance(error, SfConnectError):
        return Failure(_code(error), sentence(error), _place(error, soql), history_of(error))
    if isinstance(error, SoqlSyntaxError):
        picture = error.excerpt if error.soql.strip() else None
        return Failure(exit_codes.USAGE, one_line(str(error)), picture)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, Interrupted | KeyboardInterrupt | click.Abort):
        return Failure(exit_codes.INTERRUPTED, "Interrupted.")
    if isinstance(error, Terminated):
        return Failure(exit_codes.TERMINATED, "Terminated.")
    return _foreign(error)


def _foreign(error: BaseException) -> Failure:
    """Say what the system, or a fault of ours, has to say."""
    if isinstance(error, OSError) and error.strerror:
        place = f": {os.fspath(error.filename)}" if error.filename else ""
        return Failure(exit_codes.FAILED, one_line(f"{error.strerror}{place}."))
    text = one_line(f"Unexpected {type(error).__name__}: {error}")
    return Failure(exit_codes.FAILED, f"{text} (--log-level debug shows more)")


def _place(error: SfConnectError, soql: str | None) -> str | None:
    """Draw a caret under the place that the org names."""
    if soql is None or not isinstance(error, QueryError) or error.column is None:
        return None
    before = soql.split("\n")[: (error.line or 1) - 1]
    index = sum(len(line) + 1 for line in before) + error.column - 1
    if not 0 <= index <= len(soql):
        return None
    return SoqlSyntaxError(error.message, soql, index).excerpt


def sentence(error: SfConnectError) -> str:
    """Write an error of sfconnect as one line: what, what to do, and the API's own words for it."""
    facts = [fact for fact in (error.code, error.request_id) if fact]
    known = f"({', '.join(facts)})" if facts else ""
    # Hints are our own words, and may show what a key looks like.
    message = redact_text(error.message)
    if error.hint and (message[-1:].isalnum() or message.endswith(")")):
        message += "."  # the API's own sentences end as they like
    parts = (message, error.hint, known)
    return _on_one_line(" ".join(filter(None, parts)))


def history_of(error: SfConnectError) -> str | None:
    """Tell how often and for how long it was tried, and why not further; None for one attempt."""
    attempts, given_up = error.attempts, f"not tried again: {error.gave_up}"
    if len(attempts) < 2:  # noqa: PLR2004  # one attempt is no history
        return f"{given_up[0].upper()}{given_up[1:]}." if error.gave_up else None
    began = attempts[0].at if attempts[0].began is None else attempts[0].began
    tried = f"Tried {len(attempts)} times within {attempts[-1].at - began:.1f} s"
    counts = Counter(_reason(attempt) for attempt in attempts)
    if len(counts) == 1:
        tried += f", always {next(iter(counts))}"
    else:
        parts = (one if n == 1 else f"{n} times {one}" for one, n in counts.items())
        tried += f": {', '.join(parts)}"
    return one_line(f"{tried}; {given_up}." if error.gave_up else f"{tried}.")


def _reason(attempt: FailedAttempt) -> str:
    return attempt.reason if attempt.status is None else f"{attempt.reason} ({attempt.status})"


def one_line(text: str) -> str:
    """Put a text on one line, without credentials and without control characters."""
    return _on_one_line(redact_text(text))


def _on_one_line(text: str) -> str:
    plain = " ".join(text.split())
    return "".join(sign for sign in plain if sign.isprintable())


def _code(error: SfConnectError) -> int:
    if isinstance(error, ConfigurationError | QueryError):
        return exit_codes.USAGE
    if isinstance(error, AuthConfigurationError) and error.status is None:
        return exit_codes.USAGE  # found here, such as a key file that is not there
    if isinstance(error, AuthError | SessionExpiredError):
        return exit_codes.AUTHENTICATION
    return exit_codes.FAILED


def _usage(error: click.ClickException) -> Failure:
    """Click writes a usage and a hint around the message; the command for more is enough."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sfconnect"
    message = one_line(error.format_message())
    return Failure(exit_codes.USAGE, f"{message} See: {command} --help")


def _reader_is_gone() -> int:
    """Whoever read our output has had enough; Python must not try to flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_codes.FAILED
