"""The columns of a query: what its SELECT list says, as names of cells and their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sfconnect.errors import ConfigurationError
from sfconnect.etl.columns import Column
from sfconnect.soql.ast import Field, FieldsMacro, Function, Query, SelectItem, Subquery, Typeof

if TYPE_CHECKING:
    from sfconnect.etl.source import Source

Row = Mapping[str, Any]

_COUNTS: Final = frozenset({"COUNT", "COUNT_DISTINCT", "GROUPING"})
_SAME_TYPE: Final = frozenset({"MIN", "MAX"})
_SUMS: Final = frozenset({"SUM", "AVG"})
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of the result: its heading, and where its values are in a row."""

    name: str
    path: tuple[str, ...]
    item: SelectItem

    def value(self, row: Row) -> Any:
        """Return the value in a row, without the API's own bookkeeping.

        Members are found in any case, because the answer spells names as the org does.
        """
        value: Any = row
        for step in self.path:
            if not isinstance(value, Mapping):
                return None
            value = _member(value, step)
        return plain(value)


def is_bare_count(query: Query) -> bool:
    """Whether the query is ``SELECT COUNT() …``, which has a total and no rows."""
    match query.select:
        case (Function(name="COUNT", args=()),):
            return True
    return False


def has_macro(query: Query) -> bool:
    """Whether only the rows tell the columns, because of ``FIELDS(…)``."""
    return any(isinstance(item, FieldsMacro) for item in query.select)


def cells_of(query: Query) -> list[Cell]:
    """Read the columns off the SELECT list.

    Raises:
        ConfigurationError: The list holds ``FIELDS(…)``, so only the rows tell the columns.
    """
    if is_bare_count(query):
        return [Cell("count", ("count",), query.select[0])]
    number, cells = 0, []
    for item in query.select:
        if isinstance(item, FieldsMacro):
            hint = "Name the fields, or use --format jsonl."
            raise ConfigurationError("FIELDS(…) has no fixed columns.", hint=hint)
        if isinstance(item, Function) and not item.alias and _is_unnamed(item):
            cells.append(Cell(f"expr{number}", (f"expr{number}",), item))
            number += 1
        else:
            cells.append(_cell(query, item))
    return cells


def _is_unnamed(item: Function) -> bool:
    """Functions that change how a field is shown keep its name; the others are numbered."""
    return item.name not in {"TOLABEL", "FORMAT", "CONVERTCURRENCY"}


def _cell(query: Query, item: SelectItem) -> Cell:
    if isinstance(item, Subquery):
        name = item.query.from_.path[-1]
        return Cell(name, (name,), item)
    if isinstance(item, Typeof):
        path = _without_alias(query, item.reference.path)
        return Cell(".".join(path), path, item)
    alias = getattr(item, "alias", None)
    if alias:
        return Cell(alias, (alias,), item)
    field = _first_field(item)
    path = _without_alias(query, field.path)
    # In a grouped query the answer is flat, and a path is known by its last word.
    where = path[-1:] if query.group_by else path
    return Cell(".".join(path), where, item)


def _first_field(item: SelectItem) -> Field:
    while isinstance(item, Function):
        item = next(arg for arg in item.args if isinstance(arg, Field | Function))
    if not isinstance(item, Field):
        raise TypeError(f"no field in {type(item).__name__}")
    return item


def _without_alias(query: Query, path: tuple[str, ...]) -> tuple[str, ...]:
    alias = query.from_.alias
    prefixes = {name.lower() for name in (alias, query.from_.path[-1]) if name}
    return path[1:] if len(path) > 1 and path[0].lower() in prefixes else path


def _member(value: Row, name: str) -> Any:
    if name in value:
        return value[name]
    wanted = name.lower()
    return next((value[key] for key in value if key.lower() == wanted), None)


def plain(value: Any) -> Any:
    """Return a value without ``attributes``, and children as lists of rows."""
    if isinstance(value, Mapping):
        if isinstance(value.get("records"), Sequence):
            return [plain(row) for row in value["records"]]
        return {key: plain(item) for key, item in value.items() if key != "attributes"}
    return value


async def typed_columns(sf: Source, query: Query, cells: Sequence[Cell]) -> list[Column]:
    """Find the type of every column by asking for the describes along its path."""
    describes = _Describes(sf)
    return [await _column(describes, query, cell) for cell in cells]


def untyped_columns(cells: Sequence[Cell]) -> list[Column]:
    """Return columns that take any value."""
    return [Column(cell.name, _UNKNOWN) for cell in cells]


class _Describes:
    """Describes of the org, each asked for once."""

    def __init__(self, sf: Source) -> None:
        self._sf = sf
        self._known: dict[str, Mapping[str, Any]] = {}

    async def of(self, name: str) -> Mapping[str, Any]:
        if name not in self._known:
            self._known[name] = await self._sf.sobject(name).describe()
        return self._known[name]


async def _column(describes: _Describes, query: Query, cell: Cell) -> Column:
    item = cell.item
    if isinstance(item, Function):
        return await _column_of_function(describes, query, cell, item)
    if not isinstance(item, Field):
        return Column(cell.name, _UNKNOWN)
    return await _column_of_path(describes, query, cell.name, item.path)


async def _column_of_function(
    describes: _Describes, query: Query, cell: Cell, item: Function
) -> Column:
    if item.name in _COUNTS:
        return Column(cell.name, "long")
    if item.name in _SUMS:
        return Column(cell.name, "double")
    if item.name in _SAME_TYPE and item.args and isinstance(item.args[0], Field):
        return await _column_of_path(describes, query, cell.name, item.args[0].path)
    return Column(cell.name, _UNKNOWN)


async def _column_of_path(
    describes: _Describes, query: Query, name: str, path: tuple[str, ...]
) -> Column:
    """Follow parents as far as each leads to one kind of object."""
    describe = await describes.of(query.from_.path[-1])
    *parents, last = _without_alias(query, path)
    for parent in parents:
        field = _find(describe, "relationshipName", parent)
        if field is None or len(field["referenceTo"]) != 1:
            return Column(name, _UNKNOWN)
        describe = await describes.of(field["referenceTo"][0])
    field = _find(describe, "name", last)
    return Column(name, _UNKNOWN) if field is None else _named(Column.from_describe(field), name)


def _named(column: Column, name: str) -> Column:
    return replace(column, name=name)


def _find(describe: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any] | None:
    wanted = name.lower()
    fields: Sequence[Mapping[str, Any]] = describe["fields"]
    return next((field for field in fields if (field.get(key) or "").lower() == wanted), None)
