"""Four processes share one login by files; some are killed at the worst moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sfconnect_emulator import Emulator
from tests.processes.conftest import Start, Worker

PROCESSES = 4


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1}) as emulator:
        yield emulator


@pytest.fixture
def rotating(org: Emulator) -> dict[str, str]:
    """A login whose refresh token is good for one use."""
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    return refreshing(org)


def refreshing(org: Emulator) -> dict[str, str]:
    return {
        "login_url": org.login_url,
        "client_id": org.client_id,
        "refresh_token": org.refresh_token,
    }


def client(org: Emulator) -> dict[str, str]:
    return {
        "login_url": org.login_url,
        "client_id": org.client_id,
        "client_secret": org.client_secret,
    }


async def several(start: Start, login: dict[str, str], number: int = PROCESSES) -> list[Worker]:
    return list(await asyncio.gather(*(start(login) for _ in range(number))))


async def call_all(workers: list[Worker]) -> list[dict[str, Any]]:
    """Let them call at the same moment: each has read the line before any answers."""
    for worker in workers:
        worker.send("call")
    return list(await asyncio.gather(*(worker.hear() for worker in workers)))


def logins(org: Emulator) -> int:
    counted = org.control.statistics()["logins"]
    assert isinstance(counted, dict)
    return sum(counted.values())


def refused(org: Emulator) -> int:
    counted = org.control.statistics()["refused_logins"]
    assert isinstance(counted, dict)
    return sum(counted.values())


async def test_a_cold_start_of_four_processes_is_one_login(org, start):
    workers = await several(start, client(org))

    said = await call_all(workers)

    assert len({one["token"] for one in said}) == 1
    assert sorted(one["logins"] for one in said) == [0, 0, 0, 1]
    assert logins(org) == 1


async def test_a_process_that_comes_later_needs_no_login(org, start):
    (first,) = await several(start, client(org), 1)
    await first.call()
    assert await first.end() == 0

    (second,) = await several(start, client(org), 1)
    said = await second.call()

    assert said["logins"] == 0
    assert logins(org) == 1


async def test_four_processes_use_one_rotating_refresh_token_once_for_each_expiry(
    org, start, rotating
):
    workers = await several(start, rotating)
    for expiry in range(1, 6):
        said = await call_all(workers)

        assert len({one.get("token") for one in said}) == 1, said
        assert logins(org) == expiry
        assert refused(org) == 0
        org.control.revoke_tokens()


async def test_processes_that_notice_one_after_the_other_adopt_what_the_first_has_got(
    org, start, rotating
):
    workers = await several(start, rotating)
    await call_all(workers)
    org.control.revoke_tokens()

    said = [await worker.call() for worker in workers]

    assert len({one["token"] for one in said}) == 1
    assert logins(org) == 2
    assert refused(org) == 0


async def killed(start: Start, login: dict[str, str], store: str) -> Worker:
    """A process that has got its answer, and is about to be killed; it holds the lock."""
    worker = await start(login, store)
    worker.send("call")
    assert await worker.hear() == {"dying": store.removeprefix("dies ")}
    return worker


async def test_a_kill_between_the_answer_and_the_store_ends_in_reauthorisation(
    org, start, rotating
):
    """The new refresh token is lost, and the org revokes the grant when the old one is shown."""
    victim = await killed(start, rotating, "dies before")
    others = await several(start, rotating, 3)
    for other in others:
        other.send("call")

    victim.send("die")
    assert await victim.process.wait() == -signal.SIGKILL
    said = [await other.hear() for other in others]

    assert {one["error"] for one in said} == {"ReauthorizationRequired"}
    assert all("Authorise the app again" in str(one["text"]) for one in said)
    assert logins(org) == 1
    assert refused(org) == 3


async def test_after_such_a_kill_a_new_authorisation_is_all_that_is_needed(org, start, rotating):
    victim = await killed(start, rotating, "dies before")
    victim.send("die")
    await victim.process.wait()
    tokens = org.instance.authorization.state.tokens
    person = org.instance.authorization.state.directory.by_username(org.username)
    assert person is not None
    grant = tokens.approve(org.client_id, person.user_id, org.username, "api refresh_token")

    workers = await several(start, {**rotating, "refresh_token": grant.current})
    said = await call_all(workers)

    assert len({one.get("token") for one in said}) == 1, said


async def test_without_rotation_such_a_kill_costs_one_more_login_and_nobody_notices(org, start):
    victim = await killed(start, refreshing(org), "dies before")
    others = await several(start, refreshing(org), 3)
    for other in others:
        other.send("call")

    victim.send("die")
    assert await victim.process.wait() == -signal.SIGKILL
    said = [await other.hear() for other in others]

    assert len({one.get("token") for one in said}) == 1, said
    assert sorted(one["logins"] for one in said) == [0, 0, 1]
    assert logins(org) == 2


async def test_a_kill_right_after_the_store_loses_nothing(org, start, rotating):
    victim = await killed(start, rotating, "dies after")
    others = await several(start, rotating, 3)
    for other in others:
        other.send("call")

    victim.send("die")
    assert await victim.process.wait() == -signal.SIGKILL
    said = [await other.hear() for other in others]

    assert len({one.get("token") for one in said}) == 1, said
    assert {one["logins"] for one in said} == {0}
    assert logins(org) == 1
    assert refused(org) == 0


async def test_a_kill_in_the_middle_of_a_long_life_is_told_to_the_others_too(org, start, rotating):
    """All had a good token; it expires, and whoever renews it dies before it has saved."""
    others = await several(start, rotating, 3)
    await call_all(others)
    org.control.revoke_tokens()
    victim = await killed(start, rotating, "dies before")
    for other in others:
        other.send("call")

    victim.send("die")
    await victim.process.wait()
    said = [await other.hear() for other in others]

    assert {one["error"] for one in said} == {"ReauthorizationRequired"}


PROGRAM = """
import asyncio
from sfconnect import Salesforce

async def main():
    async with Salesforce.connect(profile="prod") as sf:
        await sf.limits()
        print(sf.stats().logins)

asyncio.run(main())
"""


async def test_a_profile_shares_its_login_between_programs_and_the_command_line(
    org, tmp_path, folder
):
    profile = tmp_path / "sfconnect.toml"
    facts = {**client(org), "auth": "client-credentials", "token_store": "file"}
    lines = [f'{name} = "{text}"' for name, text in {**facts, "file_store_dir": "tokens"}.items()]
    await asyncio.to_thread(profile.touch, 0o600)
    await asyncio.to_thread(profile.write_text, "\n".join(["[profiles.prod]", *lines]))
    environ = {name: text for name, text in os.environ.items() if "SFCONNECT" not in name}

    async def run(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=tmp_path, env=environ, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    command = ("-m", "sfconnect.cli", "--profile", "prod")
    token = await run(*command, "auth", "token")
    printed = await run("-c", PROGRAM)

    assert printed == "0", "the program needed no login of its own"
    assert await run(*command, "auth", "token") == token
    assert logins(org) == 1
    assert len(list(folder.glob("*.json"))) == 1
