"""Query errors worded as an org words them: an excerpt, a caret under the place, the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sfconnect_emulator.data.errors import ApiError

_REACH: Final = 50
_TOKEN: Final = re.compile(r"'(?:\\.|[^'\\])*'|[\w.]+|\S")
_APPENDIX: Final = "Please reference your WSDL or the describe call for the appropriate names."


@dataclass(frozen=True, slots=True)
class Problems:
    """Makes the errors of one query."""

    soql: str

    def at(self, index: int, code: str, message: str) -> ApiError:
        """Return an error about one place of the query."""
        start, end = self._window(index)
        excerpt = re.sub(r"\s", " ", self.soql[start:end])
        caret = " " * (index - start) + "^"
        head = f"\n{excerpt}\n{caret}\nERROR at Row:{self._row(index)}:Column:{self._column(index)}"
        return ApiError(400, code, f"{head}\n{message}")

    def plain(self, code: str, message: str) -> ApiError:
        """Return an error about the query as a whole."""
        return ApiError(400, code, message)

    def unknown_field(self, index: int, field: str, entity: str) -> ApiError:
        """The object has no such field."""
        return self.at(
            index,
            "INVALID_FIELD",
            f"No such column '{field}' on entity '{entity}'. If you are attempting to use a custom "
            f"field, be sure to append the '__c' after the custom field name. {_APPENDIX}",
        )

    def unknown_object(self, index: int, name: str) -> ApiError:
        """The org has no such object."""
        return self.at(
            index,
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom "
            f"object, be sure to append the '__c' after the entity name. {_APPENDIX}",
        )

    def unknown_parent(self, index: int, relationship: str) -> ApiError:
        """The path takes a parent relationship that the object does not have."""
        return self.at(index, "INVALID_FIELD", _no_relationship(relationship, "field path"))

    def unknown_children(self, index: int, relationship: str) -> ApiError:
        """The subquery reads a child relationship that the object does not have."""
        where = "FROM part of query call"
        return self.at(index, "INVALID_FIELD", _no_relationship(relationship, where))

    def before_condition(self, index: int) -> int:
        """Return the bracket that opens a condition, or the condition where there is none."""
        bracket = len(self.soql[:index].rstrip()) - 1
        return bracket if bracket >= 0 and self.soql[bracket] == "(" else index

    def _window(self, index: int) -> tuple[int, int]:
        """Cut at token borders within reach of the place."""
        tokens = list(_TOKEN.finditer(self.soql))
        start = next((t.start() for t in tokens if t.start() >= index - _REACH), 0)
        ends = [t.end() for t in tokens if index <= t.start() <= index + _REACH]
        return min(start, index), max([index, *ends])

    def _row(self, index: int) -> int:
        return self.soql.count("\n", 0, index) + 1

    def _column(self, index: int) -> int:
        return index - self.soql.rfind("\n", 0, index)


def _no_relationship(name: str, where: str) -> str:
    return (
        f"Didn't understand relationship '{name}' in {where}. If you are attempting to use a "
        "custom relationship, be sure to append the '__r' after the custom relationship name. "
        f"{_APPENDIX}"
    )
