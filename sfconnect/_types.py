"""Small shared vocabulary: secrets, the unset marker, JSON."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)
"""What a JSON document may hold, as it is accepted for sending."""

JsonObject: TypeAlias = "Mapping[str, JsonValue]"


class Unset(Enum):
    """Type of :data:`UNSET`, for places where ``None`` is a value of its own."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Secret:
    """Keep a string out of logs, reprs, errors and pickles.

    Only :meth:`reveal` gives the text back, so each place that uses it can be found by name.
    Secrets compare and hash by their text. They cannot be pickled: a process that needs the
    credentials logs in, or reads a token store.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; never log or format what it returns."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret('…')"

    def __str__(self) -> str:
        return "…"

    def __format__(self, format_spec: str, /) -> str:
        return "…"

    def __reduce__(self) -> NoReturn:
        message = "a Secret is not pickled; log in, or read the token store, in the other process"
        raise TypeError(message)
