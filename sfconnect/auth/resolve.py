"""Decide how to log in: from arguments, the environment and a profile to a strategy.

What names the strategy, in this order: the ``auth`` argument; the ``profile`` argument;
``SFCONNECT_PROFILE``; ``SFCONNECT_AUTH``. The last two are asked only where no argument names
anything, and leftover variables never choose a flow: ``SFCONNECT_PASSWORD`` alone logs nobody in.

Where its options come from: argument, then environment, then profile, then the default. The forms
of a secret (``x``, ``x_file``, ``x_command``) stand for one option: the first place that has any of
them wins, and two of them in one place are an error.

Unknown names are errors in arguments and profiles. The environment is shared with other strategies
and tools, so an unknown ``SFCONNECT_…`` is passed over there; only one that looks like a slip of an
option that is not set brings a warning. What the environment has for an option that the strategy
has no use for, beside the others, is left out too: a key, say, where a secret is given. An empty
variable counts as not set, since build servers set the variables of secrets that they do not have.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sfconnect.auth.base_login import BaseLogin
from sfconnect.auth.chosen import LIMITER, STORE, build_store
from sfconnect.auth.options import build_fitting, options_of, variables_of
from sfconnect.auth.registry import STRATEGIES, Registry
from sfconnect.auth.secret_references import is_reference
from sfconnect.auth.sources import Key, Places, option_families, setting_families
from sfconnect.config import (
    CONFIG_VARIABLE,
    ConfigurationWarning,
    Profile,
    Settings,
    did_you_mean,
    load_profile,
    nearest,
    setting_names,
    warn_if_others_can_read,
)
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sfconnect.auth.base import AuthStrategy, TokenStore
    from sfconnect.auth.options import OptionSpec
    from sfconnect.config import Value

AUTH_VARIABLE: Final = "SFCONNECT_AUTH"
PROFILE_VARIABLE: Final = "SFCONNECT_PROFILE"
_AUTH_KEY: Final = "auth"
_NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Resolved:
    """How to log in and to connect, and what said so."""

    strategy: AuthStrategy
    name: str
    settings: Settings
    origin: str
    """What named the strategy, in words."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each option and setting came from, in words; those with their default are absent."""
    store: TokenStore | None = None
    """Where tokens are kept, if a setting says so."""
    limiter: object | None = None
    """What makes the limiter, if a setting names one; a connection knows what it is."""


def resolve(
    auth: AuthStrategy | str | None = None,
    *,
    profile: str | None = None,
    options: Mapping[str, object] = _NO_OPTIONS,
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
    registry: Registry[AuthStrategy] | None = None,
) -> Resolved:
    """Find the strategy, its options and the settings of a connection.

    It reads files and may run a command for a secret: inside an event loop, call it in a thread.

    Args:
        auth: A strategy; or the name of one, whose options come from the other places.
        profile: Name of a profile. Beside a strategy object only its settings count; beside a
            name it has to be a profile of that strategy, or of none.
        options: Options of the strategy, and settings. Beside a strategy object only settings.
        environ: The environment variables.
        cwd: The folder that is searched first for ``sfconnect.toml``, and that relative paths
            begin at; None for the current one.
        registry: Where names are looked up; None for the installed plugins.

    Raises:
        ConfigurationError: Nothing says how to log in, or something says it wrongly.
    """
    if auth is None and profile is None:
        profile = environ.get(PROFILE_VARIABLE) or None
    found = load_profile(profile, environ=environ, cwd=cwd or Path.cwd()) if profile else None
    places = Places(options, environ, found, cwd)
    plugins = registry or STRATEGIES
    if auth is not None and not isinstance(auth, str):
        return _resolve_object(auth, places)
    name, origin = _choose(auth, places, plugins)
    return _resolve_name(name, origin, places, plugins)


def _resolve_object(auth: AuthStrategy, places: Places) -> Resolved:
    _refuse_non_strategy(auth)
    label = type(auth).__name__
    common = setting_families(setting_names())
    settings = places.collect(common)
    store, limiter = STORE.find(settings, places), LIMITER.find(settings, places)
    known = [*common, *store.families, *limiter.families]
    _refuse_unknown(label, places.arguments, "argument", known)
    return Resolved(
        auth,
        label,
        Settings.from_values(settings),
        "argument auth",
        _origins({**settings, **store.values, **limiter.values}),
        build_store(store),
        limiter.build(),
    )


def _resolve_name(
    name: str, origin: str, places: Places, plugins: Registry[AuthStrategy]
) -> Resolved:
    strategy_class = plugins.load(name)
    specs = options_of(strategy_class)
    own, common = option_families(specs), setting_families(setting_names())
    base = BaseLogin.of(specs, places, plugins)
    settings = places.collect(common)
    store, limiter = STORE.find(settings, places), LIMITER.find(settings, places)
    known = [*own, *base.families, *common, *store.families, *limiter.families]
    _refuse_unknown(name, places.arguments, "argument", known)
    if places.profile:
        _refuse_unknown_in_profile(name, places.profile, known)
        secret_bearers = [*specs, *base.specs, *store.specs, *limiter.specs]
        _warn_of_open_secrets(places.profile, secret_bearers)
    _warn_of_slips(places.environ, known)
    values, of_base = base.fill(places.collect(own))
    strategy, used = build_fitting(strategy_class, values, name=name)
    return Resolved(
        strategy,
        name,
        Settings.from_values(settings),
        origin,
        _origins({**of_base, **used, **settings, **store.values, **limiter.values}),
        build_store(store),
        limiter.build(),
    )


