"""Extracts over sockets hold what the org holds, row for row, whatever happens on the way."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pyarrow as pa
import pytest

from sfconnect import ClientCredentials, Salesforce
from sfconnect.cli.demo.proof import content_of
from sfconnect.errors import ConfigurationError, IncompleteResultError, ServerError
from sfconnect.etl import FORMATS, CallTally, Progress, extract
from sfconnect.retry import RetryPolicy
from sfconnect_emulator import Emulator

ROWS = {"Account": 2200, "Contact": 300, "Everything__c": 250}


@pytest.fixture
async def org() -> AsyncIterator[Emulator]:
    async with Emulator(rows=ROWS) as emulator:
        yield emulator


@pytest.fixture
def tally() -> CallTally:
    return CallTally()


@pytest.fixture
async def sf(org: Emulator, tally: CallTally) -> AsyncIterator[Salesforce]:
    auth = ClientCredentials(
        login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
    )
    policy = RetryPolicy(initial_s=0.01)
    async with Salesforce.connect(auth, hooks=[tally], retry=policy) as opened:
        yield opened


def rule(match: Mapping[str, Any], kind: str, **members: Any) -> dict[str, Any]:
    return {"match": match, "action": {"type": kind, **members}}


@pytest.mark.parametrize("name", sorted(ROWS))
async def test_parquet_holds_what_the_org_holds(
    org: Emulator, sf: Salesforce, tmp_path: Path, name: str
) -> None:
    fields = await plain_fields(sf, name)

    report = await extract(sf, [name], tmp_path, "parquet", fields=fields)

    content = await anyio.to_thread.run_sync(content_of, tmp_path / f"{name}.parquet")
    assert content.columns == tuple(fields)
    assert report.rows == content.rows == ROWS[name] == org.control.count(name)
    assert content.sha256 == org.control.content_hash(name, fields)


async def plain_fields(sf: Salesforce, name: str) -> list[str]:
    """The fields of an object whose values Parquet has a type for: not JSON, not compounds."""
    odd = {"address", "location", "base64", "json", "complexvalue", "anyType"}
    fields = (await sf.sobject(name).describe())["fields"]
    return [field["name"] for field in fields if field["type"] not in odd]


async def test_all_formats_hold_the_same_values(sf: Salesforce, tmp_path: Path) -> None:
    """The object has a field of every type, and values that are awkward on purpose."""
    for file_format in FORMATS:
        await extract(sf, ["Everything__c"], tmp_path, file_format)

    await anyio.to_thread.run_sync(compare_formats, tmp_path)


def compare_formats(folder: Path) -> None:
    lines = (folder / "Everything__c.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    as_json = [loads(line) for line in lines]
    with (folder / "Everything__c.csv").open(encoding="utf-8", newline="") as file:
        as_csv = list(csv.DictReader(file, strict=True))
    with pa.memory_map(str(folder / "Everything__c.arrow")) as file:
        as_arrow = pa.ipc.open_file(file).read_all()
    as_parquet = pa.parquet.read_table(folder / "Everything__c.parquet")

    assert as_arrow == as_parquet
    assert len(as_json) == len(as_csv) == as_arrow.num_rows == ROWS["Everything__c"]
    assert [list(row) for row in as_json] == [as_arrow.column_names] * len(as_json)
    for row, line in zip(as_json, as_csv, strict=True):
        assert [name for name in row if not same(row[name], line[name])] == []
    for name in ("Text__c", "Long_Text__c", "Picklist__c", "Multi__c"):
        assert as_arrow.column(name).to_pylist() == [row[name] for row in as_json]


def loads(text: str) -> Any:
    """Numbers stay the text that they are, so that a digit that was lost shows."""
    return json.loads(text, parse_float=str, parse_int=str)


def same(value: object, cell: str) -> bool:
    """Whether a cell of CSV is this value of JSON."""
    if value is None:
        return not cell
    return value == (cell if isinstance(value, str) else loads(cell))


async def test_compounds_and_contents_are_left_out_and_their_parts_are_not(
    sf: Salesforce, tmp_path: Path
) -> None:
    await extract(sf, ["Everything__c"], tmp_path, "parquet", where="Name = null")

    content = await anyio.to_thread.run_sync(content_of, tmp_path / "Everything__c.parquet")
    assert not {"Address__c", "Location__c", "Blob__c"} & set(content.columns)
    assert {"Address__City__s", "Location__Latitude__s"} <= set(content.columns)


async def test_trouble_on_the_way_costs_retries_and_no_rows(
    org: Emulator, sf: Salesforce, tally: CallTally, tmp_path: Path
) -> None:
    org.control.add_faults(
        [
            rule({"path": "/query/", "nth": 1}, "respond", status=503),
            rule({"path": "/query", "query": "FROM%20Account", "nth": 1}, "cut", after_bytes=9000),
            rule({"path": "/query", "query": "FROM%20Contact", "nth": 1}, "revoke-tokens"),
        ]
    )

    report = await extract(sf, ["Account", "Contact"], tmp_path, "parquet", tally=tally)

    assert [one.retries for one in report.objects] == [2, 0]
    assert sf.stats().logins == 2
    for name in ("Account", "Contact"):
        content = await anyio.to_thread.run_sync(content_of, tmp_path / f"{name}.parquet")
        assert content.sha256 == org.control.content_hash(name, content.columns)


async def test_a_query_that_the_org_forgets_in_the_middle_is_read_again(tmp_path: Path) -> None:
    async with Emulator(rows={"Contact": 8001}) as org:

        def forget_once(progress: Progress) -> None:
            """Two pages are fetched ahead of the first; the fourth comes too late."""
            if progress.rows and not forgotten:
                forgotten.append(progress)
                org.control.expire_locators()

        forgotten: list[Progress] = []
        auth = ClientCredentials(
            login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
        )
        async with Salesforce.connect(auth) as sf:
            report = await extract(
                sf, ["Contact"], tmp_path, "jsonl", fields=["Id"], on_progress=forget_once
            )

    assert (report.objects[0].restarts, report.rows) == (1, 8001)
    assert [path.name async for path in anyio.Path(tmp_path).iterdir()] == ["Contact.jsonl"]


async def test_a_page_with_rows_cut_out_makes_no_file(
    org: Emulator, sf: Salesforce, tmp_path: Path
) -> None:
    """A proxy that loses rows leaves JSON that parses; only the count tells."""
    page = {"totalSize": 300, "done": True, "records": [{"attributes": {}, "Id": "003"}]}
    org.control.add_faults([rule({"path": "/query"}, "respond", status=200, json=page)])

    with pytest.raises(IncompleteResultError, match=r"Contact\.csv: 1 rows came"):
        await extract(sf, ["Contact"], tmp_path, "csv", fields=["Id"])

    assert [path.name async for path in anyio.Path(tmp_path).iterdir()] == []


async def test_an_org_that_stays_down_fails_and_leaves_nothing(
    org: Emulator, sf: Salesforce, tmp_path: Path
) -> None:
    org.control.add_faults([rule({"path": "/query/"}, "respond", status=503)])

    with pytest.raises(ServerError):
        await extract(sf, ["Account"], tmp_path, "parquet")

    assert [path.name async for path in anyio.Path(tmp_path).iterdir()] == []


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"objects": ["Akkount"]}, "Did you mean 'Account'?"),
        ({"objects": ["Account"], "fields": ["Naem"]}, "Did you mean 'Name'?"),
    ],
    ids=["object", "field"],
)
async def test_a_wrong_name_is_told_before_a_row_is_asked_for(
    org: Emulator, sf: Salesforce, tmp_path: Path, wrong: dict[str, Any], hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await extract(sf, to=tmp_path, file_format="csv", **wrong)

    assert caught.value.hint == hint
    requests: Any = org.control.statistics()["requests"]
    assert not any("query" in name for name in requests)
