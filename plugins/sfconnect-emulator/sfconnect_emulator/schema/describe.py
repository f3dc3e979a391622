"""Describe, as JSON-ready values with every member that real orgs send."""

from __future__ import annotations

from typing import Final

from sfconnect_emulator.schema import traits
from sfconnect_emulator.schema.types import (
    ChildRelationship,
    FieldType,
    Json,
    PicklistValue,
    Schema,
    SObjectType,
)

MASTER_RECORD_TYPE: Final = "012000000000000AAA"
_MAX_BATCH: Final = 200


def describe_global(schema: Schema, version: float) -> dict[str, Json]:
    """Return the answer of ``GET /sobjects``."""
    entries: list[Json] = [describe_global_entry(t, version) for t in sorted_objects(schema)]
    return {"encoding": "UTF-8", "maxBatchSize": _MAX_BATCH, "sobjects": entries}


def sorted_objects(schema: Schema) -> list[SObjectType]:
    """Return the objects in the order in which describeGlobal names them."""
    return sorted(schema, key=lambda t: t.name)


def describe_global_entry(t: SObjectType, version: float) -> dict[str, Json]:
    """Return one entry of describeGlobal, which is also ``objectDescribe`` of ``/sobjects/X``."""
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": t.createable,
        "custom": t.custom,
        "customSetting": False,
        "deepCloneable": t.deep_cloneable,
        "deletable": t.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": t.feed_enabled,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": t.key_prefix,
        "label": t.label,
        "labelPlural": t.label_plural,
        "layoutable": t.layoutable,
        "mergeable": t.mergeable,
        "mruEnabled": t.mru_enabled,
        "name": t.name,
        "queryable": True,
        "replicateable": t.replicateable,
        "retrieveable": True,
        "searchable": t.searchable,
        "triggerable": t.triggerable,
        "undeletable": t.undeletable,
        "updateable": t.updateable,
        "urls": _urls(t, version),
    }


def describe_object(
    schema: Schema, t: SObjectType, version: float, *, instance_url: str = ""
) -> dict[str, Json]:
    """Return the answer of ``GET /sobjects/X/describe``; members are in alphabetical order."""
    full = describe_global_entry(t, version) | {
        "actionOverrides": [],
        "childRelationships": [_child(c) for c in t.child_relationships],
        "compactLayoutable": t.layoutable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(f) for f in t.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_master_record_type(t, version)],
        "searchLayoutable": t.layoutable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [_scope(t, scope) for scope in t.scopes],
        "urls": _urls(t, version) | _pages(t, instance_url),
    }
    return dict(sorted(full.items()))


def describe_field(f: FieldType) -> dict[str, Json]:
    """Return one field of a describe; members are in alphabetical order."""
    return dict(sorted((_own(f) | _rights(f) | _reference(f) | _constant(f)).items()))


def _own(f: FieldType) -> dict[str, Json]:
    return {
        "name": f.name,
        "label": f.label,
        "type": f.type,
        "soapType": traits.soap_type(f),
        "length": f.length,
        "byteLength": traits.byte_length(f),
        "precision": f.precision,
        "scale": f.scale,
        "digits": f.digits,
        "custom": f.custom,
        "autoNumber": f.auto_number,
        "calculated": f.calculated,
        "calculatedFormula": f.formula,
        "formulaTreatNullNumberAsZero": f.calculated,
        "caseSensitive": f.case_sensitive,
        "unique": f.unique,
        "externalId": f.external_id,
        "idLookup": f.id_lookup,
        "nameField": f.name_field,
        "compoundFieldName": f.compound_field_name,
        "controllerName": f.controller_name,
        "dependentPicklist": f.controller_name is not None,
        "defaultValue": f.default_value,
        "defaultValueFormula": None,
        "extraTypeInfo": f.extra_type_info,
        "htmlFormatted": f.html_formatted,
        "inlineHelpText": f.inline_help_text,
        "mask": f.mask,
        "maskType": f.mask_type,
        "encrypted": f.type == "encryptedstring",
        "picklistValues": [_entry(value) for value in f.picklist_values],
        "restrictedPicklist": f.restricted,
    }


def _rights(f: FieldType) -> dict[str, Json]:
    return {
        "aggregatable": traits.aggregatable(f),
        "createable": f.createable,
        "defaultedOnCreate": f.defaulted_on_create,
        "filterable": traits.filterable(f),
        "groupable": traits.groupable(f),
        "nillable": f.nillable,
        "permissionable": f.permissionable,
        "queryByDistance": f.compound,
        "searchPrefilterable": f.type == "reference" and f.permissionable,
        "sortable": traits.sortable(f),
        "updateable": f.updateable,
    }


def _reference(f: FieldType) -> dict[str, Json]:
    return {
        "cascadeDelete": f.cascade_delete and f.relationship_order is not None,
        "namePointing": f.polymorphic,
        "polymorphicForeignKey": f.polymorphic,
        "referenceTargetField": None,
        "referenceTo": list(f.reference_to),
        "relationshipName": f.relationship_name,
        "relationshipOrder": f.relationship_order,
        "restrictedDelete": False,
        "writeRequiresMasterRead": False,
    }


def _constant(_: FieldType) -> dict[str, Json]:
    return {
        "aiPredictionField": False,
        "deprecatedAndHidden": False,
        "displayLocationInDecimal": False,
        "filteredLookupInfo": None,
        "highScaleNumber": False,
    }


def _entry(value: PicklistValue) -> Json:
    return {
        "active": value.active,
        "defaultValue": value.default,
        "label": value.label,
        "validFor": value.valid_for,
        "value": value.value,
    }


def _child(child: ChildRelationship) -> Json:
    return {
        "cascadeDelete": child.cascade_delete,
        "childSObject": child.child,
        "deprecatedAndHidden": False,
        "field": child.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.name,
        "restrictedDelete": child.restricted_delete,
    }


def _scope(t: SObjectType, scope: str) -> Json:
    plural = t.label_plural.lower()
    labels = {
        "everything": f"All {plural}",
        "mine": f"My {plural}",
        "team": f"My team's {plural}",
    }
    return {"label": labels[scope], "name": scope}


def _base(t: SObjectType, version: float) -> str:
    return f"/services/data/v{version:.1f}/sobjects/{t.name}"


def _urls(t: SObjectType, version: float) -> dict[str, Json]:
    base = _base(t, version)
    urls: dict[str, Json] = {
        "sobject": base,
        "describe": f"{base}/describe",
        "rowTemplate": f"{base}/{{ID}}",
    }
    if t.layoutable:
        urls |= {
            "approvalLayouts": f"{base}/describe/approvalLayouts",
            "compactLayouts": f"{base}/describe/compactLayouts",
            "defaultValues": f"{base}/defaultValues?recordTypeId&fields",
            "layouts": f"{base}/describe/layouts",
            "listviews": f"{base}/listviews",
            "quickActions": f"{base}/quickActions",
        }
    if t.name == "Case":
        urls["caseArticleSuggestions"] = f"{base}/suggestedArticles"
        urls["caseRowArticleSuggestions"] = f"{base}/{{ID}}/suggestedArticles"
    return urls


def _pages(t: SObjectType, instance_url: str) -> dict[str, Json]:
    return {
        "uiDetailTemplate": f"{instance_url}/{{ID}}",
        "uiEditTemplate": f"{instance_url}/{{ID}}/e",
        "uiNewRecord": f"{instance_url}/{t.key_prefix}/e",
    }


def _master_record_type(t: SObjectType, version: float) -> Json:
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": f"{_base(t, version)}/describe/layouts/{MASTER_RECORD_TYPE}"},
    }
