from __future__ import annotations

import gzip
import json
import re
import zlib
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Probe

NOT_FOUND = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'


class TestVersions:
    async def test_are_listed_ascending_without_login(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/data/")

        listed = answer.json()
        assert [entry["version"] for entry in listed] == [f"{n}.0" for n in range(41, 69)]
        assert listed[0]["label"] == "Winter '18"
        assert listed[-1] == {
            "label": "Winter '27",
            "url": "/services/data/v68.0",
            "version": "68.0",
        }
        assert "Sforce-Limit-Info" not in answer.headers

    async def test_cannot_be_changed(self, probe: Probe) -> None:
        answer = await probe.send("DELETE", "/services/data")

        assert answer.status == 405

    @pytest.mark.parametrize(
        "version", ["v999.0", "vfoo", "68.0", "v68", "v68.1", "v69.0", "v068.0"]
    )
    async def test_that_never_existed_are_404_also_without_login(
        self, probe: Probe, version: str
    ) -> None:
        answer = await probe.send("GET", f"/services/data/{version}/limits")

        assert (answer.status, answer.body) == (404, NOT_FOUND)
        assert "Sforce-Limit-Info" not in answer.headers

    @pytest.mark.parametrize("version", [7, 20, 30, 40])
    async def test_that_are_switched_off_are_410(self, probe: Probe, version: int) -> None:
        answer = await probe.get("/limits", version=version)

        assert answer.status == 410
        assert answer.json()[0]["errorCode"] == "UNSUPPORTED_API_VERSION"

    @pytest.mark.parametrize("version", [41, 68])
    async def test_at_both_ends_answer(self, probe: Probe, version: int) -> None:
        assert (await probe.get("/limits", version=version)).status == 200


class TestSession:
    async def test_is_needed(self, probe: Probe) -> None:
        answer = await probe.send("GET", "/services/data/v68.0/limits")

        assert answer.status == 401
        assert answer.body == (
            b'[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'
        )
        assert "Sforce-Limit-Info" not in answer.headers

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "token"])
    async def test_header_has_to_hold_a_token(self, probe: Probe, header: str) -> None:
        answer = await probe.get("/limits", headers={"Authorization": header})

        assert answer.status == 401
        assert answer.json()[0]["errorCode"] == "INVALID_AUTH_HEADER"

    async def test_may_be_given_with_the_old_scheme(self, probe: Probe) -> None:
        token = await probe.login()

        answer = await probe.get("/limits", headers={"Authorization": f"OAuth {token}"})

        assert answer.status == 200


class TestHeaders:
    async def test_are_those_that_orgs_send(self, probe: Probe, clock: Clock) -> None:
        answer = await probe.get("/limits")

        headers = answer.headers
        assert headers["Content-Type"] == "application/json;charset=UTF-8"
        assert headers["Cache-Control"] == "no-cache,must-revalidate,max-age=0,no-store,private"
        assert headers["Vary"] == "Accept-Encoding"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Set-Cookie"].startswith("BrowserId=")
        assert re.fullmatch(r"[0-9a-f]{32}", headers["X-SFDC-Request-Id"])
        assert headers["X-Request-Id"] == headers["X-SFDC-Request-Id"]
        assert abs(parsedate_to_datetime(headers["Date"]) - clock.now()) < timedelta(seconds=3)

    async def test_date_follows_the_orgs_clock(self, probe: Probe, clock: Clock) -> None:
        clock.advance(3600)

        answer = await probe.get("/limits", headers={"Cookie": "BrowserId=abc"})

        assert abs(parsedate_to_datetime(answer.headers["Date"]) - clock.now()) < timedelta(
            seconds=3
        )

    async def test_cookie_is_not_set_again_for_those_who_have_it(self, probe: Probe) -> None:
        answer = await probe.get("/limits", headers={"Cookie": "BrowserId=abc"})

        assert "Set-Cookie" not in answer.headers

    async def test_request_ids_differ(self, probe: Probe) -> None:
        first, second = await probe.get("/limits"), await probe.get("/limits")

        assert first.headers["X-SFDC-Request-Id"] != second.headers["X-SFDC-Request-Id"]


