"""The clients that are compared, each used as its documentation shows.

Every one gets the answer to the same GET and decodes it. What a client does beside that, such as
looking for dead tokens or for errors, is what its users get and pay for.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from benchmarks.clients import HEADERS, PATH, Fetch, bare, ours

VERSION: Final = "60.0"
"""Of the API; the newest that every client takes."""

ASYNC_SIMPLE: Final = "BENCHMARKS_ASYNC_SIMPLE_SALESFORCE"
"""Names the folder of async-simple-salesforce, whose package has simple-salesforce's name."""

Opened = Callable[..., AbstractAsyncContextManager[Fetch]]


@dataclass(frozen=True, slots=True)
class Client:
    """One way to make calls.

    Attributes:
        name: As the report calls it.
        needs: The module that must be there.
        connect: Opens it for a base URL, a number of connections and a CA file.
        in_flight: How many calls at once it is measured with; fewer where each takes long.
        threads: It blocks, and runs in this many threads.
        uvloop: It runs on that loop.
        tls: It can be told whom to trust.
    """

    name: str
    needs: str
    connect: Opened
    in_flight: tuple[int, ...] = (1, 8, 64, 128, 512)
    threads: bool = False
    uvloop: bool = False
    tls: bool = True

    @property
    def is_there(self) -> bool:
        """Whether it, and what it runs on, is installed."""
        return is_there(self.needs) and (not self.uvloop or find_spec("uvloop") is not None)


def is_there(module: str) -> bool:
    """Whether a client's module can be imported, or its folder has been named."""
    if module == ASYNC_SIMPLE:
        return bool(os.environ.get(ASYNC_SIMPLE)) and find_spec("httpx") is not None
    return find_spec(module) is not None


@asynccontextmanager
async def httpx_alone(
    base_url: str, *, connections: int, ca_file: str | None = None
) -> AsyncIterator[Fetch]:
    """The least that a program on httpx would do."""
    import httpx
    import msgspec

    async with httpx_client(connections, ca_file) as client:
        url = httpx.URL(base_url + PATH)

        async def fetch() -> Any:
            return msgspec.json.decode((await client.get(url, headers=HEADERS)).content)

        yield fetch


def httpx_client(connections: int, ca_file: str | None, **options: Any) -> Any:
    """A client that may use and keep so many connections, and waits for them without limit."""
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    timeout = httpx.Timeout(60.0, pool=None)
    verify = ssl.create_default_context(cafile=ca_file)
    return httpx.AsyncClient(limits=limits, timeout=timeout, verify=verify, **options)


@asynccontextmanager
async def aiosalesforce(
    base_url: str, *, connections: int, ca_file: str | None = None
) -> AsyncIterator[Fetch]:
    """Limits, by aiosalesforce."""
    from aiosalesforce import Salesforce

    async with httpx_client(connections, ca_file) as client:
        sf = Salesforce(
            client,
            base_url="https://acme.my.salesforce.com",
            auth=fixed_token(),
            version=VERSION,
            concurrency_limit=connections,
        )
        # Its setter takes hosts of Salesforce only.
        sf._Salesforce__base_url = base_url
        yield sf.get_limits


def fixed_token() -> Any:
    """A login of aiosalesforce that costs nothing."""
    from aiosalesforce.auth import Auth

    async def acquire(_self: object, _client: object) -> str:
        return "x"

    return type("FixedToken", (Auth,), {"_acquire_new_access_token": acquire})()


@contextmanager
def async_simple_importable() -> Iterator[None]:
    """Let ``import simple_salesforce`` find the other distribution that calls itself so."""
    sys.path.insert(0, os.environ[ASYNC_SIMPLE])
    try:
        yield
    finally:
        sys.path.pop(0)


@asynccontextmanager
async def async_simple_salesforce(
    base_url: str,
    *,
    connections: int,  # it makes a connection for each call
    ca_file: str | None = None,  # and cannot be told whom to trust
) -> AsyncIterator[Fetch]:
    """Limits, by async-simple-salesforce."""
    with async_simple_importable():
        from simple_salesforce.aio import build_async_salesforce_client

    sf = await build_async_salesforce_client(
        session_id="x", instance_url="https://acme.my.salesforce.com", version=VERSION
    )
    sf.base_url = f"{base_url}/services/data/v{VERSION}/"
    yield sf.limits


@asynccontextmanager
async def simple_salesforce(
    base_url: str, *, connections: int, ca_file: str | None = None
) -> AsyncIterator[Fetch]:
    """Limits, by simple-salesforce; the function blocks."""
    requests: Any = import_module("requests")
    from simple_salesforce import Salesforce

    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections)
        session.mount(base_url, adapter)
        session.verify = ca_file or True
        session.trust_env = False
        sf = Salesforce(
            session_id="x",
            instance_url="https://acme.my.salesforce.com",
            version=VERSION,
            session=session,
        )
        sf.base_url = f"{base_url}/services/data/v{VERSION}/"
        yield sf.limits


CLIENTS: Final = (
    Client("bare aiohttp", "aiohttp", bare),
    Client("sfconnect", "sfconnect", ours),
    Client("sfconnect, uvloop", "sfconnect", ours, uvloop=True),
    Client("bare httpx", "httpx", httpx_alone, in_flight=(1, 8, 64, 128)),
    Client("aiosalesforce", "aiosalesforce", aiosalesforce, in_flight=(1, 8, 64, 128)),
    Client(
        "async-simple-salesforce",
        ASYNC_SIMPLE,
        async_simple_salesforce,
        in_flight=(1, 8),
        tls=False,
    ),
    Client(
        "simple-salesforce, 1 thread",
        "simple_salesforce",
        simple_salesforce,
        in_flight=(1,),
        threads=True,
    ),
    Client(
        "simple-salesforce, 16 threads",
        "simple_salesforce",
        simple_salesforce,
        in_flight=(16,),
        threads=True,
    ),
)
BY_NAME: Final = {client.name: client for client in CLIENTS}
