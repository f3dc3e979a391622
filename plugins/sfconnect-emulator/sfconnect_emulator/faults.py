"""Faults on purpose: rules that pick requests, and what then happens to them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

import msgspec
from msgspec import UNSET

from sfconnect_emulator.wire import Delivery, Request

Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
NotNegative: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests a rule is about; what is left out does not matter.

    Requests that fit ``method``, ``path`` (a regular expression, searched in the path) and
    ``query`` (likewise, in the encoded query string) are numbered from 1. Of these the rule takes
    number ``nth``, every ``every``-th, or each with ``probability``; skips the first ``after``;
    and stops after firing ``times`` times.
    """

    method: str | None = None
    path: str | None = None
    query: str | None = None
    nth: Positive | None = None
    every: Positive | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    times: Positive | None = None


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every action may carry. ``acts`` tells whether the org still does the request."""

    delay_ms: NotNegative = 0
    acts: ClassVar[bool] = True

    def delivery(self) -> Delivery:
        """How the answer is to be delivered."""
        return Delivery(delay_ms=self.delay_ms)


class Respond(_Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="respond"):
    """Answer with a status and body of one's own; the org does not see the request."""

    acts: ClassVar[bool] = False
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 503
    json: object = UNSET
    html: str | None = None
    text: str | None = None
    headers: dict[str, str] = {}


class Delay(_Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="delay"):
    """Do the request at once and answer late."""


class Reset(_Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="reset"):
    """Reset the connection before the request is done."""

    acts: ClassVar[bool] = False

    def delivery(self) -> Delivery:
        """Deliver nothing."""
        return Delivery(delay_ms=self.delay_ms, reset=True)


class ActThenReset(
    _Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="act-then-reset"
):
    """Do the request, then reset the connection: the client cannot know."""

    def delivery(self) -> Delivery:
        """Deliver nothing."""
        return Delivery(delay_ms=self.delay_ms, reset=True)


class Cut(_Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="cut"):
    """Close the connection after so many bytes of the body, under either kind of framing."""

    after_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    chunked: bool | None = None

    def delivery(self) -> Delivery:
        """Deliver the beginning of the body."""
        return Delivery(delay_ms=self.delay_ms, cut_after=self.after_bytes, chunked=self.chunked)


class Drip(_Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="drip"):
    """Send the body in small pieces with pauses between them."""

    piece_bytes: Positive = 64
    pause_ms: NotNegative = 50

    def delivery(self) -> Delivery:
        """Deliver slowly."""
        return Delivery(delay_ms=self.delay_ms, drip_bytes=self.piece_bytes, drip_ms=self.pause_ms)


class CorruptGzip(
    _Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="corrupt-gzip"
):
    """Send a body that says gzip and does not decompress."""


class ExpireSession(
    _Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="expire-session"
):
    """Revoke the token of this request, so that this and all later uses of it answer 401."""


class RevokeTokens(
    _Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="revoke-tokens"
):
    """Revoke all access tokens, then do the request; with ``refresh_tokens`` these too."""

    refresh_tokens: bool = False


class Unauthorized(
    _Action, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="unauthorized"
):
    """Answer 401 ``INVALID_SESSION_ID`` once although the token is good."""

    acts: ClassVar[bool] = False


Action: TypeAlias = (
    Respond
    | Delay
    | Reset
    | ActThenReset
    | Cut
    | Drip
    | CorruptGzip
    | ExpireSession
    | RevokeTokens
    | Unauthorized
)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: which requests, and what happens to them. ``name`` is for the statistics."""

    action: Action
    match: Match = Match()
    name: str = ""

    @property
    def label(self) -> str:
        """The name, or the kind of action where there is none."""
        return self.name or str(self.action.__struct_config__.tag)


class FaultFileError(ValueError):
    """A rule list that cannot be read; the message says where it is wrong."""


def parse_rules(text: bytes | str) -> tuple[Rule, ...]:
    """Read a JSON list of rules.

    Raises:
        FaultFileError: not JSON, unknown members, values out of range, a bad expression.
    """
    try:
        rules = msgspec.json.decode(text, type=tuple[Rule, ...])
    except msgspec.DecodeError as error:
        raise FaultFileError(str(error)) from None
    for rule in rules:
        _check_expressions(rule)
    return rules


def rules_from(content: object) -> tuple[Rule, ...]:
    """Read rules from ``Rule`` values, or from what JSON decodes to; one alone will do.

    Raises:
        FaultFileError: as ``parse_rules``.
    """
    if isinstance(content, Mapping | Rule):
        content = [content]
    if not isinstance(content, Iterable):
        raise FaultFileError("expected a list of rules")
    return parse_rules(msgspec.json.encode(list(content)))


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules.

    Raises:
        FaultFileError: as ``parse_rules``, and when the file cannot be read.
    """
    try:
        return parse_rules(path.read_bytes())
    except OSError as error:
        raise FaultFileError(error.strerror or str(error)) from None


def _check_expressions(rule: Rule) -> None:
    for expression in (rule.match.path, rule.match.query):
        try:
            re.compile(expression or "")
        except re.error as error:
            raise FaultFileError(f"bad regular expression '{expression}': {error}") from None


@dataclass(slots=True)
class _Armed:
    """A rule with its counts and its own random numbers, so that rules do not disturb others."""

    rule: Rule
    dice: random.Random
    seen: int = 0
    fired: int = 0
    path: re.Pattern[str] = field(init=False)
    query: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.path = re.compile(self.rule.match.path or "")
        self.query = re.compile(self.rule.match.query or "")

    def takes(self, request: Request) -> bool:
        """Count a request if it fits, and decide whether it is one for the rule."""
        match = self.rule.match
        if match.method is not None and match.method.upper() != request.method:
            return False
        if not (self.path.search(request.path) and self.query.search(request.query)):
            return False
        self.seen += 1
        return self._chosen(match, self.seen - match.after)

    def _chosen(self, match: Match, number: int) -> bool:
        if number < 1 or (match.times is not None and self.fired >= match.times):
            return False
        if match.nth is not None and number != match.nth:
            return False
        if match.every is not None and number % match.every:
            return False
        return match.probability is None or self.dice.random() < match.probability


class Faults:
    """The rules in force, in order; the first that takes a request has it."""

    def __init__(self, seed: int, rules: Iterable[Rule] = ()) -> None:
        self._seed = seed
        self._armed: list[_Armed] = []
        self.add(rules)

    def add(self, rules: Iterable[Rule]) -> int:
        """Put rules behind those in force. Returns how many there are now."""
        for rule in rules:
            _check_expressions(rule)
            dice = random.Random(f"{self._seed}:{len(self._armed)}:{rule.label}")  # noqa: S311 - reproducible on purpose
            self._armed.append(_Armed(rule, dice))
        return len(self._armed)

    def clear(self) -> None:
        """Drop all rules."""
        self._armed.clear()

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules in force."""
        return [armed.rule for armed in self._armed]

    def pick(self, request: Request) -> Rule | None:
        """Let the rules count a request and name the one that has it."""
        chosen: _Armed | None = None
        for armed in self._armed:
            if armed.takes(request) and chosen is None:
                chosen = armed
        if chosen is None:
            return None
        chosen.fired += 1
        return chosen.rule
