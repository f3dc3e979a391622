"""Checks in their order, and how they are told."""

from __future__ import annotations

from typing import Any

import click
import pytest

from sfconnect._types import Secret
from sfconnect.auth.resolve import Resolved
from sfconnect.cli.common import Common
from sfconnect.cli.doctor.case import Case
from sfconnect.cli.doctor.checks import (
    Check,
    Examination,
    Finding,
    Result,
    Step,
    failed,
    not_tried,
    passed,
    skipped,
    warned,
)
from sfconnect.cli.doctor.report import Lines, known, line_of
from sfconnect.config import Settings
from sfconnect.errors import AuthConfigurationError, ConnectError
from sfconnect.salesforce.auth import ClientCredentials

SECRET = "k3pt-quiet"


def step(name: str, found: Finding | Exception, *needs: str, auth: bool = False) -> Step:
    async def run(case: Case) -> Finding:
        assert case.wants_login
        if isinstance(found, Exception):
            raise found
        return found

    return Step(name, run, needs, is_authentication=auth)


async def made(*steps: Step, secret: str = SECRET) -> Examination:
    strategy = ClientCredentials("https://acme.my.salesforce.com", "id", Secret(secret))
    login = Resolved(strategy, "client-credentials", Settings(), "argument auth")
    examination = Examination(Case(Common(), wants_login=True, login=login), lambda _: None)
    await examination.make(steps)
    return examination


async def test_what_needs_a_failure_is_not_tried_and_says_what_failed_first() -> None:
    done = await made(
        step("a", failed("no", "mend it")),
        step("b", passed("never"), "a"),
        step("c", passed("never"), "b"),
        step("d", passed("yes")),
    )

    assert [check.message for check in done.checks] == [
        "no",
        "not tried: a failed",
        "not tried: a failed",
        "yes",
    ]


async def test_what_needs_a_skip_or_a_warning_is_tried() -> None:
    done = await made(
        step("a", skipped("nothing there")),
        step("b", warned("old", "renew"), "a"),
        step("c", passed("yes"), "b"),
    )

    assert [str(check.result) for check in done.checks] == ["skip", "warn", "pass"]


async def test_what_was_not_asked_for_takes_what_needs_it_along() -> None:
    done = await made(step("login", not_tried("--login")), step("api", passed("never"), "login"))

    assert done.checks[1].message == "not tried: --login"
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([step("a", passed("")), step("b", warned("", ""))], 0),
        ([step("a", failed("", None))], 1),
        ([step("a", failed("", None), auth=True)], 3),
        ([step("a", failed("", None), auth=True), step("b", failed("", None))], 3),
        ([step("a", failed("", None)), step("b", failed("", None), auth=True)], 1),
        ([step("a", ConnectError("gone"), auth=True)], 1),
        ([step("a", AuthConfigurationError("refused"), auth=True)], 3),
    ],
)
async def test_the_first_failure_decides_the_exit_code(steps: list[Step], code: int) -> None:
    assert (await made(*steps)).exit_code == code


async def test_an_error_of_ours_is_a_failure_with_its_hint_and_its_facts() -> None:
    error = AuthConfigurationError("Refused.", hint="Do it.", code="bad", request_id="r1")

    (check,) = (await made(step("a", error))).checks

    assert (check.result, check.message, check.fix) == ("fail", "Refused. (bad, r1)", "Do it.")


async def test_any_other_error_is_a_failure_too() -> None:
    (check,) = (await made(step("a", ZeroDivisionError("by zero")))).checks

    assert (check.result, check.message) == ("fail", "Unexpected ZeroDivisionError: by zero")
    assert "--log-level debug" in (check.fix or "")


async def test_secrets_and_control_characters_are_told_by_no_check() -> None:
    (check,) = (await made(step("a", failed(f"a\n{SECRET}\x1b[2J", f"not {SECRET}")))).checks

    assert (check.message, check.fix) == ("a …[2J", "not …")


async def test_a_short_secret_is_taken_out_as_a_word_and_leaves_other_words_whole() -> None:
    found = failed("try y, or why not: y", "by")

    (check,) = (await made(step("a", found), secret="y")).checks

    assert (check.message, check.fix) == ("try …, or why not: …", "by")


def check(result: str, message: str, name: str = "name", fix: str | None = None) -> Check:
    return Check(name, Result(result), message, fix)


def told(width: int, *checks: Check, capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = Lines(width)
    for one in checks:
        lines.tell(one)
    lines.finish(checks)
    return capsys.readouterr().out.splitlines()


def test_lines_are_aligned_and_fold_under_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(
        60,
        check("pass", "all is well"),
        check(
            "fail", "a long text that does not fit into the line at all", "certificate_expiry", "x"
        ),
        capsys=capsys,
    )

    assert lines == [
        "pass  name                all is well",
        "FAIL  certificate_expiry  a long text that does not fit into",
        "                          the line at all",
        "                          Fix: x",
        "",
        "1 failed, 1 passed.",
    ]


def test_on_a_narrow_terminal_the_text_follows_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(
        40, check("warn", "this has to be looked at soon", "tls", "renew it"), capsys=capsys
    )

    assert lines == [
        "warn  tls: this has to be looked at soon",
        "      Fix: renew it",
        "",
        "1 to look at.",
    ]


def test_what_is_skipped_for_one_reason_shares_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(
        80,
        check("skip", "not tried: dns failed", "tcp"),
        check("skip", "not tried: dns failed", "tls"),
        check("skip", "the login signs nothing", "key"),
        check("skip", "with a fix", "certificate", "do"),
        check("skip", "not tried: --login", "user"),
        check("skip", "not tried: --login", "org"),
        capsys=capsys,
    )

    assert lines == [
        "skip  tcp, tls: not tried: dns failed",
        "skip  key                 the login signs nothing",
        "skip  certificate         with a fix",
        "                          Fix: do",
        "skip  user, org: not tried: --login",
        "",
        "6 skipped.",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_fingerprint_is_broken_between_bytes(width: int) -> None:
    fingerprint = ":".join(["AB"] * 32)

    text = click.unstyle(line_of(check("pass", f"SHA-256 {fingerprint}", "certificate"), width))

    assert max(map(len, text.splitlines())) <= width
    assert "".join(text.split()).endswith(fingerprint)


@pytest.mark.parametrize(("result", "colour"), [("pass", "green"), ("fail", "red"), ("skip", None)])
def test_results_are_coloured_without_moving_anything(result: str, colour: str | None) -> None:
    text = line_of(check(result, "told"), 80)

    plain = click.unstyle(text)
    assert plain.index("name") == 6
    assert (plain != text) == (colour is not None)


def test_machines_get_everything() -> None:
    values: list[dict[str, Any]] = known([check("warn", "old", "tls", "renew")])

    assert values == [{"name": "tls", "result": "warn", "message": "old", "fix": "renew"}]
