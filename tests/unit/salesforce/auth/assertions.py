"""Assertions as identity providers write them; the signature is a shape only."""

from __future__ import annotations

from datetime import UTC, datetime

ACME = "https://acme.my.salesforce.com"
LOGIN = "https://login.salesforce.com"
NOW = 1_800_000_000.0
SIGNATURE = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'


def at(offset_s: float) -> str:
    return datetime.fromtimestamp(NOW + offset_s, UTC).isoformat().replace("+00:00", "Z")


def confirmation(
    recipient: str = f"{ACME}/services/oauth2/token",
    ends: str | None = at(300),
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer",
) -> str:
    end = "" if ends is None else f' NotOnOrAfter="{ends}"'
    data = f'<saml:SubjectConfirmationData Recipient="{recipient}"{end}/>'
    return f'<saml:SubjectConfirmation Method="{method}">{data}</saml:SubjectConfirmation>'


def assertion(
    *,
    issuer: str = "<saml:Issuer>3MVG9app</saml:Issuer>",
    signature: str = SIGNATURE,
    name_id: str = "<saml:NameID>ada@example.com</saml:NameID>",
    confirmations: str | None = None,
    times: str = f'NotBefore="{at(-60)}" NotOnOrAfter="{at(300)}"',
    audience: str = f"<saml:Audience>{LOGIN}</saml:Audience>",
    head: str = "",
) -> str:
    confirmed = confirmation() if confirmations is None else confirmations
    return (
        f'{head}<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" '
        f'Version="2.0" IssueInstant="{at(-60)}">{issuer}{signature}'
        f"<saml:Subject>{name_id}{confirmed}</saml:Subject>"
        f"<saml:Conditions {times}><saml:AudienceRestriction>{audience}"
        "</saml:AudienceRestriction></saml:Conditions></saml:Assertion>"
    )
