"""The part of an XML document that somebody has signed: all that may be believed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cryptography import x509
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

if TYPE_CHECKING:
    from signxml.verifier import VerifyResult

_SIGNATURES = frozenset(
    {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


def signed_part(document: bytes, certificate: str) -> bytes:
    """Verify the signature that the root holds, and return the bytes that it covers.

    The key counts and not the dates of the certificate, as for JSON web tokens.

    Raises:
        ValueError: the key of the certificate has not signed anything here.
    """
    try:
        known = x509.load_pem_x509_certificate(certificate.encode())
        rules = SignatureConfiguration(
            location="./",
            signature_methods=_SIGNATURES,
            digest_algorithms=_DIGESTS,
            verification_time=known.not_valid_before_utc,
        )
        # Its schema check would read files in the event loop; callers judge the shape themselves.
        verified = XMLVerifier().verify(
            document,
            x509_cert=known,
            id_attribute="ID",
            validate_schema=False,
            expect_config=rules,
        )
    except Exception:  # noqa: BLE001 - it meets what strangers wrote: any failure means unverified
        raise ValueError("not signed by this key") from None
    # One reference is what the rules demand by default, and then there is one result.
    return cast("VerifyResult", verified).signed_data
