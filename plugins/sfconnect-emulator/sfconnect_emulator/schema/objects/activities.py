"""Tasks and events, whose Who and What point at several kinds of row."""

from __future__ import annotations

from typing import Any, Final

from sfconnect_emulator.schema.build import (
    area,
    audit,
    deleted_flag,
    flag,
    moment,
    owner,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    whole,
)
from sfconnect_emulator.schema.build import day as date_field
from sfconnect_emulator.schema.types import FieldType, SObjectType

WHAT: Final = ("Account", "Opportunity", "Case", "Campaign", "Product2", "Everything__c")
WHO: Final = ("Contact", "Lead")


def _links(children: str) -> tuple[FieldType, ...]:
    """Make the references that tie an activity to people and things."""
    shared: dict[str, Any] = {"children": children, "cascade_delete": True}
    return (
        ref("WhoId", *WHO, label="Name ID", **shared),
        ref("WhatId", *WHAT, label="Related To ID", **shared),
    )


TASK: Final = SObjectType(
    name="Task", label="Task", label_plural="Tasks", key_prefix="00T", feed_enabled=True,
    fields=(
        record_id("Activity"),
        *_links("Tasks"),
        picklist("Subject", "Call", "Send Letter", "Send Quote", "Other", type_="combobox",
                 name_field=True),
        date_field("ActivityDate", label="Due Date Only"),
        picklist("Status", "Not Started", "In Progress", "Completed",
                 "Waiting on someone else", "Deferred", nillable=False, default="Not Started"),
        picklist("Priority", "High", "Normal", "Low", nillable=False, default="Normal"),
        read_only(flag("IsHighPriority", label="High Priority")),
        owner("Group", "User", label="Assigned To ID"),
        area("Description", 32000),
        deleted_flag(),
        read_only(ref("AccountId", "Account")),
        read_only(flag("IsClosed", label="Closed")),
        *audit(),
        flag("IsArchived", label="Archived", createable=False, updateable=False),
        whole("CallDurationInSeconds", label="Call Duration"),
        picklist("CallType", "Internal", "Inbound", "Outbound", length=40),
        text("CallDisposition", label="Call Result"),
        flag("IsReminderSet", label="Reminder Set"),
        moment("ReminderDateTime", label="Reminder Date/Time"),
        picklist("TaskSubtype", "Task", "Email", "List Email", "Cadence", "Call", length=40,
                 restricted=True, default="Task", updateable=False),
        read_only(moment("CompletedDateTime", label="Completed Date")),
    ),
)  # fmt: skip

EVENT: Final = SObjectType(
    name="Event", label="Event", label_plural="Events", key_prefix="00U", feed_enabled=True,
    fields=(
        record_id("Activity"),
        *_links("Events"),
        picklist("Subject", "Call", "Email", "Meeting", "Send Letter/Quote", "Other",
                 type_="combobox", name_field=True),
        text("Location"),
        flag("IsAllDayEvent", label="All-Day Event"),
        moment("ActivityDateTime", label="Due Date Time"),
        date_field("ActivityDate", label="Due Date Only"),
        whole("DurationInMinutes", label="Duration"),
        moment("StartDateTime"),
        moment("EndDateTime"),
        area("Description", 32000),
        read_only(ref("AccountId", "Account")),
        owner(label="Assigned To ID"),
        flag("IsPrivate", label="Private"),
        picklist("ShowAs", "Busy", "OutOfOffice|Out of Office", "Free", length=40, default="Busy",
                 label="Show Time As"),
        deleted_flag(),
        *audit(),
        flag("IsReminderSet", label="Reminder Set"),
        moment("ReminderDateTime", label="Reminder Date/Time"),
        picklist("EventSubtype", "Event", length=40, restricted=True, default="Event",
                 updateable=False),
    ),
)  # fmt: skip

OBJECTS: Final = (TASK, EVENT)
