"""Policies of apps and of the org, each with the refusal that it provokes."""

from __future__ import annotations

import json

import pytest

from sfconnect_emulator.probe import Answer, Probe


async def login(probe: Probe, **changes: str) -> Answer:
    form = {
        "grant_type": "client_credentials",
        "client_id": probe.org.client_id,
        "client_secret": probe.org.client_secret,
        **changes,
    }
    return await probe.token(None, **form)


def refusal(answer: Answer) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status, body["error"], body["error_description"]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({"propagated": False}, ("invalid_client_id", "client identifier invalid")),
        (
            {"installed": False},
            ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org"),
        ),
        ({"ip_ranges": ["10.0.0.0/8"]}, ("invalid_grant", "ip restricted")),
        ({"flows": []}, ("unsupported_grant_type", "grant type not supported")),
        ({"run_as": None}, ("invalid_grant", "no client credentials user enabled")),
        ({"scopes": ["full", "web"]}, ("invalid_grant", "no valid scopes defined")),
    ],
    ids=str,
)
async def test_policies_of_an_app_refuse(
    probe: Probe, policy: dict[str, object], wanted: tuple[str, str]
) -> None:
    probe.org.control.change_app(probe.org.client_id, policy)

    assert refusal(await login(probe)) == (400, *wanted)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({"active": False}, ("inactive_org", "inactive organization")),
        (
            {"blocked_flows": ["client_credentials"]},
            ("unsupported_grant_type", "grant type not supported"),
        ),
        ({"logins_per_hour": 0}, ("invalid_grant", "login rate exceeded")),
    ],
    ids=str,
)
async def test_policies_of_the_org_refuse_until_the_reset(
    probe: Probe, policy: dict[str, object], wanted: tuple[str, str]
) -> None:
    probe.org.control.change_org(policy)
    refused = await login(probe)
    probe.org.control.reset()

    assert refusal(refused) == (400, *wanted)
    assert (await login(probe)).status == 200


async def test_callers_inside_a_range_are_let_in(probe: Probe) -> None:
    probe.org.control.change_app(
        probe.org.client_id, {"ip_ranges": ["10.0.0.0/8", "2001:db8::/32"]}
    )
    probe.org.control.change_org({"caller_address": "10.1.2.3"})

    assert (await login(probe)).status == 200


async def test_two_secrets_are_good_while_one_takes_the_place_of_the_other(probe: Probe) -> None:
    probe.org.control.change_app(probe.org.client_id, {"client_secret_next": "the next"})
    both = [await login(probe), await login(probe, client_secret="the next")]
    probe.org.control.change_app(
        probe.org.client_id, {"client_secret": "the next", "client_secret_next": None}
    )

    assert [answer.status for answer in both] == [200, 200]
    assert refusal(await login(probe))[1] == "invalid_client"


@pytest.mark.parametrize("way", ["user", "scope"])
async def test_a_session_may_be_alive_and_no_good_for_rest(probe: Probe, way: str) -> None:
    if way == "user":
        probe.org.control.change_org({"users_without_api": [probe.org.username.upper()]})
    else:
        probe.org.control.change_app(probe.org.client_id, {"scopes": ["cdp_query_api"]})

    answer = await probe.get("/limits")

    assert answer.status == 401
    assert answer.json() == [
        {
            "message": "This session is not valid for use with the REST API",
            "errorCode": "INVALID_SESSION_ID",
        }
    ]


async def test_an_org_may_have_no_api(probe: Probe) -> None:
    probe.org.control.change_org({"api_enabled": False})

    answer = await probe.get("/limits")

    assert (answer.status, answer.json()[0]["errorCode"]) == (403, "API_DISABLED_FOR_ORG")


async def test_an_app_that_is_not_installed_is_refused_in_the_browser_too(probe: Probe) -> None:
    probe.org.control.change_app(probe.org.client_id, {"installed": False})

    answer = await probe.send(
        "GET", f"/services/oauth2/authorize?response_type=code&client_id={probe.org.client_id}"
    )

    assert answer.status == 400
    assert b"OAUTH_EC_APP_NOT_FOUND" in answer.body


async def test_policies_can_be_seen_and_changed_over_http(probe: Probe) -> None:
    body = json.dumps({"caller_address": "192.0.2.1"}).encode()

    changed = await probe.send("PATCH", "/__control__/org", {}, body)
    seen = await probe.send("GET", "/__control__/org")

    assert changed.json() == seen.json()
    assert seen.json()["caller_address"] == "192.0.2.1"


@pytest.mark.parametrize(
    "policy", [{"nothing": 1}, {"active": "yes"}, {"caller_address": "nowhere"}], ids=str
)
async def test_bad_policies_of_the_org_are_refused(probe: Probe, policy: dict[str, object]) -> None:
    answer = await probe.send("PATCH", "/__control__/org", {}, json.dumps(policy).encode())

    assert answer.status == 400


async def test_bad_ranges_of_an_app_are_refused(probe: Probe) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        probe.org.control.change_app(probe.org.client_id, {"ip_ranges": ["nowhere"]})