class TestApiUsage:
    async def test_counts_up_with_every_call_on_a_known_version(self, probe: Probe) -> None:
        seen = [
            (await probe.get(path)).headers["Sforce-Limit-Info"] for path in ("/limits", "/nope")
        ]

        assert seen == ["api-usage=1/5000000", "api-usage=2/5000000"]

    async def test_counts_failures_of_the_caller_too(self, probe: Probe) -> None:
        answer = await probe.call("PUT", "/limits")

        assert answer.status == 405
        assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/5000000"

    async def test_shows_in_limits(self, probe: Probe) -> None:
        await probe.get("/limits")

        body = (await probe.get("/limits")).json()

        assert body["DailyApiRequests"] == {"Max": 5_000_000, "Remaining": 4_999_998}
        assert body["PermissionSets"]["CreateCustom"] == {"Max": 1000, "Remaining": 999}

    async def test_over_the_quota_is_refused_and_not_counted(self, probe: Probe) -> None:
        probe.org.control.set_daily_api_requests(1)
        await probe.get("/limits")

        answer = await probe.get("/limits")

        assert answer.status == 403
        assert answer.json() == [
            {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
        ]
        assert probe.org.instance.usage.used == 1

    async def test_forgets_calls_after_a_day(self, probe: Probe, clock: Clock) -> None:
        clock.freeze()
        probe.org.control.set_token_ttl(10**6)
        await probe.get("/limits")
        clock.advance(23 * 3600)
        await probe.get("/limits")

        clock.advance(3600)

        answer = await probe.get("/limits")
        assert answer.headers["Sforce-Limit-Info"] == "api-usage=2/5000000"

    @pytest.mark.parametrize(
        ("version", "name"), [(48, "DailyBulkApiRequests"), (49, "DailyBulkApiBatches")]
    )
    async def test_bulk_limit_has_the_name_of_its_time(
        self, probe: Probe, version: int, name: str
    ) -> None:
        body = (await probe.get("/limits", version=version)).json()

        assert {"DailyBulkApiRequests", "DailyBulkApiBatches"} & set(body) == {name}


class TestPaths:
    @pytest.mark.parametrize("path", ["/limits/", "//limits", "/limits//", "/%6Cimits"])
    async def test_doubled_and_trailing_slashes_do_not_matter(
        self, probe: Probe, path: str
    ) -> None:
        assert (await probe.get(path)).status == 200

    @pytest.mark.parametrize(
        "path", ["/Limits", "/SOBJECTS", "/nope", "/limits/nope", "/..", "/limits/../limits"]
    )
    async def test_literal_segments_are_taken_literally(self, probe: Probe, path: str) -> None:
        answer = await probe.get(path)

        assert (answer.status, answer.body) == (404, NOT_FOUND)

    async def test_root_of_a_version_lists_resources_that_answer(self, probe: Probe) -> None:
        body = (await probe.get("/")).json()

        org = probe.org.instance.org
        assert body["identity"] == f"{probe.org.login_url}/id/{org.org_id}/{org.user.id}"
        assert body["sobjects"] == "/services/data/v68.0/sobjects"
        for path in (body["limits"], body["sobjects"], body["recent"]):
            assert (await probe.get(path.removeprefix("/services/data/v68.0"))).status == 200


class TestMethods:
    async def test_that_are_not_allowed_are_told_with_those_that_are(self, probe: Probe) -> None:
        answer = await probe.call("PATCH", "/sobjects/Account", {})

        assert answer.status == 405
        assert answer.json() == [
            {
                "errorCode": "METHOD_NOT_ALLOWED",
                "message": "HTTP Method 'PATCH' not allowed. Allowed are GET,HEAD,POST",
            }
        ]

    async def test_head_answers_like_get_without_a_body(self, probe: Probe) -> None:
        got, headed = await probe.get("/limits"), await probe.call("HEAD", "/limits")

        assert (headed.status, headed.body) == (200, b"")
        assert headed.headers["Content-Type"] == got.headers["Content-Type"]
        assert "Sforce-Limit-Info" in headed.headers

    async def test_post_can_stand_for_another_method(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/limits?_HttpMethod=GET")

        assert answer.status == 200

    async def test_get_cannot(self, probe: Probe) -> None:
        answer = await probe.get("/sobjects/Account?_HttpMethod=DELETE")

        assert answer.status == 200


class TestFormats:
    async def test_json_is_compact(self, probe: Probe) -> None:
        body = (await probe.get("/limits")).body

        assert b": " not in body
        assert b"\n" not in body

    async def test_pretty_json_has_spaces_round_the_colon_and_means_the_same(
        self, probe: Probe
    ) -> None:
        plain = await probe.get("/sobjects/Account")

        pretty = await probe.get("/sobjects/Account", headers={"X-PrettyPrint": "1"})

        assert pretty.body.startswith(b'{\n  "objectDescribe" : {\n    "activateable" : false,')
        assert pretty.body.endswith(b'"recentItems" : [ ]\n}')
        assert pretty.json() == plain.json()

    async def test_pretty_errors_open_on_the_line_of_their_array(self, probe: Probe) -> None:
        answer = await probe.get("/nope", headers={"X-PrettyPrint": "1"})

        assert answer.body.startswith(b'[ {\n  "errorCode" : "NOT_FOUND",\n')
        assert answer.body.endswith(b"\n} ]")

    async def test_errors_are_xml_for_those_who_accept_it(self, probe: Probe) -> None:
        answer = await probe.get("/nope", headers={"Accept": "application/xml"})

        assert answer.headers["Content-Type"] == "application/xml;charset=UTF-8"
        assert answer.body == (
            b'<?xml version="1.0" encoding="UTF-8"?><Errors><Error><errorCode>NOT_FOUND</errorCode>'
            b"<message>The requested resource does not exist</message></Error></Errors>"
        )

    async def test_xml_errors_escape_and_name_fields(self, probe: Probe) -> None:
        answer = await probe.call(
            "POST", "/sobjects/Account", {}, headers={"Accept": "application/xml"}
        )

        assert b"<fields>Name</fields>" in answer.body


class TestCompression:
    async def test_of_answers_is_used_for_those_who_accept_it(self, probe: Probe) -> None:
        plain = await probe.get("/sobjects/Account/describe")

        packed = await probe.get(
            "/sobjects/Account/describe", headers={"Accept-Encoding": "gzip, deflate"}
        )

        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body

    async def test_is_not_worth_it_for_small_answers(self, probe: Probe) -> None:
        answer = await probe.get("/nope", headers={"Accept-Encoding": "gzip"})

        assert "Content-Encoding" not in answer.headers

    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
        ids=["gzip", "deflate", "identity"],
    )
    async def test_of_requests_is_understood(
        self, probe: Probe, encoding: str, pack: type[bytes]
    ) -> None:
        body = pack(json.dumps({"Name": "Packed"}).encode())

        answer = await probe.call(
            "POST", "/sobjects/Account", body, headers={"Content-Encoding": encoding}
        )

        assert answer.status == 201

    @pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b'{"Name":"x"}')[:-9]])
    async def test_that_is_broken_is_a_parser_error(self, probe: Probe, body: bytes) -> None:
        answer = await probe.call(
            "POST", "/sobjects/Account", body, headers={"Content-Encoding": "gzip"}
        )

        assert answer.status == 400
        assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"

    async def test_of_an_unknown_kind_is_refused(self, probe: Probe) -> None:
        answer = await probe.call(
            "POST", "/sobjects/Account", b"x", headers={"Content-Encoding": "br"}
        )

        assert answer.status == 415


