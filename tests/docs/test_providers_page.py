"""The profiles on the page about other APIs are ones that a connection can be made of."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sfconnect.auth import resolve
from sfconnect.auth.oauth2 import ProviderOptions
from sfconnect.connector import Connector

PAGE = (Path(__file__).parents[2] / "docs/how-to/connect-to-another-api.md").read_text("utf-8")
FENCES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = [name for fence in FENCES for name in tomllib.loads(fence)["profiles"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "sfconnect.toml"
    path.write_text("\n".join(FENCES), encoding="utf-8")
    path.chmod(0o600)
    return tmp_path


def test_the_page_has_profiles() -> None:
    assert len(NAMES) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_makes_a_login_and_says_where_its_api_is(name: str, folder: Path) -> None:
    resolved = resolve(profile=name, environ={}, cwd=folder)

    login = resolved.strategy
    assert isinstance(login, ProviderOptions)
    profile = login.profile()
    assert profile.token_url or profile.issuer
    assert login.names_base_url or resolved.settings.base_url


@pytest.mark.parametrize("name", NAMES)
async def test_a_profile_opens_a_connection(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    async with Connector.connect(profile=name) as api:
        assert api.stats().attempts == 0
