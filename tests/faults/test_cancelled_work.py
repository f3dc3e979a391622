"""Cancel whole pieces of work at each suspension point: logins, files, opening and closing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sfconnect import (
    ClientCredentials,
    Connector,
    RefreshToken,
    RetryPolicy,
    Salesforce,
    SfConnectError,
)
from sfconnect.auth import FileStore
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import ConnectionLostError, PoolClosed
from sfconnect.etl import extract
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Request, Response
from sfconnect.testing import RotatingTokenServer, ScriptedStrategy
from sfconnect.transport import ConnectionPool
from sfconnect_emulator import Emulator
from tests.faults.sweeping import EARLY, LATE, sweep

AT_ONCE = RetryPolicy(initial_s=0.0, max_s=0.0)


@pytest.fixture(params=[EARLY, LATE])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def settled(*, until: Callable[[], bool]) -> None:
    """Give what was cancelled the rounds of the loop that its clean-up takes."""
    async with asyncio.timeout(5):
        while not until():  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.001)


class Api(RotatingTokenServer):
    """An API beside its token endpoint; a token that was replaced is refused."""

    def token_answer(self, request):
        if request.path != "/rows":
            return super().token_answer(request)
        accepted = request.headers.get("Authorization") == f"Bearer {self.access_token}"
        return Response(200 if accepted else 401, {"Content-Type": "application/json"}, b"[]")

    access_token = ""

    def new_token(self):
        made = super().new_token()
        self.access_token = str(made["access_token"])
        return made


async def test_a_rotating_login_with_a_shared_store_loses_no_token(tmp_path: Path, when: str):
    """The refresh token is good for one use, so a lost answer would lock everybody out."""
    async with Api() as server:
        auth = RefreshToken(
            server.url, client_id="app", refresh_token=server.refresh_token, client_secret="s"
        )
        store = FileStore(tmp_path / "tokens")
        connected = Connector.connect(auth, base_url=server.url, store=store, retry=AT_ONCE)

        async with connected as api:

            async def work() -> None:
                await api.get("/rows")  # a renewal: the server has forgotten the access token
                server.access_token = "forgotten"

            async def check() -> None:
                await settled(until=lambda: not server.under_way)
                assert await api.get("/rows") == []
                assert server.reuses == 0
                server.access_token = "forgotten"

            points = await sweep(work, check, when)

        assert points == 3  # a call, its login, and the call once more
        assert server.reuses == 0
        assert not [path for path in (tmp_path / "tokens").iterdir() if "part" in path.name]


async def test_closing_at_any_point_of_a_renewal_loses_no_token(tmp_path: Path):
    """The next program finds a token in the store that the server takes."""
    async with Api() as server:
        auth = RefreshToken(
            server.url, client_id="app", refresh_token=server.refresh_token, client_secret="s"
        )
        store = FileStore(tmp_path / "tokens")

        def program() -> Connector:
            return Connector.connect(auth, base_url=server.url, store=store, retry=AT_ONCE)

        for at in range(1, 100):
            server.access_token = "forgotten"
            async with program() as api:
                points = await closed_in_login(api, at)
            async with program() as other:
                assert await other.get("/rows") == []
            assert server.reuses == 0
            if points < at:
                break

    assert at > 4


async def closed_in_login(api: Connector, at: int) -> int:
    """Close a connection when its login is at suspension point ``at``; give the points it had."""
    loop = asyncio.get_running_loop()
    points = 0
    closing: list[asyncio.Task[None]] = []

    class Watched:
        def __init__(self, work: Any) -> None:
            self._work = work

        def __await__(self) -> Generator[Any, Any, Any]:
            nonlocal points
            inner = self._work.__await__()
            thrown: BaseException | None = None
            while True:
                try:
                    waited_for = inner.throw(thrown) if thrown else inner.send(None)
                except StopIteration as end:
                    return end.value
                thrown = None
                points += 1
                if points == at:
                    closing.append(asyncio.Task(api.aclose(), loop=loop))
                try:
                    yield waited_for
                except BaseException as error:  # noqa: BLE001  # thrown into the work
                    thrown = error

    def factory(loop: asyncio.AbstractEventLoop, work: Any, **facts: Any) -> asyncio.Task[Any]:
        watched = work.__qualname__ == CredentialManager._run.__qualname__
        return asyncio.Task(awaited(Watched(work)) if watched else work, loop=loop, **facts)

    async def awaited(work: Watched) -> Any:
        return await work

    loop.set_task_factory(factory)
    try:
        async with asyncio.timeout(5):
            with suppress(SfConnectError):
                await api.get("/rows")
            for task in closing:
                await task
    finally:
        loop.set_task_factory(None)
    return points


def check_files(folder: Path) -> None:
    """Find one whole file or none, and take it away."""
    for path in folder.iterdir():
        assert path.name == "Account.jsonl"
        assert len(path.read_bytes().splitlines()) == 30
        path.unlink()


@pytest.mark.timeout(60)
async def test_an_extract_leaves_whole_files_or_none(tmp_path: Path, when: str):
    async with Emulator(rows={"Account": 30}, seed=7) as org:
        auth = ClientCredentials(org.login_url, org.client_id, org.client_secret)
        pool = ConnectionPool()
        limiter = FixedLimiter(4)
        async with pool, Salesforce.connect(auth, transport=pool, limiter=limiter) as sf:
            rows: list[int] = []

            async def work() -> None:
                report = await extract(sf, ["Account"], tmp_path, "jsonl", fields=["Id", "Name"])
                rows.append(report.rows)

            async def check() -> None:
                await settled(until=lambda: not pool.stats().requests_in_flight)
                assert (limiter.in_flight, limiter.waiting) == (0, 0)
                check_files(tmp_path)

            points = await sweep(work, check, when)

        assert points >= 5
        assert rows[-1] == 30


async def test_opening_and_closing_leave_nothing(when: str):
    """What is left of it would be found by the check that every test here has."""
    made: list[Connector] = []

    async def work() -> None:
        api = Connector.connect(
            ScriptedStrategy(), base_url="https://org.example.com", max_connections=2
        )
        made.append(api)
        async with api:
            await asyncio.sleep(0)

    async def check() -> None:
        await made[-1].aclose()  # whoever was cancelled while closing may close again
        with pytest.raises(PoolClosed):
            await made[-1].get("/rows")

    assert await sweep(work, check, when) >= 2


class Slow:
    """A transport whose answers take a few rounds of the loop, and that knows what it carries."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.sent = 0

    async def send(self, request: Request) -> Response:
        self.in_flight += 1
        self.sent += 1
        try:
            for _ in range(4):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        status = {1: 401, 2: 503}.get(self.sent, 200)
        return Response(status, {}, b"{}")

    def stream(self, request: Request):
        raise NotImplementedError

    async def aclose(self) -> None:
        return


