"""What Salesforce's login errors mean, and the setting that puts each right.

Each row is a cause that support forums know by its wording. The same code means different things in
different flows, so rows may be limited to some. "Setup →" begins a path in the org's Setup.
"""

from __future__ import annotations

from typing import Final

from sfconnect.auth.oauth2.refusals import ASSERTION_RULE, REFRESH, Rule
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    InvalidCredentialsError,
    LoginRateLimited,
    ReauthorizationRequired,
    TransientAuthError,
)

TOKEN_EXCHANGE: Final = "token-exchange"
SAML: Final = "saml-bearer"
DATA_360: Final = "data360"
CLIENT_CREDENTIALS: Final = frozenset({"client_credentials"})
JWT: Final = frozenset({"jwt-bearer"})
ONLY_CODE: Final = frozenset({"authorization_code"})
ONLY_SAML: Final = frozenset({SAML})
ONLY_EXCHANGE: Final = frozenset({TOKEN_EXCHANGE})
ONLY_DATA_360: Final = frozenset({DATA_360})
JWT_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

MY_DOMAIN: Final = (
    "Set login_url to the org's My Domain (Setup → My Domain), such as "
    "https://acme.my.salesforce.com; this flow does not work on {host}."
)
_APP: Final = "Setup → External Client App Manager → the app"
_POLICIES: Final = f"{_APP} → Policies"
_SETTINGS: Final = f"{_APP} → Settings → OAuth Settings"
_ASSIGN: Final = (
    f"Add the app to a permission set or profile of {{username}} ({_POLICIES} → App Policies)."
)
_NEW_APP: Final = "A new or changed app takes up to 10 minutes to be known everywhere."
_SHARE: Final = "Share a token store among the processes that use it."

_CLIENT_CREDENTIALS: Final = (
    Rule(
        "",
        "request not supported on this domain",
        AuthConfigurationError,
        MY_DOMAIN,
        "needs-my-domain",
        cause="The flow is offered by the org's own host only.",
    ),
    Rule(
        "",
        "no client credentials user",
        AuthConfigurationError,
        f"Set Run As ({_POLICIES} → OAuth Policies → Client Credentials Flow) to the username, not "
        "the e-mail address, of a user with the permission API Enabled.",
        "no-run-as-user",
        cause="The app does not say which user it acts as.",
    ),
    Rule(
        "",
        "client credentials flow (is )?not enabled",
        AuthConfigurationError,
        f"Enable 'Client Credentials Flow' in the app ({_SETTINGS}) and in its policies. "
        f"{_NEW_APP}",
        "flow-not-enabled",
        cause="The app does not allow this flow.",
    ),
    Rule(
        "",
        "no valid scopes defined",
        AuthConfigurationError,
        f"Add 'Manage user data via APIs (api)' to the app's OAuth scopes ({_SETTINGS}).",
        "no-valid-scopes",
        cause="Of the app's scopes none counts here: full, web and refresh_token do not.",
    ),
    Rule(
        "",
        "scope parameter not supported",
        AuthConfigurationError,
        f"Leave scope out; scopes are set on the app ({_SETTINGS}).",
        "scope-not-supported",
        cause="This flow takes no scope.",
    ),
)