def _choose(auth: str | None, places: Places, plugins: Registry[AuthStrategy]) -> tuple[str, str]:
    """Name the strategy, and what named it."""
    profile, variable = places.profile, places.environ.get(AUTH_VARIABLE)
    of_profile = _auth_of(profile) if profile else None
    if auth is not None:
        _refuse_other_strategy(auth, of_profile, profile)
        return auth, "argument auth"
    if of_profile and profile:
        return of_profile, profile.origin
    if variable:
        return variable, f"environment variable {AUTH_VARIABLE}"
    if profile:
        message = f"The {profile.origin} names no strategy."
        hint = f'Add a line such as: auth = "client-credentials". {_known(plugins)}'
        raise ConfigurationError(message, hint=hint)
    message = "Nothing says how to log in."
    hint = (
        "Pass a strategy or the name of one; or name a profile of sfconnect.toml, as an argument "
        f"or by {PROFILE_VARIABLE}; or set {AUTH_VARIABLE} to the name of a strategy and "
        f"SFCONNECT_… to its options. {_known(plugins)}"
    )
    raise ConfigurationError(message, hint=hint)


def _known(plugins: Registry[AuthStrategy]) -> str:
    return f"Strategies: {', '.join(plugins.names()) or 'none are installed'}."


def _auth_of(profile: Profile) -> str | None:
    name = profile.values.get(_AUTH_KEY)
    if name is None or (isinstance(name, str) and name):
        return name
    message = f"The {profile.origin} has an {_AUTH_KEY} that is not the name of a strategy."
    raise ConfigurationError(message, hint='Write it as text: auth = "client-credentials".')


def _refuse_other_strategy(auth: str, of_profile: str | None, profile: Profile | None) -> None:
    """Options of one strategy are not fed to another because their names agree."""
    if not profile or not of_profile or _bare(of_profile) == _bare(auth):
        return
    message = f"The {profile.origin} is for {of_profile!r}, and {auth!r} was asked for."
    raise ConfigurationError(message, hint="Name the profile or the strategy, not both.")


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_non_strategy(auth: object) -> None:
    if isinstance(auth, type):
        message = f"{auth.__name__} is a class, and a strategy is an object of one."
        raise ConfigurationError(message, hint=f"Write {auth.__name__}(…) with its options.")
    if not iscoroutinefunction(getattr(auth, "authenticate", None)):
        message = f"An object of type {type(auth).__name__} is no strategy."
        raise ConfigurationError(message, hint="A strategy has a coroutine `authenticate`.")


def _refuse_unknown(
    label: str, keys: Iterable[str], place: str, families: Iterable[Sequence[Key]]
) -> None:
    known = {key.key for family in families for key in family}
    for name in keys:
        if name not in known:
            message = f"{label!r} has no option {name!r} ({place})."
            raise ConfigurationError(message, hint=did_you_mean(name, known, kind="options"))


def _refuse_unknown_in_profile(
    label: str, profile: Profile, known: Iterable[Sequence[Key]]
) -> None:
    named = [*STORE.families_of_profile(profile), *LIMITER.families_of_profile(profile)]
    in_profile = [*known, (Key(_AUTH_KEY, _AUTH_KEY),), *named]
    _refuse_unknown(label, profile.values, profile.origin, in_profile)


def _warn_of_open_secrets(profile: Profile, specs: Iterable[OptionSpec]) -> None:
    for spec in specs:
        given = [profile.values.get(name) for name in (spec.name, *spec.aliases)]
        if spec.secret and any(one is not None and not is_reference(one) for one in given):
            warn_if_others_can_read(profile, spec.name)


def _warn_of_slips(environ: Mapping[str, str], families: Iterable[Sequence[Key]]) -> None:
    """Warn of a variable that is one slip away from an option's, while that one is not set.

    Further away it is more likely another strategy's, whose options are not known here.
    """
    known = {name for family in families for key in family for name in key.variables}
    known |= {AUTH_VARIABLE, PROFILE_VARIABLE, CONFIG_VARIABLE}
    prefix = variables_of("")
    for name in environ:
        if not name.startswith(prefix) or name in known:
            continue
        match = nearest(
            name.removeprefix(prefix), {k.removeprefix(prefix) for k in known}, cutoff=0.85
        )
        if match and abs(len(prefix + match) - len(name)) <= 1 and prefix + match not in environ:
            message = f"The variable {name} is not known; did you mean {prefix}{match}?"
            warnings.warn(message, ConfigurationWarning, stacklevel=2)


def _origins(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: value.origin for name, value in values.items()}
