"""Find out what became of a create whose answer was lost, by a field that is unique."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as member
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import msgspec

from sfconnect._single import Single
from sfconnect.errors import ConfigurationError
from sfconnect.messages import JSON_ERRORS, Request
from sfconnect.policy import DidNotHappen, Happened, StillUnknown, check_number
from sfconnect.salesforce.resources import decode_row
from sfconnect.soql.quoting import quote

if TYPE_CHECKING:
    from sfconnect.call import Sender
    from sfconnect.errors import OutcomeUnknownError
    from sfconnect.policy import Reconciled

_CREATE = re.compile(r"(/services/data/v\d+\.0)/sobjects/(\w+)/?")
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_SHORT: Final = 255
_COMPARED: Final = 100
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReconcileByField:
    """A ``reconcile`` hook that looks for the record that a create may have made.

    ``field`` is a field that the org declares *unique*; a mapping names one per object. The hook
    queries for the value that the create would have written. If the record is there, was made
    since the call began and holds what the create wrote, the create returns its id. If it is not,
    the create is sent again; should the first one still be at work, the org refuses the slower of
    the two, and the hook finds the record then. So there is one record in the end, or none and an
    error. A record that holds something else may be another program's, made in the same minutes, or
    one that the org's automation has changed since: there the outcome stays unknown.

    It answers for creates of single records (``sf.sobject(…).create``) that write the field. All
    else stays unknown, as does a value that several records have.

    Without a unique field this would create twice. So before the first create of an object that
    writes the field, describe is asked whether it is there, unique and can be filtered by, once for
    each connection; if not, the create raises ``ConfigurationError`` and is not sent.

    Args:
        field: Name of the unique field, or ``{object: field}``; objects are found in any case.
        check: Ask describe as told above; False for a field that the org keeps unique by other
            means than the field's own setting, such as a trigger.
        clock_skew_s: How far this machine's clock may differ from the org's; a record that is
            older than the call by more than that is another's.
    """

    field: str | Mapping[str, str]
    clock_skew_s: float = 300.0
    check: bool = True
    _known: WeakKeyDictionary[Sender, _Known] = member(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in (self.field,) if isinstance(self.field, str) else self.field.values():
            if _NAME.fullmatch(name) is None:
                message = f"ReconcileByField.field cannot be {name!r}."
                raise ConfigurationError(message, hint="Give the API name of a field.")
        fix = "Give seconds, 0 or more."
        check_number("ReconcileByField.clock_skew_s", self.clock_skew_s, least=0, fix=fix)

    def __reduce__(self) -> tuple[Any, ...]:
        # What a connection told of is no part of what the hook is.
        return type(self), (self.field, self.clock_skew_s, self.check)

    async def prepare(self, request: Request, sender: Sender, /) -> None:
        """See to it that the field can tell the record of a create from all others.

        Raises:
            ConfigurationError: It cannot; the create must not be sent.
            SfConnectError: What asking for the describe may raise.
        """
        where = _CREATE.fullmatch(request.path) if self.check else None
        name = None if where is None else self._field_of(where[2])
        if where is None or name is None or not isinstance(request.content, bytes):
            return
        known = self._known.get(sender)
        if known is None:
            known = self._known[sender] = _Known()
        fault = known.faults.get(where[2])
        if fault == "" or _value_of(request.content, name) is None:
            return
        if fault is None:
            fault = await known.learn(where[1], where[2], name, sender)
        if fault:
            raise ConfigurationError(fault, hint=_HINT)

    def _field_of(self, name: str) -> str | None:
        if isinstance(self.field, str):
            return self.field
        return next((one for key, one in self.field.items() if key.lower() == name.lower()), None)

    async def __call__(self, unknown: OutcomeUnknownError, sender: Sender, /) -> Reconciled:
        """Look for the record."""
        create = self._create_of(unknown)
        if isinstance(create, StillUnknown):
            return create
        rows = (await sender.execute(create.query())).json()["records"]
        began = unknown.attempts[0].began if unknown.attempts else None
        return create.judged(rows, since=None if began is None else began - self.clock_skew_s)

    def _create_of(self, unknown: OutcomeUnknownError) -> _Create | StillUnknown:
        request = unknown.request
        if not isinstance(request, Request) or not isinstance(request.content, bytes):
            return StillUnknown("the request's body is not there any more")
        where = _CREATE.fullmatch(request.path)
        if request.method != "POST" or where is None:
            return StillUnknown("it is not the create of a single record")
        name = self._field_of(where[2])
        value = None if name is None else _value_of(request.content, name)
        if name is None or value is None:
            return StillUnknown("the record has no value in a field that is known to be unique")
        return _Create(where[1], where[2], name, value, _comparable(request.content, name))


_HINT: Final = (
    "Name a field that is unique in the org (Setup → Object Manager → Fields), or leave the "
    "reconcile hook out; check=False trusts a field that is kept unique otherwise."
)


@dataclass(slots=True)
class _Known:
    """What describe told of fields to one connection, by the object: a fault, or nothing of one."""

    faults: dict[str, str] = member(default_factory=dict)
    asking: dict[str, Single[str]] = member(default_factory=dict)

    async def learn(self, base: str, name: str, key: str, sender: Sender) -> str:
        """Ask once, however many creates want to know at the same time."""

        async def ask() -> str:
            describe = Request("GET", f"{base}/sobjects/{name}/describe")
            fields = decode_row(await sender.execute(describe)).get("fields", ())
            fault = self.faults[name] = _fault_of(name, key, fields)
            return fault

        return await self.asking.setdefault(name, Single()).run(ask)


def _fault_of(name: str, key: str, fields: Sequence[Mapping[str, Any]]) -> str:
    found = next((one for one in fields if one["name"].lower() == key.lower()), None)
    place = f"{name}.{key}"
    if found is None:
        return f"ReconcileByField: the user sees no field {place}."
    if not found.get("unique"):
        return f"ReconcileByField: {place} is not unique, so it cannot tell one record from all."
    if not found.get("filterable", True):
        return f"ReconcileByField: {place} cannot be filtered by, so no record is found by it."
    return ""


def _fields_of(content: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(content)
    except JSON_ERRORS:
        return {}
    return body if isinstance(body, dict) else {}


def _comparable(content: bytes, field: str) -> dict[str, Any]:
    """What a create wrote beside the field and can be compared: no long texts, files or parents."""
    short = {
        name: value
        for name, value in _fields_of(content).items()
        if _NAME.fullmatch(name) and name.lower() != field.lower() and _is_short(value)
    }
    return dict(islice(short.items(), _COMPARED))


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _SHORT
    return value is None or isinstance(value, bool | int | float)


def _value_of(content: bytes, field: str) -> str | int | None:
    values = _fields_of(content)
    found = next((value for name, value in values.items() if name.lower() == field.lower()), None)
    usable = isinstance(found, str | int) and not isinstance(found, bool) and found != ""
    return found if usable else None


@dataclass(frozen=True, slots=True)
class _Create:
    """A create as it was sent, by what tells its record from all others."""

    base: str
    name: str
    field: str
    value: str | int
    written: Mapping[str, Any]

    def query(self) -> Request:
        # Two rows tell as much as any number: that the field is not unique.
        where = f"{self.field} = {quote(self.value)}"
        read = dict.fromkeys(("Id", "CreatedDate", self.field, *self.written))
        soql = f"SELECT {', '.join(read)} FROM {self.name} WHERE {where} LIMIT 2"  # noqa: S608  # SOQL; the names are API names, and the value is quoted
        return Request("GET", f"{self.base}/query", params={"q": soql}, surface="query")

    def judged(self, rows: list[dict[str, Any]], *, since: float | None) -> Reconciled:
        # SOQL compares texts without regard to case, and the org stores them without outer spaces.
        same = [row for row in rows if self._is_same(row)]
        if len(same) > 1:
            return StillUnknown(f"several records have the value, so {self.field} is not unique")
        if not same or (since is not None and _created(same[0]) < since):
            # In a record from before the call the value was taken: the create cannot have worked.
            return DidNotHappen()
        if (other := self._difference(same[0])) is not None:
            return StillUnknown(f"there is a record with the value, but its {other} is another")
        return Happened({"id": same[0]["Id"], "success": True, "errors": []})

    def _difference(self, row: dict[str, Any]) -> str | None:
        found = {name.lower(): value for name, value in row.items()}
        held = ((name, value, found.get(name.lower())) for name, value in self.written.items())
        return next((name for name, value, there in held if _form(value) != _form(there)), None)

    def _is_same(self, row: dict[str, Any]) -> bool:
        found = next(value for name, value in row.items() if name.lower() == self.field.lower())
        return found == self.value or str(found).strip() == str(self.value).strip()


def _form(value: object) -> object:
    """Bring a value as it was written and as the org gives it back to one form.

    The org drops outer spaces, writes e-mail addresses small and moments in its own way, makes ids
    longer, takes numbers as text, and holds nothing where it was given an empty text.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None if value == "" else value
    text = " ".join(str(value).split()).lower()
    if _ID.fullmatch(str(value)):
        return str(value)[:15]
    with suppress(ValueError):
        return float(text)
    with suppress(ValueError):
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return text


def _created(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["CreatedDate"]).timestamp()
