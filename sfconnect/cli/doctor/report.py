"""Tell of checks: lines for people, as they come, and values for machines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from sfconnect.cli.doctor.checks import Result
from sfconnect.cli.paragraphs import broken_fingerprint, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfconnect.cli.doctor.checks import Check

WIDEST: Final = 80
_NAME: Final = 20
_MARK: Final = 6
_NARROW: Final = 60
_COLOURS: Final = {Result.PASS: "green", Result.WARN: "yellow", Result.FAIL: "red"}
_FINGERPRINT: Final = re.compile(r"(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}")


def known(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Everything, for machines."""
    return [
        {"name": one.name, "result": str(one.result), "message": one.message, "fix": one.fix}
        for one in checks
    ]


class Lines:
    """Print checks as they are made; what was skipped for one reason shares a line."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._waiting: list[Check] = []

    def tell(self, check: Check) -> None:
        """Print a check, or let it wait for others of its kind."""
        if self._waiting and not _alike(self._waiting[0], check):
            self._flush()
        if check.result is Result.SKIP and not check.fix:
            self._waiting.append(check)
        else:
            click.echo(line_of(check, self._width))

    def finish(self, checks: Sequence[Check]) -> None:
        """Print what waits, and how many checks ended how."""
        self._flush()
        counts = {kind: sum(check.result is kind for check in checks) for kind in Result}
        words = {
            Result.FAIL: "failed",
            Result.WARN: "to look at",
            Result.PASS: "passed",
            Result.SKIP: "skipped",
        }
        told = [f"{counts[kind]} {word}" for kind, word in words.items() if counts[kind]]
        click.echo(f"\n{', '.join(told)}.")

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            click.echo(line_of(waiting[0], self._width))
        elif waiting:
            names = ", ".join(check.name for check in waiting)
            text = f"{names}: {waiting[0].message}"
            click.echo(_marked(waiting[0].result, text, self._width, _MARK))


def _alike(first: Check, second: Check) -> bool:
    return first.message == second.message


def line_of(check: Check, width: int) -> str:
    """Write a check: its result, its name, what was found, and below it the fix."""
    if width < _NARROW:
        indent, head = _MARK, f"{check.name}: {check.message}"
    else:
        indent, head = _MARK + _NAME, f"{check.name:<{_NAME}}{check.message}"
    room = width - indent
    head = _FINGERPRINT.sub(lambda found: broken_fingerprint(found[0], room), head)
    lines = [_marked(check.result, head, width, indent)]
    if check.fix:
        blank = " " * indent
        lines.append(wrapped(f"Fix: {check.fix}", width, first=blank, rest=blank))
    return "\n".join(lines)


def _marked(result: Result, text: str, width: int, indent: int) -> str:
    word = str(result).upper() if result is Result.FAIL else str(result)
    # Colours are characters without a width, so they come after the folding.
    folded = wrapped(text, width, first=" " * _MARK, rest=" " * indent)
    mark = word
    if (colour := _COLOURS.get(result)) is not None:
        mark = click.style(word, fg=colour, bold=result is Result.FAIL or None)
    return f"{mark}{folded[len(word) :]}"
