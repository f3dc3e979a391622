"""How long the event loop stands still while a body is opened or decoded, here or in a thread."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from sfconnect.transport._inflate import inflate

TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Stall:
    """Longest stalls in milliseconds, for one size of JSON."""

    plain_mb: float
    packed_kib: int
    inflate_here: float
    inflate_away: float
    decode_here: float
    decode_away: float


async def measure(*, sizes_mb: tuple[float, ...], rounds: int) -> list[Stall]:
    """Measure each size with a task beside it that wants to run every millisecond."""
    stalls = []
    for size in sizes_mb:
        plain = _json(int(size * 1e6))
        packed = zlib.compress(plain, 6, 31)
        opening: Callable[[], Any] = partial(inflate, packed, "gzip")
        decoding: Callable[[], Any] = partial(msgspec.json.decode, plain)
        figures = [
            await _longest(way, work, rounds) for work in (opening, decoding) for way in WAYS
        ]
        stalls.append(Stall(len(plain) / 1e6, len(packed) // 1024, *figures))
    return stalls


async def _here(work: Callable[[], Any]) -> None:
    work()


async def _away(work: Callable[[], Any]) -> None:
    await asyncio.to_thread(work)


WAYS = (_here, _away)


async def _longest(
    way: Callable[[Callable[[], Any]], Awaitable[None]], work: Callable[[], Any], rounds: int
) -> float:
    """The smallest over the rounds of the longest time that the other task had to wait."""
    await way(work)
    results = []
    for _ in range(rounds):
        gc.collect()
        gaps: list[float] = []
        ticked = asyncio.Event()
        ticking = asyncio.create_task(_tick(gaps, ticked))
        await asyncio.sleep(5 * TICK_S)
        gaps.clear()
        await way(work)
        ticked.clear()
        await ticked.wait()
        ticking.cancel()
        results.append(max(gaps) * 1000)
    return min(results)


async def _tick(gaps: list[float], ticked: asyncio.Event) -> None:
    before = time.perf_counter()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.perf_counter()
        gaps.append(now - before - TICK_S)
        ticked.set()
        before = now


def _json(size: int) -> bytes:
    chance = random.Random(7)
    record = {f"Field{at}__c": f"{chance.getrandbits(64):x} Energy" for at in range(20)}
    records, length = [], 0
    while length < size:
        changed = {f"Field{at}__c": f"{chance.getrandbits(64):x}" for at in range(4)}
        records.append({**record, **changed})
        length += 700
    return json.dumps(records).encode()
