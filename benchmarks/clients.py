"""The two clients that are compared: bare aiohttp, and sfconnect over the same kind of session."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from sfconnect import AccessToken, Salesforce

#: Sends one GET, reads and decodes the answer.
Fetch = Callable[[], Awaitable[Any]]

PATH = "/services/data/v68.0/limits"
HEADERS = {"Authorization": "Bearer x", "Accept": "application/json"}


@asynccontextmanager
async def bare(
    base_url: str, *, connections: int = 100, ca_file: str | None = None
) -> AsyncIterator[Fetch]:
    """The least that a program on aiohttp would do: GET, read, decode."""
    trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
    connector = aiohttp.TCPConnector(limit=connections, ssl=trust)
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=cookies) as session:
        url = base_url + PATH

        async def fetch() -> Any:
            async with session.get(url, headers=HEADERS) as response:
                return msgspec.json.decode(await response.read())

        yield fetch


@asynccontextmanager
async def salesforce(
    base_url: str, *, connections: int = 100, ca_file: str | None = None
) -> AsyncIterator[Salesforce]:
    """The client as a user gets it, but for a token that needs no login."""
    auth = AccessToken(instance_url=base_url, access_token="x")
    options: dict[str, Any] = {"ca_file": ca_file} if ca_file else {}
    async with Salesforce.connect(auth, max_connections=connections, **options) as client:
        yield client


@asynccontextmanager
async def ours(
    base_url: str, *, connections: int = 100, ca_file: str | None = None
) -> AsyncIterator[Fetch]:
    """The same GET through the client, with credentials, limiter, retry and events in its way."""
    async with salesforce(base_url, connections=connections, ca_file=ca_file) as client:

        async def fetch() -> Any:
            return await client.request("GET", PATH)

        yield fetch
