"""Every login is explained, and what is shown to be copied works."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib import metadata
from operator import attrgetter
from pathlib import Path

import pytest

from sfconnect.auth.options import options_of
from sfconnect.auth.registry import STRATEGIES
from sfconnect.auth.resolve import resolve
from sfconnect.auth.sources import option_families
from sfconnect.cli.explained import HOMES, explained_names, explanation_of, hint_of
from sfconnect.cli.logins import guide_to

PLANNED = {
    *("client-credentials", "jwt-bearer", "refresh-token", "access-token", "authorization-code"),
    *("device", "token-exchange", "saml-bearer", "data360", "process", "chain"),
    *("oauth2-client-credentials", "oauth2-refresh-token", "oauth2-authorization-code"),
    *("oauth2-jwt-bearer", "oauth2-device", "api-key", "basic"),
    *("sfcli", "username-password", "soap-login"),
}
BUILT_IN = [
    point
    for point in metadata.distribution("sfconnect").entry_points
    if point.group == "sfconnect.auth"
]
NAMES = [point.name for point in BUILT_IN]


def test_the_logins_that_there_are_to_be_are_explained() -> None:
    assert set(explained_names()) >= PLANNED


@pytest.mark.parametrize("point", BUILT_IN, ids=attrgetter("name"))
def test_every_login_that_is_registered_is_explained(point: metadata.EntryPoint) -> None:
    explanation = explanation_of(point.name)

    assert explanation is not None
    known = {key for family in option_families(options_of(point.load())) for key in family}
    if base := explanation.example.get("base"):
        specs = options_of(STRATEGIES.load(base))
        known |= {key for family in option_families(specs) for key in family}
    assert set(explanation.example) <= {key.key for key in known}


@pytest.mark.parametrize("name", sorted(PLANNED))
def test_an_explanation_leaves_no_question_open(name: str) -> None:
    explanation = explanation_of(name)

    assert explanation is not None
    sentences = [explanation.purpose, explanation.acts_as, *explanation.rules]
    assert [text for text in sentences if not re.search(r"\.['\"]?$", text)] == []
    assert explanation.setup
    assert [problem.says for problem in explanation.problems if not problem.fix] == []
    keys = [problem.key for problem in explanation.problems]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", ["device", "username-password", "soap-login"])
def test_a_login_that_is_going_to_end_says_when(name: str) -> None:
    explanation = explanation_of(name)

    assert explanation is not None
    assert re.search(r"20(26|27)|Summer '27", explanation.status)


@pytest.mark.parametrize("name", sorted(PLANNED))
def test_hints_have_no_places_left_to_fill(name: str) -> None:
    explanation = explanation_of(name)

    assert explanation is not None
    text = " ".join(problem.fix for problem in explanation.problems)
    assert not re.search(r"[{}]|\(drift\)|\(\w*audience\)", text)


def test_an_error_without_a_hint_of_its_own_has_that_of_the_table() -> None:
    explanation = explanation_of("client-credentials")

    assert explanation is not None
    (wrong,) = (one for one in explanation.problems if one.key == "wrong-client-secret")
    assert wrong.fix == hint_of("wrong-client-secret")
    assert "Consumer Key and Secret" in wrong.fix
    assert hint_of("no-such-key") == ""


def test_what_has_no_file_has_no_explanation() -> None:
    assert explanation_of("vault-token") is None
    assert explanation_of("../explanations/jwt-bearer") is None


def test_the_plugins_that_are_told_of_are_real() -> None:
    for name, distribution in HOMES.items():
        points = metadata.distribution(distribution).entry_points
        assert name in {point.name for point in points if point.group == "sfconnect.auth"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that snippets name."""
    (tmp_path / "secrets").mkdir()
    for name in ("client_secret", "refresh_token", "access_token", "key", "password"):
        (tmp_path / "secrets" / name).write_text("s3cret\n")
    for secret in ("subject_token", "assertion"):
        (tmp_path / "secrets" / secret).write_text("PHNhbWw+\n")
    return tmp_path


WRITABLE = [name for name in NAMES if guide_to(f"sfconnect:{name}").snippets]


@pytest.mark.parametrize("name", sorted({*NAMES, *HOMES}))
def test_a_login_is_shown_as_a_profile_or_else_in_code(name: str) -> None:
    guide = guide_to(name)

    assert guide.snippets or guide.explanation.code


@pytest.mark.filterwarnings("ignore::sfconnect.auth.RetirementWarning")
@pytest.mark.parametrize("name", WRITABLE)
def test_the_profile_that_is_shown_makes_the_login(name: str, folder: Path) -> None:
    guide = guide_to(name)
    assert guide.snippets
    (folder / "sfconnect.toml").write_text(guide.snippets[0])

    made = resolve(profile="prod", environ={}, cwd=folder)

    assert made.name == name
    given = tomllib.loads(guide.snippets[0])["profiles"]["prod"]
    assert len(made.origins) == len(given) - 1  # all but auth


@pytest.mark.filterwarnings("ignore::sfconnect.auth.RetirementWarning")
@pytest.mark.parametrize("name", WRITABLE)
def test_the_variables_that_are_shown_make_the_same_login(name: str, folder: Path) -> None:
    guide = guide_to(name)
    assert guide.snippets
    (folder / "sfconnect.toml").write_text(guide.snippets[0])
    lines = [shlex.split(line) for line in guide.snippets[1].splitlines()]
    environ = dict(word.split("=", 1) for export, word in lines if export == "export")
    assert len(environ) == len(lines)

    made = resolve(environ=environ, cwd=folder)

    assert made.strategy == resolve(profile="prod", environ={}, cwd=folder).strategy
