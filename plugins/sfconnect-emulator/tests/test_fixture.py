from __future__ import annotations

import aiohttp
import pytest

from sfconnect_emulator import Emulator


async def test_fixture_runs_a_small_org_on_loopback(sf_emulator: Emulator) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sf_emulator.instance_url}/services/data") as answer,
    ):
        assert answer.status == 200
    assert sf_emulator.instance.store.count("Account") == 20


@pytest.mark.sf_emulator(rows={"Account": 3}, seed=11, latency_ms=1)
async def test_marker_sets_options(sf_emulator: Emulator) -> None:
    assert sf_emulator.instance.store.count("Account") == 3
    assert sf_emulator.instance.org.seed == 11
    assert sf_emulator.instance.latency_ms == 1


@pytest.mark.sf_emulator(rows={"Account": 3})
@pytest.mark.parametrize("sf_emulator", [{"seed": 1}, {"seed": 2}], indirect=True)
async def test_parameters_are_added_to_the_marker(sf_emulator: Emulator) -> None:
    assert sf_emulator.instance.org.seed in {1, 2}
    assert sf_emulator.instance.store.count("Account") == 3
