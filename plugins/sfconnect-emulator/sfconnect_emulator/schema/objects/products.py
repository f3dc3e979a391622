"""Products, price books and what is sold from them."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema.build import (
    area,
    audit,
    deleted_flag,
    flag,
    money,
    number,
    percent,
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
from sfconnect_emulator.schema.types import SObjectType

PRODUCT: Final = SObjectType(
    name="Product2", label="Product", label_plural="Products", key_prefix="01t",
    feed_enabled=True, scopes=("everything",),
    fields=(
        record_id("Product"),
        text("Name", 255, label="Product Name", nillable=False, name_field=True, id_lookup=True),
        text("ProductCode", 255),
        area("Description", 4000, label="Product Description"),
        flag("IsActive", label="Active"),
        *audit(),
        picklist("Family", "None", "Hardware", "Software", "Services", label="Product Family"),
        url("DisplayUrl", label="Display URL"),
        text("QuantityUnitOfMeasure", 255),
        text("StockKeepingUnit", 180, label="Product SKU"),
        deleted_flag(),
        flag("IsArchived", label="Archived", createable=False, updateable=False),
        *viewed(),
    ),
)  # fmt: skip

PRICEBOOK: Final = SObjectType(
    name="Pricebook2", label="Price Book", label_plural="Price Books", key_prefix="01s",
    scopes=("everything",), searchable=False,
    fields=(
        record_id("Price Book"),
        deleted_flag(),
        text("Name", 255, label="Price Book Name", nillable=False, name_field=True,
             id_lookup=True),
        *audit(),
        flag("IsActive", label="Active"),
        flag("IsArchived", label="Archived", createable=False, updateable=False),
        area("Description", 255),
        read_only(flag("IsStandard", label="Is Standard Price Book")),
        *viewed(),
    ),
)  # fmt: skip

PRICEBOOK_ENTRY: Final = SObjectType(
    name="PricebookEntry", label="Price Book Entry", label_plural="Price Book Entries",
    key_prefix="01u", scopes=("everything",), layoutable=False, mru_enabled=False,
    fields=(
        record_id("Price Book Entry"),
        read_only(text("Name", 255, label="Product Name", nillable=False, name_field=True)),
        ref("Pricebook2Id", "Pricebook2", label="Price Book ID", nillable=False,
            updateable=False, children="PricebookEntries", cascade_delete=True),
        ref("Product2Id", "Product2", label="Product ID", nillable=False, updateable=False,
            children="PricebookEntries", cascade_delete=True),
        money("UnitPrice", label="List Price", nillable=False),
        flag("IsActive", label="Active"),
        flag("UseStandardPrice"),
        *audit(),
        read_only(text("ProductCode", 255)),
        deleted_flag(),
        flag("IsArchived", label="Archived", createable=False, updateable=False),
    ),
)  # fmt: skip

LINE_ITEM: Final = SObjectType(
    name="OpportunityLineItem", label="Opportunity Product",
    label_plural="Opportunity Products", key_prefix="00k", scopes=("everything",),
    undeletable=False, mru_enabled=False,
    fields=(
        record_id("Line Item"),
        ref("OpportunityId", "Opportunity", nillable=False, updateable=False,
            children="OpportunityLineItems", cascade_delete=True),
        whole("SortOrder"),
        ref("PricebookEntryId", "PricebookEntry", updateable=False,
            children="OpportunityLineItems", restricted_delete=True),
        read_only(ref("Product2Id", "Product2", label="Product ID",
                      children="OpportunityLineItems", restricted_delete=True)),
        read_only(text("ProductCode", 255)),
        read_only(text("Name", 376, label="Opportunity Product Name", name_field=True)),
        number("Quantity", 12, 2, nillable=False),
        money("TotalPrice"),
        money("UnitPrice", label="Sales Price"),
        read_only(money("ListPrice")),
        percent("Discount", 5, 2),
        date_field("ServiceDate", label="Date"),
        text("Description", 255, label="Line Description"),
        *audit(),
        deleted_flag(),
    ),
)  # fmt: skip

OBJECTS: Final = (PRODUCT, PRICEBOOK, PRICEBOOK_ENTRY, LINE_ITEM)
