"""What each command prints, against an org on a real socket."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfconnect_emulator.emulator import Announcement
from tests.emulated.cli.conftest import ROWS, Command, control

THREE = "SELECT Id, Name, Owner.Name FROM Account ORDER BY Id LIMIT 3"


def test_a_query_prints_a_table(here: Command) -> None:
    done = here("query", THREE)

    header, *lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert header.split() == ["Id", "Name", "Owner.Name"]
    assert len(lines) == 3
    assert all(line.startswith("001") for line in lines)


def test_a_query_prints_csv_and_jsonl_and_json_of_the_same_rows(here: Command) -> None:
    as_csv = list(csv.DictReader(io.StringIO(here("query", THREE, "--format", "csv").out)))
    lines = here("query", THREE, "--format", "jsonl").out.splitlines()
    as_jsonl = [json.loads(line) for line in lines]
    as_json = json.loads(here("query", THREE, "--json").out)

    assert as_json == as_jsonl
    assert len(as_json) == 3
    assert [row["Owner.Name"] for row in as_csv] == [row["Owner"]["Name"] for row in as_json]


def test_a_query_prints_parquet_and_arrow_to_a_pipe(command: Command, tmp_path: Path) -> None:
    command("query", THREE, "--format", "parquet", "--to", "rows.parquet")
    command("query", THREE, "--format", "arrow", "--to", "rows.arrow")

    parquet = pq.read_table(tmp_path / "rows.parquet")
    with pa.memory_map(str(tmp_path / "rows.arrow")) as file:
        assert pa.ipc.open_file(file).read_all() == parquet
    assert parquet.schema.names == ["Id", "Name", "Owner.Name"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.arrow", "rows.parquet"]


def test_columns_of_a_query_have_the_types_of_the_org(here: Command, tmp_path: Path) -> None:
    fields = "Currency__c, Account__r.CreatedDate, Date__c, Checkbox__c"
    soql = f"SELECT {fields} FROM Everything__c LIMIT 9"

    assert here("query", soql, "--format", "parquet", "--to", "x.parquet").code == 0

    types = [str(field.type) for field in pq.read_schema(tmp_path / "x.parquet")]
    assert types == ["decimal128(38, 18)", "timestamp[ms, tz=UTC]", "date32[day]", "bool"]


def test_a_query_over_several_pages_gives_every_row(here: Command) -> None:
    done = here("query", "SELECT Id FROM Contact", "--format", "jsonl")

    assert len(done.out.splitlines()) == ROWS["Contact"]


def test_a_count_is_one_number(here: Command) -> None:
    assert here("query", "SELECT COUNT() FROM Account", "--format", "csv").out.split() == [
        "count",
        str(ROWS["Account"]),
    ]


def test_a_macro_prints_what_the_rows_hold(here: Command) -> None:
    done = here("query", "SELECT FIELDS(ALL) FROM Account LIMIT 1", "--json")

    assert "Name" in json.loads(done.out)[0]


def test_deleted_rows_are_read_when_they_are_asked_for(here: Command, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"Name": "To be deleted"}')
    created = json.loads(here("request", "POST", "sobjects/Account", "--body", "new.json").out)[
        "id"
    ]
    assert here("request", "DELETE", f"sobjects/Account/{created}").out == ""

    soql = f"SELECT Id FROM Account WHERE Id = '{created}'"
    assert json.loads(here("query", soql, "--json").out) == []
    assert json.loads(here("query", soql, "--json", "--all").out) == [{"Id": created}]


def test_describe_lists_objects_and_fields(here: Command) -> None:
    objects = here("describe", "--format", "csv").out
    fields = list(csv.DictReader(io.StringIO(here("describe", "account", "--format", "csv").out)))

    assert "\r\nAccount,Account,001," in objects
    owner = next(field for field in fields if field["field"] == "OwnerId")
    assert (owner["type"], owner["refers to"]) == ("reference", "User")


def test_describe_as_json_is_the_whole_answer(here: Command) -> None:
    answer = json.loads(here("describe", "Account", "--json").out)

    assert answer["keyPrefix"] == "001"
    assert answer["childRelationships"]


def test_limits_tell_what_is_left(here: Command) -> None:
    limits = list(csv.DictReader(io.StringIO(here("limits", "--format", "csv").out)))

    daily = next(limit for limit in limits if limit["limit"] == "DailyApiRequests")
    assert int(daily["remaining"]) <= int(daily["max"])


def test_a_request_prints_the_answer(here: Command) -> None:
    below = here("request", "get", "query", "--param", "q=SELECT COUNT() FROM Account")
    whole = here("request", "GET", "/services/data/")

    assert json.loads(below.out)["totalSize"] == ROWS["Account"]
    assert json.loads(whole.out)[-1]["version"] == "68.0"


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["listed", "checked"])
def test_plugins_are_listed_with_where_they_come_from(here: Command, options: list[str]) -> None:
    done = here("plugins", "list", *options, "--format", "csv")

    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(done.out))}
    # Of what else is installed here, only that it is told.
    assert done.code == int(any(row.get("check", "ok") != "ok" for row in rows.values()))
    assert rows["jwt-bearer"]["object"] == "sfconnect.salesforce.auth:JwtBearer"
    assert rows["jwt-bearer"].get("check", "ok") == "ok"


def test_the_login_of_a_profile_is_used(
    command: Command, org: Announcement, tmp_path: Path
) -> None:
    (tmp_path / "sfconnect.toml").write_text(
        "[profiles.robot]\n"
        'auth = "jwt-bearer"\n'
        f'login_url = "{org.login_url}"\n'
        f'client_id = "{org.client_id}"\n'
        f'username = "{org.username}"\n'
        f'private_key_file = "{org.private_key_file}"\n'
    )
    unset = dict.fromkeys(
        ("SFCONNECT_AUTH", "SFCONNECT_LOGIN_URL", "SFCONNECT_CLIENT_ID", "SFCONNECT_CLIENT_SECRET")
    )

    done = command("--profile", "robot", "query", "SELECT COUNT() FROM Account", **unset)

    assert (done.code, done.err) == (0, "")
    assert done.out.split() == ["count", str(ROWS["Account"])]


def test_retries_are_logged_on_demand_and_never_on_stdout(here: Command, org: Announcement) -> None:
    control(
        org,
        "faults",
        [{"match": {"path": "/query", "nth": 1}, "action": {"type": "respond", "status": 503}}],
    )

    done = here("query", "SELECT COUNT() FROM Account", "--log-level", "warning", "--log-json")

    events = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert events == ["retry.scheduled"]
    assert done.out.split() == ["count", str(ROWS["Account"])]


def test_a_reader_that_had_enough_is_no_traceback(environ: dict[str, str]) -> None:
    import subprocess
    import sys

    query = [sys.executable, "-m", "sfconnect.cli", "query", "--format", "jsonl"]
    with subprocess.Popen(
        [*query, "SELECT FIELDS(STANDARD) FROM Contact"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert errors == b""
    assert process.returncode == 1


def test_a_debug_log_tells_a_person_what_was_done_in_order(here: Command) -> None:
    done = here("query", "SELECT COUNT() FROM Account", "--log-level", "debug")

    login, request, quota = done.err.splitlines()
    clock = r"\d\d:\d\d:\d\d\.\d{6}"
    assert re.match(clock + r" \[debug    ] token.replaced strategy=ClientCredentials ", login)
    assert re.match(
        clock + r" \[debug    ] request.finished method=GET path=/services/data/v[\d.]+/query "
        r"surface=query status=200 elapsed_ms=[\d.]{1,8} attempt=1 request_id=\w+ base_url=http:",
        request,
    )
    assert re.match(
        clock + r" \[debug    ] quota.seen quota=api-usage used=\d+ maximum=\d+$", quota
    )
