"""``sfconnect request``."""

from __future__ import annotations

import json
from typing import IO, Any

import click

from sfconnect.cli.common import Common, common_options


@click.command("request")
@click.argument("method")
@click.argument("path")
@click.option(
    "--param", "params", metavar="NAME=VALUE", multiple=True, help="Query parameter; repeatable."
)
@click.option("--body", type=click.File("rb"), help="File with the JSON body; - for stdin.")
@common_options
@click.pass_obj
def command(
    common: Common, method: str, path: str, params: tuple[str, ...], body: IO[bytes] | None
) -> None:
    """Send one request and print the answer as JSON.

    PATH begins with / and is percent-encoded, or is one below the API version, such as limits.
    An answer without a body prints nothing. Writes are sent once. With a base URL in the profile
    or in SFCONNECT_BASE_URL the request goes to that API instead of Salesforce's.
    """
    from sfconnect.cli.output import print_json  # not for --help
    from sfconnect.cli.running import run_async

    if common.format is not None:
        raise click.UsageError("request prints the answer as it is, JSON; --format is for rows.")
    query = dict(_parameter(text) for text in params)
    content = None if body is None else _json_of(body)
    answer = run_async(common, lambda: _send(common, method, path, query, content))
    if answer is not None:
        print_json(answer)


async def _send(common: Common, method: str, path: str, query: dict[str, str], body: Any) -> Any:
    from sfconnect.cli.running import connect_to_any

    async with await connect_to_any(common) as connection:
        return await connection.request(method, path, params=query or None, json=body)


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--param takes NAME=VALUE, not '{text}'.")
    return name, value


def _json_of(body: IO[bytes]) -> Any:
    try:
        return json.loads(body.read())
    except ValueError as error:
        raise click.UsageError(f"{body.name} is not JSON: {error}.") from error
