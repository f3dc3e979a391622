"""Plugins as they are really installed: distributions on ``sys.path``, found by their metadata."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from sfconnect._types import Secret
from sfconnect.auth import STRATEGIES, AuthStrategy, Registry, resolve
from sfconnect.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "sfconnect.auth"
CANARY = "hunter2-canary"
Install: TypeAlias = Callable[..., Path]

VAULT = '''
    """A plugin as its author would write it."""
    from dataclasses import dataclass
    from pathlib import Path

    from sfconnect._types import Secret
    from sfconnect.auth import AuthContext, Credentials, option

    @dataclass(frozen=True, slots=True)
    class VaultToken:
        """Read an access token that a Vault agent keeps fresh."""
        path: Path = option(help="File that the agent writes.")
        instance_url: str = option(help="Base URL of the org.")
        pin: Secret | None = option(help="Its PIN.", secret=True, default=None)

        async def authenticate(self, context: AuthContext) -> Credentials:
            return Credentials(Secret("token"), self.instance_url)
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that Python finds distributions in, and forgets again with all their modules."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Put a distribution there, as pip would."""

    def install_one(
        name: str,
        entry_points: Mapping[str, str],
        modules: Mapping[str, str],
        *,
        version: str = "1.2",
        group: str = GROUP,
    ) -> Path:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{key} = {value}" for key, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        for module, text in modules.items():
            (site / f"{module}.py").write_text(textwrap.dedent(text))
        return info

    return install_one


@pytest.fixture
def registry(site: Path) -> Registry[AuthStrategy]:
    return Registry(GROUP, ("authenticate",))


def test_listing_imports_no_plugin(install: Install, registry: Registry[AuthStrategy]) -> None:
    install("acme-slow", {"slow": "acme_slow:Slow"}, {"acme_slow": "raise SystemExit('imported')"})

    names = registry.names()
    entries = {entry.name: entry for entry in registry.entries()}

    assert "slow" in names
    assert (entries["slow"].distribution, entries["slow"].version) == ("acme-slow", "1.2")
    assert "acme_slow" not in sys.modules


def test_only_the_selected_plugin_is_imported_and_only_once(
    install: Install, registry: Registry[AuthStrategy], site: Path
) -> None:
    count = f"with open({str(site / 'count')!r}, 'a') as file:\n    file.write('x')\n"
    counting = count + textwrap.dedent(VAULT)
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": counting})
    install("acme-other", {"other": "acme_other:Other"}, {"acme_other": VAULT})

    first, second = registry.load("vault-token"), registry.load("vault-token")

    assert first is second
    assert first.__name__ == "VaultToken"
    assert (site / "count").read_text() == "x"
    assert "acme_other" not in sys.modules


def test_a_third_partys_plugin_is_used_by_its_name(install: Install, tmp_path: Path) -> None:
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": VAULT})
    environ = {"SFCONNECT_PATH": "/run/token", "SFCONNECT_PIN": CANARY}
    STRATEGIES.refresh()

    try:
        made = resolve(
            "vault-token",
            options={"instance_url": "https://acme.my.salesforce.com"},
            environ=environ,
            cwd=tmp_path,
        )
    finally:
        STRATEGIES.refresh()

    assert vars_of(made.strategy) == {
        "path": Path("/run/token"),
        "instance_url": "https://acme.my.salesforce.com",
        "pin": Secret(CANARY),
    }
    assert CANARY not in repr(made)


def vars_of(strategy: object) -> dict[str, object]:
    return {name: getattr(strategy, name) for name in type(strategy).__dict__["__slots__"]}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_package_anywhere", "ModuleNotFoundError: No module named 'no_such"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "AttributeError: module 'acme_broken' has no attribute 'Broken'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise RuntimeError('licence')", "RuntimeError: licence"),
    ],
    ids=["missing requirement", "syntax", "no such object", "exit", "anything"],
)
def test_a_broken_plugin_is_named_in_full_and_its_error_chained(
    install: Install, registry: Registry[AuthStrategy], source: str, problem: str
) -> None:
    install("acme-broken", {"broken": "acme_broken:Broken"}, {"acme_broken": source})

    with pytest.raises(PluginError) as caught:
        registry.load("broken")

    head = "Plugin 'broken' of acme-broken 1.2 (acme_broken:Broken) cannot be imported: "
    assert caught.value.message.startswith(head + problem)
    assert caught.value.hint == "Install what it needs, or remove acme-broken."
    assert type(caught.value.__cause__).__name__ in problem


