"""SOQL queries over REST."""

from sfconnect.salesforce.query.query import Query

__all__ = ["Query"]
