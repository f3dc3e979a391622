"""A process that makes calls within a shared limit; what it did it prints as JSON.

python worker.py NAME API_URL CALLS OPTIONS, the last as JSON: those of RedisLimiter.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from sfconnect import Connector
from sfconnect.auth import ApiKey
from sfconnect.errors import SfConnectError
from sfconnect.instrumentation import Event, LimiterLost
from sfconnect_limits_redis import RedisLimiter

TASKS = 20


async def main(name: str, api: str, calls: int, options: str) -> None:
    lost: list[str | None] = []
    outcomes: Counter[str] = Counter()

    def hook(event: Event) -> None:
        if isinstance(event, LimiterLost):
            lost.append(event.error)

    limiter = RedisLimiter(**json.loads(options))
    connection = Connector.connect(
        ApiKey("k", api),
        base_url=api,
        limiter=limiter,
        hooks=[hook],
        wait_s=30.0,
        max_waiting=None,
    )
    async with connection as connected:

        async def call() -> None:
            for _ in range(calls // TASKS):
                try:
                    await connected.get(f"/{name}")
                except SfConnectError as error:
                    outcomes[type(error).__name__] += 1
                    await asyncio.sleep(0.05)
                else:
                    outcomes["done"] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(call())
    sys.stdout.write(json.dumps({"outcomes": outcomes, "lost": lost}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
