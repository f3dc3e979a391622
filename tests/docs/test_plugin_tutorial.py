"""The page for plugin authors, followed to the letter from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "plugin-authors" / "in-fifteen-minutes.md"
STEP = re.compile(
    r"^```console\n(?P<commands>.*?)^```$"
    r"|^(?:[^\n]* )?`(?P<path>[\w/]+\.py)`:\n\n```python\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NEEDED = [".", "plugins/sfconnect-auth-template"]


def script() -> Iterator[str]:
    """The page as a shell would take it: commands are run, files are written."""
    for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if step["commands"]:
            for line in step["commands"].splitlines():
                assert line.startswith("$ "), f"{line!r} is no command"
                yield f"echo 'step: {line[2:]}'" if "'" not in line else "echo 'step:'"
                yield line[2:]
        else:
            yield f"cat > {step['path']} <<'END OF FILE'\n{step['text']}END OF FILE"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is not published yet, as pip would find it."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    sources = [str(CHECKOUT / source) for source in NEEDED]
    subprocess.run([*command, "--wheel-dir", str(folder), *sources], check=True)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the page is written for a POSIX shell")
@pytest.mark.timeout(300)
def test_following_the_page_to_the_letter_works(wheels: Path, tmp_path: Path) -> None:
    outside = ("SFCONNECT_", "PYTEST_", "PYTHON", "COV", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    env |= {"PIP_FIND_LINKS": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env["PATH"] = f"{Path(sys.base_prefix, 'bin')}{os.pathsep}{env['PATH']}"

    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(script())],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    printed = done.stdout
    assert len(re.findall(r"=+ \d+ passed(?:, \d+ skipped)? in .* =+", printed)) == 2
    assert re.search(r"acme-vault +sfconnect-auth-acme-vault 0\.1\.0 .*ok", printed)
    assert "\n00D000000000001!made.up\n" in printed
    assert "sfconnect_auth_acme_vault-0.1.0-py3-none-any.whl" in printed


def test_every_file_of_the_page_is_a_step() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert len(re.findall(r"^```python$", text, re.MULTILINE)) == 3
    assert sum(line.startswith("cat > ") for line in script()) == 3
