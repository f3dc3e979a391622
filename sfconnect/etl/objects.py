"""Describe an object by its name, and say which one was meant when there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfconnect.errors import ConfigurationError, NotFoundError
from sfconnect.etl.plan import did_you_mean
from sfconnect.etl.source import Source


async def describe_object(sf: Source, name: str) -> Mapping[str, Any]:
    """Describe an object.

    Raises:
        ConfigurationError: The org has no such object, or hides it from this user. The hint has
            the name that is nearest.
    """
    try:
        return await sf.sobject(name).describe()
    except NotFoundError as error:
        known = [str(entry["name"]) for entry in (await sf.describe_global())["sobjects"]]
        hint = did_you_mean(name, known)
        message = f"There is no object '{name}', or this user may not see it."
        raise ConfigurationError(message, hint=hint) from error
