"""Each import contract of pyproject.toml breaks when it is violated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

VIOLATIONS = [
    pytest.param(
        "layers of the package",
        "sfconnect/errors.py",
        "import sfconnect.messages",
        id="lower-layer-imports-upper",
    ),
    pytest.param(
        "layers of the package",
        "sfconnect/stray.py",
        "",
        id="module-without-a-layer",
    ),
    pytest.param(
        "layers inside salesforce",
        "sfconnect/salesforce/hosts.py",
        "import sfconnect.salesforce.client",
        id="hosts-import-client",
    ),
    pytest.param(
        "the framework knows nothing of Salesforce",
        "sfconnect/auth/base.py",
        "import sfconnect.salesforce",
        id="framework-imports-salesforce",
    ),
    pytest.param(
        "values and grammar do no I/O",
        "sfconnect/soql/ast.py",
        "import asyncio",
        id="grammar-imports-asyncio",
    ),
    pytest.param(
        "aiohttp has one home",
        "sfconnect/auth/base.py",
        "import aiohttp",
        id="auth-imports-aiohttp",
    ),
    pytest.param(
        "extras stay lazy",
        "sfconnect/messages.py",
        "def late() -> None:\n    import pyarrow",
        id="extra-imported-inside-a-function",
    ),
    pytest.param(
        "the emulator shares the grammar only",
        "sfconnect_emulator/__init__.py",
        "import sfconnect.messages",
        id="emulator-imports-client-code",
    ),
    pytest.param(
        "the core imports no plugin",
        "sfconnect/errors.py",
        "import sfconnect_emulator",
        id="core-imports-emulator",
    ),
    pytest.param(
        "plugins use public modules only",
        "sfconnect_auth_sfcli/__init__.py",
        "import sfconnect.auth.manager",
        id="plugin-imports-internals",
    ),
]


@pytest.fixture
def tree(checkout: Path, tmp_path: Path) -> Path:
    """A copy of the packages, side by side, with the contracts."""
    plugins = [path.parent for path in checkout.glob("plugins/*/sfconnect_*/__init__.py")]
    for package in [checkout / "sfconnect", *plugins]:
        shutil.copytree(package, tmp_path / package.name)
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold_in_an_untouched_copy(tree: Path) -> None:
    report = lint_imports(tree)

    assert "BROKEN" not in report
    assert "0 broken" in report


@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS)
def test_contract_breaks_when_violated(tree: Path, contract: str, module: str, line: str) -> None:
    with (tree / module).open("a") as file:
        file.write(f"\n{line}\n")

    report = lint_imports(tree)

    assert f"{contract} BROKEN" in report


def test_every_contract_has_a_violation_that_proves_it(checkout: Path) -> None:
    settings = tomllib.loads((checkout / "pyproject.toml").read_text())
    contracts = {each["name"] for each in settings["tool"]["importlinter"]["contracts"]}

    proven = {parameters.values[0] for parameters in VIOLATIONS}

    assert proven == contracts


def test_every_plugin_is_under_contract(checkout: Path) -> None:
    settings = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["importlinter"]
    plugins = {path.parent.name for path in checkout.glob("plugins/*/sfconnect_*/__init__.py")}

    by_name = {each["name"]: each for each in settings["contracts"]}

    assert set(settings["root_packages"]) == {"sfconnect", *plugins}
    assert set(by_name["the core imports no plugin"]["forbidden_modules"]) == plugins
    sources = set(by_name["plugins use public modules only"]["source_modules"])
    assert sources == plugins - {"sfconnect_emulator"}


def lint_imports(tree: Path) -> str:
    """Run the linter on a tree of its own and return what it prints."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    # Wide enough that no line of the report is wrapped.
    env = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    return done.stdout
