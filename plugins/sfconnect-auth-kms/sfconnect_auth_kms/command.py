"""The command `sfconnect-kms-certificate`: print the certificate to upload, and its fingerprint."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from sfconnect import SfConnectError
from sfconnect_auth_kms.certificate import DAYS, make
from sfconnect_auth_kms.signer import KmsSigner, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEPS = """\
kms_fingerprint = {fingerprint}

Upload the certificate to the app in Salesforce: Setup → External Client App Manager → the app →
Settings → OAuth Settings → Enable JWT Bearer Flow → Certificate. Then pre-authorize its users:
Policies → Permitted Users → 'Admin approved users are pre-authorized', and a permission set.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the certificate on stdout, all else on stderr; 1 where KMS refused."""
    asked = _parser().parse_args(arguments)
    try:
        signer = KmsSigner(asked.key, kms_region=asked.region, kms_endpoint_url=asked.endpoint_url)
        certificate = make(signer, asked.common_name, asked.days)
        fingerprint = fingerprint_of(signer.fetch_public_key())
    except SfConnectError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(certificate)
    sys.stderr.write(_STEPS.format(fingerprint=fingerprint))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfconnect-kms-certificate",
        description="Make a self-signed certificate of an RSA key in AWS KMS.",
    )
    parser.add_argument("key", help="id, ARN or alias of the key")
    parser.add_argument("--region", help="region of the key")
    parser.add_argument("--endpoint-url", help="address of KMS")
    parser.add_argument("--common-name", default="sfconnect", help="name in the certificate")
    parser.add_argument("--days", type=int, default=DAYS, help="how long it is valid")
    return parser
