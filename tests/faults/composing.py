"""An org that takes composite requests, which the emulator by itself does not."""

from __future__ import annotations

import re
from typing import Any, Self

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from sfconnect_emulator import Emulator
from sfconnect_emulator.wire import Request, Response

REFERENCE = re.compile(r"@\{(\w+)\.id\}")


class Composing:
    """Hand requests to an org; of a composite one, each part in its turn.

    A part may name the id that a part before it got. What is written is in the org's books.
    """

    def __init__(self, org: Emulator) -> None:
        self._org = org
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        server = web.Server(self._handle, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in raw.headers.items()}
        request = Request.build(raw.method, raw.raw_path, headers, await raw.read())
        is_composite = request.segments[-1:] == ("composite",)
        answer = (self._composite if is_composite else self._org.engine.handle)(request)
        answer.settle()
        return web.Response(
            status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body
        )

    def _composite(self, request: Request) -> Response:
        ids: dict[str, str] = {}
        results: list[dict[str, Any]] = []
        for part in msgspec.json.decode(request.body)["compositeRequest"]:
            answer = self._part(part, ids, request.headers["authorization"])
            if answer.status == 401:
                return answer  # the token is refused before anything is done
            body = msgspec.json.decode(answer.body) if answer.body else None
            if isinstance(body, dict) and "id" in body:
                ids[part["referenceId"]] = body["id"]
            results.append(
                {
                    "body": body,
                    "httpHeaders": {},
                    "httpStatusCode": answer.status,
                    "referenceId": part["referenceId"],
                }
            )
        content = msgspec.json.encode({"compositeResponse": results})
        return Response(200, {"Content-Type": "application/json"}, content)

    def _part(self, part: dict[str, Any], ids: dict[str, str], authorization: str) -> Response:
        def filled(text: str) -> str:
            return REFERENCE.sub(lambda match: ids[match[1]], text)

        headers = {"authorization": authorization, "content-type": "application/json"}
        body = filled(msgspec.json.encode(part.get("body")).decode()).encode()
        return self._org.engine.handle(
            Request.build(part["method"], filled(part["url"]), headers, body)
        )
