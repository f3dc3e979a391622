"""How queries look over REST; what SOQL means is tested with its executor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe

BASE = "/services/data/v68.0"


@pytest.fixture
def org(clock: Clock) -> Iterator[InProcess]:
    with InProcess(clock=clock, rows={"Account": 450}) as opened:
        yield opened


async def ask(probe: Probe, soql: str, resource: str = "query", **headers: str) -> Answer:
    return await probe.get(f"/{resource}?q={quote(soql)}", headers=headers)


class TestPages:
    async def test_are_followed_by_their_urls_to_the_last_row(self, probe: Probe) -> None:
        headers = {"Sforce-Query-Options": "batchSize=200"}
        answer = await ask(probe, "SELECT Id FROM Account", **headers)
        pages = [answer.json()]
        while "nextRecordsUrl" in pages[-1]:
            pages.append((await probe.get(pages[-1]["nextRecordsUrl"].removeprefix(BASE))).json())

        assert [len(page["records"]) for page in pages] == [200, 200, 50]
        assert [page["done"] for page in pages] == [False, False, True]
        assert {page["totalSize"] for page in pages} == {450}
        assert len({row["Id"] for page in pages for row in page["records"]}) == 450
        assert pages[0]["nextRecordsUrl"].startswith(f"{BASE}/query/0r8")
        assert pages[0]["nextRecordsUrl"].endswith("-200")

    @pytest.mark.parametrize(
        ("option", "rows"),
        [
            ("batchSize=1", 200),
            ("batchSize=300", 300),
            ("BATCHSIZE = 250", 250),
            ("something=1, batchSize=201", 201),
            ("batchSize=9999", 450),
            ("batchSize=x", 450),
            ("", 450),
        ],
    )
    async def test_hold_the_rows_asked_for_within_bounds(
        self, probe: Probe, option: str, rows: int
    ) -> None:
        answer = await ask(probe, "SELECT Id FROM Account", **{"Sforce-Query-Options": option})

        assert len(answer.json()["records"]) == rows

    async def test_after_the_first_can_be_of_another_size(self, probe: Probe) -> None:
        first = await ask(
            probe, "SELECT Id FROM Account", **{"Sforce-Query-Options": "batchSize=200"}
        )

        second = await probe.get(
            first.json()["nextRecordsUrl"].removeprefix(BASE),
            headers={"Sforce-Query-Options": "batchSize=2000"},
        )

        assert len(second.json()["records"]) == 250

    async def test_outlive_the_session_that_asked(self, probe: Probe) -> None:
        first = await ask(
            probe, "SELECT Id FROM Account", **{"Sforce-Query-Options": "batchSize=200"}
        )
        probe.org.control.revoke_tokens()
        await probe.login()

        second = await probe.get(first.json()["nextRecordsUrl"].removeprefix(BASE))

        assert second.status == 200

    async def test_are_gone_after_two_days(self, probe: Probe, clock: Clock) -> None:
        first = await ask(
            probe, "SELECT Id FROM Account", **{"Sforce-Query-Options": "batchSize=200"}
        )
        clock.advance(timedelta(days=2).total_seconds())
        await probe.login()

        second = await probe.get(first.json()["nextRecordsUrl"].removeprefix(BASE))

        assert second.status == 400
        assert second.json() == [
            {"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}
        ]

    async def test_can_be_made_to_be_gone(self, probe: Probe) -> None:
        first = await ask(
            probe, "SELECT Id FROM Account", **{"Sforce-Query-Options": "batchSize=200"}
        )
        probe.org.control.expire_locators()

        second = await probe.get(first.json()["nextRecordsUrl"].removeprefix(BASE))

        assert second.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


class TestQuery:
    @pytest.mark.parametrize("path", ["/query?q=", "/query/?q=", "//query//?q="])
    async def test_slashes_do_not_matter(self, probe: Probe, path: str) -> None:
        answer = await probe.get(f"{path}SELECT+count()+FROM+Account")

        assert answer.json() == {"totalSize": 450, "done": True, "records": []}

    @pytest.mark.parametrize("path", ["/query", "/query?q=", "/query?q=%20", "/queryAll"])
    async def test_needs_a_query(self, probe: Probe, path: str) -> None:
        answer = await probe.get(path)

        assert answer.status == 400
        assert answer.json()[0]["errorCode"] == "MALFORMED_QUERY"

    async def test_errors_have_no_fields(self, probe: Probe) -> None:
        answer = await ask(probe, "SELEKT")

        assert answer.status == 400
        assert answer.json() == [
            {"message": "unexpected token: SELEKT", "errorCode": "MALFORMED_QUERY"}
        ]

    async def test_all_sees_the_recycle_bin(self, probe: Probe) -> None:
        victim = (await ask(probe, "SELECT Id FROM Account LIMIT 1")).json()["records"][0]["Id"]
        await probe.call("DELETE", f"/sobjects/Account/{victim}")
        soql = f"SELECT Id, IsDeleted FROM Account WHERE Id = '{victim}'"

        live, everything = await ask(probe, soql), await ask(probe, soql, "queryAll")

        assert live.json()["totalSize"] == 0
        assert everything.json()["records"][0]["IsDeleted"] is True

    async def test_tells_a_client_at_login_which_org_it_is(self, probe: Probe) -> None:
        answer = await ask(probe, "SELECT Id, Name, IsSandbox, InstanceName FROM Organization")

        assert answer.json()["records"][0]["Id"] == probe.org.instance.org.org_id

    async def test_is_run_for_the_user_of_the_session(self, probe: Probe) -> None:
        soql = "SELECT count() FROM Account USING SCOPE mine"
        mine = (await ask(probe, "SELECT OwnerId FROM Account")).json()["records"]
        user_id = probe.org.instance.org.user.id

        answer = await ask(probe, soql)

        assert answer.json()["totalSize"] == sum(row["OwnerId"] == user_id for row in mine)


class TestColumns:
    async def test_are_told_without_rows(self, probe: Probe) -> None:
        answer = await probe.get("/query?columns=true&q=SELECT+Id,Name+FROM+Account")

        body = answer.json()
        assert [column["columnName"] for column in body["columnMetadata"]] == ["Id", "Name"]
        assert (body["entityName"], body["keyPrefix"]) == ("Account", "001")
        assert body["idSelected"] is True
        assert "records" not in body

    async def test_of_a_bad_query_are_its_error(self, probe: Probe) -> None:
        answer = await probe.get("/query?columns=true&q=SELECT+Nope+FROM+Account")

        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"

    async def test_are_not_told_unless_asked_for(self, probe: Probe) -> None:
        answer = await probe.get("/query?columns=false&q=SELECT+Id+FROM+Account+LIMIT+1")

        assert len(answer.json()["records"]) == 1


class TestPlan:
    async def test_names_an_index_where_conditions_allow_one(self, probe: Probe) -> None:
        row = (await ask(probe, "SELECT Id FROM Account LIMIT 1")).json()["records"][0]
        soql = f"SELECT Id FROM Account WHERE Id = '{row['Id']}' AND Phone != null"

        body = (await probe.get(f"/query?explain={quote(soql)}")).json()

        assert body["sourceQuery"] == soql
        assert [plan["leadingOperationType"] for plan in body["plans"]] == ["Index", "TableScan"]
        assert body["plans"][0]["fields"] == ["Id"]
        assert body["plans"][0]["sobjectType"] == "Account"
        assert body["plans"][0]["sobjectCardinality"] == 450

    async def test_is_a_table_scan_otherwise(self, probe: Probe) -> None:
        soql = "SELECT Id FROM Account WHERE Phone != null OR Name = 'x'"

        body = (await probe.get(f"/query?explain={quote(soql)}")).json()

        assert [plan["leadingOperationType"] for plan in body["plans"]] == ["TableScan"]

    async def test_of_a_bad_query_is_its_error(self, probe: Probe) -> None:
        answer = await probe.get("/query?explain=SELECT+Nope+FROM+Account")

        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
