from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfconnect_emulator.schema import Schema, SObjectType, standard_schema
from sfconnect_emulator.schema.describe import (
    describe_global,
    describe_global_entry,
    describe_object,
)


def words(text: str) -> set[str]:
    return set(text.split())


GLOBAL_KEYS = words(
    "activateable associateEntityType associateParentEntity createable custom customSetting "
    "deepCloneable deletable deprecatedAndHidden feedEnabled hasSubtypes isInterface isSubtype "
    "keyPrefix label labelPlural layoutable mergeable mruEnabled name queryable replicateable "
    "retrieveable searchable triggerable undeletable updateable urls"
)
DESCRIBE_KEYS = GLOBAL_KEYS | words(
    "actionOverrides childRelationships compactLayoutable defaultImplementation extendedBy "
    "extendsInterfaces fields implementedBy implementsInterfaces listviewable lookupLayoutable "
    "namedLayoutInfos networkScopeFieldName recordTypeInfos searchLayoutable "
    "sobjectDescribeOption supportedScopes"
)
FIELD_KEYS = words(
    "aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula "
    "cascadeDelete caseSensitive compoundFieldName controllerName createable custom defaultValue "
    "defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits "
    "displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo "
    "formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText "
    "label length mask maskType name nameField namePointing nillable permissionable "
    "picklistValues polymorphicForeignKey precision queryByDistance referenceTargetField "
    "referenceTo relationshipName relationshipOrder restrictedDelete restrictedPicklist scale "
    "searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead"
)
TYPES = words(
    "id reference string textarea phone url email picklist combobox encryptedstring "
    "multipicklist boolean int double currency percent date datetime time base64 address "
    "location anyType complexvalue json long datacategorygroupreference"
)
SAMPLES = os.environ.get("SFCONNECT_SAMPLES")
OBJECTS = [t.name for t in standard_schema()]


def needs_samples(test: Callable[..., None]) -> Callable[..., None]:
    reason = "SFCONNECT_SAMPLES names no folder of samples"
    marked: Callable[..., None] = pytest.mark.skipif(SAMPLES is None, reason=reason)(test)
    pytest.mark.samples(marked)
    return marked


@pytest.fixture
def schema() -> Schema:
    return standard_schema()


def object_named(name: str) -> SObjectType:
    found = standard_schema().get(name)
    assert found is not None
    return found


def described(name: str, version: float = 68.0) -> Any:
    return describe_object(standard_schema(), object_named(name), version)


def field_of(name: str, field: str) -> Any:
    return next(f for f in described(name)["fields"] if f["name"] == field)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_describes_itself_with_all_members(name: str) -> None:
    answer = described(name)

    assert set(answer) == DESCRIBE_KEYS
    assert all(set(field) == FIELD_KEYS for field in answer["fields"])
    assert all(
        set(child)
        == {
            "cascadeDelete", "childSObject", "deprecatedAndHidden", "field", "junctionIdListNames",
            "junctionReferenceTo", "relationshipName", "restrictedDelete",
        }
        for child in answer["childRelationships"]
    )  # fmt: skip
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_has_the_system_fields(name: str) -> None:
    names = {field["name"] for field in described(name)["fields"]}

    assert {
        "Id", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById",
        "SystemModstamp",
    } <= names  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_references_lead_to_objects_of_the_org(name: str, schema: Schema) -> None:
    targets = {target for f in object_named(name).fields for target in f.reference_to}

    assert {target for target in targets if schema.get(target) is None} == set()


def test_key_prefixes_are_unique() -> None:
    prefixes = [t.key_prefix for t in standard_schema()]

    assert len(set(prefixes)) == len(prefixes)
    assert all(len(prefix) == 3 for prefix in prefixes)


@pytest.mark.parametrize("name", OBJECTS)
def test_child_relationship_names_are_unique_in_their_parent(name: str) -> None:
    names = [c.name for c in object_named(name).child_relationships if c.name]

    assert len(set(names)) == len(names)


def test_the_global_describe_lists_every_object_by_name() -> None:
    answer: Any = describe_global(standard_schema(), 68.0)

    assert answer["encoding"] == "UTF-8"
    assert answer["maxBatchSize"] == 200
    assert [entry["name"] for entry in answer["sobjects"]] == sorted(OBJECTS)
    assert all(set(entry) == GLOBAL_KEYS for entry in answer["sobjects"])


def test_urls_carry_the_version_that_was_asked_for() -> None:
    urls: Any = describe_global_entry(object_named("Account"), 52.0)["urls"]

    assert urls["sobject"] == "/services/data/v52.0/sobjects/Account"
    assert urls["rowTemplate"] == "/services/data/v52.0/sobjects/Account/{ID}"


def test_pages_of_the_user_interface_lie_on_the_instance() -> None:
    answer: Any = describe_object(
        standard_schema(), object_named("Account"), 68.0, instance_url="http://127.0.0.1:1"
    )

    assert answer["urls"]["uiNewRecord"] == "http://127.0.0.1:1/001/e"


def test_the_custom_object_has_a_field_of_every_type() -> None:
    assert {field["type"] for field in described("Everything__c")["fields"]} == TYPES


