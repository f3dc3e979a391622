"""The signer that comes with sfconnect passes the tests that plugins inherit."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sfconnect.auth.signing import LocalSigner
from sfconnect.testing import SignerConformance


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class TestLocalSigner(SignerConformance):
    @pytest.fixture(params=[None, "a key id"])
    def signer(self, private_key, request):
        return LocalSigner(private_key, key_id=request.param)

    @pytest.fixture
    def public_key(self, private_key):
        public = private_key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
