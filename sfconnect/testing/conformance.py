"""Tests that every auth strategy should pass; inherit them.

.. code-block:: python

    class TestVaultToken(StrategyConformance):
        @pytest.fixture
        def strategy(self, tmp_path):
            path = tmp_path / "token"
            path.write_text("a-token")
            return VaultToken(path=path, instance_url="https://acme.my.salesforce.com")

A strategy that asks an OAuth token endpoint inherits :class:`TokenEndpointConformance`, and points
the strategy at the ``token_server`` fixture.
"""

# Assertions with plain values are what this module is made of.
# ruff: noqa: S101, PLR2004

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from sfconnect.auth.base import AuthContext, AuthStrategy, Credentials, StoredToken, TokenStore
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.options import options_of, variables_of
from sfconnect.auth.resolve import resolve
from sfconnect.auth.store import MemoryStore, identity_key, secrets_of
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    LoginRateLimited,
    SfConnectError,
    TokenStoreError,
    TransientAuthError,
)
from sfconnect.instrumentation import Emitter, Event
from sfconnect.testing.clock import FakeClock
from sfconnect.testing.doors import close_doors
from sfconnect.testing.option_forms import (
    NAME,
    as_toml,
    as_variable,
    option_values,
    rebuilt,
    registry_of,
    write_private,
    written_options,
)
from sfconnect.testing.people import FakePerson
from sfconnect.testing.senders import answer
from sfconnect.testing.token_server import FakeTokenServer
from sfconnect.transport import ConnectionPool

CALLERS = 100
_TELLING = 8
"""Characters of a value that a hash does not hold by chance."""


