"""What `import sfconnect` costs: the packages that it loads are pinned in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PINNED = Path(__file__).with_name("imported_packages.txt")
NEVER = {"click", "grpc", "isal", "keyring", "pyarrow", "pytest", "uvloop"}

#: Prints the packages outside the standard library that a statement loads.
PROBE = """
import json, sys
before = set(sys.modules)
{statement}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
private = {{name for name in loaded if name.startswith("_") or name == "cython_runtime"}}
print(json.dumps(sorted(loaded - private - set(sys.stdlib_module_names))))
"""

USAGE = (
    "from sfconnect import Salesforce, Connector, ClientCredentials, JwtBearer, RefreshToken, "
    "AccessToken"
)


@pytest.fixture
def loaded_by(
    python_in_clean_process: Callable[[Sequence[str]], str],
) -> Callable[[str], set[str]]:
    """Tell which packages a statement loads in a fresh interpreter."""

    def probe(statement: str) -> set[str]:
        output = python_in_clean_process(["-I", "-c", PROBE.format(statement=statement)])
        return set(json.loads(output.splitlines()[-1]))

    return probe


def pinned() -> dict[str, set[str]]:
    """The pinned packages: always loaded, and loaded on some interpreters only."""
    lines = [line.split("#")[0].strip() for line in PINNED.read_text().splitlines()]
    names = [line for line in lines if line]
    optional = {name.rstrip("?") for name in names if name.endswith("?")}
    return {"always": {name for name in names if not name.endswith("?")}, "sometimes": optional}


def test_the_public_names_load_the_pinned_packages_only(loaded_by) -> None:
    loaded = loaded_by(USAGE)

    assert loaded - pinned()["sometimes"] == pinned()["always"]


@pytest.mark.parametrize("statement", ["import sfconnect", USAGE])
def test_importing_the_client_loads_no_extra(loaded_by, statement: str) -> None:
    assert loaded_by(statement) & NEVER == set()


def test_importing_the_package_alone_loads_no_http_client(loaded_by) -> None:
    assert "aiohttp" not in loaded_by("import sfconnect")


def test_help_of_the_command_line_imports_no_client(loaded_by) -> None:
    loaded = loaded_by(
        "sys.argv = ['sfconnect', '--help']\nfrom sfconnect.cli import main\nassert main() == 0"
    )

    assert "click" in loaded
    assert loaded & {"aiohttp", "authlib", "joserfc", "pyarrow"} == set()
