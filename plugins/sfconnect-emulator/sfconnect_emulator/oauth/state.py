"""What the authorization server remembers; its endpoints and grants share one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.accounts import Accounts
from sfconnect_emulator.oauth.admission import Admission
from sfconnect_emulator.oauth.apps import AppRegistry
from sfconnect_emulator.oauth.browser import BrowserSessions
from sfconnect_emulator.oauth.client_assertion import ClientAssertions
from sfconnect_emulator.oauth.codes import CodeBook
from sfconnect_emulator.oauth.devices import DeviceBook
from sfconnect_emulator.oauth.people import Directory
from sfconnect_emulator.oauth.replays import Replays
from sfconnect_emulator.oauth.signing import OrgSigner
from sfconnect_emulator.oauth.tokens import TokenBook
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuers

DATA360_TOKEN_LIFE_S = 7193


@dataclass(slots=True)
class AuthorizationState:
    """Apps, users and tokens of one org, and what is under way between them."""

    apps: AppRegistry
    tokens: TokenBook
    directory: Directory
    clock: Clock
    data360_token_life_s: int = DATA360_TOKEN_LIFE_S
    issuers: TrustedIssuers = field(default_factory=TrustedIssuers)
    signer: OrgSigner = field(init=False)
    admission: Admission = field(init=False)
    accounts: Accounts = field(init=False)
    codes: CodeBook = field(init=False)
    browsers: BrowserSessions = field(init=False)
    devices: DeviceBook = field(init=False)
    replays: Replays = field(init=False)
    client_assertions: ClientAssertions = field(init=False)

    def __post_init__(self) -> None:
        self.signer = OrgSigner(self.directory.org_id, self.clock)
        self.admission = Admission(self.tokens, self.directory, self.clock, self.signer, self.apps)
        self.accounts = Accounts(self.directory)
        self.codes = CodeBook(self.clock)
        self.browsers = BrowserSessions(self.clock)
        self.devices = DeviceBook(self.clock)
        self.replays = Replays(self.clock)
        self.client_assertions = ClientAssertions(self.apps, self.replays, self.clock)

    def reset(self) -> None:
        """Undo what was changed since the org has opened; sessions and refresh tokens stay."""
        self.data360_token_life_s = DATA360_TOKEN_LIFE_S
        self.apps.reset()
        self.issuers.reset()
        self.admission.reset()
        self.devices.reset()

    @property
    def base_url(self) -> str:
        """Where the org answers; empty until a door has opened."""
        return self.signer.issuer

    @property
    def token_url(self) -> str:
        """Where the org issues tokens."""
        return f"{self.base_url}/services/oauth2/token"
