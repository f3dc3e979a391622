"""An org on loopback, and managers that log in to it over sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import AuthStrategy, Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import AuthError
from sfconnect.messages import Request
from sfconnect.transport import ConnectionPool
from sfconnect_emulator import Emulator

LogIn: TypeAlias = Callable[[AuthStrategy], Awaitable[Credentials]]
Failure: TypeAlias = Callable[[AuthStrategy], Awaitable[AuthError]]


@pytest.fixture
async def manage(
    pool: ConnectionPool,
) -> AsyncIterator[Callable[[AuthStrategy], CredentialManager]]:
    managers: list[CredentialManager] = []

    def make(strategy: AuthStrategy) -> CredentialManager:
        managers.append(CredentialManager(strategy, send=pool.send))
        return managers[-1]

    yield make
    for manager in managers:
        await manager.aclose()


@pytest.fixture
def failure(manage: Callable[[AuthStrategy], CredentialManager]) -> Failure:
    async def fail(strategy: AuthStrategy) -> AuthError:
        with pytest.raises(AuthError) as caught:
            await manage(strategy).get()
        return caught.value

    return fail


@pytest.fixture
def is_accepted(pool: ConnectionPool, org: Emulator) -> Callable[[Secret], Awaitable[bool]]:
    """Whether the org's API takes a token."""

    async def ask(token: Secret) -> bool:
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        url = f"{org.login_url}/services/data/v60.0/limits"
        answer = await pool.send(Request("GET", url, headers=headers))
        assert answer.status in {200, 401}
        return answer.status == 200

    return ask
