"""The rest of the page of login errors over sockets: answers that are none, and those after it."""

from __future__ import annotations

from typing import Any

import pytest

from sfconnect import Salesforce
from sfconnect.errors import (
    AccessDeniedError,
    ApiError,
    AuthConfigurationError,
    LoginRateLimited,
    TransientAuthError,
)
from sfconnect.salesforce.auth import ClientCredentials
from sfconnect_emulator import Emulator

TOKEN_PATH = "/services/oauth2/token"


def client(org: Emulator) -> ClientCredentials:
    return ClientCredentials(org.login_url, org.client_id, org.client_secret)


def respond(org: Emulator, path: str, **action: Any) -> None:
    answer = {"type": "respond", **action}
    org.control.add_faults([{"match": {"path": path}, "action": answer}])


MAINTENANCE = "<html><head><title>We are down for maintenance</title></head></html>"


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ({"status": 200, "html": MAINTENANCE}, "a web page titled 'We are down for maintenance'"),
        ({"status": 404, "html": MAINTENANCE}, "a web page titled 'We are down for maintenance'"),
        ({"status": 400}, "an empty body"),
        ({"status": 200, "text": "hello"}, "something else"),
        ({"status": 302, "headers": {"Location": "https://acme.example/"}}, "a redirect to"),
    ],
    ids=["page", "page with 404", "nothing", "text", "redirect"],
)
async def test_an_answer_that_is_no_login_servers_is_told(org, failure, action, named):
    respond(org, TOKEN_PATH, **action)

    error = await failure(client(org))

    assert type(error) is AuthConfigurationError
    assert error.docs_key == "not-oauth"
    assert named in error.message
    assert "127.0.0.1" in error.message


async def test_a_server_that_is_down_is_told_by_the_title_of_its_page(org, failure):
    respond(org, TOKEN_PATH, status=503, html=MAINTENANCE)

    error = await failure(client(org))

    assert type(error) is TransientAuthError
    assert error.docs_key == "server-fault"
    assert "We are down for maintenance" in error.message


async def test_a_server_that_has_enough_is_told(org, failure):
    respond(org, TOKEN_PATH, status=429)

    error = await failure(client(org))

    assert type(error) is LoginRateLimited
    assert error.docs_key == "rate-limited"


async def refusal(org: Emulator) -> ApiError:
    async with Salesforce.connect(client(org)) as sf:
        with pytest.raises(ApiError) as caught:
            await sf.limits()
    return caught.value


async def test_a_user_without_the_api_is_told_after_one_login(org):
    org.control.change_org({"users_without_api": [org.username]})

    error = await refusal(org)

    assert type(error) is AccessDeniedError
    assert "API Enabled" in (error.hint or "")
    assert org.control.statistics()["logins"] == {"client_credentials": 1}


async def test_an_app_without_the_scope_api_is_told_after_one_login(org):
    org.control.change_app(org.client_id, {"scopes": ["cdp_query_api"]})

    error = await refusal(org)

    assert type(error) is AccessDeniedError
    assert "scope api" in (error.hint or "").replace("`", "").replace("'", "")


async def test_an_org_without_the_api_is_told_after_one_login(org):
    org.control.change_org({"api_enabled": False})

    error = await refusal(org)

    assert type(error) is AccessDeniedError
    assert error.code == "API_DISABLED_FOR_ORG"
    assert "API Enabled" in (error.hint or "")
