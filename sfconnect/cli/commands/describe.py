"""``sfconnect describe``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from sfconnect.cli.common import Common, common_options


@click.command("describe")
@click.argument("object_name", metavar="[OBJECT]", required=False)
@common_options
@click.pass_obj
def command(common: Common, object_name: str | None) -> None:
    """Show the objects of the org, or the fields of one.

    --json prints the whole answer of the org.
    """
    from sfconnect.cli.output import print_records  # not for --help
    from sfconnect.cli.running import run_async

    answer = run_async(common, lambda: _ask(common, object_name))
    if object_name is None:
        print_records(common, [_object(entry) for entry in answer["sobjects"]], whole=answer)
    else:
        print_records(common, [_field(entry) for entry in answer["fields"]], whole=answer)


async def _ask(common: Common, object_name: str | None) -> Mapping[str, Any]:
    from sfconnect.cli.running import connect
    from sfconnect.etl.objects import describe_object

    async with connect(common) as sf:
        if object_name is None:
            return await sf.describe_global()
        return await describe_object(sf, object_name)


def _object(entry: Mapping[str, Any]) -> dict[str, Any]:
    traits = ("custom", "queryable", "createable", "updateable", "deletable")
    return {
        "object": entry["name"],
        "label": entry["label"],
        "prefix": entry["keyPrefix"],
        "traits": ", ".join(trait for trait in traits if entry[trait]),
    }


def _field(entry: Mapping[str, Any]) -> dict[str, Any]:
    traits = ("externalId", "unique", "calculated", "nillable", "createable", "updateable")
    return {
        "field": entry["name"],
        "type": entry["type"],
        "size": _size(entry),
        "refers to": ", ".join(entry["referenceTo"]),
        "traits": ", ".join(trait for trait in traits if entry[trait]),
        "label": entry["label"],
    }


def _size(entry: Mapping[str, Any]) -> str:
    if entry["precision"]:
        return f"{entry['precision']}.{entry['scale']}"
    return str(entry["length"] or entry["digits"] or "")
