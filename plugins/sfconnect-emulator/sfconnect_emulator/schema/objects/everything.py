"""A custom object with one field of every type, and its children.

Some types (``anyType``, ``json`` …) cannot be made by hand in a real org; they are here so that a
client meets each of them once. Those are read-only.
"""

from __future__ import annotations

from typing import Any, Final

from sfconnect_emulator.schema.build import (
    GEOCODE_ACCURACIES,
    area,
    audit,
    deleted_flag,
    email,
    flag,
    last_activity,
    make,
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
    url,
    viewed,
    whole,
)
from sfconnect_emulator.schema.build import day as date_field
from sfconnect_emulator.schema.types import FieldType, SObjectType

COLOURS: Final = ("RED|Red", "GREEN|Green", "BLUE|Blue", "N/A|Not applicable", "NA")
TAGS: Final = ("Alpha", "Beta", "Gamma", "Delta", "a,b", 'quote"s')


def _location() -> tuple[FieldType, ...]:
    part: dict[str, Any] = {"compound_field_name": "Location__c"}
    return (
        number("Location__Latitude__s", 18, 15, label="Location (Latitude)", **part),
        number("Location__Longitude__s", 18, 15, label="Location (Longitude)", **part),
        make("Location__c", "location", createable=False, updateable=False),
    )


def _address() -> tuple[FieldType, ...]:
    part: dict[str, Any] = {"compound_field_name": "Address__c"}
    return (
        area("Address__Street__s", label="Address (Street)", **part),
        text("Address__City__s", 40, label="Address (City)", **part),
        text("Address__PostalCode__s", 20, label="Address (Zip/Postal Code)", **part),
        text("Address__State__s", 80, label="Address (State/Province)", **part),
        text("Address__Country__s", 80, label="Address (Country)", **part),
        number("Address__Latitude__s", 18, 15, label="Address (Latitude)", **part),
        number("Address__Longitude__s", 18, 15, label="Address (Longitude)", **part),
        picklist("Address__GeocodeAccuracy__s", *GEOCODE_ACCURACIES, length=40, restricted=True,
                 label="Address (Geocode Accuracy)", **part),
        make("Address__c", "address", createable=False, updateable=False),
    )  # fmt: skip


EVERYTHING: Final = SObjectType(
    name="Everything__c", label="Everything", label_plural="Everythings", key_prefix="a00",
    feed_enabled=True,
    fields=(
        record_id("Record"),
        owner("Group", "User"),
        deleted_flag(),
        text("Name", 80, label="Everything Name", nillable=False, name_field=True, id_lookup=True,
             defaulted_on_create=True),
        *audit(),
        last_activity(),
        *viewed(),
        text("Ext__c", 64, external_id=True, unique=True, id_lookup=True),
        text("Case_Key__c", 32, external_id=True, unique=True, case_sensitive=True,
             id_lookup=True),
        number("Number_Key__c", 12, 0, external_id=True, id_lookup=True),
        text("Group_Key__c", 32, external_id=True, id_lookup=True),
        read_only(text("Auto_Number__c", 30, nillable=False, auto_number_format="EV-{00000}",
                       defaulted_on_create=True)),
        read_only(number("Formula__c", 18, 2, formula="Number__c * 2")),
        read_only(text("Formula_Text__c", 1300, formula="Text__c & ' (' & Name & ')'")),
        text("Text__c", 255),
        text("Required_Text__c", 40, nillable=False, defaulted_on_create=True,
             default_value="none"),
        area("Text_Area__c", 255),
        area("Long_Text__c", 131072),
        area("Rich_Text__c", 32768, html_formatted=True, extra_type_info="richtextarea"),
        make("Encrypted__c", "encryptedstring", length=175, mask="*", mask_type="all"),
        phone("Phone__c"),
        email("Email__c"),
        url("Url__c"),
        picklist("Picklist__c", *COLOURS, restricted=True),
        picklist("Open_Picklist__c", "One", "Two", "Three", restricted=False),
        picklist("Combo__c", "Low", "Mid", "High", type_="combobox"),
        picklist("Multi__c", *TAGS, type_="multipicklist", length=4099, restricted=True),
        flag("Checkbox__c"),
        whole("Int__c", 9),
        make("Long__c", "long", digits=18),
        number("Number__c", 18, 2),
        number("Precise__c", 17, 15),
        money("Currency__c"),
        percent("Percent__c", 18, 4),
        date_field("Date__c"),
        moment("DateTime__c", label="Date Time"),
        make("Time__c", "time"),
        make("Blob__c", "base64"),
        *_location(),
        *_address(),
        ref("Account__c", "Account", children="Everythings__r"),
        ref("Parent__c", "Everything__c", children="Children__r"),
        read_only(make("Any__c", "anyType")),
        read_only(make("Complex__c", "complexvalue")),
        read_only(make("Json__c", "json")),
        make("Category__c", "datacategorygroupreference", length=80),
    ),
)  # fmt: skip

ITEM: Final = SObjectType(
    name="Everything_Item__c", label="Everything Item", label_plural="Everything Items",
    key_prefix="a01", scopes=("everything",),
    fields=(
        record_id("Record"),
        deleted_flag(),
        read_only(text("Name", 80, label="Item Number", nillable=False, name_field=True,
                       id_lookup=True, auto_number_format="EI-{0000}", defaulted_on_create=True)),
        *audit(),
        ref("Everything__c", "Everything__c", nillable=False, updateable=False,
            children="Everything_Items__r", cascade_delete=True, relationship_order=0),
        text("Label__c", 80),
        number("Quantity__c", 8, 0),
        text("Item_Ext__c", 64, external_id=True, unique=True, id_lookup=True),
    ),
)  # fmt: skip

OBJECTS: Final = (EVERYTHING, ITEM)
