"""SAML assertions: what is sent, and what is found wrong with them before that."""

from __future__ import annotations

import base64
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext
from sfconnect.auth.store import identity_key, secrets_of
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ClockSkewError,
    ConfigurationError,
    ReauthorizationRequired,
)
from sfconnect.salesforce.auth import SamlBearer
from sfconnect.salesforce.auth.saml_assertion import MAX_CHARACTERS, read_assertion
from sfconnect.testing import FakeClock, ScriptedSender, answer
from sfconnect.testing.senders import text_of
from tests.unit.salesforce.auth.assertions import (
    ACME,
    LOGIN,
    NOW,
    assertion,
    at,
    confirmation,
)

GRANT = "urn:ietf:params:oauth:grant-type:saml2-bearer"
TOKEN = answer({"access_token": "00Dxx!abc", "instance_url": ACME})
SAML = SamlBearer(ACME, assertion=assertion())


def context(sender: ScriptedSender, now: float = NOW) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    log = structlog.get_logger()
    return AuthContext(send=sender, child=no_child, log=log, clock=FakeClock(wall=now))


def sent_xml(sender: ScriptedSender) -> str:
    form = dict(parse_qsl(text_of(sender.last), keep_blank_values=True))
    assert set(form) == {"grant_type", "assertion"}
    assert form["grant_type"] == GRANT
    encoded = form["assertion"]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


async def sent(strategy: SamlBearer) -> str:
    sender = ScriptedSender(TOKEN)
    await strategy.authenticate(context(sender))
    return sent_xml(sender)


async def refused(strategy: SamlBearer, now: float = NOW) -> AuthError:
    """The error of a login that sends nothing."""
    sender = ScriptedSender()
    with pytest.raises(AuthError) as caught:
        await strategy.authenticate(context(sender, now))
    assert sender.requests == []
    return caught.value


async def test_the_assertion_goes_out_as_it_is_in_base64url():
    sender = ScriptedSender(TOKEN)

    credentials = await SAML.authenticate(context(sender))

    assert sender.last.path == f"{ACME}/services/oauth2/token"
    assert sent_xml(sender) == assertion()
    assert "=" not in text_of(sender.last).partition("assertion=")[2]
    assert credentials.access_token == Secret("00Dxx!abc")


async def source() -> str:
    return assertion()


