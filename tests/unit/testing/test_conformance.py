"""The conformance tests fail for strategies that break the contract."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2ClientCredentials
from sfconnect.auth.options import coerce_secrets, option
from sfconnect.errors import AuthError, ConfigurationError, ReauthorizationRequired
from sfconnect.instrumentation import Emitter
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth import RefreshToken
from sfconnect.testing import FakePerson, FakeTokenServer, RotatingTokenServer
from sfconnect.testing.conformance import (
    StrategyConformance,
    TokenEndpointConformance,
    _context,
)
from sfconnect.testing.rotation import RotationConformance
from sfconnect.transport import ConnectionPool

SECRET = "canary-secret"


@dataclass(frozen=True, slots=True)
class Good:
    """A strategy as short as they come."""

    url: str = option(help="Where.")
    key: Secret | str = option(help="Secret.", secret=True, default=SECRET)

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        return Credentials(Secret("t"), self.url)


GOOD = Good("https://org.example.com")


@dataclass(frozen=True, slots=True)
class Helpless:
    url: str = option(help=" ", default="https://org")

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Forgetful:
    url: str = option(help="Where.", default="https://org")
    moment: object = field(default_factory=object, init=False)

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(slots=True)
class Loose:
    url: str = option(help="Where.", default="https://org")

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(frozen=True)
class Eager:
    path: str = option(help="File.", default=__file__)

    def __post_init__(self) -> None:
        Path(self.path).read_text()

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Talkative(Good):
    def __repr__(self) -> str:
        assert isinstance(self.key, Secret)
        return f"Talkative({self.key.reveal()})"


@dataclass(frozen=True, slots=True)
class Portable(Good):
    def __reduce__(self) -> tuple[Any, ...]:
        return Portable, (self.url,)


kit = StrategyConformance()
OFFLINE: dict[str, tuple[Any, object]] = {
    "help": (kit.test_every_option_has_a_help_text, Helpless()),
    "equality": (kit.test_options_make_an_equal_strategy, Forgetful()),
    "frozen": (kit.test_options_cannot_be_changed, Loose()),
    "text": (kit.test_its_secrets_are_in_no_text_of_it, Talkative("https://org")),
    "pickle": (kit.test_its_secrets_are_in_no_pickle, Portable("https://org")),
}


@pytest.mark.parametrize(("check", "bad"), OFFLINE.values(), ids=OFFLINE.keys())
async def test_a_strategy_that_breaks_the_contract_fails_the_check(check, bad):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await check(bad)


@pytest.mark.parametrize(("check", "_bad"), OFFLINE.values(), ids=OFFLINE.keys())
async def test_a_strategy_that_keeps_the_contract_passes_the_check(check, _bad):
    await check(GOOD)


async def test_a_strategy_without_secrets_may_be_pickled():
    await kit.test_its_secrets_are_in_no_pickle(Loose())


async def test_making_it_may_not_read_files(monkeypatch):
    eager = await asyncio.to_thread(Eager)
    with pytest.raises(AssertionError, match="must do no I/O"):
        await kit.test_making_it_does_no_io(eager, monkeypatch)


@pytest.mark.parametrize("reason", [None, "There is no vault."], ids=["can", "cannot"])
async def test_telling_whether_it_is_available_may_not_read_files(monkeypatch, reason: str | None):
    class Curious(Good):
        @classmethod
        def availability(cls) -> str | None:
            return Path(__file__).read_text()

    class Quick(Good):
        @classmethod
        def availability(cls) -> str | None:
            return reason

    await kit.test_asking_whether_it_is_available_does_no_io(Quick("https://org"), monkeypatch)
    with pytest.raises(AssertionError, match="must do no I/O"):
        await kit.test_asking_whether_it_is_available_does_no_io(
            Curious("https://org"), monkeypatch
        )


async def test_a_login_may_not_log_a_secret(caplog):
    class Noisy(Good):
        async def authenticate(self, context):
            assert isinstance(self.key, Secret)
            structlog.get_logger().info("login", key=self.key.reveal())
            return Credentials(Secret("t0ken"), self.url)

    noisy = Noisy("https://org")
    events: list[Any] = []
    manager = CredentialManager(noisy, send=nowhere, emitter=Emitter([events.append]))

    with pytest.raises(AssertionError):
        await kit.test_a_login_shows_no_secret(noisy, manager, events, caplog)
    await manager.aclose()


async def nowhere(request: Request) -> Response:
    raise AssertionError(request)


class Following:
    """A client that follows redirects, against the contract."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    async def send(self, request: Request) -> Response:
        answer = await self._pool.send(request)
        while "Location" in answer.headers:
            request = replace(request, path=answer.headers["Location"])
            answer = await self._pool.send(request)
        return answer


@pytest.fixture
def closed_pool() -> ConnectionPool:
    return ConnectionPool(proxies_from_environment=False)


