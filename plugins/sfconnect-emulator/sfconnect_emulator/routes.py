"""Names for what requests ask, coarse enough to count by."""

from __future__ import annotations

from collections.abc import Sequence

_DATA_SEGMENTS = 3
_EXTERNAL_ID_SEGMENTS = 4


def route_label(method: str, segments: Sequence[str]) -> str:
    """Name method and resource with ids and locators left out: ``GET /sobjects/Account/{id}``."""
    if tuple(segments[:2]) != ("services", "data"):
        return f"{method} /{'/'.join(_outside_data(segments))}"
    if len(segments) < _DATA_SEGMENTS:
        return f"{method} /services/data"
    return f"{method} /{'/'.join(_resource(segments[_DATA_SEGMENTS:]))}"


def _outside_data(segments: Sequence[str]) -> Sequence[str]:
    if segments[:1] == ("id",) and tuple(segments[1:]) != ("keys",):
        return ("id", "{org}", "{user}")
    return segments[:3]


def _resource(rest: Sequence[str]) -> Sequence[str]:
    if not rest:
        return ("services", "data", "{version}")
    if rest[0] in {"query", "queryAll"} and len(rest) > 1:
        return (rest[0], "{locator}")
    if rest[0] != "sobjects":
        return rest[:2]
    if len(rest) >= _EXTERNAL_ID_SEGMENTS:
        return (*rest[:3], "{value}") if rest[2] != "describe" else rest[:4]
    if len(rest) == _EXTERNAL_ID_SEGMENTS - 1 and rest[2] not in {"describe", "Id"}:
        return (*rest[:2], "{id}")
    return rest
