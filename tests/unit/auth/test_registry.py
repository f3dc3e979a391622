"""Names and classes of plugins, with entry points that tests make up.

How real distributions are found is in ``tests/contract/test_plugins.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from sfconnect.auth import (
    SIGNERS,
    STRATEGIES,
    TOKEN_STORES,
    AuthContext,
    AuthStrategy,
    Credentials,
    PluginEntry,
    Registry,
)
from sfconnect.auth.registry import register
from sfconnect.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "sfconnect.auth"
HERE = __name__


@dataclass(frozen=True, slots=True)
class Good:
    """Log in well.

    The rest of the docstring is for whoever reads the code.
    """

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Silent:
    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


class Plain:
    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Blocking:
    def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True)
class Newer(Good):
    plugin_api: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Older(Good):
    plugin_api: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Lacking(Good):
    @classmethod
    def availability(cls) -> str | None:
        return "There is no vault. Install one."


@dataclass(frozen=True, slots=True)
class Present(Good):
    @staticmethod
    def availability() -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Confused(Good):
    def availability(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Waiting(Good):
    @classmethod
    async def availability(cls) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Zoned(Good):
    availability: str = "eu-1"


@dataclass(frozen=True, slots=True)
class FieldApi(Good):
    plugin_api: int = 1


@dataclass(frozen=True, slots=True)
class Reserved(Good):
    profile: str = ""


def function() -> None:
    """Stand where a class is expected."""


@dataclass(frozen=True)
class Owner:
    """The two facts of a distribution that the registry reads."""

    name: str
    version: str = "1.0"


def point(name: str, value: str, owner: Owner | None) -> EntryPoint:
    made = EntryPoint(name=name, value=value, group=GROUP)
    # What importlib.metadata itself does for each entry point that it finds.
    vars(made).update(dist=owner)
    return made


class Installed:
    """Entry points that can change, and how often they were asked for."""

    def __init__(self, *points: EntryPoint) -> None:
        self.points = list(points)
        self.asked: list[str] = []

    def __call__(self, group: str) -> Iterable[EntryPoint]:
        self.asked.append(group)
        return tuple(self.points)


def registry(*points: EntryPoint) -> Registry[AuthStrategy]:
    return Registry(GROUP, ("authenticate",), discover=Installed(*points))


def own(name: str, target: str, distribution: str = "acme") -> EntryPoint:
    return point(name, f"{HERE}:{target}", Owner(distribution))


class TestNames:
    def test_nothing_is_read_before_the_first_question(self) -> None:
        installed = Installed(own("good", "Good"))
        made: Registry[AuthStrategy] = Registry(GROUP, ("authenticate",), discover=installed)
        assert installed.asked == []

        made.names()
        made.names()

        assert installed.asked == [GROUP]

    def test_names_are_sorted_and_each_is_there_once(self) -> None:
        made = registry(own("b", "Good"), own("a", "Good"), own("b", "Good", "other"))

        assert made.names() == ("a", "b")
        assert [entry.qualified for entry in made.entries()] == ["acme:a", "acme:b", "other:b"]

    def test_an_entry_point_without_distribution_is_listed_too(self) -> None:
        (entry,) = registry(point("a", f"{HERE}:Good", None)).entries()

        assert (entry.distribution, entry.version) == ("unknown", "")

    def test_only_entries_of_the_own_distribution_are_built_in(self) -> None:
        made = registry(own("a", "Good", "SFconnect"), own("b", "Good", "sfconnect-extra"))

        assert [entry.built_in for entry in made.entries()] == [True, False]

    def test_refreshing_finds_what_was_installed_since(self) -> None:
        installed = Installed()
        made: Registry[AuthStrategy] = Registry(GROUP, ("authenticate",), discover=installed)
        assert made.names() == ()
        installed.points.append(own("good", "Good"))
        assert made.names() == ()

        made.refresh()

        assert made.names() == ("good",)


class TestLoad:
    def test_a_name_gives_its_class(self) -> None:
        assert registry(own("good", "Good")).load("good") is Good

    @pytest.mark.parametrize("name", ["acme-corp:good", "Acme_Corp:good", "acme.corp:good"])
    def test_a_qualified_name_takes_any_spelling_of_the_distribution(self, name: str) -> None:
        assert registry(own("good", "Good", "Acme.Corp")).load(name) is Good

    def test_an_unknown_name_gives_the_nearest(self) -> None:
        with pytest.raises(PluginError) as caught:
            registry(own("jwt-bearer", "Good")).load("jwt-baerer")

        assert str(caught.value) == (
            "There is no plugin 'jwt-baerer' in the group sfconnect.auth. "
            "Hint: Did you mean 'jwt-bearer'?"
        )

    def test_an_unknown_name_far_from_all_gives_the_list(self) -> None:
        with pytest.raises(PluginError, match="Known names: a, b"):
            registry(own("b", "Good"), own("a", "Good")).load("zzz")

    def test_an_unknown_qualified_name_gives_the_nearest_qualified_one(self) -> None:
        with pytest.raises(PluginError, match="Did you mean 'acme:good'"):
            registry(own("good", "Good")).load("acne:good")

    def test_with_no_plugin_at_all_the_hint_is_for_frozen_apps(self) -> None:
        with pytest.raises(PluginError, match="frozen app has to register"):
            registry().load("good")

    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ("Plain", "is not a dataclass"),
            ("Blocking", "has no coroutine method 'authenticate'"),
            ("Nothing", "has no coroutine method 'authenticate'"),
            ("function", "is not a class"),
            ("Newer", "is written for plugin_api 2, and this sfconnect has 1"),
            ("Older", "is written for plugin_api 0, and this sfconnect has 1"),
            ("FieldApi", "has a plugin_api that is no number"),
            ("Reserved", "option 'profile' of Reserved has a reserved name"),
            ("Absent", "cannot be imported: AttributeError"),
        ],
    )
    def test_a_class_that_breaks_the_contract_is_refused(self, target: str, problem: str) -> None:
        with pytest.raises(PluginError) as caught:
            registry(own("bad", target)).load("bad")

        assert problem in caught.value.message
        assert f"'bad' of acme 1.0 ({HERE}:{target})" in caught.value.message

    def test_of_two_contract_versions_the_older_side_is_to_be_updated(self) -> None:
        made = registry(own("newer", "Newer"), own("older", "Older"))

        with pytest.raises(PluginError, match="Install a newer sfconnect"):
            made.load("newer")
        with pytest.raises(PluginError, match="Install a newer acme"):
            made.load("older")

    def test_registering_a_name_that_was_loaded_before_makes_it_ambiguous(self) -> None:
        made = registry(own("good", "Good"))
        made.load("good")

        made.register("good", Silent)

        with pytest.raises(PluginError, match="application and acme"):
            made.load("good")


class TestDuplicates:
    def test_two_distributions_with_one_name_are_both_named(self) -> None:
        made = registry(own("good", "Good", "acme"), own("good", "Silent", "zeta"))

        with pytest.raises(PluginError) as caught:
            made.load("good")

        assert caught.value.message == (
            "'good' in the group sfconnect.auth comes from acme 1.0 and zeta 1.0."
        )
        assert caught.value.hint == (
            "Remove one of them, or name it in full: acme:good or zeta:good."
        )

    def test_the_qualified_name_chooses_one(self) -> None:
        made = registry(own("good", "Good", "acme"), own("good", "Silent", "zeta"))

        assert made.load("zeta:good") is Silent

    def test_a_built_in_name_cannot_be_taken_over(self) -> None:
        made = registry(own("jwt-bearer", "Silent", "evil"), own("jwt-bearer", "Good", "sfconnect"))

        with pytest.raises(PluginError, match=r"evil 1\.0 and sfconnect 1\.0\..*sfconnect's own"):
            made.load("jwt-bearer")
        assert made.load("sfconnect:jwt-bearer") is Good


class TestRegister:
    def test_a_registered_class_needs_no_entry_point(self) -> None:
        made = registry()

        made.register("good", Good)

        assert made.names() == ("good",)
        assert made.load("good") is Good
        assert made.load("application:good") is Good

    def test_what_is_registered_survives_a_refresh(self) -> None:
        made = registry()
        made.register("good", Good)

        made.refresh()

        assert made.load("good") is Good

    def test_registering_twice_the_same_is_no_error(self) -> None:
        made = registry()

        made.register("good", Good)
        made.register("good", Good)

        assert made.names() == ("good",)

    def test_another_class_under_the_same_name_is_refused(self) -> None:
        made = registry()
        made.register("good", Good)

        with pytest.raises(PluginError, match=f"registered already, for {HERE}:Good"):
            made.register("good", Silent)

    def test_a_class_that_breaks_the_contract_is_refused_at_once(self) -> None:
        broken: Any = Plain

        with pytest.raises(PluginError, match="is not a dataclass"):
            registry().register("plain", broken)

    def test_the_entry_point_of_the_same_class_is_no_duplicate(self) -> None:
        made = registry(own("good", "Good", "sfconnect"))

        made.register("good", Good)

        assert made.load("good") is Good

    @pytest.mark.parametrize("target", ["Silent", "Absent"])
    def test_an_entry_point_of_another_class_is(self, target: str) -> None:
        made = registry(own("good", target))
        made.register("good", Good)

        with pytest.raises(PluginError, match=r"comes from application and acme 1\.0\."):
            made.load("good")

    def test_the_shortcut_registers_a_strategy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(STRATEGIES, "_registered", {})

        register("of-this-test", Good)

        assert STRATEGIES.load("application:of-this-test") is Good


class TestCheck:
    def test_each_plugin_is_reported_with_its_summary_or_its_error(self) -> None:
        made = registry(own("bad", "Plain"), own("good", "Good"), own("silent", "Silent"))

        bad, good, silent = made.check()

        assert (good.ok, good.error, good.summary) == (True, None, "Log in well.")
        assert (silent.ok, silent.summary) == (True, "")
        assert not bad.ok
        assert "is not a dataclass" in str(bad.error)
        assert (bad.group, bad.distribution, bad.version) == (GROUP, "acme", "1.0")
        assert bad.value == f"{HERE}:Plain"

    def test_duplicates_are_errors_of_both(self) -> None:
        made = registry(own("good", "Good", "acme"), own("good", "Silent", "zeta"))

        reports = made.check()

        assert [report.distribution for report in reports] == ["acme", "zeta"]
        assert all("acme 1.0 and zeta 1.0" in str(report.error) for report in reports)

    def test_what_cannot_work_here_is_no_error_and_tells_why(self) -> None:
        reports = registry(own("absent", "Lacking"), own("present", "Present")).check()

        assert [report.ok for report in reports] == [True, True]
        assert [report.unavailable for report in reports] == [
            "There is no vault. Install one.",
            None,
        ]

    @pytest.mark.parametrize(
        ("cls", "problem"),
        [
            ("Confused", "cannot tell whether it is available: TypeError"),
            ("Waiting", "has an availability() that is a coroutine"),
        ],
    )
    def test_a_class_that_cannot_be_asked_is_broken(self, cls: str, problem: str) -> None:
        (report,) = registry(own("x", cls)).check()

        assert not report.ok
        assert problem in str(report.error)

    def test_an_option_called_availability_is_no_answer(self) -> None:
        (report,) = registry(own("zoned", "Zoned")).check()

        assert (report.ok, report.unavailable) == (True, None)

    def test_an_entrys_repr_is_about_the_plugin_alone(self) -> None:
        (entry,) = registry(own("good", "Good")).entries()

        assert str(entry) == f"'good' of acme 1.0 ({HERE}:Good)"
        assert "load" not in repr(entry)
        assert entry == PluginEntry("good", "acme", "1.0", f"{HERE}:Good", lambda: None)


@dataclass
class Store:
    async def get(self, key: str) -> None: ...
    async def compare_and_swap(
        self, key: str, expected: int | None, credentials: object
    ) -> None: ...
    async def delete(self, key: str) -> None: ...
    def lock(self, key: str) -> None: ...


@dataclass
class UnlockedStore:
    get = Store.get
    compare_and_swap = Store.compare_and_swap
    delete = Store.delete


@dataclass
class Hand:
    async def sign(self, data: bytes) -> bytes:
        return data


@pytest.mark.parametrize(
    ("of", "good", "bad", "missing"),
    [
        (TOKEN_STORES, Store, Nothing, "coroutine method 'get'"),
        (TOKEN_STORES, Store, UnlockedStore, "method 'lock'"),
        (SIGNERS, Hand, Nothing, "coroutine method 'sign'"),
    ],
    ids=["token stores", "locks of token stores", "signers"],
)
def test_the_other_groups_ask_for_their_own_methods(
    of: Registry[Any], good: type, bad: type, missing: str
) -> None:
    made: Registry[Any] = Registry(
        of.group, of.coroutines, methods=of.methods, discover=Installed()
    )

    made.register("good", good)

    assert made.load("good") is good
    with pytest.raises(PluginError, match=f"has no {missing}"):
        made.register("bad", bad)
