"""An org that lives in memory: describes and pages as the API writes them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from sfconnect.errors import NotFoundError
from sfconnect.instrumentation import Event
from sfconnect.messages import Response


def field_of(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    """One field of a describe, as far as an extract looks at it."""
    return {"name": name, "type": type_, **more}


def describe_of(
    name: str, *fields: Mapping[str, Any] | str, queryable: bool = True
) -> dict[str, Any]:
    entries = [field_of(f) if isinstance(f, str) else f for f in fields]
    return {"name": name, "queryable": queryable, "fields": entries}


def page_of(
    rows: Sequence[Mapping[str, Any]], *, total: int | None = None, next_: str | None = None
) -> bytes:
    """One page; ``attributes`` come first, as the API sends them."""
    attributes = {"type": "Thing", "url": "/services/data/v68.0/sobjects/Thing/001"}
    body: dict[str, Any] = {
        "totalSize": len(rows) if total is None else total,
        "done": next_ is None,
        "records": [{"attributes": attributes, **row} for row in rows],
    }
    if next_ is not None:
        body["nextRecordsUrl"] = next_
    return json.dumps(body, ensure_ascii=False).encode()


Step = bytes | Exception | Callable[[], Awaitable[None]]


@dataclass
class FakeOrg:
    """Answers ``describe`` and ``query``; each query of an object plays its next script.

    A script is a list of pages; an exception in it is raised, a function is awaited.
    """

    describes: dict[str, dict[str, Any]] = field(default_factory=dict)
    scripts: dict[str, list[list[Step]]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    surfaces: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    open_streams: int = 0

    def add(self, describe: dict[str, Any], *scripts: Iterable[Step]) -> FakeOrg:
        self.describes[describe["name"].lower()] = describe
        self.scripts[describe["name"]] = [list(script) for script in scripts]
        return self

    def emit(self, event: Event, /) -> None:
        self.events.append(event)

    def sobject(self, name: str, /) -> FakeObject:
        return FakeObject(self, name)

    def query(self, soql: str, /, *, surface: str = "query") -> FakeQuery:
        self.queries.append(soql)
        self.surfaces.append(surface)
        return FakeQuery(self, self.scripts[soql.split(" FROM ")[1].split(maxsplit=1)[0]].pop(0))

    async def describe_global(self) -> dict[str, Any]:
        return {"sobjects": [{"name": one["name"]} for one in self.describes.values()]}


@dataclass
class FakeObject:
    org: FakeOrg
    name: str

    async def describe(self) -> dict[str, Any]:
        if self.name.lower() not in self.org.describes:
            raise NotFoundError("The requested resource does not exist", code="NOT_FOUND")
        return self.org.describes[self.name.lower()]


@dataclass
class FakeQuery:
    org: FakeOrg
    script: list[Step]

    async def responses(self) -> AsyncGenerator[Response, None]:
        self.org.open_streams += 1
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, bytes):
                    yield Response(200, {}, step)
                else:
                    await step()
        finally:
            self.org.open_streams -= 1


@pytest.fixture
def org() -> FakeOrg:
    return FakeOrg()
