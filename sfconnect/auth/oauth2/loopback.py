"""Wait on this machine for the redirect that ends a login in a browser (RFC 8252 §7.3)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from sfconnect.auth.oauth2.deadlines import put_away, within
from sfconnect.auth.oauth2.loopback_http import (
    HEAD_END,
    HEAD_MAX,
    Head,
    page,
    preflight,
    read_head,
    see_other,
)
from sfconnect.auth.oauth2.loopback_pages import failure_page, ignored_page, success_page
from sfconnect.auth.oauth2.redirects import Redirect, read_redirect
from sfconnect.errors import SfConnectError

if TYPE_CHECKING:
    from types import TracebackType

    from sfconnect.auth.oauth2.loopback_ports import Bound
    from sfconnect.clock import Clock

RESULT_PATH: Final = "/login-result"
"""Where the browser ends; its address holds no code."""
READ_S: Final = 10.0
WRITE_S: Final = 10.0
RESULT_S: Final = 3.0
"""How long the end of a login waits for the browser to fetch the page that tells of it."""
CONNECTIONS_MAX: Final = 16


class Loopback:
    """Listens, inside ``async with``, until the redirect of one login has come.

    Whatever else comes is answered and changes nothing: other paths, other methods, a redirect
    of another login, connections that send nothing or too much. Of too many connections the
    oldest is closed.

    The browser is sent on at once, so that the code leaves its address bar, and sees how the
    login ended when the block ends: without an error, or with one of sfconnect.

    Args:
        bound: The address of the redirect, and the sockets, which are closed here.
        state: What the redirect has to repeat.
        clock: Time, for limits on slow clients.
    """

    def __init__(self, bound: Bound, state: str, clock: Clock) -> None:
        self._bound = bound
        self._path = urlsplit(bound.redirect_uri).path or "/"
        self._state = state
        self._clock = clock
        self._servers: list[asyncio.Server] = []
        self._visits: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._redirect: asyncio.Future[Redirect]
        self._result: asyncio.Future[tuple[HTTPStatus, str]]
        self._shown = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._redirect, self._result = loop.create_future(), loop.create_future()
        try:
            for sock in self._bound.sockets:
                server = await asyncio.start_server(self._accept, sock=sock, limit=HEAD_MAX)
                self._servers.append(server)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None or isinstance(error, SfConnectError):
                self._result.set_result(_result(error))
                await self._show_result()
        finally:
            await self._close()

    @property
    def redirect_uri(self) -> str:
        """The address that the server has to send the browser back to."""
        return self._bound.redirect_uri

    async def redirect(self) -> Redirect:
        """Wait for the redirect of this login, for as long as it takes."""
        return await asyncio.shield(self._redirect)

    async def _show_result(self) -> None:
        if self._redirect.done():
            with suppress(TimeoutError):
                await within(self._clock, RESULT_S, self._was_shown())

    async def _was_shown(self) -> None:
        await self._shown.wait()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for sock in self._bound.sockets:
            sock.close()
        await put_away(*self._visits)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a visit in a task that is ours to end."""
        if len(self._visits) >= CONNECTIONS_MAX:
            oldest = (visit for visit in self._visits if not visit.cancelling())
            next(oldest).cancel()
        made = asyncio.ensure_future(self._visit(reader, writer))
        self._visits[made] = writer
        made.add_done_callback(self._leave)

    def _leave(self, visit: asyncio.Task[None]) -> None:
        # Also a visit that was cancelled before it began has a connection to close.
        self._visits.pop(visit).transport.abort()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, TimeoutError):
            head = await self._read(reader)
            writer.write(await self._answer(head))
            writer.close()
            await within(self._clock, WRITE_S, writer.wait_closed())
            if isinstance(head, Head) and head.path == RESULT_PATH and self._result.done():
                self._shown.set()

    async def _read(self, reader: asyncio.StreamReader) -> Head | HTTPStatus:
        try:
            data = await within(self._clock, READ_S, reader.readuntil(HEAD_END))
        except asyncio.LimitOverrunError:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return read_head(data) or HTTPStatus.BAD_REQUEST

    async def _answer(self, head: Head | HTTPStatus) -> bytes:
        if isinstance(head, HTTPStatus):
            return page(head, ignored_page("This is not a request of a browser."))
        if not head.is_for_loopback:
            return page(HTTPStatus.BAD_REQUEST, ignored_page("The address is not of this machine."))
        if head.method == "GET":
            return await self._page(head)
        if head.method == "OPTIONS" and head.path == self._path:
            return preflight(head)
        return page(HTTPStatus.METHOD_NOT_ALLOWED, ignored_page("Only GET is answered here."))

    async def _page(self, head: Head) -> bytes:
        if head.path == self._path:
            return self._came_back(head)
        if head.path == RESULT_PATH and self._redirect.done():
            return page(*await asyncio.shield(self._result))
        return page(HTTPStatus.NOT_FOUND, ignored_page("There is no such page here."))

    def _came_back(self, head: Head) -> bytes:
        redirect = read_redirect(head.query)
        if redirect is None:
            problem = "This address holds neither a code nor an error of a login."
            return page(HTTPStatus.BAD_REQUEST, ignored_page(problem))
        if not redirect.is_of(self._state):
            problem = "This is the end of another login than the one that is waiting. Begin anew."
            return page(HTTPStatus.BAD_REQUEST, ignored_page(problem))
        if not self._redirect.done():
            self._redirect.set_result(redirect)
        return see_other(RESULT_PATH)


def _result(error: SfConnectError | None) -> tuple[HTTPStatus, str]:
    if error is None:
        return HTTPStatus.OK, success_page()
    return HTTPStatus.BAD_REQUEST, failure_page(error.message, error.hint or "")
