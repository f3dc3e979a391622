"""No network, for managers whose strategies send nothing."""

from __future__ import annotations

from sfconnect.messages import Request, Response


async def no_network(request: Request) -> Response:
    raise AssertionError(f"nothing should be sent, but this was: {request}")
