"""Records, describes and limits over REST."""

from sfconnect.salesforce.rest.calls import (
    describe_global_call,
    limits_call,
    versions_call,
)
from sfconnect.salesforce.rest.sobject import SObject, UpsertResult

__all__ = [
    "SObject",
    "UpsertResult",
    "describe_global_call",
    "limits_call",
    "versions_call",
]
