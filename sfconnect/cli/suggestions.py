"""When the org does not know a name in a query, look up which one was meant."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sfconnect.errors import QueryError, SfConnectError
from sfconnect.etl.plan import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sfconnect.salesforce.client import Salesforce

_NO_FIELD: Final = re.compile(r"No such column '([^']+)' on entity '(\w+)'")
_NO_OBJECT: Final = re.compile(r"sObject type '([^']+)' is not supported")
# The org goes on with general advice, which the nearest name makes needless.
_ADVICE: Final = re.compile(r"\s*If you are attempting to use a custom .*", re.DOTALL)


async def suggest(sf: Salesforce, error: QueryError) -> None:
    """Put the nearest name into the hint of an error about an unknown one."""
    with suppress(SfConnectError):  # it is the first error that counts
        word, known = await _names(sf, error.message)
        if word and (hint := did_you_mean(word, known)):
            error.message = _ADVICE.sub("", error.message)
            error.hint = hint


async def _names(sf: Salesforce, message: str) -> tuple[str, Iterable[str]]:
    if found := _NO_FIELD.search(message):
        describe = await sf.sobject(found[2]).describe()
        return found[1], [field["name"] for field in describe["fields"]]
    if found := _NO_OBJECT.search(message):
        everything = await sf.describe_global()
        return found[1], [entry["name"] for entry in everything["sobjects"]]
    return "", ()
