"""Read a whole query: the clauses in their order."""

from __future__ import annotations

from sfconnect.soql._conditions import read_condition
from sfconnect.soql._cursor import Cursor
from sfconnect.soql._literals import read_count
from sfconnect.soql._operands import read_operand
from sfconnect.soql._select import read_from, read_list, read_select
from sfconnect.soql._words import ACCESS_MODES, CATEGORY_SELECTORS, CLAUSES
from sfconnect.soql.ast import (
    Bind,
    Condition,
    DataCategory,
    GroupBy,
    Ordering,
    Query,
    With,
)
from sfconnect.soql.tokens import TokenKind

_CLAUSE_ORDER = (
    "The clauses come in the order SELECT, FROM, USING SCOPE, WHERE, WITH, GROUP BY, HAVING,"
    " ORDER BY, LIMIT, OFFSET, FOR, UPDATE."
)
# What may follow a whole clause; a word that is near to one of them is taken for a slip.
_CONTINUATIONS = (*CLAUSES, "AND", "OR", "ASC", "DESC", "NULLS")
_FOR_WORDS = ("VIEW", "REFERENCE")
_UPDATE_WORDS = ("TRACKING", "VIEWSTAT")


def parse(text: str, *, binds: bool = False, apex: bool = False) -> Query:
    """Read a query into its tree.

    Args:
        text: One query, without comments and without a semicolon.
        binds: Accept ``:name`` in the place of a value.
        apex: Accept what only Apex can run: ``FOR UPDATE`` and ``ALL ROWS``.

    Raises:
        SoqlSyntaxError: The text breaks the grammar; the error knows where.
    """
    cursor = Cursor(text, binds=binds, apex=apex, subquery=_nested_query)
    query = _query(cursor, nested=False)
    if cursor.token.kind is not TokenKind.END:
        hint = _CLAUSE_ORDER if cursor.token.word in CLAUSES else None
        raise cursor.unexpected("the end of the query", keywords=_CONTINUATIONS, hint=hint)
    return query


def _nested_query(cursor: Cursor) -> Query:
    return _query(cursor, nested=True)


def _query(cursor: Cursor, *, nested: bool) -> Query:
    cursor.expect("SELECT")
    select = read_select(cursor, nested=nested)
    cursor.expect("FROM")
    from_, from_aliases = read_from(cursor)
    scope = _scope(cursor)
    where = read_condition(cursor) if cursor.accept("WHERE") else None
    with_ = _with(cursor)
    group_by = _group_by(cursor)
    having = _having(cursor, group_by)
    order_by = _order_by(cursor)
    limit = _count(cursor, "LIMIT")
    offset = _count(cursor, "OFFSET")
    return Query(
        select=select,
        from_=from_,
        from_aliases=from_aliases,
        scope=scope,
        where=where,
        with_=with_,
        group_by=group_by,
        having=having,
        order_by=order_by,
        limit=limit,
        offset=offset,
        for_=_for(cursor),
        update=_update(cursor),
        all_rows=_all_rows(cursor),
    )


def _scope(cursor: Cursor) -> str | None:
    if not cursor.accept("USING"):
        return None
    cursor.expect("SCOPE")
    if cursor.token.kind is not TokenKind.NAME:
        raise cursor.unexpected("a scope")
    return cursor.advance().text


def _with(cursor: Cursor) -> With | None:
    if not cursor.accept("WITH"):
        return None
    if cursor.token.word in ACCESS_MODES:
        return With(cursor.advance().word)
    if cursor.accept_pair("DATA", "CATEGORY"):
        categories = [_category(cursor)]
        while cursor.accept("AND"):
            categories.append(_category(cursor))
        return With("DATA CATEGORY", tuple(categories), mode=_second_with(cursor))
    condition = read_condition(cursor)
    return With("FILTER", condition=condition, mode=_second_with(cursor))


def _second_with(cursor: Cursor) -> str | None:
    return cursor.expect_one_of(ACCESS_MODES) if cursor.accept("WITH") else None


def _category(cursor: Cursor) -> DataCategory:
    group = _category_name(cursor)
    selector = cursor.expect_one_of(CATEGORY_SELECTORS)
    if not cursor.accept("("):
        return DataCategory(group, selector, (_category_name(cursor),))
    names = read_list(cursor, _category_name)
    cursor.expect(")")
    return DataCategory(group, selector, names)


def _category_name(cursor: Cursor) -> str:
    if cursor.token.kind is not TokenKind.NAME:
        raise cursor.unexpected("the name of a data category")
    return cursor.advance().text


def _group_by(cursor: Cursor) -> GroupBy | None:
    if not cursor.accept("GROUP"):
        return None
    cursor.expect("BY")
    kind = cursor.token.word
    if kind not in {"ROLLUP", "CUBE"} or cursor.peek().word != "(":
        return GroupBy(read_list(cursor, read_operand))
    cursor.advance()
    cursor.expect("(")
    items = read_list(cursor, read_operand)
    cursor.expect(")")
    return GroupBy(items, kind)


def _having(cursor: Cursor, group_by: GroupBy | None) -> Condition | None:
    token = cursor.token
    if not cursor.accept("HAVING"):
        return None
    if group_by is None:
        raise cursor.fail("HAVING needs a GROUP BY before it", token)
    return read_condition(cursor)


def _order_by(cursor: Cursor) -> tuple[Ordering, ...]:
    if not cursor.accept("ORDER"):
        return ()
    cursor.expect("BY")
    return read_list(cursor, _ordering)


def _ordering(cursor: Cursor) -> Ordering:
    by = read_operand(cursor)
    descending = cursor.accept("DESC")
    if not descending:
        cursor.accept("ASC")
    nulls = cursor.expect_one_of(("FIRST", "LAST")) if cursor.accept("NULLS") else None
    return Ordering(by, descending, nulls)


def _count(cursor: Cursor, word: str) -> int | Bind | None:
    return read_count(cursor) if cursor.accept(word) else None


def _for(cursor: Cursor) -> tuple[str, ...]:
    words: list[str] = []
    while cursor.accept("FOR"):
        words.extend(read_list(cursor, _for_word))
    return tuple(words)


def _for_word(cursor: Cursor) -> str:
    if cursor.token.word == "UPDATE" and not cursor.apex:
        raise cursor.fail("FOR UPDATE works in Apex only", cursor.token)
    return cursor.expect_one_of((*_FOR_WORDS, "UPDATE") if cursor.apex else _FOR_WORDS)


def _update(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.accept("UPDATE"):
        return ()
    return read_list(cursor, lambda here: here.expect_one_of(_UPDATE_WORDS))


def _all_rows(cursor: Cursor) -> bool:
    start = cursor.token
    if not cursor.accept_pair("ALL", "ROWS"):
        return False
    if not cursor.apex:
        hint = "Over REST, the queryAll resource reads deleted rows."
        raise cursor.fail("ALL ROWS works in Apex only", start, hint=hint)
    return True
