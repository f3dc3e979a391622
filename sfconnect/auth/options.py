"""The fields of a strategy as its options: name, type, default, help, secret, environment."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import lru_cache, partial
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from sfconnect._types import UNSET, Secret
from sfconnect.auth.base import AuthStrategy
from sfconnect.auth.secret_references import is_reference, refuse_reference
from sfconnect.auth.secret_sources import SourcedSecret, read_secret
from sfconnect.config import (
    Form,
    Value,
    convert,
    did_you_mean,
    expected,
    one_of,
    pick,
)
from sfconnect.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from dataclasses import Field

_T = TypeVar("_T")

_METADATA: Final = "sfconnect.option"
_PREFIX: Final = "SFCONNECT_"
_UNREAD: Final = "unread"
_SHORT: Final = 3
RESERVED: Final = frozenset({"auth", "profile", "config"})
"""Names that mean something else in a profile or in the environment, so no option may have them.

The name of a setting, such as ``base_url``, is no such name: the value goes to both.
"""


@dataclass(frozen=True, slots=True)
class _Declared:
    """What :func:`option` leaves on a field."""

    help: str
    secret: bool
    env: tuple[str, ...]
    choices: tuple[object, ...]
    example: str | None
    aliases: tuple[str, ...]


_PLAIN_FIELD = _Declared("", secret=False, env=(), choices=(), example=None, aliases=())


def option(
    *,
    help: str,  # noqa: A002  # the word that argparse and click use
    default: Any = MISSING,
    secret: bool = False,
    env: str | Sequence[str] | None = None,
    choices: Sequence[object] | None = None,
    example: str | None = None,
    aliases: Sequence[str] = (),
) -> Any:
    """Declare a field of a strategy as an option.

    Args:
        help: One sentence for whoever has to fill it in.
        default: Left out, the option is required.
        secret: Keep it out of reprs and errors, and take it also from ``<name>_file`` and
            ``<name>_command``, or where a reference such as ``keyring://service/username`` says.
            The field's type has to allow a ``Secret``.
        env: Variables that other programs set too, asked in this order where neither
            ``SFCONNECT_<NAME>`` nor a profile gives the option in any form.
        choices: The values allowed, where the type does not say it.
        example: A value to show, for a person to recognise the kind.
        aliases: Older names that still work.
    """
    names = (env,) if isinstance(env, str) else tuple(env or ())
    declared = _Declared(help, secret, names, tuple(choices or ()), example, tuple(aliases))
    return field(default=default, repr=not secret, metadata={_METADATA: declared})


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of a strategy. ``default`` is ``UNSET`` where it is required."""

    name: str
    type: Any
    help: str
    default: object
    secret: bool
    env: tuple[str, ...]
    choices: tuple[object, ...]
    example: str | None
    aliases: tuple[str, ...]

    @property
    def required(self) -> bool:
        """Whether the strategy cannot be made without it."""
        return self.default is UNSET

    @property
    def takes_login(self) -> bool:
        """Whether its value is another login, which a profile gives by its name."""
        return AuthStrategy in _members(self.type)

    @property
    def wanted(self) -> str:
        """What a value has to look like, in words."""
        if self.takes_login:
            return "a login, or the name of one whose options stand beside it"
        return one_of(self.choices) if self.choices else expected(self.type)


def variables_of(name: str) -> str:
    """The environment variable of an option, a setting or one of their other forms."""
    return _PREFIX + name.upper()


def options_of(strategy_class: type) -> tuple[OptionSpec, ...]:
    """Read the options of a strategy from its fields, in their order.

    Raises:
        PluginError: It is not a dataclass, a type cannot be read at run time, a secret is not
            typed as one, or a name is reserved.
    """
    cls: Any = strategy_class  # mypy takes a class for something that cannot be hashed
    return _options_of(cls)


def coerce_secrets(strategy: object) -> None:
    """Wrap secret options that were given as plain text; call it from ``__post_init__``.

    It works on frozen dataclasses, so that ``ClientCredentials(client_secret="…")`` keeps the
    text out of reprs and pickles from the first moment.

    Raises:
        ConfigurationError: One is a reference such as ``keyring://…``, which nothing reads here.
    """
    for spec in options_of(type(strategy)):
        if spec.secret and isinstance(text := getattr(strategy, spec.name), str):
            refuse_reference(spec.name, text)
            object.__setattr__(strategy, spec.name, Secret(text))


