"""The aiohttp door: one handler for every path, nothing decided here."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from aiohttp import http, streams, web, web_protocol
from aiohttp.abc import AbstractStreamWriter

from sfconnect_emulator.control_api import CONTROL_PREFIX
from sfconnect_emulator.engine import MAX_BODY_BYTES, Engine
from sfconnect_emulator.http.delivery import deliver
from sfconnect_emulator.http.gate import Gate
from sfconnect_emulator.wire import Request

# The engine answers 414 and 431 itself, so the parser must let long heads through.
_MAX_LINE_BYTES = 1024 * 1024
_KEEP_ALIVE_S = 120
_STOP_S = 0.25


class HttpServer:
    """Serve one engine on a loopback address."""

    def __init__(self, engine: Engine, host: str = "127.0.0.1", port: int = 0) -> None:
        self._engine = engine
        self._host = check_loopback(host)
        self._port = port
        self._runner: web.ServerRunner | None = None
        self._gate = Gate(engine.instance)

    async def start(self) -> str:
        """Listen, tell the engine its URL, and return that.

        Raises:
            OSError: the address cannot be listened on.
        """
        server = web.Server(
            self._handle,
            request_factory=_whole_request,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_STOP_S)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, self._host, self._port, backlog=4096).start()
        url = _url(runner.addresses[0])
        self._engine.instance.answer_at(url)
        return url

    async def aclose(self) -> None:
        """Stop listening and close every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        body = await raw.read() if raw.can_read_body else b""
        headers = {name.lower(): value for name, value in raw.headers.items()}
        request = Request.build(raw.method, raw.raw_path, headers, body)
        if request.path.startswith(CONTROL_PREFIX):
            response = self._engine.handle(request)
            return await deliver(raw, response, chunked=False)
        async with self._gate as admitted:
            response = (
                self._engine.handle(request) if admitted else self._engine.refuse_for_load(request)
            )
            try:
                await self._latency()
                return await deliver(raw, response, chunked=self._engine.instance.settings.chunked)
            finally:
                response.settle()

    async def _latency(self) -> None:
        instance = self._engine.instance
        if instance.latency_ms > 0:
            await instance.clock.sleep(instance.latency_ms / 1000)


def check_loopback(host: str) -> str:
    """Return the address to listen on; an emulated org must not be reachable from outside.

    Raises:
        ValueError: the host is not a loopback address.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ValueError(f"'{host}' is not a loopback address")


def _url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _whole_request(
    message: http.RawRequestMessage,
    payload: streams.StreamReader,
    protocol: web_protocol.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES + 1
    )
