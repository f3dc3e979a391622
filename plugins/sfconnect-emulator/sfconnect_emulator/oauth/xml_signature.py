"""The part of an XML document that somebody has signed: all that may be believed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cryptography import x509

if TYPE_CHECKING:
    from signxml.verifier import SignatureConfiguration, VerifyResult


def signed_part(document: bytes, certificate: str) -> bytes:
    """Verify the signature that the root holds, and return the bytes that it covers.

    The key counts and not the dates of the certificate, as for JSON web tokens.

    Raises:
        ValueError: the key of the certificate has not signed anything here.
    """
    # Most orgs never meet an assertion, and this takes a tenth of a second.
    from signxml.verifier import XMLVerifier  # noqa: PLC0415

    try:
        known = x509.load_pem_x509_certificate(certificate.encode())
        # Its schema check would read files in the event loop; callers judge the shape themselves.
        verified = XMLVerifier().verify(
            document,
            x509_cert=known,
            id_attribute="ID",
            validate_schema=False,
            expect_config=_rules(known),
        )
    except Exception:  # noqa: BLE001 - it meets what strangers wrote: any failure means unverified
        raise ValueError("not signed by this key") from None
    # One reference is what the rules demand by default, and then there is one result.
    return cast("VerifyResult", verified).signed_data


def _rules(certificate: x509.Certificate) -> SignatureConfiguration:
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415 - as above
    from signxml.verifier import SignatureConfiguration  # noqa: PLC0415 - as above

    return SignatureConfiguration(
        location="./",
        signature_methods=frozenset(
            {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
        ),
        digest_algorithms=frozenset(
            {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
        ),
        verification_time=certificate.not_valid_before_utc,
    )