async def test_closing_in_any_round_of_a_call_ends_the_call_with_an_error_of_ours():
    """A login, a refusal, another login, a failure and its retry are under way in some round."""
    ends: list[str] = []
    for rounds in range(1000):
        transport, limiter = Slow(), FixedLimiter(1)
        strategy = ScriptedStrategy()
        api = Connector.connect(
            strategy,
            base_url="https://org.example.com",
            transport=transport,
            limiter=limiter,
            retry=AT_ONCE,
        )
        await api.open()
        calls = [asyncio.create_task(api.get("/rows").send()) for _ in range(2)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        complete = all(call.done() for call in calls)
        await api.aclose()
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert (limiter.in_flight, limiter.waiting, transport.in_flight) == (0, 0, 0)
        for outcome in outcomes:
            assert outcome == {} or isinstance(outcome, SfConnectError), repr(outcome)
            ends.append(type(outcome).__name__)
        if complete:
            break

    assert rounds > 20
    assert "PoolClosed" in ends


async def test_closing_the_pool_in_any_round_ends_its_requests_with_an_error_of_ours():
    """Here there are sockets: a request may be connecting, sending, or reading."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        body = web.StreamResponse()
        body.content_length = 8
        await body.prepare(request)
        await body.write(b"1234")
        await asyncio.sleep(0)
        await body.write(b"5678")
        return body

    async with serving(answer) as url:
        ends: set[str] = set()
        complete = False
        for rounds in range(200):
            pool = ConnectionPool(max_connections=1, proxies_from_environment=False)
            await pool.open()
            request = Request("POST", f"{url}/rows", content=b"x" * 10_000)
            sent = [asyncio.create_task(pool.send(request)) for _ in range(2)]
            for _ in range(rounds):
                await asyncio.sleep(0)
            complete = all(one.done() for one in sent)
            await pool.aclose()
            async with asyncio.timeout(5):
                outcomes = await asyncio.gather(*sent, return_exceptions=True)
            stats = pool.stats()
            assert (stats.requests_in_flight, stats.requests_waiting) == (0, 0)
            for outcome in outcomes:
                ok = isinstance(outcome, Response | ConnectionLostError | PoolClosed)
                assert ok, repr(outcome)
                ends.add(type(outcome).__name__)
            if complete:
                break

    assert complete
    assert ends == {"Response", "ConnectionLostError", "PoolClosed"}


class serving:  # noqa: N801  # read as a verb
    """An aiohttp handler for every path, on loopback."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
