"""What users prove themselves with: passwords and security tokens, in the browser and by API."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sfconnect_emulator.oauth.people import Directory, Person


@dataclass(frozen=True, slots=True)
class Account:
    """Password and security token of a user; the token is asked for outside the browser only."""

    password: str = field(repr=False)
    security_token: str = field(default="", repr=False)


class Accounts:
    """The accounts of the org's users, by login name in any case of letters."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._accounts: dict[str, Account] = {}

    def set(self, username: str, account: Account) -> None:
        """Give a user a password and a security token."""
        self._accounts[username.lower()] = account

    def get(self, username: str) -> Account | None:
        """The account of a user, if he has one."""
        return self._accounts.get(username.lower())

    def person(self, username: str, password: str) -> Person | None:
        """The active user whom a browser's login form names, if the password is right."""
        account = self.get(username)
        return None if account is None else self._proven(username, password, account.password)

    def person_by_api(
        self, username: str, password: str, *, trusted: bool = False
    ) -> Person | None:
        """The active user of a login without a browser: security token behind the password.

        Callers at a trusted address may leave the token out.
        """
        account = self.get(username)
        if account is None:
            return None
        whole = account.password + account.security_token
        found = self._proven(username, password, whole)
        return self.person(username, password) if found is None and trusted else found

    def _proven(self, username: str, given: str, wanted: str) -> Person | None:
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        user = self._directory.by_username(username)
        return user if user is not None and user.may_log_in else None
