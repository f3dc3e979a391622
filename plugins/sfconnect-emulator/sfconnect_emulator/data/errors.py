"""The one error that the engine raises, shaped as the REST API answers it, and its usual forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class ApiError(Exception):
    """A refusal: HTTP status, error code, message, and the fields it is about.

    ``fields`` is None where the answer has no such member, and a list (maybe empty) where it has.
    ``matches`` holds record ids when an external id was not unique (status 300).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Iterable[str] | None = None,
        *,
        matches: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields: list[str] | None = None if fields is None else list(fields)
        self.matches = list(matches)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.status, self.code, self.message, self.fields, self.matches)


def _restore(
    status: int, code: str, message: str, fields: list[str] | None, matches: list[str]
) -> ApiError:
    return ApiError(status, code, message, fields, matches=matches)


def no_such_resource() -> ApiError:
    """The object, or the row that a GET names, does not exist."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def no_such_external_id(field: str) -> ApiError:
    """The path names a field that is no external id."""
    message = f"Provided external ID field does not exist or is not accessible: {field}"
    return ApiError(404, "NOT_FOUND", message)


def entity_is_deleted() -> ApiError:
    """The row lies in the recycle bin."""
    return ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", ())


def invalid_cross_reference(status: int = 400) -> ApiError:
    """The id names no row: 404 for the row itself, 400 for a lookup value."""
    return ApiError(status, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())


def incorrect_id_type(label: str, value: str, field: str) -> ApiError:
    """The value is no id, or an id of another object."""
    return ApiError(400, "MALFORMED_ID", f"{label}: id value of incorrect type: {value}", (field,))


def no_such_column(field: str, object_name: str) -> ApiError:
    """The body of a write, or the list of fields to read, names an unknown field."""
    message = f"No such column '{field}' on sobject of type {object_name}"
    return ApiError(400, "INVALID_FIELD", message)


def field_not_allowed_here(field: str) -> ApiError:
    """The body holds the key that the path already gives."""
    message = f"The {field} field should not be specified in the sobject data."
    return ApiError(400, "INVALID_FIELD", message)


def not_writable(fields: Sequence[str]) -> ApiError:
    """The body holds read-only fields."""
    message = (
        f"Unable to create/update fields: {', '.join(fields)}. Please check the security "
        "settings of this field and verify that it is read/write for your profile or "
        "permission set."
    )
    return ApiError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, fields)


def required_missing(fields: Sequence[str]) -> ApiError:
    """The body lacks required fields, or sets them to null."""
    message = f"Required fields are missing: [{', '.join(fields)}]"
    return ApiError(400, "REQUIRED_FIELD_MISSING", message, fields)


def duplicate_value(field: str, record_id: str) -> ApiError:
    """Another row has the value of a unique field; ids in this text are of 15 characters."""
    message = f"duplicate value found: {field} duplicates value on record with id: {record_id[:15]}"
    return ApiError(400, "DUPLICATE_VALUE", message, ())


def foreign_key_not_found(value: object, field: str, object_name: str) -> ApiError:
    """A lookup by external id found no parent."""
    message = (
        f"Foreign key external ID: {value} not found for field {field} in entity {object_name}"
    )
    return ApiError(400, "INVALID_FIELD", message)


def not_allowed(operation: str, object_name: str) -> ApiError:
    """The object cannot be created, changed or deleted through the API."""
    message = f"entity type {object_name} does not support {operation}"
    return ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, ())
