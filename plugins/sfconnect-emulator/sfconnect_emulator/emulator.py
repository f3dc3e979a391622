"""An org in this process: on a real socket of the running loop, or without any."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.control import Control
from sfconnect_emulator.control_api import CONTROL_PREFIX
from sfconnect_emulator.engine import Engine
from sfconnect_emulator.http.server import HttpServer
from sfconnect_emulator.instance import Instance, open_instance
from sfconnect_emulator.key_file import KeyFile
from sfconnect_emulator.keys import KeyPair, process_key_pair
from sfconnect_emulator.settings import NEWEST_VERSION, Options, Settings


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client needs to know of a running org: the line that ``serve`` prints."""

    login_url: str
    instance_url: str
    api_version: str
    org_id: str
    client_id: str
    client_secret: str = field(repr=False)
    private_key_file: str
    username: str
    password: str = field(repr=False)
    security_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    control_url: str


class OpenOrg:
    """What can be seen of an org while one of its doors is open."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._key_file: KeyFile | None = None

    def _open(self, options: Options, clock: Clock | None, keys: KeyPair | None) -> Engine:
        settings = Settings.from_options(options)
        engine = Engine(open_instance(settings, keys or process_key_pair(), clock))
        self._engine, self._key_file = engine, KeyFile()
        try:
            self._key_file.write(engine.instance.registration.keys.private_key)
        except BaseException:
            self._close()
            raise
        return engine

    def _close(self) -> None:
        engine, self._engine = self._engine, None
        key_file, self._key_file = self._key_file, None
        if key_file is not None:
            key_file.remove()
        if engine is not None:
            engine.close()

    @property
    def engine(self) -> Engine:
        """The engine behind the door."""
        if self._engine is None:
            raise RuntimeError("the org is open only inside its 'with' block")
        return self._engine

    @property
    def instance(self) -> Instance:
        """The parts of the org."""
        return self.engine.instance

    @property
    def control(self) -> Control:
        """Every operation of the control API, callable directly."""
        return self.engine.control

    @property
    def announcement(self) -> Announcement:
        """Everything that a client needs to know, in one value."""
        return announce(self.instance, self.private_key_file)

    @property
    def login_url(self) -> str:
        """Where tokens are issued."""
        return self.instance.base_url

    @property
    def instance_url(self) -> str:
        """Where the APIs are."""
        return self.instance.base_url

    @property
    def control_url(self) -> str:
        """Where the control API is."""
        return f"{self.instance.base_url}{CONTROL_PREFIX}"

    @property
    def client_id(self) -> str:
        """The consumer key of the registered app."""
        return self.instance.registration.client_id

    @property
    def client_secret(self) -> str:
        """The consumer secret of the registered app."""
        return self.instance.registration.client_secret

    @property
    def private_key(self) -> str:
        """The app's private key, PEM."""
        return self.instance.registration.keys.private_key

    @property
    def private_key_file(self) -> Path:
        """A file with the app's private key, removed when the org stops."""
        if self._key_file is None:
            raise RuntimeError("the org is open only inside its 'with' block")
        return self._key_file.path

    @property
    def username(self) -> str:
        """The login name of the user for whom clients act."""
        return self.instance.org.user.username

    @property
    def refresh_token(self) -> str:
        """A refresh token of that user."""
        return self.instance.registration.refresh_token


class Emulator(OpenOrg):
    """Run an org on loopback inside the current event loop: ``async with Emulator() as org``.

    Takes the members of ``Options`` as keyword arguments. Rows are made on entering.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        keys: KeyPair | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        self._arguments = (options, clock, keys)
        self._address = (host, port)
        self._server: HttpServer | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = HttpServer(self._open(*self._arguments), *self._address)
            await self._server.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        try:
            if server is not None:
                await server.aclose()
        finally:
            self._close()


def announce(instance: Instance, private_key_file: Path) -> Announcement:
    """Collect what a client needs to know of an org that has opened."""
    registration, url = instance.registration, instance.base_url
    return Announcement(
        login_url=url,
        instance_url=url,
        api_version=f"{NEWEST_VERSION}.0",
        org_id=instance.org.org_id,
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        private_key_file=str(private_key_file),
        username=instance.org.user.username,
        password=registration.password,
        security_token=registration.security_token,
        refresh_token=registration.refresh_token,
        control_url=f"{url}{CONTROL_PREFIX}",
    )
