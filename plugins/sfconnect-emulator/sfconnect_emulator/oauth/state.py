"""What the authorization server remembers; its endpoints and grants share one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.accounts import Accounts
from sfconnect_emulator.oauth.admission import Admission
from sfconnect_emulator.oauth.apps import AppRegistry
from sfconnect_emulator.oauth.browser import BrowserSessions
from sfconnect_emulator.oauth.codes import CodeBook
from sfconnect_emulator.oauth.devices import DeviceBook
from sfconnect_emulator.oauth.people import Directory
from sfconnect_emulator.oauth.tokens import TokenBook


@dataclass(slots=True)
class AuthorizationState:
    """Apps, users and tokens of one org, and what is under way between them."""

    apps: AppRegistry
    tokens: TokenBook
    directory: Directory
    clock: Clock
    admission: Admission = field(init=False)
    accounts: Accounts = field(init=False)
    codes: CodeBook = field(init=False)
    browsers: BrowserSessions = field(init=False)
    devices: DeviceBook = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(self.tokens, self.directory, self.clock)
        self.accounts = Accounts(self.directory)
        self.codes = CodeBook(self.clock)
        self.browsers = BrowserSessions(self.clock)
        self.devices = DeviceBook(self.clock)
