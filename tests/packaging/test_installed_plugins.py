"""Plugins that pip has really installed: what each kind of bad one makes a user read."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

VAULT = '''
    """A plugin as its author would write it."""
    from dataclasses import dataclass
    from pathlib import Path
    from typing import ClassVar

    from sfconnect import Secret
    from sfconnect.auth import AuthContext, Credentials, option

    @dataclass(frozen=True, slots=True)
    class VaultToken:
        """Read an access token that a Vault agent keeps fresh."""
        path: Path = option(help="File that the agent writes.")
        instance_url: str = option(help="Base URL of the org.")

        async def authenticate(self, context: AuthContext) -> Credentials:
            return Credentials(Secret(self.path.read_text().strip()), self.instance_url)
'''
SLOW = "import time\ntime.sleep(0.6)\n" + textwrap.dedent(VAULT)
NEXT = textwrap.dedent(VAULT).replace("    path:", "    plugin_api: ClassVar[int] = 2\n    path:")


@dataclass(frozen=True)
class Plugin:
    name: str
    source: str


PLUGINS = {
    "acme-vault": Plugin("vault-token", VAULT),
    "acme-broken": Plugin("broken", "import no_such_package_anywhere"),
    "acme-slow": Plugin("slow", SLOW),
    "acme-next": Plugin("next", NEXT),
    "acme-twin": Plugin("twin", VAULT),
    "zeta-twin": Plugin("twin", VAULT),
    "evil-twin": Plugin("jwt-bearer", "raise SystemExit('imported')"),
}


def write_project(folder: Path, distribution: str, plugin: Plugin) -> None:
    module = distribution.replace("-", "_")
    folder.mkdir()
    (folder / f"{module}.py").write_text(textwrap.dedent(plugin.source))
    document = f"""
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "{distribution}"
        version = "1.2"
        [project.entry-points."sfconnect.auth"]
        {plugin.name} = "{module}:VaultToken"
        [tool.hatch.build.targets.wheel]
        only-include = ["{module}.py"]
    """
    (folder / "pyproject.toml").write_text(textwrap.dedent(document))


@pytest.fixture(scope="module")
def python(make_environment: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter in which pip has installed all of them."""
    own, folder = make_environment(), tmp_path_factory.mktemp("projects")
    for distribution, plugin in PLUGINS.items():
        write_project(folder / distribution, distribution, plugin)
    pip = [own, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    sources = [str(folder / distribution) for distribution in PLUGINS]
    run([*pip, "--no-deps", "--no-build-isolation", *sources], folder)
    return own


def environment() -> dict[str, str]:
    own = ("SFCONNECT_", "PYTEST_", "PIP_", "PYTHON", "COV")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**environment(), **variables}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def checked(python: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The verdict of ``plugins list --check`` on each distribution's strategy."""
    command = [python, "-m", "sfconnect.cli", "plugins", "list", "--check", "--json"]
    done = run(command, tmp_path_factory.mktemp("empty"))
    assert done.returncode == 1, done.stderr
    records: list[dict[str, Any]] = json.loads(done.stdout)
    return {record["from"].partition(" ")[0]: record["check"] for record in records}


@pytest.mark.timeout(180)
def test_the_good_one_is_ok(checked: Mapping[str, str]) -> None:
    assert checked["acme-vault"] == "ok"


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        ("acme-broken", ["acme-broken 1.2", "cannot be imported", "no_such_package_anywhere"]),
        ("acme-slow", ["works, but its import takes", " s: its author"]),
        ("acme-next", ["written for plugin_api 2", "this sfconnect has 1", "a newer sfconnect"]),
        ("acme-twin", ["comes from acme-twin 1.2 and zeta-twin 1.2", "acme-twin:twin"]),
        ("zeta-twin", ["comes from acme-twin 1.2 and zeta-twin 1.2", "zeta-twin:twin"]),
    ],
)
def test_a_bad_one_is_told_of_with_the_fix(
    checked: Mapping[str, str], distribution: str, words: list[str]
) -> None:
    assert [word for word in words if word not in checked[distribution]] == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ("broken", ["acme-broken 1.2", "No module named 'no_such_package_anywhere'"]),
        ("next", ["plugin_api 2", "Install a newer sfconnect"]),
        ("twin", ["acme-twin 1.2 and zeta-twin 1.2", "acme-twin:twin or zeta-twin:twin"]),
        ("jwt-bearer", ["evil-twin 1.2 and sfconnect", "a name of sfconnect's own"]),
        ("vault-tokne", ["vault-token"]),
    ],
)
def test_using_a_bad_one_is_one_line_and_wrong_usage(
    python: str, tmp_path: Path, auth: str, words: list[str]
) -> None:
    done = run([python, "-m", "sfconnect.cli", "limits", "--auth", auth], tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.timeout(180)
def test_two_of_one_name_can_both_be_used_by_their_full_names(python: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary-token")
    variables = {"SFCONNECT_PATH": "token", "SFCONNECT_INSTANCE_URL": "https://org.example.com"}
    command = [python, "-m", "sfconnect.cli", "auth", "token", "--auth", "zeta-twin:twin"]

    done = run(command, tmp_path, **variables)

    assert (done.returncode, done.stdout.strip()) == (0, "canary-token")


@pytest.mark.timeout(180)
def test_listing_imports_none_of_them(python: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sfconnect.auth import STRATEGIES\n"
        "print(sorted(e.distribution for e in STRATEGIES.entries() if not e.built_in))\n"
        f"assert not set(sys.modules) & {set(map(_module, PLUGINS))!r}\n"
    )

    done = run([python, "-c", code], tmp_path)

    assert done.returncode == 0, done.stderr
    assert all(repr(distribution) in done.stdout for distribution in PLUGINS)


def _module(distribution: str) -> str:
    return distribution.replace("-", "_")
