"""Browsers that are looking at the org's pages: who is logged in there, and form tokens."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.wire import Request

COOKIE = "sid"
SESSION_LIFE_S = 7200
_MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser. ``form_token`` goes into every form and has to come back with it."""

    key: str = field(repr=False)
    form_token: str = field(repr=False)
    last_used: float
    user_id: str | None = None

    def sent(self, form_token: str) -> bool:
        """Whether a form comes from a page that was shown to this browser."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())

    def cookie(self) -> str:
        """The header that makes the browser remember the session."""
        return f"{COOKIE}={self.key}; Path=/; HttpOnly; SameSite=Lax"


class BrowserSessions:
    """The sessions of all browsers; the longest unused go when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, BrowserSession] = {}

    def of(self, request: Request) -> BrowserSession | None:
        """The session whose cookie came with a request, if it still lives."""
        session = self._sessions.get(_cookie_of(request))
        if session is None:
            return None
        del self._sessions[session.key]
        if self._clock.time() - session.last_used >= SESSION_LIFE_S:
            return None
        return self._keep(session.key, session.form_token, session.user_id)

    def open(self, user_id: str | None = None) -> BrowserSession:
        """Start a session; one for a login has nothing in common with what came before it."""
        return self._keep(secrets.token_urlsafe(32), secrets.token_urlsafe(32), user_id)

    def close(self, session: BrowserSession) -> None:
        """End a session."""
        self._sessions.pop(session.key, None)

    def _keep(self, key: str, form_token: str, user_id: str | None) -> BrowserSession:
        session = BrowserSession(key, form_token, self._clock.time(), user_id)
        self._sessions[key] = session
        while len(self._sessions) > _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session


def _cookie_of(request: Request) -> str:
    try:
        cookie = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value
