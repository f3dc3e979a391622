"""What would hold up the loop is noticed in each of these tests, and trust is read beside it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import trustme
from blockbuster import BlockingError

from sfconnect.transport import ConnectionPool, Tls
from sfconnect.transport._resumption import default_context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    return Tls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


@pytest.mark.parametrize("what", ["all", "trust alone", "the machine's trust"])
async def test_reading_certificates_on_the_loop_is_noticed(files: Tls, what: str) -> None:
    tls = {"all": files, "trust alone": Tls(files.ca_file), "the machine's trust": Tls()}[what]

    with pytest.raises(BlockingError, match="SSLContext"):
        tls.context()


async def test_reading_files_on_the_loop_is_noticed(files: Tls) -> None:
    from sfconnect.auth.signing import _load_file

    with pytest.raises(BlockingError):
        _load_file(Path(str(files.client_key_file)), None)


def test_a_loop_that_a_test_brings_is_watched_too(files: Tls) -> None:
    async def read() -> None:
        files.context()

    with pytest.raises(BlockingError):
        asyncio.run(read())


async def test_a_pool_reads_certificates_beside_the_loop(files: Tls) -> None:
    async with ConnectionPool(tls=files, proxies_from_environment=False) as pool:
        assert pool.stats().requests_num == 0


async def test_the_trust_of_the_machine_is_read_beside_the_loop_and_once() -> None:
    default_context.cache_clear()

    for _ in range(2):
        async with ConnectionPool(proxies_from_environment=False):
            pass

    assert default_context.cache_info().misses == 1


async def test_the_loop_goes_on_while_certificates_are_read() -> None:
    """The thread that reads waits for the loop, which would never come if it were held up."""
    turned = threading.Event()
    reading = threading.Event()

    class Patient(Tls):
        def context(self):
            reading.set()
            assert turned.wait(5)
            return super().context()

    pool = ConnectionPool(tls=Patient(), proxies_from_environment=False)
    opening = asyncio.create_task(pool.open())
    while not reading.is_set():  # noqa: ASYNC110  # a thread's event cannot be awaited
        await asyncio.sleep(0.001)
    turned.set()
    await opening
    await pool.aclose()
