"""What the tests share: one event loop, and a server on loopback that speaks as AWS KMS does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from sfconnect_auth_kms import KmsSigner
from sfconnect_auth_kms.service import _session

REGION = "eu-central-1"


@dataclass(frozen=True)
class Kms:
    """An emulated KMS, and a client of it that makes keys."""

    url: str
    client: Any

    def make_key(self, spec: str = "RSA_2048", usage: str = "SIGN_VERIFY") -> str:
        """Make a key; return its ARN."""
        return str(self.client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])

    def public_der(self, key: str) -> bytes:
        return bytes(self.client.get_public_key(KeyId=key)["PublicKey"])

    def public_pem(self, key: str) -> str:
        loaded = load_der_public_key(self.public_der(key))
        return loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signer(self, key: str, **options: Any) -> KmsSigner:
        return KmsSigner(key, kms_endpoint_url=self.url, **options)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody, and none of this machine's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def fresh_session() -> Iterator[None]:
    """Let AWS's own settings be read anew; a process reads them once."""
    _session.cache_clear()
    yield
    _session.cache_clear()


@pytest.fixture(scope="session")
def kms() -> Iterator[Kms]:
    server = import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    session = import_module("botocore.session").Session()
    client = session.create_client(
        "kms",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="AKIACANARY",
        aws_secret_access_key="canary",
    )
    yield Kms(url, client)
    client.close()
    server.stop()


@pytest.fixture(scope="session")
def key(kms: Kms) -> str:
    """The ARN of a key that suits."""
    return kms.make_key()


class TinyKms:
    """A KMS of one key that hashes no digest a second time, and that fails when it is told to.

    Attributes:
        failures: Status, type and message of the answers to come, before right ones.
        requests: Operation and parameters of each request.
    """

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.failures: list[tuple[int, str, str]] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.entered, self.hold = threading.Event(), threading.Event()
        self.hold.set()

    def answer(self, operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append((operation, parameters))
        self.entered.set()
        self.hold.wait(10)
        if self.failures:
            status, kind, message = self.failures.pop(0)
            return status, {"__type": kind, "message": message}
        if operation == "GetPublicKey":
            return 200, {"PublicKey": base64.b64encode(self.public(Encoding.DER)).decode()}
        digest = base64.b64decode(parameters["Message"])
        if parameters["MessageType"] == "RAW":
            assert len(digest) <= 4096
            digest = hashlib.sha256(digest).digest()
        signature = self.key.sign(digest, PKCS1v15(), Prehashed(SHA256()))
        return 200, {"Signature": base64.b64encode(signature).decode()}

    def public(self, encoding: Encoding) -> bytes:
        return self.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def tiny() -> TinyKms:
    return TinyKms()


@pytest.fixture
def tiny_signer(tiny: TinyKms) -> Iterator[KmsSigner]:
    """A signer that asks the tiny KMS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            status, members = tiny.answer(operation, json.loads(body))
            content = json.dumps(members).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-amzn-RequestId", "request-7")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield KmsSigner("a-key", kms_region=REGION, kms_endpoint_url=url, kms_timeout_s=5.0)
        tiny.hold.set()
        server.shutdown()
        serving.join()