@pytest.mark.parametrize(
    ("field", "soap"),
    [
        ("Id", "tns:ID"), ("OwnerId", "tns:ID"), ("Text__c", "xsd:string"),
        ("Multi__c", "xsd:string"), ("Checkbox__c", "xsd:boolean"), ("Int__c", "xsd:int"),
        ("Number__c", "xsd:double"), ("Currency__c", "xsd:double"), ("Percent__c", "xsd:double"),
        ("Date__c", "xsd:date"), ("DateTime__c", "xsd:dateTime"), ("Time__c", "xsd:time"),
        ("Blob__c", "xsd:base64Binary"), ("Address__c", "urn:address"),
        ("Location__c", "urn:location"),
    ],
)  # fmt: skip
def test_the_soap_type_follows_from_the_type(field: str, soap: str) -> None:
    assert field_of("Everything__c", field)["soapType"] == soap


def test_an_external_id_says_so() -> None:
    field = field_of("Account", "Ext_Id__c")

    assert (field["externalId"], field["unique"], field["idLookup"]) == (True, True, True)
    assert (field["type"], field["custom"], field["byteLength"]) == ("string", True, 192)


def test_long_text_can_be_neither_filtered_nor_sorted() -> None:
    field = field_of("Account", "Description")

    assert (field["filterable"], field["sortable"], field["groupable"]) == (False, False, False)


def test_a_polymorphic_reference_points_at_names() -> None:
    what = field_of("Task", "WhatId")

    assert (what["namePointing"], what["polymorphicForeignKey"]) == (True, True)
    assert what["relationshipName"] == "What"
    assert {"Account", "Opportunity"} <= set(what["referenceTo"])


def test_picklist_entries_may_show_another_label_than_their_value() -> None:
    red = field_of("Everything__c", "Picklist__c")["picklistValues"][0]

    assert red == {
        "active": True, "defaultValue": False, "label": "Red", "validFor": None, "value": "RED",
    }  # fmt: skip


def test_formulas_and_numbers_of_the_org_are_read_only() -> None:
    formula = field_of("Everything__c", "Formula__c")
    number = field_of("Everything__c", "Auto_Number__c")

    assert (formula["calculated"], formula["createable"], formula["updateable"]) == (
        True, False, False,
    )  # fmt: skip
    assert (number["autoNumber"], number["createable"], number["updateable"]) == (
        True, False, False,
    )  # fmt: skip


def test_parts_of_an_address_name_their_whole() -> None:
    assert field_of("Account", "BillingCity")["compoundFieldName"] == "BillingAddress"
    assert field_of("Contact", "FirstName")["compoundFieldName"] == "Name"
    assert field_of("Account", "BillingAddress")["queryByDistance"] is True


def test_children_of_the_custom_object_are_found_by_their_relationship() -> None:
    children = {c["relationshipName"]: c for c in described("Everything__c")["childRelationships"]}

    items = children["Everything_Items__r"]
    assert (items["childSObject"], items["field"]) == ("Everything_Item__c", "Everything__c")
    assert items["cascadeDelete"] is True


@pytest.mark.parametrize("name", ["account", "ACCOUNT", "Account"])
def test_objects_and_fields_are_found_in_any_case(name: str, schema: Schema) -> None:
    t = schema.get(name)

    assert t is not None
    assert t.name == "Account"
    found = t.field("EXT_ID__C")
    assert found is not None
    assert found.name == "Ext_Id__c"


def test_an_unknown_name_finds_nothing(schema: Schema) -> None:
    account = object_named("Account")

    assert schema.get("Nothing__c") is None
    assert account.field("Nothing__c") is None
    assert account.child("Nothing") is None
    assert account.parent_field("Nothing") is None


@needs_samples
@pytest.mark.parametrize(
    "number",
    ["038-describe-account-describe", "039-describe-contact-describe",
     "043-describe-opportunity-describe"],
)  # fmt: skip
def test_describe_has_every_member_of_a_recorded_one(number: str) -> None:
    recorded = json.loads(Path(str(SAMPLES), "recorded", f"{number}.json").read_text())
    ours = described(recorded["name"])

    assert set(recorded) <= set(ours)
    assert set(recorded["urls"]) <= set(ours["urls"])
    assert set(recorded["fields"][0]) == FIELD_KEYS


@needs_samples
@pytest.mark.parametrize("name", ["Account", "Contact", "Opportunity"])
def test_shared_fields_have_the_types_and_rights_of_recorded_ones(name: str) -> None:
    (path,) = Path(str(SAMPLES), "recorded").glob(f"*describe-{name.lower()}-describe.json")
    recorded = {field["name"]: field for field in json.loads(path.read_text())["fields"]}
    ours = {field["name"]: field for field in described(name)["fields"]}
    compared = ("type", "soapType", "createable", "updateable", "nillable", "filterable",
                "sortable", "custom", "precision", "scale", "digits")  # fmt: skip

    differing = {
        (field, key): (ours[field][key], recorded[field][key])
        for field in set(ours) & set(recorded)
        for key in compared
        if ours[field][key] != recorded[field][key]
    }

    assert differing == {("Primary_Contact__c", "custom"): (True, False)} or not differing
