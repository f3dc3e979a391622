"""The pages to paste from: their commands run as they stand, and print what is shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from sfconnect.auth.registry import STRATEGIES

DOCS = Path(__file__).parents[2] / "docs"
EACH_LOGIN = DOCS / "how-to/try-each-flow.md"
PAGES = [EACH_LOGIN, DOCS / "tutorials/first-login.md"]
CHAPTER = re.compile(r"^(?=## )", re.MULTILINE)
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^### ([a-z0-9-]+)$", re.MULTILINE)
MARK = "===== end of block ====="
#: In the place of the time that a person takes to enter a code.
HURRY = (
    "python3 -c 'import os, urllib.request as u; u.urlopen("
    'os.environ["SFCONNECT_LOGIN_URL"] + "/__control__/device-interval", b"{\\"seconds\\": 0}")\''
)


@dataclass(frozen=True)
class Trial:
    """One block of commands, and what it should print."""

    commands: str
    shown: str = ""


@dataclass(frozen=True)
class Paste:
    """Blocks that are pasted into one shell, one after the other."""

    name: str
    trials: tuple[Trial, ...]
    hurried: bool = False


def trials_in(text: str) -> list[Trial]:
    found: list[Trial] = []
    for kind, block in BLOCK.findall(text):
        if kind == "bash":
            found.append(Trial(block))
        else:
            found[-1] = replace(found[-1], shown=block)
    return found


def pastes_of(page: Path) -> list[Paste]:
    """A tutorial whole; of the logins, each chapter between the first and the last, as it says."""
    text = page.read_text(encoding="utf-8")
    if page != EACH_LOGIN:
        return [Paste(page.stem, tuple(trials_in(text)))]
    begin, *chapters, end = filter(None, map(trials_in, CHAPTER.split(text)))
    return [
        Paste(f"{page.stem} {number}", (*begin, *chapter, *end), hurried=True)
        for number, chapter in enumerate(chapters, 1)
    ]


TRIALS = [
    pytest.param(paste, number, id=f"{paste.name}.{number}")
    for page in PAGES
    for paste in pastes_of(page)
    for number in range(len(paste.trials))
]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Paste], list[str]]:
    """Paste blocks into a shell in an empty folder, once; tells what each block printed."""

    @cache
    def run(paste: Paste) -> list[str]:
        folder = tmp_path_factory.mktemp("pasted")
        commands = [f"{trial.commands}echo '{MARK}'\n" for trial in paste.trials]
        if paste.hurried:
            commands.insert(1, f"{HURRY} >/dev/null\n")
        done = subprocess.run(
            ["bash", "-s"],
            input="".join(commands),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=folder,
            env=environment(folder),
            timeout=150,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout.split(f"{MARK}\n")

    return run


def environment(home: Path) -> dict[str, str]:
    """A shell of somebody who has installed it, and has settings of no kind."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("SFCONNECT")}
    programs = Path(sys.executable).parent
    return own | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "COLUMNS": "200",
    }


def pattern(shown: str) -> re.Pattern[str]:
    """What a block shows, where … stands for what differs from one machine to the next."""
    lines = (".+".join(map(re.escape, line.split("…"))) for line in shown.splitlines())
    return re.compile("".join(f"{line} *\n" for line in lines))


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("paste", "number"), TRIALS)
def test_commands_print_what_the_page_shows(
    printed: Callable[[Paste], list[str]], paste: Paste, number: int
) -> None:
    trial = paste.trials[number]

    found = printed(paste)[number]

    assert pattern(trial.shown).fullmatch(found), f"{trial.commands}printed:\n{found}"


def test_every_login_that_there_is_can_be_tried() -> None:
    tried = set(HEADING.findall(EACH_LOGIN.read_text(encoding="utf-8")))

    assert {plugin.name for plugin in STRATEGIES.check()} <= tried
