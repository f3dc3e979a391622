"""A program that shares a token store with others: it does what it is told, line by line.

The first line it reads is its configuration, as JSON. After that each line ``call`` makes one call,
and one line of JSON tells what became of it. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sfconnect import ClientCredentials, RefreshToken, Salesforce
from sfconnect.auth import AuthStrategy, Credentials, FileStore, StoredToken
from sfconnect.errors import SfConnectError


class DyingStore(FileStore):
    """Kills its process before or after a record is written, once it has said that it is there."""

    point = "before"

    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: Credentials
    ) -> StoredToken | None:
        if self.point == "after":
            await super().compare_and_swap(key, expected, credentials)
        await asyncio.to_thread(tell, {"dying": self.point})
        await asyncio.to_thread(sys.stdin.readline)
        os.kill(os.getpid(), signal.SIGKILL)
        return None


class DyingAfter(DyingStore):
    """Kills its process when the record is on the disk."""

    point = "after"


STORES = {"file": FileStore, "dies before": DyingStore, "dies after": DyingAfter}


def tell(facts: dict[str, Any]) -> None:
    """Write one line that whoever started the process can wait for."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def strategy(facts: dict[str, str]) -> AuthStrategy:
    """The login that the configuration names."""
    if "refresh_token" in facts:
        return RefreshToken(facts["login_url"], facts["client_id"], facts["refresh_token"])
    return ClientCredentials(facts["login_url"], facts["client_id"], facts["client_secret"])


async def call(sf: Salesforce) -> dict[str, Any]:
    """Make one call, and tell what became of it."""
    try:
        await sf.limits()
    except SfConnectError as error:
        return {"error": type(error).__name__, "text": str(error), "logins": sf.stats().logins}
    token = (await sf.credentials()).access_token.reveal()
    return {"token": token, "logins": sf.stats().logins}


async def main() -> None:
    """Do what the lines say."""
    facts = json.loads(await asyncio.to_thread(sys.stdin.readline))
    store = STORES[facts["store"]](Path(facts["folder"]))
    async with Salesforce.connect(strategy(facts["login"]), store=store) as sf:
        tell({"ready": os.getpid()})
        while (await asyncio.to_thread(sys.stdin.readline)).strip() == "call":
            tell(await call(sf))


if __name__ == "__main__":
    asyncio.run(main())
