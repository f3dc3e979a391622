"""Queries in, pages out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from sfconnect.soql import SoqlSyntaxError, parse
from sfconnect.soql.ast import Function, Query
from sfconnect_emulator.data.org import LOCATOR_PREFIX
from sfconnect_emulator.data.store import Store
from sfconnect_emulator.soql import checks, functions
from sfconnect_emulator.soql.columns import column_metadata
from sfconnect_emulator.soql.context import Context
from sfconnect_emulator.soql.grouping import Groups, is_grouped
from sfconnect_emulator.soql.level import ChildLevel, Level, Rows, compact
from sfconnect_emulator.soql.locators import Cursor, Locators
from sfconnect_emulator.soql.pages import Content, Made, Page, Remembered, Unmade, Written

MAX_BATCH: Final = 2000
_PARSED: Final = 256


class QueryEngine:
    """Runs SOQL against a store; open locators live here and outlive sessions."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locators = Locators(store.org.ids(LOCATOR_PREFIX).id_of, store.clock)
        self._written = Written()
        functions.register(store.connection)

    def run(
        self,
        soql: str,
        *,
        version: float,
        include_deleted: bool = False,
        max_rows: int = MAX_BATCH,
        user: str | None = None,
    ) -> Page:
        """Run a query and return its first page of at most ``max_rows`` rows.

        ``include_deleted`` shows the recycle bin too, as ``queryAll`` does. ``user`` is the id of
        the user who asks; it decides the time zone, and what ``USING SCOPE mine`` means.

        Raises:
            ApiError: The query is refused.
        """
        query = self.parse(soql, version)
        context = self._context(soql, version, include_deleted, user)
        t = context.object(query.from_.name, query.from_.at)
        if query.select == (Function("COUNT"),) and query.group_by is None:
            count = Groups(context, t, query).count(self.store.connection)
            return Page(count, True, Made([]))
        if is_grouped(query):
            records = Groups(context, t, query).records(self.store.connection)
            return Page(len(records), True, Made(records))
        level = Level(context, t, query)
        found = level.find(self.store.connection)
        return self._page(Cursor(level, found, version, max_rows), 0)

    def more(
        self, locator: str, *, version: float | None = None, max_rows: int | None = None
    ) -> Page:
        """Return the page that a locator (``<id>-<offset>``) names.

        Raises:
            ApiError: INVALID_QUERY_LOCATOR; it is malformed, foreign or too old.
        """
        locator_id, cursor, offset = self.locators.find(locator)
        asked = replace(cursor, version=version or cursor.version, batch=max_rows or cursor.batch)
        return self._page(asked, offset, locator_id)

    def column_metadata(
        self, soql: str, *, version: float, user: str | None = None
    ) -> dict[str, Any]:
        """Return what ``query?columns=true`` answers: the columns of a query, but no rows.

        Raises:
            ApiError: The query is refused.
        """
        query = self.parse(soql, version)
        context = self._context(soql, version, False, user)
        t = context.object(query.from_.name, query.from_.at)
        # What could not run has no columns either; compiling finds out, without reading a row.
        _ = Groups(context, t, query).sql() if is_grouped(query) else Level(context, t, query)
        return column_metadata(context, t, query)

    def parse(self, soql: str, version: float) -> Query:
        """Parse a query and check what needs no schema."""
        checks.check_length(soql, version)
        try:
            query = _parse(soql)
        except SoqlSyntaxError as error:
            raise checks.grammar(error) from None
        checks.check(query, soql, version)
        return query

    def _context(
        self, soql: str, version: float, include_deleted: bool, user: str | None
    ) -> Context:
        user_id = user or self.store.org.user.id
        row = self.store.row("User", user_id)
        zone = str(row["TimeZoneSidKey"]) if row else "GMT"
        return Context(
            schema=self.store.schema, soql=soql, version=version, user_id=user_id,
            zone_name=zone, now=self.store.clock(), include_deleted=include_deleted,
        )  # fmt: skip

    def _page(self, cursor: Cursor, offset: int, locator: str | None = None) -> Page:
        end, size = offset + cursor.batch, len(cursor.rows)
        content = self._read(cursor, cursor.rows[offset:end])
        if end >= size:
            return Page(size, True, content)
        return Page(size, False, content, f"{locator or self.locators.open(cursor)}-{end}")

    def _read(self, cursor: Cursor, rows: Rows) -> Content:
        if not rows:
            return Made([])
        key = cursor.level.key, rows if isinstance(rows, range) else rows.tobytes()
        state = self.store.connection.total_changes
        text = None if cursor.level.children else self._written.find(key, state)
        if text is not None:
            return Remembered(text)
        found = cursor.level.fetch(self.store.connection, rows)
        if not cursor.level.children:
            return Unmade(cursor.level, found, self._written, key, state)
        for child in cursor.level.children:
            self._fill(child, found, cursor)
        return Made(cursor.level.records(found))

    def _fill(self, child: ChildLevel, parents: Sequence[Sequence[Any]], cursor: Cursor) -> None:
        """Answer a child query for the parents on a page.

        A parent with more children than a page holds gets a locator of its own.
        """
        connection = self.store.connection
        groups = child.level.find_children(connection, child.children.parent_ids(parents))
        shown = [row for rows in groups.values() for row in rows[: cursor.batch]]
        inner = replace(cursor, level=child.level, rows=compact(shown))
        records = iter(self._read(inner, inner.rows).records())
        results: dict[str, object] = {}
        for parent, rows in groups.items():
            mine = Made(list(islice(records, min(len(rows), cursor.batch))))
            page = self._child_page(replace(inner, rows=compact(rows)), mine)
            results[parent] = page.value(cursor.version)
        child.children.results = results

    def _child_page(self, cursor: Cursor, content: Made) -> Page:
        size = len(cursor.rows)
        if size <= cursor.batch:
            return Page(size, True, content)
        return Page(size, False, content, f"{self.locators.open(cursor)}-{cursor.batch}")


@lru_cache(_PARSED)
def _parse(soql: str) -> Query:
    return parse(soql)
