"""Every row of the page of login errors, met over sockets.

Where the emulated org can be brought to refuse so, it is: its policies are changed, and the login
is really refused. Where only Salesforce's own infrastructure would, its answer is sent as it is
known.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from sfconnect import AccessToken, Salesforce
from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2ClientCredentials, OAuth2RefreshToken
from sfconnect.errors import AuthError, ClockSkewError
from sfconnect.salesforce.auth import (
    AuthorizationCode,
    ClientCredentials,
    Data360,
    JwtBearer,
    RefreshToken,
    TokenExchange,
)
from sfconnect.testing import FakeClock
from sfconnect_emulator import Emulator
from sfconnect_emulator.keys import KeyPair
from tests.docs.login_error_rows import ROWS, Row
from tests.emulated.logins.test_exchanges import identity
from tests.emulated.logins.test_saml import strategy as saml

TOKEN_PATH = "/services/oauth2/token"
FOUND = 302
DEAD_TOKEN = "00Dxx0000000001!dead"
OTHER_CALLBACK = "http://localhost:1718/OauthRedirect"
OTHER_KEY = KeyPair.generate()

Change: TypeAlias = Callable[[Emulator], object]
Login: TypeAlias = Callable[[Emulator], AuthStrategy]


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


def bearer(org: Emulator) -> JwtBearer:
    return JwtBearer(org.login_url, org.client_id, org.username, private_key=org.private_key)


def refresher(org: Emulator) -> RefreshToken:
    return RefreshToken(org.login_url, org.client_id, org.refresh_token)


def by_key(org: Emulator, key: str) -> ClientCredentials:
    return ClientCredentials(
        org.login_url, org.client_id, client_auth="private_key_jwt", private_key=key
    )


def exchange(org: Emulator, key: str | None = None, **claims: Any) -> TokenExchange:
    async def subject() -> str:
        return await identity(org, key, **claims)

    return TokenExchange(
        org.login_url, org.client_id, subject_token_source=subject, subject="a workload"
    )


def person(org: Emulator, **options: Any) -> AuthorizationCode:
    """A login in the browser, at a callback that the org knows and nobody else uses."""
    uri, *_ = next(app.callbacks for app in org.control.apps() if app.client_id == org.client_id)
    return AuthorizationCode(
        org.login_url, org.client_id, redirect_uris=(uri,), timeout_s=10, **options
    )


async def another_dead_one() -> str:
    return DEAD_TOKEN + "too"


def another_callback(org: Emulator) -> None:
    """Register one more; the browser is sent to it in the place of the first."""
    (app,) = org.control.apps()
    org.control.change_app(org.client_id, {"callbacks": [*app.callbacks, OTHER_CALLBACK]})


def policy(**changes: Any) -> Change:
    return lambda org: org.control.change_app(org.client_id, changes)


def org_policy(**changes: Any) -> Change:
    return lambda org: org.control.change_org(changes)


def freeze(org: Emulator) -> None:
    org.control.change_org({"frozen_users": [org.username]})


def nothing(_org: Emulator) -> None:
    return None


def answering(says: str, path: str = TOKEN_PATH, times: int | None = None) -> Change:
    """For what the org's policies cannot bring about: the answer as it comes over the wire."""
    error, _, description = says.partition(": ")
    body = {"error": error, **({"error_description": description} if description else {})}
    match = {"path": path, **({} if times is None else {"times": times})}
    action = {"type": "respond", "status": 400, "json": body}
    return lambda org: org.control.add_faults([{"match": match, "action": action}])


@dataclass
class Visitor:
    """A browser with a person before it; both may have ideas of their own."""

    org: Emulator
    changes: dict[str, str | None] = field(default_factory=dict)
    """Of the address that the browser was sent to."""
    pause_s: float = 0
    """How long the person takes to come back, by the org's clock."""
    allow: bool = True
    code: str | None = None
    """Comes back in the place of the right one."""
    visits: list[asyncio.Task[None]] = field(default_factory=list)

    async def browser(self, url: str) -> bool:
        self.visits.append(asyncio.ensure_future(self._visit(url)))
        return True

    async def _visit(self, url: str) -> None:
        query: dict[str, str | None] = {**dict(parse_qsl(urlsplit(url).query)), **self.changes}
        kept = urlencode({name: value for name, value in query.items() if value is not None})
        place = urlsplit(url)._replace(query=kept).geturl()
        back = urlsplit(self.org.control.authorize(place, allow=self.allow))
        members = dict(parse_qsl(back.query)) | ({"code": self.code} if self.code else {})
        asked = str(dict(parse_qsl(urlsplit(url).query))["redirect_uri"])
        self.org.control.advance_clock(self.pause_s)
        with suppress(aiohttp.ClientError):  # of a login that has ended, nobody listens any more
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{asked}?{urlencode(members)}") as page,
            ):
                await page.read()


