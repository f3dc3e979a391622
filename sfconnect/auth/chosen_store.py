"""The token store that a connection is told to use, by its name and its options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sfconnect.auth.options import build, options_of
from sfconnect.auth.registry import TOKEN_STORES
from sfconnect.auth.sources import option_families
from sfconnect.auth.store import MemoryStore
from sfconnect.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfconnect.auth.base import TokenStore
    from sfconnect.auth.options import OptionSpec
    from sfconnect.auth.sources import Key, Places
    from sfconnect.config import Profile, Value

_SETTING: Final = "token_store"
_NONE: Final = frozenset({"", "none"})
"""What turns a store off that another place names."""


@dataclass(frozen=True, slots=True)
class ChosenStore:
    """A token store by name, with what the places say of its options; perhaps none."""

    name: str | None = None
    specs: Sequence[OptionSpec] = ()
    families: Sequence[tuple[Key, ...]] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Value], places: Places) -> ChosenStore:
        """Look the store up that the settings name, and its options in all places.

        Raises:
            PluginError: There is no such store, or it cannot be used.
        """
        chosen = settings.get(_SETTING)
        if chosen is None or not isinstance(chosen.raw, str) or chosen.raw in _NONE:
            return cls()
        specs = _options(chosen.raw, chosen.origin)
        families = option_families(specs)
        return cls(chosen.raw, specs, families, places.collect(families))

    def build(self) -> TokenStore | None:
        """Make the store.

        Raises:
            ConfigurationError: An option of it is missing or does not fit.
        """
        if self.name is None:
            return None
        made = build(TOKEN_STORES.load(self.name), self.values, name=self.name)
        # Otherwise each connection would have a memory of its own, and share nothing.
        return _SHARED.setdefault(self.name, made) if isinstance(made, MemoryStore) else made


def families_of_profile(profile: Profile) -> Sequence[tuple[Key, ...]]:
    """Options of the store that a profile names, also where another place names another."""
    name = profile.values.get(_SETTING)
    if not isinstance(name, str) or name in _NONE:
        return ()
    return option_families(_options(name, f"{_SETTING} of {profile.origin}"))


_SHARED: Final[dict[str, MemoryStore]] = {}


def _options(name: str, origin: str) -> Sequence[OptionSpec]:
    try:
        return options_of(TOKEN_STORES.load(name))
    except PluginError as error:
        message = f"The token store of {origin} cannot be used: {error.message}"
        raise PluginError(message, hint=error.hint) from error
