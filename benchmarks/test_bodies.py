"""The measurements of large answers run; sizes are tiny, and no time is judged."""

from __future__ import annotations

import pytest

from benchmarks import bodies, stalls

# Processes are started one after the other, which takes long where others work too.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def test_every_kind_of_body_is_read_by_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PAGES", bodies.PAGES[:2])
    monkeypatch.setattr(bodies, "STREAMS", bodies.STREAMS[-1:])

    rows = bodies.measure(rounds=1, pages=1, streams=1)

    assert [case.body for case, _ in rows] == ["page", "page", "csv"]
    assert all(cpu_ms > 0 for _, cpu_ms in rows)


async def test_stalls_are_measured_for_each_size() -> None:
    rows = await stalls.measure(sizes_mb=(0.01, 0.1), rounds=1)

    assert [round(row.plain_mb, 2) for row in rows] == pytest.approx([0.01, 0.1], rel=0.3)