FORMS: dict[str, Callable[[str], str]] = {
    "text": lambda xml: xml,
    "with a declaration": lambda xml: f'<?xml version="1.0" encoding="UTF-8"?>{xml}',
    "base64": lambda xml: base64.b64encode(xml.encode()).decode(),
    "base64 in lines": lambda xml: base64.encodebytes(xml.encode()).decode(),
    "base64url": lambda xml: base64.urlsafe_b64encode(xml.encode()).decode().rstrip("="),
    "with spaces and a mark around it": lambda xml: f"\n \ufeff{xml}\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_it_is_taken_in_any_form(form):
    xml = assertion(name_id="<saml:NameID>ädä?~@example.com</saml:NameID>")

    assert (await sent(replace(SAML, assertion=form(xml)))).endswith(xml)


async def test_a_new_one_is_got_for_each_login(tmp_path):
    path = tmp_path / "assertion.xml"
    path.write_text(assertion())
    strategy = SamlBearer(ACME, assertion_file=path)
    before = await sent(strategy)

    path.write_text(assertion(name_id="<saml:NameID>bob@example.com</saml:NameID>"))

    assert before != await sent(strategy)


async def test_commands_and_callbacks_give_one_too(tmp_path):
    path = tmp_path / "assertion.xml"
    path.write_text(assertion())
    program = f"print(open({str(path)!r}).read())"

    by_command = SamlBearer(ACME, assertion_command=(sys.executable, "-SEc", program))
    by_callback = SamlBearer(ACME, assertion_source=source, username="ada@example.com")

    assert await sent(by_command) == await sent(by_callback) == assertion()
    assert shlex.join(by_command.assertion_command or ())


WRONG = {
    "no XML": ("canary", "is neither XML nor XML in base64"),
    "base64 of something else": (base64.b64encode(b"canary!").decode(), "is neither XML"),
    "cut off": (assertion()[:-20], "is no well-formed XML"),
    "a document type": (
        assertion(head='<!DOCTYPE x [<!ENTITY canary "canary">]>'),
        "has a document type",
    ),
    "an entity of its own": (
        assertion(issuer="<saml:Issuer>&canary;</saml:Issuer>"),
        "well-formed",
    ),
    "another encoding": (
        assertion(head='<?xml version="1.0" encoding="utf-16"?>'),
        "declares another encoding",
    ),
    "far too long": (assertion(issuer="x" * MAX_CHARACTERS), "which no assertion has"),
    "a null": (assertion(issuer="\0"), "is no well-formed XML"),
    "half a character": (assertion(issuer="\ud800"), "is no well-formed XML"),
    "a response": (
        f'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol">{assertion()}</p:Response>',
        "is a SAML Response; the flow takes the Assertion inside it",
    ),
    "encrypted": (
        '<EncryptedAssertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>',
        "is encrypted",
    ),
    "SAML 1.1": ('<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion"/>', "is of SAML 1.1"),
    "a page": ("<html><body>Sign in</body></html>", "is another document"),
    "not signed": (assertion(signature=""), "is not signed"),
    "no issuer": (assertion(issuer=""), "has no Issuer"),
    "no name": (assertion(name_id="<saml:NameID> </saml:NameID>"), "has no NameID"),
    "no time": (assertion(times='NotOnOrAfter="tomorrow"'), "has a NotOnOrAfter that is no time"),
    "no end": (
        assertion(times="", confirmations=confirmation(ends=None)),
        "tells no end of its validity",
    ),
    "another audience": (
        assertion(audience="<saml:Audience>https://test.salesforce.com</saml:Audience>"),
        f"is for the audience https://test.salesforce.com, not for {LOGIN}",
    ),
    "no audience": (assertion(audience=""), "is for the audience nobody"),
    "another recipient": (
        assertion(confirmations=confirmation("https://acme.example/token")),
        f"names as recipient https://acme.example/token, not {ACME}/services/oauth2/token",
    ),
    "no URL as recipient": (assertion(confirmations=confirmation("https://[")), "as recipient"),
    "no bearer": (
        assertion(
            confirmations=confirmation(method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
        ),
        "names as recipient no bearer at all",
    ),
}


@pytest.mark.parametrize(("text", "problem"), WRONG.values(), ids=WRONG)
async def test_what_cannot_work_is_told_before_it_is_sent(text, problem):
    error = await refused(replace(SAML, assertion=text))

    assert type(error) is AuthConfigurationError
    assert error.hopeless
    assert problem in error.message
    assert error.docs_key == "saml-assertion"
    assert "canary" not in str(error)


async def test_an_assertion_has_to_be_about_the_user_that_was_meant():
    error = await refused(replace(SAML, username="bob@example.com"))

    assert "is about ada@example.com, not about bob@example.com" in error.message


OVER = {
    "whole": assertion(times=f'NotOnOrAfter="{at(0)}"'),
    "the bearer's time": assertion(confirmations=confirmation(ends=at(0))),
    "of two bearers the later": assertion(
        confirmations=confirmation(ends=at(-90)) + confirmation(ends=at(0))
    ),
    "written without a zone": assertion(times=f'NotOnOrAfter="{at(0).removesuffix("Z")}"'),
    "written with another": assertion(times='NotOnOrAfter="2027-01-15T10:00:00.000+02:00"'),
}


@pytest.mark.parametrize("text", OVER.values(), ids=OVER)
async def test_an_assertion_that_has_ended_needs_a_new_one(text):
    error = await refused(replace(SAML, assertion=text))
    assert await sent_at(text, NOW - 1)

    assert type(error) is ReauthorizationRequired
    assert "has ended on 2027-01-15 08:00:00 UTC; it is 2027-01-15 08:00:00 UTC now" in str(error)


async def sent_at(text: str, now: float) -> bool:
    sender = ScriptedSender(TOKEN)
    await replace(SAML, assertion=text).authenticate(context(sender, now))
    return len(sender.requests) == 1


async def test_a_bearer_without_an_end_may_use_the_whole_time():
    text = assertion(confirmations=confirmation(ends=at(-90)) + confirmation(ends=None))

    assert await sent_at(text, NOW)


async def test_an_assertion_of_the_future_is_a_matter_of_clocks():
    error = await refused(SAML, now=NOW - 61)

    assert type(error) is ClockSkewError
    assert "by this machine's clock it is 2027-01-15 07:58:59 UTC" in error.message
    assert "NTP" in (error.hint or "")


ALLOWED: list[tuple[dict[str, Any], str, str]] = [
    ({}, LOGIN, f"{ACME}/services/oauth2/token"),
    ({}, f"{LOGIN}/", f"{LOGIN}/services/oauth2/token"),
    ({}, ACME, f"{ACME}/services/oauth2/token?so=00D000000000001"),
    ({"audience": "urn:acme"}, "urn:acme", f"{ACME}/services/oauth2/token"),
    (
        {"login_url": "https://acme.my.site.com/portal"},
        "https://acme.my.site.com/portal",
        "https://acme.my.site.com/portal/services/oauth2/token",
    ),
    (
        {"login_url": "https://acme--uat.sandbox.my.salesforce.com"},
        "https://test.salesforce.com",
        "https://acme--uat.sandbox.my.salesforce.com/services/oauth2/token",
    ),
]


@pytest.mark.parametrize(("options", "audience", "recipient"), ALLOWED)
async def test_audience_and_recipient_are_those_of_the_login_host(options, audience, recipient):
    text = assertion(
        audience=f"<saml:Audience>urn:other</saml:Audience><saml:Audience>{audience}</saml:Audience>",
        confirmations=confirmation(recipient),
    )

    await sent(replace(SAML, assertion=text, **options))


async def test_a_given_audience_is_the_only_one():
    assert "not for urn:acme" in str(await refused(replace(SAML, audience="urn:acme")))


async def test_a_refusal_names_user_and_app_and_repeats_no_assertion():
    sender = ScriptedSender()
    encoded = read_assertion(Secret(assertion())).encoded
    body = {"error": "invalid_grant", "error_description": f"bad {encoded}"}
    sender.script.append(answer(body, status=400))

    with pytest.raises(AuthError) as caught:
        await SAML.authenticate(context(sender))

    assert "client_id 3MVG9a…, username ada@example.com" in caught.value.message
    assert encoded not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"assertion": None}, "none is given"),
        ({"assertion_file": "x"}, "assertion and assertion_file are given"),
        ({"assertion": None, "assertion_source": source}, "needs username"),
        ({"assertion": None, "assertion_command": "'open"}, "assertion_command must be"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: Any, problem: str):
    with pytest.raises(ConfigurationError, match=problem):
        replace(SAML, **options)


