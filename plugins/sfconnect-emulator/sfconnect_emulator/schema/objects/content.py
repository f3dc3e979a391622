"""Files: a document and its versions, one of which holds the bytes."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema.build import (
    area,
    audit,
    deleted_flag,
    flag,
    make,
    owner,
    picklist,
    read_only,
    record_id,
    ref,
    text,
    whole,
)
from sfconnect_emulator.schema.types import SObjectType

DOCUMENT: Final = SObjectType(
    name="ContentDocument", label="Content Document", label_plural="Content Documents",
    key_prefix="069", createable=False, layoutable=False,
    fields=(
        record_id("ContentDocument"),
        *audit(),
        flag("IsArchived", label="Is Archived", createable=False, updateable=False),
        owner(createable=False),
        deleted_flag(),
        text("Title", 255, nillable=False, name_field=True, createable=False),
        read_only(picklist("PublishStatus", "P|Public", "R|Personal Library",
                           "U|Upload Interrupted", length=40, nillable=False, default="R")),
        ref("LatestPublishedVersionId", "ContentVersion", createable=False, updateable=False),
        area("Description", 1000, createable=False),
        read_only(whole("ContentSize", label="Size")),
        read_only(text("FileType", 20)),
        read_only(text("FileExtension", 40)),
    ),
)  # fmt: skip

VERSION: Final = SObjectType(
    name="ContentVersion", label="Content Version", label_plural="Content Versions",
    key_prefix="068", deletable=False, undeletable=False, layoutable=False,
    fields=(
        record_id("ContentVersion"),
        ref("ContentDocumentId", "ContentDocument", updateable=False,
            children="ContentVersions", cascade_delete=True, defaulted_on_create=True),
        read_only(flag("IsLatest", label="Is Latest")),
        read_only(text("VersionNumber", 20)),
        text("Title", 255, nillable=False, name_field=True, defaulted_on_create=True),
        area("Description", 1000),
        text("ReasonForChange", 1000),
        text("PathOnClient", 500, nillable=False, updateable=False),
        owner(),
        *audit(),
        deleted_flag(),
        read_only(text("FileType", 20, nillable=False)),
        read_only(text("FileExtension", 40)),
        make("VersionData", "base64", nillable=False, updateable=False),
        read_only(whole("ContentSize", label="Size")),
        read_only(text("Checksum", 50)),
        ref("FirstPublishLocationId", "Account", "Contact", "Opportunity", "Case", "User",
            "Everything__c", updateable=False),
        picklist("Origin", "C|Content", "H|Chatter", length=40, nillable=False, default="C",
                 label="Content Origin", updateable=False),
    ),
)  # fmt: skip

OBJECTS: Final = (DOCUMENT, VERSION)
