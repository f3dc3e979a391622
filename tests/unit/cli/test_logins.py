"""Which logins there are, where they come from, and why one cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from sfconnect.auth import AuthContext, Credentials, Registry, option
from sfconnect.cli.explained import HOMES
from sfconnect.cli.logins import Known, guide_to, known_logins
from sfconnect.errors import PluginError


@dataclass(frozen=True, slots=True)
class Vault:
    """Read a token that
    the vault keeps.

    More for whoever reads the code.
    """

    url: str = option(help="Where.")

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Silent:
    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Absent(Silent):
    """Need what is not there."""

    @classmethod
    def availability(cls) -> str | None:
        return "There is no vault here. Build one."


@dataclass(frozen=True)
class FakeDistribution:
    """The two facts of a distribution that the registry reads."""

    name: str
    version: str = "1.0"


def point(name: str, value: str, owner: str = "acme") -> EntryPoint:
    made = EntryPoint(name, f"{__name__}:{value}", "sfconnect.auth")
    # What importlib.metadata itself does for each entry point that it finds.
    vars(made).update(dist=FakeDistribution(owner))
    return made


def registry(*points: EntryPoint) -> Registry[Any]:
    return Registry("sfconnect.auth", ("authenticate",), discover=lambda _: points)


def by_name(*points: EntryPoint) -> dict[str, Known]:
    return {login.name: login for login in known_logins(registry(*points))}


def test_each_login_tells_where_it_is_from() -> None:
    logins = by_name(point("vault", "Vault"), point("plain", "Vault", "sfconnect"))

    assert logins["vault"].home == "plugin, acme 1.0"
    assert logins["plain"].home == "built in, sfconnect 1.0"
    assert [spec.name for spec in logins["vault"].options] == ["url"]


def test_one_that_a_program_registered_is_its_own() -> None:
    made = registry()
    made.register("mine", Vault)

    (login,) = (one for one in known_logins(made) if one.name == "mine")

    assert login.home == "application, application"


def test_one_that_cannot_work_here_tells_why() -> None:
    login = by_name(point("absent", "Absent"))["absent"]

    assert login.broken is None
    assert login.unavailable == "There is no vault here. Build one."


def test_a_broken_one_is_listed_with_the_reason_and_spoils_no_other() -> None:
    logins = by_name(point("bad", "NoSuchClass"), point("vault", "Vault"))

    assert "has no attribute 'NoSuchClass'" in str(logins["bad"].broken)
    assert "remove acme" in str(logins["bad"].broken)
    assert logins["bad"].options == ()
    assert logins["vault"].broken is None


def test_two_of_one_name_are_both_listed_and_both_broken() -> None:
    made = registry(point("vault", "Vault", "acme"), point("vault", "Silent", "zeta"))

    both = [login for login in known_logins(made) if login.name == "vault"]

    assert [login.distribution for login in both] == ["acme", "zeta"]
    assert all("acme:vault or zeta:vault" in str(login.broken) for login in both)


def test_our_plugins_are_listed_also_where_they_are_not_installed() -> None:
    logins = by_name()

    assert set(logins) == set(HOMES)
    assert logins["sfcli"].home == "not installed, sfconnect-auth-sfcli"
    assert str(logins["sfcli"].unavailable).endswith("pip install sfconnect-auth-sfcli")
    assert "Salesforce CLI" in logins["sfcli"].summary


def test_a_plugin_is_explained_by_its_docstring_and_options() -> None:
    guide = guide_to("vault", registry(point("vault", "Vault")))

    assert guide.explanation.purpose == "Read a token that the vault keeps."
    assert [spec.name for spec in guide.options] == ["url"]
    assert guide.snippets
    assert 'url = "…"' in guide.snippets[0]


def test_a_plugin_without_a_docstring_is_explained_by_its_options() -> None:
    guide = guide_to("silent", registry(point("silent", "Silent")))

    assert guide.explanation.purpose == "Its author has not said what it is for."


def test_a_plugin_of_others_is_not_explained_by_our_text_for_its_name() -> None:
    guide = guide_to("acme:jwt-bearer", registry(point("jwt-bearer", "Vault")))

    assert guide.explanation.purpose == "Read a token that the vault keeps."
    assert guide.explanation.setup == ()


def test_ours_is_explained_before_it_is_installed() -> None:
    guide = guide_to("sfcli", registry())

    assert guide.explanation.setup
    assert guide.options == ()
    assert "pip install" in str(guide.unavailable)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("vualt", "Did you mean 'vault'?"), ("acme:vualt", "Did you mean"), ("xyz", "Known logins")],
)
def test_an_unknown_name_brings_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(PluginError) as caught:
        guide_to(name, registry(point("vault", "Vault")))

    assert hint in str(caught.value.hint)


def test_a_broken_plugin_cannot_be_explained_and_says_why() -> None:
    with pytest.raises(PluginError, match="has no attribute 'NoSuchClass'"):
        guide_to("bad", registry(point("bad", "NoSuchClass")))
