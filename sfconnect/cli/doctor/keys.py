"""The key that signs, and the certificate that the app has of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sfconnect.auth.certificates import AppCertificate, load_certificate
from sfconnect.auth.key_options import signer_of
from sfconnect.auth.signing import LocalSigner, sign_jwt
from sfconnect.cli.doctor.checks import Finding, failed, passed, skipped, warned
from sfconnect.cli.doctor.server import signs

if TYPE_CHECKING:
    from sfconnect.cli.doctor.case import Case

_NOTHING: Final = "the login signs nothing"
_NO_CERTIFICATE: Final = "no certificate is given here"
_SOON: Final = timedelta(days=30)
_RENEW: Final = (
    "Make a new pair (sfconnect auth keygen), upload its certificate to the app, and then change "
    "private_key_file and certificate_file."
)
_COMPARE: Final = (
    "Set certificate_file to the certificate that was uploaded to the app, and the key is compared "
    "with it."
)


async def key(case: Case) -> Finding:
    """Load the key as a login would."""
    if not signs(case.proving):
        return skipped(_NOTHING)
    signer = case.signer = await signer_of(case.proving)
    if isinstance(signer, LocalSigner):
        return passed(f"an RSA key of {signer.key.key_size} bits")
    return passed(f"signed elsewhere, by {type(signer).__name__} with {signer.algorithm}")


async def certificate(case: Case) -> Finding:
    """Sign something, and verify it by the certificate."""
    if case.signer is None:
        return skipped(_NOTHING)
    strategy = case.proving
    file, text = (getattr(strategy, name, None) for name in ("certificate_file", "certificate"))
    if file is None and text is None:
        known = hasattr(strategy, "certificate_file")
        return skipped(_NO_CERTIFICATE, _COMPARE if known else None)
    found = await AppCertificate.from_file(file) if file else load_certificate(str(text))
    found.check(case.signer, await sign_jwt(case.signer, {"purpose": "check"}))
    case.certificate = found
    return passed(f"belongs to the key; compare in the app: SHA-256 {found.fingerprint}")


async def certificate_expiry(case: Case) -> Finding:
    """Look at the certificate's last day."""
    if case.certificate is None:
        return skipped(_NOTHING if case.signer is None else _NO_CERTIFICATE)
    now = case.clock.time()
    problem = case.certificate.time_problem(now)
    if problem is not None:
        return failed(f"The certificate {problem}.", _RENEW)
    ends = case.certificate.certificate.not_valid_after_utc
    left = ends - datetime.fromtimestamp(now, UTC)
    message = f"good until {ends:%Y-%m-%d}, for {left.days} more days"
    return warned(message, _RENEW) if left < _SOON else passed(message)
