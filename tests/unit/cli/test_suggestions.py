"""Unknown names in a query get the nearest one there is."""

from __future__ import annotations

from typing import Any

import pytest

from sfconnect.cli.suggestions import suggest
from sfconnect.errors import ConnectError, QueryError

ADVICE = (
    " If you are attempting to use a custom field, be sure to append the '__c' after the custom"
    " field name. Please reference your WSDL or the describe call for the appropriate names."
)


class Org:
    def __init__(self, *names: str, broken: bool = False) -> None:
        self._names = names
        self._broken = broken

    def sobject(self, name: str) -> Org:
        assert name == "Account"
        return self

    async def describe(self) -> dict[str, Any]:
        if self._broken:
            raise ConnectError("gone")
        return {"fields": [{"name": name} for name in self._names]}

    async def describe_global(self) -> dict[str, Any]:
        return {"sobjects": [{"name": name} for name in self._names]}


async def suggested(org: Any, message: str) -> QueryError:
    error = QueryError(message, code="INVALID_FIELD")
    await suggest(org, error)
    return error


async def test_the_nearest_field_takes_the_place_of_general_advice() -> None:
    error = await suggested(
        Org("Id", "Name"), f"No such column 'nmae' on entity 'Account'.{ADVICE}"
    )

    assert error.message == "No such column 'nmae' on entity 'Account'."
    assert error.hint == "Did you mean 'Name'?"


async def test_the_nearest_object_is_named() -> None:
    error = await suggested(
        Org("Account", "Contact"),
        "sObject type 'Akkount' is not supported. If you are attempting to use a custom object, …",
    )

    assert error.hint == "Did you mean 'Account'?"


@pytest.mark.parametrize(
    ("org", "message"),
    [
        (Org("Id"), f"No such column 'Whatever__c' on entity 'Account'.{ADVICE}"),
        (Org("Id", broken=True), f"No such column 'x' on entity 'Account'.{ADVICE}"),
        (Org("Id"), "unexpected token: x"),
    ],
    ids=["nothing near", "org does not answer", "another error"],
)
async def test_otherwise_the_error_stays_as_it_is(org: Any, message: str) -> None:
    error = await suggested(org, message)

    assert (error.message, error.hint) == (message, None)
