"""A minimal client for looking at an org from a test or a console, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.rendering import encode_json
from sfconnect_emulator.settings import NEWEST_VERSION

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the org."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Decode the body."""
        return msgspec.json.decode(self.body)


class Probe:
    """Ask an org as its registered app; logs in by client credentials when first needed."""

    def __init__(self, org: InProcess, version: int = NEWEST_VERSION) -> None:
        self.org = org
        self.version = version
        self.access_token = ""

    async def login(self) -> str:
        """Get a new access token, keep it, and return it."""
        answer = await self.token(
            grant_type="client_credentials",
            client_id=self.org.client_id,
            client_secret=self.org.client_secret,
        )
        self.access_token = str(answer.json()["access_token"])
        return self.access_token

    async def token(self, headers: Mapping[str, str] | None = None, **form: str) -> Answer:
        """Post a form to the token endpoint."""
        return await self.post_form("/services/oauth2/token", headers, **form)

    async def post_form(
        self, path: str, headers: Mapping[str, str] | None = None, **form: str
    ) -> Answer:
        """Post a form to any path."""
        body = urlencode(form).encode()
        return await self.send("POST", path, {**_FORM, **(headers or {})}, body)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request as it is, without a token."""
        url = f"{self.org.instance_url}{path}"
        return Answer(*await self.org.handle(method, url, headers or {}, body))

    async def call(
        self,
        method: str,
        path: str,
        content: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> Answer:
        """Call a REST resource, ``path`` being what follows the version; content goes as JSON."""
        if not self.access_token:
            await self.login()
        sent = {"Authorization": f"Bearer {self.access_token}", **(headers or {})}
        body = content if isinstance(content, bytes) else b""
        if content is not None and not isinstance(content, bytes):
            body = encode_json(content)
            sent.setdefault("Content-Type", "application/json")
        base = f"/services/data/v{version or self.version}.0"
        return await self.send(method, f"{base}{path}", sent, body)

    async def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, version: int | None = None
    ) -> Answer:
        """Call a REST resource with GET."""
        return await self.call("GET", path, headers=headers, version=version)
