"""The Python examples of the documentation and the README run as they are written."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted(CHECKOUT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[object]:
    """Every example, with the page and the line where it stands."""
    for page in PAGES:
        if "_build" in page.parts:
            continue
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(match[1], id=f"{page.relative_to(CHECKOUT)}:{line}")


def runs_a_program(example: str) -> bool:
    """Tell programs from fragments; only programs that talk to Salesforce have a server here."""
    return "asyncio.run(" in example and "Salesforce.connect(" in example


PROFILE = re.compile(r'profile="(\w+)"')

EXAMPLES = list(examples())
PROGRAMS = [each for each in EXAMPLES if runs_a_program(each.values[0])]  # type: ignore[attr-defined]  # ParameterSet is not public


@pytest.fixture(scope="module")
def org() -> Iterator[dict[str, str]]:
    """A running emulator, as its line of facts."""
    command = [str(Path(sys.executable).with_name("sfconnect-emulator")), "serve", "--seed", "7"]
    rows = ["--rows", "Account=60", "--rows", "Contact=40", "--rows", "Opportunity=20"]
    with subprocess.Popen([*command, *rows], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_python(example: str) -> None:
    compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("example", PROGRAMS)
def test_program_runs_against_an_org(example: str, org: dict[str, str], tmp_path: Path) -> None:
    program = with_values(example, org)
    profiles = [
        f'[profiles.{name}]\nauth = "client-credentials"\n' for name in PROFILE.findall(program)
    ]
    (tmp_path / "sfconnect.toml").write_text("".join(profiles))
    names = ("login_url", "client_id", "client_secret")
    variables = {f"SFCONNECT_{name.upper()}": org[name] for name in names}
    env = {**os.environ, **variables, "SFCONNECT_AUTH": "client-credentials"}

    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def with_values(example: str, org: dict[str, str]) -> str:
    """Put the values of this org where an example has placeholders."""
    filled = example.replace("https://acme.my.salesforce.com", org["login_url"])
    for name in ("client_id", "client_secret"):
        filled = filled.replace(f'{name}="…"', f"{name}={org[name]!r}")
    return filled