@dataclass(frozen=True)
class Case:
    """How the emulated org is brought to say it."""

    says: str
    key: str
    change: Change
    login: Login
    visitor: dict[str, Any] = field(default_factory=dict)


REFUSED_APP = "invalid_app_access: user is not admin approved to access this app"
NOT_APPROVED = "invalid_grant: user hasn't approved this consumer"
NO_FLOW = "unsupported_grant_type: grant type not supported"
DEAD = "invalid_grant: expired access/refresh token"
MISMATCH = "redirect_uri_mismatch: redirect_uri must match configuration"
CASES = [
    Case(
        "invalid_grant: no client credentials user enabled",
        "no-run-as-user",
        policy(run_as=None),
        client,
    ),
    Case(
        "invalid_grant: no valid scopes defined",
        "no-valid-scopes",
        policy(scopes=["full", "web"]),
        client,
    ),
    Case(NO_FLOW, "flow-not-enabled", policy(flows=[]), client),
    Case(NO_FLOW, "flow-not-enabled", policy(flows=[]), bearer),
    Case(NO_FLOW, "flow-not-enabled", policy(flows=[]), refresher),
    Case(
        "unsupported_response_type: response type not supported",
        "flow-not-enabled",
        policy(flows=["refresh_token"]),
        person,
    ),
    Case(REFUSED_APP, "user-not-approved", policy(approved_users=[]), bearer),
    Case(
        NOT_APPROVED,
        "consumer-not-approved",
        policy(admin_approval=False, approved_users=[]),
        bearer,
    ),
    Case(
        NOT_APPROVED,
        "consumer-not-approved",
        nothing,
        lambda org: replace(bearer(org), username="nobody@example.com"),
    ),
    Case(
        "OAUTH_EC_APP_NOT_FOUND: External client app is not installed in this org",
        "app-not-installed",
        policy(installed=False),
        client,
    ),
    Case(
        "invalid_client_id: client identifier invalid",
        "unknown-client-id",
        nothing,
        lambda org: replace(client(org), client_id="3MVG9unknown"),
    ),
    Case(
        "invalid_client_id: client identifier invalid",
        "unknown-client-id",
        policy(propagated=False),
        client,
    ),
    Case("inactive_org: inactive organization", "inactive-org", org_policy(active=False), client),
    Case(REFUSED_APP, "user-not-approved", policy(profiles=["Nobody's"]), bearer),
    Case("inactive_user: inactive user", "inactive-user", freeze, bearer),
    Case(
        "invalid_grant: ip restricted",
        "ip-restricted",
        org_policy(login_ip_ranges=["192.0.2.0/24"]),
        client,
    ),
    Case("invalid_grant: ip restricted", "ip-restricted", policy(ip_ranges=["10.0.0.0/8"]), client),
    Case(
        "invalid_client: invalid client credentials",
        "wrong-client-secret",
        nothing,
        lambda org: replace(client(org), client_secret="wrong"),
    ),
    Case(
        "invalid_client: invalid client credentials",
        "wrong-client-key",
        nothing,
        lambda org: by_key(org, OTHER_KEY.private_key),
    ),
    Case(
        "invalid_grant: audience is invalid",
        "wrong-audience",
        nothing,
        lambda org: replace(bearer(org), audience="https://acme.example"),
    ),
    Case(
        "invalid_grant: invalid assertion",
        "wrong-key",
        nothing,
        lambda org: replace(bearer(org), private_key=OTHER_KEY.private_key),
    ),
    Case(
        "invalid_grant: invalid assertion",
        "saml-refused",
        nothing,
        lambda org: saml(org, OTHER_KEY.private_key),
    ),
    Case(
        "invalid_grant: Audience validation failed",
        "saml-audience",
        nothing,
        lambda org: replace(
            saml(org, audience="https://acme.example"), audience="https://acme.example"
        ),
    ),
    Case(
        "invalid_request: token exchange handler not found",
        "no-token-handler",
        nothing,
        lambda org: replace(exchange(org), token_handler="Github"),
    ),
    Case(
        "invalid_request: subject token type not supported",
        "wrong-subject-token-type",
        nothing,
        lambda org: replace(exchange(org), subject_token_type="saml2"),
    ),
    Case(
        "invalid_grant: user not found",
        "unknown-user",
        nothing,
        lambda org: exchange(org, sub="nobody@example.com"),
    ),
    Case(
        "invalid_grant: invalid subject token",
        "exchange-refused",
        nothing,
        lambda org: exchange(org, OTHER_KEY.private_key),
    ),
    Case(
        "invalid_scope: the token has no scope of Data 360 (cdp_query_api)",
        "no-data360-scope",
        policy(scopes=["api"]),
        lambda org: Data360(client(org)),
    ),
    Case(
        "invalid_grant: invalid or expired subject token",
        "base-token-refused",
        nothing,
        lambda org: Data360(AccessToken(org.instance_url, DEAD_TOKEN, renew=another_dead_one)),
    ),
    Case(
        DEAD,
        "refresh-token-dead",
        lambda org: org.control.revoke_tokens(refresh_tokens=True),
        refresher,
    ),
    Case(DEAD, "refresh-token-dead", policy(refresh_token_life_s=0), refresher),
    Case(
        "invalid_grant: login rate exceeded",
        "login-rate",
        org_policy(logins_per_hour=0),
        client,
    ),
    Case(
        "access_denied: end-user denied authorization",
        "access-denied",
        nothing,
        person,
        {"allow": False},
    ),
    Case(
        "invalid_scope: the requested scope is not allowed",
        "no-valid-scopes",
        nothing,
        lambda org: person(org, scope="api chatter_api"),
    ),
    Case(
        "invalid_request: missing required code challenge",
        "pkce-required",
        policy(require_pkce=True),
        person,
        {"changes": {"code_challenge": None, "code_challenge_method": None}},
    ),
    Case(
        "invalid_request: invalid code verifier",
        "wrong-verifier",
        nothing,
        person,
        {"changes": {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}},
    ),
    Case(
        MISMATCH,
        "redirect-not-registered",
        another_callback,
        person,
        {"changes": {"redirect_uri": OTHER_CALLBACK}},
    ),
    Case(
        "invalid_grant: expired authorization code",
        "code-dead",
        nothing,
        person,
        {"pause_s": 901},
    ),
    Case(
        "invalid_grant: invalid authorization code",
        "code-dead",
        nothing,
        person,
        {"code": "aPrx.not.one.of.the.orgs"},
    ),
]


