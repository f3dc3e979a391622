"""What the org tells about a user: the identity document and the OpenID claims."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sfconnect_emulator.oauth.people import Person

_SOAP_APIS = {"enterprise": "c", "metadata": "m", "partner": "u"}
_CLAIMS = (
    *("sub", "user_id", "organization_id", "preferred_username", "nickname", "name", "email"),
    *("email_verified", "given_name", "family_name", "zoneinfo", "photos", "profile", "picture"),
    *("address", "urls", "active", "user_type", "language", "locale", "utcOffset", "updated_at"),
    "is_app_installed",
)
_REST_RESOURCES = {
    "rest": "",
    "sobjects": "sobjects/",
    "search": "search/",
    "query": "query/",
    "recent": "recent/",
    "feeds": "chatter/feeds",
    "groups": "chatter/groups",
    "users": "chatter/users",
    "feed_items": "chatter/feed-items",
}


def identity_url(base_url: str, org_id: str, user_id: str) -> str:
    """The URL that names a user everywhere; its last two segments are the ids."""
    return f"{base_url}/id/{org_id}/{user_id}"


def identity_document(
    person: Person, org_id: str, base_url: str, now: datetime
) -> dict[str, object]:
    """The answer of ``GET /id/<org>/<user>``."""
    return {
        "id": identity_url(base_url, org_id, person.user_id),
        "asserted_user": True,
        "user_id": person.user_id,
        "organization_id": org_id,
        "username": person.username,
        "nick_name": person.alias,
        "display_name": person.name,
        "email": person.email,
        "email_verified": True,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "timezone": person.timezone,
        "photos": _photos(base_url),
        **dict.fromkeys(["addr_street", "addr_city", "addr_state", "addr_country", "addr_zip"]),
        "mobile_phone": None,
        "mobile_phone_verified": False,
        "status": {"created_date": None, "body": None},
        "urls": _urls(person, org_id, base_url),
        "active": person.is_active,
        "user_type": "STANDARD",
        "language": person.language,
        "locale": person.locale,
        "utcOffset": _utc_offset_ms(person.timezone, now),
        "last_modified_date": person.last_modified,
        "is_app_installed": True,
    }


def openid_claims(person: Person, org_id: str, base_url: str, now: datetime) -> dict[str, object]:
    """The answer of ``GET /services/oauth2/userinfo``."""
    photos = _photos(base_url)
    return {
        "sub": identity_url(base_url, org_id, person.user_id),
        "user_id": person.user_id,
        "organization_id": org_id,
        "preferred_username": person.username,
        "nickname": person.alias,
        "name": person.name,
        "email": person.email,
        "email_verified": True,
        "given_name": person.first_name,
        "family_name": person.last_name,
        "zoneinfo": person.timezone,
        "photos": photos,
        "profile": f"{base_url}/{person.user_id}",
        "picture": photos["picture"],
        "address": {},
        "urls": {**_urls(person, org_id, base_url), "custom_domain": base_url},
        "active": person.is_active,
        "user_type": "STANDARD",
        "language": person.language,
        "locale": person.locale,
        "utcOffset": _utc_offset_ms(person.timezone, now),
        "updated_at": person.last_modified,
        "is_app_installed": True,
    }


def discovery_document(base_url: str, grant_types: Iterable[str]) -> dict[str, object]:
    """The answer of ``GET /.well-known/openid-configuration``."""
    oauth = f"{base_url}/services/oauth2"
    return {
        "issuer": base_url,
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "revocation_endpoint": f"{oauth}/revoke",
        "introspection_endpoint": f"{oauth}/introspect",
        "userinfo_endpoint": f"{oauth}/userinfo",
        "jwks_uri": f"{base_url}/id/keys",
        "scopes_supported": [
            *("cdp_query_api", "id", "api", "web", "full", "openid", "profile", "email"),
            *("refresh_token", "offline_access"),
        ],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": [
            *("client_secret_post", "client_secret_basic", "private_key_jwt"),
        ],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": list(grant_types),
        "claims_supported": list(_CLAIMS),
    }


def _photos(base_url: str) -> dict[str, str]:
    return {
        "picture": f"{base_url}/profilephoto/005/F",
        "thumbnail": f"{base_url}/profilephoto/005/T",
    }


def _urls(person: Person, org_id: str, base_url: str) -> dict[str, str]:
    # {version} is a placeholder that the reader of the document fills in.
    soap = {
        name: f"{base_url}/services/Soap/{letter}/{{version}}/{org_id[:15]}"
        for name, letter in _SOAP_APIS.items()
    }
    rest = {
        name: f"{base_url}/services/data/v{{version}}/{path}"
        for name, path in _REST_RESOURCES.items()
    }
    return {**soap, **rest, "profile": f"{base_url}/{person.user_id}"}


def _utc_offset_ms(timezone: str, now: datetime) -> int:
    # Standard time, as the platform states it: winter in the north.
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return 0
    offset = now.replace(month=1, day=15).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)
