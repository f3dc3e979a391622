"""The book: never more than the budget, shared fairly, freed when a holder dies."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from sfconnect import Secret
from sfconnect.errors import ConfigurationError
from sfconnect.limits import Lane
from sfconnect_limits_redis.book import (
    NEW,
    SCRIPT,
    Answer,
    Book,
    Grant,
    Need,
    Terms,
    book_name,
    holder_name,
    question,
)
from sfconnect_limits_redis.refusals import UnreachableError
from sfconnect_limits_redis.server import Server
from sfconnect_limits_redis.times import Schedule

ALL = "*"
NAME = book_name("test")


class Holder:
    """A process as the book sees it; it does as it is told, at once."""

    def __init__(self, url: str, name: str, terms: Terms, scope: str = "test") -> None:
        self.book = Book(Server(Secret(url), timeout_s=5), scope, name)
        self.terms = terms
        self.held: dict[str, int] = {}
        self.began = NEW

    async def ask(
        self, wanted: int = 0, *, keep: int | None = None, lane: str = ALL, leaving: bool = False
    ) -> Grant:
        """Ask for one lane, keeping what is held of all of them."""
        kept = self.held.get(lane, 0) if keep is None else keep
        needs = {name: Need(slots, slots) for name, slots in self.held.items()}
        needs[lane] = Need(kept, wanted)
        answer = await self.tell(needs, leaving=leaving)
        return answer.grants[lane]

    async def tell(self, needs: Mapping[str, Need], *, leaving: bool = False) -> Answer:
        answer = await self.book.ask(self.terms, needs, book=self.began, leaving=leaving)
        self.held = {name: grant.slots for name, grant in answer.grants.items()}
        self.began = answer.book
        return answer


Make = Callable[..., Holder]


@pytest.fixture
async def holder(url: str) -> AsyncIterator[Make]:
    made: list[Holder] = []

    def make(
        name: str,
        budget: int = 10,
        lease_s: float = 30,
        *,
        scope: str = "test",
        turn_s: float = 3600,
        lanes: Mapping[str, Lane] | None = None,
    ) -> Holder:
        terms = Terms(budget, lanes or {}, lease_s, turn_s)
        made.append(Holder(url, name, terms, scope))
        return made[-1]

    yield make
    for one in made:
        await one.book.aclose()


async def test_one_holder_gets_what_it_wants_up_to_the_budget(holder: Make) -> None:
    one = holder("a")

    assert await one.ask(4) == Grant(4, 4)
    assert await one.ask(99) == Grant(10, 10)
    assert await one.ask(2, keep=1) == Grant(2, 2)


async def test_what_is_held_is_not_given_twice(holder: Make) -> None:
    first, second = holder("a"), holder("b")
    await first.ask(10)

    assert await second.ask(10) == Grant(0, 5)
    # Told of its new part, the first still uses all of the old one.
    assert await first.ask(10) == Grant(10, 5)
    assert await second.ask(10) == Grant(0, 5)
    await first.ask(10, keep=5)
    assert await second.ask(10) == Grant(5, 5)


async def test_who_comes_back_when_others_have_its_slots_lets_calls_end_and_begins_none(
    holder: Make,
) -> None:
    frozen, others = holder("a", lease_s=0.1), holder("b")
    await frozen.ask(4)
    await asyncio.sleep(0.15)  # the server's clock counts, and it cannot be moved
    assert (await others.ask(10)).slots == 10

    # Its three calls in flight are the ones too many.
    assert await frozen.ask(4, keep=3) == Grant(3, 0)
    assert await frozen.ask(4, keep=1) == Grant(1, 0)
    assert await frozen.ask(4, keep=0) == Grant(0, 4)
    await others.ask(10, keep=6)
    assert await frozen.ask(4) == Grant(4, 4)


async def settled(many: list[Holder], *wanted: int) -> list[Grant]:
    """Let each ask until all have seen what the others want, keeping no more than their parts."""
    grants = [await one.ask(slots) for one, slots in zip(many, wanted, strict=True)]
    for _ in range(2):
        grants = [
            await one.ask(slots, keep=min(grant.slots, grant.part))
            for one, slots, grant in zip(many, wanted, grants, strict=True)
        ]
    return grants


async def test_whoever_wants_little_gets_it_and_the_rest_is_shared(holder: Make) -> None:
    grants = await settled([holder("a"), holder("b"), holder("c")], 2, 50, 50)

    assert grants == [Grant(2, 2), Grant(4, 4), Grant(4, 4)]


async def test_an_uneven_budget_is_used_to_the_last_slot(holder: Make) -> None:
    grants = await settled([holder("a"), holder("b"), holder("c")], 50, 50, 50)

    assert sorted(grant.slots for grant in grants) == [3, 3, 4]


async def test_where_there_are_more_holders_than_slots_each_has_its_turn(holder: Make) -> None:
    many = [holder(name, budget=1, turn_s=0.05) for name in "abc"]
    served: set[str] = set()

    async with asyncio.timeout(10):
        while len(served) < 3:
            for one in many:
                grant = await one.ask(1)
                if grant.slots:
                    served.add(one.book.name + str(many.index(one)))
                assert sum(other.held.get(ALL, 0) for other in many) <= 1
                await one.ask(1, keep=0) if grant.part == 0 else None

    assert len(served) == 3


async def test_leaving_leaves_nothing_in_the_book(holder: Make, redis: Any) -> None:
    first, second = holder("a"), holder("b")
    await first.ask(10)
    await second.ask(1)

    await first.ask(0, keep=0, leaving=True)
    assert sorted(await redis.hkeys(NAME)) == [b"", b"b"]
    assert await second.ask(10) == Grant(10, 10)

    await second.ask(0, keep=0, leaving=True)
    assert await redis.keys("sfconnect:limit:*") == []


async def test_who_leaves_with_calls_in_flight_is_counted_until_its_lease_ends(
    holder: Make,
) -> None:
    first, second = holder("a"), holder("b")
    await first.ask(10)

    await first.ask(0, keep=3, leaving=True)

    assert (await second.ask(10)).slots == 7


async def test_a_holder_that_does_not_renew_loses_its_lease(holder: Make, redis: Any) -> None:
    dead, living = holder("dead", lease_s=0.2), holder("living")
    await dead.ask(10)
    assert (await living.ask(10)).slots == 0

    await asyncio.sleep(0.25)  # the server's clock counts, and it cannot be moved

    assert await living.ask(10) == Grant(10, 10)
    assert sorted(await redis.hkeys(NAME)) == [b"", b"living"]


async def test_a_book_that_nobody_uses_goes_away_by_itself(holder: Make, redis: Any) -> None:
    await holder("a", lease_s=2).ask(10)

    assert 0 < await redis.pttl(NAME) <= 4 * 2000


async def test_a_book_grows_with_its_holders_alone(holder: Make, redis: Any) -> None:
    many = [holder(name) for name in "abcd"]
    for turn in range(50):
        for one in many:
            await one.ask(turn % 7, keep=0)

    assert await redis.hlen(NAME) == 5
    assert await redis.keys("*limit*") == [NAME.encode()]
    assert await redis.memory_usage(NAME) < 2000


async def test_limits_of_other_names_have_nothing_to_do_with_it(holder: Make) -> None:
    await holder("a").ask(10)

    assert await holder("a", scope="other", budget=3).ask(10) == Grant(3, 3)


# Lanes


async def test_a_lane_has_no_more_than_its_limit_in_all_processes(holder: Make) -> None:
    lanes = {"bulk": Lane(limit=3)}
    first, second = holder("a", lanes=lanes), holder("b", lanes=lanes)

    assert await first.ask(9, lane="bulk") == Grant(3, 3)
    assert (await second.ask(9, lane="bulk")).slots == 0
    assert (await second.ask(9)).slots == 7


async def test_a_reserve_is_kept_free_for_its_lane(holder: Make) -> None:
    lanes = {"query": Lane(reserve=2)}
    first, second = holder("a", lanes=lanes), holder("b", lanes=lanes)

    assert await first.ask(50) == Grant(8, 8)
    assert await second.ask(1, lane="query") == Grant(1, 1)
    assert (await second.ask(50)).slots == 0
    assert await second.ask(3, lane="query") == Grant(2, 3)  # what is not reserved is taken


async def test_what_a_lane_does_not_reserve_it_shares_with_the_others(holder: Make) -> None:
    lanes = {"query": Lane(reserve=2)}
    one = holder("a", lanes=lanes)

    assert await one.ask(50, lane="query") == Grant(10, 10)


# Servers that forget


async def test_after_a_loss_nobody_gets_more_until_all_leases_have_ended(
    holder: Make, redis: Any
) -> None:
    first, second = holder("a", lease_s=0.5), holder("b", lease_s=0.5)
    await first.ask(6)
    await second.ask(4)

    await redis.delete(NAME)

    # The second has not been heard of yet, and uses four.
    assert (await first.ask(10)).slots == 6
    assert (await second.ask(10)).slots == 4
    assert (await holder("new", lease_s=0.5).ask(10)).slots == 0
    await asyncio.sleep(0.6)
    assert (await first.ask(10)).slots == 10


async def test_a_first_holder_need_not_wait(holder: Make) -> None:
    assert (await holder("a").ask(10)).slots == 10


async def test_a_holder_that_was_cut_off_makes_others_wait_for_more(
    holder: Make, redis: Any
) -> None:
    cut_off = holder("a", budget=9)
    await cut_off.ask(9)
    await redis.delete(NAME)
    new = holder("b", budget=9)
    await new.ask(3)

    assert (await cut_off.ask(9)).slots == 9  # what it uses is used, and shall be known
    assert (await new.ask(9)).slots == 3


async def test_at_no_moment_is_more_given_out_than_there_is(holder: Make) -> None:
    lanes = {"bulk": Lane(limit=4), "query": Lane(reserve=3)}
    many = [holder(name, budget=13, lanes=lanes, turn_s=0.01) for name in "abcdefgh"]
    chance = random.Random(7)

    def most() -> dict[str, int]:
        return {lane: sum(one.held.get(lane, 0) for one in many) for lane in (ALL, *lanes)}

    async def live(one: Holder) -> None:
        for _ in range(40):
            needs = {}
            for lane in (ALL, "bulk", "query"):
                kept = chance.randint(0, one.held.get(lane, 0))
                needs[lane] = Need(kept, chance.randint(0, 9))
                one.held[lane] = min(one.held.get(lane, 0), kept)
            await one.tell(needs)
            held = most()
            assert sum(held.values()) <= 13
            assert held["bulk"] <= 4
            assert sum(held.values()) - held["query"] <= 10

    await asyncio.gather(*(live(one) for one in many))


async def test_a_question_that_comes_late_undoes_nothing(holder: Make, redis: Any) -> None:
    one = holder("a")
    await one.ask(3)
    await one.ask(9)
    script = redis.register_script(SCRIPT)

    for number in (1, 2):
        late = question(one.terms, {ALL: Need(0, 1)}, book=one.began, number=number)
        with pytest.raises(ResponseError, match="STALE"):
            await script(keys=[NAME], args=["a", late])

    assert (await holder("b").ask(9)).slots == 1
    assert await one.ask(9) == Grant(9, 5)


# Wakes


async def woken(redis: Any, act: Callable[[], Any], *names: str) -> list[str]:
    """Who is woken while something is done."""
    heard = redis.pubsub(ignore_subscribe_messages=True)
    for name in names:
        await heard.subscribe(f"{NAME}:wake:{name}")
        await heard.get_message(timeout=1)
    await act()
    found = []
    while message := await heard.get_message(timeout=0.1):
        found.append(message["channel"].decode().rpartition(":")[2])
    await heard.aclose()
    return sorted(found)


async def test_slots_that_come_free_wake_those_alone_that_can_have_them(
    holder: Make, redis: Any
) -> None:
    first, second, third = holder("a"), holder("b"), holder("c")
    await first.ask(9)
    await third.ask(1)
    await second.ask(5)

    assert await woken(redis, lambda: first.ask(9, keep=8), *"abc") == ["b"]


async def test_who_lacks_slots_wakes_those_that_have_too_many(holder: Make, redis: Any) -> None:
    first, second = holder("a"), holder("b")
    await holder("c").ask(2)
    await first.ask(8)

    assert await woken(redis, lambda: second.ask(8), *"abc") == ["a"]


async def test_who_has_enough_disturbs_nobody(holder: Make, redis: Any) -> None:
    first, second = holder("a"), holder("b")
    await first.ask(4)

    assert await woken(redis, lambda: second.ask(4), *"ab") == []
    assert await woken(redis, lambda: second.ask(4), *"ab") == []


async def test_a_waiter_hears_its_wake(holder: Make) -> None:
    first, second = holder("a"), holder("b")
    await first.ask(10)
    await second.ask(10)

    async with second.book.wakes() as wait, asyncio.timeout(10):
        await first.ask(10, keep=4)
        await wait()

    assert (await second.ask(10)).slots == 5


# Names


def test_the_name_of_a_book_is_one_slot_of_a_cluster_and_tells_nothing() -> None:
    name = book_name("acme.my.salesforce.com")

    assert name.startswith("sfconnect:limit:{")
    assert name.endswith("}")
    assert "acme" not in name
    assert name != book_name("other.my.salesforce.com")


def test_a_holder_is_named_so_that_it_is_found_and_as_nobody_else() -> None:
    first, second = holder_name(), holder_name()

    host, pid, _ = first.rsplit(":", 2)
    assert host
    assert pid.isdigit()
    assert first != second


async def test_the_book_can_be_read_by_people(holder: Make, redis: Any) -> None:
    await holder("a").ask(4)

    row = json.loads(await redis.hget(NAME, "a"))
    assert row["lanes"] == {ALL: [4, 4]}


# Refusals


async def ask_once(url: str, *, timeout_s: float = 2) -> None:
    book = Book(Server(Secret(url), timeout_s=timeout_s), "test", "a")
    try:
        await book.ask(Terms(5, {}, 10), {ALL: Need(0, 1)}, book=NEW)
    finally:
        await book.aclose()


@pytest.mark.parametrize(
    "url",
    ["canary-password@host", "http://:canary@host", "redis://:canary@host:no-number/0"],
)
async def test_an_address_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of a Redis server") as caught:
        await ask_once(url)

    error = caught.value
    assert "canary" not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"


async def test_a_parameter_that_the_client_does_not_know_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="parameter"):
        await ask_once(f"{url}?no_such=canary")


@pytest.mark.parametrize("user", ["", ":canary-wrong@", "nobody:canary-wrong@"])
async def test_a_wrong_password_is_told_of_and_not_quoted(
    serve: Callable[..., Any], user: str
) -> None:
    server = serve("--requirepass", "canary-right")

    with pytest.raises(ConfigurationError, match="refuses the user") as caught:
        await ask_once(f"redis://{user}127.0.0.1:{server.port}/0")

    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"
    await ask_once(f"redis://:canary-right@127.0.0.1:{server.port}/0")


async def test_a_user_that_may_not_write_is_told_of(serve: Callable[..., Any]) -> None:
    server = serve("--user", "default", "on", "nopass", "~other:*", "&*", "+@all")

    with pytest.raises(ConfigurationError, match="refuses the user") as caught:
        await ask_once(server.url)

    assert "sfconnect:limit:*" in str(caught.value)


async def test_a_user_with_the_rights_that_the_readme_names_can_do_it_all(
    serve: Callable[..., Any],
) -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    named = readme.partition("The user needs")[2].partition("Without")[0]
    commands = [word for word in re.findall(r"`([A-Z ]+)`", named) if word != "SCRIPT LOAD"]
    patterns = ("~sfconnect:limit:*", "resetchannels", "&sfconnect:limit:*")
    rights = ("-@all", "+script|load", *(f"+{command.lower()}" for command in commands))
    server = serve("--user", "default", "on", "nopass", "resetkeys", *patterns, *rights)
    first = Holder(server.url, "a", Terms(2, {}, 10))
    second = Holder(server.url, "b", Terms(2, {}, 10))

    await first.ask(2)
    await second.ask(2)
    async with second.book.wakes() as wait, asyncio.timeout(10):
        await first.ask(1, keep=1)
        await wait()
    await first.ask(0, keep=0, leaving=True)
    await second.ask(0, keep=0, leaving=True)
    other = Server(Secret(server.url), timeout_s=5)
    assert (await Schedule(other, NAME, 100.0).ask(3, held_s=0.0)).count == 3

    for one in (first.book, second.book, other):
        await one.aclose()


async def test_a_user_that_may_not_publish_has_its_slots_all_the_same(
    serve: Callable[..., Any],
) -> None:
    server = serve("--user", "default", "on", "nopass", "~*", "resetchannels", "+@all")
    terms = Terms(2, {}, 10)
    first, second = Holder(server.url, "a", terms), Holder(server.url, "b", terms)
    await first.ask(2)
    await second.ask(2)

    assert (await first.ask(2, keep=1)).slots == 1
    assert (await second.ask(2)).slots == 1

    for one in (first, second):
        await one.book.aclose()


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [("maxmemory", "1", "OutOfMemoryError"), ("min-replicas-to-write", "3", "NOREPLICAS")],
)
async def test_a_server_that_cannot_write_for_a_while_is_no_mistake(
    serve: Callable[..., Any], setting: str, value: str, reason: str
) -> None:
    server = serve()
    client: Any = Redis.from_url(server.url)
    await client.config_set(setting, value)
    await client.aclose()

    with pytest.raises(UnreachableError) as caught:
        await ask_once(server.url)

    assert caught.value.reason == reason


async def test_a_replica_is_only_away_since_it_may_be_made_a_master(
    serve: Callable[..., Any], url: str
) -> None:
    server = serve()
    client: Any = Redis.from_url(server.url)
    await client.execute_command("REPLICAOF", "127.0.0.1", "1")
    await client.aclose()

    with pytest.raises(UnreachableError):
        await ask_once(server.url)


async def test_nobody_there_is_only_away() -> None:
    with pytest.raises(UnreachableError, match="ConnectionError"):
        await ask_once("redis://:canary@127.0.0.1:1/0")


async def test_a_server_that_is_no_redis_is_told_of() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationError, match="cannot keep a limit"):
            await ask_once(f"redis://127.0.0.1:{port}/0")


async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told() -> None:
    silent = asyncio.Event()

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with asyncio.timeout(3):
            with pytest.raises(UnreachableError, match="TimeoutError"):
                await ask_once(f"redis://127.0.0.1:{port}/0", timeout_s=0.1)
        silent.set()
