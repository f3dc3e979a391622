from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.probe import Answer, Probe

ROWS = {"Account": 40, "Contact": 60, "Opportunity": 30, "Everything__c": 10}
STEPS = [
    ("GET", "/sobjects", None),
    ("GET", "/sobjects/Everything__c/describe", None),
    ("GET", f"/query?q={quote('SELECT FIELDS(ALL) FROM Account LIMIT 200')}", None),
    ("GET", f"/query?q={quote('SELECT FIELDS(ALL) FROM Everything__c LIMIT 200')}", None),
    ("GET", f"/query?q={quote('SELECT Id, (SELECT Email FROM Contacts) FROM Account')}", None),
    ("POST", "/sobjects/Account", {"Name": "New"}),
    ("GET", "/limits/recordCount", None),
    (
        "GET",
        f"/query?q={quote('SELECT FIELDS(ALL) FROM Account WHERE Name = ')}%27New%27+LIMIT+1",
        None,
    ),
]


async def played(seed: int) -> list[Answer]:
    clock = Clock(datetime(2026, 11, 23, 12, tzinfo=UTC))
    with InProcess(seed=seed, rows=ROWS, clock=clock) as org:
        probe = Probe(org)
        return [await probe.call(method, path, content) for method, path, content in STEPS]


async def test_the_same_seed_gives_the_same_bytes_and_headers() -> None:
    first, second = await played(7), await played(7)

    assert [answer.body for answer in first] == [answer.body for answer in second]
    assert [dict(answer.headers) for answer in first] == [dict(answer.headers) for answer in second]
    assert {answer.status for answer in first} <= {200, 201}


async def test_another_seed_gives_other_rows_under_the_same_schema() -> None:
    first, second = await played(7), await played(8)

    assert first[0].body == second[0].body
    assert first[2].body != second[2].body
