"""The signer passes the tests that every signer should pass, with two servers as KMS."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sfconnect.testing import SignerConformance
from sfconnect_auth_kms import fingerprint_of


class TestWithATinyKms(SignerConformance):
    @pytest.fixture
    def signer(self, tiny_signer):
        return tiny_signer

    @pytest.fixture
    def public_key(self, tiny):
        return tiny.public(Encoding.PEM).decode()


class TestWithMoto(SignerConformance):
    @pytest.fixture(params=["plain", "checked and named"])
    def signer(self, kms, key, request):
        if request.param == "plain":
            return kms.signer(key)
        fingerprint = fingerprint_of(kms.public_der(key))
        return kms.signer(key, kms_fingerprint=fingerprint, key_id="a key id")

    @pytest.fixture
    def public_key(self, kms, key):
        return kms.public_pem(key)

    async def test_an_assertion_may_be_long(self, signer, public_key):
        """Not here: moto hashes also what is a digest already. The tiny KMS does not."""
        assert len(await signer.sign(b"x" * 4096)) == 256
