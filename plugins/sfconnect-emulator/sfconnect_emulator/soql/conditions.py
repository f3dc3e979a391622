"""WHERE and HAVING as SQL.

SOQL has two truth values: a comparison with a null field is false (``!=`` and ``NOT IN`` true),
and NOT is its exact opposite. SQL has three. As AND and OR are monotone, "unknown" may stand for
"false" inside them, so only a negation has to close the gap: ``(…) IS NOT TRUE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sfconnect.soql.ast import (
    And,
    Bind,
    Comparison,
    Condition,
    Field,
    Function,
    Membership,
    Not,
    Or,
    Query,
    Value,
)
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.tables import statement
from sfconnect_emulator.schema import traits
from sfconnect_emulator.schema.traits import NUMERIC
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.functions import scalar
from sfconnect_emulator.soql.literals import Literals, Period
from sfconnect_emulator.soql.scope import Operand, Scope

_ORDER_OPERATORS: Final = frozenset({"<", "<=", ">", ">="})
_ID_TYPES: Final = frozenset({"id", "reference"})
_FLAT: Final = 100

Resolver: TypeAlias = Callable[[Field | Function], Operand]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Compiles the conditions of one clause.

    ``resolve`` says what a left side means, which differs between WHERE and HAVING;
    ``semi_join`` compiles a nested query.
    """

    context: Context
    resolve: Resolver
    semi_join: Callable[[Query, Membership], str]

    def sql(self, condition: Condition) -> str:
        """Compile a condition."""
        if isinstance(condition, And):
            return joined("AND", (self.sql(part) for part in condition.parts))
        if isinstance(condition, Or):
            return joined("OR", (self.sql(part) for part in condition.parts))
        if isinstance(condition, Not):
            return f"(({self.sql(condition.part)}) IS NOT TRUE)"
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        return self._membership(condition)

    def _comparison(self, c: Comparison) -> str:
        operand = self._filterable(c.left, c.at)
        if c.op == "LIKE":
            return self._like(operand, c)
        literals = Literals(self.context, operand, label_of(c.left), c.at)
        value = literals.read(c.value)
        if c.op in _ORDER_OPERATORS:
            self._check_ordered(operand, c)
            return self._ordered(operand, c.op, value)
        equal = self._equal(operand, value)
        return equal if c.op == "=" else f"(({equal}) IS NOT TRUE)"

    def _equal(self, operand: Operand, value: object) -> str:
        if value is None:
            return f"{operand.sql} IS NULL"
        if isinstance(value, Period):
            first, end = self.context.param(value.first), self.context.param(value.end)
            return f"({operand.sql} >= {first} AND {operand.sql} < {end})"
        return f"{operand.key} = {self.context.param(value)}"

    def _ordered(self, operand: Operand, op: str, value: object) -> str:
        """Compare by order; of a period, ``<`` and ``>=`` mean its start, the others its end."""
        if value is None:
            return "0"
        if isinstance(value, Period):
            before = op in {"<", ">="}
            bound = value.first if before else value.end
            return f"{operand.sql} {'<' if op[0] == '<' else '>='} {self.context.param(bound)}"
        return f"{operand.key} {op} {self.context.param(value)}"

    def _like(self, operand: Operand, c: Comparison) -> str:
        if operand.type not in traits.TEXTUAL or operand.type == "multipicklist":
            raise self._bad_operator(operand, c.at)
        pattern = Literals(self.context, operand, label_of(c.left), c.at).read(c.value)
        if pattern is None:
            return f"{operand.sql} IS NULL"
        if not operand.folds:
            return f"{operand.sql} GLOB {self.context.param(_glob(str(pattern)))}"
        return f"{operand.key} LIKE {self.context.param(pattern)} ESCAPE '\\'"

    def _membership(self, m: Membership) -> str:
        if isinstance(m.values, Query):
            return self._semi_join(m, m.values)
        if isinstance(m.values, Bind):
            raise self.context.problems.at(m.values.at, "MALFORMED_QUERY", "unexpected token: ':'")
        operand = self._filterable(m.left, m.at)
        literals = Literals(self.context, operand, label_of(m.left), m.at)
        if m.op in {"INCLUDES", "EXCLUDES"}:
            listed = self._includes(operand, m, literals)
        else:
            listed = self._in(operand, m.values, literals)
        return listed if m.op in {"IN", "INCLUDES"} else f"(({listed}) IS NOT TRUE)"

    def _in(self, operand: Operand, values: Iterable[Value], literals: Literals) -> str:
        read = [literals.read(value) for value in values]
        plain = [self.context.param(v) for v in read if v is not None and not _is_period(v)]
        parts = [f"{operand.key} IN ({', '.join(plain)})"] if plain else []
        parts += [self._equal(operand, v) for v in read if v is None or _is_period(v)]
        return joined("OR", parts)

    def _includes(self, operand: Operand, m: Membership, literals: Literals) -> str:
        """INCLUDES('A;B', 'C') asks for A and B, or C."""
        if operand.type != "multipicklist" or not isinstance(m.values, tuple):
            raise self._bad_operator(operand, m.at)
        alternatives = []
        for value in m.values:
            text = literals.read(value)
            wanted = [part for part in str(text or "").split(";") if part]
            held = [self._holds(operand, part) for part in wanted]
            alternatives.append(joined("AND", held) if held else f"{operand.sql} IS NULL")
        return joined("OR", alternatives)

    def _holds(self, operand: Operand, entry: str) -> str:
        return f"instr(';' || {operand.key} || ';', {self.context.param(f';{entry};')}) > 0"

    def _semi_join(self, m: Membership, query: Query) -> str:
        operand = self._filterable(m.left, m.at)
        if operand.type not in _ID_TYPES:
            message = "The left operand of a semi join must be an id or reference field"
            raise self.context.problems.at(m.at, "INVALID_QUERY_FILTER_OPERATOR", message)
        inside = f"{operand.sql} IN ({self.semi_join(query, m)})"
        return inside if m.op == "IN" else f"(({inside}) IS NOT TRUE)"

    def _filterable(self, left: Field | Function, index: int) -> Operand:
        operand = self.resolve(left)
        if isinstance(left, Field) and operand.field and not traits.filterable(operand.field):
            message = f"field '{operand.field.name}' can not be filtered in a query call"
            raise self.context.problems.at(index, "INVALID_FIELD", message)
        if operand.type in {"address", "location"}:
            message = f"field '{label_of(left)}' can not be filtered in a query call"
            raise self.context.problems.at(index, "INVALID_FIELD", message)
        return operand

    def _check_ordered(self, operand: Operand, c: Comparison) -> None:
        if operand.type in {"boolean", "multipicklist"}:
            raise self._bad_operator(operand, c.at)

    def _bad_operator(self, operand: Operand, index: int) -> ApiError:
        kind = "number" if operand.type in NUMERIC else operand.type
        kind = "id" if kind == "reference" else kind
        code = "INVALID_QUERY_FILTER_OPERATOR"
        return self.context.problems.at(index, code, f"invalid operator on {kind} field")


