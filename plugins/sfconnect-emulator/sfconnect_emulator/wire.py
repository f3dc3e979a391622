"""The values that pass between a door (socket or in-process) and the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, whole: the engine sees no stream and no socket.

    ``path`` is raw (still percent-encoded); ``segments`` are decoded one by one, so an encoded
    slash stays inside its segment and doubled slashes vanish. Header names are lower-case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    segments: tuple[str, ...] = ()

    @classmethod
    def build(
        cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Request:
        """Split a request target (``/path?query``); ``headers`` must have lower-case names."""
        path, _, query = target.partition("?")
        decode = unquote if "%" in path else str
        segments = tuple([decode(part) for part in path.split("/") if part])
        return cls(method, path, query, headers, body, segments)

    def params(self) -> dict[str, str]:
        """Decode the query string; of a repeated name the first value counts."""
        return first_values(self.query)

    def form(self) -> dict[str, str]:
        """Decode a form body; anything but form-encoding reads as an empty form."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return {}
        return first_values(self.body.decode("utf-8", "replace"))


def first_values(encoded: str) -> dict[str, str]:
    """Decode form-encoded pairs, keeping blanks and the first value of each name."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        values.setdefault(name, value)
    return values


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the bytes of an answer are to be spoilt on their way out; the default spoils nothing.

    ``reset`` closes the connection without a byte of answer; ``cut_after`` closes it after that
    many body bytes; ``drip_bytes`` sends the body in pieces of that size, ``drip_ms`` apart;
    ``chunked`` overrides the framing.
    """

    delay_ms: float = 0
    reset: bool = False
    cut_after: int | None = None
    drip_bytes: int = 0
    drip_ms: float = 0
    chunked: bool | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, whole, with the way it is to be delivered.

    ``finished`` is called once by the door, when the answer has been delivered or never will be.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    delivery: Delivery | None = None
    finished: Callable[[], None] | None = field(default=None, repr=False)

    def settle(self) -> None:
        """Tell whoever wants to know that the answer is out of the org's hands."""
        if self.finished is not None:
            self.finished()
