"""From the name of a plugin to all the names that a project needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sfconnect import ConfigurationError
from sfconnect.auth import STRATEGIES

PREFIX: Final = "sfconnect-auth-"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Names:
    """What the plugin is called: to users, to pip, to Python, and its class."""

    name: str

    @classmethod
    def of(cls, text: str) -> Names:
        """Take a name as its author types it, with or without ``sfconnect-auth-`` before it.

        Raises:
            ConfigurationError: It has other characters than a strategy's name may have, or is one
                of sfconnect's own.
        """
        name = text.strip().lower().replace("_", "-").removeprefix(PREFIX)
        if not _NAME.fullmatch(name):
            message = f"{text!r} cannot be the name of a strategy."
            hint = "Use letters, digits and hyphens, beginning with a letter: acme-vault."
            raise ConfigurationError(message, hint=hint)
        if name in {entry.name for entry in STRATEGIES.entries() if entry.built_in}:
            message = f"{name!r} is the name of a strategy that comes with sfconnect."
            raise ConfigurationError(message, hint=f"Name whose it is: acme-{name}.")
        return cls(name)

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return PREFIX + self.name

    @property
    def module(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The strategy's class."""
        return "".join(word.capitalize() for word in self.name.split("-"))
