"""A cluster: whatever node the URL names, the one that has the limit is asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from sfconnect.errors import ConfigurationError
from sfconnect.limits import LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.book import book_name
from sfconnect_limits_redis.pace import PacedSlots
from sfconnect_limits_redis.refusals import moved_to

BUDGET = 4
KEY = book_name("test")
ALL_SLOTS = 16384

pytestmark = pytest.mark.timeout(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """Nodes that know each other; the slots of a cluster are divided among them."""

    def __init__(self, nodes: list[Any], bus_ports: list[int]) -> None:
        self.nodes = nodes
        self._bus_ports = bus_ports
        self.clients: list[Any] = [Redis.from_url(node.url) for node in nodes]
        self.ids = [client.execute_command("CLUSTER MYID").decode() for client in self.clients]
        (self.slot,) = {client.execute_command("CLUSTER KEYSLOT", KEY) for client in self.clients}

    def begin(self, masters: int) -> None:
        share = ALL_SLOTS // masters
        for number, client in enumerate(self.clients[:masters]):
            last = ALL_SLOTS - 1 if number == masters - 1 else (number + 1) * share - 1
            client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
        for number, client in enumerate(self.clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(self.nodes, self._bus_ports, strict=True):
            self.clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)

    def is_well(self) -> bool:
        def well(client: Any) -> bool:
            info = client.execute_command("CLUSTER INFO")
            said = info if isinstance(info, dict) else {}
            nodes = client.execute_command("CLUSTER NODES")
            return said.get("cluster_state") == "ok" and len(nodes) == len(self.nodes)

        return all(map(well, self.clients))

    @property
    def owner(self) -> int:
        """Which node has the limit of the tests."""
        for number, client in enumerate(self.clients):
            with contextlib.suppress(RedisError):
                client.exists(KEY)
                return number
        raise AssertionError("nobody has it")

    def move_to(self, number: int) -> None:
        """Give the slot to another node, in one step, and what is in it is lost."""
        with contextlib.suppress(RedisError):
            self.clients[self.owner].delete(KEY, f"{KEY}:rate")
        for client in self.clients[number:] + self.clients[:number]:
            client.execute_command("CLUSTER SETSLOT", self.slot, "NODE", self.ids[number])

    def make_replica(self, number: int, of: int) -> None:
        """Have a node that has no slots follow another."""
        self.clients[number].execute_command("CLUSTER REPLICATE", self.ids[of])

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def cluster(serve: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    made: list[Cluster] = []

    async def begin(count: int, masters: int | None = None) -> Cluster:
        nodes, bus_ports = [], [free_port() for _ in range(count)]
        for number, bus in enumerate(bus_ports):
            folder = tmp_path / str(number)
            folder.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
            nodes.append(serve(*options, "--dir", str(folder)))
        cluster = Cluster(nodes, bus_ports)
        made.append(cluster)
        cluster.begin(masters or count)
        async with asyncio.timeout(20):
            while not cluster.is_well():  # noqa: ASYNC110  # of processes
                await asyncio.sleep(0.05)
        return cluster

    yield begin
    for one in made:
        one.close()


Open = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    made: list[PacedSlots] = []

    async def opening(url: str, **options: Any) -> PacedSlots:
        given = {"redis_timeout_s": 0.5, "redis_lease_s": 1.5, **options}
        limiter = RedisLimiter(url, BUDGET, redis_max_per_second=500.0, **given)
        limited = await limiter.open(LimiterContext("test"))
        assert isinstance(limited, PacedSlots)
        made.append(limited)
        return limited

    yield opening
    for one in made:
        await one.aclose()


async def take(limiter: PacedSlots, count: int) -> None:
    async with asyncio.timeout(10):
        for _ in range(count):
            await limiter.acquire("rest")


def give(limiter: PacedSlots, count: int) -> None:
    for _ in range(count):
        limiter.release("rest", 0.1, None)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110  # of a task that tells nobody
            await asyncio.sleep(0.01)


async def test_a_cluster_of_one_node_keeps_a_limit(cluster: Any, opened: Open) -> None:
    nodes = await cluster(1)
    one, other = [await opened(nodes.nodes[0].url) for _ in range(2)]

    await take(one, BUDGET)
    waiter = asyncio.create_task(other.acquire("rest"))
    await asyncio.sleep(0.1)
    assert not waiter.done()
    give(one, 1)
    await asyncio.wait_for(waiter, 5)

    assert one.inner.problem is other.inner.problem is None
    give(one, BUDGET - 1)
    give(other, 1)


async def test_whatever_node_is_named_the_limit_is_the_same_and_wakes_come_through(
    cluster: Any, opened: Open
) -> None:
    nodes = await cluster(3)
    limiters = [await opened(node.url, redis_lease_s=60.0) for node in nodes.nodes]
    await take(limiters[0], BUDGET)
    waiters = [asyncio.create_task(one.acquire("rest")) for one in limiters[1:]]
    await asyncio.sleep(0.3)
    assert not any(waiter.done() for waiter in waiters)

    give(limiters[0], 2)

    await asyncio.wait_for(asyncio.gather(*waiters), 5)
    assert sum(limiter.inner.in_flight for limiter in limiters) == BUDGET
    give(limiters[0], 2)
    give(limiters[1], 1)
    give(limiters[2], 1)


async def test_a_slot_that_moves_to_another_node_is_followed(cluster: Any, opened: Open) -> None:
    nodes = await cluster(3)
    limiter = await opened(nodes.nodes[nodes.owner].url)
    await take(limiter, 2)

    nodes.move_to((nodes.owner + 1) % 3)

    await asyncio.sleep(2.5)  # the lease has been renewed there, more than once
    assert limiter.inner.problem is None
    give(limiter, 2)
    await take(limiter, BUDGET)
    assert nodes.clients[nodes.owner].exists(KEY)
    give(limiter, BUDGET)


async def test_when_the_node_that_was_followed_is_gone_the_named_one_is_asked_again(
    cluster: Any, opened: Open
) -> None:
    nodes = await cluster(3)
    gone = nodes.owner
    named, heir = [number for number in range(3) if number != gone]
    limiter = await opened(nodes.nodes[named].url)
    await take(limiter, 1)
    give(limiter, 1)

    nodes.nodes[gone].stop()
    await until(lambda: limiter.inner.problem)
    for number in (heir, named):  # as an operator does who has no replica
        client = nodes.clients[number]
        client.execute_command("CLUSTER SETSLOT", nodes.slot, "NODE", nodes.ids[heir])
        client.config_set("cluster-require-full-coverage", "no")

    await until(lambda: limiter.inner.problem is None)
    await take(limiter, BUDGET)
    assert nodes.clients[heir].exists(KEY)
    give(limiter, BUDGET)


async def test_a_replica_that_takes_over_knows_who_holds_what(cluster: Any, opened: Open) -> None:
    nodes = await cluster(3, masters=2)
    master, replica = nodes.owner, 2
    named = 1 - master
    nodes.make_replica(replica, master)
    await until(lambda: nodes.clients[replica].info("replication")["master_link_status"] == "up")
    one = await opened(nodes.nodes[named].url, redis_lease_s=10.0)
    other = await opened(nodes.nodes[named].url, redis_lease_s=10.0)
    await take(one, BUDGET - 1)
    await until(lambda: nodes.clients[replica].dbsize() == 2)

    nodes.nodes[master].stop()
    await asyncio.sleep(0.3)
    nodes.clients[replica].execute_command("CLUSTER FAILOVER", "TAKEOVER")
    nodes.clients[named].config_set("cluster-require-full-coverage", "no")
    waiters = [asyncio.create_task(other.acquire("rest")) for _ in range(BUDGET)]
    await until(lambda: other.inner.in_flight)
    await asyncio.sleep(1.0)

    assert (one.inner.in_flight, other.inner.in_flight) == (BUDGET - 1, 1)
    assert one.inner.problem is other.inner.problem is None
    give(one, BUDGET - 1)
    await asyncio.wait_for(asyncio.gather(*waiters), 10)
    give(other, BUDGET)


async def test_a_cluster_that_has_no_owner_for_it_is_only_away(
    cluster: Any, opened: Open, serve: Callable[..., Any], tmp_path: Path
) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    alone = serve(*options)

    limiter = await opened(alone.url)

    assert limiter.inner.problem in {"ClusterDownError", "CLUSTERDOWN"}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("MOVED 3999 10.0.0.7:6380", ("10.0.0.7", 6380)),
        ("MOVED 3999 fe80::1:6380", ("fe80::1", 6380)),
        ("MOVED 3999 :6380", ("", 6380)),
        ("MOVED 3999", None),
        ("MOVED 3999 host:no", None),
        ("ERR MOVED 1 host:1", None),
    ],
)
def test_the_place_is_read_where_the_client_leaves_it_as_text(
    text: str, address: tuple[str, int] | None
) -> None:
    assert moved_to(ResponseError(text)) == address


async def test_nodes_that_send_a_question_round_are_as_good_as_away(opened: Open) -> None:
    async def send_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        with contextlib.suppress(OSError):
            while said := await reader.read(65536):
                commands = len(re.findall(rb"^\*\d+\r$", said, re.MULTILINE))
                writer.write(f"-MOVED 1 :{port}\r\n".encode() * commands)
        writer.close()

    async with await asyncio.start_server(send_on, "127.0.0.1", 0) as server:
        limiter = await opened(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")

        assert limiter.inner.problem == "MOVED"
        await limiter.aclose()


async def test_there_is_no_database_but_the_first(cluster: Any) -> None:
    nodes = await cluster(1)
    url = nodes.nodes[0].url.removesuffix("/0") + "/20"

    with pytest.raises(ConfigurationError) as caught:
        await RedisLimiter(url, BUDGET).open(LimiterContext("test"))

    assert "no database but 0" in str(caught.value.hint)
