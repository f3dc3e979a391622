"""Consents of users end with the refresh tokens that they gave."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from sfconnect_emulator.probe import Probe

CALLBACK = "http://127.0.0.1:1718/OauthRedirect"


@pytest.fixture
def probe(probe: Probe) -> Probe:
    """A probe of an org whose app users have to approve themselves."""
    probe.org.control.change_app(probe.org.client_id, {"admin_approval": False})
    return probe


async def consent(probe: Probe) -> str:
    """Log in and allow, as a user in a browser; the refresh token that the app gets."""
    asked = {"response_type": "code", "client_id": probe.org.client_id, "redirect_uri": CALLBACK}
    url = f"{probe.org.login_url}/services/oauth2/authorize?{urlencode(asked)}"
    location = probe.org.control.authorize(url)
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    form = {"client_id": probe.org.client_id, "redirect_uri": CALLBACK, "code": code}
    answer = await probe.token(None, grant_type="authorization_code", **form)
    return str(answer.json()["refresh_token"])


def consented(probe: Probe) -> bool:
    approvals = probe.org.instance.authorization.state.admission.approvals
    return approvals.exists(probe.org.client_id, probe.org.instance.org.user.id)


async def test_revoking_the_last_refresh_token_drops_the_consent(probe: Probe) -> None:
    probe.org.control.revoke_tokens(refresh_tokens=True)
    token = await consent(probe)
    before = consented(probe)

    answer = await probe.post_form("/services/oauth2/revoke", None, token=token)

    assert (answer.status, before, consented(probe)) == (200, True, False)


async def test_revoking_one_of_two_refresh_tokens_leaves_the_consent(probe: Probe) -> None:
    probe.org.control.revoke_tokens(refresh_tokens=True)
    first, second = await consent(probe), await consent(probe)

    await probe.post_form("/services/oauth2/revoke", None, token=first)
    left = consented(probe)
    await probe.post_form("/services/oauth2/revoke", None, token=second)

    assert (left, consented(probe)) == (True, False)


async def test_revoking_an_access_token_leaves_the_consent(probe: Probe) -> None:
    await consent(probe)

    await probe.post_form("/services/oauth2/revoke", None, token=await probe.login())

    assert consented(probe)


async def test_revoking_everything_drops_all_consents(probe: Probe) -> None:
    await consent(probe)

    probe.org.control.revoke_tokens(refresh_tokens=True)

    assert not consented(probe)
