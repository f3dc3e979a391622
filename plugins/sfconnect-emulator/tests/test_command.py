"""The command, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from sfconnect_emulator import cli
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.process import LaunchError, launch

COMMAND = [sys.executable, "-m", "sfconnect_emulator", "serve"]
KEYS = [
    "login_url", "instance_url", "api_version", "org_id", "client_id", "client_secret",
    "private_key_file", "username", "password", "security_token", "refresh_token", "control_url",
]  # fmt: skip


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def get(url: str, token: str | None = None) -> tuple[int, object]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        return answer.status, json.load(answer)


def login(seen: dict[str, str]) -> str:
    form = {name: seen[name] for name in ("client_id", "client_secret")}
    body = urlencode({"grant_type": "client_credentials", **form}).encode()
    with urlopen(f"{seen['login_url']}/services/oauth2/token", body, timeout=10) as answer:
        return str(json.load(answer)["access_token"])


class TestServe:
    def test_announces_itself_in_one_line_and_serves_its_rows(self, tmp_path: Path) -> None:
        log = tmp_path / "requests.jsonl"

        with running("--rows", "account=3", "--seed", "9", "--request-log", str(log)) as (
            process,
            seen,
        ):
            token = login(seen)
            url = f"{seen['instance_url']}/services/data/v{seen['api_version']}/limits/recordCount"
            _, body = get(f"{url}?sObjects=Account", token)
            key_file = Path(seen["private_key_file"])
            assert key_file.stat().st_mode & 0o777 == 0o600
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=10)

        assert list(seen) == KEYS
        assert body == {"sObjects": [{"count": 3, "name": "Account"}]}
        assert (process.returncode, rest, errors) == (0, "", "")
        assert not key_file.exists()
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        assert [line["path"] for line in lines] == [
            "/services/oauth2/token",
            "/services/data/v68.0/limits/recordCount",
        ]
        assert lines[1]["status"] == 200
        assert lines[1]["user"] == seen["username"]
        assert token not in log.read_text(encoding="utf-8")

    def test_announces_the_same_org_for_the_same_seed(self) -> None:
        def announced() -> dict[str, str]:
            with running("--seed", "5") as (_, seen):
                return seen

        first, second = announced(), announced()

        same = set(KEYS) - {"login_url", "instance_url", "private_key_file", "control_url"}
        assert {name: first[name] for name in same} == {name: second[name] for name in same}

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_stops_with_code_0_when_told_also_when_nobody_reads_stdout(self, number: int) -> None:
        with running() as (process, seen):
            assert process.stdout is not None
            process.stdout.close()
            assert get(f"{seen['control_url']}/stats")[0] == 200
            process.send_signal(number)
            assert process.wait(10) == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_stops_with_code_0_while_it_still_makes_rows_and_leaves_no_half_file(
        self, tmp_path: Path, number: int
    ) -> None:
        file = tmp_path / "org.db"
        arguments = ["--rows", "Account=5000000", "--data-file", str(file)]

        with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE) as process:
            try:
                while not (tmp_path / "org.db-wal").exists():
                    signal.sigtimedwait([], 0.02)
                signal.sigtimedwait([], 0.3)
                process.send_signal(number)
                assert process.wait(10) == 0
            finally:
                process.kill()

        assert list(tmp_path.iterdir()) == []

    def test_serves_with_stdout_closed_from_the_beginning(self) -> None:
        port = free_port()
        command = [*COMMAND, "--port", str(port)]
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", *command]

        with subprocess.Popen(shell) as process:
            try:
                wait_for(port)
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
            finally:
                process.kill()

    def test_serves_when_the_reader_of_stdout_is_gone(self) -> None:
        port = free_port()
        read_end, write_end = os.pipe()
        os.close(read_end)

        with subprocess.Popen([*COMMAND, "--port", str(port)], stdout=write_end) as process:
            os.close(write_end)
            try:
                wait_for(port)
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
            finally:
                process.kill()

    def test_keeps_rows_in_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "org.db"
        with running("--data-file", str(file), "--rows", "Account=4") as (process, _):
            process.send_signal(signal.SIGTERM)
            process.wait(10)

        with running("--data-file", str(file)) as (_, seen):
            url = f"{seen['instance_url']}/services/data/v68.0/limits/recordCount?sObjects=Account"
            _, body = get(url, login(seen))

        assert body == {"sObjects": [{"count": 4, "name": "Account"}]}

    def test_reads_faults_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "faults.json"
        file.write_text('[{"name": "mine", "action": {"type": "delay"}}]')

        with running("--faults", str(file)) as (_, seen):
            _, rules = get(f"{seen['control_url']}/faults")

        assert [rule["name"] for rule in rules] == ["mine"]  # type: ignore[attr-defined] # JSON


class TestWrongUse:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--host", "0.0.0.0"], "not a loopback address"),
            (["--port", "x"], "not a port"),
            (["--port", "70000"], "not a port"),
            (["--rows", "Account"], "not OBJECT=COUNT"),
            (["--rows", "Account=-1"], "not OBJECT=COUNT"),
            (["--rows", "Nope=1"], "rows of 'Nope' cannot be made; of these they can: Account"),
            (["--latency-ms", "-1"], "too small"),
            (["--latency-ms", "inf"], "'inf' is not a finite number"),
            (["--latency-ms", "nan"], "'nan' is not a finite number"),
            (["--token-ttl", "infinity"], "not a finite number"),
            (["--bulk-page-rows", "1.5"], "'1.5' is not a whole number"),
            (["--bulk-page-rows", "0"], "'0' is not a whole number from 1 on"),
            (["--bulk-seconds", "-0.5"], "too small"),
            (["--latency-ms", "fast"], "not a number"),
            (["--token-ttl", "0"], "too small"),
            (["--faults", "nowhere.json"], "nowhere.json: No such file"),
            (["--seed", "x"], "invalid int value"),
            (["--nope"], "unrecognized arguments"),
        ],
        ids=lambda value: value if isinstance(value, str) else "_".join(value),
    )
    def test_ends_with_code_2_and_says_why(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(["serve", *arguments])

        seen = capsys.readouterr()
        assert ended.value.code == 2
        assert says in seen.err
        assert seen.out == ""

    def test_of_a_taken_port_ends_with_code_1_and_one_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]

            code = cli.main(["serve", "--port", str(port)])

        seen = capsys.readouterr()
        assert code == 1
        assert seen.err.count("\n") == 1
        assert str(port) in seen.err

    @pytest.mark.parametrize("kind", ["no database", "folder", "in no folder", "another org"])
    def test_of_a_file_that_is_no_org_ends_with_code_1_and_its_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
    ) -> None:
        file = tmp_path / "org.db"
        if kind == "no database":
            file.write_bytes(b"this is no database" * 100)
        elif kind == "folder":
            file.mkdir()
        elif kind == "in no folder":
            file = tmp_path / "none" / "org.db"
        else:
            with InProcess(data_file=file, seed=8):
                pass
        before = list(tmp_path.iterdir())

        code = cli.main(["serve", "--data-file", str(file)])

        assert code == 1
        assert str(file) in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == before

    def test_of_a_request_log_that_cannot_be_written_ends_with_code_1(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = cli.main(["serve", "--request-log", str(tmp_path / "none" / "log")])

        assert code == 1
        assert "none" in capsys.readouterr().err

    def test_help_names_every_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(["serve", "--help"])

        shown = capsys.readouterr().out
        assert ended.value.code == 0
        for option in (
            "--host", "--port", "--seed", "--rows", "--data-file", "--latency-ms", "--token-ttl",
            "--bulk-page-rows", "--bulk-seconds", "--faults", "--request-log",
        ):  # fmt: skip
            assert option in shown


class TestLaunch:
    def test_yields_what_was_announced_and_ends_the_server(self) -> None:
        with launch("--rows", "Account=2", "--seed", "3") as server:
            status, _ = get(f"{server.announcement.control_url}/stats")

        assert status == 200
        assert not alive(server.pid)

    def test_tells_why_the_server_did_not_start(self) -> None:
        with (
            pytest.raises(LaunchError, match="rows of 'Nope' cannot be made"),
            launch("--rows", "Nope=1"),
        ):
            pass

    def test_gives_up_on_a_server_that_says_nothing(self) -> None:
        with pytest.raises(LaunchError), launch(start_timeout_s=0):
            pass

    def test_server_ends_when_its_parent_dies(self) -> None:
        script = (
            "import os\n"
            "from sfconnect_emulator.process import launch\n"
            "with launch() as server:\n"
            "    print(server.pid, flush=True)\n"
            "    os._exit(9)\n"
        )
        parent = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=15
        )

        assert parent.returncode == 9
        wait_until_gone(int(parent.stdout))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a server answers on a port; the time-out of the test ends a vain wait."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            signal.sigtimedwait([], 0.02)
        else:
            return


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int) -> None:
    while alive(pid):
        signal.sigtimedwait([], 0.02)
