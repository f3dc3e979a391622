"""An OAuth token endpoint on loopback whose answers a test decides."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from html import escape
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
        under_way: Those of them that have no answer yet.
        delay_s: How long each answer takes.
        drip_s: The pause after each byte of an answer; 0 sends it at once.
        drift_s: How far the clock of its ``Date`` header is ahead of this machine's.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.under_way: list[ReceivedRequest] = []
        self.delay_s = 0.0
        self.drip_s = 0.0
        self.drift_s = 0.0
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

    def script_page(self, title: str, *, status: int = 200) -> None:
        """Add a web page to the script, as proxies and maintenance sites answer."""
        page = f"<html><head><title>{escape(title)}</title></head><body></body></html>"
        self.script(answer(page, status=status, headers={"Content-Type": "text/html"}))

    def token_answer(self, request: ReceivedRequest) -> Response:
        """What a request gets that no script answers; a dialect overrides it."""
        del request
        return answer(self.new_token())

    def new_token(self) -> dict[str, object]:
        """The members of an answer with a token that was never given before."""
        number = len(self.requests)
        return {
            "access_token": f"00D000000000001!fake.{number}",
            "instance_url": self.url,
            "token_type": "Bearer",
            "scope": "api",
            "issued_at": "1700000000000",
            "member_of_tomorrow": number,
        }

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

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        received = ReceivedRequest(
            request.method, request.path, request.query_string, request.headers.copy(), body
        )
        self.requests.append(received)
        self.under_way.append(received)
        try:
            return await self._answer(request, received)
        finally:
            self.under_way.remove(received)

    async def _answer(self, request: web.Request, received: ReceivedRequest) -> web.StreamResponse:
        given = self._script.popleft() if self._script else self.token_answer(received)
        await asyncio.sleep(self.delay_s)
        headers = {"Date": formatdate(time.time() + self.drift_s, usegmt=True), **given.headers}
        if self.drip_s:
            return await self._drip(request, given, headers)
        return web.Response(status=given.status, headers=headers, body=given.content)

    async def _drip(
        self, request: web.Request, given: Response, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=given.status, headers=headers)
        stream.content_length = len(given.content)
        await stream.prepare(request)
        for place in range(len(given.content)):
            await stream.write(given.content[place : place + 1])
            await asyncio.sleep(self.drip_s)
        return stream


class RotatingTokenServer(FakeTokenServer):
    """The dialect of refresh tokens that are good for one use.

    Each answer to ``grant_type=refresh_token`` brings a new one, and the one before it is dead. A
    dead one that comes again is taken for stolen: the newest is revoked then, as Salesforce does
    it. Two requests with one token at once are refused, the second as a passing fault. Other
    grant types get a token and a refresh token of a new family.

    Attributes:
        refresh_token: The one that is good; it is the first to hand out.
        renewals: How many answers brought a new one.
        reuses: How often a dead one came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refresh_token = "5Aep-fake-refresh-token-0"
        self.renewals = 0
        self.reuses = 0
        self._revoked = False

    def token_answer(self, request: ReceivedRequest) -> Response:
        """Renew, or refuse."""
        if request.form.get("grant_type") != "refresh_token":
            self._revoked = False
            return answer({**self.new_token(), "refresh_token": self._next()})
        token = request.form.get("refresh_token")
        if any(one.form.get("refresh_token") == token for one in self.under_way[:-1]):
            return _refusal("token request is already being processed")
        if self._revoked or token != self.refresh_token:
            self.reuses += 1
            self._revoked = True
            return _refusal("expired access/refresh token")
        return answer({**self.new_token(), "refresh_token": self._next()})

    def _next(self) -> str:
        self.renewals += 1
        self.refresh_token = f"5Aep-fake-refresh-token-{self.renewals}"
        return self.refresh_token


def _refusal(description: str) -> Response:
    return answer({"error": "invalid_grant", "error_description": description}, status=400)