_APP_AND_USER: Final = (
    *(
        Rule(
            code,
            text,
            AppAccessDenied,
            _ASSIGN,
            "user-not-approved",
            cause="The app is for approved users only, and this one is not among them.",
        )
        for code, text in (
            ("invalid_app_access", ""),
            ("oauth_app_access_denied", ""),
            ("", "not admin approved"),
        )
    ),
    Rule(
        "",
        "hasn.?t approved this consumer",
        AppAccessDenied,
        f"Set Permitted Users to 'Admin approved users are pre-authorized' ({_POLICIES}) and add "
        "the app to a permission set or profile of {username}; or let {username} approve it once "
        "at {authorize_url} (that callback has to be one of the app's). If it is approved, use the "
        "org's My Domain as login_url.",
        "consumer-not-approved",
        cause="The user never approved the app; or another org was asked, which has a user or app "
        "of that name too.",
    ),
    Rule(
        "oauth_ec_app_not_found",
        "",
        AuthConfigurationError,
        "Install or enable the app in this org (Setup → External Client App Manager), and use the "
        "org's My Domain as login_url.",
        "app-not-installed",
        cause="This org does not have the External Client App, or another org was asked.",
    ),
    Rule(
        "",
        "(external client app is not|must be) installed",
        AuthConfigurationError,
        "Let an admin install the app (Setup → Connected Apps OAuth Usage → Install).",
        "app-not-installed",
        cause="The org lets users log in by installed apps only.",
    ),
    Rule(
        "invalid_client_id",
        "",
        AuthConfigurationError,
        f"Check client_id: it is the whole consumer key ({_SETTINGS} → Consumer Key and Secret) of "
        f"an app that this org knows. {_NEW_APP}",
        "unknown-client-id",
        cause="No app with this consumer key is known here.",
    ),
    ASSERTION_RULE,
    Rule(
        "invalid_client",
        "",
        InvalidCredentialsError,
        f"Check client_secret ({_SETTINGS} → Consumer Key and Secret). A secret that was rotated "
        "in the last 10 minutes may not be known everywhere; client_secret_next takes the new one "
        "beforehand.",
        "wrong-client-secret",
        cause="The consumer secret is wrong, or was rotated.",
    ),
    Rule(
        "invalid_client_credentials",
        "",
        InvalidCredentialsError,
        f"Check client_secret ({_SETTINGS} → Consumer Key and Secret).",
        "wrong-client-secret",
        cause="The consumer secret is wrong, or was rotated.",
    ),
    Rule(
        "inactive_user",
        "",
        AuthConfigurationError,
        "Activate or unfreeze {username} (Setup → Users).",
        "inactive-user",
        cause="The user is deactivated or frozen.",
    ),
    Rule(
        "",
        "inactive.?user|user is (inactive|frozen)",
        AuthConfigurationError,
        "Activate or unfreeze {username} (Setup → Users).",
        "inactive-user",
        cause="The user is deactivated or frozen.",
    ),
    Rule(
        "inactive_org",
        "",
        AuthConfigurationError,
        "Let Salesforce unlock the org, or make the scratch org anew and log in there.",
        "inactive-org",
        cause="The org is locked, closed or expired.",
    ),
    Rule(
        "",
        "data not available",
        AuthConfigurationError,
        "Make a new org, or log in to another.",
        "org-gone",
        cause="The scratch org is deleted or expired.",
    ),
    Rule(
        "",
        "ip.(restricted|not allowed)",
        AuthConfigurationError,
        "Add this machine's address to the login IP ranges of the user's profile (Setup → Profiles "
        f"→ Login IP Ranges), or relax IP restrictions for the app ({_POLICIES} → OAuth Policies).",
        "ip-restricted",
        cause="Logins from this machine's address are not allowed.",
    ),
)

