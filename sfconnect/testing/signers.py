"""Tests that every signer should pass; inherit them.

.. code-block:: python

    class TestHsmSigner(SignerConformance):
        @pytest.fixture
        def signer(self):
            return HsmSigner(slot=1)

        @pytest.fixture
        def public_key(self):
            return Path("server.pub").read_text()
"""

# Assertions with plain values are what this module is made of.
# ruff: noqa: S101

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any, Final

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, RSAKey

from sfconnect._types import JsonObject
from sfconnect.auth.base import Signer
from sfconnect.auth.signing import sign_jwt
from sfconnect.testing.doors import close_doors

SIGNATURES = 8
CLAIMS: Final[JsonObject] = {
    "iss": "3MVG9",
    "sub": "ada@example.com",
    "aud": "https://login.salesforce.com",
    "exp": 1,
}


class SignerConformance:
    """What the contract asks of any signer. Override ``signer`` and ``public_key``."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Signers run on asyncio."""
        return "asyncio"

    @pytest.fixture
    def signer(self) -> Signer:
        """The signer under test."""
        raise NotImplementedError

    @pytest.fixture
    def public_key(self) -> str:
        """The public half of its key, as PEM."""
        raise NotImplementedError

    def test_it_names_its_algorithm_and_key_as_jws_does(self, signer: Signer) -> None:
        """Both go into the header; servers refuse ``none``."""
        assert signer.algorithm in {*_RSA, *_EC}
        assert signer.key_id is None or signer.key_id

    def test_making_it_does_no_io(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files and networks are for the signature."""
        close_doors(monkeypatch, "making a signer")

        dataclasses.replace(_as_dataclass(signer))

    def test_it_shows_no_key(self, signer: Signer) -> None:
        """Strategies that hold it end up in logs."""
        assert "PRIVATE KEY" not in f"{signer!r}{signer}"

    async def test_its_signatures_are_those_of_its_key(
        self, signer: Signer, public_key: str
    ) -> None:
        """Checked by another implementation, as the server does."""
        header = _verified(await sign_jwt(signer, CLAIMS), signer, public_key)

        assert header["alg"] == signer.algorithm
        assert header.get("kid") == signer.key_id

    async def test_a_signature_is_for_what_was_signed_alone(
        self, signer: Signer, public_key: str
    ) -> None:
        """Not for anything else of the same length, say."""
        head, body, signature = (await sign_jwt(signer, CLAIMS)).split(".")
        changed = body[:-1] + ("A" if body[-1] != "A" else "B")

        with pytest.raises(BadSignatureError):
            _verified(f"{head}.{changed}.{signature}", signer, public_key)

    async def test_an_assertion_may_be_long(self, signer: Signer, public_key: str) -> None:
        """Longer than what key services take at once, which is 4 KiB at AWS."""
        token = await sign_jwt(signer, {"sub": "x" * 10_000})

        assert _verified(token, signer, public_key)["alg"] == signer.algorithm

    async def test_many_may_sign_at_once(self, signer: Signer, public_key: str) -> None:
        """One signer serves many connections."""
        tokens = await asyncio.gather(
            *(sign_jwt(signer, {"jti": str(number)}) for number in range(SIGNATURES))
        )

        for token in tokens:
            _verified(token, signer, public_key)
        assert len(set(tokens)) == SIGNATURES

    def test_event_loops_one_after_the_other_may_use_it(
        self, signer: Signer, public_key: str
    ) -> None:
        """As scripts do that call ``asyncio.run`` more than once."""
        for _ in range(2):
            _verified(asyncio.run(sign_jwt(signer, CLAIMS)), signer, public_key)

    async def test_a_cancelled_signature_is_cancelled(self, signer: Signer) -> None:
        """It must not take the cancellation for a failure."""
        signing = asyncio.create_task(signer.sign(b"data"))
        signing.cancel()
        await asyncio.wait({signing})

        assert signing.cancelled()


_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_EC = frozenset({"ES256", "ES384", "ES512"})


def _as_dataclass(signer: Signer) -> Any:
    return signer


def _verified(token: str, signer: Signer, public_key: str) -> dict[str, Any]:
    """Return the header of a token, checked."""
    kind = ECKey if signer.algorithm in _EC else RSAKey
    found = jws.deserialize_compact(token, kind.import_key(public_key), [signer.algorithm])
    return dict(found.headers())
