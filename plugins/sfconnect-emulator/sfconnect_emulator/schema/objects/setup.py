"""Who works in the org and how it is set up: users, queues, profiles, the organization itself."""

from __future__ import annotations

from typing import Any, Final

from sfconnect_emulator.schema.build import (
    address,
    area,
    audit,
    email,
    flag,
    moment,
    phone,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    whole,
)
from sfconnect_emulator.schema.types import SObjectType

TIME_ZONES: Final = ("GMT", "America/Los_Angeles", "America/New_York", "Europe/Paris",
                     "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney")  # fmt: skip
LOCALES: Final = ("en_US", "en_GB", "de_DE", "fr_FR", "ja_JP")
LANGUAGES: Final = ("en_US|English", "de|German", "fr|French", "ja|Japanese")
_FIXED: Final[dict[str, Any]] = {
    "createable": False, "deletable": False, "undeletable": False, "searchable": False,
    "triggerable": False, "mru_enabled": False, "scopes": ("everything",),
}  # fmt: skip

USER: Final = SObjectType(
    name="User", label="User", label_plural="Users", key_prefix="005", deletable=False,
    undeletable=False, feed_enabled=True, scopes=("everything",),
    fields=(
        record_id("User"),
        text("Username", 80, nillable=False, unique=True, id_lookup=True),
        text("LastName", 80, nillable=False, compound_field_name="Name"),
        text("FirstName", 40, compound_field_name="Name"),
        read_only(text("Name", 121, label="Full Name", nillable=False, name_field=True)),
        text("CompanyName", 80),
        text("Department", 80),
        text("Title", 80),
        *address(""),
        email("Email", nillable=False),
        phone("Phone"),
        phone("MobilePhone"),
        text("Alias", 8, nillable=False),
        text("CommunityNickname", 40, label="Nickname", nillable=False, defaulted_on_create=True),
        flag("IsActive", label="Active", default=True),
        picklist("TimeZoneSidKey", *TIME_ZONES, length=40, nillable=False, restricted=True,
                 label="Time Zone"),
        picklist("LocaleSidKey", *LOCALES, length=40, nillable=False, restricted=True,
                 label="Locale"),
        picklist("EmailEncodingKey", "UTF-8|Unicode (UTF-8)", "ISO-8859-1|General US & Western"
                 " Europe (ISO-8859-1, ISO-LATIN-1)", length=40, nillable=False, restricted=True,
                 label="Email Encoding"),
        ref("ProfileId", "Profile", nillable=False, children="Users"),
        read_only(picklist("UserType", "Standard", "PowerPartner|Partner", "Guest", length=40,
                           default="Standard")),
        picklist("LanguageLocaleKey", *LANGUAGES, length=40, nillable=False, restricted=True,
                 label="Language"),
        text("EmployeeNumber", 20),
        ref("ManagerId", "User", children="ManagedUsers"),
        read_only(moment("LastLoginDate", label="Last Login")),
        text("FederationIdentifier", 512, label="SAML Federation ID", unique=True,
             case_sensitive=True, id_lookup=False),
        area("AboutMe", 1000),
        *audit(),
    ),
)  # fmt: skip

GROUP: Final = SObjectType(
    name="Group", label="Group", label_plural="Group", key_prefix="00G", searchable=False,
    layoutable=False, mru_enabled=False, scopes=("everything",), undeletable=False,
    fields=(
        record_id("Group"),
        text("Name", 40, nillable=False, name_field=True),
        text("DeveloperName", 80, nillable=False, defaulted_on_create=True),
        picklist("Type", "Regular", "Queue", "Organization", "Role", length=40, nillable=False,
                 updateable=False, restricted=True),
        email("Email"),
        flag("DoesIncludeBosses", default=True),
        *audit(),
    ),
)  # fmt: skip

PROFILE: Final = SObjectType(
    name="Profile", label="Profile", label_plural="Profile", key_prefix="00e", updateable=False,
    layoutable=False, **_FIXED,
    fields=(
        record_id("Profile"),
        text("Name", 255, nillable=False, name_field=True),
        ref("UserLicenseId", "UserLicense", nillable=False, updateable=False),
        read_only(picklist("UserType", "Standard", "Guest", length=40)),
        text("Description", 255),
        *audit(),
    ),
)  # fmt: skip

USER_LICENSE: Final = SObjectType(
    name="UserLicense", label="User License", label_plural="User Licenses", key_prefix="100",
    updateable=False, layoutable=False, **_FIXED,
    fields=(
        record_id("User License"),
        text("LicenseDefinitionKey", 40, nillable=False),
        text("Name", 40, nillable=False, name_field=True),
        text("MasterLabel", 40, nillable=False, label="Label"),
        picklist("Status", "Active", "Disabled", length=40, restricted=True),
        whole("TotalLicenses", nillable=False),
        whole("UsedLicenses", nillable=False),
        *audit(),
    ),
)  # fmt: skip

RECORD_TYPE: Final = SObjectType(
    name="RecordType", label="Record Type", label_plural="Record Types", key_prefix="012",
    updateable=False, layoutable=False, **_FIXED,
    fields=(
        record_id("Record Type"),
        text("Name", 80, nillable=False, name_field=True),
        text("DeveloperName", 80, nillable=False),
        text("NamespacePrefix", 15),
        text("Description", 255),
        picklist("SobjectType", "Account", "Case", "Opportunity", "Everything__c", length=40,
                 nillable=False, label="SObject Type Name"),
        flag("IsActive", label="Active"),
        *audit(),
    ),
)  # fmt: skip

ORGANIZATION: Final = SObjectType(
    name="Organization", label="Organization", label_plural="Organizations", key_prefix="00D",
    layoutable=False, **_FIXED,
    fields=(
        record_id("Organization"),
        text("Name", 80, nillable=False, name_field=True),
        text("Division", 80),
        *address(""),
        phone("Phone"),
        phone("Fax"),
        text("PrimaryContact", 80),
        picklist("DefaultLocaleSidKey", *LOCALES, length=40, nillable=False, restricted=True),
        picklist("TimeZoneSidKey", *TIME_ZONES, length=40, nillable=False, restricted=True,
                 label="Time Zone"),
        picklist("LanguageLocaleKey", *LANGUAGES, length=40, nillable=False, restricted=True),
        flag("PreferencesRequireOpportunityProducts"),
        whole("FiscalYearStartMonth", nillable=True),
        flag("UsesStartDateAsFiscalYearName"),
        read_only(text("NamespacePrefix", 15)),
        read_only(text("InstanceName", 5)),
        read_only(flag("IsSandbox")),
        read_only(picklist("OrganizationType", "Team Edition", "Professional Edition",
                           "Enterprise Edition", "Developer Edition", "Unlimited Edition",
                           length=40, label="Edition")),
        read_only(moment("TrialExpirationDate")),
        *audit(),
    ),
)  # fmt: skip

OBJECTS: Final = (USER, GROUP, PROFILE, USER_LICENSE, RECORD_TYPE, ORGANIZATION)
