"""The fixture ``sf_emulator``: a small org on loopback for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sfconnect_emulator.emulator import Emulator

_SMALL_ORG = {"Account": 20, "Contact": 50, "Opportunity": 20}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "sf_emulator(**options): options of the org that the fixture sf_emulator starts, "
        "such as rows={'Account': 5}, seed=7, latency_ms=20, token_ttl=60, faults=[…]",
    )


@pytest.fixture
async def sf_emulator(
    request: pytest.FixtureRequest, anyio_backend: object
) -> AsyncIterator[Emulator]:
    """Run a small org; options come from the marker ``sf_emulator`` and from parametrization.

    Both give keyword arguments of ``Emulator``; parametrization (indirect, with dicts) wins.
    """
    # This module is loaded in every test run of the environment, so heavy imports wait.
    from sfconnect_emulator.emulator import Emulator  # noqa: PLC0415

    del anyio_backend
    options: dict[str, object] = {"rows": _SMALL_ORG}
    marker = request.node.get_closest_marker("sf_emulator")
    options.update({} if marker is None else marker.kwargs)
    options.update(getattr(request, "param", {}))
    async with Emulator(**options) as emulator:  # type: ignore[arg-type] # checked by Settings
        yield emulator
