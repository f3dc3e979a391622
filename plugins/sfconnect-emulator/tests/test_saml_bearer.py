from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.keys import KeyPair
from sfconnect_emulator.oauth.errors import OAuthError
from sfconnect_emulator.oauth.saml_assertion import Destination, verify_saml
from sfconnect_emulator.probe import Answer, Probe
from sfconnect_emulator.saml_issuer import SamlDraft, sign_xml

SAML_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"
LOGIN = "https://login.salesforce.com"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
INVALID = ("invalid_grant", "invalid assertion")
EXPIRED = ("invalid_grant", "assertion expired")
NOT_FOR_US = ("invalid_grant", "Audience validation failed")


@cache
def foreign_keys() -> KeyPair:
    return KeyPair.generate()


def draft(org: InProcess, **changes: Any) -> SamlDraft:
    """A good assertion, with changes."""
    now = org.instance.clock.time()
    good = SamlDraft(
        issuer=org.client_id,
        name_id=org.username,
        audience=LOGIN,
        recipient=f"{org.login_url}/services/oauth2/token",
        begins_at=now - 5,
        ends_at=now + 300,
    )
    return replace(good, **changes)


def signed(org: InProcess, key: str | None = None, **changes: Any) -> str:
    return draft(org, **changes).signed(key or org.private_key)


def resigned(org: InProcess, old: str, new: str) -> str:
    """A good assertion with something else in it, signed like this."""
    reference = draft(org, assertion_id="_fixed")
    place = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
    document = reference.xml(place)
    assert old in document
    return sign_xml(document.replace(old, new, 1), org.private_key, "_fixed")


async def ask(probe: Probe, document: str | bytes) -> Answer:
    raw = document.encode() if isinstance(document, str) else document
    encoded = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return await probe.token(None, grant_type=SAML_BEARER, assertion=encoded)


async def refusal(probe: Probe, document: str | bytes) -> tuple[str, str]:
    answer = await ask(probe, document)
    assert answer.status == 400
    return answer.json()["error"], answer.json()["error_description"]


class TestGoodAssertion:
    async def test_gives_a_session_of_its_subject_and_no_refresh_token(self, probe: Probe) -> None:
        body = (await ask(probe, signed(probe.org))).json()

        assert body["id"].endswith(probe.org.instance.org.user.id)
        assert body["scope"] == "api cdp_query_api openid refresh_token web"
        assert "refresh_token" not in body
        assert probe.org.control.statistics()["logins"] == {"saml-bearer": 1}

    async def test_may_name_any_user_of_the_org(self, probe: Probe) -> None:
        other = probe.org.instance.org.users[1]

        body = (await ask(probe, signed(probe.org, name_id=other.username))).json()

        assert body["id"].endswith(other.id)

    @pytest.mark.parametrize("audience", [LOGIN, "https://test.salesforce.com", "own", "own/"])
    async def test_may_be_meant_for_any_of_three_audiences(
        self, probe: Probe, audience: str
    ) -> None:
        meant_for = audience.replace("own", probe.org.login_url)

        assert (await ask(probe, signed(probe.org, audience=meant_for))).status == 200

    async def test_may_come_in_plain_base64_with_padding(self, probe: Probe) -> None:
        encoded = base64.b64encode(signed(probe.org).encode()).decode()

        answer = await probe.token(None, grant_type=SAML_BEARER, assertion=encoded)

        assert answer.status == 200

    @pytest.mark.parametrize("place", ["SubjectConfirmationData", "Conditions"])
    async def test_may_tell_its_end_in_one_place_only(self, probe: Probe, place: str) -> None:
        element = draft(probe.org).xml().partition(f"<saml:{place}")[2].partition(">")[0]
        endless = re.sub(' NotOnOrAfter="[^"]*"', "", element)

        assert (await ask(probe, resigned(probe.org, element, endless))).status == 200


