"""One pool for many orgs, over sockets: no org starves another, and each is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from aiohttp import web

from sfconnect import Connector, RetryPolicy
from sfconnect.errors import ConnectError, SfConnectError
from sfconnect.limits import FixedLimiter
from sfconnect.messages import Request
from sfconnect.retry import RetryBudget
from sfconnect.testing import ScriptedStrategy
from sfconnect.transport import ConnectionPool


class Org:
    """Notes who came, in order, and answers one request each time it is let to."""

    def __init__(self, name: str, arrivals: list[str]) -> None:
        self.name = name
        self.arrivals = arrivals
        self.status = 200
        self.gate = asyncio.Semaphore(0)
        app = web.Application()
        app.router.add_get("/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)

    async def __aenter__(self) -> Org:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.arrivals.append(f"{self.name}/{request.match_info['name']}")
        await self.gate.acquire()
        return web.Response(status=self.status)

    def get(self, name: str, surface: str = "rest") -> Request:
        return Request("GET", f"{self.url}/{name}", surface=surface)


@pytest.fixture
async def orgs() -> AsyncIterator[tuple[Org, Org]]:
    arrivals: list[str] = []
    async with Org("stormy", arrivals) as stormy, Org("calm", arrivals) as calm:
        yield stormy, calm


async def until(condition) -> None:
    # Nothing announces that a line has grown.
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_a_storm_of_one_org_does_not_starve_the_few_calls_of_another(orgs):
    stormy, calm = orgs
    for org in orgs:
        org.gate = asyncio.Semaphore(10_000)

    async with ConnectionPool(max_connections=20) as pool:
        storm = [asyncio.create_task(pool.send(stormy.get(f"{n}"))) for n in range(5_000)]
        await until(lambda: pool.stats().requests_waiting > 4_000)
        before = sum(task.done() for task in storm)
        await asyncio.gather(*(pool.send(calm.get(f"{n}")) for n in range(10)))
        meanwhile = sum(task.done() for task in storm) - before
        for task in storm:
            task.cancel()
        await asyncio.gather(*storm, return_exceptions=True)

    assert meanwhile < 200


async def test_each_freed_connection_goes_to_the_orgs_in_turn(orgs):
    stormy, calm = orgs
    async with ConnectionPool(max_connections=1) as pool:
        sent = [asyncio.create_task(pool.send(stormy.get(f"{n}"))) for n in range(4)]
        await until(lambda: pool.stats().requests_waiting == 3)
        sent += [asyncio.create_task(pool.send(calm.get(f"{n}"))) for n in range(2)]
        sent += [asyncio.create_task(pool.send(stormy.get("login", surface="auth")))]
        await until(lambda: pool.stats().requests_waiting == 6)
        waiting = {url: host.requests_waiting for url, host in pool.stats().hosts.items()}
        for org in orgs:
            for _ in range(5):
                org.gate.release()
        await asyncio.gather(*sent)

    assert waiting == {stormy.url: 4, calm.url: 2}
    assert stormy.arrivals == [
        "stormy/0",
        "stormy/1",
        "calm/0",
        "stormy/login",
        "stormy/2",
        "calm/1",
        "stormy/3",
    ]


async def test_an_org_that_stalls_leaves_connections_for_the_others(orgs):
    stormy, calm = orgs
    calm.gate = asyncio.Semaphore(1_000)

    async with ConnectionPool(max_connections=20) as pool:
        await pool.send(calm.get("first"))  # from here on the pool knows that there are two
        storm = [asyncio.create_task(pool.send(stormy.get(f"{n}"))) for n in range(5_000)]
        await until(lambda: pool.stats().requests_waiting > 4_900)
        stalled = pool.stats().hosts[stormy.url].requests_in_flight
        async with asyncio.timeout(10):
            for n in range(50):
                await pool.send(calm.get(f"{n}"))
        login = asyncio.create_task(pool.send(stormy.get("login", surface="auth")))
        await until(lambda: "stormy/login" in stormy.arrivals)  # nor does its own storm hold it up
        ended = sum(task.done() for task in storm)
        await end([*storm, login], stormy)

    assert (stalled, ended) == (18, 0)


@pytest.mark.parametrize("keep_room", [True, False])
async def test_room_is_kept_once_there_are_two_orgs_unless_nobody_wants_it(orgs, keep_room):
    stormy, calm = orgs
    calm.gate.release()

    async with ConnectionPool(max_connections=20, keep_room=keep_room) as pool:
        before = await in_flight(pool, stormy)
        await pool.send(calm.get("first"))
        after = await in_flight(pool, stormy)

    assert (before, after) == (20, 18 if keep_room else 20)


async def in_flight(pool: ConnectionPool, org: Org) -> int:
    storm = [asyncio.create_task(pool.send(org.get(f"{n}"))) for n in range(30)]
    await until(lambda: sum(host.requests_waiting for host in pool.stats().hosts.values()) >= 10)
    found = pool.stats().requests_in_flight
    await end(storm, org)
    return found


@pytest.mark.parametrize("hosts", [1, 2])
async def test_a_connections_own_pool_keeps_nothing_back(orgs, hosts):
    stormy, calm = orgs
    calm.gate.release()
    async with Connector.connect(
        ScriptedStrategy(login_s=0.0, instance_url=stormy.url),
        base_url=stormy.url,
        max_connections=20,
    ) as api:
        session: Any = api._session
        pool = session._transport
        if hosts == 2:
            await pool.send(calm.get("elsewhere"))
        calls = [asyncio.create_task(api.get(f"/{n}").send()) for n in range(30)]
        await until(lambda: len(stormy.arrivals) >= 20 + (hosts - 1))
        found = pool.stats().requests_in_flight
        await end(calls, stormy)

    assert found == 20


async def test_ten_orgs_of_which_one_storms_stalls_and_retries():
    """Turns are counted, not time: each step frees one connection of the storm's."""
    arrivals: list[str] = []
    async with AsyncExitStack() as stack:
        orgs = [await stack.enter_async_context(Org(f"{n}", arrivals)) for n in range(10)]
        stormy, *others = orgs
        stormy.status = 503
        pool = await stack.enter_async_context(ConnectionPool(max_connections=10))
        for org in others:
            org.gate.release()
            await pool.send(org.get("first"))
        storm = await stack.enter_async_context(impatient(stormy, pool))
        calling = [asyncio.create_task(storm.get(f"/{n}").send()) for n in range(5_000)]
        await until(lambda: pool.stats().requests_waiting > 4_900)
        assert begun(pool, stormy) == 9

        single = [asyncio.create_task(pool.send(org.get("single"))) for org in others]
        await until(lambda: pool.stats().requests_waiting > 4_998)
        assert [begun(pool, org) for org in others] == [2, *8 * [1]]  # one connection was left

        for step in range(1, 10):
            stormy.gate.release()
            await until(lambda step=step: pool.stats().requests_num == 9 + 9 + 1 + step)
        # Nine turns, of which one was the storm's; those that ended stand in line again.
        assert [begun(pool, org) for org in others] == 9 * [2]
        assert begun(pool, stormy) == 10
        assert sum(storm.stats().retries.values()) == 9

        for org in others:
            org.gate.release()
        await asyncio.gather(*single)
        await end(calling, stormy)


