"""The objects that every emulated org has, one module per area."""

from __future__ import annotations

from sfconnect_emulator.schema.objects import (
    activities,
    campaigns,
    content,
    customers,
    everything,
    products,
    sales,
    setup,
)
from sfconnect_emulator.schema.types import SObjectType

STANDARD: tuple[SObjectType, ...] = (
    *customers.OBJECTS,
    *sales.OBJECTS,
    *activities.OBJECTS,
    *products.OBJECTS,
    *campaigns.OBJECTS,
    *content.OBJECTS,
    *setup.OBJECTS,
    *everything.OBJECTS,
)
"""All objects in describeGlobal order within their area."""

__all__ = ["STANDARD"]
