"""Logins that build on another: the base is named beside them, and its options stand there too.

.. code-block:: toml

    [profiles.analytics]
    auth = "data360"
    base = "client-credentials"                 # the option `base` of data360
    login_url = "https://acme.my.salesforce.com"  # and from here on the base's own options
    client_id = "3MVG9…"
    client_secret_file = "secrets/analytics"

An option that both have goes to both. A base stands alone: it builds on no further login.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from sfconnect.auth.options import build_fitting, options_of
from sfconnect.auth.sources import option_families
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sfconnect.auth.base import AuthStrategy
    from sfconnect.auth.options import OptionSpec
    from sfconnect.auth.registry import Registry
    from sfconnect.auth.sources import Key, Places
    from sfconnect.config import Value


@dataclass(frozen=True, slots=True)
class BaseLogin:
    """The login that another builds on, where its option names one; else nothing at all."""

    option: str = ""
    """Of the login that builds on it."""
    name: str = ""
    strategy_class: type[AuthStrategy] | None = None
    specs: Sequence[OptionSpec] = ()
    families: Sequence[tuple[Key, ...]] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(
        cls, specs: Iterable[OptionSpec], places: Places, plugins: Registry[AuthStrategy]
    ) -> Self:
        """Find what the places say of the base; a login given as an object needs nothing more.

        Raises:
            ConfigurationError: It builds on a further login.
            PluginError: There is no login of that name.
        """
        own = next((spec for spec in specs if spec.takes_login), None)
        chosen = places.collect(option_families([own])) if own else {}
        if own is None or own.name not in chosen or not isinstance(chosen[own.name].raw, str):
            return cls()
        name = str(chosen[own.name].raw)
        strategy_class = plugins.load(name)
        base_specs = options_of(strategy_class)
        _refuse_further(name, base_specs, chosen[own.name])
        families = option_families(base_specs)
        return cls(own.name, name, strategy_class, base_specs, families, places.collect(families))

    def fill(self, values: Mapping[str, Value]) -> tuple[Mapping[str, Value], Mapping[str, Value]]:
        """Put the base, made of its options, in the place of its name.

        Returns:
            The values with it, and those that it was made of.

        Raises:
            ConfigurationError: An option of it is missing or does not fit.
        """
        if self.strategy_class is None:
            return values, {}
        made, used = build_fitting(self.strategy_class, self.values, name=self.name)
        return {**values, self.option: replace(values[self.option], raw=made)}, used


def _refuse_further(name: str, specs: Iterable[OptionSpec], chosen: Value) -> None:
    if any(spec.takes_login for spec in specs):
        message = f"{name!r} builds on a login itself, so it is no base ({chosen.origin})."
        raise ConfigurationError(message, hint="Name a login such as client-credentials.")