class TestRefusals:
    async def test_name_the_page_that_tells_more(self, probe: Probe) -> None:
        body = (await ask(probe, signed(probe.org, audience="https://example.com"))).json()

        assert body["error_uri"] == f"{probe.org.login_url}/setup/secur/SAMLValidationPage.apexp"

    async def test_an_assertion_is_good_for_once(self, probe: Probe) -> None:
        assertion = signed(probe.org)
        await ask(probe, assertion)

        assert await refusal(probe, assertion) == INVALID

    async def test_an_assertion_whose_user_was_refused_has_not_been_used(
        self, probe: Probe
    ) -> None:
        assertion = signed(probe.org)
        policies = {"approved_users": ["somebody@else"]}
        probe.org.control.change_app(probe.org.client_id, policies)
        refused = await refusal(probe, assertion)
        probe.org.control.change_app(probe.org.client_id, {"approved_users": None})

        assert refused[0] == "invalid_app_access"
        assert (await ask(probe, assertion)).status == 200

    async def test_an_app_that_nobody_knows(self, probe: Probe) -> None:
        document = signed(probe.org, issuer="3MVG9other")

        assert await refusal(probe, document) == ("invalid_client_id", "client identifier invalid")

    async def test_a_user_whom_nobody_knows(self, probe: Probe) -> None:
        document = signed(probe.org, name_id="nobody@example.com")

        assert await refusal(probe, document) == (
            *("invalid_grant", "user hasn't approved this consumer"),
        )

    async def test_another_key_than_that_of_the_app(self, probe: Probe) -> None:
        assert await refusal(probe, signed(probe.org, foreign_keys().private_key)) == INVALID

    async def test_an_app_without_certificate(self, probe: Probe) -> None:
        probe.org.control.change_app(probe.org.client_id, {"certificate": None})

        assert await refusal(probe, signed(probe.org)) == INVALID

    async def test_a_flow_that_is_off(self, probe: Probe) -> None:
        probe.org.control.change_org({"blocked_flows": [SAML_BEARER]})

        assert await refusal(probe, signed(probe.org)) == (
            *("unsupported_grant_type", "grant type not supported"),
        )

    @pytest.mark.parametrize(
        ("changes", "wanted"),
        [
            ({"audience": "https://example.com"}, NOT_FOR_US),
            ({"recipient": "https://example.com/services/oauth2/token"}, NOT_FOR_US),
            ({"recipient": ""}, NOT_FOR_US),
            ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, NOT_FOR_US),
            ({"name_id": ""}, INVALID),
            ({"ends_at": None}, INVALID),
        ],
    )
    async def test_a_wrong_part(
        self, probe: Probe, changes: dict[str, Any], wanted: tuple[str, str]
    ) -> None:
        assert await refusal(probe, signed(probe.org, **changes)) == wanted

    @pytest.mark.parametrize(
        ("begins", "ends", "wanted"),
        [
            (-600, -180, EXPIRED),
            (-600, -179, None),
            (180, 600, None),
            (181, 600, INVALID),
            (-5, 86_400 + 180, None),
            (-5, 86_400 + 181, INVALID),
        ],
    )
    async def test_times_have_three_minutes_of_clock_buffer(
        self, begins: float, ends: float, wanted: tuple[str, str] | None
    ) -> None:
        clock = Clock()
        clock.freeze(clock.now().replace(microsecond=0))
        with InProcess(clock=clock) as org:
            now = clock.time()
            document = signed(org, begins_at=now + begins, ends_at=now + ends)

            if wanted is None:
                assert (await ask(Probe(org), document)).status == 200
            else:
                assert await refusal(Probe(org), document) == wanted

    async def test_the_earlier_of_two_ends_counts(self, probe: Probe) -> None:
        past = (probe.org.instance.clock.now() - timedelta(hours=1)).isoformat()
        end = re.findall('NotOnOrAfter="[^"]*"', draft(probe.org).xml())[0]

        document = resigned(probe.org, end, f'NotOnOrAfter="{past}"')

        assert await refusal(probe, document) == EXPIRED

    async def test_a_confirmation_that_has_not_begun(self, probe: Probe) -> None:
        later = (probe.org.instance.clock.now() + timedelta(hours=1)).isoformat()
        document = resigned(probe.org, " Recipient=", f' NotBefore="{later}" Recipient=')

        assert await refusal(probe, document) == INVALID

    @pytest.mark.parametrize("time", ["soon", "", "2026-13-01T00:00:00Z"])
    async def test_a_time_that_is_none(self, probe: Probe, time: str) -> None:
        end = re.findall('NotOnOrAfter="[^"]*"', draft(probe.org).xml())[0]

        document = resigned(probe.org, end, f'NotOnOrAfter="{time}"')

        assert await refusal(probe, document) == INVALID

    async def test_a_condition_that_nobody_understands(self, probe: Probe) -> None:
        document = resigned(
            probe.org, "<saml:AudienceRestriction>", "<saml:Condition/><saml:AudienceRestriction>"
        )

        assert await refusal(probe, document) == INVALID

    async def test_of_two_audience_restrictions_both_have_to_be_met(self, probe: Probe) -> None:
        other = "<saml:AudienceRestriction><saml:Audience>https://example.com</saml:Audience></saml:AudienceRestriction>"
        document = resigned(
            probe.org, "<saml:AudienceRestriction>", f"{other}<saml:AudienceRestriction>"
        )

        assert await refusal(probe, document) == NOT_FOR_US

    @pytest.mark.parametrize("part", ["Issuer", "Subject", "Conditions"])
    async def test_a_part_that_stands_twice(self, probe: Probe, part: str) -> None:
        document = resigned(probe.org, "</saml:Assertion>", f"<saml:{part}/></saml:Assertion>")

        assert await refusal(probe, document) == INVALID

    async def test_another_version_of_saml(self, probe: Probe) -> None:
        assert await refusal(probe, resigned(probe.org, '"2.0"', '"1.1"')) == INVALID