def where(scope: Scope, query: Query, *, nested: bool = False, by_index: bool = False) -> list[str]:
    """Compile the WHERE clause and the scope of a query; the parts belong together by AND.

    The index on IsDeleted is kept from the planner unless ``by_index``, as it would take it for
    a selective one. It helps only to count.
    """
    parts = []
    if query.where is not None:
        conditions = Conditions(
            scope.context,
            resolve_in(scope),
            lambda nested, _: _semi_join_sql(scope.context, nested),
        )
        parts.append(conditions.sql(query.where))
    if (query.scope or "").upper() == "MINE" and scope.t.field("OwnerId"):
        owner = scope.context.param(scope.context.user_id)
        parts.append(f"{scope.root.alias}.OwnerId = {owner}")
    if not scope.context.include_deleted and scope.t.field("IsDeleted"):
        parts.append(f"{'' if by_index else '+'}{scope.root.alias}.IsDeleted = 0")
    return parts


def resolve_in(scope: Scope) -> Resolver:
    """Return what a left side means where there are no aggregates."""
    return lambda left: scope.operand(left) if isinstance(left, Field) else scalar(scope, left)


def label_of(left: Field | Function) -> str:
    """Return the name under which errors speak of a left side."""
    return left.path[-1] if isinstance(left, Field) else left.name


def _semi_join_sql(context: Context, query: Query) -> str:
    scope = Scope(context, context.object(query.from_.name, query.from_.at), query)
    (item,) = query.select
    if not isinstance(item, Field):
        raise context.problems.plain("MALFORMED_QUERY", "a semi join selects exactly one field")
    selected = scope.operand(item)
    if selected.type not in _ID_TYPES:
        message = f"The selected field '{item.path[-1]}' of a semi join must be an id or reference"
        raise context.problems.at(item.at, "INVALID_QUERY_FILTER_OPERATOR", message)
    parts = [*where(scope, query), f"{selected.sql} IS NOT NULL"]
    return statement("SELECT", selected.sql, "FROM", scope.source(), "WHERE", joined("AND", parts))


def joined(word: str, parts: Iterable[str]) -> str:
    """Join conditions; long lists as a tree, because SQLite bounds the depth of an expression."""
    listed = list(parts)
    if len(listed) > _FLAT:
        half = len(listed) // 2
        listed = [joined(word, listed[:half]), joined(word, listed[half:])]
    return listed[0] if len(listed) == 1 else "(" + f" {word} ".join(listed) + ")"


def _is_period(value: object) -> bool:
    return isinstance(value, Period)


def _glob(pattern: str) -> str:
    """Rewrite a LIKE pattern for GLOB, which heeds case."""
    special = {"%": "*", "_": "?"}
    result, escaped = [], False
    for char in pattern:
        if char == "\\" and not escaped:
            escaped = True
            continue
        if not escaped and char in special:
            result.append(special[char])
        else:
            result.append(f"[{char}]" if char in "*?[" else char)
        escaped = False
    return "".join(result)
