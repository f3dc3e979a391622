"""A connection that is used where it was not opened: another loop, thread or process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from sfconnect import Connector
from sfconnect.errors import ConfigurationError
from sfconnect.testing import ScriptedStrategy

WHAT = "The connection was opened on another event loop"
Act = Callable[[Connector], Coroutine[Any, Any, object]]


async def get(api: Connector) -> object:
    return await api.get("/x")


async def read(api: Connector) -> object:
    async with api.stream("GET", "/x") as answer:
        return await answer.read()


async def fan_out(api: Connector) -> object:
    return await api.gather([api.get("/x") for _ in range(3)])


async def served(use: Callable[[Connector], Coroutine[Any, Any, None]]) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        connection = Connector.connect(ScriptedStrategy(), base_url=f"http://127.0.0.1:{port}")
        async with connection as api:
            await use(api)
    finally:
        await runner.cleanup()


def refused(act: Act, api: Connector) -> str:
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(act(api))
    return str(caught.value)


@pytest.mark.parametrize("act", [get, read, fan_out])
async def test_another_threads_loop_is_refused_and_the_own_one_goes_on(act: Act) -> None:
    async def use(api: Connector) -> None:
        await get(api)
        said = await asyncio.to_thread(refused, act, api)
        assert WHAT in said
        assert "Open one connection for each event loop" in said
        await act(api)
        assert (api.stats().in_flight, api.stats().waiting) == (0, 0)

    await served(use)


def test_a_loop_after_the_first_is_refused() -> None:
    first = asyncio.new_event_loop()
    api = Connector.connect(ScriptedStrategy(), base_url="http://127.0.0.1:1")
    first.run_until_complete(api.open())

    said = refused(get, api)

    first.run_until_complete(api.aclose())
    first.close()
    assert WHAT in said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no os.fork()")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a fork beside threads warns there")
def test_a_forked_process_is_refused() -> None:
    async def use(api: Connector) -> None:
        await get(api)
        child = os.fork()
        if child == 0:
            asyncio.events._set_running_loop(None)  # what a framework's child does
            os._exit(17 if WHAT in refused(get, api) else 1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 17

    asyncio.run(served(use))
