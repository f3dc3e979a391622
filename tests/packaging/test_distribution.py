"""What is shipped: the wheel, the source archive, the metadata, the entry points."""

from __future__ import annotations

import email.message
import email.parser
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        [*command, "--sdist", "--wheel", str(checkout)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel_files(built: Path) -> list[str]:
    """The names of the files in the wheel."""
    (wheel,) = built.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def sdist_files(built: Path) -> list[str]:
    """The names of the files in the source archive, without its top folder."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


@pytest.fixture(scope="module")
def wheel_metadata(built: Path) -> email.message.Message:
    """The metadata of the wheel."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_wheel_says_that_it_is_typed(wheel_files: list[str]) -> None:
    assert "sfconnect/py.typed" in wheel_files


def test_wheel_holds_the_package_and_its_metadata_alone(wheel_files: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_files}

    assert tops == {"sfconnect", f"sfconnect-{metadata.version('sfconnect')}.dist-info"}


def test_wheel_holds_every_module_of_the_checkout(wheel_files: list[str], checkout: Path) -> None:
    modules = {path.relative_to(checkout).as_posix() for path in checkout.glob("sfconnect/**/*.py")}

    assert modules <= set(wheel_files)


def test_wheel_carries_the_licence(wheel_files: list[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_files)


def test_sdist_can_be_built_and_tested_from(sdist_files: list[str]) -> None:
    needed = {"pyproject.toml", "README.md", "LICENSE", "noxfile.py", "tests/conftest.py"}

    assert needed <= set(sdist_files)


def test_sdist_holds_no_leftovers(sdist_files: list[str]) -> None:
    leftovers = re.compile(r"(^|/)(\.nox|\.git|__pycache__|.*_cache|_build)(/|$)|\.pyc$|\.lock$")

    assert [name for name in sdist_files if leftovers.search(name)] == []


def test_metadata_states_licence_python_and_typing(wheel_metadata: email.message.Message) -> None:
    assert wheel_metadata["License-Expression"] == "Apache-2.0"
    assert wheel_metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in (wheel_metadata.get_all("Classifier") or [])


def test_metadata_names_the_extras(wheel_metadata: email.message.Message) -> None:
    extras = set(wheel_metadata.get_all("Provides-Extra") or [])

    assert extras == {"all", "arrow", "cli", "otel", "speed", "testing"}


def test_core_install_is_light(wheel_metadata: email.message.Message) -> None:
    requirements = wheel_metadata.get_all("Requires-Dist") or []
    core = {re.split(r"[\s<>=!~;\[]", line)[0] for line in requirements if "extra ==" not in line}

    # cryptography comes with authlib; it is named because it is used by name.
    assert core == {
        *("aiohttp", "anyio", "authlib", "cryptography", "joserfc", "msgspec", "structlog"),
        "tenacity",
    }


def test_no_requirement_points_at_a_host(wheel_metadata: email.message.Message) -> None:
    assert [line for line in wheel_metadata.get_all("Requires-Dist") or [] if "@" in line] == []


def entry_points() -> list[metadata.EntryPoint]:
    """The entry points of the installed distribution."""
    return list(metadata.distribution("sfconnect").entry_points)


@pytest.mark.parametrize("point", entry_points(), ids=lambda point: f"{point.group}-{point.name}")
def test_entry_point_resolves(point: metadata.EntryPoint) -> None:
    assert callable(point.load())


def test_strategies_are_registered_through_the_public_door() -> None:
    names = {point.name for point in entry_points() if point.group == "sfconnect.auth"}

    assert {"access-token", "client-credentials", "jwt-bearer", "refresh-token"} <= names
