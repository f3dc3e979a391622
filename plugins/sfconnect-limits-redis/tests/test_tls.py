"""Servers that speak TLS, and what it says where the two sides do not speak the same."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import trustme

from sfconnect.auth import ApiKey, resolve
from sfconnect.errors import ConfigurationError
from sfconnect.limits import LimiterContext
from sfconnect_limits_redis import RedisLimiter
from sfconnect_limits_redis.slots import SharedSlots

BUDGET = 4

pytestmark = pytest.mark.timeout(40)


class Terminator:
    """Speaks TLS with clients, and plainly with a server behind; the wheels' servers cannot."""

    def __init__(self, authority: trustme.CA, host: str, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(self._context)
        self._to = port
        self._links: set[asyncio.Task[None]] = set()
        self.connected = 0
        self.silent = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"rediss://127.0.0.1:{self.port}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        self.connected += 1
        there = await asyncio.open_connection("127.0.0.1", self._to)
        back = asyncio.create_task(self._pump(there[0], writer))
        try:
            await self._pump(reader, there[1])
        except asyncio.CancelledError:
            pass  # at the end of the test
        finally:
            self.connected -= 1
            self._links.discard(link)
            back.cancel()
            there[1].close()
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while said := await source.read(65536):
                if not self.silent:
                    target.write(said)
                    await target.drain()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
async def secured(serve: Callable[..., Any], authority: trustme.CA) -> AsyncIterator[Terminator]:
    async with Terminator(authority, "127.0.0.1", serve().port) as made:
        yield made


async def opened(url: str, **options: Any) -> SharedSlots:
    limiter = await RedisLimiter(url, BUDGET, **options).open(LimiterContext("test"))
    assert isinstance(limiter, SharedSlots)
    return limiter


async def refusal(url: str, **options: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        await (await opened(url, **options)).aclose()
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("place", ["redis_ca_file", "redis_url"])
async def test_a_server_whose_authority_is_named_is_used(
    secured: Terminator, ca_file: Path, place: str
) -> None:
    options = {"redis_ca_file": ca_file} if place == "redis_ca_file" else {}
    query = "" if options else f"?ssl_ca_certs={ca_file}"

    limiter = await opened(secured.url + query, **options)

    assert limiter.problem is None
    await limiter.acquire("rest")
    limiter.release("rest", 0.1, None)
    await limiter.aclose()


async def test_a_server_that_the_system_trusts_is_used(
    secured: Terminator, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))

    limiter = await opened(secured.url)

    assert limiter.problem is None
    await limiter.aclose()


async def test_a_server_that_the_system_trusts_is_told_from_one_that_is_away_too(
    secured: Terminator, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))

    error = await refusal(f"redis://127.0.0.1:{secured.port}/0")

    assert error.hint == "Write rediss:// instead of redis://."


async def test_a_server_that_nobody_vouches_for_is_refused_and_it_says_what_to_do(
    secured: Terminator,
) -> None:
    error = await refusal(secured.url.replace("//", "//:canary@"))

    assert "not trusted: unable to get local issuer certificate" in error.message
    assert "redis_ca_file" in str(error.hint)


async def test_another_authority_does_not_vouch_for_it(secured: Terminator, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))

    error = await refusal(secured.url, redis_ca_file=other)

    assert "not trusted" in error.message


async def test_a_certificate_for_another_host_is_refused(
    serve: Callable[..., Any], authority: trustme.CA, ca_file: Path
) -> None:
    async with Terminator(authority, "redis.example.com", serve().port) as secured:
        error = await refusal(secured.url, redis_ca_file=ca_file)

    assert "not trusted" in error.message
    assert "the host that the certificate is for" in str(error.hint)


async def test_a_server_that_wants_tls_is_told_from_one_that_is_away(secured: Terminator) -> None:
    error = await refusal(f"redis://:canary@127.0.0.1:{secured.port}/0")

    assert error.message == "The server of redis_url speaks TLS, and nothing else."
    assert error.hint == "Write rediss:// instead of redis://."


async def test_a_server_that_closes_without_a_word_is_only_away() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limiter = await opened(f"redis://127.0.0.1:{port}/0")

        assert limiter.problem == "ConnectionError"
        await limiter.aclose()


async def test_a_server_that_does_not_speak_tls_is_told_of(serve: Callable[..., Any]) -> None:
    error = await refusal(f"rediss://:canary@127.0.0.1:{serve().port}/0")

    assert error.message == "The server of redis_url does not speak TLS at this port."
    assert error.hint == "Write redis://, or the port for TLS."


async def test_a_server_that_is_something_else_is_told_of() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"rediss://127.0.0.1:{port}/0")

    assert "TLS with the server of redis_url fails (WRONG_VERSION_NUMBER)" in error.message
    assert "redis://" in str(error.hint)


async def test_nobody_there_is_only_away() -> None:
    limiter = await opened("rediss://127.0.0.1:1/0")

    assert limiter.problem == "ConnectionError"
    await limiter.aclose()


async def test_a_server_that_goes_away_in_the_middle_of_it_is_only_away() -> None:
    async def hear_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(hear_and_close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limiter = await opened(f"rediss://127.0.0.1:{port}/0")

        assert limiter.problem == "ConnectionError"
        await limiter.aclose()


async def test_a_server_that_says_nothing_takes_one_time_out() -> None:
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        began = time.monotonic()

        limiter = await opened(f"rediss://127.0.0.1:{port}/0", redis_timeout_s=0.3)
        await limiter.aclose()

    assert limiter.problem == "TimeoutError"
    assert time.monotonic() - began < 3


async def test_closing_leaves_no_socket_although_the_server_does_not_take_leave(
    secured: Terminator, ca_file: Path
) -> None:
    limiter = await opened(secured.url, redis_ca_file=ca_file, redis_timeout_s=0.5)
    await limiter.acquire("rest")
    async with asyncio.timeout(5):
        while secured.connected < 2:  # noqa: ASYNC110  # one to ask, and one to listen
            await asyncio.sleep(0.01)
    secured.silent = True
    began = time.monotonic()

    await limiter.aclose()

    assert time.monotonic() - began < 3 * 0.5 + 0.5
    async with asyncio.timeout(5):
        while secured.connected:  # noqa: ASYNC110  # of peers that tell nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_a_file_that_holds_no_certificates_is_refused(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)

    error = await refusal("rediss://127.0.0.1:1/0", redis_ca_file=path)

    assert "redis_ca_file holds no certificates" in error.message


async def test_a_file_in_the_url_that_is_not_there_is_told_of(secured: Terminator) -> None:
    error = await refusal(f"{secured.url}?ssl_ca_certs=/nowhere/ca.pem")

    assert "redis_url names a file that cannot be read" in error.message


def test_it_is_an_option_in_a_profile_and_in_variables(tmp_path: Path) -> None:
    environ = {
        "SFCONNECT_LIMITER": "redis",
        "SFCONNECT_REDIS_URL": "rediss://host/0",
        "SFCONNECT_REDIS_BUDGET": "25",
        "SFCONNECT_REDIS_CA_FILE": "ca.pem",
    }

    made = resolve(ApiKey("k", "https://a.example.com"), environ=environ, cwd=tmp_path).limiter

    assert made == RedisLimiter("rediss://host/0", 25, redis_ca_file=tmp_path / "ca.pem")