@pytest.fixture
def callback(org: Emulator, free_tcp_port: int) -> str:
    uri = f"http://localhost:{free_tcp_port}/OauthRedirect"
    org.control.change_app(org.client_id, {"callbacks": [uri]})
    return uri


Refused: TypeAlias = Callable[..., Coroutine[Any, Any, AuthError]]


@pytest.fixture
async def refused(org: Emulator, pool, callback: str) -> AsyncIterator[Refused]:
    """Log in with a person at hand, and return the refusal."""
    visitors: list[Visitor] = []

    async def fail(strategy: AuthStrategy, **facts: Any) -> AuthError:
        visitors.append(Visitor(org, **facts))
        manager = CredentialManager(strategy, send=pool.send, browser=visitors[-1].browser)
        with pytest.raises(AuthError) as caught:
            await manager.get()
        await manager.aclose()
        return caught.value

    yield fail
    for visitor in visitors:
        await asyncio.gather(*visitor.visits)


def filled(text: str) -> re.Pattern[str]:
    """A text of the page with its placeholders filled in, whatever with."""
    return re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}", text))))


def row_of(says: str, key: str) -> Row:
    return next(row for row in ROWS if row.is_salesforces and (row.says, row.key) == (says, key))


def check(error: AuthError, row: Row) -> None:
    assert error.docs_key == row.key
    assert type(error).__name__ == row.error
    code, _, words = row.says.partition(": ")
    assert error.code == code
    assert words in error.message
    assert filled(row.meaning).search(error.message)
    assert filled(row.advice).fullmatch(error.hint or "")
    assert "{" not in error.message + (error.hint or "")
    # What the browser brings has no id of a request.
    assert error.request_id or error.status == FOUND
    assert "127.0.0.1" in error.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key}: {case.says}")
async def test_a_refusal_of_the_org_is_what_the_page_says(org, refused, case):
    row = row_of(case.says, case.key)
    case.change(org)

    error = await refused(case.login(org), **case.visitor)

    check(error, row)
    assert row.tried == "org"