def test_each_users_assertion_has_an_identity_of_its_own():
    keys = {
        identity_key(one)
        for one in (
            SAML,
            replace(SAML, assertion="of bob"),
            SamlBearer(ACME, assertion_source=source, username="ada"),
            SamlBearer(ACME, assertion_source=source, username="bob"),
            SamlBearer(ACME, assertion_file="a"),
            SamlBearer(ACME, assertion_file="b"),
        )
    }

    assert len(keys) == 6
    assert secrets_of(SAML) == [assertion()]
    assert "ada@example.com" not in repr(SAML)


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_texts_that_are_no_assertion_are_told_as_such(text: str):
    with pytest.raises(AuthConfigurationError) as caught:
        read_assertion(Secret(text))

    assert caught.value.docs_key == "saml-assertion"


PIECES = st.sampled_from(
    (
        *("<", ">", "/", "&", "&amp;", "<!--", "-->", "<![CDATA[", "]]>", "<?x", "?>"),
        *("<!DOCTYPE a>", "saml:", "Assertion", ' a="', '"', "\0", "é", "&#0;", "&#xD800;"),
    )
)


@given(st.integers(0, len(assertion())), st.integers(0, 40), st.lists(PIECES, max_size=5))
def test_a_damaged_assertion_is_read_or_refused(place: int, length: int, pieces: list[str]):
    whole = assertion()
    damaged = whole[:place] + "".join(pieces) + whole[place + length :]

    try:
        read = read_assertion(Secret(damaged))
    except AuthConfigurationError:
        return
    assert "<!DOCTYPE" not in damaged
    assert read.xml.decode() == damaged.strip()


def test_a_large_document_is_read_in_no_time():
    deep = assertion(issuer="<a>" * 100_000 + "</a>" * 100_000)

    began = time.monotonic()
    with pytest.raises(AuthConfigurationError, match="Issuer"):
        read_assertion(Secret(deep))

    assert time.monotonic() - began < 5


async def test_revoking_ends_the_session_in_the_org_and_shows_no_assertion():
    sender = ScriptedSender(TOKEN, answer(b""))
    credentials = await SAML.authenticate(context(sender))

    await SAML.revoke(context(sender), credentials)

    assert sender.last.path == f"{ACME}/services/oauth2/revoke"
    assert text_of(sender.last) == "token=00Dxx%21abc"