def impatient(org: Org, pool: ConnectionPool) -> Connector:
    """A connection that has no bound of its own, and repeats at once whatever fails."""
    return Connector.connect(
        ScriptedStrategy(login_s=0.0, instance_url=org.url),
        base_url=org.url,
        transport=pool,
        limiter=FixedLimiter(10_000),
        retry=RetryPolicy(initial_s=0.0, max_s=0.0),
        budget=RetryBudget(capacity=10_000),
        circuit_breaker=False,
    )


def begun(pool: ConnectionPool, org: Org) -> int:
    return pool.stats().hosts[org.url].requests_num


async def end(tasks: list[asyncio.Task[Any]], org: Org) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in org.arrivals:
        org.gate.release()


async def test_every_host_has_its_counters(orgs):
    stormy, calm = orgs
    for org in orgs:
        org.gate = asyncio.Semaphore(100)
    calm.status = 429

    async with ConnectionPool() as pool:
        for _ in range(3):
            await pool.send(stormy.get("x"))
        await pool.send(calm.get("x"))
        async with pool.stream(calm.get("y")):
            in_flight = pool.stats().hosts[calm.url].requests_in_flight
        with pytest.raises(ConnectError):
            await pool.send(Request("GET", "http://127.0.0.1:9/"))
        with pytest.raises(ConnectError):
            async with pool.stream(Request("GET", "http://127.0.0.1:9")):
                pass
        stats = pool.stats()

    storm, quiet, nobody = (
        stats.hosts[url] for url in (stormy.url, calm.url, "http://127.0.0.1:9")
    )
    assert (storm.connections_opened, storm.connections_reused, storm.requests_num) == (1, 2, 3)
    assert (quiet.throttled, quiet.requests_num, in_flight) == (2, 2, 1)
    assert (nobody.requests_errors, nobody.connections_opened, nobody.connections_reused) == (
        2,
        0,
        0,
    )
    assert all(host.requests_in_flight == 0 for host in stats.hosts.values())
    assert f"{stormy.url}: 0 in flight, 0 waiting; 3 requests, 1 connections" in str(stats)


async def test_a_port_that_goes_without_saying_makes_no_other_host():
    """Nothing has to listen there: a request counts for its host as it begins."""
    urls = [
        "https://127.0.0.1/a",
        "https://127.0.0.1:443/b",
        "https://127.0.0.1:443",
        "http://127.0.0.1:80/",
    ]
    async with ConnectionPool(proxies_from_environment=False) as pool:
        for url in (*urls, "http://127.0.0.1/", "http://127.0.0.1:443/"):
            with suppress(SfConnectError):
                await pool.send(Request("GET", url))
        hosts = {url: host.requests_num for url, host in pool.stats().hosts.items()}

    assert hosts == {"https://127.0.0.1": 3, "http://127.0.0.1": 2, "http://127.0.0.1:443": 1}
