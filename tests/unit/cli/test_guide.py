"""A login explained to people and to machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sfconnect import Secret
from sfconnect.auth import AuthContext, Credentials, option, options_of
from sfconnect.auth.base import Signer
from sfconnect.cli.explained import Explanation, Problem
from sfconnect.cli.guide import Guide, known, text_of

CANARY = "canary-secret"


@dataclass(frozen=True, slots=True)
class Vault:
    """Ask the vault."""

    url: str = option(help="Where the vault is.", example="https://vault.example.com")
    key: Secret | str = option(help="Key of the vault.", secret=True, default=CANARY)
    mode: Literal["fast", "safe"] = option(help="How.", default="safe", env="VAULT_MODE")
    key_file: Path | None = option(help="File with the key.", default=None)
    signer: Signer | None = option(help="Signs.", default=None)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class OnlyInCode:
    """Take a signer."""

    signer: Signer = option(help="Signs.")

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


EXPLANATION = Explanation(
    purpose="To open the vault.",
    acts_as="The keeper.",
    status="It ends in 2031.",
    setup=("Build a vault.", "Lock it, " + "and then " * 20 + "go."),
    rules=("Never tell the key.",),
    problems=(Problem("locked", "The vault is locked", "Unlock it."),),
    example={"mode": ""},
)
GUIDE = Guide("vault", "plugin, acme 1.0", EXPLANATION, options_of(Vault))


def test_the_text_tells_everything_in_its_order() -> None:
    lines = text_of(GUIDE, width=70).splitlines()

    assert lines[0] == "vault (plugin, acme 1.0)"
    titles = [line for line in lines[1:] if line and not line.startswith(" ")]
    assert titles == [
        *("Acts as", "Note", "Set it up", "Rules"),
        *("Options", "As a profile", "As variables", "Errors"),
    ]
    assert lines[lines.index("Errors") + 1 :] == ["  The vault is locked", "      Unlock it."]


def test_an_option_tells_type_need_default_and_its_other_forms() -> None:
    text = text_of(GUIDE, width=90)

    assert (
        "  url (text, required)\n"
        "      Where the vault is.\n"
        "      Environment: SFCONNECT_URL\n"
        "      Example: https://vault.example.com\n"
        "  key (text, secret, optional)\n"
        "      Key of the vault.\n"
        "      Environment: SFCONNECT_KEY, SFCONNECT_KEY_COMMAND\n"
        "      Instead, in a profile: key_command\n"
        "  mode (one of 'fast', 'safe', by default safe)\n"
        "      How.\n"
        "      Environment: SFCONNECT_MODE, VAULT_MODE\n"
    ) in text
    assert "  signer (in code only, optional)\n      Signs.\n" in text


def test_long_lines_are_wrapped_below_their_text() -> None:
    lines = text_of(GUIDE, width=50).splitlines()

    assert max(map(len, lines)) <= 50
    start = lines.index("Set it up")
    assert lines[start + 1] == "  1. Build a vault."
    assert lines[start + 2].startswith("  2. Lock it, and then")
    assert lines[start + 3].startswith("     and then")


def test_the_ready_profile_has_what_is_required_and_the_example() -> None:
    assert GUIDE.snippets == (
        "# sfconnect.toml\n"
        "[profiles.prod]\n"
        'auth = "vault"\n'
        'url = "https://vault.example.com"\n'
        'mode = "fast"',
        "export SFCONNECT_AUTH=vault\n"
        "export SFCONNECT_URL=https://vault.example.com\n"
        "export SFCONNECT_MODE=fast",
    )


def test_what_only_code_can_give_is_shown_in_code() -> None:
    explanation = Explanation("To sign.", code="OnlyInCode(signer)")
    guide = Guide("signer", "application", explanation, options_of(OnlyInCode))

    text = text_of(guide, width=80)

    assert guide.snippets is None
    assert "As a profile" not in text
    assert text.endswith("In code\n  OnlyInCode(signer)\n")


def test_what_is_not_installed_is_explained_without_options() -> None:
    guide = Guide("vault", "not installed, acme", EXPLANATION, (), "Run: pip install acme")

    text = text_of(guide, width=80)

    assert "Not available here\n  Run: pip install acme\n" in text
    assert "Options" not in text
    assert "As a profile" not in text


def test_machines_get_everything_but_the_default_of_a_secret() -> None:
    whole = known(GUIDE)

    options = {one["name"]: one for one in whole["options"]}
    assert options["key"] == {
        "name": "key",
        "help": "Key of the vault.",
        "wanted": "text",
        "required": False,
        "default": None,
        "secret": True,
        "environment": ["SFCONNECT_KEY", "SFCONNECT_KEY_COMMAND"],
        "forms": ["key_command"],
        "example": None,
    }
    assert (options["mode"]["default"], options["url"]["default"]) == ("safe", None)
    assert (whole["available"], whole["status"]) == (True, "It ends in 2031.")
    assert whole["errors"] == [
        {"key": "locked", "says": "The vault is locked", "fix": "Unlock it."}
    ]
    assert whole["profile"].startswith("# sfconnect.toml")
    assert CANARY not in str(whole) + text_of(GUIDE, width=80)
