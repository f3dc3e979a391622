"""The certificate to upload, and the command that prints it."""

from __future__ import annotations

import copy
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sfconnect.errors import AuthConfigurationError
from sfconnect_auth_kms import fingerprint_of, self_signed
from sfconnect_auth_kms.certificate import _KmsPrivateKey
from sfconnect_auth_kms.command import main


async def test_the_certificate_is_of_the_key_and_signed_by_it(kms, key) -> None:
    pem = await self_signed(kms.signer(key), common_name="acme etl", days=90)

    certificate = x509.load_pem_x509_certificate(pem.encode())
    certificate.verify_directly_issued_by(certificate)
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public == kms.public_der(key)
    assert certificate.subject.rfc4514_string() == "CN=acme etl"
    assert isinstance(certificate.signature_hash_algorithm, SHA256)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


async def test_a_key_that_is_not_rsa_gets_no_certificate(kms) -> None:
    with pytest.raises(AuthConfigurationError, match="not an RSA key"):
        await self_signed(kms.signer(kms.make_key("ECC_NIST_P256")))


def test_the_private_key_does_what_kms_does_and_no_more(tiny, tiny_signer) -> None:
    private_key = _KmsPrivateKey(tiny_signer, tiny.key.public_key())

    signature = private_key.sign(b"data", PKCS1v15(), SHA256())

    private_key.public_key().verify(signature, b"data", PKCS1v15(), SHA256())
    assert private_key.key_size == 2048
    assert copy.copy(private_key) is copy.deepcopy(private_key) is private_key
    for refused in (private_key.private_numbers, private_key.private_bytes, private_key.decrypt):
        with pytest.raises(NotImplementedError, match="never leaves"):
            refused()


def test_the_command_prints_the_certificate_and_how_to_use_it(kms, key, capsys) -> None:
    code = main([key, "--endpoint-url", kms.url, "--common-name", "acme"])

    printed = capsys.readouterr()
    assert code == 0
    certificate = x509.load_pem_x509_certificate(printed.out.encode())
    assert certificate.subject.rfc4514_string() == "CN=acme"
    assert f"kms_fingerprint = {fingerprint_of(kms.public_der(key))}" in printed.err


def test_the_command_tells_what_kms_refused(kms, capsys) -> None:
    code = main(["nowhere", "--endpoint-url", kms.url, "--region", "eu-central-1"])

    printed = capsys.readouterr()
    assert code == 1
    assert printed.out == ""
    assert "NotFoundException" in printed.err


def test_the_command_is_installed_and_explains_itself() -> None:
    code = "from sfconnect_auth_kms.command import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "sfconnect-kms-certificate" in done.stdout
