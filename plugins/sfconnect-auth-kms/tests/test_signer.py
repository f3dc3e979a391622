"""What KMS is asked, and what is made of its refusals."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import os
import socket
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sfconnect import ConfigurationError
from sfconnect.auth import SIGNERS, options_of
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ClockSkewError,
    CredentialUnavailableError,
    InvalidCredentialsError,
    ReauthorizationRequired,
    TransientAuthError,
)
from sfconnect_auth_kms import KmsSigner, fingerprint_of


async def test_a_signature_is_one_call_that_names_the_algorithm(tiny, tiny_signer) -> None:
    await tiny_signer.sign(b"data")

    assert tiny.requests == [
        (
            "Sign",
            {
                "KeyId": "a-key",
                "Message": base64.b64encode(b"data").decode(),
                "MessageType": "RAW",
                "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
            },
        )
    ]


@pytest.mark.parametrize(("length", "kind"), [(4096, "RAW"), (4097, "DIGEST"), (100_000, "DIGEST")])
async def test_what_is_too_long_for_kms_is_hashed_here(tiny, tiny_signer, length, kind) -> None:
    data = b"x" * length

    signature = await tiny_signer.sign(data)

    tiny.key.public_key().verify(signature, data, PKCS1v15(), SHA256())
    parameters = tiny.requests[0][1]
    assert parameters["MessageType"] == kind
    sent = base64.b64decode(parameters["Message"])
    assert sent == (data if kind == "RAW" else hashlib.sha256(data).digest())


@pytest.mark.parametrize("spelling", ["lower", "upper", "colons"])
async def test_the_expected_key_signs_however_its_fingerprint_is_written(
    tiny, tiny_signer, spelling
) -> None:
    digits = fingerprint_of(tiny.public(Encoding.DER))
    pairs = ":".join(digits[n : n + 2] for n in range(0, 64, 2))
    written = {"lower": digits, "upper": digits.upper(), "colons": pairs}[spelling]

    signature = await changed(tiny_signer, kms_fingerprint=written).sign(b"data")

    tiny.key.public_key().verify(signature, b"data", PKCS1v15(), SHA256())
    assert [operation for operation, _ in tiny.requests] == ["GetPublicKey", "Sign"]


async def test_another_key_than_the_expected_one_signs_nothing(tiny, tiny_signer) -> None:
    with pytest.raises(AuthConfigurationError, match="has the fingerprint") as caught:
        await changed(tiny_signer, kms_fingerprint="0" * 64).sign(b"data")

    assert caught.value.docs_key == "kms-fingerprint"
    assert [operation for operation, _ in tiny.requests] == ["GetPublicKey"]


async def test_the_public_key_is_that_of_the_key(tiny, tiny_signer) -> None:
    assert await tiny_signer.public_key() == tiny.public(Encoding.DER)


def changed(signer: KmsSigner, **options: object) -> KmsSigner:
    return dataclasses.replace(signer, **options)  # type: ignore[arg-type] # checked by the class


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("NotFoundException", (AuthConfigurationError, "kms-key-unknown")),
        ("InvalidArnException", (AuthConfigurationError, "kms-key-unknown")),
        ("DisabledException", (AuthConfigurationError, "kms-key-disabled")),
        ("KMSInvalidStateException", (AuthConfigurationError, "kms-key-disabled")),
        ("InvalidKeyUsageException", (AuthConfigurationError, "kms-key-unsuitable")),
        ("ValidationException", (AuthConfigurationError, "kms-key-unsuitable")),
        ("AccessDeniedException", (AuthConfigurationError, "kms-denied")),
        ("UnrecognizedClientException", (InvalidCredentialsError, "aws-credentials")),
        ("InvalidSignatureException", (InvalidCredentialsError, "aws-credentials")),
        ("ExpiredTokenException", (ReauthorizationRequired, "aws-session-ended")),
        ("RequestExpired", (ClockSkewError, "clock-skew")),
        ("OfTomorrowException", (AuthError, "kms-refused")),
    ],
)
async def test_refusals_are_typed_and_told_in_kms_own_words(
    tiny, tiny_signer, kind, meaning
) -> None:
    tiny.failures += [(400, kind, "in its own words.")]

    with pytest.raises(AuthError) as caught:
        await tiny_signer.sign(b"canary")

    error = caught.value
    assert (type(error), error.docs_key) == meaning
    assert (error.code, error.status, error.request_id) == (kind, 400, "request-7")
    assert f"the key a-key in eu-central-1: {kind}: in its own words." in error.message
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("failure", "docs_key"),
    [
        ((400, "ThrottlingException", "later"), "kms-busy"),
        ((400, "LimitExceededException", "later"), "kms-busy"),
        ((500, "KMSInternalException", "later"), "kms-fault"),
        ((503, "KeyUnavailableException", "later"), "kms-fault"),
        ((500, "", "later"), "kms-fault"),
    ],
)
async def test_what_passes_is_tried_again_and_then_told_as_passing(
    tiny, tiny_signer, monkeypatch, failure, docs_key
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    tiny.failures += [failure] * 3

    with pytest.raises(TransientAuthError) as caught:
        await tiny_signer.sign(b"data")

    assert caught.value.docs_key == docs_key
    assert caught.value.retry_safe
    assert await tiny_signer.sign(b"data")


async def test_a_kms_that_cannot_be_reached_is_a_passing_fault(monkeypatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    signer = KmsSigner("a-key", kms_region="eu-central-1", kms_endpoint_url=url)

    with pytest.raises(TransientAuthError, match="cannot be reached") as caught:
        await signer.sign(b"data")

    assert caught.value.docs_key == "kms-unreachable"


async def test_without_aws_credentials_a_chain_may_go_on(
    tiny_signer, monkeypatch, fresh_session
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(CredentialUnavailableError) as caught:
        await tiny_signer.sign(b"data")

    assert caught.value.docs_key == "aws-no-credentials"


async def test_half_of_the_aws_credentials_are_none(
    tiny_signer, monkeypatch, fresh_session
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(CredentialUnavailableError):
        await tiny_signer.sign(b"data")


async def test_a_profile_that_is_not_there_is_named(
    tiny_signer, monkeypatch, fresh_session
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")

    with pytest.raises(CredentialUnavailableError, match="nowhere"):
        await tiny_signer.sign(b"data")


async def test_without_a_region_it_is_told_how_to_say_one() -> None:
    with pytest.raises(AuthConfigurationError, match="in which region") as caught:
        await KmsSigner("a-key").sign(b"data")

    assert caught.value.docs_key == "aws-no-region"


async def test_an_endpoint_that_is_no_url_is_told() -> None:
    signer = KmsSigner("a-key", kms_region="eu-central-1", kms_endpoint_url="nonsense")

    with pytest.raises(AuthConfigurationError, match="nonsense") as caught:
        await signer.sign(b"data")

    assert caught.value.docs_key == "kms-options"


@pytest.mark.parametrize(
    ("key", "option", "region"),
    [
        ("arn:aws:kms:eu-west-1:123456789012:key/0-0", None, "eu-west-1"),
        ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/sf", None, "us-gov-west-1"),
        ("arn:aws:kms:eu-west-1:123456789012:key/0-0", "eu-central-1", "eu-central-1"),
        ("alias/sf", None, None),
        ("alias/sf", "eu-central-1", "eu-central-1"),
    ],
)
def test_the_region_is_the_option_or_that_of_the_arn(key, option, region) -> None:
    assert KmsSigner(key, kms_region=option).service().region == region


async def test_moto_and_aws_agree_on_a_key_that_is_not_there(kms) -> None:
    with pytest.raises(AuthConfigurationError) as caught:
        await kms.signer("nowhere", kms_region="eu-central-1").sign(b"data")

    assert caught.value.docs_key == "kms-key-unknown"


@pytest.mark.parametrize(
    ("spec", "usage"), [("RSA_2048", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY")]
)
async def test_a_key_of_another_kind_is_told_with_the_command_that_makes_one(
    kms, spec, usage
) -> None:
    with pytest.raises(AuthConfigurationError) as caught:
        await kms.signer(kms.make_key(spec, usage)).sign(b"data")

    assert caught.value.docs_key == "kms-key-unsuitable"
    assert "create-key" in (caught.value.hint or "")


async def test_whoever_is_cancelled_does_not_wait_for_kms(tiny, tiny_signer) -> None:
    tiny.hold.clear()
    signing = asyncio.create_task(tiny_signer.sign(b"data"))
    await asyncio.to_thread(tiny.entered.wait, 5)

    signing.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait({signing})

    assert signing.cancelled()


async def test_the_loop_turns_while_kms_thinks(tiny, tiny_signer) -> None:
    tiny.hold.clear()
    signing = asyncio.create_task(tiny_signer.sign(b"data"))
    await asyncio.to_thread(tiny.entered.wait, 5)

    for _ in range(100):
        await asyncio.sleep(0)

    assert not signing.done()
    tiny.hold.set()
    assert await signing


async def test_a_forked_process_signs_too(tiny, tiny_signer) -> None:
    await tiny_signer.sign(b"data")
    code = (
        "import os, asyncio\n"
        "from sfconnect_auth_kms import KmsSigner\n"
        f"signer = KmsSigner('a-key', kms_region='eu-central-1', kms_timeout_s=5.0,"
        f" kms_endpoint_url={tiny_signer.kms_endpoint_url!r})\n"
        "asyncio.run(signer.sign(b'data'))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(len(asyncio.run(signer.sign(b'data'))) != 256)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )

    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=dict(os.environ))

    assert await process.wait() == 0
    assert len(tiny.requests) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"kms_key": " "},
        {"kms_key": "a-key", "kms_fingerprint": "ab:cd"},
        {"kms_key": "a-key", "kms_fingerprint": "g" * 64},
        {"kms_key": "a-key", "kms_timeout_s": 0.0},
    ],
    ids=",".join,
)
def test_options_that_cannot_work_are_refused(options) -> None:
    with pytest.raises(ConfigurationError):
        KmsSigner(**options)


def test_every_option_has_a_help_text_and_none_is_secret() -> None:
    specs = options_of(KmsSigner)

    assert all(spec.help for spec in specs)
    assert [spec.name for spec in specs if spec.secret] == []


def test_it_is_found_by_its_name() -> None:
    assert SIGNERS.load("aws-kms") is KmsSigner


def test_listing_it_imports_nothing_of_aws() -> None:
    code = (
        "import sys\n"
        "from sfconnect.auth import SIGNERS\n"
        "assert SIGNERS.load('aws-kms').__name__ == 'KmsSigner'\n"
        "assert not [name for name in sys.modules if name.startswith(('botocore', 'boto3'))]\n"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=15)

    assert done.returncode == 0
