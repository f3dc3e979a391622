"""What Salesforce's login errors mean, and the setting that puts each right."""

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

CLIENT_CREDENTIALS: Final = frozenset({"client_credentials"})
JWT: Final = frozenset({"jwt-bearer"})
TOKEN_EXCHANGE: Final = "token-exchange"  # noqa: S105  # the name of a flow, not a secret
SAML: Final = "saml-bearer"
DATA_360: Final = "data360"
ONLY_DATA_360: Final = frozenset({DATA_360})
JWT_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

MY_DOMAIN: Final = (
    "Set login_url to the org's My Domain (Setup → My Domain), such as "
    "https://acme.my.salesforce.com; this flow does not work on {host}."
)
_APPROVE: Final = (
    "In the app's policies set Permitted Users to 'Admin approved users are pre-authorized', and "
    "add the app to a permission set or profile of {username}; or let the user approve it once. "
    "If that is done, use the org's My Domain as login_url: another org may have been asked."
)
_ASSIGN: Final = (
    "Add the app to a permission set or profile of the user "
    "(Setup → External Client App → Policies → Permitted Users)."
)
_SCOPES: Final = "Add 'Manage user data via APIs (api)' to the app's OAuth scopes."
_NEW_APP: Final = "A new or changed app takes up to 10 minutes to be known everywhere."