class TestSizes:
    async def test_uris_beyond_16_kilobytes_get_a_page_of_the_edge(self, probe: Probe) -> None:
        answer = await probe.get("/limits?x=" + "a" * 16_384)

        assert answer.status == 414
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.body == b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"

    async def test_uris_just_below_pass(self, probe: Probe) -> None:
        assert (await probe.get("/limits?x=" + "a" * 15_900)).status == 200

    async def test_headers_count_too(self, probe: Probe) -> None:
        answer = await probe.get("/limits", headers={"X-Long": "a" * 16_384})

        assert answer.status == 431

    async def test_bodies_beyond_50_megabytes_are_refused(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/sobjects/Account", b" " * (50 * 1024 * 1024 + 1))

        assert answer.status == 413


class TestDescribe:
    async def test_of_all_objects_lists_them_by_name(self, probe: Probe) -> None:
        body = (await probe.get("/sobjects")).json()

        names = [entry["name"] for entry in body["sobjects"]]
        assert names == sorted(names)
        assert {"Account", "User", "Organization"} <= set(names)

    @pytest.mark.parametrize("name", ["Account", "account", "ACCOUNT"])
    async def test_of_one_object_takes_any_case(self, probe: Probe, name: str) -> None:
        body = (await probe.get(f"/sobjects/{name}/describe")).json()

        assert body["name"] == "Account"
        assert {"Id", "Name", "Ext_Id__c"} <= {field["name"] for field in body["fields"]}

    async def test_names_the_version_asked_for(self, probe: Probe) -> None:
        old, new = [
            (await probe.get("/sobjects/Account/describe", version=version)).json()["urls"][
                "sobject"
            ]
            for version in (50, 60)
        ]

        assert old == "/services/data/v50.0/sobjects/Account"
        assert new == "/services/data/v60.0/sobjects/Account"

    async def test_can_be_asked_for_only_if_changed(self, probe: Probe) -> None:
        first = await probe.get("/sobjects/Account/describe")
        since = {"If-Modified-Since": first.headers["Last-Modified"]}

        again = await probe.get("/sobjects/Account/describe", headers=since)

        assert re.fullmatch(r'"[0-9a-f]{8}"', first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert "Content-Type" not in again.headers

    @pytest.mark.parametrize("since", ["Mon, 01 Jan 2001 00:00:00 GMT", "long ago"])
    async def test_is_sent_when_changed_since_or_when_the_date_is_none(
        self, probe: Probe, since: str
    ) -> None:
        answer = await probe.get("/sobjects/Account/describe", headers={"If-Modified-Since": since})

        assert answer.status == 200

    @pytest.mark.parametrize(
        "path", ["/sobjects/Nope", "/sobjects/Nope/describe", "/sobjects/Account/describe/x"]
    )
    async def test_of_nothing_is_404(self, probe: Probe, path: str) -> None:
        answer = await probe.get(path)

        assert (answer.status, answer.body) == (404, NOT_FOUND)


async def test_a_failure_of_the_org_itself_is_a_500(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    await probe.login()
    monkeypatch.setattr(type(probe.org.instance.usage), "header", lambda _: 1 / 0)

    answer = await probe.get("/limits")

    assert answer.status == 500
    assert answer.json()[0]["errorCode"] == "UNKNOWN_EXCEPTION"


def test_two_orgs_of_one_seed_have_the_same_keys_and_ids_and_other_seeds_others() -> None:
    def seen(seed: int) -> tuple[str, ...]:
        with InProcess(seed=seed) as org:
            shown = org.announcement
        return (
            shown.client_id,
            shown.client_secret,
            shown.org_id,
            shown.username,
            shown.refresh_token,
        )

    assert seen(7) == seen(7)
    assert not set(seen(7)) & set(seen(8))
