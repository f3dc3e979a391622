"""What a query that cannot be read raises: the place, the reason and, where it helps, a hint."""

from __future__ import annotations

_BEFORE = 50
_AFTER = 30


class SoqlSyntaxError(ValueError):
    """A query breaks the grammar of SOQL at one place.

    ``str()`` gives one sentence that never repeats a literal of the query, because literals may be
    personal data; it is safe to log. ``soql``, ``found`` and ``excerpt`` show the query itself.

    Attributes:
        message: The reason, without the place.
        soql: The whole query.
        index: 0-based place in the query; its length where something is missing at the end.
        found: The word, sign or literal from that place on; empty at the end.
        hint: What to write instead, or None.
    """

    def __init__(
        self, message: str, soql: str, index: int, *, found: str = "", hint: str | None = None
    ) -> None:
        self.message = message
        self.soql = soql
        self.index = index
        self.found = found
        self.hint = hint
        super().__init__(self._sentence())

    @property
    def line(self) -> int:
        """1-based line of the place."""
        return self.soql.count("\n", 0, self.index) + 1

    @property
    def column(self) -> int:
        """1-based column of the place within its line."""
        return self.index - self._line_start() + 1

    @property
    def excerpt(self) -> str:
        """The query around the place, and a caret under it. Shows literals: not for logs."""
        first = self._line_start()
        last = self.soql.find("\n", self.index)
        line_end = len(self.soql) if last < 0 else last
        start = max(first, self.index - _BEFORE)
        end = min(line_end, self.index + _AFTER)
        head = "…" if start > first else ""
        tail = "…" if end < line_end else ""
        margin = "".join("\t" if sign == "\t" else " " for sign in self.soql[start : self.index])
        return f"{head}{self.soql[start:end].rstrip()}{tail}\n{' ' * len(head)}{margin}^"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.message, self.soql, self.index, self.found, self.hint)

    def _line_start(self) -> int:
        return self.soql.rfind("\n", 0, self.index) + 1

    def _sentence(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"SOQL line {self.line}, column {self.column}: {self.message}.{hint}"


def _rebuild(message: str, soql: str, index: int, found: str, hint: str | None) -> SoqlSyntaxError:
    return SoqlSyntaxError(message, soql, index, found=found, hint=hint)
