"""What commands say in cases that no healthy org and no good plugin brings about."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from sfconnect.auth import Registry, registry
from sfconnect.auth.registry import PluginReport
from sfconnect.cli.app import run
from sfconnect.cli.commands.auth_list import _record
from sfconnect.cli.commands.plugins_list import _verdict
from sfconnect.cli.commands.whoami import facts
from sfconnect.cli.common import Common
from sfconnect.cli.logins import Known
from sfconnect.cli.running import run_async
from sfconnect.errors import PluginError
from sfconnect.salesforce.identity import WhoAmI

WHO = WhoAmI(
    user_id="005000000000001AAA",
    username="ada@acme.example",
    name=None,
    user_type=None,
    profile=None,
    user_license=None,
    org_id="00D000000000001AAA",
    org_name=None,
    org_type=None,
    is_sandbox=None,
    trial_ends=None,
    instance=None,
    instance_url="https://acme.my.salesforce.com",
    api_version="68.0",
)


@pytest.mark.parametrize("command", [[], ["auth"], ["plugins"]], ids=" ".join)
def test_where_no_command_is_named_its_help_goes_to_stderr(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Usage: sfconnect" in shown.err
    assert "Commands:" in shown.err


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"is_sandbox": True}, "sandbox"),
        ({"is_sandbox": False}, "production or developer org"),
        (
            {"org_type": "Enterprise Edition", "is_sandbox": True},
            "Enterprise Edition, sandbox",
        ),
        (
            {"is_sandbox": True, "trial_ends": "2026-12-24T09:00:00.000+0000"},
            "sandbox, expires 2026-12-24",
        ),
        ({"trial_ends": "2026-12-24"}, "expires 2026-12-24"),
    ],
)
def test_the_kind_of_an_org_is_told_as_far_as_it_is_known(
    changes: dict[str, object], kind: str | None
) -> None:
    assert facts(replace(WHO, **changes))["org type"] == kind  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "yes"),
        ({"unavailable": "There is no vault here."}, "no: There is no vault here."),
        ({"broken": "acme: no such module"}, "no, broken: acme: no such module"),
        ({"broken": "gone", "unavailable": "There is no vault here."}, "no, broken: gone"),
    ],
)
def test_a_login_that_cannot_be_used_is_listed_with_the_reason(
    changes: dict[str, str], verdict: str
) -> None:
    login = Known("vault", "plugin", "acme", "1.0", "Read a vault.")

    assert _record(replace(login, **changes))["can be used"] == verdict  # type: ignore[arg-type]


REPORT = PluginReport("sfconnect.auth", "vault", "acme", "1.0", "acme:Vault", "", None)


def test_a_plugin_that_works_is_ok() -> None:
    assert _verdict(REPORT) == "ok"


def test_a_plugin_that_keeps_everybody_waiting_is_told_of() -> None:
    assert _verdict(replace(REPORT, import_s=2.34)).startswith(
        "works, but its import takes 2.3 s: "
    )


def test_a_broken_plugin_is_told_with_its_error_even_if_its_import_took_long() -> None:
    error = PluginError("vault (acme) cannot be imported: no module.", hint="Update acme.")

    verdict = _verdict(replace(REPORT, error=error, import_s=2.34))

    assert verdict == "vault (acme) cannot be imported: no module. Update acme."


def test_a_check_of_plugins_fails_if_one_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = EntryPoint("vault", "no_such_module_at_all:Vault", "sfconnect.auth")
    broken: Registry[object] = Registry(
        "sfconnect.auth", ("authenticate",), discover=lambda _: [made]
    )
    monkeypatch.setattr(registry, "STRATEGIES", broken)

    code = run(["plugins", "list", "--check", "--json"])

    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert code == 1
    assert "no_such_module_at_all" in found["vault"]["check"]
    assert found["file"]["check"] == "ok"


def test_a_cancellation_that_no_signal_asked_for_is_not_taken_for_one() -> None:
    async def work() -> None:
        raise asyncio.CancelledError("of its own")

    with pytest.raises(asyncio.CancelledError):
        run_async(Common(), work)
