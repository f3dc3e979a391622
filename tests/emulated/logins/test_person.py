"""A person logs in, over sockets: with pages, cookies and forms, or with a code on a device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from sfconnect.auth.base import AuthContext, AuthStrategy
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2 import OAuth2AuthorizationCode
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    CredentialUnavailableError,
    ReauthorizationRequired,
)
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth import AuthorizationCode, Device
from sfconnect.testing.senders import text_of
from sfconnect.transport import ConnectionPool
from sfconnect_emulator import Emulator
from sfconnect_emulator.browsing import Browser, Page

pytestmark = pytest.mark.filterwarnings("ignore:Salesforce's device flow")


class Person:
    """Somebody with a browser, who knows a password and presses a button."""

    def __init__(self, org: Emulator, button: str = "allow") -> None:
        self.org = org
        self.button = button
        self.pages: list[Page] = []
        self.asked: list[str] = []
        self.ended = ""
        self._visits: set[asyncio.Task[None]] = set()

    async def browser(self, url: str) -> bool:
        visit = asyncio.ensure_future(self._visit(url))
        self._visits.add(visit)
        return True

    async def no_browser(self, url: str) -> bool:
        """Be shown the page, where no browser can be opened: it is opened on another machine."""
        self.ended = (await self._decide(url)).location
        return False

    async def paste(self, text: str) -> str:
        self.asked.append(text)
        return self.ended

    async def type_nothing(self, text: str) -> str:
        self.asked.append(text)
        await asyncio.Event().wait()
        return ""

    async def leave(self) -> None:
        await asyncio.gather(*self._visits)

    async def _visit(self, url: str) -> None:
        page = await self._decide(url)
        browser = Browser(send)
        while page.location:
            page = await browser.open(page.location if "://" in page.location else _next(page))
            self.pages.append(page)

    async def _decide(self, url: str) -> Page:
        browser = Browser(send)
        page = await browser.open(url)
        page = await browser.login(page, self.org.username, self.org.announcement.password)
        self.pages.append(page)
        return page if page.location else await browser.submit(page, self.button)


def _next(page: Page) -> str:
    return urlsplit(page.url)._replace(path=page.location, query="").geturl()


async def send(
    method: str, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer,
    ):
        return answer.status, dict(answer.headers), await answer.read()


@pytest.fixture
async def person(org: Emulator) -> AsyncIterator[Person]:
    org.control.change_app(org.client_id, {"admin_approval": False})
    made = Person(org)
    yield made
    await made.leave()


@pytest.fixture
def callback(org: Emulator, free_tcp_port: int) -> str:
    """A callback URL with a port of this test's own, and registered."""
    uri = f"http://localhost:{free_tcp_port}/OauthRedirect"
    org.control.change_app(org.client_id, {"callbacks": (uri,)})
    return uri


@pytest.fixture
def login(org: Emulator, callback: str) -> AuthorizationCode:
    return AuthorizationCode(org.login_url, org.client_id, redirect_uris=(callback,), timeout_s=15)


@pytest.fixture
async def managed(
    pool: ConnectionPool, person: Person
) -> AsyncIterator[Callable[..., CredentialManager]]:
    made: list[CredentialManager] = []

    def make(strategy: AuthStrategy, **more) -> CredentialManager:
        people = {"browser": person.browser, "prompt": person.type_nothing, **more}
        made.append(CredentialManager(strategy, send=people.pop("send", pool.send), **people))
        return made[-1]

    yield make
    for manager in made:
        await manager.aclose()


async def test_a_person_consents_in_the_browser_and_the_program_has_a_token(
    org, login, managed, person, is_accepted
):
    credentials = await managed(login).get()
    await person.leave()

    assert await is_accepted(credentials.access_token)
    assert credentials.refresh_token is not None
    assert credentials.scopes >= {"api", "refresh_token"}
    assert [page.status for page in person.pages] == [200, 303, 200]
    assert "Allow Access?" in person.pages[0].text
    assert "You are logged in" in person.pages[-1].text
    assert urlsplit(person.pages[-1].url).query == ""


async def test_the_login_is_renewed_without_the_person_while_tokens_rotate(
    org, login, managed, person, is_accepted
):
    org.control.change_app(org.client_id, {"rotate_refresh_tokens": True})
    manager = managed(login)

    credentials = await manager.get()
    for _ in range(3):
        credentials = await manager.replace(credentials)

    assert await is_accepted(credentials.access_token)
    assert len(person.asked) == 1
    assert org.control.statistics()["logins"] == {"authorization_code": 1, "refresh_token": 3}