def as_secret(value: Secret | str) -> Secret:
    """Narrow the type of a secret option, which :func:`coerce_secrets` has wrapped."""
    return value if isinstance(value, Secret) else Secret(value)


def build(strategy_class: type[_T], values: Mapping[str, Value], *, name: str | None = None) -> _T:
    """Make a strategy from values of any origin, each turned into the type of its option.

    Files, commands and references that stand in for secrets are read here, so this may block.

    Args:
        strategy_class: The dataclass to make.
        values: By option name.
        name: What errors call the strategy.

    Raises:
        ConfigurationError: An option is missing, unknown or does not fit.
    """
    return build_fitting(strategy_class, values, name=name)[0]


def build_fitting(
    strategy_class: type[_T], values: Mapping[str, Value], *, name: str | None = None
) -> tuple[_T, Mapping[str, Value]]:
    """Make a strategy as :func:`build` does, and tell which of the values it was made of.

    A value from the environment that the strategy has no use for, beside the others, is left out:
    it is there for another login. What it stands for is then not read either.
    """
    label = name or strategy_class.__name__
    specs = {spec.name: spec for spec in options_of(strategy_class)}
    for key in values:
        if key not in specs:
            message = f"{label!r} has no option {key!r}."
            raise ConfigurationError(message, hint=did_you_mean(key, specs, kind="options"))
    _refuse_missing(label, [spec for spec in specs.values() if spec.required], values)
    used = _without_idle_stand_ins(strategy_class, specs, values)
    made = {key: coerce(specs[key], value) for key, value in used.items()}
    try:
        strategy = _made_without_idle(strategy_class, made, used)
    except (TypeError, ValueError) as error:
        secrets = [value.reveal() for value in made.values() if isinstance(value, Secret)]
        problem = without_secrets(str(error), secrets)
    else:
        return strategy, {key: used[key] for key in made}
    message = f"The options of {label!r} do not fit together: {problem}"
    raise ConfigurationError(message)


def _without_idle_stand_ins(
    strategy_class: type, specs: Mapping[str, OptionSpec], values: Mapping[str, Value]
) -> dict[str, Value]:
    """The values but for files, commands and references that nothing would use.

    The strategy is asked with another text in their place, for reading one may fail, cost time, or
    ask a person.
    """
    used = dict(values)
    if not any(value.shared and _is_stand_in(specs[key], value) for key, value in used.items()):
        return used
    made = {
        key: Secret(_UNREAD) if _is_stand_in(specs[key], value) else coerce(specs[key], value)
        for key, value in used.items()
    }
    # It may want to see the text itself; then it complains again when it has been read.
    with suppress(ConfigurationError, TypeError, ValueError):
        _made_without_idle(strategy_class, made, used)
    return {key: used[key] for key in made}


def _made_without_idle(
    strategy_class: type[_T], made: dict[str, object], values: Mapping[str, Value]
) -> _T:
    """Make the strategy; options that may be meant for another login leave ``made`` if unused."""
    while True:
        try:
            return strategy_class(**made)
        except ConfigurationError as error:
            idle = (one for one in error.unused if one in made and values[one].shared)
            if (name := next(idle, None)) is None:
                raise
            del made[name]


def _is_stand_in(spec: OptionSpec, value: Value) -> bool:
    return value.form is not Form.PLAIN or (spec.secret and is_reference(value.raw))


def coerce(spec: OptionSpec, value: Value) -> object:
    """Turn a value into the option's type.

    Raises:
        ConfigurationError: It does not fit. The error quotes it, unless it is a secret.
    """
    if _is_stand_in(spec, value):
        read = partial(read_secret, spec.name, value)
        return SourcedSecret(read(), read)
    result = convert(spec.type, value.raw, value.base)
    is_no_login = spec.takes_login and not isinstance(result, AuthStrategy | None)
    if result is UNSET or is_no_login or not _is_chosen(spec.choices, result):
        raise _does_not_fit(spec, value)
    return Secret(result) if spec.secret and isinstance(result, str) else result


