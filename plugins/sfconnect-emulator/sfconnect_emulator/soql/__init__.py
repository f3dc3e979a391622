"""Queries against an emulated org: SOQL compiled to SQLite, answers in pages."""

from sfconnect_emulator.soql.engine import QueryEngine
from sfconnect_emulator.soql.pages import Page, query_url

__all__ = ["Page", "QueryEngine", "query_url"]
