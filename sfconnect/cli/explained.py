"""Read what there is to say of each login beside its options.

It is text for people, so it stands beside the command that shows it, in ``explanations``.
Logins of plugins of ours are among it, so that they can be explained before they are installed;
logins of others are explained by their docstring and options alone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOMES: Final = {
    "sfcli": "sfconnect-auth-sfcli",
    "soap-login": "sfconnect-auth-legacy",
    "username-password": "sfconnect-auth-legacy",
}
"""The distributions of logins that do not come with sfconnect."""
_FOLDER: Final = "sfconnect.cli.explanations"
_SUFFIX: Final = ".toml"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a login may meet: what the server says, and what to do."""

    key: str
    """As ``AuthError.docs_key``; empty for answers of the API, after the login."""
    says: str
    fix: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a login is for, and what it takes."""

    purpose: str
    acts_as: str = ""
    status: str = ""
    """What is about to change, with its date."""
    setup: tuple[str, ...] = ()
    """Steps, in their order, in the org or at the provider."""
    rules: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    example: Mapping[str, str] = field(default_factory=dict)
    """Options that a ready profile has beside the required ones; empty text: any value."""
    code: str = ""
    """A program, where environment and profiles cannot give the options."""


def explained_names() -> list[str]:
    """The names that there is an explanation of."""
    found = (item.name for item in files(_FOLDER).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


def explanation_of(name: str) -> Explanation | None:
    """Read the explanation of a login of ours; None if there is none of this name."""
    if name not in explained_names():
        return None
    text = files(_FOLDER).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
    return _explanation(tomllib.loads(text))


def _explanation(document: dict[str, Any]) -> Explanation:
    return Explanation(
        purpose=document["purpose"],
        acts_as=document["acts_as"],
        status=document.get("status", ""),
        setup=tuple(document["setup"]),
        rules=tuple(document["rules"]),
        problems=tuple(_problems(document["errors"])),
        example=document.get("example", {}),
        code=document.get("code", "").strip(),
    )


def _problems(entries: list[dict[str, str]]) -> Iterator[Problem]:
    for entry in entries:
        key = entry.get("key", "")
        yield Problem(key, entry["says"], entry.get("fix") or hint_of(key))


def hint_of(key: str) -> str:
    """The hint that the error of this key comes with, in general words; empty if there is none."""
    from sfconnect.auth.oauth2.refusals import OAUTH_RULES  # the tables of errors, with their hints
    from sfconnect.salesforce.auth.hints import RULES

    hints = (rule.hint for rule in (*RULES, *OAUTH_RULES) if rule.key == key and rule.hint)
    return next(hints, "").format_map(_GENERAL)


class _InGeneral(dict[str, str]):
    """Words for the places of a hint that an error fills with what was tried."""

    def __missing__(self, key: str) -> str:
        return f"({key})"


_GENERAL: Final = _InGeneral(
    host="login.salesforce.com",
    username="the user",
)
