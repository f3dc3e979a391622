"""An org at hand: rows and queries as its administrator, without HTTP and without a loop.

For tests of the org itself, and for looking around in one from a prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.org import Org
from sfconnect_emulator.data.render import Record
from sfconnect_emulator.data.seed import seed
from sfconnect_emulator.data.store import Store
from sfconnect_emulator.schema import standard_schema
from sfconnect_emulator.soql.engine import QueryEngine


class Desk:
    """One org with its store, its query engine and its clock."""

    def __init__(self, store: Store, clock: Clock, *, version: float = 68.0) -> None:
        self.store = store
        self.clock = clock
        self.version = version
        self.engine = QueryEngine(store)
        self.user_id = store.org.user.id

    @classmethod
    def open(
        cls,
        number: int = 7,
        counts: Mapping[str, int] | None = None,
        *,
        clock: Clock | None = None,
        path: str | Path | None = None,
    ) -> Desk:
        """Open the org of a seed, with as many generated rows as ``counts`` asks for."""
        clock = clock or Clock()
        store = Store(standard_schema(), path=path, org=Org.from_seed(number), clock=clock.now)
        if counts:
            seed(store, counts, seed=number)
        return cls(store, clock)

    def create(self, object_name: str, **values: object) -> str:
        """Create a row and return its id."""
        return self.store.create(object_name, values, user_id=self.user_id)

    def update(self, object_name: str, record_id: str, **values: object) -> None:
        """Change a row."""
        self.store.update(object_name, record_id, values, user_id=self.user_id)

    def delete(self, object_name: str, record_id: str) -> None:
        """Put a row into the recycle bin."""
        self.store.delete(object_name, record_id, user_id=self.user_id)

    def upsert(
        self, object_name: str, field: str, value: object, **values: object
    ) -> tuple[str, bool]:
        """Create or update a row by external id; return its id and whether it is new."""
        return self.store.upsert(object_name, field, value, values, user_id=self.user_id)

    def row(self, object_name: str, record_id: str, *fields: str) -> Record:
        """Return a row without its attributes; all fields unless some are named."""
        found = self.store.retrieve(object_name, record_id, fields or None, version=self.version)
        return {name: value for name, value in found.items() if name != "attributes"}

    def query(self, soql: str, **options: Any) -> list[Record]:
        """Return the records of a query's first page."""
        return self.engine.run(soql, version=self.version, **options).records

    def values(self, soql: str, **options: Any) -> list[Any]:
        """Return the first column of a query's first page."""
        return [next(iter(plain(record).values())) for record in self.query(soql, **options)]

    def refusal(self, soql: str, **options: Any) -> ApiError:
        """Return the error with which a query is refused."""
        return refused(lambda: self.query(soql, **options))


def plain(value: Any) -> Any:
    """Return a record, or several, without attributes, also without those of inner records."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "attributes"}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def refused(call: Callable[[], object]) -> ApiError:
    """Return the error with which a call is refused.

    Raises:
        AssertionError: It is not refused.
    """
    try:
        answer = call()
    except ApiError as error:
        return error
    raise AssertionError(f"not refused, but answered: {answer!r}")