class TestAttacks:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<saml:NameID>", "<saml:NameID>x"),
            ("</saml:NameID>", "</saml:NameID><!-- -->x"),
            (LOGIN, "https://test.salesforce.com"),
            ("<saml:Conditions ", '<saml:Conditions a="b" '),
        ],
    )
    async def test_a_document_that_was_changed_afterwards(
        self, probe: Probe, old: str, new: str
    ) -> None:
        document = signed(probe.org)
        assert old in document

        assert await refusal(probe, document.replace(old, new, 1)) == INVALID

    async def test_an_assertion_without_id(self, probe: Probe) -> None:
        document = signed(probe.org, assertion_id="_x").replace('ID="_x"', "")

        assert await refusal(probe, document) == INVALID

    async def test_an_assertion_without_signature(self, probe: Probe) -> None:
        assert await refusal(probe, draft(probe.org).xml()) == INVALID

    async def test_a_signature_with_an_own_key_inside_it(self, probe: Probe) -> None:
        """The key that a signature brings along proves nothing."""
        document = signed(probe.org, foreign_keys().private_key)
        assert "<ds:KeyInfo>" in document

        assert await refusal(probe, document) == INVALID

    async def test_a_comment_does_not_cut_a_name_short(self, probe: Probe) -> None:
        other = probe.org.instance.org.users[1].username
        document = resigned(
            probe.org, f">{probe.org.username}<", f">{other}<!-- -->.evil.example.com<"
        )

        error, words = await refusal(probe, document)

        assert (error, words) == ("invalid_grant", "user hasn't approved this consumer")

    async def test_a_comment_put_in_afterwards_changes_nothing(self, probe: Probe) -> None:
        """Comments are outside what is signed, so they must not split what is read."""
        name = probe.org.username
        document = signed(probe.org).replace(f">{name}<", f">{name[:3]}<!-- -->{name[3:]}<")

        body = (await ask(probe, document)).json()

        assert body["id"].endswith(probe.org.instance.org.user.id)

    @pytest.mark.parametrize("wrapper", ["Object", "Response", "Advice", "same id"])
    async def test_a_signed_assertion_moved_into_a_forged_one(
        self, probe: Probe, wrapper: str
    ) -> None:
        good = signed(probe.org, assertion_id="_good")
        victim = probe.org.instance.org.users[1].username
        forged = draft(
            probe.org, name_id=victim, assertion_id="_good" if wrapper == "same id" else "_forged"
        )

        document = _wrapped(wrapper, good, forged)

        assert await refusal(probe, document) == INVALID

    async def test_a_signature_that_covers_another_part_only(self, probe: Probe) -> None:
        place = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
        document = draft(probe.org).xml(place).replace("<saml:Subject>", '<saml:Subject ID="_s">')

        assert await refusal(probe, sign_xml(document, probe.org.private_key, "_s")) == INVALID

    async def test_a_signed_part_that_says_all_that_an_assertion_says(self, probe: Probe) -> None:
        place = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
        content = draft(probe.org).xml().partition("<saml:Issuer>")[2]
        inner = f"<saml:Issuer>{content.removesuffix('</saml:Assertion>')}"
        whole = draft(probe.org, name_id="somebody@example.com").xml(place)
        part = f'<saml:Advice ID="_part">{inner}</saml:Advice></saml:Assertion>'
        document = whole.removesuffix("</saml:Assertion>") + part

        assert await refusal(probe, sign_xml(document, probe.org.private_key, "_part")) == INVALID

    @pytest.mark.parametrize(
        "head",
        [
            "<!DOCTYPE saml:Assertion>",
            '<!DOCTYPE a [<!ENTITY who "admin@example.com">]>',
            '<!DOCTYPE a [<!ENTITY who SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        ],
    )
    async def test_a_document_type(self, probe: Probe, head: str) -> None:
        assert await refusal(probe, head + signed(probe.org)) == INVALID

    @pytest.mark.parametrize(
        "document",
        [
            *("", "<", "<a/>", "no XML", "<a>" * 40 + "</a>" * 40, f"<a>{'x' * (1 << 20)}</a>"),
            *(b"\xff\xfe<\x00", '<?xml version="1.0" encoding="x-none"?><a/>'),
        ],
    )
    async def test_what_is_no_assertion(self, probe: Probe, document: str | bytes) -> None:
        assert await refusal(probe, document) == INVALID

    @pytest.mark.parametrize("assertion", ["", "%%%", "é", "a"])
    async def test_what_is_no_base64(self, probe: Probe, assertion: str) -> None:
        answer = await probe.token(None, grant_type=SAML_BEARER, assertion=assertion)

        assert answer.json()["error_description"] == "invalid assertion"

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.data())
    def test_no_single_change_of_a_byte_is_believed_to_say_something_else(
        self, org: InProcess, data: st.DataObject
    ) -> None:
        document = bytearray(signed(org, assertion_id="_fixed").encode())
        at = data.draw(st.integers(0, len(document) - 1))
        document[at] = data.draw(st.integers(0, 255))
        audiences = {LOGIN, org.login_url}
        meant = Destination(audiences, {f"{org.login_url}/services/oauth2/token"})
        encoded = base64.urlsafe_b64encode(bytes(document)).decode()

        try:
            found = verify_saml(encoded, org.instance.apps, meant, org.instance.clock.time())
        except OAuthError:
            return
        assert (found.username, found.assertion_id) == (org.username, "_fixed")


def _wrapped(wrapper: str, good: str, forged: SamlDraft) -> str:
    """The forged assertion, with the signature of the good one and that one somewhere inside."""
    start = good.index("<ds:Signature")
    end = good.index("</ds:Signature>") + len("</ds:Signature>")
    signature, original = good[start:end], good[:start] + good[end:]
    if wrapper == "Response":
        protocol = "urn:oasis:names:tc:SAML:2.0:protocol"
        return f'<p:Response xmlns:p="{protocol}" ID="_r" Version="2.0">{good}</p:Response>'
    if wrapper == "Object":
        inside = f"<ds:Object>{original}</ds:Object></ds:Signature>"
        return forged.xml(signature.replace("</ds:Signature>", inside))
    return forged.xml(f"{signature}<saml:Advice>{original}</saml:Advice>")


async def test_the_control_api_signs_assertions_to_try(probe: Probe) -> None:
    url = f"{probe.org.control_url}/saml-assertion"
    answer = Answer(*await probe.org.handle("POST", url, {}, b""))
    late = Answer(*await probe.org.handle("POST", url, {}, b'{"valid_s": -600}'))

    assert (await ask(probe, answer.json()["assertion"])).status == 200
    assert await refusal(probe, late.json()["assertion"]) == EXPIRED
