"""Keys that name whose token it is, and the store in memory."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials, TokenStore
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.auth.store import MemoryStore, identity_key, secrets_of

KEY = "key"


def token(text: str) -> Credentials:
    return Credentials(Secret(text), "https://org.example.com")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Hardware:
    """A signer: an object that no two processes share."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class Strategy:
    url: str = option(help="Where.")
    secret: Secret | str = option(help="Password.", secret=True)
    token: Secret | str = option(help="Long random value.", secret=True, default="")
    extra: object = option(help="Anything.", default=None)

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ByToken(Strategy):
    identity_secrets = ("token",)


@dataclass(frozen=True, slots=True)
class Wrapped(Strategy):
    def __post_init__(self) -> None:
        coerce_secrets(self)


BASE = Strategy("https://a.example.com", "hunter2")


def test_equal_options_give_equal_keys():
    assert identity_key(BASE) == identity_key(Strategy("https://a.example.com", "hunter2"))


def test_a_key_is_a_short_hash_that_holds_no_option():
    key = identity_key(BASE)

    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")


def test_the_key_is_the_same_in_every_process():
    """Stores keep it; a change here would make every stored token be forgotten."""

    @dataclass(frozen=True)
    class Fixed:
        url: str = "https://a.example.com"

        async def authenticate(self, context):
            raise NotImplementedError

    Fixed.__module__, Fixed.__qualname__ = "acme", "Fixed"

    assert identity_key(Fixed()) == "51c1bb666fb2257feab0dbec26331ee9"


EXTRAS = [
    "text",
    7,
    2.5,
    True,
    Path("key.pem"),
    ("a", "b"),
    frozenset({"c", "d"}),
    {"name": "value"},
    Hardware("1"),
    Hardware("2"),
    Colour.RED,
    Colour.BLUE,
]


def test_every_option_that_is_no_secret_changes_the_key():
    keys = {identity_key(replace(BASE, extra=extra)) for extra in EXTRAS}
    keys |= {identity_key(BASE), identity_key(replace(BASE, url="https://b.example.com"))}

    assert len(keys) == len(EXTRAS) + 2


@pytest.mark.parametrize("make", [lambda: Hardware("1"), lambda: frozenset("abc")])
def test_objects_of_equal_meaning_give_equal_keys(make):
    one, other = (identity_key(replace(BASE, extra=make())) for _ in range(2))

    assert one == other


def test_the_class_is_part_of_the_key():
    assert identity_key(BASE) != identity_key(ByToken("https://a.example.com", "hunter2"))


@pytest.mark.parametrize("kind", [Strategy, Wrapped])
def test_secrets_take_no_part(kind):
    assert identity_key(kind("https://a", "one")) == identity_key(kind("https://a", "other"))


def test_a_secret_that_alone_tells_users_apart_takes_part_by_digest():
    one, other = (ByToken("https://a", "s", token=Secret(text)) for text in ("ada", "bob"))
    plain = ByToken("https://a", "s", token="ada")

    assert identity_key(one) != identity_key(other)
    assert identity_key(one) == identity_key(plain)


def test_a_strategy_without_options_is_named_by_its_class():
    class Bare:
        async def authenticate(self, context):
            raise NotImplementedError

    assert identity_key(Bare()) == identity_key(Bare())
    assert secrets_of(Bare()) == []


def test_the_secrets_of_a_strategy_are_found_however_they_were_given():
    assert secrets_of(BASE) == ["hunter2"]
    assert secrets_of(Wrapped("https://a", "hunter2", Secret("t"))) == ["hunter2", "t"]
    assert secrets_of(replace(BASE, extra=Secret("loose"))) == ["hunter2", "loose"]


def test_the_store_keeps_its_contract():
    store: TokenStore = MemoryStore()

    assert store.plugin_api == 1


async def test_an_empty_store_has_nothing_and_deletes_nothing():
    store = MemoryStore()

    await store.delete(KEY)

    assert await store.get(KEY) is None


async def test_writes_count_up_and_need_the_generation_that_was_read():
    store = MemoryStore()

    first = await store.compare_and_swap(KEY, None, token("one"))
    second = await store.compare_and_swap(KEY, 1, token("two"))

    assert first is not None
    assert second is not None
    assert (first.generation, second.generation) == (1, 2)
    assert await store.get(KEY) == second


@pytest.mark.parametrize("expected", [None, 0, 2], ids=["as if empty", "older", "newer"])
async def test_a_write_after_somebody_elses_is_refused(expected):
    store = MemoryStore()
    kept = await store.compare_and_swap(KEY, None, token("kept"))

    assert await store.compare_and_swap(KEY, expected, token("late")) is None
    assert await store.get(KEY) == kept


async def test_a_deleted_record_is_gone_under_its_key_only():
    store = MemoryStore()
    await store.compare_and_swap(KEY, None, token("one"))
    await store.compare_and_swap("other", None, token("two"))

    await store.delete(KEY)

    assert await store.get(KEY) is None
    assert await store.get("other") is not None


async def test_one_holder_at_a_time_under_a_key():
    store = MemoryStore()
    order: list[str] = []

    async def hold(name: str) -> None:
        async with store.lock(KEY):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(hold("a"), hold("b"))

    assert order == ["a in", "a out", "b in", "b out"]


async def test_other_keys_are_not_locked():
    store = MemoryStore()

    async with store.lock(KEY), asyncio.timeout(1), store.lock("other"):
        pass


def test_locks_of_loops_that_ended_are_not_in_the_way():
    store = MemoryStore()

    async def hold() -> None:
        async with store.lock(KEY):
            await asyncio.sleep(0)

    for _ in range(3):
        asyncio.run(hold())

    gc.collect()
    assert not store._locks
