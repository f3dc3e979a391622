"""Reads that are asked for twice, over sockets: the slower request leaves nothing behind."""

from __future__ import annotations

import asyncio

from sfconnect import AccessToken, ConnectionPool, RetryPolicy, Salesforce
from sfconnect.policy import HedgePolicy
from tests.faults.conftest import Connection

HEDGE = RetryPolicy(hedge=HedgePolicy(after_s=0.05, share=1.0))


async def test_the_slower_requests_connection_is_closed_and_its_slot_free(serve) -> None:
    hung, gone = asyncio.Event(), asyncio.Event()

    async def slow_first(connection: Connection) -> None:
        while True:
            await connection.request()
            if not hung.is_set():
                hung.set()
                await connection.reader.read()  # until the client hangs up
                gone.set()
                return
            await connection.answer(b'{"a": 1}')

    server = await serve(slow_first)
    auth = AccessToken(instance_url=server.url, access_token="x")
    async with (
        ConnectionPool() as pool,
        Salesforce.connect(auth, transport=pool, retry=HEDGE, max_connections=2) as sf,
    ):
        assert await sf.request("GET", "/x") == {"a": 1}

        stats = pool.stats()
        assert (stats.requests_in_flight, stats.connections_opened) == (0, 2)
        async with asyncio.timeout(5):
            await gone.wait()  # the server has seen the loser go
        # The winner's connection is used again, and the loser's is not.
        assert await sf.request("GET", "/x") == {"a": 1}
        assert pool.stats().connections_opened == 2
        assert sf.stats().hedges_won == 1