_ASSERTIONS: Final = (
    Rule(
        "",
        "audience validation failed",
        AuthConfigurationError,
        "Set Audience to {wanted_audience} and Recipient to {token_url} at the identity provider; "
        "{error_uri} shows what Salesforce got.",
        "saml-audience",
        ONLY_SAML,
        cause="The assertion's Audience or Recipient is not what the org wants.",
    ),
    Rule(
        "",
        "audience is invalid",
        AuthConfigurationError,
        "The assertion was for {audience}; set audience={other_audience} if the org is of the "
        "other kind (sandboxes and scratch orgs: https://test.salesforce.com; production and "
        "developer orgs: https://login.salesforce.com; sites: the site's URL).",
        "wrong-audience",
        cause="The assertion is addressed to somebody else.",
    ),
    Rule(
        "",
        "expired|invalid assertion|assertion is invalid|signature",
        InvalidCredentialsError,
        f"Upload the certificate that the identity provider signs with to the app ({_SETTINGS} → "
        "Use digital signatures), and compare the clocks (the server's differs by {drift} s); "
        "{error_uri} shows what Salesforce got.",
        "saml-refused",
        ONLY_SAML,
        cause="The assertion is not signed by the key that the app knows, or is out of its time.",
    ),
    Rule(
        "",
        "assertion expired|^expired$|expired assertion",
        AuthConfigurationError,
        "Set this machine's clock by NTP; the server's differs by {drift} s.",
        "assertion-expired",
        JWT,
        cause="The assertion was too old when it came: a clock is wrong, or it waited long.",
    ),
    Rule(
        "",
        "invalid assertion",
        InvalidCredentialsError,
        f"Compare the certificate in the app ({_SETTINGS} → Use digital signatures) with that of "
        "the key: `sfconnect auth doctor` shows its fingerprint, and whether certificate_file "
        "belongs to the key. The server's clock differs by {drift} s.",
        "wrong-key",
        JWT,
        cause="The private key does not belong to the certificate that is uploaded to the app, or "
        "the clock is wrong.",
    ),
    Rule(
        "invalid_grant",
        "invalid user|user not found|user does not exist",
        AuthConfigurationError,
        "Give the login name in this org, not an e-mail address or id; in a sandbox it ends in the "
        "sandbox's name, as in {sandbox_username}.",
        "unknown-user",
        cause="The org has no user with this login name.",
    ),
    Rule(
        "",
        "token.?exchange.?handler|token_handler",
        AuthConfigurationError,
        "Set token_handler to the developer name of a token exchange handler that is enabled for "
        f"the app (Setup → Token Exchange Handlers, and {_SETTINGS}).",
        "no-token-handler",
        ONLY_EXCHANGE,
        cause="No handler maps the token to a user.",
    ),
    Rule(
        "",
        "token type not supported",
        AuthConfigurationError,
        "Set subject_token_type to the kind that the token has and the handler takes, such as jwt, "
        "id_token or access_token.",
        "wrong-subject-token-type",
        ONLY_EXCHANGE,
        cause="The org does not take this kind of token.",
    ),
    Rule(
        "invalid_grant",
        "",
        InvalidCredentialsError,
        "See the debug log of the handler's Apex class (Setup → Debug Logs) for its reason; check "
        "subject_token_type, and that the token is meant for this handler.",
        "exchange-refused",
        ONLY_EXCHANGE,
        cause="The org's token exchange handler did not take the token.",
    ),
)

_REFRESH_TOKENS: Final = (
    Rule(
        "",
        "token request is already being processed",
        TransientAuthError,
        _SHARE,
        "refresh-in-progress",
        cause="Another process uses the same refresh token at this moment.",
    ),
    Rule(
        "",
        "expired authorization code",
        TransientAuthError,
        _SHARE,
        "refresh-in-progress",
        REFRESH,
        cause="Another process uses the same refresh token at this moment.",
    ),
    Rule(
        "",
        "expired access/refresh token|invalid refresh token",
        ReauthorizationRequired,
        "Authorise the app again. Where it rotates refresh tokens, share a token store: a second "
        f"use of an old one ends the grant. How long one lives is set in {_POLICIES} → OAuth "
        "Policies → Refresh Token Policy.",
        "refresh-token-dead",
        cause="The refresh token was revoked, idle for too long, or already used by another "
        "process; or the app's secret was rotated, or the user frozen.",
    ),
)

_CODES: Final = (
    Rule(
        "",
        "missing required code challenge|code.?challenge.*required",
        AuthConfigurationError,
        f"Log in by authorization-code, which sends one; 'Require PKCE' is in {_SETTINGS}.",
        "pkce-required",
        cause="The app wants PKCE, and the request had no code challenge.",
    ),
    Rule(
        "",
        "(expired|invalid) authorization code",
        ReauthorizationRequired,
        "Log in again.",
        "code-dead",
        ONLY_CODE,
        cause="A code is good once, and for a few minutes.",
    ),
    Rule(
        "",
        "code verifier",
        AuthConfigurationError,
        "Log in again, and let nothing between the browser and here change the address.",
        "wrong-verifier",
        ONLY_CODE,
        cause="The code was asked for by another login than the one that redeems it.",
    ),
    Rule(
        "redirect_uri_mismatch",
        "",
        AuthConfigurationError,
        f"Add what redirect_uris names, exactly as it is, to the callback URLs ({_SETTINGS}).",
        "redirect-not-registered",
        cause="The app does not know the address that the browser is sent back to.",
    ),
    Rule(
        "redirect_uri_missing",
        "",
        AuthConfigurationError,
        f"Register a callback URL ({_SETTINGS}), and name it in redirect_uris.",
        "redirect-not-registered",
        cause="Nothing says which address the browser is to be sent back to.",
    ),
    Rule(
        "unsupported_response_type",
        "",
        AuthConfigurationError,
        f"Enable the authorization code flow in the app ({_SETTINGS}), and see that the org does "
        "not block it (Setup → OAuth and OpenID Connect Settings).",
        "flow-not-enabled",
        cause="The org or the app does not let people log in by this flow.",
    ),
)

