"""The project that is written works as it is: it installs, its tests pass, its name is found."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from sfconnect import ConfigurationError
from sfconnect_auth_template import Names, render
from sfconnect_auth_template.__main__ import main

FILES = {
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "sfconnect_auth_acme_vault/__init__.py",
    "sfconnect_auth_acme_vault/py.typed",
    "sfconnect_auth_acme_vault/strategy.py",
    "tests/conftest.py",
    "tests/test_conformance.py",
    "tests/test_strategy.py",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as the command writes it."""
    folder = tmp_path_factory.mktemp("work") / "acme"
    command = [sys.executable, "-m", "sfconnect_auth_template", "acme-vault", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Wrote 9 files of sfconnect-auth-acme-vault" in done.stdout
    return folder


@pytest.fixture(scope="module")
def python(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the project installed, and all that this one has."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    own = str(folder / scripts / "python")
    # A .pth in the new environment reads the .pth files of this one too, for editable installs.
    here = [*site.getsitepackages(), sysconfig.get_path("purelib")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(here)]
    target = subprocess.run(
        [own, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(target, "outer.pth").write_text("\n".join(lines))
    pip = [own, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    run([*pip, "--disable-pip-version-check", "-e", str(project)], project)
    return own


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder; it must succeed."""
    own = (name for name in os.environ if name.startswith(("SFCONNECT_", "PYTEST_", "PIP_")))
    kept = {name: value for name, value in os.environ.items() if name not in set(own)}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_is_written_and_no_placeholder_is_left(project: Path) -> None:
    written = {path.relative_to(project).as_posix(): path for path in project.rglob("*.*")}
    written = {name: path for name, path in written.items() if path.is_file()}

    assert {name for name in written if ".egg-info" not in name} >= FILES
    texts = "".join(written[name].read_text() for name in FILES)
    assert "@" not in texts.replace("@dataclass", "").replace("@pytest", "")
    assert "MODULE" not in texts


def test_the_entry_point_names_the_class(project: Path) -> None:
    document = tomllib.loads((project / "pyproject.toml").read_text())

    points = document["project"]["entry-points"]["sfconnect.auth"]
    assert points == {"acme-vault": "sfconnect_auth_acme_vault:AcmeVault"}


@pytest.mark.timeout(180)
def test_the_projects_own_tests_pass(python: str, project: Path) -> None:
    printed = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], project)

    assert " passed" in printed
    assert not {"failed", "error", "skipped"} & set(printed.split())


@pytest.mark.timeout(180)
def test_the_installed_project_is_used_by_its_name(python: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("canary-key")
    (tmp_path / "sfconnect.toml").write_text(
        '[profiles.p]\nauth = "acme-vault"\n'
        'broker_url = "https://broker.example.com/token"\napi_key_file = "key"\n'
    )
    code = (
        "from sfconnect.auth import STRATEGIES, resolve\n"
        "report = next(r for r in STRATEGIES.check() if r.name == 'acme-vault')\n"
        "assert report.ok, report.error\n"
        "print(report.distribution, resolve(profile='p').strategy)\n"
    )

    printed = run([python, "-c", code], tmp_path)

    assert printed.startswith("sfconnect-auth-acme-vault AcmeVault(broker_url='https://broker")
    assert "canary" not in printed


@pytest.mark.timeout(180)
def test_the_projects_tests_notice_a_strategy_that_shows_its_key(
    python: str, project: Path, tmp_path: Path
) -> None:
    """They would be worth nothing if they passed whatever the strategy does."""
    shown = tmp_path / "shown"
    render(Names.of("acme-vault"), shown)
    strategy = shown / "sfconnect_auth_acme_vault" / "strategy.py"
    changed = strategy.read_text().replace(
        "is not the broker.", "is not the broker: {response.text}"
    )
    strategy.write_text(changed)

    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_strategy.py"]
    done = subprocess.run(
        command,
        cwd=shown,
        env={**os.environ, "PYTHONPATH": str(shown)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "test_refusals_are_typed_and_quote_nothing" in done.stdout


@pytest.mark.parametrize(
    ("typed", "name", "class_name"),
    [
        ("vault", "vault", "Vault"),
        ("acme-vault2", "acme-vault2", "AcmeVault2"),
        ("Acme_Vault", "acme-vault", "AcmeVault"),
        (" sfconnect-auth-acme ", "acme", "Acme"),
    ],
)
def test_all_names_follow_from_one(typed: str, name: str, class_name: str) -> None:
    names = Names.of(typed)

    assert (names.name, names.class_name) == (name, class_name)
    assert names.distribution == f"sfconnect-auth-{name}"
    assert names.module == names.distribution.replace("-", "_")
    assert names.module.isidentifier()


@pytest.mark.parametrize("typed", ["", "-", "2fa", "a--b", "a-", "a b", "ä", "a/b", "..", "a.b"])
def test_a_name_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        Names.of(typed)


def test_a_built_in_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="comes with sfconnect") as caught:
        Names.of("jwt-bearer")

    assert caught.value.hint == "Name whose it is: acme-jwt-bearer."


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "mine").write_text("precious")

    assert main(["acme-vault", str(tmp_path)]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(ConfigurationError, match="is there already"):
        render(Names.of("acme-vault"), tmp_path / "mine")


def test_an_empty_folder_will_do(tmp_path: Path, capsys) -> None:
    assert main(["acme-vault", str(tmp_path)]) == 0
    assert (tmp_path / "pyproject.toml").exists()
    assert f"cd {tmp_path}" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        render(Names.of("acme-vault"), tmp_path / "file" / "below")


def test_a_name_that_will_not_do_is_wrong_usage(tmp_path: Path, capsys) -> None:
    assert main(["2fa", str(tmp_path / "new")]) == 2
    assert "cannot be the name" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
