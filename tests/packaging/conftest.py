"""Where the checkout is: these tests read sources and build what is shipped."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

CleanRun = Callable[[Sequence[str]], str]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the source tree."""
    return CHECKOUT


@pytest.fixture(scope="session")
def python_in_clean_process(tmp_path_factory: pytest.TempPathFactory) -> CleanRun:
    """Run the interpreter with the given arguments, away from the checkout and any settings."""
    folder = tmp_path_factory.mktemp("elsewhere")
    outside = ("PYTHON", "COV", "SFCONNECT")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outside)}

    def run(arguments: Sequence[str]) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Make an interpreter of its own, in which pip can install, that has all that this one has."""

    def make() -> str:
        folder = tmp_path_factory.mktemp("venv")
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        own = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
        purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
        target = subprocess.run([own, "-c", purelib], capture_output=True, text=True, check=True)
        # A .pth here reads the .pth files over there too, for editable installs.
        here = dict.fromkeys([*site.getsitepackages(), sysconfig.get_path("purelib")])
        lines = [f"import site; site.addsitedir({path!r})" for path in here]
        Path(target.stdout.strip(), "outer.pth").write_text("\n".join(lines))
        return own

    return make
