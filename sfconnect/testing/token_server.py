"""An OAuth token endpoint on loopback whose answers a test decides."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

from aiohttp import web

from sfconnect.messages import Response
from sfconnect.testing.senders import answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as the server got it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body, keep_blank_values=True))


class FakeTokenServer:
    """Give a new token for each request, or the answers of a script; keep the requests.

    It listens on 127.0.0.1 inside ``async with``, on a port that is free. Any path answers.

    Attributes:
        requests: What came, in order.
        delay_s: How long each answer takes.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.delay_s = 0.0
        self._script: deque[Response] = deque()
        self._runner: web.AppRunner | None = None
        self._address = ("", 0)

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        host, port = self._address
        return f"http://{host}:{port}"

    def script(self, *answers: Response) -> None:
        """Add answers to be given, one for each request, before new tokens are."""
        self._script.extend(answers)

    def script_error(self, error: str, description: str = "", *, status: int = 400) -> None:
        """Add an OAuth error to the script."""
        body = {"error": error, "error_description": description}
        self.script(answer(body, status=status))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._address = self._runner.addresses[0][:2]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        received = ReceivedRequest(
            request.method, request.path, request.query_string, request.headers.copy(), body
        )
        self.requests.append(received)
        number = len(self.requests)
        given = self._script.popleft() if self._script else self._token(number)
        await asyncio.sleep(self.delay_s)
        return web.Response(status=given.status, headers=dict(given.headers), body=given.content)

    def _token(self, number: int) -> Response:
        return answer(
            {
                "access_token": f"00D000000000001!fake.{number}",
                "instance_url": self.url,
                "token_type": "Bearer",
                "scope": "api",
                "issued_at": "1700000000000",
                "member_of_tomorrow": number,
            }
        )
