"""Whom a login acts as: the user, the profile and the org. Nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sfconnect.call import Call, Sender
from sfconnect.messages import Request, Response
from sfconnect.salesforce.resources import Row, decode_row, unexpected
from sfconnect.soql import bind

if TYPE_CHECKING:
    from collections.abc import Mapping

USERINFO_PATH: Final = "/services/oauth2/userinfo"
ORGANIZATION_SOQL: Final = (
    "SELECT Id, Name, OrganizationType, IsSandbox, InstanceName, TrialExpirationDate "
    "FROM Organization LIMIT 1"
)
_USER_SOQL: Final = "SELECT Username, Name, UserType FROM User WHERE Id = :user"
_USER_WITH_PROFILE_SOQL: Final = (
    "SELECT Username, Name, UserType, Profile.Name, Profile.UserLicense.Name "
    "FROM User WHERE Id = :user"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the login server tells of the user behind a token."""

    user_id: str
    org_id: str
    username: str
    """As the server prefers it; where somebody changed it, ``User.Username`` is the login name."""
    name: str | None
    user_type: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """The user that calls run as, and the org that they run in.

    What the user may not read is None.
    """

    user_id: str
    username: str
    name: str | None
    user_type: str | None
    profile: str | None
    user_license: str | None
    org_id: str
    org_name: str | None
    org_type: str | None
    """The edition, such as ``Enterprise Edition``."""
    is_sandbox: bool | None
    trial_ends: str | None
    """When a trial or scratch org expires."""
    instance: str | None
    """Name of the instance that the org lives on today."""
    instance_url: str
    api_version: str


def identity_call(sender: Sender) -> Call[Identity]:
    """Ask who the user behind the token is; the org's own host answers, whatever the scopes."""
    request = Request("GET", USERINFO_PATH, surface="identity")
    return Call(request, decode_identity, sender)


def decode_identity(response: Response) -> Identity:
    """Read the OpenID claims of a user.

    Raises:
        ResponseError: They name no user or no org.
    """
    claims = decode_row(response)
    user_id, org_id = _text(claims, "user_id"), _text(claims, "organization_id")
    if not user_id or not org_id:
        raise unexpected(response, "a user with user_id and organization_id")
    return Identity(
        user_id,
        org_id,
        _text(claims, "preferred_username") or "",
        _text(claims, "name"),
        _text(claims, "user_type"),
        is_active=claims.get("active") is not False,
    )


def user_soql(user_id: str, *, with_profile: bool = True) -> str:
    """Write the query for a user's own row; not everybody may read profiles."""
    return bind(_USER_WITH_PROFILE_SOQL if with_profile else _USER_SOQL, user=user_id)


def who_am_i(
    identity: Identity,
    user: Row | None,
    organization: Row | None,
    *,
    instance_url: str,
    api_version: str,
) -> WhoAmI:
    """Put together what three answers told; of a row that was not found, nothing is known."""
    user, organization = user or {}, organization or {}
    profile = _parent(user, "Profile")
    is_sandbox = organization.get("IsSandbox")
    return WhoAmI(
        user_id=identity.user_id,
        username=_text(user, "Username") or identity.username,
        name=_text(user, "Name") or identity.name,
        user_type=_text(user, "UserType") or identity.user_type,
        profile=_text(profile, "Name"),
        user_license=_text(_parent(profile, "UserLicense"), "Name"),
        org_id=identity.org_id,
        org_name=_text(organization, "Name"),
        org_type=_text(organization, "OrganizationType"),
        is_sandbox=is_sandbox if isinstance(is_sandbox, bool) else None,
        trial_ends=_text(organization, "TrialExpirationDate"),
        instance=_text(organization, "InstanceName"),
        instance_url=instance_url,
        api_version=api_version,
    )


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) and value else None


def _parent(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}