_FLOWS_AND_RATES: Final = (
    Rule(
        "",
        "login rate exceeded",
        LoginRateLimited,
        "Share one connection, or a token store, instead of logging in for each job.",
        "login-rate",
        cause="Salesforce allows 3,600 logins per user and hour.",
    ),
    Rule(
        "login_rate_exceeded",
        "",
        LoginRateLimited,
        "Share one connection, or a token store, instead of logging in for each job.",
        "login-rate",
        cause="Salesforce allows 3,600 logins per user and hour.",
    ),
    Rule(
        "rate_limit_exceeded",
        "",
        LoginRateLimited,
        "Ask for fewer tokens: share one connection, or a token store.",
        "rate-limited",
        cause="Too many tokens were asked for.",
    ),
    Rule(
        "unsupported_grant_type",
        "",
        AuthConfigurationError,
        f"Enable the flow in the app ({_SETTINGS}), and see that the org does not block it (Setup "
        "→ OAuth and OpenID Connect Settings).",
        "flow-not-enabled",
        cause="The org or the app does not allow this flow.",
    ),
    Rule(
        "invalid_scope",
        "",
        AuthConfigurationError,
        "Add the scopes of Data 360, such as cdp_query_api, cdp_ingest_api or cdp_profile_api, to "
        f"the app beside api ({_SETTINGS}); then log in anew, and authorise anew where a user had "
        "consented.",
        "no-data360-scope",
        ONLY_DATA_360,
        cause="The org's token has no scope of Data 360.",
    ),
    Rule(
        "not_found",
        "",
        AuthConfigurationError,
        "Set Data 360 up (Setup → Data Cloud Setup), or log in to the org that has it.",
        "no-data360",
        ONLY_DATA_360,
        cause="The org has no Data 360.",
    ),
    Rule(
        "",
        "dataspace|data space",
        AuthConfigurationError,
        "Check dataspace, and that the user has it (Setup → Data Spaces).",
        "no-dataspace",
        ONLY_DATA_360,
        cause="There is no such data space, or not for this user.",
    ),
    Rule(
        "",
        "subject token|session expired",
        InvalidCredentialsError,
        "Check that the base login is for this org, and that its user has a permission set of "
        "Data 360.",
        "base-token-refused",
        ONLY_DATA_360,
        cause="Data 360 does not take the org's token.",
    ),
    Rule(
        "invalid_scope",
        "",
        AuthConfigurationError,
        f"Add the scope to the app ({_SETTINGS}), api at least; then let users authorise it anew.",
        "no-valid-scopes",
        cause="The app lacks a scope that is asked for.",
    ),
    Rule(
        "access_denied",
        "",
        AppAccessDenied,
        "Log in again and allow the app; if that was done, an admin has blocked it (Setup → "
        "Connected Apps OAuth Usage).",
        "access-denied",
        cause="Somebody said no: the user, or an admin for all.",
    ),
    Rule(
        "invalid_grant",
        "authentication failure",
        InvalidCredentialsError,
        "See the user's Login History (Setup → Login History) for the reason; it may be that the "
        "org blocks the app or the flow.",
        "authentication-failure",
        cause="Salesforce tells the caller no more than that it refuses.",
    ),
)

RULES: Final = (
    *_CLIENT_CREDENTIALS,
    *_APP_AND_USER,
    *_ASSERTIONS,
    *_REFRESH_TOKENS,
    *_CODES,
    *_FLOWS_AND_RATES,
)
"""The first row that matches decides; after them come those of OAuth itself."""