def test_a_module_that_is_not_there_is_an_import_error(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    install("acme-gone", {"gone": "acme_gone:Gone"}, {})

    with pytest.raises(PluginError, match="No module named 'acme_gone'"):
        registry.load("gone")


def test_a_broken_plugin_spoils_neither_listing_nor_its_neighbours(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    install("acme-broken", {"broken": "acme_broken:B"}, {"acme_broken": "raise ValueError"})
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": VAULT})

    reports = {report.name: report for report in registry.check()}

    assert not reports["broken"].ok
    assert reports["vault-token"].ok
    assert reports["vault-token"].summary.startswith("Read an access token that a Vault agent")
    assert {"broken", "vault-token"} <= set(registry.names())


def test_two_distributions_with_one_name_are_refused_and_can_be_told_apart(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": VAULT})
    install(
        "zeta-vault", {"vault-token": "zeta_vault:VaultToken"}, {"zeta_vault": VAULT}, version="9"
    )

    with pytest.raises(PluginError, match=r"comes from acme-vault 1\.2 and zeta-vault 9\."):
        registry.load("vault-token")
    assert registry.load("zeta-vault:vault-token").__module__ == "zeta_vault"


def test_a_plugin_that_takes_a_built_in_name_is_not_even_imported(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    source = "raise SystemExit('imported')"
    install("evil-twin", {"jwt-bearer": "evil_twin:JwtBearer"}, {"evil_twin": source})

    with pytest.raises(PluginError) as caught:
        registry.load("jwt-bearer")

    assert "evil-twin 1.2 and sfconnect" in caught.value.message
    assert "It is a name of sfconnect's own." in caught.value.message
    assert "evil_twin" not in sys.modules


def test_a_plugin_for_another_contract_version_says_which(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    source = textwrap.dedent(VAULT).replace(
        "    path: Path", "    plugin_api: ClassVar[int] = 2\n    path: Path"
    )
    source = "from typing import ClassVar\n" + source
    install("acme-next", {"next": "acme_next:VaultToken"}, {"acme_next": source})

    with pytest.raises(PluginError, match="plugin_api 2, and this sfconnect has 1"):
        registry.load("next")


def test_installing_while_the_program_runs_is_seen_after_a_refresh(
    install: Install, registry: Registry[AuthStrategy]
) -> None:
    assert "vault-token" not in registry.names()
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": VAULT})

    registry.refresh()

    assert registry.load("vault-token").__name__ == "VaultToken"


def test_a_plugins_error_about_options_keeps_its_secrets(install: Install, tmp_path: Path) -> None:
    install("acme-vault", {"vault-token": "acme_vault:VaultToken"}, {"acme_vault": VAULT})
    made: Registry[AuthStrategy] = Registry(GROUP, ("authenticate",))
    options = {"pin": CANARY, "pin_file": CANARY}

    with pytest.raises(ConfigurationError, match="pin is given twice") as caught:
        resolve("vault-token", options=options, environ={}, cwd=tmp_path, registry=made)

    assert CANARY not in str(caught.value)


def test_the_built_in_strategies_are_registered_like_anybodys(
    registry: Registry[AuthStrategy],
) -> None:
    built_in = {entry.name for entry in registry.entries() if entry.built_in}

    assert built_in >= {
        "access-token",
        "client-credentials",
        "jwt-bearer",
        "oauth2-client-credentials",
        "refresh-token",
    }


def test_all_built_in_strategies_pass_their_check() -> None:
    built_in = {entry.qualified for entry in STRATEGIES.entries() if entry.built_in}

    problems = {
        report.name: str(report.error)
        for report in STRATEGIES.check()
        if f"{report.distribution}:{report.name}" in built_in and not report.ok
    }

    assert problems == {}


def test_importing_the_registry_reads_no_metadata_and_no_profile(tmp_path: Path) -> None:
    """A program that passes its own strategy pays for neither."""
    code = (
        "import sys, importlib.metadata as m\n"
        "m.entry_points = lambda **_: sys.exit('read')\n"
        "import sfconnect.auth\n"
        "assert 'tomllib' not in sys.modules and 'difflib' not in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, timeout=15)

    assert done.returncode == 0
