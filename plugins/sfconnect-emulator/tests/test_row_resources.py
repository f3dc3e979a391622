"""How rows look over REST; what the store accepts and refuses is tested with the store."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfconnect_emulator.probe import Probe

NOT_FOUND = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'


async def new_account(probe: Probe, **fields: object) -> str:
    answer = await probe.call("POST", "/sobjects/Account", {"Name": "Acme", **fields})
    assert answer.status == 201
    return str(answer.json()["id"])


class TestCreate:
    async def test_answers_201_with_id_and_location(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/sobjects/account", {"name": "Acme"})

        record_id = answer.json()["id"]
        assert answer.status == 201
        assert answer.json() == {"id": record_id, "success": True, "errors": []}
        assert answer.headers["Location"] == f"/services/data/v68.0/sobjects/Account/{record_id}"
        assert re.fullmatch(r"001\w{15}", record_id)

    async def test_sets_owner_and_creator_to_the_user_of_the_session(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        row = (await probe.get(f"/sobjects/Account/{record_id}")).json()

        user_id = probe.org.instance.org.user.id
        assert row["OwnerId"] == row["CreatedById"] == row["LastModifiedById"] == user_id

    async def test_through_the_door_of_upserts(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/sobjects/Account/Id", {"Name": "Acme"})

        assert answer.status == 201
        assert answer.json()["created"] is True

    async def test_row_errors_name_their_fields(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/sobjects/Account", {"Phone": "1"})

        assert answer.status == 400
        assert answer.json() == [
            {
                "message": "Required fields are missing: [Name]",
                "errorCode": "REQUIRED_FIELD_MISSING",
                "fields": ["Name"],
            }
        ]

    async def test_of_an_unknown_field_names_no_fields(self, probe: Probe) -> None:
        answer = await probe.call("POST", "/sobjects/Account", {"Name": "x", "F__c": 1})

        assert answer.json() == [
            {
                "message": "No such column 'F__c' on sobject of type Account",
                "errorCode": "INVALID_FIELD",
            }
        ]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "The HTTP entity body is required, but this request has no entity body."),
            (b"  ", "The HTTP entity body is required, but this request has no entity body."),
            (
                b"{x}",
                "Unexpected character ('x' (code 120)): was expecting double-quote to start field "
                "name at [line:1, column:3]",
            ),
            (
                b'{"Name" "x"}',
                "Unexpected character ('\"' (code 34)): was expecting a colon to separate field "
                "name and value at [line:1, column:10]",
            ),
            (
                b'{"Name":\n nope}',
                "Unexpected character ('n' (code 110)): expected a valid value (number, String, "
                "array, object, 'true', 'false' or 'null') at [line:2, column:3]",
            ),
            (
                b'{"Name":"x"',
                "Unexpected end-of-input: expected close marker for OBJECT at [line:1, column:13]",
            ),
            (
                b"[]",
                "Cannot deserialize instance of SObject from START_ARRAY value [ or request may "
                "be missing a required field at [line:1, column:1]",
            ),
            (
                b"7",
                "Cannot deserialize instance of SObject from value 7 or request may be missing a "
                "required field at [line:1, column:1]",
            ),
            (
                b'{"Name":"\xff"}',
                "Invalid UTF-8 or number in the entity body at [line:1, column:1]",
            ),
        ],
        ids=["none", "blank", "name", "colon", "value", "end", "array", "number", "utf-8"],
    )
    async def test_of_no_json_object_is_a_parser_error(
        self, probe: Probe, body: bytes, message: str
    ) -> None:
        answer = await probe.call("POST", "/sobjects/Account", body)

        assert answer.status == 400
        assert answer.json() == [{"message": message, "errorCode": "JSON_PARSER_ERROR"}]

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
    async def test_takes_json_only(self, probe: Probe, kind: str) -> None:
        answer = await probe.call(
            "POST", "/sobjects/Account", b"Name=x", headers={"Content-Type": kind}
        )

        assert answer.status == 415
        assert answer.json()[0]["errorCode"] == "UNSUPPORTED_MEDIA_TYPE"

    async def test_of_an_unknown_object_is_404_whatever_the_verb(self, probe: Probe) -> None:
        for method in ("GET", "POST", "PATCH", "PUT"):
            answer = await probe.call(method, "/sobjects/Nope", {})
            assert (answer.status, answer.body) == (404, NOT_FOUND)


class TestRetrieve:
    async def test_shows_the_fields_asked_for_by_their_own_names(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        answer = await probe.get(f"/sobjects/ACCOUNT/{record_id[:15]}?fields=name,%20ID")

        assert answer.json() == {
            "attributes": {
                "type": "Account",
                "url": f"/services/data/v68.0/sobjects/Account/{record_id}",
            },
            "Name": "Acme",
            "Id": record_id,
        }

    @pytest.mark.parametrize("query", ["", "?fields=", "?fields=%20,"])
    async def test_shows_every_field_where_none_is_named(self, probe: Probe, query: str) -> None:
        record_id = await new_account(probe)

        row = (await probe.get(f"/sobjects/Account/{record_id}{query}")).json()

        described = (await probe.get("/sobjects/Account/describe")).json()
        assert set(row) == {"attributes", *(field["name"] for field in described["fields"])}

    async def test_has_the_version_asked_for_in_its_url(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        row = (await probe.get(f"/sobjects/Account/{record_id}", version=50)).json()

        assert row["attributes"]["url"].startswith("/services/data/v50.0/")

    async def test_of_an_id_that_never_existed_is_404(self, probe: Probe) -> None:
        answer = await probe.get("/sobjects/Account/001000000000001AAA")

        assert (answer.status, answer.body) == (404, NOT_FOUND)

    async def test_of_a_blob_gives_bytes(self, probe: Probe) -> None:
        created = await probe.call(
            "POST",
            "/sobjects/ContentVersion",
            {"Title": "t", "PathOnClient": "t.bin", "VersionData": "AP8Q"},
        )

        answer = await probe.get(f"/sobjects/ContentVersion/{created.json()['id']}/VersionData")

        assert (answer.status, answer.body) == (200, b"\x00\xff\x10")
        assert answer.headers["Content-Type"] == "application/octetstream"


class TestUpdateAndDelete:
    async def test_update_answers_204_without_body_and_type(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        answer = await probe.call("PATCH", f"/sobjects/Account/{record_id}", {"Name": "New"})

        row = (await probe.get(f"/sobjects/Account/{record_id}?fields=Name")).json()
        assert (answer.status, answer.body) == (204, b"")
        assert "Content-Type" not in answer.headers
        assert row["Name"] == "New"

    async def test_update_by_post_with_the_method_in_the_query(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        answer = await probe.call(
            "POST", f"/sobjects/Account/{record_id}?_HttpMethod=PATCH", {"Name": "New"}
        )

        assert answer.status == 204

    async def test_update_refuses_an_id_in_the_body(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        answer = await probe.call(
            "PATCH", f"/sobjects/Account/{record_id}", {"Id": record_id, "Name": "x"}
        )

        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"

    async def test_deleted_rows_are_gone_for_every_verb(self, probe: Probe) -> None:
        record_id = await new_account(probe)
        path = f"/sobjects/Account/{record_id}"

        first = await probe.call("DELETE", path)
        later = [
            await probe.get(path),
            await probe.call("PATCH", path, {"Name": "x"}),
            await probe.call("DELETE", path),
        ]

        assert (first.status, first.body) == (204, b"")
        for answer in later:
            assert answer.status == 404
            assert answer.json() == [
                {"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}
            ]

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    async def test_writes_to_ids_that_never_existed_are_cross_reference_errors(
        self, probe: Probe, method: str
    ) -> None:
        answer = await probe.call(method, "/sobjects/Account/001000000000001AAA", {"Name": "x"})

        assert answer.status == 404
        assert answer.json()[0]["errorCode"] == "INVALID_CROSS_REFERENCE_KEY"


class TestExternalId:
    PATH = "/sobjects/Account/Ext_Id__c/K-1"

    async def test_upsert_creates_with_201_then_updates_with_200(self, probe: Probe) -> None:
        first = await probe.call("PATCH", self.PATH, {"Name": "One"})
        second = await probe.call("PATCH", self.PATH.lower().replace("k-1", "K-1"), {"Name": "Two"})

        record_id = first.json()["id"]
        assert first.status == 201
        assert first.json() == {"id": record_id, "success": True, "errors": [], "created": True}
        assert first.headers["Location"].endswith(record_id)
        assert second.status == 200
        assert second.json() == {"id": record_id, "success": True, "errors": [], "created": False}

    async def test_upsert_before_v46_answers_201_without_created_then_204(
        self, probe: Probe
    ) -> None:
        first = await probe.call("PATCH", self.PATH, {"Name": "One"}, version=45)
        second = await probe.call("PATCH", self.PATH, {"Name": "Two"}, version=45)

        assert first.status == 201
        assert set(first.json()) == {"id", "success", "errors"}
        assert (second.status, second.body) == (204, b"")

    async def test_upsert_by_id_updates(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        answer = await probe.call("PATCH", f"/sobjects/Account/Id/{record_id}", {"Name": "x"})

        assert (answer.status, answer.json()["created"]) == (200, False)

    async def test_update_only_does_not_create(self, probe: Probe) -> None:
        missing = await probe.call("PATCH", f"{self.PATH}?updateOnly=true", {"Name": "x"})
        await probe.call("PATCH", self.PATH, {"Name": "x"})
        present = await probe.call("PATCH", f"{self.PATH}?updateOnly=true", {"Name": "y"})

        assert (missing.status, missing.body) == (404, NOT_FOUND)
        assert present.status == 200

    async def test_refuses_fields_that_are_no_external_ids(self, probe: Probe) -> None:
        answer = await probe.call("PATCH", "/sobjects/Account/Phone/1", {"Name": "x"})

        assert answer.status == 404
        assert answer.json()[0]["message"] == (
            "Provided external ID field does not exist or is not accessible: Phone"
        )

    async def test_refuses_the_key_in_the_body(self, probe: Probe) -> None:
        answer = await probe.call("PATCH", self.PATH, {"Name": "x", "Ext_Id__c": "K-1"})

        assert answer.json() == [
            {
                "message": "The Ext_Id__c field should not be specified in the sobject data.",
                "errorCode": "INVALID_FIELD",
            }
        ]

    async def test_can_be_got_and_headed_and_deleted(self, probe: Probe) -> None:
        await probe.call("PATCH", self.PATH, {"Name": "One"})

        got = await probe.get(f"{self.PATH}?fields=Name")
        headed = await probe.call("HEAD", self.PATH)
        deleted = await probe.call("DELETE", self.PATH)
        gone = await probe.get(self.PATH)

        assert got.json()["Name"] == "One"
        assert (headed.status, headed.body) == (200, b"")
        assert (deleted.status, gone.status) == (204, 404)

    async def test_that_several_rows_have_answers_300_with_their_paths(self, probe: Probe) -> None:
        ids = [await self._with_shared_key(probe) for _ in range(2)]
        path = f"/sobjects/{ids[0][0]}/{ids[0][1]}/shared"

        answers = [
            await probe.get(path),
            await probe.call("PATCH", path, {}),
            await probe.call("DELETE", path),
        ]

        wanted = [f"/services/data/v68.0/sobjects/{name}/{one}" for name, _, one in ids]
        for answer in answers:
            assert answer.status == 300
            assert answer.json() == wanted

    async def _with_shared_key(self, probe: Probe) -> tuple[str, str, str]:
        """Make a row of an object whose external id may repeat."""
        for t in probe.org.instance.schema:
            for field in t.fields:
                if field.external_id and not field.unique and field.type == "string":
                    body = {field.name: "shared", **required_of(probe, t.name)}
                    answer = await probe.call("POST", f"/sobjects/{t.name}", body)
                    return t.name, field.name, str(answer.json()["id"])
        raise AssertionError("no object has an external id that may repeat")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(key=st.text(min_size=1, max_size=20).filter(lambda text: text.strip() == text))
    async def test_any_text_can_be_a_key_when_it_is_percent_encoded(
        self, probe: Probe, key: str
    ) -> None:
        path = f"/sobjects/Account/Ext_Id__c/{quote(key, safe='')}"

        created = await probe.call("PATCH", path, {"Name": "Any"})
        found = await probe.get(f"{path}?fields=Ext_Id__c")

        assert created.status in {200, 201}
        assert found.json()["Ext_Id__c"].casefold() == key.casefold()


def required_of(probe: Probe, name: str) -> dict[str, object]:
    t = probe.org.instance.schema.get(name)
    assert t is not None
    return {
        field.name: "x"
        for field in t.fields
        if not field.nillable and field.createable and field.type == "string"
        and field.default_value is None and not field.defaulted_on_create
    }  # fmt: skip


class TestCounts:
    async def test_of_rows_leave_out_names_of_no_object(self, probe: Probe) -> None:
        await new_account(probe)

        answer = await probe.get("/limits/recordCount?sObjects=Contact,account,Nope")

        assert answer.json() == {
            "sObjects": [{"count": 0, "name": "Contact"}, {"count": 1, "name": "Account"}]
        } or answer.json() == {
            "sObjects": [{"count": 1, "name": "Account"}, {"count": 0, "name": "Contact"}]
        }

    async def test_of_rows_of_all_objects(self, probe: Probe) -> None:
        body = (await probe.get("/limits/recordCount")).json()

        counts = {entry["name"]: entry["count"] for entry in body["sObjects"]}
        assert counts["Organization"] == 1
        assert set(counts) == {t.name for t in probe.org.instance.schema}


class TestRecent:
    async def test_items_are_newest_first_without_the_deleted(self, probe: Probe) -> None:
        first, second = await new_account(probe), await new_account(probe, Name="Second")
        third = await new_account(probe)
        await probe.call("DELETE", f"/sobjects/Account/{third}")
        await probe.get(f"/sobjects/Account/{first[:15]}?fields=Id")

        items = (await probe.get("/recent")).json()

        assert [item["Id"] for item in items] == [first, second]
        assert items[1] == {
            "attributes": {
                "type": "Account",
                "url": f"/services/data/v68.0/sobjects/Account/{second}",
            },
            "Id": second,
            "Name": "Second",
        }

    async def test_items_can_be_limited(self, probe: Probe) -> None:
        for _ in range(3):
            await new_account(probe)

        assert len((await probe.get("/recent?limit=2")).json()) == 2
        assert len((await probe.get("/recent?limit=x")).json()) == 3

    async def test_items_show_with_their_object(self, probe: Probe) -> None:
        record_id = await new_account(probe)

        account = (await probe.get("/sobjects/Account")).json()
        contact = (await probe.get("/sobjects/Contact")).json()

        assert [item["Id"] for item in account["recentItems"]] == [record_id]
        assert account["objectDescribe"]["keyPrefix"] == "001"
        assert contact["recentItems"] == []

    async def test_items_are_200_at_most(self, probe: Probe) -> None:
        for number in range(205):
            probe.org.instance.recent.touch("005", f"id-{number}", "Account")

        items = list(probe.org.instance.recent.of("005"))

        assert (len(items), items[0][0], items[-1][0]) == (200, "id-204", "id-5")


class TestLedger:
    async def test_holds_what_was_really_written_with_request_ids(self, probe: Probe) -> None:
        created = await probe.call("POST", "/sobjects/Account", {"Name": "Acme"})
        record_id = created.json()["id"]
        await probe.call("POST", "/sobjects/Account", {})
        updated = await probe.call("PATCH", f"/sobjects/account/{record_id[:15]}", {"Name": "x"})
        deleted = await probe.call("DELETE", f"/sobjects/Account/{record_id}")

        writes = probe.org.control.ledger()

        assert [write.action for write in writes] == ["created", "updated", "deleted"]
        assert {(write.sobject, write.record_id) for write in writes} == {("Account", record_id)}
        assert [write.request_id for write in writes] == [
            answer.headers["X-SFDC-Request-Id"] for answer in (created, updated, deleted)
        ]
        assert probe.org.control.statistics()["rows"] == {"created": 1, "updated": 1, "deleted": 1}
