"""The surroundings that a login is looked for in."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfconnect.auth import AuthStrategy, Registry
from tests.unit.auth.situation import Client, Common, Generic, Key, Situation


@pytest.fixture(scope="module")
def registry() -> Registry[AuthStrategy]:
    made: Registry[AuthStrategy] = Registry(
        "sfconnect.auth", ("authenticate",), discover=lambda _group: ()
    )
    made.register("client-credentials", Client)
    made.register("jwt-bearer", Key)
    made.register("generic", Generic)
    made.register("tool", Common)
    return made


@pytest.fixture
def here(tmp_path: Path, registry: Registry[AuthStrategy]) -> Situation:
    return Situation(tmp_path, registry)
