"""Write text for a terminal: paragraphs, lists and what is copied, within its width."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

INDENT: Final = "  "
_WIDEST: Final = 100
_NARROWEST: Final = 40


def text_width(widest: int = _WIDEST) -> int:
    """How wide text is written: as the terminal, within bounds; elsewhere as wide as it may be."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else widest
    return max(_NARROWEST, min(columns, widest))


def paragraph(text: str, width: int) -> str:
    """Write one paragraph, indented."""
    return wrapped(text, width, first=INDENT, rest=INDENT)


def items(entries: Iterable[tuple[str, str]], width: int) -> str:
    """Write a list: the mark of each item, and its text."""
    return "\n".join(
        wrapped(text, width, first=f"{INDENT}{mark} ", rest=INDENT + " " * (len(mark) + 1))
        for mark, text in entries
    )


def wrapped(text: str, width: int, *, first: str, rest: str) -> str:
    """Fold a text: how its first line and the others begin is given."""
    # Names and addresses are copied, so they are not broken.
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def verbatim(text: str) -> str:
    """Indent what is to be copied as it is."""
    return textwrap.indent(text, INDENT)


def broken_fingerprint(text: str, room: int) -> str:
    """Break a fingerprint between bytes, in lines of as many: it is compared by eye."""
    pairs = text.split(":")
    per_line = len(pairs)
    while per_line > 1 and per_line * 3 > room:
        per_line = (per_line + 1) // 2
    lines = [":".join(pairs[i : i + per_line]) for i in range(0, len(pairs), per_line)]
    return ": ".join(lines)
