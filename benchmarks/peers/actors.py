"""The clients as they log in and write, for what is counted on the server's side.

Each gives two functions, one that reads the limits and one that creates an account. The
server is an emulator, or for creating one that never answers; both are on loopback, where two of
the clients have to be led by a door.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

from benchmarks.peers.clients import (
    ASYNC_SIMPLE,
    VERSION,
    async_simple_importable,
    fixed_token,
    httpx_client,
)
from benchmarks.peers.doors import HttpxDoor, RequestsDoor
from sfconnect import AccessToken, ClientCredentials, Salesforce

RECORD: Final = {"Name": "Acme"}
Act = Callable[[], Awaitable[Any]]
#: Options for a login: of the emulator, or only the URL, and then with a token that is there.
Login = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Actions:
    """What a client that is open can be asked to do."""

    limits: Act
    create: Act


@dataclass(frozen=True, slots=True)
class Actor:
    """A client with a login; ``callers`` is how many call at once."""

    name: str
    needs: str
    connect: Callable[[Login, int], AbstractAsyncContextManager[Actions]]
    callers: int = 500


@asynccontextmanager
async def ours(login: Login, callers: int) -> AsyncIterator[Actions]:
    """sfconnect, by client credentials."""
    auth: Any = AccessToken(instance_url=login["login_url"], access_token="x")
    if "client_id" in login:
        auth = ClientCredentials(login["login_url"], login["client_id"], login["client_secret"])
    async with Salesforce.connect(auth, max_connections=callers) as sf:

        async def limits() -> object:
            return await sf.limits()

        async def create() -> object:
            return await sf.sobject("Account").create(RECORD)

        yield Actions(limits, create)


@asynccontextmanager
async def aiosalesforce(login: Login, callers: int) -> AsyncIterator[Actions]:
    """aiosalesforce, by client credentials."""
    from aiosalesforce import Salesforce as Theirs
    from aiosalesforce.auth import ClientCredentialsFlow

    auth = fixed_token()
    if "client_id" in login:
        auth = ClientCredentialsFlow(login["client_id"], login["client_secret"])
    async with httpx_client(callers, None) as client:
        sf = Theirs(
            client,
            base_url="https://acme.my.salesforce.com",
            auth=auth,
            version=VERSION,
            concurrency_limit=callers,
        )
        sf._Salesforce__base_url = login["login_url"]
        yield Actions(sf.get_limits, partial(sf.sobject.create, "Account", RECORD))


@asynccontextmanager
async def async_simple_salesforce(login: Login, _: int) -> AsyncIterator[Actions]:
    """async-simple-salesforce, by client credentials; it opens a client for each call."""
    import httpx

    with async_simple_importable():
        from simple_salesforce.aio.api import AsyncSalesforce
        from simple_salesforce.aio.login import AsyncSalesforceLogin

    def session() -> Any:
        door = HttpxDoor(login["login_url"], httpx.AsyncHTTPTransport())
        return httpx.AsyncClient(transport=door, timeout=60.0)

    again = partial(
        AsyncSalesforceLogin,
        session_factory=session,
        consumer_key=login.get("client_id"),
        consumer_secret=login.get("client_secret"),
        domain="acme.my",
    )
    token, instance = await again() if "client_id" in login else ("x", "acme.my.salesforce.com")
    sf = AsyncSalesforce(
        version=VERSION,
        session_factory=session,
        domain="acme.my",
        auth_type="client-credentials",
        session_id=token,
        sf_instance=instance,
        login_refresh=again,
    )
    yield Actions(sf.limits, partial(sf.Account.create, RECORD))


@asynccontextmanager
async def simple_salesforce(login: Login, callers: int) -> AsyncIterator[Actions]:
    """simple-salesforce, by client credentials, in threads."""
    requests: Any = import_module("requests")
    from simple_salesforce import Salesforce as Theirs

    known = {"session_id": "x", "instance_url": "https://acme.my.salesforce.com"}
    if "client_id" in login:
        known = {"consumer_key": login["client_id"], "consumer_secret": login["client_secret"]}
    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=callers)
        session.mount("https://", RequestsDoor(login["login_url"], adapter))
        session.trust_env = False
        make = partial(Theirs, version=VERSION, domain="acme.my", session=session, **known)
        sf = await asyncio.to_thread(make)
        yield Actions(
            partial(asyncio.to_thread, sf.limits),
            partial(asyncio.to_thread, sf.Account.create, RECORD),
        )


ACTORS: Final = (
    Actor("sfconnect", "sfconnect", ours),
    Actor("aiosalesforce", "aiosalesforce", aiosalesforce),
    Actor("async-simple-salesforce", ASYNC_SIMPLE, async_simple_salesforce, callers=100),
    Actor("simple-salesforce, 16 threads", "simple_salesforce", simple_salesforce, callers=16),
)
ACTOR_BY_NAME: Final = {actor.name: actor for actor in ACTORS}
