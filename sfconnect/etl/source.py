"""What an extract asks of a connection to Salesforce."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, Protocol

from sfconnect.instrumentation import Event
from sfconnect.messages import Response


class ResponseStream(Protocol):
    """Answers in their order; closing it stops the fetching."""

    def __aiter__(self) -> AsyncIterator[Response]:
        """Iterate."""
        ...

    async def aclose(self) -> None:
        """Stop."""
        ...


class QuerySource(Protocol):
    """A query that has not been sent."""

    def responses(self) -> ResponseStream:
        """Iterate over the answers, one per page, a few fetched ahead."""
        ...


class ObjectSource(Protocol):
    """One object of the org."""

    def describe(self) -> Awaitable[Mapping[str, Any]]:
        """Ask for its fields."""
        ...


class Source(Protocol):
    """The part of :class:`~sfconnect.salesforce.client.Salesforce` that an extract uses."""

    def query(self, soql: str, /, *, surface: str = ...) -> QuerySource:
        """Prepare a query."""
        ...

    def sobject(self, name: str, /) -> ObjectSource:
        """Name an object."""
        ...

    def describe_global(self) -> Awaitable[Mapping[str, Any]]:
        """Ask for all objects."""
        ...

    def emit(self, event: Event, /) -> None:
        """Tell whoever listens to the connection how far an extract is."""
        ...
