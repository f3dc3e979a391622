"""Take record values and query literals out of Salesforce's error messages.

Messages reach logs and error trackers; what a record holds should not.
"""

from __future__ import annotations

import re

_VALUES = tuple(
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (
        (r"(invalid email address: ).*", r"\1…"),
        (r"(bad value for restricted picklist field: ).*", r"\1…"),
        (r"(data value too large: ).*(?= \(max length=\d+\))", r"\1…"),
        (r"(Foreign key external ID: ).*(?= not found for field )", r"\1…"),
        (r"(Record ID: id value of incorrect type: ).*", r"\1…"),
        (r"(invalid ID field: ).*", r"\1…"),
        (r"(from VALUE_\w+ value ).*(?= or request may be missing)", r"\1…"),
        (r"(Unrecognized token ').*?(?=')", r"\1…"),
        (r"(unexpected (?:token|char): ?)'.*", r"\1'…'"),
        (r"(unexpected char: ?)\"?.*", r"\1…"),
    )
)
_HEAD = re.compile(r"^\s*.*?\n\s*\^\s*\nERROR at Row:(\d+):Column:(\d+)\s*\n", re.DOTALL)


def query_place(message: str) -> tuple[str, int | None, int | None]:
    """Split off the excerpt of the query: the sentence, and the line and column of the place."""
    found = _HEAD.match(message)
    if found is None:
        return message, None, None
    return message[found.end() :], int(found[1]), int(found[2])


def scrub(message: str) -> str:
    """Return the message without the values that Salesforce quotes in it."""
    for pattern, replacement in _VALUES:
        message = pattern.sub(replacement, message)
    return message.strip()
