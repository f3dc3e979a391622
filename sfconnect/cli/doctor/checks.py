"""A check, what came of it, and the order in which checks are made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sfconnect.auth.store import secrets_of
from sfconnect.cli import exit_codes
from sfconnect.cli.failures import one_line
from sfconnect.errors import SfConnectError, TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from sfconnect.cli.doctor.case import Case

_SHORT: Final = 8


class Result(StrEnum):
    """How a check ended."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    ``blocks`` says why the checks that build on it are not tried; None where they are.
    """

    result: Result
    message: str
    fix: str | None = None
    blocks: str | None = None
    of_network: bool = False
    """Whether it failed because no usable answer came, whatever was asked."""


def passed(message: str) -> Finding:
    """All is well."""
    return Finding(Result.PASS, message)


def warned(message: str, fix: str) -> Finding:
    """It works, and should be looked at."""
    return Finding(Result.WARN, message, fix)


def failed(message: str, fix: str | None) -> Finding:
    """It does not work."""
    return Finding(Result.FAIL, message, fix)


def skipped(message: str, fix: str | None = None) -> Finding:
    """There is nothing to check; what builds on it is tried all the same."""
    return Finding(Result.SKIP, message, fix)


def not_tried(because: str) -> Finding:
    """It was not tried, and so is nothing that builds on it."""
    return Finding(Result.SKIP, f"not tried: {because}", blocks=because)


@dataclass(frozen=True, slots=True)
class Step:
    """A check to be made, if what it needs has not failed."""

    name: str
    run: Callable[[Case], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    is_authentication: bool = False
    """Whether its failure means that the login is refused, or would be."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check that was made, or was not; names are stable."""

    name: str
    result: Result
    message: str
    fix: str | None
    is_authentication: bool = False

    @property
    def exit_code(self) -> int:
        """What the command ends with because of it."""
        if self.result is not Result.FAIL:
            return exit_codes.DONE
        return exit_codes.AUTHENTICATION if self.is_authentication else exit_codes.FAILED


class Examination:
    """The checks of one case, in their order; what needs a failed one is not tried.

    Args:
        case: What is examined.
        tell: Called with each check when it is done.
    """

    def __init__(self, case: Case, tell: Callable[[Check], None]) -> None:
        self._case = case
        self._tell = tell
        self._blocked: dict[str, str] = {}
        self.checks: list[Check] = []

    async def make(self, steps: Iterable[Step]) -> None:
        """Make the checks; one that meets an error has failed, and ends nothing."""
        for step in steps:
            because = next(
                (self._blocked[name] for name in step.needs if name in self._blocked), ""
            )
            finding = not_tried(because) if because else await _made(step, self._case)
            if finding.blocks or finding.result is Result.FAIL:
                self._blocked[step.name] = finding.blocks or f"{step.name} failed"
            check = Check(
                step.name,
                finding.result,
                finding.message,
                finding.fix,
                step.is_authentication and not finding.of_network,
            )
            self.checks.append(check)
            self._tell(check)

    @property
    def exit_code(self) -> int:
        """That of the first failure: what comes after it may be its consequence."""
        codes = (check.exit_code for check in self.checks)
        return next((code for code in codes if code != exit_codes.DONE), exit_codes.DONE)


async def _made(step: Step, case: Case) -> Finding:
    try:
        finding = await step.run(case)
    except SfConnectError as error:
        finding = _of_error(error)
    except Exception as error:  # noqa: BLE001  # whatever a server answers is a finding
        message = f"Unexpected {type(error).__name__}: {error}"
        finding = failed(message, "Run it again with --log-level debug, and report what it shows.")
    secrets = secrets_of(case.login.strategy) if case.login else ()
    return replace(
        finding,
        message=_clean(finding.message, secrets),
        fix=None if finding.fix is None else _clean(finding.fix, secrets),
    )


def _of_error(error: SfConnectError) -> Finding:
    facts = ", ".join(
        fact for fact in (error.code, error.request_id) if fact and fact not in error.message
    )
    message = f"{error.message} ({facts})" if facts else error.message
    return replace(failed(message, error.hint), of_network=isinstance(error, TransportError))


def _clean(text: str, secrets: Sequence[str]) -> str:
    """Take secrets out, although no error should hold any; a short one only as a word."""
    for secret in secrets:
        pattern = re.escape(secret)
        if len(secret) < _SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, "…", text)
    return one_line(text)
