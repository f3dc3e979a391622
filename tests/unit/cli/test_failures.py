"""Every failure is one line that says what to do, and an exit code."""

from __future__ import annotations

import errno
import json

import click
import pytest

from sfconnect.cli.common import Common
from sfconnect.cli.failures import Interrupted, Terminated, failure_of, one_line, show_failure
from sfconnect.errors import (
    ApiError,
    AuthConfigurationError,
    ConfigurationError,
    ConnectError,
    FailedAttempt,
    HostNotAllowedError,
    IncompleteResultError,
    InvalidCredentialsError,
    NotFoundError,
    PluginError,
    QueryError,
    SessionExpiredError,
    ThrottledError,
)
from sfconnect.soql import SoqlSyntaxError, parse

TOKEN = "00Dxx0000000001!AQ4AQFz.secret_token_text"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (PluginError("x"), 2),
        (QueryError("x"), 2),
        (click.UsageError("x"), 2),
        (AuthConfigurationError("a key file that is not there"), 2),
        (AuthConfigurationError("a setting of the org", status=400), 3),
        (InvalidCredentialsError("x"), 3),
        (SessionExpiredError("x"), 3),
        (ApiError("x"), 1),
        (NotFoundError("x"), 1),
        (ThrottledError("x"), 1),
        (ConnectError("x"), 1),
        (HostNotAllowedError("x"), 1),
        (IncompleteResultError("x"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (Interrupted(), 130),
        (Terminated(), 143),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_exit_code_tells_the_kind_of_failure(error: BaseException, code: int) -> None:
    assert failure_of(error).code == code


def test_an_error_is_shown_with_its_hint_its_code_and_the_request_id() -> None:
    error = ApiError("It broke.", hint="Fix it.", code="BROKEN", request_id="7")

    assert failure_of(error).message == "It broke. Fix it. (BROKEN, 7)"


@pytest.mark.parametrize(
    ("message", "hint", "shown"),
    [
        ("reached (10021)", "Wait.", "reached (10021). Wait."),
        ("no such thing", "Look.", "no such thing. Look."),
        ("What?", "Look.", "What? Look."),
        ("no such thing", None, "no such thing"),
        ("gone (7)", None, "gone (7)"),
    ],
)
def test_what_the_api_says_is_a_sentence_before_a_hint(
    message: str, hint: str | None, shown: str
) -> None:
    assert failure_of(ApiError(message, hint=hint)).message == shown


def test_a_message_of_several_lines_is_shown_on_one() -> None:
    assert failure_of(ApiError("a\n  b\r\n\tc")).message == "a b c"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert one_line("a\x1b[31mb\x07") == "a[31mb"


def test_a_full_disk_is_shown_with_the_place() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "out/Account.csv")

    assert failure_of(error).message == "No space left on device: out/Account.csv."


def test_an_unexpected_error_names_its_kind_and_where_to_learn_more() -> None:
    assert failure_of(ValueError("odd")).message == (
        "Unexpected ValueError: odd (--log-level debug shows more)"
    )


def test_a_slip_in_the_query_is_shown_under_it() -> None:
    with pytest.raises(SoqlSyntaxError) as caught:
        parse("SELECT Id FRM Account")

    picture = failure_of(caught.value).picture
    assert picture == "SELECT Id FRM Account\n          ^"


def test_an_empty_query_has_nothing_to_show() -> None:
    with pytest.raises(SoqlSyntaxError) as caught:
        parse(" ")

    assert failure_of(caught.value).picture is None


def test_the_place_that_the_org_names_is_shown_under_the_query() -> None:
    error = QueryError("No such column.", line=1, column=8)

    assert failure_of(error, "SELECT Nmae FROM Account").picture == (
        "SELECT Nmae FROM Account\n       ^"
    )


def test_the_place_is_found_in_a_query_of_several_lines() -> None:
    error = QueryError("No such column.", line=2, column=3)

    assert failure_of(error, "SELECT Id,\n  Nmae\nFROM Account").picture == "  Nmae\n  ^"


def test_a_place_counted_over_all_lines_is_found_too() -> None:
    error = QueryError("No such column.", line=1, column=14)

    assert failure_of(error, "SELECT Id,\n  Nmae\nFROM Account").picture == "  Nmae\n  ^"


@pytest.mark.parametrize("column", [None, 0, 99])
def test_a_place_outside_the_query_is_not_shown(column: int | None) -> None:
    error = QueryError("No such column.", line=1, column=column)

    assert failure_of(error, "SELECT Id FROM Account").picture is None


def test_without_a_query_there_is_no_picture() -> None:
    assert failure_of(QueryError("No such column.", line=1, column=8)).picture is None


def test_a_failure_goes_to_stderr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code = show_failure(ConfigurationError("Wrong.", hint="Right."), Common())

    shown = capsys.readouterr()
    assert (code, shown.out, shown.err) == (2, "", "Error: Wrong. Right.\n")


def tried(*reasons: str, gave_up: str | None = None, began: float | None = 100.0) -> ThrottledError:
    error = ThrottledError("Busy.", code="BUSY")
    error.gave_up = gave_up
    error.attempts = tuple(
        FailedAttempt(number, 101.0 + number, reason, 503, began=began)
        for number, reason in enumerate(reasons, 1)
    )
    return error


@pytest.mark.parametrize(
    ("error", "history"),
    [
        (ThrottledError("Busy."), None),
        (tried("BUSY"), None),
        (
            tried("BUSY", gave_up="the server asks to wait longer than 120 s"),
            "Not tried again: the server asks to wait longer than 120 s.",
        ),
        (
            tried(*["BUSY"] * 5, gave_up="the policy allows 5 attempts"),
            "Tried 5 times within 6.0 s, always BUSY (503); not tried again: the policy allows 5 "
            "attempts.",
        ),
        (
            tried("X", "BUSY", "X", began=None),
            "Tried 3 times within 2.0 s: 2 times X (503), BUSY (503).",
        ),
    ],
)
def test_a_second_line_tells_how_often_it_was_tried(
    error: ThrottledError, history: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    show_failure(error, Common())

    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith("Error: Busy.")
    assert more == ([] if history is None else [history])


def test_with_json_logs_the_history_is_a_member(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(tried("BUSY", "BUSY"), Common(log_json=True))

    assert json.loads(capsys.readouterr().err)["history"].startswith("Tried 2 times")


def test_the_first_error_of_a_group_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    inner = ExceptionGroup("inner", [InvalidCredentialsError("Wrong."), ValueError("x")])

    assert show_failure(ExceptionGroup("outer", [inner]), Common()) == 3
    assert capsys.readouterr().err == "Error: Wrong.\n"


def test_credentials_in_a_message_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(ValueError(f"Bearer {TOKEN}"), Common())

    assert TOKEN not in capsys.readouterr().err


def test_debug_adds_a_traceback_without_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(f"Bearer {TOKEN}")
    except ValueError as error:
        show_failure(error, Common(log_level="debug"))

    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert TOKEN not in shown


def test_with_json_logs_the_failure_is_a_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(ConfigurationError("Wrong."), Common(log_json=True))

    assert json.loads(capsys.readouterr().err) == {
        "event": "command.failed",
        "level": "error",
        "message": "Wrong.",
        "exit_code": 2,
    }
