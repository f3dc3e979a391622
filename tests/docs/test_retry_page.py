"""The example of a hook that looks what became of a write, against an API that loses answers."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sfconnect.testing import ScriptedStrategy

PAGE = Path(__file__).parents[2] / "docs/explanation/retry-and-idempotency.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOOK = FENCE.findall(PAGE.read_text(encoding="utf-8"))[0]
ORDER = {"order_number": "A-7", "amount": 3}


class Orders:
    """An API whose first answer to a create is lost, after it acted or before."""

    def __init__(self, *, acts: bool) -> None:
        self.kept: dict[str, Any] = {}
        self.creates = 0
        self.looks = 0
        self.acts = acts

    async def create(self, request: web.Request) -> web.Response:
        order = await request.json()
        self.creates += 1
        lost = self.creates == 1
        if self.acts or not lost:
            self.kept[order["order_number"]] = order
        if lost:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(order, status=201)

    async def find(self, request: web.Request) -> web.Response:
        self.looks += 1
        order = self.kept.get(request.match_info["key"])
        return web.json_response(order, status=200 if order else 404)


@pytest.fixture(params=[True, False], ids=["it happened", "it did not"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Orders, str]]:
    orders = Orders(acts=request.param)
    app = web.Application()
    app.add_routes([web.post("/orders", orders.create), web.get("/orders/{key}", orders.find)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield orders, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_the_order_is_there_once_whether_or_not_the_lost_create_made_it(
    api: tuple[Orders, str],
) -> None:
    orders, url = api
    made_at_first = orders.acts
    names: dict[str, Any] = {
        "auth": ScriptedStrategy(instance_url=url),
        "url": url,
        "values": ORDER,
    }

    await run(HOOK, names)

    assert names["order"] == ORDER
    assert orders.kept == {"A-7": ORDER}
    assert orders.looks == 1
    assert orders.creates == (1 if made_at_first else 2)


async def run(example: str, names: dict[str, Any]) -> None:
    """Run an example that awaits at its top level, as a notebook does."""
    code = compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)
