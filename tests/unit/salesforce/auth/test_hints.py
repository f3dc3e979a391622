"""The table of login errors: each row's cause, and the setting that its hint names."""

from __future__ import annotations

import pytest

from sfconnect.auth.oauth2.refusals import LoginFacts, explain
from sfconnect.auth.oauth2.wire import Refusal
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect.salesforce.auth.hints import RULES

CLIENT, JWT, REFRESH = "client_credentials", "jwt-bearer", "refresh_token"

TABLE: list[tuple[str, str, str, type[AuthError], str]] = [
    # grant, error, description, error class, what the hint has to name
    (
        CLIENT,
        "invalid_grant",
        "request not supported on this domain",
        AuthConfigurationError,
        "My Domain",
    ),
    (
        CLIENT,
        "invalid_grant",
        "no client credentials user enabled",
        AuthConfigurationError,
        "Run As",
    ),
    (
        CLIENT,
        "invalid_request",
        "client credentials flow not enabled",
        AuthConfigurationError,
        "Client Credentials Flow",
    ),
    (CLIENT, "invalid_grant", "no valid scopes defined", AuthConfigurationError, "api"),
    (CLIENT, "invalid_request", "scope parameter not supported", AuthConfigurationError, "scope"),
    (
        JWT,
        "invalid_app_access",
        "user is not admin approved to access this app",
        AppAccessDenied,
        "permission set",
    ),
    (
        JWT,
        "OAUTH_APP_ACCESS_DENIED",
        "user is not admin approved to access this app",
        AppAccessDenied,
        "permission set",
    ),
    (JWT, "invalid_grant", "user is not admin approved", AppAccessDenied, "permission set"),
    (
        JWT,
        "invalid_grant",
        "user hasn't approved this consumer",
        AppAccessDenied,
        "Permitted Users",
    ),
    (
        JWT,
        "invalid_grant",
        "user hasn\u2019t approved this consumer",
        AppAccessDenied,
        "ada@example.com",
    ),
    (JWT, "invalid_grant", "audience is invalid", AuthConfigurationError, "audience=https://b"),
    (JWT, "invalid_grant", "invalid assertion", InvalidCredentialsError, "certificate"),
    (JWT, "invalid_grant", "assertion expired", AuthConfigurationError, "NTP"),
    (JWT, "invalid_grant", "expired", AuthConfigurationError, "differs by 90 s"),
    (JWT, "invalid_grant", "user not found", AuthConfigurationError, "login name"),
    (
        CLIENT,
        "invalid_client_id",
        "client identifier invalid",
        AuthConfigurationError,
        "consumer key",
    ),
    (
        CLIENT,
        "invalid_client",
        "invalid client credentials",
        InvalidCredentialsError,
        "client_secret",
    ),
    (
        CLIENT,
        "invalid_client_id",
        "app must be installed into org",
        AuthConfigurationError,
        "admin",
    ),
    (
        CLIENT,
        "OAUTH_EC_APP_NOT_FOUND",
        "External client app is not installed in this org",
        AuthConfigurationError,
        "External Client App",
    ),
    (REFRESH, "invalid_grant", "authentication failure", InvalidCredentialsError, "Login History"),
    (
        REFRESH,
        "invalid_grant",
        "expired access/refresh token",
        ReauthorizationRequired,
        "token store",
    ),
    (
        REFRESH,
        "invalid_grant",
        "token request is already being processed",
        TransientAuthError,
        "token store",
    ),
    (REFRESH, "invalid_grant", "expired authorization code", TransientAuthError, "token store"),
    (JWT, "invalid_grant", "login rate exceeded", LoginRateLimited, "3,600"),
    (JWT, "invalid_grant", "ip restricted", AuthConfigurationError, "IP"),
    (
        CLIENT,
        "unsupported_grant_type",
        "grant type not supported",
        AuthConfigurationError,
        "OAuth and OpenID Connect Settings",
    ),
    (JWT, "inactive_user", "inactive user", AuthConfigurationError, "ada@example.com"),
    (JWT, "inactive_user", "frozen", AuthConfigurationError, "Activate"),
    (JWT, "inactive_org", "org is locked", AuthConfigurationError, "scratch org"),
    (REFRESH, "invalid_grant", "Data Not Available", AuthConfigurationError, "deleted"),
    (CLIENT, "invalid_scope", "", AuthConfigurationError, "api"),
]


@pytest.mark.parametrize(
    ("grant", "code", "description", "kind", "named"),
    TABLE,
    ids=[f"{grant} {code} {description}" for grant, code, description, _, _ in TABLE],
)
def test_a_known_refusal_names_the_setting_to_change(grant, code, description, kind, named):
    facts = LoginFacts(
        grant,
        "https://acme.my.salesforce.com",
        client_id="3MVG9app",
        username="ada@example.com",
        audience="https://a",
        other_audience="https://b",
        drift_s=90.0,
    )

    error = explain(Refusal(400, error=code, description=description), facts, RULES)

    assert type(error) is kind
    assert named in (error.hint or "")
    assert error.code == code
    assert code in str(error)
    assert description in error.message
    assert error.docs_key


def test_an_authorization_code_that_expired_is_a_passing_fault_only_while_refreshing():
    expired = Refusal(400, error="invalid_grant", description="expired authorization code")

    facts = LoginFacts("authorization_code", "https://acme.my.salesforce.com")

    assert type(explain(expired, facts, RULES)) is not TransientAuthError


def test_every_hint_can_be_filled():
    facts = LoginFacts("any", "https://acme.my.salesforce.com")

    for rule in RULES:
        refusal = Refusal(400, error=rule.error or "x", description=rule.pattern)
        assert "{" not in (explain(refusal, facts, (rule,)).hint or "")


def test_only_faults_that_pass_and_rates_are_not_hopeless():
    passing = {rule.kind for rule in RULES if not rule.kind.hopeless}

    assert passing == {TransientAuthError, LoginRateLimited}
