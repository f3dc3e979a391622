"""The limiter of a connection: which one it is, what it is told, and when it is closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from sfconnect import AccessToken, Connector, RefreshToken, Salesforce
from sfconnect.auth import LIMITERS, Chain, resolve
from sfconnect.auth.store import identity_key
from sfconnect.errors import ConfigurationError, PluginError
from sfconnect.limits import FixedLimiter, LimiterContext
from sfconnect.messages import Request, Response
from sfconnect.testing import ScriptedStrategy

BASE = "https://org.example.com"
ORG = "https://acme.my.salesforce.com"


class Opened(FixedLimiter):
    """A limiter that notes when it is closed."""

    def __init__(self) -> None:
        super().__init__(2)
        self.closed_with_in_flight: list[int] = []

    async def aclose(self) -> None:
        self.closed_with_in_flight.append(self.in_flight)


@dataclass(frozen=True)
class Everywhere:
    """A limit of all processes, as a plugin."""

    everywhere_size: int = 3
    contexts: list[LimiterContext] = field(default_factory=list, init=False, compare=False)
    opened: Opened = field(default_factory=Opened, init=False, compare=False)
    made: ClassVar[list[Everywhere]] = []

    def __post_init__(self) -> None:
        self.made.append(self)

    async def open(self, context: LimiterContext) -> Opened:
        if self.everywhere_size < 1:
            raise ConfigurationError("too small")
        self.contexts.append(context)
        return self.opened


@pytest.fixture(autouse=True)
def everywhere(monkeypatch, tmp_path):
    """Give the plugin its name, and nothing else of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SFCONNECT_PROFILE", "SFCONNECT_AUTH", "SFCONNECT_CONFIG", "SFCONNECT_LIMITER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(LIMITERS, "_registered", {})
    monkeypatch.setattr(LIMITERS, "_loaded", {})
    monkeypatch.setattr(Everywhere, "made", [])
    LIMITERS.register("everywhere", Everywhere)


async def ok(request: Request) -> Response:
    return Response(200, {}, b"{}")


@pytest.fixture
def connect(fake_transport):
    def make(handler=ok, **options):
        strategy = ScriptedStrategy(instance_url=BASE)
        return Connector.connect(
            strategy, base_url=BASE, transport=fake_transport(handler), **options
        )

    return make


async def test_a_shared_limiter_is_opened_with_what_the_connection_knows(connect):
    limiter = Everywhere()

    async with connect(limiter=limiter, max_waiting=7, wait_s=1.5) as api:
        assert await api.get("/things") == {}

    (context,) = limiter.contexts
    assert (context.max_waiting, context.wait_s) == (7, 1.5)
    assert context.scope == identity_key(ScriptedStrategy(instance_url=BASE))
    assert limiter.opened.closed_with_in_flight == [0]


async def test_it_is_closed_after_the_calls_have_ended(connect):
    limiter, began = Everywhere(), asyncio.Event()

    async def stuck(request: Request) -> Response:
        began.set()
        await asyncio.sleep(3600)
        raise AssertionError

    api = connect(stuck, limiter=limiter)
    await api.open()

    async def call() -> None:
        await api.get("/things")

    task = api.spawn(call())
    await began.wait()
    assert limiter.opened.in_flight == 1

    await api.aclose()
    await api.aclose()

    assert limiter.opened.closed_with_in_flight == [0]
    assert task.cancelled()


async def test_a_setting_names_it_and_its_options_have_the_same_places(connect, monkeypatch):
    monkeypatch.setenv("SFCONNECT_EVERYWHERE_SIZE", "9")

    async with connect(limiter=None) as api:
        await api.get("/things")
    assert Everywhere.made == []

    monkeypatch.setenv("SFCONNECT_LIMITER", "everywhere")
    async with connect() as api:
        await api.get("/things")

    (limiter,) = Everywhere.made
    assert limiter.everywhere_size == 9
    assert limiter.opened.closed_with_in_flight == [0]


async def test_an_argument_wins_over_the_setting(connect, monkeypatch):
    monkeypatch.setenv("SFCONNECT_LIMITER", "everywhere")
    given = FixedLimiter(1)

    async def look(request: Request) -> Response:
        assert given.in_flight == 1
        return Response(200, {}, b"{}")

    async with connect(look, limiter=given) as api:
        await api.get("/things")

    (unused,) = Everywhere.made
    assert unused.contexts == []


async def test_a_limiter_that_cannot_be_opened_leaves_nothing_open(connect):
    with pytest.raises(ConfigurationError, match="too small"):
        await connect(limiter=Everywhere(0)).open()


async def test_a_connection_that_cannot_be_made_closes_its_limiter(connect):
    limiter = Everywhere()

    class Refusing(Connector):
        def _build(self, *_parts) -> None:
            raise ConfigurationError("refused")

    with pytest.raises(ConfigurationError, match="refused"):
        await Refusing.connect(
            ScriptedStrategy(instance_url=BASE), base_url=BASE, limiter=limiter
        ).open()

    assert limiter.opened.closed_with_in_flight == [0]


# Names and options


PROFILE = """
[profiles.prod]
auth = "refresh-token"
login_url = "https://acme.my.salesforce.com"
client_id = "app"
refresh_token = "5Aep-canary"
limiter = "everywhere"
everywhere_size = 4
"""


def test_a_profile_names_it_with_its_options(tmp_path):
    file = tmp_path / "sfconnect.toml"
    file.touch(mode=0o600)
    file.write_text(PROFILE)

    made = resolve(profile="prod", environ={}, cwd=tmp_path)

    assert made.limiter == Everywhere(4)
    assert made.origins["everywhere_size"] == f"everywhere_size of profile 'prod' in {file}"

    # Its options stay known where somebody turns it off for once.
    off = resolve(profile="prod", environ={"SFCONNECT_LIMITER": "none"}, cwd=tmp_path)
    assert off.limiter is None


def test_an_unknown_name_is_told_with_where_it_came_from():
    with pytest.raises(PluginError, match=r"limiter of environment variable SFCONNECT_LIMITER"):
        resolve(ScriptedStrategy(), environ={"SFCONNECT_LIMITER": "everywere"})


def test_an_option_of_no_limiter_is_refused():
    with pytest.raises(ConfigurationError, match="everywhere_size"):
        resolve(ScriptedStrategy(), options={"everywhere_size": 3}, environ={})


# Whose limits


@pytest.mark.parametrize(
    ("login", "scope"),
    [
        (RefreshToken(ORG, "app", "5Aep"), "acme.my.salesforce.com"),
        (AccessToken(ORG, "00D!t"), "acme.my.salesforce.com"),
        (RefreshToken("https://login.salesforce.com", "app", "5Aep"), None),
        (Chain(RefreshToken(ORG, "app", "5Aep")), None),
    ],
    ids=["login", "instance", "shared-login-host", "neither"],
)
async def test_the_limits_of_an_org_are_for_all_of_its_users(fake_transport, login, scope):
    limiter = Everywhere()

    async with Salesforce.connect(login, limiter=limiter, transport=fake_transport(ok)):
        pass

    (context,) = limiter.contexts
    assert context.scope == (scope or identity_key(login))
