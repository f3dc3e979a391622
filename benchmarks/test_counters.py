"""The gates on counts; times are reported by ``python -m benchmarks`` and never gated."""

from __future__ import annotations

import pytest

from benchmarks.clients import bare, ours
from benchmarks.counters import Counts, count
from benchmarks.static_server import static_server


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def bare_counts() -> Counts:
    """What aiohttp alone costs, by the same method in the same process."""
    with static_server() as url:
        async with bare(url) as fetch:
            return await count(fetch)


@pytest.fixture
async def own_counts() -> Counts:
    """What the client costs."""
    with static_server() as url:
        async with ours(url) as fetch:
            return await count(fetch)


async def test_method_gives_for_bare_aiohttp_what_is_known_of_it(bare_counts: Counts) -> None:
    assert 130 <= bare_counts.python_calls <= 200
    assert bare_counts.own_calls == 0


async def test_a_warm_get_takes_at_most_230_python_calls(own_counts: Counts) -> None:
    assert own_counts.python_calls <= 230


async def test_a_request_crosses_at_most_8_own_frames_to_the_socket(own_counts: Counts) -> None:
    assert 1 <= own_counts.own_frames <= 8