STRATEGIES: dict[str, Login] = {
    "": client,
    "any": client,
    "client_credentials": client,
    "private_key_jwt": lambda org: by_key(org, org.private_key),
    "jwt-bearer": bearer,
    "refresh_token": refresher,
    "authorization_code": person,
    "saml-bearer": saml,
    "token-exchange": exchange,
    "data360": lambda org: Data360(client(org)),
}
GENERIC: dict[str, Login] = {
    "any": lambda org: OAuth2ClientCredentials(
        client_id=org.client_id,
        client_secret="s3cret",
        token_url=org.login_url + TOKEN_PATH,
        base_url=org.login_url,
    ),
    "private_key_jwt": lambda org: OAuth2ClientCredentials(
        client_id=org.client_id,
        client_auth="private_key_jwt",
        private_key=org.private_key,
        token_url=org.login_url + TOKEN_PATH,
        base_url=org.login_url,
    ),
    "tls_client_auth": lambda org: OAuth2ClientCredentials(
        client_id=org.client_id,
        client_auth="tls_client_auth",
        token_url=org.login_url + TOKEN_PATH,
        base_url=org.login_url,
    ),
    "refresh_token": lambda org: OAuth2RefreshToken(
        client_id=org.client_id,
        refresh_token="5Aep",
        token_url=org.login_url + TOKEN_PATH,
        base_url=org.login_url,
    ),
}
SHOWN = {(case.says, case.key) for case in CASES} | {
    ("invalid_grant: token request is already being processed", "refresh-in-progress"),
}
BY_ANSWER = [row for row in ROWS if row.is_salesforces and (row.says, row.key) not in SHOWN]


@pytest.mark.parametrize("row", BY_ANSWER, ids=[f"{row.flow} {row.says}" for row in BY_ANSWER])
async def test_an_answer_as_it_is_known_is_what_the_page_says(org, refused, row):
    path = "/services/a360/token" if row.flow == "data360" else TOKEN_PATH
    answering(row.says, path)(org)

    error = await refused(STRATEGIES[row.flow](org))

    check(error, row)


OF_ANY_SERVER = [row for row in ROWS if not row.is_salesforces]


@pytest.mark.parametrize(
    "row", OF_ANY_SERVER, ids=[f"{row.flow} {row.says}" for row in OF_ANY_SERVER]
)
async def test_an_answer_of_any_server_is_what_the_page_says(org, refused, row):
    answering(row.says)(org)

    error = await refused(GENERIC[row.flow](org))

    check(error, row)


async def test_a_refresh_token_that_another_process_uses_is_being_processed(org, pool, refused):
    slow = {"type": "delay", "delay_ms": 4000}
    org.control.add_faults([{"match": {"path": TOKEN_PATH, "nth": 1}, "action": slow}])
    other = CredentialManager(refresher(org), send=pool.send)
    first = asyncio.ensure_future(other.get())
    async with asyncio.timeout(5):
        while not org.control.statistics()["faults"]:  # noqa: ASYNC110  # the org tells nobody
            await asyncio.sleep(0.01)

    error = await refused(refresher(org))

    key = "refresh-in-progress"
    check(error, row_of("invalid_grant: token request is already being processed", key))
    assert await first is not None
    await other.aclose()


def test_the_page_tells_of_each_row_how_it_is_tried():
    by_org = {(row.cell, row.key) for row in ROWS if (row.says, row.key) in SHOWN}

    for row in ROWS:
        if row.is_salesforces:
            assert row.tried == ("org" if (row.cell, row.key) in by_org else "answer"), row.says


async def test_a_user_who_is_deactivated_is_named(org, failure):
    async with Salesforce.connect(client(org)) as sf:
        user = await sf.query("SELECT Id, Username FROM User WHERE IsActive = true").first()
        assert user is not None
        await sf.sobject("User").update(user["Id"], {"IsActive": False})

    error = await failure(replace(bearer(org), username=user["Username"]))

    check(error, row_of("inactive_user: inactive user", "inactive-user"))
    assert f"unfreeze {user['Username']}" in (error.hint or "")


@pytest.mark.parametrize("drift_s", [-7200.0, 7200.0])
async def test_a_clock_that_explains_a_refusal_is_told(org, pool, drift_s):
    clock = FakeClock(wall=org.instance.clock.time() + drift_s)
    answering("invalid_grant: assertion expired")(org)
    manager = CredentialManager(bearer(org), send=pool.send, clock=clock)

    with pytest.raises(ClockSkewError, match=r"7\d\d\d s (behind|ahead of) the login server's"):
        await manager.get()
    await manager.aclose()