@pytest.fixture
async def pool(closed_pool):
    async with closed_pool as opened:
        yield opened


@pytest.fixture
async def server():
    async with FakeTokenServer() as running:
        yield running


def context_of(send) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    return AuthContext(send=send, child=no_child, log=structlog.get_logger())


class Quoting(OAuth2ClientCredentials):
    """It puts the server's words into its errors as they are."""

    async def authenticate(self, context):
        response = await context.send(Request("POST", str(self.token_url)))
        raise AuthError(response.text)


class Deaf(OAuth2ClientCredentials):
    """It takes a cancellation for a failure."""

    async def authenticate(self, context):
        try:
            return await super().authenticate(context)
        except asyncio.CancelledError:
            raise AuthError("something went wrong") from None


endpoint = TokenEndpointConformance()


async def test_following_a_redirect_is_noticed(server, pool):
    strategy = OAuth2ClientCredentials(server.url, "app", SECRET)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await endpoint.test_a_redirect_is_not_followed(
            server, strategy, context_of(Following(pool).send)
        )


async def test_quoting_the_server_is_noticed(server, pool):
    strategy = Quoting(server.url, "app", SECRET)

    with pytest.raises(AssertionError):
        await endpoint.test_errors_show_no_secret_even_if_the_server_repeats_it(
            server, strategy, context_of(pool.send)
        )


async def test_swallowing_a_cancellation_is_noticed(server, pool):
    strategy = Deaf(server.url, "app", SECRET)

    with pytest.raises(AssertionError):
        await endpoint.test_a_cancelled_login_is_cancelled(server, strategy, context_of(pool.send))


async def test_a_derived_strategy_gets_the_credentials_of_its_base():
    credentials = await _context(nowhere, FakePerson()).child(GOOD)

    assert credentials.instance_url == "https://org.example.com"


class Stubborn(RefreshToken):
    """It renews with the token that it was given, although that one has been used."""

    async def refresh(self, context, credentials):
        return await self.authenticate(context)


class Bound(Good):
    """It keeps a future of the event loop that it was first used in."""

    async def authenticate(self, context):
        loop = FIRST_LOOP.setdefault("loop", asyncio.get_running_loop())
        await asyncio.wait_for(loop.create_future(), 0) if loop.is_closed() else None
        return Credentials(Secret("t"), self.url)


FIRST_LOOP: dict[str, asyncio.AbstractEventLoop] = {}


class Local(Good):
    """It works in the process only that made it."""

    async def authenticate(self, context):
        if os.getpid() != HERE:
            raise AuthError("this is another process")
        return Credentials(Secret("t"), self.url)


HERE = os.getpid()


async def test_being_bound_to_a_loop_is_noticed():
    with pytest.raises((RuntimeError, ValueError)):
        await kit.test_it_belongs_to_no_event_loop(Bound("https://org"))


async def test_failing_in_a_forked_child_is_noticed(capfd):
    with pytest.raises(AssertionError):
        await kit.test_it_works_in_a_forked_child(Local("https://org"))


async def test_an_environment_that_means_something_else_is_noticed(tmp_path):
    with pytest.raises((AssertionError, ConfigurationError)):
        await kit.test_the_environment_makes_an_equal_strategy(Picky(7), tmp_path)


async def test_a_profile_that_means_something_else_is_noticed(tmp_path):
    with pytest.raises((AssertionError, ConfigurationError)):
        await kit.test_a_profile_makes_an_equal_strategy(Relative(Path("token")), tmp_path)


@dataclass(frozen=True, slots=True)
class Picky:
    number: object = option(help="A number, which its type does not say.")

    async def authenticate(self, context):
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Relative:
    path: Path = option(help="A file; a profile takes it relative to itself.")

    async def authenticate(self, context):
        raise NotImplementedError


async def test_loading_an_http_client_is_noticed():
    with pytest.raises(AssertionError):
        await kit.test_importing_it_loads_no_http_client(heavy())


def heavy():
    """A strategy whose module imports aiohttp, as this one does through the fake server."""
    return Good("https://org")


rotation = RotationConformance()


@pytest.fixture
async def rotating():
    async with RotatingTokenServer() as running:
        yield running


@pytest.fixture
def stubborn(rotating):
    return Stubborn(rotating.url, "app", rotating.refresh_token)


async def test_using_a_refresh_token_twice_is_noticed(rotating, stubborn, pool):
    manager = CredentialManager(stubborn, send=pool.send)

    with pytest.raises(ReauthorizationRequired):
        await rotation.test_each_renewal_uses_the_newest_token(rotating, manager)
    await manager.aclose()


async def test_forgetting_what_could_not_be_stored_is_noticed(rotating, stubborn, pool):
    def manage(store):
        return CredentialManager(stubborn, send=pool.send, store=store)

    with pytest.raises(ReauthorizationRequired):
        await rotation.test_a_token_that_could_not_be_stored_is_not_lost(rotating, manage)
