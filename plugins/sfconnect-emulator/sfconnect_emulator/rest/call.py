"""One authenticated REST call, as its handler sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from sfconnect_emulator.data.errors import no_such_resource
from sfconnect_emulator.instance import Instance
from sfconnect_emulator.oauth.tokens import Session
from sfconnect_emulator.rest.errors import json_parser_error, unsupported_media_type
from sfconnect_emulator.schema.types import SObjectType
from sfconnect_emulator.wire import Request, Response

_PARSER_WORDS = {
    "Expecting property name enclosed in double quotes": (
        "was expecting double-quote to start field name"
    ),
    "Expecting ':' delimiter": "was expecting a colon to separate field name and value",
    "Expecting ',' delimiter": "was expecting comma to separate entries",
}
_ANY_VALUE = "expected a valid value (number, String, array, object, 'true', 'false' or 'null')"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has passed version and session checks and is counted.

    ``method`` has ``_HttpMethod`` applied; ``rest`` holds the path segments behind the version.
    """

    instance: Instance
    request: Request
    request_id: str
    method: str
    version: int
    session: Session
    rest: tuple[str, ...]

    @property
    def base(self) -> str:
        """The path of this version of the API."""
        return f"/services/data/v{self.version}.0"

    def sobject(self) -> SObjectType:
        """The object that the path names.

        Raises:
            ApiError: 404, there is none.
        """
        found = self.instance.schema.get(self.rest[1])
        if found is None:
            raise no_such_resource()
        return found

    def json_object(self) -> dict[str, object]:
        """Decode the body, which has to be a JSON object.

        Raises:
            ApiError: 415 for another content type, 400 ``JSON_PARSER_ERROR`` for anything else.
        """
        kind = self.request.headers.get("content-type", "application/json")
        if "json" not in kind:
            raise unsupported_media_type(kind.partition(";")[0])
        content = _decode(self.request.body)
        if not isinstance(content, dict):
            token = "START_ARRAY value [" if isinstance(content, list) else f"value {content}"
            raise json_parser_error(
                f"Cannot deserialize instance of SObject from {token} "
                "or request may be missing a required field at [line:1, column:1]"
            )
        return content


Handler: TypeAlias = Callable[[Call], Response]
Resource: TypeAlias = Mapping[str, Handler]


def _decode(body: bytes) -> object:
    if not body.strip():
        raise json_parser_error(
            "The HTTP entity body is required, but this request has no entity body."
        )
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise json_parser_error(_complaint(body)) from None


def _complaint(body: bytes) -> str:
    """Say where and why JSON cannot be read, in the words of the platform's parser."""
    text = body.decode("utf-8", "replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        # The parser that speaks here names the column behind the character it has just read.
        place = f"[line:{error.lineno}, column:{error.colno + 1}]"
        if error.pos >= len(text):
            return f"Unexpected end-of-input: expected close marker for OBJECT at {place}"
        found = text[error.pos]
        words = _PARSER_WORDS.get(error.msg, _ANY_VALUE)
        return f"Unexpected character ('{found}' (code {ord(found)})): {words} at {place}"
    return "Invalid UTF-8 or number in the entity body at [line:1, column:1]"
