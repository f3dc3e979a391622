"""The how-to page, taken at its word: its profile, its variables and its program."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sfconnect.auth import ApiKey, resolve
from sfconnect_emulator import Emulator
from sfconnect_limits_redis import RedisLimiter

PAGE = Path(__file__).parents[3] / "docs/how-to/share-one-budget.md"

if not PAGE.exists():
    pytest.skip("the pages are not here", allow_module_level=True)

TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 3}) as running:
        yield running


def write_profile(folder: Path, org: Emulator, redis_url: str, *lines: str) -> None:
    """The page's profile, for the emulated org, with a password store that knows two words."""
    first = blocks("toml")[0]
    text = first.replace("https://acme.my.salesforce.com", org.login_url)
    text = text.replace("3MVG9…", org.client_id)
    assert text.count(org.login_url) == text.count(org.client_id) == 1
    (folder / "sfconnect.toml").write_text("\n".join((text, *lines)))
    store = folder / "pass"
    store.write_text(
        f"#!/bin/sh\ncase $2 in sfconnect/prod) echo {org.client_secret};; "
        f"redis/limits) echo {redis_url};; esac\n"
    )
    store.chmod(0o700)


async def run(program: str, folder: Path) -> str:
    environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


@pytest.mark.timeout(40)
async def test_its_program_counts_rows_within_its_profiles_limits(
    org: Emulator, serve: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve()
    write_profile(tmp_path, org, server.url, *blocks("toml")[1:])
    (program,) = blocks("python")

    assert await run(program, tmp_path) == "3\n"


@pytest.mark.timeout(40)
async def test_its_program_tells_of_a_server_that_is_away(
    org: Emulator, serve: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve()
    server.stop()
    write_profile(tmp_path, org, server.url)
    (program,) = blocks("python")

    assert await run(program, tmp_path) == "the limit is 1 because of ConnectionError\n3\n"


def test_all_lines_of_its_profile_are_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = tmp_path / "pass"
    store.write_text("#!/bin/sh\necho redis://host/0\n")
    store.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "sfconnect.toml").write_text("\n".join(blocks("toml")))

    made = resolve(profile="prod", cwd=tmp_path).limiter

    assert made == RedisLimiter(
        "redis://host/0",
        25,
        redis_max_per_second=50.0,
        redis_lanes=("interactive>=2", "bulk<=5"),
        redis_on_outage="fail",
    )


def test_its_variables_choose_the_limiter(tmp_path: Path) -> None:
    (line,) = [block for block in blocks("console") if "export" in block]
    environ = dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)

    made = resolve(ApiKey("k", "https://a.example.com"), environ=environ, cwd=tmp_path).limiter

    assert made == RedisLimiter("redis://cache:6379/0", 25)
