"""An identity provider at hand: writes and signs SAML assertions, good ones or wrong on purpose."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_PLACE = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlDraft:
    """What an assertion is to say; ``begins_at`` and ``ends_at`` are seconds since the epoch.

    Texts are escaped. None leaves a time out.
    """

    issuer: str
    name_id: str
    audience: str
    recipient: str
    begins_at: float | None
    ends_at: float | None
    assertion_id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")
    method: str = BEARER

    def xml(self, signature: str = "") -> str:
        """The document, with or without a signature in its place."""
        until = _time("NotOnOrAfter", self.ends_at)
        data = f"<saml:SubjectConfirmationData Recipient={quoteattr(self.recipient)}{until}/>"
        issued = _time("IssueInstant", self.begins_at or 0)
        return (
            f'<saml:Assertion xmlns:saml="{_SAML}" ID={quoteattr(self.assertion_id)} Version="2.0"'
            f"{issued}><saml:Issuer>{escape(self.issuer)}</saml:Issuer>{signature}"
            f"<saml:Subject><saml:NameID>{escape(self.name_id)}</saml:NameID>"
            f"<saml:SubjectConfirmation Method={quoteattr(self.method)}>{data}"
            f"</saml:SubjectConfirmation></saml:Subject>"
            f"<saml:Conditions{_time('NotBefore', self.begins_at)}{until}>"
            f"<saml:AudienceRestriction><saml:Audience>{escape(self.audience)}</saml:Audience>"
            f"</saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{_instant(self.begins_at or 0)}">'
            "<saml:AuthnContext><saml:AuthnContextClassRef>"
            "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            "</saml:Assertion>"
        )

    def signed(self, private_key: str) -> str:
        """The document, signed as SAML wants it: enveloped, exclusively canonical, RSA-SHA256."""
        return sign_xml(self.xml(_PLACE), private_key, self.assertion_id)


def sign_xml(document: str, private_key: str, reference: str) -> str:
    """Sign one element of a document by its ``ID``; a placeholder says where the signature goes."""
    # Most orgs never sign one, and this takes a tenth of a second.
    from lxml import etree  # noqa: PLC0415
    from signxml.algorithms import CanonicalizationMethod  # noqa: PLC0415
    from signxml.signer import XMLSigner  # noqa: PLC0415

    exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
    signer = XMLSigner(c14n_algorithm=exclusive)
    signed = signer.sign(
        etree.fromstring(document),
        key=private_key.encode(),
        reference_uri=reference,
        id_attribute="ID",
    )
    return str(etree.tostring(signed, encoding="unicode"))


def _time(name: str, seconds: float | None) -> str:
    return "" if seconds is None else f' {name}="{_instant(seconds)}"'


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
