"""Find plugins of any group by name, and import the one that is asked for.

Names come from the entry points of installed distributions; reading them imports no plugin. Where
there are no entry points (frozen apps), or in tests, :meth:`Registry.register` takes their place.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from sfconnect.auth.base import PLUGIN_API, AuthStrategy, SecretResolver, Signer, TokenStore
from sfconnect.auth.options import options_of
from sfconnect.config import did_you_mean
from sfconnect.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")

OWN_DISTRIBUTION: Final = "sfconnect"
APPLICATION: Final = "application"
"""What stands for a distribution where a program registered a class itself."""
SLOW_S: Final = 0.5
"""An import that takes longer is felt by whoever waits for a command to begin."""


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """A plugin as its distribution announces it; nothing of it has been imported."""

    name: str
    distribution: str
    version: str
    value: str
    """Module and object, such as ``acme_vault:VaultToken``."""
    load: Callable[[], object] = field(repr=False, compare=False)

    @property
    def qualified(self) -> str:
        """The name that is unique among all distributions."""
        return f"{self.distribution}:{self.name}"

    @property
    def built_in(self) -> bool:
        """Whether it comes with sfconnect itself."""
        return _canonical(self.distribution) == OWN_DISTRIBUTION

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution} {self.version} ({self.value})"


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What :meth:`Registry.check` found out about one plugin."""

    group: str
    name: str
    distribution: str
    version: str
    value: str
    summary: str
    """First line of the class's docstring; empty where it could not be imported."""
    error: PluginError | None
    import_s: float = 0.0
    """How long its import took; next to nothing where its module was there already."""
    unavailable: str | None = None
    """Why it cannot work on this machine, if its class tells of a reason."""

    @property
    def ok(self) -> bool:
        """Whether its name can be used."""
        return self.error is None

    @property
    def slow(self) -> bool:
        """Whether it works, but keeps everybody waiting who uses it."""
        return self.ok and self.import_s > SLOW_S