RULES: Final = (
    # Client credentials.
    Rule(
        "",
        "request not supported on this domain",
        AuthConfigurationError,
        MY_DOMAIN,
        "needs-my-domain",
    ),
    Rule(
        "",
        "no client credentials user",
        AuthConfigurationError,
        "In the app's policies (Setup → External Client App → Policies → OAuth) enable the client "
        "credentials flow and set Run As to the username, not the e-mail, of an API-enabled user.",
        "no-run-as-user",
    ),
    Rule(
        "",
        "client credentials flow (is )?not enabled",
        AuthConfigurationError,
        "Enable 'Client Credentials Flow' in the app's OAuth settings. " + _NEW_APP,
        "flow-not-enabled",
    ),
    Rule(
        "",
        "no valid scopes defined",
        AuthConfigurationError,
        _SCOPES + " Scopes full, web and refresh_token do not count for this flow.",
        "no-valid-scopes",
    ),
    Rule(
        "",
        "scope parameter not supported",
        AuthConfigurationError,
        "Leave scope out; scopes are set on the app.",
        "scope-not-supported",
    ),
    # The user and the app.
    Rule("invalid_app_access", "", AppAccessDenied, _ASSIGN, "user-not-approved"),
    Rule("oauth_app_access_denied", "", AppAccessDenied, _ASSIGN, "user-not-approved"),
    Rule("", "not admin approved", AppAccessDenied, _ASSIGN, "user-not-approved"),
    Rule("", "hasn.?t approved this consumer", AppAccessDenied, _APPROVE, "consumer-not-approved"),
    Rule(
        "oauth_ec_app_not_found",
        "",
        AuthConfigurationError,
        "Install or enable the External Client App in this org, and use the org's My Domain as "
        "login_url.",
        "app-not-installed",
    ),
    Rule(
        "",
        "(external client app is not|must be) installed",
        AuthConfigurationError,
        "Let an admin install the app in this org (Setup → Connected Apps OAuth Usage).",
        "app-not-installed",
    ),
    Rule(
        "invalid_client_id",
        "",
        AuthConfigurationError,
        "Check client_id: it is the app's whole consumer key, of an app known to this org. "
        + _NEW_APP,
        "unknown-client-id",
    ),
    ASSERTION_RULE,
    Rule(
        "invalid_client",
        "",
        InvalidCredentialsError,
        "Check client_secret (Setup → External Client App → Settings → Consumer Key and Secret). "
        "A secret rotated in the last 10 minutes may not be known everywhere yet.",
        "wrong-client-secret",
    ),
    Rule(
        "",
        "inactive.?user|user is (inactive|frozen)",
        AuthConfigurationError,
        "Activate or unfreeze {username} (Setup → Users).",
        "inactive-user",
    ),
    Rule("inactive_user", "", AuthConfigurationError, "Activate the user.", "inactive-user"),
    Rule(
        "inactive_org",
        "",
        AuthConfigurationError,
        "The org is locked or expired; a scratch org has to be made anew.",
        "inactive-org",
    ),
    Rule(
        "",
        "data not available",
        AuthConfigurationError,
        "The org is deleted or expired; log in to another.",
        "org-gone",
    ),
    Rule(
        "",
        "ip restricted",
        AuthConfigurationError,
        "Add this machine's address to the login IP ranges of the user's profile, or relax IP "
        "restrictions in the app's policies.",
        "ip-restricted",
    ),
    # Signed assertions.
    Rule(
        "",
        "audience is invalid",
        AuthConfigurationError,
        "The assertion was for {audience}; set audience={other_audience} if the org is of the "
        "other kind (sandboxes and scratch orgs: https://test.salesforce.com; production and "
        "developer orgs: https://login.salesforce.com; sites: the site's URL).",
        "wrong-audience",
    ),
    Rule(
        "",
        "assertion expired|^expired$|expired assertion",
        AuthConfigurationError,
        "Set this machine's clock by NTP; the server's differs by {drift} s.",
        "assertion-expired",
        JWT,
    ),
    Rule(
        "",
        "invalid assertion",
        InvalidCredentialsError,
        "The private key does not belong to the certificate that is uploaded to the app, or the "
        "clock is wrong (the server's differs by {drift} s). Compare the certificate's fingerprint "
        "in the app's settings with `openssl x509 -fingerprint`.",
        "wrong-key",
    ),
    Rule(
        "invalid_grant",
        "invalid user|user not found|user does not exist",
        AuthConfigurationError,
        "username is the login name in this org, not an e-mail or id; in a sandbox it ends with "
        "the sandbox's name, as in ada@example.com.uat.",
        "unknown-user",
    ),
    # Refresh tokens.
    Rule(
        "",
        "token request is already being processed",
        TransientAuthError,
        "Another process uses the same refresh token; share a token store.",
        "refresh-in-progress",
    ),
    Rule(
        "",
        "expired authorization code",
        TransientAuthError,
        "Another process uses the same refresh token; share a token store.",
        "refresh-in-progress",
        REFRESH,
    ),
    Rule(
        "",
        "expired access/refresh token|invalid refresh token",
        ReauthorizationRequired,
        "The refresh token was revoked, idle for too long, or, with rotation, already used by "
        "another process (share a token store). Authorise the app again.",
        "refresh-token-dead",
    ),
    # Rates, and flows as such.
    Rule(
        "",
        "login rate exceeded",
        LoginRateLimited,
        "Salesforce allows 3,600 logins per user and hour. Share one connection, or a token "
        "store, instead of logging in for each job.",
        "login-rate",
    ),
    Rule("login_rate_exceeded", "", LoginRateLimited, "", "login-rate"),
    Rule(
        "unsupported_grant_type",
        "",
        AuthConfigurationError,
        "Enable the flow in the app's OAuth settings, and check that org-wide settings (Setup → "
        "OAuth and OpenID Connect Settings) do not block it.",
        "flow-not-enabled",
    ),
    # Data 360.
    Rule(
        "invalid_scope",
        "",
        AuthConfigurationError,
        "Add the scopes of Data 360 to the app, such as cdp_query_api, cdp_ingest_api or "
        "cdp_profile_api, beside api (Setup → External Client App → Settings → OAuth scopes); then "
        "log in anew, and authorise anew where a user had consented.",
        "no-data360-scope",
        ONLY_DATA_360,
    ),
    Rule(
        "not_found",
        "",
        AuthConfigurationError,
        "The org has no Data 360: set it up (Setup → Data Cloud Setup), or log in to the org that "
        "has it.",
        "no-data360",
        ONLY_DATA_360,
    ),
    Rule(
        "",
        "dataspace|data space",
        AuthConfigurationError,
        "Check dataspace, and that the user has it (Setup → Data Spaces).",
        "no-dataspace",
        ONLY_DATA_360,
    ),
    Rule(
        "",
        "subject token|session expired",
        InvalidCredentialsError,
        "Data 360 does not take the org's token: check that the base login is for this org, and "
        "that the user has a Data 360 permission set.",
        "base-token-refused",
        ONLY_DATA_360,
    ),
    Rule("invalid_scope", "", AuthConfigurationError, _SCOPES, "no-valid-scopes"),
    Rule(
        "invalid_grant",
        "authentication failure",
        InvalidCredentialsError,
        "See the user's Login History in Setup for the reason.",
        "authentication-failure",
    ),
)
"""The first row that matches decides; after them come those of OAuth itself."""
