"""The table of login errors: each row's kind, and the setting that its hint names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.oauth2.refusals import LoginFacts, explain
from sfconnect.auth.oauth2.wire import Refusal, read_answer
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect.messages import Response
from sfconnect.salesforce.auth import ClientCredentials
from sfconnect.salesforce.auth.facts import login_facts
from sfconnect.salesforce.auth.hints import RULES
from sfconnect.testing import FakeClock, ScriptedSender, answer

CLIENT, JWT, REFRESH = "client_credentials", "jwt-bearer", "refresh_token"
CODE, PASSWORD, SAML = "authorization_code", "password", "saml-bearer"
EXCHANGE, DATA_360 = "token-exchange", "data360"
CONFIG, DENIED, WRONG = AuthConfigurationError, AppAccessDenied, InvalidCredentialsError
REAUTH, RATE, TRANSIENT = ReauthorizationRequired, LoginRateLimited, TransientAuthError

TABLE: list[tuple[str, str, type[AuthError], str]] = [
    # flow, what Salesforce says, kind of error, what the hint has to name
    (CLIENT, "invalid_grant: request not supported on this domain", CONFIG, "Setup → My Domain"),
    (CLIENT, "invalid_grant: no client credentials user enabled", CONFIG, "Set Run As"),
    (CLIENT, "invalid_request: client credentials flow not enabled", CONFIG, "10 minutes"),
    (CLIENT, "invalid_grant: client credentials flow is not enabled", CONFIG, "Enable 'Client"),
    (CLIENT, "invalid_grant: no valid scopes defined", CONFIG, "user data via APIs (api)"),
    (CLIENT, "invalid_request: scope parameter not supported", CONFIG, "Leave scope out"),
    (REFRESH, "invalid_request: scope parameter not supported", CONFIG, "Leave scope out"),
    (JWT, "invalid_app_access: user is not admin approved to access this app", DENIED, "App Pol"),
    (JWT, "OAUTH_APP_ACCESS_DENIED: user is not admin approved", DENIED, "permission set"),
    (JWT, "invalid_grant: user is not admin approved to access this app", DENIED, "ada@example"),
    (JWT, "invalid_grant: user hasn't approved this consumer", DENIED, "Permitted Users"),
    (JWT, "invalid_grant: user hasn\u2019t approved this consumer", DENIED, "/oauth2/authorize?"),
    (JWT, "invalid_grant: audience is invalid", CONFIG, "audience=https://test.salesforce.com"),
    (JWT, "invalid_grant: invalid assertion", WRONG, "sfconnect auth doctor"),
    (JWT, "invalid_grant: invalid assertion", WRONG, "differs by 90 s"),
    (JWT, "invalid_grant: assertion expired", CONFIG, "NTP"),
    (JWT, "invalid_grant: expired", CONFIG, "differs by 90 s"),
    (JWT, "invalid_grant: invalid user", CONFIG, "ada@example.com.uat"),
    (JWT, "invalid_grant: user not found", CONFIG, "not an e-mail address"),
    (JWT, "invalid_client_id: client identifier invalid", CONFIG, "Consumer Key and Secret"),
    (CLIENT, "invalid_client_id: client identifier invalid", CONFIG, "10 minutes"),
    (CLIENT, "invalid_client: invalid client credentials", WRONG, "Check client_secret"),
    (CLIENT, "invalid_client: invalid client credentials", WRONG, "client_secret_next"),
    (CODE, "invalid_client_credentials: client secret invalid", WRONG, "Check client_secret"),
    (CLIENT, "invalid_client_id: app must be installed into org", CONFIG, "OAuth Usage → Install"),
    (JWT, "OAUTH_EC_APP_NOT_FOUND: External client app is not installed in this org", CONFIG, "My"),
    (PASSWORD, "invalid_grant: authentication failure", WRONG, "Setup → Login History"),
    (CODE, "invalid_grant: authentication failure", WRONG, "blocks the app"),
    (REFRESH, "invalid_grant: expired access/refresh token", REAUTH, "share a token store"),
    (REFRESH, "invalid_grant: expired access/refresh token", REAUTH, "Refresh Token Policy"),
    (REFRESH, "invalid_grant: token request is already being processed", TRANSIENT, "token store"),
    (REFRESH, "invalid_grant: expired authorization code", TRANSIENT, "token store"),
    (JWT, "invalid_grant: login rate exceeded", RATE, "token store"),
    (CLIENT, "LOGIN_RATE_EXCEEDED", RATE, "token store"),
    (JWT, "invalid_grant: ip restricted", CONFIG, "Login IP Ranges"),
    (JWT, "invalid_grant: ip restricted or invalid login hours", CONFIG, "relax IP restrictions"),
    (CODE, "invalid_request: missing required code challenge", CONFIG, "Require PKCE"),
    (CLIENT, "unsupported_grant_type: grant type not supported", CONFIG, "OpenID Connect Settings"),
    (JWT, "inactive_user: user is inactive", CONFIG, "unfreeze ada@example.com"),
    (JWT, "invalid_grant: inactive user", CONFIG, "Setup → Users"),
    (JWT, "inactive_org: organization is locked", CONFIG, "scratch org anew"),
    (REFRESH, "invalid_grant: Data Not Available", CONFIG, "log in to another"),
    (CLIENT, "rate_limit_exceeded: too many requests", RATE, "fewer tokens"),
    (CODE, "invalid_scope: the requested scope is not allowed", CONFIG, "authorise it anew"),
    (DATA_360, "invalid_scope: no cdp scope", CONFIG, "cdp_query_api"),
    (CODE, "access_denied: end-user denied authorization", DENIED, "Connected Apps OAuth Usage"),
    (SAML, "invalid_grant: Audience validation failed", CONFIG, "https://login.salesforce.com"),
    (SAML, "invalid_grant: Audience validation failed", CONFIG, "SAML Assertion Validator"),
    (SAML, "invalid_grant: invalid assertion", WRONG, "Use digital signatures"),
    (EXCHANGE, "invalid_grant: not for us", WRONG, "Apex class"),
    (EXCHANGE, "invalid_request: subject token type not supported", CONFIG, "subject_token_type"),
    (EXCHANGE, "invalid_request: Token Exchange Handler not found", CONFIG, "token_handler"),
]


def facts(flow: str = JWT, **more: Any) -> LoginFacts:
    made = login_facts(
        ClientCredentials("https://acme.my.salesforce.com", "3MVG9app", "s3cr3t"),
        flow,
        "https://acme--uat.sandbox.my.salesforce.com"
        if more.pop("sandbox", False)
        else "https://acme.my.salesforce.com",
        client_id="3MVG9app",
        username="ada@example.com",
        audience=more.pop("audience", "https://login.salesforce.com"),
    )
    return replace(made, drift_s=90.0, **more)


def refused(says: str, **more: Any) -> Refusal:
    code, _, description = says.partition(": ")
    return Refusal(400, error=code, description=description, **more)


@pytest.mark.parametrize(
    ("flow", "says", "kind", "named"),
    TABLE,
    ids=[f"{flow} {says} ({named})" for flow, says, _, named in TABLE],
)
def test_a_known_refusal_names_the_setting_to_change(flow, says, kind, named):
    error = explain(refused(says, request_id="req-1"), facts(flow), RULES)

    assert type(error) is kind
    assert named in (error.hint or "")
    assert error.code == says.partition(": ")[0]
    assert says in error.message
    assert error.docs_key
    assert "req-1" in str(error)
    assert "{" not in str(error)


@pytest.mark.parametrize("says", {says for _, says, _, _ in TABLE})
def test_a_refusal_says_what_was_sent_and_no_secret(says):
    refusal = refused(f"{says} s3cr3t")

    text = str(explain(refusal, facts(), RULES))

    assert "acme.my.salesforce.com refused the jwt-bearer login" in text
    assert "client_id 3MVG9a…, username ada@example.com, audience https://login" in text
    assert "s3cr3t" not in text


def test_a_page_to_approve_the_app_is_ready_to_open():
    error = explain(refused("invalid_grant: user hasn't approved this consumer"), facts(), RULES)

    assert (
        "https://acme.my.salesforce.com/services/oauth2/authorize?response_type=code"
        "&client_id=3MVG9app"
        "&redirect_uri=https://login.salesforce.com/services/oauth2/success"
        "&scope=api%20refresh_token " in (error.hint or "")
    )


def test_the_login_name_in_a_sandbox_is_spelled_out():
    refusal = refused("invalid_grant: user not found")
    ends_well = replace(facts(sandbox=True), username="ada@example.com.uat")

    assert "ada@example.com.uat" in str(explain(refusal, facts(sandbox=True), RULES).hint)
    assert "uat.uat" not in str(explain(refusal, ends_well, RULES).hint)


def test_the_validator_that_the_answer_names_is_the_one_to_open():
    body = {
        "error": "invalid_grant",
        "error_description": "Audience validation failed",
        "error_uri": "https://acme.my.salesforce.com/setup/secur/SAMLValidationPage.apexp?x=1",
    }
    refusal = read_answer(answer(body, status=400))
    assert isinstance(refusal, Refusal)

    hint = explain(refusal, facts(SAML), RULES).hint

    assert "https://acme.my.salesforce.com/setup/secur/SAMLValidationPage.apexp shows" in str(hint)


@pytest.mark.parametrize("uri", ["http://x", "javascript:alert(1)", "https://x\n", 7, None])
def test_an_unsafe_address_of_the_answer_is_not_repeated(uri):
    body = {"error": "invalid_grant", "error_description": "", "error_uri": uri}
    refusal = read_answer(answer(body, status=400))

    assert isinstance(refusal, Refusal)
    assert refusal.error_uri == ""


PAGE = {"Content-Type": "text/html"}
OTHERS = {
    "a page": (
        answer("<html><title>Salesforce - Maintenance</title></html>", headers=PAGE),
        "a web page titled 'Salesforce - Maintenance'",
    ),
    "a page without a title": (answer("<html></html>", status=403, headers=PAGE), "a web page"),
    "nothing": (answer("", status=404), "status 404 with an empty body"),
    "text": (answer("Bad gateway of somebody", status=400), "23 characters of no content type"),
    "a redirect": (
        answer("", status=302, headers={"Location": "https://sso.acme.example/?x=1"}),
        "a redirect to sso.acme.example, which is not followed",
    ),
}


@pytest.mark.parametrize(("response", "problem"), OTHERS.values(), ids=OTHERS)
def test_an_answer_of_another_kind_is_told_with_its_host(response: Response, problem: str):
    refusal = read_answer(response)
    assert isinstance(refusal, Refusal)

    error = explain(refusal, facts(), RULES)

    assert type(error) is AuthConfigurationError
    assert problem in error.message
    assert "Check the address https://acme.my.salesforce.com" in (error.hint or "")


def test_an_authorization_code_that_expired_is_a_passing_fault_only_while_refreshing():
    expired = refused("invalid_grant: expired authorization code")

    assert type(explain(expired, facts(CODE), RULES)) is not TransientAuthError


def test_every_hint_can_be_filled():
    bare = LoginFacts("any", "https://acme.my.salesforce.com")

    for rule in RULES:
        refusal = Refusal(400, error=rule.error or "x", description=rule.pattern)
        assert "{" not in (explain(refusal, bare, (rule,)).hint or "")


def test_only_faults_that_pass_and_rates_are_not_hopeless():
    passing = {rule.kind for rule in RULES if not rule.kind.hopeless}

    assert passing == {TransientAuthError, LoginRateLimited}


HOPELESS = sorted({says for _, says, kind, _ in TABLE if kind.hopeless})


@pytest.mark.parametrize("says", HOPELESS)
async def test_what_has_to_be_changed_elsewhere_is_sent_once(says):
    """Neither retried at once, nor asked again for a while."""
    code, _, description = says.partition(": ")
    sender = ScriptedSender(answer({"error": code, "error_description": description}, status=400))
    strategy = ClientCredentials("https://acme.my.salesforce.com", "3MVG9app", "s3cr3t")
    clock = FakeClock()
    manager = CredentialManager(strategy, send=sender, clock=clock)

    for _ in range(3):
        with pytest.raises(AuthError) as caught:
            await manager.get()
        assert caught.value.hopeless
        await clock.advance(10)
    await manager.aclose()

    assert len(sender.requests) == 1
