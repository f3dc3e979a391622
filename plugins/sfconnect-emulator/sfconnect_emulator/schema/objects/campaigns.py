"""Campaigns and the people in them."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema.build import (
    area,
    audit,
    deleted_flag,
    email,
    flag,
    last_activity,
    money,
    number,
    owner,
    percent,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    viewed,
    whole,
)
from sfconnect_emulator.schema.build import day as date_field
from sfconnect_emulator.schema.types import SObjectType

CAMPAIGN: Final = SObjectType(
    name="Campaign", label="Campaign", label_plural="Campaigns", key_prefix="701",
    feed_enabled=True,
    fields=(
        record_id("Campaign"),
        deleted_flag(),
        text("Name", 80, nillable=False, name_field=True, id_lookup=True),
        ref("ParentId", "Campaign", label="Parent Campaign ID", children="ChildCampaigns"),
        picklist("Type", "Conference", "Webinar", "Trade Show", "Public Relations", "Partners",
                 "Referral Program", "Advertisement", "Banner Ads", "Direct Mail", "Email",
                 "Telemarketing", "Other", length=40),
        picklist("Status", "Planned", "In Progress", "Completed", "Aborted", length=40,
                 default="Planned"),
        date_field("StartDate"),
        date_field("EndDate"),
        money("ExpectedRevenue", 0),
        money("BudgetedCost", 0),
        money("ActualCost", 0),
        percent("ExpectedResponse", 10, 2, label="Expected Response (%)"),
        number("NumberSent", 18, 0, label="Num Sent"),
        flag("IsActive", label="Active"),
        area("Description", 32000),
        read_only(whole("NumberOfContacts", label="Contacts in Campaign", nillable=False,
                        default_value=0)),
        read_only(whole("NumberOfLeads", label="Leads in Campaign", nillable=False,
                        default_value=0)),
        owner(),
        *audit(),
        last_activity(),
        *viewed(),
    ),
)  # fmt: skip

MEMBER: Final = SObjectType(
    name="CampaignMember", label="Campaign Member", label_plural="Campaign Members",
    key_prefix="00v", scopes=("everything",), mru_enabled=False, undeletable=False,
    fields=(
        record_id("Campaign Member"),
        deleted_flag(),
        ref("CampaignId", "Campaign", nillable=False, updateable=False,
            children="CampaignMembers", cascade_delete=True),
        ref("LeadId", "Lead", updateable=False, children="CampaignMembers", cascade_delete=True),
        ref("ContactId", "Contact", updateable=False, children="CampaignMembers",
            cascade_delete=True),
        picklist("Status", "Sent", "Responded", default="Sent", length=40),
        read_only(flag("HasResponded", label="Responded")),
        *audit(),
        read_only(date_field("FirstRespondedDate")),
        read_only(text("Name", 121, name_field=True)),
        read_only(text("FirstName", 40)),
        read_only(text("LastName", 80)),
        read_only(email("Email")),
        read_only(ref("LeadOrContactId", "Contact", "Lead")),
        read_only(picklist("Type", "Lead", "Contact", length=40)),
    ),
)  # fmt: skip

OBJECTS: Final = (CAMPAIGN, MEMBER)
