"""Who an emulated org is: its id, name, instance and first users, all following from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from sfconnect_emulator.data.ids import IdSpace
from sfconnect_emulator.schema import standard_schema

_WORDS: Final = ("Acme", "Globex", "Initech", "Umbrella", "Northwind", "Contoso", "Tailspin")
_KINDS: Final = ("Industries", "Trading", "Holdings", "Logistics", "Labs", "Foods")
_PEOPLE: Final = (
    ("Integration", "User", "GMT", True),
    ("Zoë", "O\u2019Brien-Łukasz", "America/Los_Angeles", True),
    ("健", "田中", "Asia/Tokyo", True),
    ("Gone", "Person", "Europe/Paris", False),
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FIRST_COUNTER: Final = 62**4
_LAST_COUNTER: Final = 62**5
PROFILES: Final = ("System Administrator", "Standard User")
LICENSE: Final = "Salesforce"
"""The user licence that all profiles belong to."""


@dataclass(frozen=True, slots=True)
class OrgUser:
    """One of the users that every org has."""

    id: str
    username: str
    first_name: str
    last_name: str
    email: str
    alias: str
    time_zone: str
    is_active: bool

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Org:
    """One org. Everything but the instance URL follows from the seed."""

    seed: int
    org_id: str
    name: str
    pod: str
    instance_name: str
    users: tuple[OrgUser, ...]
    profile_ids: tuple[str, ...]
    license_id: str
    starts: Mapping[str, int]
    instance_url: str = ""

    @classmethod
    def from_seed(cls, seed: int, *, instance_url: str = "") -> Org:
        """Make the org that belongs to a seed."""
        rng = Random(f"org {seed}")  # noqa: S311 - reproducible, not secret
        pod = rng.choice(_LETTERS) + rng.choice(_LETTERS)
        name = f"{rng.choice(_WORDS)} {rng.choice(_KINDS)}"
        starts = {prefix: rng.randrange(_FIRST_COUNTER, _LAST_COUNTER) for prefix in _prefixes()}
        host = name.lower().replace(" ", "-")
        draft = cls(
            seed, "", name, pod, f"EM{rng.randrange(10, 99)}", (), (), "", starts, instance_url
        )
        return replace(
            draft,
            org_id=draft.ids("00D").id_of(1),
            users=tuple(draft.people(host)),
            profile_ids=tuple(draft.ids("00e").ids_of(1, len(PROFILES))),
            license_id=draft.ids("100").id_of(1),
        )

    @property
    def user(self) -> OrgUser:
        """The administrator for whom clients log in unless told otherwise."""
        return self.users[0]

    def ids(self, prefix: str) -> IdSpace:
        """Return the ids that rows with a key prefix get."""
        return IdSpace(prefix, self.pod, self.starts[prefix])

    def people(self, host: str) -> list[OrgUser]:
        """Make the first users, whose names are meant to be awkward."""
        ids = self.ids("005").ids_of(1, len(_PEOPLE))
        return [
            OrgUser(
                id=user_id,
                username=f"user{number}@{host}.example.com",
                first_name=first,
                last_name=last,
                email=f"user{number}@{host}.example.com",
                alias=f"user{number}",
                time_zone=zone,
                is_active=active,
            )
            for number, (user_id, (first, last, zone, active)) in enumerate(
                zip(ids, _PEOPLE, strict=True), start=1
            )
        ]


def _prefixes() -> tuple[str, ...]:
    """Return every key prefix in use, in an order that never changes by itself."""
    return (*sorted(t.key_prefix for t in standard_schema()), LOCATOR_PREFIX)


LOCATOR_PREFIX: Final = "0r8"
"""Key prefix of query locators."""
