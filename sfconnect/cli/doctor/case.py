"""What is examined, and what the checks have found out so far."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sfconnect.auth.oauth2 import ProviderOptions
from sfconnect.auth.urls import split_endpoint
from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.connector import tls_of
from sfconnect.instrumentation import Event, QuotaSeen, TokenReplaced
from sfconnect.messages import Timeout
from sfconnect.salesforce.client import Salesforce
from sfconnect.transport import ConnectionPool, EnvironmentProxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.auth.base import Credentials, Signer
    from sfconnect.auth.certificates import AppCertificate
    from sfconnect.auth.resolve import Resolved
    from sfconnect.cli.common import Common
    from sfconnect.config import Settings
    from sfconnect.connector import Connector
    from sfconnect.messages import Response
    from sfconnect.salesforce.identity import WhoAmI

PATIENCE_S: Final = 30.0
"""A person waits for the answer."""
_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the login begins, and the option that says so."""

    url: str
    option: str
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str, option: str) -> Target:
        """Take an address apart."""
        parts = split_endpoint(url.partition("?")[0], option)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        return cls(url, option, parts.scheme, host, port)

    @property
    def place(self) -> str:
        """Host and port, as they are written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class Case:
    """A login under examination."""

    common: Common
    wants_login: bool = False
    path: str | None = None
    """Of a resource to read, for an API that is not Salesforce."""
    clock: Clock = SYSTEM_CLOCK
    login: Resolved | None = None
    target: Target | None = None
    proxy: Target | None = None
    """The proxy that the environment names for the target."""
    proxy_user: str | None = field(default=None, repr=False)
    response: Response | None = None
    """The first answer of the login server."""
    signer: Signer | None = None
    certificate: AppCertificate | None = None
    logins: int = 0
    who: WhoAmI | None = None
    quotas: dict[str, QuotaSeen] = field(default_factory=dict)
    # What follows is there once the check that makes it has passed; what needs it is not tried
    # before.
    pool: ConnectionPool = field(init=False, repr=False, compare=False)
    connection: Connector = field(init=False, repr=False, compare=False)
    org: Salesforce = field(init=False, repr=False, compare=False)
    """The connection, where it is one to Salesforce."""
    credentials: Credentials = field(init=False, repr=False, compare=False)
    _opened: AsyncExitStack = field(
        init=False, repr=False, compare=False, default_factory=AsyncExitStack
    )

    @property
    def strategy(self) -> Any:
        """The strategy; its options are looked at by name."""
        return self.resolved.strategy

    @property
    def resolved(self) -> Resolved:
        """The login, which is there once its options are complete."""
        assert self.login is not None  # noqa: S101  # what needs it is not tried without it
        return self.login

    @property
    def proving(self) -> Any:
        """The strategy that proves who asks: the base, where the login builds on another."""
        base = getattr(self.strategy, "base", None)
        return self.strategy if base is None else base

    @property
    def is_of_a_tenant(self) -> bool:
        """Whether the token is for another API than the org's own, as that of Data 360 is."""
        return self.login is not None and self.proving is not self.strategy

    @property
    def is_salesforce(self) -> bool:
        """Whether the login is to Salesforce; without one it may be."""
        if self.login is None:
            return True
        other = self.login.settings.base_url is not None
        return not (other or isinstance(self.login.strategy, ProviderOptions))

    def admit(self, login: Resolved) -> None:
        """Take a login in, and get ready for its checks."""
        self.login = login
        self.target = target_of(login.strategy, login.settings)
        self.pool = _pool(login.settings)
        self._opened.push_async_callback(self.pool.aclose)
        proxy = EnvironmentProxies().for_url(self.target.url) if self.target else None
        if proxy is not None:
            front, _, rest = proxy.partition("://")
            self.proxy_user, _, place = rest.rpartition("@")
            self.proxy = _proxy(front, place.rstrip("/"))

    def keep(self, connection: Connector) -> None:
        """Take in the connection that the login is tried on."""
        self.connection = connection
        if isinstance(connection, Salesforce):
            self.org = connection
        self._opened.push_async_callback(connection.aclose)

    def hear(self, event: Event, /) -> None:
        """Note what the connection tells while it works."""
        if isinstance(event, QuotaSeen):
            self.quotas[event.quota] = event
        elif isinstance(event, TokenReplaced):
            self.logins += 1

    async def aclose(self) -> None:
        """Close what was opened."""
        await self._opened.aclose()


def target_of(strategy: Any, settings: Settings) -> Target | None:
    """Find where a login begins; None if it names no address, as a command or a chain does."""
    if isinstance(strategy, ProviderOptions):
        profile = strategy.profile()
        if profile.issuer is not None and profile.token_url is None:
            return Target.of(profile.issuer, "issuer")
        return Target.of(profile.token_url, "token_url") if profile.token_url else None
    for option in ("login_url", "instance_url"):
        url = getattr(strategy, option, None)
        if isinstance(url, str) and url:
            return Target.of(url, option)
    if (base := getattr(strategy, "base", None)) is not None:
        return target_of(base, settings)
    return Target.of(settings.base_url, "base_url") if settings.base_url else None


def _proxy(scheme: str, place: str) -> Target:
    from urllib.parse import urlsplit

    parts = urlsplit(f"{scheme}://{place}")
    return Target(place, "proxy", scheme, parts.hostname or "", parts.port or _PORTS[scheme])


def _pool(settings: Settings) -> ConnectionPool:
    """A small pool that does not wait for long."""
    limits = (settings.connect_timeout_s, settings.read_timeout_s, settings.total_timeout_s)
    connect_s, read_s, total_s = (min(limit or PATIENCE_S, PATIENCE_S) for limit in limits)
    return ConnectionPool(
        max_connections=4, timeout=Timeout(connect_s, read_s, total_s), tls=tls_of(settings)
    )
