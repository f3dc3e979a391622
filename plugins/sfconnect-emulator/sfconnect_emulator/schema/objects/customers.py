"""Accounts, contacts and leads."""

from __future__ import annotations

from typing import Any, Final

from sfconnect_emulator.schema.build import (
    address,
    area,
    audit,
    deleted_flag,
    email,
    flag,
    last_activity,
    moment,
    money,
    owner,
    phone,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    url,
    viewed,
    whole,
)
from sfconnect_emulator.schema.build import day as date_field
from sfconnect_emulator.schema.types import FieldType, SObjectType

INDUSTRIES: Final = (
    "Agriculture", "Apparel", "Banking", "Biotechnology", "Chemicals", "Communications",
    "Construction", "Consulting", "Education", "Electronics", "Energy", "Engineering",
    "Entertainment", "Environmental", "Finance", "Food & Beverage", "Government", "Healthcare",
    "Hospitality", "Insurance", "Machinery", "Manufacturing", "Media", "Not For Profit",
    "Recreation", "Retail", "Shipping", "Technology", "Telecommunications", "Transportation",
    "Utilities", "Other",
)  # fmt: skip
SOURCES: Final = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
RATINGS: Final = ("Hot", "Warm", "Cold")
SALUTATIONS: Final = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx.")
CLEAN: Final = (
    "Matched|In Sync", "Different", "Acknowledged|Reviewed", "NotFound|Not Found", "Inactive",
    "Pending|Not Compared", "SelectMatch|Select Match", "Skipped",
)  # fmt: skip


def _person_name() -> tuple[FieldType, ...]:
    """Make a name of three parts; the whole is worked out by the org."""
    part: dict[str, Any] = {
        "compound_field_name": "Name", "extra_type_info": "personname", "permissionable": False,
    }  # fmt: skip
    parts: tuple[FieldType, ...] = (
        text("LastName", 80, nillable=False, **part),
        text("FirstName", 40, **part),
        picklist("Salutation", *SALUTATIONS, length=40, **part),
        read_only(
            text("Name", 121, label="Full Name", nillable=False, name_field=True,
                 extra_type_info="personname")
        ),
    )  # fmt: skip
    return parts


ACCOUNT: Final = SObjectType(
    name="Account", label="Account", label_plural="Accounts", key_prefix="001",
    mergeable=True, feed_enabled=True,
    fields=(
        record_id("Account"),
        deleted_flag(),
        read_only(ref("MasterRecordId", "Account")),
        text("Name", label="Account Name", nillable=False, name_field=True, id_lookup=False,
             extra_type_info="switchablepersonname"),
        picklist("Type", "Prospect", "Customer - Direct", "Customer - Channel",
                 "Channel Partner / Reseller", "Installation Partner", "Technology Partner",
                 "Other", label="Account Type"),
        ref("ParentId", "Account", label="Parent Account ID", children="ChildAccounts"),
        *address("Billing"),
        *address("Shipping"),
        phone("Phone", label="Account Phone"),
        phone("Fax", label="Account Fax"),
        text("AccountNumber", 40),
        url("Website"),
        read_only(url("PhotoUrl", label="Photo URL", extra_type_info="imageurl")),
        text("Sic", 20, label="SIC Code"),
        picklist("Industry", *INDUSTRIES),
        money("AnnualRevenue", 0),
        whole("NumberOfEmployees", label="Employees"),
        picklist("Ownership", "Public", "Private", "Subsidiary", "Other"),
        text("TickerSymbol", 20),
        area("Description", 32000, label="Account Description"),
        picklist("Rating", *RATINGS, label="Account Rating"),
        text("Site", 80, label="Account Site"),
        owner(),
        *audit(),
        last_activity(),
        *viewed(),
        text("Jigsaw", 20, label="Data.com Key"),
        read_only(text("JigsawCompanyId", 20)),
        picklist("CleanStatus", *CLEAN, length=40, restricted=True),
        picklist("AccountSource", *SOURCES),
        text("DunsNumber", 9, label="D-U-N-S Number"),
        text("Tradestyle"),
        text("NaicsCode", 8, label="NAICS Code"),
        text("NaicsDesc", 120, label="NAICS Description"),
        text("YearStarted", 4),
        text("SicDesc", 80, label="SIC Description"),
        text("Ext_Id__c", 64, label="Ext Id", external_id=True, unique=True, id_lookup=True),
        picklist("Active__c", "No", "Yes", restricted=False),
        ref("Primary_Contact__c", "Contact", children="Primary_For__r"),
    ),
)  # fmt: skip

CONTACT: Final = SObjectType(
    name="Contact", label="Contact", label_plural="Contacts", key_prefix="003",
    mergeable=True, feed_enabled=True,
    fields=(
        record_id("Contact"),
        deleted_flag(),
        read_only(ref("MasterRecordId", "Contact")),
        ref("AccountId", "Account", children="Contacts", cascade_delete=True),
        *_person_name(),
        *address("Other"),
        *address("Mailing"),
        phone("Phone", label="Business Phone"),
        phone("Fax", label="Business Fax"),
        phone("MobilePhone"),
        phone("HomePhone"),
        phone("OtherPhone"),
        phone("AssistantPhone"),
        ref("ReportsToId", "Contact"),
        email("Email", id_lookup=True),
        text("Title", 128),
        text("Department", 80),
        text("AssistantName", 40),
        picklist("LeadSource", *SOURCES),
        date_field("Birthdate"),
        area("Description", 32000, label="Contact Description"),
        owner(),
        flag("HasOptedOutOfEmail", label="Email Opt Out"),
        flag("HasOptedOutOfFax", label="Fax Opt Out"),
        flag("DoNotCall"),
        *audit(),
        last_activity(),
        *viewed(),
        text("EmailBouncedReason"),
        moment("EmailBouncedDate"),
        read_only(flag("IsEmailBounced")),
        read_only(url("PhotoUrl", label="Photo URL", extra_type_info="imageurl")),
        text("Jigsaw", 20, label="Data.com Key"),
        picklist("CleanStatus", *CLEAN, length=40, restricted=True),
    ),
)  # fmt: skip

LEAD: Final = SObjectType(
    name="Lead", label="Lead", label_plural="Leads", key_prefix="00Q",
    mergeable=True, feed_enabled=True,
    fields=(
        record_id("Lead"),
        deleted_flag(),
        read_only(ref("MasterRecordId", "Lead")),
        *_person_name(),
        text("Title", 128),
        text("Company", 255, nillable=False),
        *address(""),
        phone("Phone"),
        phone("MobilePhone"),
        phone("Fax"),
        email("Email", id_lookup=True),
        url("Website"),
        area("Description", 32000),
        picklist("LeadSource", *SOURCES),
        picklist("Status", "Open - Not Contacted", "Working - Contacted", "Closed - Converted",
                 "Closed - Not Converted", nillable=False, default="Open - Not Contacted"),
        picklist("Industry", *INDUSTRIES),
        picklist("Rating", *RATINGS),
        money("AnnualRevenue", 0),
        whole("NumberOfEmployees", label="Employees"),
        owner("Group", "User"),
        read_only(flag("IsConverted", label="Converted")),
        read_only(date_field("ConvertedDate")),
        read_only(ref("ConvertedAccountId", "Account")),
        read_only(ref("ConvertedContactId", "Contact")),
        read_only(ref("ConvertedOpportunityId", "Opportunity")),
        flag("IsUnreadByOwner", default=True, label="Unread By Owner"),
        *audit(),
        last_activity(),
        *viewed(),
    ),
)  # fmt: skip

OBJECTS: Final = (ACCOUNT, CONTACT, LEAD)
