"""Where the checkout is: these tests read sources and build what is shipped."""

from __future__ import annotations

import os
import subprocess
import sys
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