@lru_cache(maxsize=512)
def _options_of(strategy_class: type) -> tuple[OptionSpec, ...]:
    if not is_dataclass(strategy_class):
        message = f"{strategy_class.__qualname__} is not a dataclass, so it has no options."
        raise PluginError(message, hint="Put @dataclass(frozen=True, slots=True) on the class.")
    hints = _hints(strategy_class)
    specs = tuple(_spec(item, hints[item.name]) for item in fields(strategy_class) if item.init)
    for spec in specs:
        _refuse_mistakes(strategy_class, spec)
    return specs


def _is_chosen(choices: tuple[object, ...], result: object) -> bool:
    """Whether each item is a choice. None is none of them, and a type that allows it means it."""
    if not choices or result is None:
        return True
    items = result if isinstance(result, tuple) else (result,)
    return all(pick(choices, item) is not UNSET for item in items)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except (NameError, TypeError, AttributeError) as error:
        message = f"The types of {cls.__qualname__}'s options cannot be read: {error}."
        hint = "Import what they name at run time, not under `if TYPE_CHECKING`."
        raise PluginError(message, hint=hint) from error


def _spec(item: Field[Any], annotation: Any) -> OptionSpec:
    declared: _Declared = item.metadata.get(_METADATA, _PLAIN_FIELD)
    return OptionSpec(
        name=item.name,
        type=annotation,
        help=declared.help,
        default=_default(item),
        secret=declared.secret or Secret in _members(annotation),
        env=(variables_of(item.name), *declared.env, *map(variables_of, declared.aliases)),
        choices=declared.choices or _literals(annotation),
        example=declared.example,
        aliases=declared.aliases,
    )


def _default(item: Field[Any]) -> object:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return UNSET if item.default is MISSING else item.default


def _members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation alone."""
    is_union = get_origin(annotation) in {Union, UnionType}
    return get_args(annotation) if is_union else (annotation,)


def _literals(annotation: Any) -> tuple[object, ...]:
    literal = next((m for m in _members(annotation) if get_origin(m) is Literal), None)
    return get_args(literal)


def _refuse_mistakes(cls: type, spec: OptionSpec) -> None:
    if spec.secret and Secret not in _members(spec.type):
        message = f"The secret option {spec.name!r} of {cls.__qualname__} is not typed as Secret."
        raise PluginError(message, hint=f"Write `{spec.name}: Secret` or `Secret | …`.")
    for name in (spec.name, *spec.aliases):
        if name in RESERVED:
            message = f"The option {name!r} of {cls.__qualname__} has a reserved name."
            raise PluginError(message, hint=f"Reserved are: {', '.join(sorted(RESERVED))}.")


def _refuse_missing(
    label: str, required: Sequence[OptionSpec], values: Mapping[str, Value]
) -> None:
    missing = [spec for spec in required if spec.name not in values]
    if not missing:
        return
    names = ", ".join(spec.name for spec in missing)
    variables = ", ".join(spec.env[0] for spec in missing)
    message = f"{label!r} lacks what it needs: {names}."
    hint = f"Give it as an argument, in the environment ({variables}; not empty) or in a profile."
    raise ConfigurationError(message, hint=hint)


def _does_not_fit(spec: OptionSpec, value: Value) -> ConfigurationError:
    # Text is quoted when it helps to see the slip; an object's repr could hold anything.
    is_shown = not spec.secret and isinstance(value.raw, str | int | float)
    shown = f", not {value.raw!r}" if is_shown else ""
    message = f"Option {spec.name} ({value.origin}) must be {spec.wanted}{shown}."
    hint = f"Example: {spec.example}." if spec.example else None
    if value.shared and is_shown and spec.choices:
        hint = f"If that is meant for another login, say {spec.name} as an argument, which goes "
        hint += "before the variable, or unset that."
    return ConfigurationError(message, hint=hint)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text, which may quote what a strategy was given or has sent.

    Those of up to three characters only where they stand alone: taken out of every word, they would
    leave no text to read, and the gaps would tell them.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        found = re.escape(secret)
        if len(secret) <= _SHORT:
            found = rf"(?<!\w){found}(?!\w)"
        text = re.sub(found, "…", text)
    return text