async def test_a_job_uses_the_login_from_the_store_and_never_asks(
    login, managed, person, is_accepted
):
    store = MemoryStore()
    await managed(login, store=store).get()
    nobody = {"browser": None, "prompt": None, "store": store}

    taken = await managed(login, **nobody).get()

    assert await is_accepted(taken.access_token)
    with pytest.raises(CredentialUnavailableError, match="sfconnect login"):
        await managed(login, browser=None, prompt=None).get()


async def test_a_person_who_denies_ends_the_login(login, managed, person):
    person.button = "deny"

    with pytest.raises(AppAccessDenied, match="end-user denied authorization"):
        await managed(login).get()
    await person.leave()

    assert "The login did not work" in person.pages[-1].text


async def test_the_code_is_good_for_whoever_has_the_proof_only(login, managed, pool):
    async def spoil(request: Request) -> Response:
        body = text_of(request).replace("code_verifier=", "code_verifier=x").encode()
        spoilt = replace(request, content=body)
        answer: Response = await pool.send(spoilt)
        return answer

    with pytest.raises(AuthConfigurationError, match="invalid code verifier"):
        await managed(login, send=spoil).get()


async def test_a_code_that_has_waited_too_long_needs_a_new_login(org, login, managed, pool):
    async def late(request: Request) -> Response:
        org.control.advance_clock(1000)
        answer: Response = await pool.send(request)
        return answer

    with pytest.raises(ReauthorizationRequired, match="authorization code"):
        await managed(login, send=late).get()


async def test_a_callback_that_is_not_registered_is_named_when_nobody_comes_back(
    org, login, managed, person
):
    org.control.change_app(org.client_id, {"callbacks": ("http://localhost:1/other",)})

    async def browser(url: str) -> bool:
        person.pages.append(await Browser(send).open(url))
        return True

    short = AuthorizationCode(
        org.login_url, org.client_id, redirect_uris=login.redirect_uris, timeout_s=0.2
    )
    with pytest.raises(AuthError, match=r"redirect_uri_mismatch.*localhost"):
        await managed(short, browser=browser).get()

    assert "redirect_uri_mismatch" in person.pages[0].text


async def test_on_a_machine_without_a_browser_the_address_is_pasted(
    login, managed, person, is_accepted
):
    manager = managed(login, browser=person.no_browser, prompt=person.paste)

    credentials = await manager.get()

    assert await is_accepted(credentials.access_token)
    assert len(dict(parse_qsl(urlsplit(person.ended).query))["code"]) > 20


async def test_logging_out_ends_the_grant(login, managed, is_accepted):
    manager = managed(login)
    credentials = await manager.get()

    assert await manager.revoke() is True

    assert not await is_accepted(credentials.access_token)
    with pytest.raises(ReauthorizationRequired):
        await login.refresh(_context(manager), credentials)


def _context(manager: CredentialManager) -> AuthContext:
    return manager._context


async def test_the_generic_login_finds_the_same_org_by_its_issuer(
    org, callback, managed, is_accepted
):
    login = OAuth2AuthorizationCode(
        issuer=org.login_url,
        client_id=org.client_id,
        client_auth="none",
        redirect_uris=(callback,),
        base_url=org.login_url,
    )
    manager = managed(login)

    credentials = await manager.get()
    renewed = await manager.replace(credentials)

    assert await is_accepted(renewed.access_token)


@pytest.mark.parametrize("allow", [True, False])
async def test_a_code_on_a_device_is_waited_for(org, managed, person, is_accepted, allow):
    org.control.set_device_interval(0.05)

    manager = managed(Device(org.login_url, org.client_id, accept_restricted=True))
    login = asyncio.ensure_future(manager.get())
    while not person.asked:  # noqa: ASYNC110  # the prompt is the first sign of it
        await asyncio.sleep(0.01)
    (waiting,) = org.control.devices()
    assert waiting.user_code in person.asked[0]
    org.control.answer_device(waiting.user_code, allow=allow)

    if not allow:
        with pytest.raises(AppAccessDenied):
            await login
        return
    credentials = await login
    assert await is_accepted(credentials.access_token)
    assert await is_accepted((await manager.replace(credentials)).access_token)
