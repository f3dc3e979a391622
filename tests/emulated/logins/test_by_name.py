"""Every login that comes with sfconnect, by its name and over sockets, against an org that checks.

``oauth2-device`` is not among them: Salesforce's device flow is a dialect of its own, so the
standard's is tested beside a server that speaks it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from sfconnect import ClientCredentials, Connector, Salesforce
from sfconnect.auth import Chain, ProcessCredentials
from sfconnect.auth.registry import STRATEGIES
from sfconnect.messages import Request
from sfconnect_emulator import Emulator
from sfconnect_emulator.saml_issuer import SamlDraft
from tests.emulated.logins.test_exchanges import identity
from tests.emulated.logins.test_person import Person

pytestmark = pytest.mark.filterwarnings("ignore:Salesforce's device flow")

LIMITS = "/services/data/v60.0/limits"
ELSEWHERE = {"oauth2-device"}
Written: TypeAlias = Callable[[str, str], str]
"""Writes a file, and gives its path."""


@pytest.fixture
async def person(org: Emulator) -> AsyncIterator[Person]:
    org.control.change_app(org.client_id, {"admin_approval": False})
    made = Person(org)
    yield made
    await made.leave()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_no_login_is_forgotten() -> None:
    built_in = {entry.name for entry in STRATEGIES.entries() if entry.built_in}

    assert built_in == {*SALESFORCE, *OTHERS, *PEOPLE, *ELSEWHERE}


def saml(org: Emulator) -> str:
    now = org.instance.clock.time()
    return SamlDraft(
        issuer=org.client_id,
        name_id=org.username,
        audience="https://login.salesforce.com",
        recipient=f"{org.login_url}/services/oauth2/token",
        begins_at=now - 5,
        ends_at=now + 300,
    ).signed(org.private_key)


async def access_token(org: Emulator) -> str:
    login = ClientCredentials(org.login_url, org.client_id, org.client_secret)
    async with Salesforce.connect(login) as sf:
        return (await sf.credentials()).access_token.reveal()


def printed(credentials: dict[str, Any]) -> list[str]:
    text = msgspec.json.encode({"version": 1, **credentials}).decode()
    return [sys.executable, "-c", f"print({text!r})"]


OPTIONS: dict[str, Callable[[Emulator, Written], Awaitable[dict[str, Any]]]] = {}
"""What a user of a login would write, by its name."""


def options_of(name: str) -> Callable[..., Any]:
    def note(make: Callable[[Emulator, Written], Awaitable[dict[str, Any]]]) -> object:
        OPTIONS[name] = make
        return make

    return note


def app(org: Emulator) -> dict[str, Any]:
    return {"login_url": org.login_url, "client_id": org.client_id}


@options_of("client-credentials")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**app(org), "client_secret_file": written("secret", org.client_secret)}


@options_of("jwt-bearer")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    file = written("server.key", org.private_key)
    return {**app(org), "username": org.username, "private_key_file": file}


@options_of("refresh-token")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**app(org), "refresh_token_file": written("grant", org.refresh_token)}


@options_of("access-token")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    file = written("token", await access_token(org))
    return {"instance_url": org.login_url, "access_token_file": file}


@options_of("token-exchange")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**app(org), "subject_token_file": written("jwt", await identity(org))}


@options_of("saml-bearer")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {"login_url": org.login_url, "assertion_file": written("saml", saml(org))}


@options_of("process")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    token = await access_token(org)
    return {"command": printed({"access_token": token, "instance_url": org.login_url})}


@options_of("data360")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**app(org), "base": "client-credentials", "client_secret": org.client_secret}


@options_of("oauth2-client-credentials")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**generic(org), "client_secret": org.client_secret}


@options_of("oauth2-refresh-token")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {**generic(org), "client_auth": "none", "refresh_token": org.refresh_token}


@options_of("oauth2-jwt-bearer")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    return {
        **generic(org),
        "client_auth": "none",
        "private_key_file": written("server.key", org.private_key),
        "subject": org.username,
        "audience": "https://login.salesforce.com",
        "assertion_lifetime_s": 120,
    }


@options_of("api-key")
async def _(org: Emulator, written: Written) -> dict[str, Any]:
    key = await access_token(org)
    return {"base_url": org.login_url, "key": key, "header": "Authorization", "prefix": "Bearer "}


def generic(org: Emulator) -> dict[str, Any]:
    return {"issuer": org.login_url, "client_id": org.client_id, "base_url": org.login_url}


SALESFORCE = {
    "client-credentials",
    "jwt-bearer",
    "refresh-token",
    "access-token",
    "token-exchange",
    "saml-bearer",
    "process",
}
OTHERS = {
    "oauth2-client-credentials",
    "oauth2-refresh-token",
    "oauth2-jwt-bearer",
    "api-key",
    "basic",
    "chain",
    "data360",
}
PEOPLE = {"authorization-code", "oauth2-authorization-code", "device"}


@pytest.mark.parametrize("name", sorted(SALESFORCE))
async def test_a_login_to_salesforce(org: Emulator, written: Any, name: str) -> None:
    options = await OPTIONS[name](org, written)

    async with Salesforce.connect(name, **options) as sf:
        assert await sf.query("SELECT Id FROM Account").count() == 1


@pytest.mark.parametrize("name", sorted(OTHERS - {"basic", "chain", "data360"}))
async def test_a_login_of_the_framework(org: Emulator, written: Any, name: str) -> None:
    async with Connector.connect(name, **await OPTIONS[name](org, written)) as api:
        assert "DailyApiRequests" in await api.get(LIMITS)


async def test_a_tenant_of_data_360(org: Emulator, written: Any) -> None:
    options = await OPTIONS["data360"](org, written)

    async with Connector.connect("data360", **options) as api:
        assert (await api.credentials()).instance_url


async def test_a_chain_takes_what_is_there(org: Emulator, written: Any) -> None:
    secret = ClientCredentials(org.login_url, org.client_id, org.client_secret)

    async with Salesforce.connect(Chain(ProcessCredentials("/nothing/here"), secret)) as sf:
        assert await sf.query("SELECT Id FROM Account").count() == 1


async def test_user_name_and_password_with_each_request(org: Emulator) -> None:
    pair: dict[str, Any] = {
        "username": org.client_id,
        "password": org.client_secret,
        "base_url": org.login_url,
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    body = f"token={await access_token(org)}".encode()
    question = Request("POST", "/services/oauth2/introspect", headers=form, content=body)

    async with Connector.connect("basic", **pair) as api:
        told = (await api.execute(question)).json()

    assert told["active"] is True


@pytest.mark.parametrize("name", sorted(PEOPLE))
async def test_a_login_of_a_person(
    org: Emulator, person: Person, free_tcp_port: int, name: str
) -> None:
    callback = f"http://localhost:{free_tcp_port}/OauthRedirect"
    org.control.change_app(org.client_id, {"callbacks": (callback,)})
    org.control.set_device_interval(0.05)
    ways: dict[str, dict[str, Any]] = {
        "authorization-code": {"login_url": org.login_url, "redirect_uris": [callback]},
        "oauth2-authorization-code": {
            "issuer": org.login_url,
            "base_url": org.login_url,
            "client_auth": "none",
            "redirect_uris": [callback],
        },
        "device": {"login_url": org.login_url, "accept_restricted": True},
    }
    options = {**ways[name], "client_id": org.client_id}
    options |= {"browser": person.browser, "prompt": person.type_nothing}
    options |= {} if name.startswith("oauth2") else {"base_url": org.login_url}

    async with Connector.connect(name, **options) as api:
        limits = asyncio.ensure_future(api.get(LIMITS).send())
        if name == "device":
            await _allow_the_device(org, person)
        assert "DailyApiRequests" in await limits


async def _allow_the_device(org: Emulator, person: Person) -> None:
    while not person.asked:  # noqa: ASYNC110  # the prompt is the first sign of it
        await asyncio.sleep(0.01)
    (waiting,) = org.control.devices()
    org.control.answer_device(waiting.user_code, allow=True)
