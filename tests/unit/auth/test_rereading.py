"""A secret that was changed where it is kept is found without a restart, and costs one request."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sfconnect import Connector
from sfconnect._types import Secret
from sfconnect.auth import AuthStrategy, Basic, Chain, ProcessCredentials, resolve
from sfconnect.auth.login_rate import LoginLimits
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.auth.rereading import may_be_outdated, read_again
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    SfConnectError,
    TransientAuthError,
)
from sfconnect.messages import Response
from sfconnect.salesforce.auth import ClientCredentials, Data360
from sfconnect.testing import FakeClock, FakeTokenServer, ScriptedSender, answer
from sfconnect.testing.senders import text_of

SITE = {"login_url": "https://acme.my.salesforce.com", "client_id": "3MVG9"}
REFUSED = answer({"error": "invalid_client", "error_description": "wrong secret"}, status=400)
NO_GRANT = answer({"error": "invalid_grant", "error_description": "invalid assertion"}, status=400)


def token(text: str = "t1", **more: Any) -> Response:
    return answer({"access_token": text, "instance_url": SITE["login_url"], **more})


@dataclass(frozen=True)
class Mounted:
    """A secret in a file, as a platform mounts it."""

    file: Path

    def __str__(self) -> str:
        return str(self.file)

    def change(self, text: str | None) -> None:
        if text is None:
            self.file.unlink()
        else:
            self.file.write_text(text)


@pytest.fixture
def secret(tmp_path: Path) -> Mounted:
    made = Mounted(tmp_path / "secret")
    made.change("old\n")
    return made


Manage = Callable[..., CredentialManager]


@pytest.fixture
async def manage(clock: FakeClock) -> AsyncIterator[Manage]:
    made: list[CredentialManager] = []

    def make(strategy: AuthStrategy, network: ScriptedSender, **more: Any) -> CredentialManager:
        made.append(CredentialManager(strategy, send=network, clock=clock, **more))
        return made[-1]

    yield make
    for manager in made:
        await manager.aclose()


async def made(
    name: str, options: Mapping[str, object], environ: Mapping[str, str] | None = None
) -> AuthStrategy:
    """A login as configuration makes it, in a thread, since files are read."""
    work = partial(resolve, name, options=options, environ=environ or {})
    return (await asyncio.to_thread(work)).strategy


async def login(secret: Mounted, **more: object) -> AuthStrategy:
    return await made("client-credentials", {**SITE, "client_secret_file": str(secret), **more})


def sent(network: ScriptedSender) -> list[str]:
    """The secret of each request."""
    bodies = [dict(pair.split("=") for pair in text_of(r).split("&")) for r in network.requests]
    return [body["client_secret"] for body in bodies]


async def test_a_changed_secret_is_found_within_the_login(manage: Manage, secret: Mounted) -> None:
    network = ScriptedSender(REFUSED, token())
    manager = manage(await login(secret), network)
    identity = manager.identity
    secret.change("new\n")

    credentials = await manager.get()

    assert credentials.access_token == Secret("t1")
    assert sent(network) == ["old", "new"]
    assert manager.identity == identity
    assert manager.logins == 1


async def test_later_logins_begin_with_the_new_one(manage: Manage, secret: Mounted) -> None:
    network = ScriptedSender(REFUSED, token("t1"), token("t2"))
    manager = manage(await login(secret), network)
    secret.change("new")

    await manager.replace(await manager.get())

    assert sent(network) == ["old", "new", "new"]


async def test_the_same_secret_is_not_sent_again(
    manage: Manage, secret: Mounted, clock: FakeClock
) -> None:
    network = ScriptedSender(REFUSED, REFUSED)
    manager = manage(await login(secret), network)

    for _ in range(3):
        with pytest.raises(AuthError, match="invalid_client"):
            await manager.get()

    assert sent(network) == ["old"]
    await clock.advance(60.0)
    with pytest.raises(AuthError, match="invalid_client"):
        await manager.get()
    assert sent(network) == ["old", "old"]


async def test_the_second_refusal_is_final_for_a_minute(
    manage: Manage, secret: Mounted, clock: FakeClock
) -> None:
    network = ScriptedSender(REFUSED, REFUSED, REFUSED, token())
    manager = manage(await login(secret), network)
    secret.change("wrong as well")

    for _ in range(3):
        with pytest.raises(AuthError, match="invalid_client"):
            await manager.get()
        secret.change("right")

    assert sent(network) == ["old", "wrong+as+well"]
    await clock.advance(60.0)
    await manager.get()
    assert sent(network)[2:] == ["wrong+as+well", "right"]


async def test_each_request_counts_as_a_login_of_the_hour(manage: Manage, secret: Mounted) -> None:
    network = ScriptedSender(REFUSED, token())
    manager = manage(await login(secret), network, limits=LoginLimits(None, 1))
    secret.change("new")

    with pytest.raises(LoginRateLimited):
        await manager.get()

    assert sent(network) == ["old"]


async def test_a_hundred_callers_share_both_requests(manage: Manage, secret: Mounted) -> None:
    network = ScriptedSender(REFUSED, token())
    manager = manage(await login(secret), network)
    secret.change("new")

    got = await asyncio.gather(*[manager.get() for _ in range(100)])

    assert len({one.access_token for one in got}) == 1
    assert sent(network) == ["old", "new"]


async def test_the_next_secret_is_tried_before_the_file_is_read(
    manage: Manage, secret: Mounted
) -> None:
    network = ScriptedSender(REFUSED, REFUSED, token())
    manager = manage(await login(secret, client_secret_next="next"), network)
    secret.change("new")

    await manager.get()

    assert sent(network) == ["old", "next", "new"]


@pytest.mark.parametrize("content", [None, "", "two\nlines\n\n"])
async def test_what_cannot_be_read_any_more_leaves_the_refusal_as_it_is(
    manage: Manage, secret: Mounted, content: str | None
) -> None:
    network = ScriptedSender(REFUSED, REFUSED)
    manager = manage(await login(secret), network)
    secret.change(content)

    with pytest.raises(AuthError, match="invalid_client"):
        await manager.get()

    assert len(network.requests) == (2 if content else 1)


async def test_a_command_is_run_again(manage: Manage, secret: Mounted) -> None:
    command = [sys.executable, "-c", f"print(open(r'{secret}').read().strip())"]
    options = {**SITE, "client_secret_command": command}
    strategy = await made("client-credentials", options)
    network = ScriptedSender(REFUSED, token())
    secret.change("new")

    await manage(strategy, network).get()

    assert sent(network) == ["old", "new"]


async def test_a_variable_that_names_a_file_is_a_file_too(manage: Manage, secret: Mounted) -> None:
    environ = {"SFCONNECT_CLIENT_SECRET_FILE": str(secret)}
    strategy = await made("client-credentials", SITE, environ)
    network = ScriptedSender(REFUSED, token())
    secret.change("new")

    await manage(strategy, network).get()

    assert sent(network) == ["old", "new"]


async def test_a_secret_that_was_given_as_text_is_what_it_is(manage: Manage) -> None:
    network = ScriptedSender(REFUSED)

    with pytest.raises(AuthError, match="invalid_client"):
        await manage(ClientCredentials(SITE["login_url"], "3MVG9", "old"), network).get()

    assert sent(network) == ["old"]


async def test_a_base_login_reads_its_own_secret_again(manage: Manage, secret: Mounted) -> None:
    base = await login(secret)
    tenant = {"instance_url": "https://t.c360a.salesforce.com", "expires_in": 3600}
    network = ScriptedSender(REFUSED, token(), token("d1", **tenant), token("d2", **tenant))
    manager = manage(Data360(base), network)
    secret.change("new")

    first = await manager.get()
    second = await manager.replace(first)

    assert (first.access_token, second.access_token) == (Secret("d1"), Secret("d2"))
    assert len(network.requests) == 4  # the base logged in once, and its manager was found again


async def test_the_logins_of_a_chain_read_theirs(manage: Manage, secret: Mounted) -> None:
    chain = Chain(ProcessCredentials("/nothing/here"), await login(secret))
    network = ScriptedSender(REFUSED, token())
    secret.change("new")

    await manage(chain, network).get()

    assert sent(network) == ["old", "new"]


async def test_a_refused_assertion_makes_it_look_for_another_key(secret: Mounted) -> None:
    options: dict[str, object] = {
        **SITE,
        "username": "u@x.org",
        "private_key_file": str(secret),
        "passphrase": "p",
    }
    by_path = await made("jwt-bearer", options)
    options = {
        **SITE,
        "username": "u@x.org",
        "private_key_command": ["cat", str(secret)],
    }
    by_command = await made("jwt-bearer", options)
    secret.change("new")

    assert may_be_outdated(AuthConfigurationError("no", code="invalid_grant"))
    assert await read_again(by_path) is None  # the strategy reads the file for each login anyway
    found = await read_again(by_command)
    assert found is not None
    assert getattr(found.strategy, "private_key", "") == Secret("new")
    assert not found.starts_over


class TestStatic:
    async def test_a_refused_password_is_read_again(self, manage: Manage, secret: Mounted) -> None:
        options = {"username": "u", "password_file": str(secret), "base_url": "https://api"}
        manager = manage(await made("basic", options), ScriptedSender())
        old = await manager.get()
        secret.change("new")

        new = await manager.replace(old)

        expected = Basic("u", "new", "https://api")
        assert new == await expected.authenticate(None)  # type: ignore[arg-type]  # not used

    async def test_one_that_is_the_same_is_given_again(
        self, manage: Manage, secret: Mounted
    ) -> None:
        options = {"key_file": str(secret), "base_url": "https://api"}
        manager = manage(await made("api-key", options), ScriptedSender())
        old = await manager.get()

        assert await manager.replace(old) == old

    async def test_a_token_that_a_program_replaces_in_its_file(
        self, manage: Manage, secret: Mounted
    ) -> None:
        options = {"instance_url": SITE["login_url"], "access_token_file": str(secret)}
        strategy = await made("access-token", options)
        manager = manage(strategy, ScriptedSender(), store=MemoryStore())
        old = await manager.get()
        secret.change("new")

        new = await manager.replace(old)

        assert (old.access_token, new.access_token) == (Secret("old"), Secret("new"))
        with pytest.raises(ReauthorizationRequired):
            await manager.replace(new)


async def test_a_refresh_token_is_never_read_again(manage: Manage, secret: Mounted) -> None:
    options = {**SITE, "refresh_token_file": str(secret)}
    strategy = await made("refresh-token", options)
    expired = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    network = ScriptedSender(answer(expired, status=400))
    secret.change("new")

    with pytest.raises(ReauthorizationRequired):
        await manage(strategy, network).get()

    assert len(network.requests) == 1


async def test_another_client_secret_does_not_bring_a_dead_refresh_token_back(
    manage: Manage, secret: Mounted
) -> None:
    options = {**SITE, "refresh_token": "5Aep861", "client_secret_file": str(secret)}
    strategy = await made("refresh-token", options)
    expired = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    network = ScriptedSender(answer(expired, status=400))
    secret.change("new")

    with pytest.raises(ReauthorizationRequired):
        await manage(strategy, network).get()

    assert len(network.requests) == 1


@pytest.mark.parametrize(
    ("error", "outdated"),
    [
        (InvalidCredentialsError("no"), True),
        (AuthError("no", code="INVALID_LOGIN"), True),
        (AuthConfigurationError("no", code="unsupported_grant_type"), False),
        (AuthError("no"), False),
        (LoginRateLimited("no", code="invalid_grant"), False),
        (TransientAuthError("no", code="invalid_grant"), False),
        (ConfigurationError("no"), False),
    ],
)
def test_which_refusals_may_come_from_an_old_secret(error: SfConnectError, outdated: bool) -> None:
    assert may_be_outdated(error) is outdated


async def test_a_new_secret_that_does_not_fit_is_none(secret: Mounted) -> None:
    options = {"key_file": str(secret), "base_url": "https://api"}
    strategy = await made("api-key", options)
    secret.change("half a key\nand more")

    assert await read_again(strategy) is None


async def test_over_sockets_a_mounted_secret_is_rotated_without_a_restart(secret: Mounted) -> None:
    async with FakeTokenServer() as server:
        server.script(REFUSED)
        options = {"token_url": server.url, "client_id": "app", "client_secret_file": str(secret)}
        strategy = await made("oauth2-client-credentials", options)
        assert isinstance(strategy, OAuth2ClientCredentials)
        async with Connector.connect(strategy, base_url="https://api") as api:
            secret.change("new")
            await api.credentials()

        pairs = [request.headers["Authorization"].split()[1] for request in server.requests]
        assert [b64decode(pair) for pair in pairs] == [b"app:old", b"app:new"]


async def test_beside_a_refresh_token_in_a_file_only_the_client_secret_is_read_again(
    manage: Manage, secret: Mounted, tmp_path: Path
) -> None:
    grant = Mounted(tmp_path / "grant")
    grant.change("5Aep861-first")
    options = {**SITE, "refresh_token_file": str(grant), "client_secret_file": str(secret)}
    network = ScriptedSender(REFUSED, token())
    manager = manage(await made("refresh-token", options), network)
    secret.change("new")
    grant.change("5Aep861-second")

    await manager.get()

    assert sent(network) == ["old", "new"]
    assert all("5Aep861-first" in text_of(request) for request in network.requests)


async def test_a_secret_can_be_read_again_any_number_of_times(
    secret: Mounted,
) -> None:
    options = {"key_file": str(secret), "base_url": "https://api"}
    strategy = await made("api-key", options)
    secret.change("new")

    found = await read_again(strategy)

    assert found is not None
    assert found.starts_over
    assert getattr(found.strategy, "key", "") == Secret("new")
    secret.change("newer")
    again = await read_again(found.strategy)
    assert again is not None
    assert getattr(again.strategy, "key", "") == Secret("newer")
