"""One org with all its parts, and the exchange that travels through them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from sfconnect_emulator.capacity import Capacity
from sfconnect_emulator.clock import Clock
from sfconnect_emulator.data.org import Org
from sfconnect_emulator.data.seed import seed
from sfconnect_emulator.data.store import Store
from sfconnect_emulator.directory import StoredUsers
from sfconnect_emulator.faults import Faults
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.ledger import Ledger
from sfconnect_emulator.limits import ApiUsage
from sfconnect_emulator.oauth.accounts import Account
from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.people import Directory
from sfconnect_emulator.oauth.server import AuthorizationServer
from sfconnect_emulator.oauth.tokens import TokenBook
from sfconnect_emulator.oauth.trusted_issuers import (
    DEFAULT_HANDLER,
    DEFAULT_ISSUER,
    TrustedIssuer,
    TrustedIssuers,
)
from sfconnect_emulator.recent import RecentItems
from sfconnect_emulator.schema import standard_schema
from sfconnect_emulator.schema.types import Schema
from sfconnect_emulator.settings import Registration, Settings
from sfconnect_emulator.soql import QueryEngine
from sfconnect_emulator.statistics import Statistics
from sfconnect_emulator.wire import Request


@dataclass(slots=True)
class Exchange:
    """A request on its way through the org, with what is learned about it there."""

    request: Request
    request_id: str
    user: str | None = None
    fault: str | None = None


@dataclass(slots=True)
class Instance:
    """The parts of one running org. Only ``open_instance`` puts them together."""

    settings: Settings
    clock: Clock
    org: Org
    store: Store
    queries: QueryEngine
    registration: Registration = field(repr=False)
    directory: Directory
    apps: AppRegistry
    tokens: TokenBook
    authorization: AuthorizationServer
    usage: ApiUsage
    statistics: Statistics
    ledger: Ledger
    recent: RecentItems
    faults: Faults
    latency_ms: float
    describes: dict[tuple[str, int], bytes] = field(default_factory=dict, repr=False)
    capacity: Capacity = field(default_factory=Capacity)

    @property
    def base_url(self) -> str:
        """Where the org answers; empty until a door has opened."""
        return self.authorization.state.base_url

    def answer_at(self, base_url: str) -> None:
        """Tell the org its URL, which tokens, identities and audiences are made of."""
        self.authorization.state.signer.issuer = base_url.rstrip("/")

    def approve_first(self) -> None:
        """Let the announced refresh token work, unless it does."""
        registration, user = self.registration, self.org.user
        if self.tokens.grant_of(registration.refresh_token) is None:
            scope = " ".join(ConnectedApp("", "").scopes)
            self.tokens.approve(
                *(registration.client_id, user.id, user.username, scope),
                registration.refresh_token,
            )

    @property
    def schema(self) -> Schema:
        """The objects of the org."""
        return self.store.schema

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def open_instance(settings: Settings, keys: KeyPair, clock: Clock | None = None) -> Instance:
    """Build an org from its settings: data, app, user, tokens."""
    clock = clock or Clock()
    org = Org.from_seed(settings.seed)
    store = _open_store(settings, org, clock)
    registration = Registration.from_seed(settings.seed, keys)
    apps = AppRegistry((_first_app(registration, org),))
    directory = StoredUsers(store, apps)
    tokens = TokenBook(clock, org.org_id, settings.token_ttl_s)
    statistics = Statistics()
    issuer = TrustedIssuer(DEFAULT_HANDLER, DEFAULT_ISSUER, registration.keys.certificate)
    issuers = TrustedIssuers((issuer,))
    authorization = AuthorizationServer(apps, tokens, directory, clock, statistics, issuers=issuers)
    authorization.state.accounts.set(
        org.user.username, Account(registration.password, registration.security_token)
    )
    instance = Instance(
        settings=settings,
        clock=clock,
        org=org,
        store=store,
        queries=QueryEngine(store),
        registration=registration,
        directory=directory,
        apps=apps,
        tokens=tokens,
        authorization=authorization,
        usage=ApiUsage(clock),
        statistics=statistics,
        ledger=Ledger(),
        recent=RecentItems(),
        faults=Faults(settings.seed, settings.faults),
        latency_ms=settings.latency_ms,
    )
    instance.approve_first()
    return instance


def _open_store(settings: Settings, org: Org, clock: Clock) -> Store:
    """Open the rows; a file that holds an org already keeps the rows that it has."""
    path, store = settings.data_file, None
    held_rows = path is not None and path.exists() and path.stat().st_size > 0
    try:
        store = Store(standard_schema(), path=path, org=org, clock=clock.now)
        if store.is_new:
            seed(store, settings.rows, seed=settings.seed)
    except BaseException as error:
        if store is not None:
            store.close()
        # A file with half the rows would be taken for an org the next time.
        if path is not None and not held_rows:
            _remove_database(path)
        if path is not None and isinstance(error, sqlite3.Error):
            raise type(error)(f"{path}: {error}") from error
        raise
    return store


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _first_app(registration: Registration, org: Org) -> ConnectedApp:
    return ConnectedApp(
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        certificate=registration.keys.certificate,
        run_as=org.user.username,
    )
