"""A passphrase from the places that a login would take it from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfconnect._types import Secret
from sfconnect.auth.key_options import PASSPHRASE
from sfconnect.auth.options import build, option, options_of
from sfconnect.auth.sources import Places, option_families

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class _Holder:
    """Has the option that all logins with a key have."""

    passphrase: Secret | None = option(**PASSPHRASE)


def given_passphrase(arguments: Mapping[str, object]) -> Secret | None:
    """Read it from an argument, such as ``passphrase_file``, or from the environment.

    Raises:
        ConfigurationError: It cannot be read, or there are two.
    """
    places = Places(arguments, os.environ, None, None)
    values = places.collect(option_families(options_of(_Holder)))
    return build(_Holder, values, name="keygen").passphrase
