"""What an emulated org is started with."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from sfconnect_emulator.faults import Rule, rules_from
from sfconnect_emulator.keys import KeyPair

NEWEST_VERSION = 68
OLDEST_VERSION = 41

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Options(TypedDict, total=False):
    """What the doors of an org take as keyword arguments; every one may be left out."""

    rows: Mapping[str, int]
    seed: int
    latency_ms: float
    token_ttl: float
    faults: Iterable[Rule | Mapping[str, object]]
    data_file: Path | None
    request_log: Path | None
    bulk_page_rows: int
    bulk_seconds: float
    chunked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of one org; the same ``seed`` and ``rows`` give the same data, byte for byte.

    ``chunked`` frames answers as the platform does, without Content-Length; False is a little
    faster and lets clients see sizes beforehand.
    """

    seed: int = 7
    rows: Mapping[str, int] = field(default_factory=dict)
    data_file: Path | None = None
    latency_ms: float = 0
    token_ttl_s: float = 7200
    faults: tuple[Rule, ...] = ()
    request_log: Path | None = None
    bulk_page_rows: int = 50_000
    bulk_seconds: float = 0
    chunked: bool = True

    def __post_init__(self) -> None:
        for name in ("latency_ms", "token_ttl_s", "bulk_seconds"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} has to be a finite number from 0 on, not {value}")
        if self.bulk_page_rows < 1:
            raise ValueError(f"bulk_page_rows has to be from 1 on, not {self.bulk_page_rows}")

    @classmethod
    def from_options(cls, options: Options) -> Settings:
        """Read the keyword arguments of a door."""
        given = dict(options)
        if "token_ttl" in given:
            given["token_ttl_s"] = given.pop("token_ttl")
        if "faults" in given:
            given["faults"] = rules_from(given["faults"])
        # TypedDict has checked names and kinds for typed callers; others get a TypeError here.
        return cls(**given)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Registration:
    """The app and the user that every org comes with; all but the key pair follow the seed."""

    client_id: str
    client_secret: str = field(repr=False)
    password: str = field(repr=False)
    security_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    keys: KeyPair = field(repr=False)

    @classmethod
    def from_seed(cls, seed: int, keys: KeyPair) -> Registration:
        """Derive keys and secrets in the shapes that the platform gives them."""
        return cls(
            client_id=f"3MVG9{_derive(seed, 'client id', _ALNUM + '._', 80)}",
            client_secret=_derive(seed, "client secret", "0123456789ABCDEF", 64),
            password=_derive(seed, "password", _ALNUM, 16),
            security_token=_derive(seed, "security token", _ALNUM, 24),
            refresh_token=f"5Aep861{_derive(seed, 'refresh token', _ALNUM + '._', 80)}",
            keys=keys,
        )


def _derive(seed: int, label: str, alphabet: str, length: int) -> str:
    stream = hashlib.shake_256(f"sfconnect-emulator:{seed}:{label}".encode()).digest(length)
    return "".join(alphabet[byte % len(alphabet)] for byte in stream)
