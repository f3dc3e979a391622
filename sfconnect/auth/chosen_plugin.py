"""A plugin that a setting names, and its options, from the same places as everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sfconnect.auth.options import build, options_of
from sfconnect.auth.sources import option_families
from sfconnect.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect.auth.options import OptionSpec
    from sfconnect.auth.registry import Registry
    from sfconnect.auth.sources import Key, Places
    from sfconnect.config import Profile, Value

_T = TypeVar("_T")
_NONE: Final = frozenset({"", "none"})
"""What turns a plugin off that another place names."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[_T]):
    """A setting that names a plugin of one group; ``kind`` is what errors call it."""

    setting: str
    registry: Registry[_T]
    kind: str

    def find(self, settings: Mapping[str, Value], places: Places) -> ChosenPlugin[_T]:
        """Look the plugin up that the settings name, and its options in all places.

        Raises:
            PluginError: There is no such plugin, or it cannot be used.
        """
        chosen = settings.get(self.setting)
        if chosen is None or not isinstance(chosen.raw, str) or chosen.raw in _NONE:
            return ChosenPlugin(self)
        specs = self._options(chosen.raw, chosen.origin)
        families = option_families(specs)
        return ChosenPlugin(self, chosen.raw, specs, families, places.collect(families))

    def families_of_profile(self, profile: Profile) -> Sequence[tuple[Key, ...]]:
        """Options of the plugin that a profile names, also where another place names another."""
        name = profile.values.get(self.setting)
        if not isinstance(name, str) or name in _NONE:
            return ()
        return option_families(self._options(name, f"{self.setting} of {profile.origin}"))

    def _options(self, name: str, origin: str) -> Sequence[OptionSpec]:
        try:
            return options_of(self.registry.load(name))
        except PluginError as error:
            message = f"The {self.kind} of {origin} cannot be used: {error.message}"
            raise PluginError(message, hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class ChosenPlugin(Generic[_T]):
    """A plugin by name, with what the places say of its options; perhaps none."""

    choice: Choice[_T]
    name: str | None = None
    specs: Sequence[OptionSpec] = ()
    families: Sequence[tuple[Key, ...]] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    def build(self) -> _T | None:
        """Make it.

        Raises:
            ConfigurationError: An option of it is missing or does not fit.
        """
        if self.name is None:
            return None
        return build(self.choice.registry.load(self.name), self.values, name=self.name)
