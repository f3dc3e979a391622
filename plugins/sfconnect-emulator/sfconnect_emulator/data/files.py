"""A new file version: it opens a document, or becomes the latest version of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect_emulator.data.tables import Row, quote, statement

if TYPE_CHECKING:
    from sfconnect_emulator.data.store import Store

_COPIED = ("OwnerId", "Title", "Description", "ContentSize", "FileType", "FileExtension",
           "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById",
           "SystemModstamp")  # fmt: skip


def attach_document(store: Store, version: Row) -> None:
    """Give a version its document and number, and let the document follow it."""
    document_id = version.get("ContentDocumentId")
    document = store.row("ContentDocument", document_id)
    t = store.schema["ContentDocument"]
    number = 1
    if document is None:
        document = store.new_row(t) | {"IsDeleted": False, "IsArchived": False}
        document |= {"PublishStatus": "R", "LatestPublishedVersionId": version["Id"]}
        store.insert_rows(t, [document | {name: version.get(name) for name in _COPIED}])
        version["ContentDocumentId"] = document["Id"]
    else:
        number = _retire_versions(store, str(document_id)) + 1
        changes: Row = {"LatestPublishedVersionId": version["Id"], "Title": version.get("Title")}
        store.write(t, document, document | changes)
    version |= {"VersionNumber": str(number), "IsLatest": True}


def _retire_versions(store: Store, document_id: str) -> int:
    """Mark earlier versions as superseded and return how many there are."""
    table = quote("ContentVersion")
    sql = statement("UPDATE", table, "SET IsLatest = 0 WHERE ContentDocumentId = ?")
    return store.connection.execute(sql, (document_id,)).rowcount
