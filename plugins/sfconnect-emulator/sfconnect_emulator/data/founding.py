"""The rows that every org has from its first day: organization, profiles, users, queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sfconnect_emulator.data.org import LICENSE, PROFILES, OrgUser
from sfconnect_emulator.data.tables import Row, columns

if TYPE_CHECKING:
    from sfconnect_emulator.data.store import Store

FOUNDED: Final = "2020-01-15T09:30:00.000+0000"
_QUEUES: Final = ("Support Queue", "Sales Queue")
_RECORD_TYPES: Final = (("Business", "Account"), ("Incident", "Case"))


def found(store: Store) -> None:
    """Insert the first rows of an org."""
    _insert(store, "Organization", [_organization(store)])
    _insert(store, "UserLicense", [_license(store)])
    _insert(
        store, "Profile",
        [{"Name": name, "UserType": "Standard", "UserLicenseId": store.org.license_id}
         for name in PROFILES],
    )  # fmt: skip
    _insert(store, "User", [_user(store, user) for user in store.org.users])
    _insert(
        store, "Group",
        [{"Name": name, "DeveloperName": name.replace(" ", "_"), "Type": "Queue",
          "DoesIncludeBosses": False} for name in _QUEUES],
    )  # fmt: skip
    _insert(
        store, "RecordType",
        [{"Name": name, "DeveloperName": name, "SobjectType": target, "IsActive": True}
         for name, target in _RECORD_TYPES],
    )  # fmt: skip
    _insert(
        store, "Pricebook2",
        [{"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}],
    )  # fmt: skip


def _insert(store: Store, object_name: str, drafts: list[Row]) -> None:
    t = store.schema[object_name]
    user_id = store.org.user.id
    common: Row = {
        "CreatedDate": FOUNDED, "CreatedById": user_id, "LastModifiedDate": FOUNDED,
        "LastModifiedById": user_id, "SystemModstamp": FOUNDED,
    }  # fmt: skip
    flags: Row = {f.name: f.default_value for f in columns(t) if f.default_value is not None}
    store.insert_rows(t, [flags | common | draft | store.new_row(t) for draft in drafts])


def _organization(store: Store) -> Row:
    org = store.org
    return {
        "Name": org.name, "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "GMT",
        "LanguageLocaleKey": "en_US", "FiscalYearStartMonth": 1,
        "InstanceName": org.instance_name, "IsSandbox": False,
        "OrganizationType": "Developer Edition", "PrimaryContact": org.user.name,
        "Country": "US",
    }  # fmt: skip


def _license(store: Store) -> Row:
    active = sum(user.is_active for user in store.org.users)
    return {
        "LicenseDefinitionKey": "SFDC", "Name": LICENSE, "MasterLabel": LICENSE,
        "Status": "Active", "TotalLicenses": 10, "UsedLicenses": active,
    }  # fmt: skip


def _user(store: Store, user: OrgUser) -> Row:
    admin = user is store.org.user
    return {
        "Username": user.username, "LastName": user.last_name, "FirstName": user.first_name,
        "Name": user.name, "Email": user.email, "Alias": user.alias,
        "CommunityNickname": user.alias, "IsActive": user.is_active,
        "TimeZoneSidKey": user.time_zone, "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
        "ProfileId": store.org.profile_ids[0 if admin else 1], "UserType": "Standard",
        "LanguageLocaleKey": "en_US", "CompanyName": store.org.name,
    }  # fmt: skip
