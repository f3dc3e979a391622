"""The usage that the README and the design promise, as written there, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfconnect import (
    ClientCredentials,
    Connector,
    JwtBearer,
    NotFoundError,
    Outcome,
    QueryError,
    RecordError,
    RefreshToken,
    Salesforce,
)
from sfconnect.salesforce.rest import UpsertResult
from sfconnect_emulator import Emulator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(rows={"Account": 450, "Contact": 900}, seed=7) as org:
        yield org


@pytest.fixture
async def sf(emulator: Emulator) -> AsyncIterator[Salesforce]:
    auth = ClientCredentials(
        login_url=emulator.login_url,
        client_id=emulator.client_id,
        client_secret=emulator.client_secret,
    )
    async with Salesforce.connect(auth) as connection:
        yield connection


async def test_a_record_is_created_read_changed_and_deleted(sf: Salesforce) -> None:
    accounts = sf.sobject("Account")

    account_id = await accounts.create({"Name": "Acme"})
    await accounts.update(account_id, {"Name": "Acme 2", "Site": None})
    row = await accounts.retrieve(account_id, fields=["Id", "Name"])
    await accounts.delete(account_id)

    assert {name: row[name] for name in ("Id", "Name")} == {"Id": account_id, "Name": "Acme 2"}
    with pytest.raises(NotFoundError) as caught:
        await accounts.retrieve(account_id)
    assert caught.value.code == "ENTITY_IS_DELETED"


async def test_every_row_of_a_query_comes_once_with_its_children(sf: Salesforce) -> None:
    soql = "SELECT Id, Name, (SELECT Email FROM Contacts) FROM Account"

    rows = [account async for account in sf.query(soql, page_rows=200)]

    assert len({row["Id"] for row in rows}) == len(rows) == 450
    children = [row["Contacts"]["records"] for row in rows if row["Contacts"]]
    contacts_of_accounts = "SELECT Id FROM Contact WHERE AccountId != null"
    assert sum(map(len, children)) == await sf.query(contacts_of_accounts).count()


async def test_children_beyond_their_first_page_are_followed(sf: Salesforce) -> None:
    account_id = await sf.sobject("Account").create({"Name": "Large"})
    contact = sf.sobject("Contact")
    await sf.gather(
        contact.create({"LastName": str(n), "AccountId": account_id}) for n in range(450)
    )
    soql = f"SELECT Id, (SELECT LastName FROM Contacts) FROM Account WHERE Id = '{account_id}'"

    (account,) = await sf.query(soql, page_rows=200).all()

    names = {row["LastName"] for row in account["Contacts"]["records"]}
    assert names == {str(n) for n in range(450)}


async def test_first_and_count_take_one_request_each(sf: Salesforce) -> None:
    newest = await sf.query("SELECT Id FROM Account ORDER BY CreatedDate DESC LIMIT 1").first()
    before = sf.stats().attempts

    assert newest is not None
    assert await sf.query("SELECT Id FROM Account").count() == 450
    assert sf.stats().attempts == before + 1


async def test_fan_out_gives_an_outcome_for_each_call(sf: Salesforce) -> None:
    ids = [row["Id"] async for row in sf.query("SELECT Id FROM Account LIMIT 300")]
    calls = (sf.sobject("Account").retrieve(record_id) for record_id in [*ids, "001000000000000"])

    seen: dict[int, Outcome[dict[str, object]]] = {}
    async with sf.fan_out(calls, concurrency=64) as outcomes:
        async for outcome in outcomes:
            seen[outcome.index] = outcome

    assert [seen[index].unwrap()["Id"] for index in range(300)] == ids
    assert isinstance(seen[300].error, NotFoundError)


async def test_gather_gives_values_in_order(sf: Salesforce) -> None:
    ids = [row["Id"] async for row in sf.query("SELECT Id FROM Account LIMIT 100")]

    rows = await sf.gather(sf.sobject("Account").retrieve(record_id) for record_id in ids)

    assert [row["Id"] for row in rows] == ids


async def test_an_upsert_by_external_id_creates_and_then_updates(sf: Salesforce) -> None:
    accounts = sf.sobject("Account")
    key = "A/1 ?&#ü"

    first = await accounts.upsert("Ext_Id__c", key, {"Name": "one"})
    second = await accounts.upsert("Ext_Id__c", key, {"Name": "two"})
    row = await accounts.retrieve_by("Ext_Id__c", key, fields=["Name", "Ext_Id__c"])

    assert first.created
    assert second == UpsertResult(first.id, created=False)
    assert (row["Name"], row["Ext_Id__c"]) == ("two", key)


async def test_deleted_rows_are_seen_by_query_all_alone(sf: Salesforce) -> None:
    account_id = await sf.sobject("Account").create({"Name": "Gone"})
    await sf.sobject("Account").delete(account_id)
    soql = f"SELECT Id, IsDeleted FROM Account WHERE Id = '{account_id}'"

    assert await sf.query(soql).all() == []
    (row,) = await sf.query_all(soql).all()
    assert row["IsDeleted"] is True


async def test_the_org_can_be_explored(sf: Salesforce) -> None:
    described = await sf.sobject("account").describe()
    names = {entry["name"] for entry in (await sf.describe_global())["sobjects"]}

    assert described["name"] == "Account"
    assert {"Account", "Contact", "User"} <= names
    assert (await sf.limits())["DailyApiRequests"]["Max"] > 0
    assert (await sf.versions())[-1]["version"] == sf.api_version
    assert await sf.request("GET", "limits/recordCount", params={"sObjects": "Account"})


async def test_errors_are_typed_and_tell_their_place(sf: Salesforce) -> None:
    with pytest.raises(QueryError) as query:
        await sf.query("SELECT Id, Nope__c FROM Account").all()
    with pytest.raises(RecordError) as record:
        await sf.sobject("Account").create({})

    assert (query.value.code, query.value.line, query.value.column) == ("INVALID_FIELD", 1, 12)
    assert (record.value.code, record.value.fields) == ("REQUIRED_FIELD_MISSING", ("Name",))


def strategies(org: Emulator) -> dict[str, object]:
    return {
        "client-credentials": ClientCredentials(
            login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
        ),
        "client-credentials-basic": ClientCredentials(
            login_url=org.login_url,
            client_id=org.client_id,
            client_secret=org.client_secret,
            client_auth="basic",
        ),
        "jwt-bearer": JwtBearer(
            login_url=org.login_url,
            client_id=org.client_id,
            username=org.username,
            private_key_file=org.private_key_file,
        ),
        "refresh-token": RefreshToken(
            login_url=org.login_url, client_id=org.client_id, refresh_token=org.refresh_token
        ),
    }


@pytest.mark.parametrize(
    "name", ["client-credentials", "client-credentials-basic", "jwt-bearer", "refresh-token"]
)
async def test_each_strategy_logs_in_and_recovers_from_a_revoked_token(
    emulator: Emulator, name: str
) -> None:
    async with Salesforce.connect(strategies(emulator)[name]) as sf:  # type: ignore[arg-type]
        before = await sf.query("SELECT Id FROM Account").count()
        emulator.control.revoke_tokens()
        after = await sf.query("SELECT Id FROM Account").count()

        assert (before, after) == (450, 450)
        assert sf.stats().logins == 2


async def test_any_other_api_is_a_configuration(emulator: Emulator) -> None:
    async with Connector.connect(
        "oauth2-client-credentials",
        base_url=emulator.instance_url,
        token_url=f"{emulator.login_url}/services/oauth2/token",
        client_id=emulator.client_id,
        client_secret=emulator.client_secret,
    ) as api:
        data = await api.get("/services/data/v68.0/query", params={"q": "SELECT COUNT() FROM User"})

    assert data["done"] is True


async def test_a_token_of_another_strategy_is_enough(sf: Salesforce) -> None:
    credentials = await sf.credentials()

    async with Salesforce.connect(
        "access-token",
        instance_url=credentials.instance_url,
        access_token=credentials.access_token,
    ) as other:
        assert await other.query("SELECT Id FROM Account").count() == 450
