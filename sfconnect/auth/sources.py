"""The places that options come from, and which of them wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import filterfalse
from typing import TYPE_CHECKING, Final

from sfconnect.auth.options import variables_of
from sfconnect.config import Form, Profile, Value
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sfconnect.auth.options import OptionSpec

_SUFFIXES: Final = {"_file": Form.FILE, "_command": Form.COMMAND}


@dataclass(frozen=True, slots=True)
class Key:
    """One way to write an option: its name, an older name, or the file or command in its stead."""

    key: str
    option: str
    """The field that the value goes to."""
    form: Form = Form.PLAIN
    variables: tuple[str, ...] = ()
    """Where the environment may have it; the first one that is set counts."""


def option_families(specs: Sequence[OptionSpec]) -> list[tuple[Key, ...]]:
    """Group the keys of a strategy: those of a family stand for the same thing.

    Where a strategy has a field ``key_file`` of its own beside a secret ``key``, that field takes
    the value as it is, and still belongs to the family of ``key``. So does a field
    ``certificate_file`` beside a ``certificate``, which is no secret.
    """
    by_name = {spec.name: spec for spec in specs}
    stand_ins = {spec.name + suffix for spec in specs for suffix in _SUFFIXES}
    return [tuple(_family(spec, by_name)) for spec in specs if spec.name not in stand_ins]


def setting_families(names: Iterable[str]) -> list[tuple[Key, ...]]:
    """The keys of the settings: each its own family."""
    return [(Key(name, name, variables=(variables_of(name),)),) for name in names]


@dataclass(frozen=True, slots=True)
class Places:
    """Arguments, environment and profile, in the order in which they win.

    Last come variables whose names other programs know too: what is said to sfconnect wins over
    what a platform or another tool has set for everybody.

    ``base`` is where relative paths of the first two begin; those of a profile begin at its file.
    """

    arguments: Mapping[str, object] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    profile: Profile | None
    base: Path | None

    def collect(self, families: Iterable[Sequence[Key]]) -> dict[str, Value]:
        """Take each family's value from the first place that has one.

        Raises:
            ConfigurationError: One place has two keys of a family.
        """
        taken: dict[str, Value] = {}
        for family in families:
            for look_up in (
                self._argument,
                self._own_variable,
                self._profile_value,
                self._common_variable,
            ):
                found = [(key, value) for key in family if (value := look_up(key))]
                if found:
                    key, value = _only(found)
                    taken[key.option] = value
                    break
        return taken

    def _argument(self, key: Key) -> Value | None:
        if key.key not in self.arguments:
            return None
        return Value(self.arguments[key.key], f"argument {key.key}", self.base, key.form)

    def _own_variable(self, key: Key) -> Value | None:
        return self._variable(key, filter(_is_own, key.variables))

    def _common_variable(self, key: Key) -> Value | None:
        return self._variable(key, filterfalse(_is_own, key.variables))

    def _variable(self, key: Key, names: Iterable[str]) -> Value | None:
        for name in names:
            if text := self.environ.get(name):
                origin = f"environment variable {name}"
                return Value(text, origin, self.base, key.form, shared=True)
        return None

    def _profile_value(self, key: Key) -> Value | None:
        if self.profile is None or key.key not in self.profile.values:
            return None
        origin = f"{key.key} of {self.profile.origin}"
        return Value(self.profile.values[key.key], origin, self.profile.path.parent, key.form)


def _is_own(variable: str) -> bool:
    return variable.startswith(variables_of(""))


def _family(spec: OptionSpec, by_name: Mapping[str, OptionSpec]) -> Iterator[Key]:
    yield from _plain(spec)
    for suffix, form in _SUFFIXES.items():
        if own := by_name.get(spec.name + suffix):
            yield from _plain(own)
        elif spec.secret:
            yield from _indirect(spec, suffix, form)


def _plain(spec: OptionSpec) -> Iterator[Key]:
    yield Key(spec.name, spec.name, variables=spec.env)
    for alias in spec.aliases:  # its variable is among those of the name
        yield Key(alias, spec.name)


def _indirect(spec: OptionSpec, suffix: str, form: Form) -> Iterator[Key]:
    for name in (spec.name, *spec.aliases):
        yield Key(name + suffix, spec.name, form, (variables_of(name + suffix),))


def _only(found: Sequence[tuple[Key, Value]]) -> tuple[Key, Value]:
    if len(found) > 1:
        origins = " and ".join(value.origin for _, value in found)
        message = f"Option {found[0][0].option} is given twice: {origins}."
        raise ConfigurationError(message, hint="Leave one of them out.")
    return found[0]
