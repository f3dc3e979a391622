"""Opportunities and cases."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema.build import (
    area,
    audit,
    deleted_flag,
    email,
    flag,
    last_activity,
    moment,
    money,
    number,
    owner,
    percent,
    phone,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    viewed,
    whole,
)
from sfconnect_emulator.schema.build import day as date_field
from sfconnect_emulator.schema.objects.customers import SOURCES
from sfconnect_emulator.schema.types import SObjectType

STAGES: Final = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
"""Stage → probability and forecast category."""

OPPORTUNITY: Final = SObjectType(
    name="Opportunity", label="Opportunity", label_plural="Opportunities", key_prefix="006",
    feed_enabled=True, deep_cloneable=True,
    fields=(
        record_id("Opportunity"),
        deleted_flag(),
        ref("AccountId", "Account", children="Opportunities", cascade_delete=True),
        flag("IsPrivate", label="Private"),
        text("Name", 120, nillable=False, name_field=True, id_lookup=True),
        area("Description", 32000),
        picklist("StageName", *STAGES, nillable=False, label="Stage"),
        money("Amount"),
        percent("Probability", label="Probability (%)", defaulted_on_create=True),
        read_only(money("ExpectedRevenue", label="Expected Amount")),
        number("TotalOpportunityQuantity", 18, 2, label="Quantity"),
        date_field("CloseDate", nillable=False),
        picklist("Type", "Existing Customer - Upgrade", "Existing Customer - Replacement",
                 "Existing Customer - Downgrade", "New Customer", label="Opportunity Type"),
        text("NextStep"),
        picklist("LeadSource", *SOURCES),
        read_only(flag("IsClosed", label="Closed")),
        read_only(flag("IsWon", label="Won")),
        read_only(picklist("ForecastCategory", "Omitted", "Pipeline", "BestCase|Best Case",
                           "MostLikely|Most Likely", "Forecast|Commit", "Closed", length=40,
                           nillable=False, restricted=True)),
        picklist("ForecastCategoryName", "Omitted", "Pipeline", "Best Case", "Commit", "Closed",
                 restricted=True, defaulted_on_create=True, label="Forecast Category"),
        ref("CampaignId", "Campaign", children="Opportunities"),
        read_only(flag("HasOpportunityLineItem", label="Has Line Item")),
        ref("Pricebook2Id", "Pricebook2", label="Price Book ID", children="Opportunities"),
        owner(),
        *audit(),
        last_activity(),
        read_only(moment("LastStageChangeDate")),
        read_only(whole("FiscalQuarter")),
        read_only(whole("FiscalYear")),
        read_only(text("Fiscal", 6, label="Fiscal Period")),
        ref("ContactId", "Contact", updateable=False, children="Opportunities"),
        *viewed(),
    ),
)  # fmt: skip

CASE: Final = SObjectType(
    name="Case", label="Case", label_plural="Cases", key_prefix="500", feed_enabled=True,
    mergeable=True,
    fields=(
        record_id("Case"),
        deleted_flag(),
        read_only(ref("MasterRecordId", "Case")),
        read_only(text("CaseNumber", 30, nillable=False, name_field=True, id_lookup=True,
                       auto_number_format="{00000000}", defaulted_on_create=True)),
        ref("ContactId", "Contact", children="Cases", restricted_delete=True),
        ref("AccountId", "Account", children="Cases", restricted_delete=True),
        ref("ParentId", "Case", label="Parent Case ID", children="Cases"),
        text("SuppliedName", 80),
        email("SuppliedEmail"),
        text("SuppliedPhone", 40),
        text("SuppliedCompany", 80),
        picklist("Type", "Mechanical", "Electrical", "Electronic", "Structural", "Other",
                 label="Case Type"),
        picklist("Status", "New", "Working", "Escalated", "Closed", default="New"),
        picklist("Reason", "Installation", "Equipment Complexity", "Performance", "Breakdown",
                 "Equipment Design", "Feedback", "Other", label="Case Reason"),
        picklist("Origin", "Phone", "Email", "Web", label="Case Origin"),
        text("Subject"),
        picklist("Priority", "High", "Medium", "Low", default="Medium"),
        area("Description", 32000),
        read_only(flag("IsClosed", label="Closed")),
        read_only(moment("ClosedDate")),
        flag("IsEscalated", label="Escalated"),
        owner("Group", "User"),
        *audit(),
        read_only(phone("ContactPhone")),
        read_only(email("ContactEmail")),
        area("Comments", 4000, label="Internal Comments"),
        *viewed(),
    ),
)  # fmt: skip

OBJECTS: Final = (OPPORTUNITY, CASE)
