"""A person's login in a real browser: headless Chromium, the org's own pages, the real listener."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sfconnect.auth.manager import CredentialManager
from sfconnect.errors import AppAccessDenied
from sfconnect.messages import Request
from sfconnect.salesforce.auth import AuthorizationCode
from sfconnect_emulator import Emulator

if TYPE_CHECKING:
    from playwright.async_api import Page

playwright_api = pytest.importorskip("playwright.async_api", reason="no playwright here")
expect = playwright_api.expect

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STEP_MS = 20_000

# A browser takes its time to start on a busy machine.
pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here; on Debian: apt-get install chromium"
    ),
]


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 1}) as emulator:
        emulator.control.change_app(emulator.client_id, {"admin_approval": False})
        yield emulator


@pytest.fixture
def login(org: Emulator, free_tcp_port: int) -> AuthorizationCode:
    uri = f"http://localhost:{free_tcp_port}/OauthRedirect"
    org.control.change_app(org.client_id, {"callbacks": (uri,)})
    return AuthorizationCode(org.login_url, org.client_id, redirect_uris=(uri,), timeout_s=60)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """The first page of a browser that has never been used before."""
    async with playwright_api.async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, headless=True, args=FLAGS
        )
        context.set_default_timeout(STEP_MS)
        yield context.pages[0]
        await context.close()


class Person:
    """Somebody who logs in on the page that is shown, and presses a button."""

    def __init__(self, page: Page, org: Emulator, button: str) -> None:
        self._page = page
        self._org = org
        self._button = button

    async def browser(self, url: str) -> bool:
        page = self._page
        await page.goto(url)
        await page.get_by_label("Username").fill(self._org.username)
        await page.get_by_label("Password").fill(self._org.announcement.password)
        await page.get_by_role("button", name="Log In").click()
        # Its click may wait for the last page, which waits for the login: not for this.
        await page.get_by_role("button", name=self._button, exact=True).click(no_wait_after=True)
        return True


async def test_a_person_logs_in_consents_and_sees_that_it_worked(
    org, login, closed_pool, page, tmp_path
):
    person = Person(page, org, "Allow")
    async with closed_pool as pool:
        manager = CredentialManager(login, send=pool.send, browser=person.browser)

        credentials = await manager.get()

        await expect(page.get_by_role("heading")).to_have_text("You are logged in")
        assert page.url == login.redirect_uris[0].replace("/OauthRedirect", "/login-result")
        history = await page.evaluate("history.length")
        headers = {"Authorization": f"Bearer {credentials.access_token.reveal()}"}
        answer = await pool.send(
            Request("GET", f"{org.login_url}/services/data/v60.0/limits", headers=headers)
        )
        await manager.aclose()

    assert answer.status == 200
    assert credentials.refresh_token is not None
    assert history <= 4  # blank, login, consent, result: the address with the code is none of them
    await page.screenshot(path=tmp_path / "logged-in.png")


async def test_a_person_who_denies_sees_what_happened(org, login, closed_pool, page, tmp_path):
    person = Person(page, org, "Deny")
    async with closed_pool as pool:
        manager = CredentialManager(login, send=pool.send, browser=person.browser)

        with pytest.raises(AppAccessDenied):
            await manager.get()

        await expect(page.get_by_role("heading")).to_have_text("The login did not work")
        await expect(page.locator("main")).to_contain_text("end-user denied authorization")
        assert "error=" not in page.url
        await manager.aclose()
    await page.screenshot(path=tmp_path / "denied.png")


async def test_the_page_runs_nothing_and_fits_a_phone_in_the_dark(
    org, login, closed_pool, page, tmp_path
):
    problems: list[str] = []
    # What the policy of the page forbids is an error on the console.
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.emulate_media(color_scheme="dark")
    person = Person(page, org, "Allow")
    async with closed_pool as pool:
        manager = CredentialManager(login, send=pool.send, browser=person.browser)
        await manager.get()
        await expect(page.get_by_role("heading")).to_have_text("You are logged in")
        width = await page.evaluate("document.documentElement.scrollWidth")
        await manager.aclose()

    assert width <= 360
    assert problems == []
    await page.screenshot(path=tmp_path / "dark.png")
