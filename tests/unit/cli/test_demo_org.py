"""The org of the demo is a process that is started, asked and stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sfconnect.cli.demo.org import Stage, running_org
from sfconnect.errors import SfConnectError
from sfconnect.messages import Request, Response

StandIn = Callable[[str], None]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Put a program in the place of the emulator."""

    def replace(code: str) -> None:
        package = tmp_path / "sfconnect_emulator"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return replace


ANNOUNCEMENT = (
    '{"login_url":"http://127.0.0.1:1","client_id":"id","client_secret":"s","username":"u",'
    '"private_key_file":"k","control_url":"http://127.0.0.1:1/__control__","more":1}'
)


async def test_the_org_is_told_what_to_hold_and_stopped_at_the_end(
    stand_in: StandIn, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    stand_in(
        "import os, pathlib, sys, time\n"
        f"log = pathlib.Path({str(log)!r})\n"
        "log.write_text(f'{os.getpid()} ' + ' '.join(sys.argv[1:]))\n"
        f"print({ANNOUNCEMENT!r}, flush=True)\n"
        "time.sleep(60)"
    )

    async with running_org({"Account": 5, "Contact": 6}, seed=3, latency_ms=9) as org:
        assert (org.login_url, org.client_id) == ("http://127.0.0.1:1", "id")

    pid, _, arguments = log.read_text().partition(" ")
    assert arguments == (
        "serve --until-stdin-closes --seed=3 --latency-ms=9 --rows=Account=5 --rows=Contact=6"
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


async def test_the_last_words_of_an_org_that_does_not_start_are_told(stand_in: StandIn) -> None:
    stand_in("import sys; sys.exit('first\\nno room for the rows')")

    with pytest.raises(SfConnectError, match=r"did not start: no room for the rows"):
        async with running_org({}, seed=7, latency_ms=0):
            pass


async def test_an_org_that_stops_silently_is_told_too(stand_in: StandIn) -> None:
    stand_in("")

    with pytest.raises(SfConnectError, match=r"did not start: it said nothing"):
        async with running_org({}, seed=7, latency_ms=0):
            pass


async def test_an_org_that_has_already_ended_needs_no_stopping(stand_in: StandIn) -> None:
    stand_in(f"print({ANNOUNCEMENT!r}, flush=True)")

    async with running_org({}, seed=7, latency_ms=0) as org:
        assert org.username == "u"


class Answers:
    """A transport that gives the same answer to everything, and keeps what was asked."""

    def __init__(self, status: int, content: bytes) -> None:
        self._response = Response(status, {}, content)
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        return self._response


async def test_the_stage_is_asked_for_the_content_of_an_object() -> None:
    transport = Answers(200, b'{"rows":3,"sha256":"ab"}')
    stage = Stage(transport, "http://127.0.0.1:1/__control__")  # type: ignore[arg-type]  # it only sends

    assert await stage.content("Account", ["Id", "Name"]) == (3, "ab")

    (request,) = transport.asked
    assert (request.method, request.path) == (
        "POST",
        "http://127.0.0.1:1/__control__/content-hash",
    )
    assert request.content == b'{"object":"Account","fields":["Id","Name"]}'


async def test_a_refusal_of_the_stage_is_an_error() -> None:
    transport = Answers(404, b'{"error":"no such operation"}')
    stage = Stage(transport, "http://127.0.0.1:1/__control__")  # type: ignore[arg-type]  # it only sends

    with pytest.raises(SfConnectError, match=r"refused faults: .*no such operation"):
        await stage.add_faults([])
