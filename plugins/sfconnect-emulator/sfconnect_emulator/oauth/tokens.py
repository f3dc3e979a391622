"""Access and refresh tokens: issued, used, expired, rotated, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock

MOST_APPROVALS = 5


@dataclass(slots=True)
class Session:
    """What an access token stands for.

    ``family`` is the refresh grant it came from, if any. ``ends_at`` is set for tokens that end at
    a time that is written in them, whether they are used or not.
    """

    token: str = field(repr=False)
    client_id: str
    user_id: str
    username: str
    scope: str
    issued_at: float
    last_used: float
    family: str | None = None
    ends_at: float | None = None

    @property
    def is_jwt(self) -> bool:
        """Whether the token is in JWT format, which some APIs do not take."""
        return self.ends_at is not None


@dataclass(frozen=True, slots=True)
class SignedToken:
    """An access token that was made elsewhere, and when it ends."""

    token: str = field(repr=False)
    ends_at: float


@dataclass(slots=True)
class RefreshGrant:
    """One approval by a user; ``current`` is the only refresh token of it that still works."""

    family: str
    client_id: str
    user_id: str
    username: str
    scope: str
    current: str | None = field(repr=False)
    approved_at: float
    last_used: float


class TokenBook:
    """Every token of one org.

    A session lives ``ttl_s`` seconds after its last use, as the platform's idle time-out does;
    nothing tells a client beforehand when that will be.
    """

    def __init__(self, clock: Clock, org_id: str, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._clock = clock
        self._prefix = org_id[:15]
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, RefreshGrant] = {}
        self._by_refresh_token: dict[str, str] = {}
        self._processing: set[str] = set()

    def open(
        self,
        client_id: str,
        user_id: str,
        username: str,
        scope: str,
        family: str | None = None,
        *,
        signed: SignedToken | None = None,
    ) -> Session:
        """Issue an access token: an opaque one, unless a signed one is given."""
        now = self._clock.time()
        token = f"{self._prefix}!{_opaque(96)}" if signed is None else signed.token
        if family is not None:
            self._grants[family].last_used = now
        ends_at = None if signed is None else signed.ends_at
        session = Session(token, client_id, user_id, username, scope, now, now, family, ends_at)
        self._sessions[token] = session
        return session

    def use(self, token: str) -> Session | None:
        """Find a live session and extend it; None for unknown, revoked and expired tokens."""
        session = self.peek(token)
        if session is not None:
            session.last_used = self._clock.time()
        return session

    def peek(self, token: str) -> Session | None:
        """Find a live session without counting this as a use."""
        session = self._sessions.get(token)
        if session is None:
            return None
        if self._clock.time() >= self._end_of(session):
            del self._sessions[token]
            return None
        return session

    def expires_at(self, session: Session) -> int:
        """When the session ends if it is not used again, in seconds since the epoch."""
        return int(self._end_of(session))

    def live(self) -> Iterator[Session]:
        """Every session that would be accepted now."""
        return iter([one for token in list(self._sessions) if (one := self.peek(token))])

    def approve(
        self, client_id: str, user_id: str, username: str, scope: str, token: str | None = None
    ) -> RefreshGrant:
        """Record an approval and issue its first refresh token (or register a given one).

        A user can have five at a time for one app; another one ends the oldest.
        """
        self._make_room(client_id, user_id)
        first, now = token or f"5Aep861{_opaque(80)}", self._clock.time()
        family = f"approval-{len(self._grants) + 1}"
        grant = RefreshGrant(family, client_id, user_id, username, scope, first, now, now)
        self._grants[grant.family] = grant
        self._by_refresh_token[first] = grant.family
        return grant

    def refresh_grant(self, token: str) -> RefreshGrant | None:
        """The approval behind a refresh token that still works.

        Showing a token that was rotated away revokes the approval and its sessions: somebody
        holds a copy that he should not have.
        """
        family = self._by_refresh_token.get(token)
        grant = None if family is None else self._grants.get(family)
        if grant is None or grant.current is None:
            return None
        if grant.current != token:
            self._end(grant)
            return None
        return grant

    def grant_of(self, token: str) -> RefreshGrant | None:
        """The approval of a refresh token that works; looking does no harm, unlike showing it."""
        family = self._by_refresh_token.get(token)
        grant = None if family is None else self._grants.get(family)
        return grant if grant is not None and grant.current == token else None

    def has_approval(self, client_id: str, user_id: str) -> bool:
        """Whether a refresh token of this user for this app works."""
        return bool(self._live_grants(client_id, user_id))

    def begin(self, refresh_token: str) -> None:
        """Take note that an answer for this refresh token is on its way."""
        self._processing.add(refresh_token)

    def finish(self, refresh_token: str) -> None:
        """Take note that the answer has left the org."""
        self._processing.discard(refresh_token)

    def is_processing(self, refresh_token: str) -> bool:
        """Whether an answer for this refresh token is on its way."""
        return refresh_token in self._processing

    def rotate(self, grant: RefreshGrant) -> str:
        """Replace the refresh token of an approval; the old one is dead from here on."""
        fresh = f"5Aep861{_opaque(80)}"
        grant.current = fresh
        self._by_refresh_token[fresh] = grant.family
        return fresh

    def revoke(self, token: str) -> bool:
        """Revoke an access token alone, or a refresh token with all its access tokens."""
        if self._sessions.pop(token, None) is not None:
            return True
        family = self._by_refresh_token.get(token)
        grant = None if family is None else self._grants.get(family)
        if grant is None or grant.current is None:
            return False
        self._end(grant)
        return True

    def revoke_app(self, client_id: str) -> int:
        """Kill every token of an app. Returns how many access tokens were alive."""
        for grant in self._grants.values():
            if grant.client_id == client_id:
                grant.current = None
        return self._kill(one for one in self.live() if one.client_id == client_id)

    def revoke_user(self, user_id: str) -> int:
        """Kill every access token of a user. Returns how many were alive."""
        return self._kill(one for one in self.live() if one.user_id == user_id)

    def revoke_sessions(self) -> int:
        """Kill every access token; refresh tokens stay. Returns how many were alive."""
        count = sum(1 for _ in self.live())
        self._sessions.clear()
        return count

    def revoke_everything(self) -> int:
        """Kill every access and refresh token. Returns how many access tokens were alive."""
        for grant in self._grants.values():
            grant.current = None
        return self.revoke_sessions()

    def _kill(self, doomed: Iterable[Session]) -> int:
        tokens = [session.token for session in doomed]
        for token in tokens:
            del self._sessions[token]
        return len(tokens)

    def _make_room(self, client_id: str, user_id: str) -> None:
        live = self._live_grants(client_id, user_id)
        for grant in live[: max(0, len(live) - MOST_APPROVALS + 1)]:
            self._end(grant)

    def _live_grants(self, client_id: str, user_id: str) -> list[RefreshGrant]:
        return [
            grant
            for grant in self._grants.values()
            if grant.current is not None
            and (grant.client_id, grant.user_id) == (client_id, user_id)
        ]

    def _end_of(self, session: Session) -> float:
        return session.last_used + self.ttl_s if session.ends_at is None else session.ends_at

    def _end(self, grant: RefreshGrant) -> None:
        grant.current = None
        self._kill(one for one in self._sessions.values() if one.family == grant.family)


def _opaque(length: int) -> str:
    # Salesforce's tokens hold letters, digits, dots and underscores only.
    return secrets.token_urlsafe(length)[:length].replace("-", ".")