class StrategyConformance:
    """What the contract asks of any strategy. Override the ``strategy`` fixture."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Strategies run on asyncio."""
        return "asyncio"

    @pytest.fixture
    def strategy(self) -> AuthStrategy:
        """The strategy under test, with a value for each secret option that it has."""
        raise NotImplementedError

    @pytest.fixture
    def closed_pool(self) -> ConnectionPool:
        """A pool that is made outside the event loop, since that reads files."""
        return ConnectionPool(proxies_from_environment=False)

    @pytest.fixture
    async def pool(self, closed_pool: ConnectionPool) -> AsyncIterator[ConnectionPool]:
        """Real connections, as an application has them."""
        async with closed_pool as pool:
            yield pool

    @pytest.fixture
    def events(self) -> list[Event]:
        """What the manager told about its logins."""
        return []

    @pytest.fixture
    async def manage(
        self,
        strategy: AuthStrategy,
        pool: ConnectionPool,
        person: FakePerson,
        events: list[Event],
    ) -> AsyncIterator[Callable[..., CredentialManager]]:
        """Make managers of the strategy as programs have them; they are closed with the test."""
        made: list[CredentialManager] = []

        def make(store: TokenStore | None = None) -> CredentialManager:
            manager = CredentialManager(
                strategy,
                send=pool.send,
                store=store,
                emitter=Emitter([events.append]),
                prompt=person.prompt,
                browser=person.browser,
            )
            made.append(manager)
            return manager

        yield make
        for manager in made:
            await manager.aclose()

    @pytest.fixture
    async def manager(self, manage: Callable[..., CredentialManager]) -> CredentialManager:
        """The manager that an application would use."""
        return manage()

    @pytest.fixture
    def person(self) -> FakePerson:
        """Whoever is at the screen, for strategies that need somebody."""
        return FakePerson()

    @pytest.fixture
    def context(self, pool: ConnectionPool, person: FakePerson) -> AuthContext:
        """What the strategy gets when it is called without a manager."""
        return _context(pool.send, person)

    async def test_every_option_has_a_help_text(self, strategy: AuthStrategy) -> None:
        """`auth explain` and forms show it."""
        without = [spec.name for spec in options_of(type(strategy)) if not spec.help.strip()]

        assert without == []

    async def test_options_make_an_equal_strategy(self, strategy: AuthStrategy) -> None:
        """Profiles and the environment give plain text; it has to mean the same."""
        assert rebuilt(strategy) == strategy

    async def test_the_environment_makes_an_equal_strategy(
        self, strategy: AuthStrategy, tmp_path: Path
    ) -> None:
        """What is set as ``SFCONNECT_…`` means what it means as an argument."""
        texts = {
            name: as_variable(name, value) for name, value in written_options(strategy).items()
        }
        environ = {variables_of(name): text for name, text in texts.items()}

        registry = registry_of(strategy)
        made = await asyncio.to_thread(
            resolve, NAME, environ=environ, cwd=tmp_path, registry=registry
        )

        assert made.strategy == strategy

    async def test_a_profile_makes_an_equal_strategy(
        self, strategy: AuthStrategy, tmp_path: Path
    ) -> None:
        """What stands in ``sfconnect.toml`` means what it means as an argument."""
        lines = [f"{name} = {as_toml(value)}" for name, value in written_options(strategy).items()]
        text = "\n".join(["[profiles.p]", f'auth = "{NAME}"', *lines])
        await asyncio.to_thread(write_private, tmp_path / "sfconnect.toml", text)

        registry = registry_of(strategy)
        made = await asyncio.to_thread(
            resolve, profile="p", environ={}, cwd=tmp_path, registry=registry
        )

        assert made.strategy == strategy

    async def test_importing_it_loads_no_http_client(self, strategy: AuthStrategy) -> None:
        """A listing of plugins must stay quick; heavy packages belong into ``authenticate``."""
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; import {type(strategy).__module__}\n"
            f"print(*sorted(set(sys.modules) & {_HTTP_CLIENTS!r}))"
        )

        command = [sys.executable, "-c", code]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)

        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == []

    async def test_options_cannot_be_changed(self, strategy: AuthStrategy) -> None:
        """Its identity is a key of stores, so it has to stay what it is."""
        name = options_of(type(strategy))[0].name

        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(strategy, name, "other")

    async def test_making_it_does_no_io(
        self, strategy: AuthStrategy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Files and networks are for the login."""
        close_doors(monkeypatch, "making a strategy")

        dataclasses.replace(_as_dataclass(strategy))

    async def test_asking_whether_it_is_available_does_no_io(
        self, strategy: AuthStrategy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked of all that are installed, whenever somebody lists them."""
        ask = getattr(type(strategy), "availability", lambda: None)
        with monkeypatch.context() as closed:
            close_doors(closed, "availability()")
            reason = ask()

        assert reason is None or (isinstance(reason, str) and reason.strip())

    async def test_its_secrets_are_in_no_text_of_it(self, strategy: AuthStrategy) -> None:
        """Strategies end up in logs and error reports."""
        texts = [repr(strategy), str(strategy), f"{strategy}"]

        assert _leaks(strategy, *texts) == []

    async def test_its_secrets_are_in_no_pickle(self, strategy: AuthStrategy) -> None:
        """A strategy with secrets refuses to be pickled; one without may be."""
        if not secrets_of(strategy):
            assert pickle.loads(pickle.dumps(strategy)) == strategy  # noqa: S301  # own bytes
            return
        with pytest.raises(TypeError):
            pickle.dumps(strategy)

    async def test_its_identity_is_stable_and_tells_nothing(self, strategy: AuthStrategy) -> None:
        """Stores use it as a key and events show it."""
        key = identity_key(strategy)

        assert identity_key(rebuilt(strategy)) == key
        values = [str(value) for value in option_values(strategy).values()]
        # A short one, such as 60 or 7, is in one hash of some by chance.
        told = [value for value in values if len(value) >= _TELLING and value in key]
        assert told == []

    async def test_a_login_gives_usable_credentials(self, manager: CredentialManager) -> None:
        """A token, and where it is for."""
        credentials = await manager.get()

        assert credentials.access_token
        assert credentials.instance_url.startswith(("https://", "http://127.0.0.1"))

    async def test_a_login_shows_no_secret(
        self,
        strategy: AuthStrategy,
        manager: CredentialManager,
        events: list[Event],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Not in logs of any level, not in events, not in what it returns."""
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as captured:
            credentials = await manager.get()

        texts = [caplog.text, str(captured), str(events), repr(credentials), str(credentials)]
        token = credentials.access_token.reveal()
        assert _leaks(strategy, *texts) == []
        assert [text for text in texts if token in text] == []

    async def test_many_callers_get_one_token(self, manager: CredentialManager) -> None:
        """The manager asks it once for all."""
        credentials = await asyncio.gather(*(manager.get() for _ in range(CALLERS)))

        assert len({one.access_token for one in credentials}) == 1

    async def test_a_cancelled_caller_takes_nobody_along(self, manager: CredentialManager) -> None:
        """Whoever else waits gets the token."""
        leaving, staying = (asyncio.create_task(manager.get()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()

        assert (await staying).access_token
        assert leaving.cancelled()

    async def test_it_belongs_to_no_event_loop(self, strategy: AuthStrategy) -> None:
        """Programs call ``asyncio.run`` more than once, and have loops in threads."""
        for _ in range(2):
            credentials = await asyncio.to_thread(asyncio.run, _log_in(strategy))
            assert credentials.access_token

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    async def test_it_works_in_a_forked_child(self, strategy: AuthStrategy) -> None:
        """Servers fork their workers after they have read their settings."""
        child = _fork_and_log_in(strategy)

        _, status = await asyncio.to_thread(os.waitpid, child, 0)

        assert os.waitstatus_to_exitcode(status) == 0

    async def test_credentials_that_cannot_be_stored_are_used(
        self, manage: Callable[..., CredentialManager]
    ) -> None:
        """A full disk must not cost the login that has just been made."""
        credentials = await manage(BrittleStore()).get()

        assert credentials.access_token


class TokenEndpointConformance(StrategyConformance):
    """What is asked of a strategy that sends one request to an OAuth token endpoint."""

    @pytest.fixture
    async def token_server(self) -> AsyncIterator[FakeTokenServer]:
        """The endpoint to point the strategy at: ``token_server.url``."""
        async with FakeTokenServer() as server:
            yield server

    async def test_many_callers_cause_one_request(
        self, token_server: FakeTokenServer, manager: CredentialManager
    ) -> None:
        """A cold start of a hundred tasks is one login."""
        token_server.delay_s = 0.02

        await asyncio.gather(*(manager.get() for _ in range(CALLERS)))

        assert len(token_server.requests) == 1

    async def test_the_request_is_a_form_in_the_body(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Nothing goes into the URL, which logs keep; and no scope unless it is asked for."""
        await strategy.authenticate(context)

        request = token_server.requests[0]
        assert request.method == "POST"
        assert request.query == ""
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert request.form["grant_type"]
        if not getattr(strategy, "scope", None):
            assert "scope" not in request.form

    async def test_unknown_members_of_the_answer_are_kept(
        self, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Servers add members; somebody may need them."""
        credentials = await strategy.authenticate(context)

        assert credentials.extra["member_of_tomorrow"] == 1

    async def test_a_told_life_is_honoured(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """`expires_in` counts from now; without it the life is unknown."""
        body = {"access_token": "t", "instance_url": token_server.url, "expires_in": 600}
        token_server.script(answer(body))

        told = await strategy.authenticate(context)
        untold = await strategy.authenticate(context)

        assert told.expires_at == pytest.approx(context.clock.time() + 600)
        assert untold.expires_at is None

    @pytest.mark.parametrize("drift_s", [-600.0, 600.0])
    async def test_a_servers_wrong_clock_changes_no_life(
        self,
        token_server: FakeTokenServer,
        strategy: AuthStrategy,
        context: AuthContext,
        drift_s: float,
    ) -> None:
        """``expires_in`` is a length of time, whatever either clock shows."""
        token_server.drift_s = drift_s
        body = {"access_token": "t", "instance_url": token_server.url, "expires_in": 600}
        token_server.script(answer(body))

        credentials = await strategy.authenticate(context)

        assert credentials.expires_at == pytest.approx(context.clock.time() + 600, abs=5)

    async def test_an_answer_that_drips_is_read_to_its_end(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Networks cut answers into pieces of any size."""
        token_server.drip_s = 0.0001

        assert (await strategy.authenticate(context)).access_token

    async def test_a_redirect_is_not_followed(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """It could carry the secret elsewhere."""
        headers = {"Location": f"{token_server.url}/elsewhere?steal=1"}
        for status in (301, 302, 303, 307, 308):
            token_server.script(answer(status=status, headers=headers))
            with pytest.raises(AuthError):
                await strategy.authenticate(context)

        assert len(token_server.requests) == 5
        assert "/elsewhere" not in [request.path for request in token_server.requests]

    @pytest.mark.parametrize(
        ("status", "error"), [(400, "invalid_client"), (401, "invalid_client"), (400, "")]
    )
    async def test_a_refusal_is_hopeless_and_names_its_code(
        self,
        token_server: FakeTokenServer,
        strategy: AuthStrategy,
        context: AuthContext,
        status: int,
        error: str,
    ) -> None:
        """The same login would be refused again, so nobody should repeat it."""
        token_server.script_error(error, "no", status=status)

        caught = await _failure(strategy, context)

        assert isinstance(caught, AuthError)
        assert caught.hopeless
        assert caught.status == status
        assert caught.code == (error or None)

    @pytest.mark.parametrize("status", [500, 502, 503])
    async def test_a_fault_of_the_server_is_a_passing_one(
        self,
        token_server: FakeTokenServer,
        strategy: AuthStrategy,
        context: AuthContext,
        status: int,
    ) -> None:
        """The same login may work in a moment."""
        token_server.script(answer("<html><title>Down</title></html>", status=status))

        assert isinstance(await _failure(strategy, context), TransientAuthError)

    async def test_too_many_logins_tell_how_long_to_wait(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Status 429 with Retry-After."""
        token_server.script(answer(status=429, headers={"Retry-After": "7"}))

        caught = await _failure(strategy, context)

        assert isinstance(caught, LoginRateLimited)
        assert caught.retry_after == 7.0

    @pytest.mark.parametrize("body", ["", "<html><title>Sign in</title></html>", "{}", "[1]", "{"])
    async def test_an_answer_that_is_no_token_is_explained(
        self,
        token_server: FakeTokenServer,
        strategy: AuthStrategy,
        context: AuthContext,
        body: str,
    ) -> None:
        """A proxy, a maintenance page or a wrong host answers 200 as well."""
        token_server.script(answer(body))

        assert isinstance(await _failure(strategy, context), AuthConfigurationError)

    async def test_errors_show_no_secret_even_if_the_server_repeats_it(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Servers quote what they were sent, in descriptions and in pages."""
        echoed = " ".join(secrets_of(strategy))
        token_server.script_error("invalid_grant", f"cannot use {echoed}")
        token_server.script(
            answer(f"<html><title>{echoed}</title>{echoed}</html>"),
            answer(echoed, headers={"Content-Type": "text/plain"}),
            answer({"error": echoed}, status=400),
        )

        for _ in range(4):
            caught = await _failure(strategy, context)
            assert _leaks(strategy, str(caught), repr(caught), repr(caught.__dict__)) == []
            assert _leaks(strategy, pickle.dumps(caught).decode("latin-1")) == []

    async def test_a_cancelled_login_is_cancelled(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """It must not take the cancellation for a failure."""
        token_server.delay_s = 60.0
        login = asyncio.create_task(strategy.authenticate(context))
        while not token_server.requests:  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.005)

        login.cancel()
        (outcome,) = await asyncio.gather(login, return_exceptions=True)

        assert isinstance(outcome, asyncio.CancelledError)

    async def test_the_clock_is_the_contexts(
        self, token_server: FakeTokenServer, strategy: AuthStrategy, context: AuthContext
    ) -> None:
        """Otherwise tests of expiry would have to wait."""
        clock = FakeClock(wall=2_000_000_000.0)
        token_server.script(
            answer({"access_token": "t", "instance_url": token_server.url, "expires_in": 60})
        )

        credentials = await strategy.authenticate(dataclasses.replace(context, clock=clock))

        assert credentials.expires_at == 2_000_000_060.0


def _context(send: Any, person: FakePerson) -> AuthContext:
    async def no_child(strategy: AuthStrategy) -> Credentials:
        return await strategy.authenticate(context)

    context = AuthContext(
        send=send,
        child=no_child,
        log=structlog.get_logger(),
        prompt=person.prompt,
        browser=person.browser,
    )
    return context


def _as_dataclass(strategy: AuthStrategy) -> Any:
    return strategy


class BrittleStore(MemoryStore):
    """A store whose disk is full: everything can be read, and only the second write works."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        """Fail the first time."""
        if not self.failures:
            self.failures += 1
            raise TokenStoreError("The disk is full.")
        return await super().compare_and_swap(key, expected, credentials)


async def _log_in(strategy: AuthStrategy) -> Credentials:
    pool = await asyncio.to_thread(ConnectionPool, proxies_from_environment=False)
    async with pool:
        return await strategy.authenticate(_context(pool.send, FakePerson()))


def _fork_and_log_in(strategy: AuthStrategy) -> int:
    """Start a child that logs in and ends with 0 if it can."""
    with warnings.catch_warnings():
        # That a program with threads should not fork is true, and they do it all the same.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = 0 if asyncio.run(_log_in(strategy)).access_token else 1
    finally:
        os._exit(code)


_HTTP_CLIENTS = {"aiohttp", "botocore", "httpx", "requests", "urllib3"}


def _leaks(strategy: AuthStrategy, *texts: str) -> list[str]:
    """Secrets that are in one of the texts."""
    secrets = secrets_of(strategy)
    return [secret for secret in secrets if any(secret in text for text in texts)]


async def _failure(strategy: AuthStrategy, context: AuthContext) -> SfConnectError:
    with pytest.raises(SfConnectError) as caught:
        await strategy.authenticate(context)
    return caught.value