class Registry(Generic[_T]):
    """The plugins of one entry-point group. What it read it keeps until :meth:`refresh`."""

    def __init__(
        self,
        group: str,
        coroutines: Iterable[str],
        *,
        methods: Iterable[str] = (),
        discover: Callable[[str], Iterable[EntryPoint]] | None = None,
    ) -> None:
        """Describe a group; nothing is read before the first question.

        Args:
            group: The entry-point group.
            coroutines: Names of the coroutine methods that a class has to have.
            methods: Names of its other methods.
            discover: Gives a group's entry points, instead of the installed distributions.
        """
        self.group = group
        self.coroutines = tuple(coroutines)
        self.methods = tuple(methods)
        self._discover = discover
        self._found: tuple[PluginEntry, ...] | None = None
        self._registered: dict[str, PluginEntry] = {}
        self._loaded: dict[str, type[_T]] = {}

    def register(self, name: str, cls: type[_T]) -> None:
        """Give a class a name without an entry point, as frozen apps need it.

        Raises:
            PluginError: The class does not meet the contract, or the name is given to another.
        """
        value = f"{cls.__module__}:{cls.__qualname__}"
        entry = PluginEntry(name, APPLICATION, "", value, lambda: cls)
        self._validate(entry, cls)
        before = self._registered.get(name)
        if before and before.load() is not cls:
            message = f"{name!r} is registered already, for {before.value}."
            raise PluginError(message, hint="Register the class under another name.")
        self._registered[name] = entry
        self._loaded.pop(name, None)

    def refresh(self) -> None:
        """Forget what was read, so that plugins installed since are found.

        What was registered stays.
        """
        self._found = None
        self._loaded.clear()

    def entries(self) -> tuple[PluginEntry, ...]:
        """All plugins by name and distribution, duplicates included; imports none of them."""
        if self._found is None:
            discover = self._discover or _installed
            self._found = tuple(_entry(point) for point in discover(self.group))
        found = (*self._registered.values(), *self._found)
        return tuple(sorted(found, key=lambda entry: (entry.name, entry.distribution)))

    def names(self) -> tuple[str, ...]:
        """The names there are, each once; imports nothing."""
        return tuple(dict.fromkeys(entry.name for entry in self.entries()))

    def load(self, name: str) -> type[_T]:
        """Import the class of this name, and nothing else.

        Args:
            name: A name, or ``distribution:name`` where several distributions have it.

        Raises:
            PluginError: Nobody or more than one has the name, the import fails, or the class does
                not meet the contract.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(self._find(name))
        return self._loaded[name]

    def check(self) -> list[PluginReport]:
        """Import every plugin, and report each with its error if it has one."""
        return [self._report(entry) for entry in self.entries()]

    def _find(self, name: str) -> PluginEntry:
        distribution, _, bare = name.rpartition(":")
        wanted = _canonical(distribution)
        matches = [
            entry
            for entry in self.entries()
            if entry.name == bare and wanted in {"", _canonical(entry.distribution)}
        ]
        if not matches:
            raise self._unknown(name)
        distinct = self._without_copies(matches)
        if len(distinct) > 1:
            raise self._ambiguous(distinct)
        return distinct[0]

    def _without_copies(self, entries: list[PluginEntry]) -> list[PluginEntry]:
        """Drop entry points to a class that is registered too.

        A frozen app registers what it ships, and has its entry points as well when it is run
        from source.
        """
        own = next((entry for entry in entries if entry.distribution == APPLICATION), None)
        if own is None:
            return entries
        return [
            own,
            *(entry for entry in entries if entry is not own and not self._same(entry, own)),
        ]

    def _same(self, entry: PluginEntry, own: PluginEntry) -> bool:
        try:
            return self._load(entry) is own.load()
        except PluginError:  # what cannot be used is another thing than what is registered
            return False

    def _unknown(self, name: str) -> PluginError:
        message = f"There is no plugin {name!r} in the group {self.group}."
        if not self.entries():
            hint = "No plugin is installed at all; a frozen app has to register its own."
            return PluginError(message, hint=hint)
        known = {entry.qualified for entry in self.entries()} if ":" in name else self.names()
        return PluginError(message, hint=did_you_mean(name, known, kind="names"))

    def _ambiguous(self, entries: list[PluginEntry]) -> PluginError:
        owners = " and ".join(f"{entry.distribution} {entry.version}".strip() for entry in entries)
        taken = " It is a name of sfconnect's own." if any(e.built_in for e in entries) else ""
        message = f"{entries[0].name!r} in the group {self.group} comes from {owners}.{taken}"
        names = " or ".join(dict.fromkeys(entry.qualified for entry in entries))
        return PluginError(message, hint=f"Remove one of them, or name it in full: {names}.")

    def _load(self, entry: PluginEntry) -> type[_T]:
        try:
            found = entry.load()
        except (Exception, SystemExit) as error:  # a border: code of others runs
            problem = f"{type(error).__name__}: {error}"
            message = f"Plugin {entry} cannot be imported: {problem}."
            hint = f"Install what it needs, or remove {entry.distribution}."
            raise PluginError(message, hint=hint) from error
        return self._validate(entry, found)

    def _validate(self, entry: PluginEntry, found: object) -> type[_T]:
        if not isinstance(found, type):
            raise _unfit(entry, "is not a class")
        written_for = getattr(found, "plugin_api", PLUGIN_API)
        if written_for != PLUGIN_API:
            raise _wrong_api(entry, written_for)
        if not is_dataclass(found):
            raise _unfit(entry, "is not a dataclass")
        if missing := self._missing(found):
            raise _unfit(entry, f"has no {missing}")
        try:
            options_of(found)
        except PluginError as error:
            message = f"Plugin {entry} is not usable. {error.message}"
            raise PluginError(message, hint=error.hint) from error
        return cast("type[_T]", found)  # what was checked above is what the protocols ask for

    def _missing(self, cls: type) -> str | None:
        for name in self.coroutines:
            if not iscoroutinefunction(getattr(cls, name, None)):
                return f"coroutine method {name!r}"
        for name in self.methods:
            if not callable(getattr(cls, name, None)):
                return f"method {name!r}"
        return None

    def _report(self, entry: PluginEntry) -> PluginReport:
        summary, problem, unavailable, began = "", None, None, time.monotonic()
        try:
            found = self._load(entry)
            summary = _first_line(found)
            self._find(entry.name)
            unavailable = _unavailable(entry, found)
        except PluginError as error:
            problem = error
        import_s = time.monotonic() - began
        return PluginReport(
            self.group,
            entry.name,
            entry.distribution,
            entry.version,
            entry.value,
            summary,
            problem,
            import_s,
            unavailable,
        )


STRATEGIES: Final[Registry[AuthStrategy]] = Registry("sfconnect.auth", ("authenticate",))
TOKEN_STORES: Final[Registry[TokenStore]] = Registry(
    "sfconnect.token_store", ("get", "compare_and_swap", "delete"), methods=("lock",)
)
LIMITERS: Final[Registry[object]] = Registry("sfconnect.limiter", ("open",))
"""What ``sfconnect.limits.SharedLimiter`` asks for; nothing here is about limits."""
SIGNERS: Final[Registry[Signer]] = Registry("sfconnect.signer", ("sign",))
SECRETS: Final[Registry[SecretResolver]] = Registry("sfconnect.secret", (), methods=("resolve",))


def register(name: str, strategy: type[AuthStrategy]) -> None:
    """Register a strategy without an entry point; see :meth:`Registry.register`."""
    STRATEGIES.register(name, strategy)


def _installed(group: str) -> Iterable[EntryPoint]:
    return entry_points(group=group)


def _entry(point: EntryPoint) -> PluginEntry:
    owner = point.dist
    name, version = (owner.name, owner.version) if owner else ("unknown", "")
    return PluginEntry(point.name, name, version, point.value, point.load)


def _canonical(distribution: str) -> str:
    """One spelling for names that pip takes as the same (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _unfit(entry: PluginEntry, problem: str) -> PluginError:
    message = f"Plugin {entry} {problem}."
    return PluginError(message, hint="The guide for plugin authors shows a whole one.")


def _unavailable(entry: PluginEntry, cls: type) -> str | None:
    """Ask a class why it cannot work here, in case it is one that tells."""
    ask = getattr(cls, "availability", None)
    if not callable(ask):
        return None
    if iscoroutinefunction(ask):
        raise _unfit(entry, "has an availability() that is a coroutine")
    try:
        reason = ask()
    except Exception as error:  # a border: code of others runs
        problem = f"{type(error).__name__}: {error}"
        message = f"Plugin {entry} cannot tell whether it is available: {problem}."
        raise PluginError(message, hint=_AVAILABILITY_HINT) from error
    return None if reason is None else str(reason)


_AVAILABILITY_HINT: Final = "availability() is a class method that returns None or the reason."


def _wrong_api(entry: PluginEntry, written_for: object) -> PluginError:
    if not isinstance(written_for, int):
        return _unfit(entry, "has a plugin_api that is no number; write `plugin_api: ClassVar = 1`")
    problem = f"is written for plugin_api {written_for}, and this sfconnect has {PLUGIN_API}"
    newer = OWN_DISTRIBUTION if written_for > PLUGIN_API else entry.distribution
    return PluginError(f"Plugin {entry} {problem}.", hint=f"Install a newer {newer}.")


def _first_line(cls: type[Any]) -> str:
    # A dataclass without a docstring gets its signature for one, which says nothing here.
    lines = (cls.__doc__ or "").strip().splitlines()
    return "" if not lines or lines[0].startswith(f"{cls.__name__}(") else lines[0]
