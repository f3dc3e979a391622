"""XML in and out, for messages from and to the network: escaped, and parsed without surprises."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# A parser takes a bare carriage return for a newline (XML 1.0 §2.11).
_MORE: Final = {"\r": "&#13;"}
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 50


class XmlError(ValueError):
    """A document that is not well-formed, or that a message of an API never is like."""


def element(name: str, text: str) -> str:
    """Write an element that holds a text.

    Raises:
        XmlError: The text has a character that XML cannot express.
    """
    if _ILLEGAL.search(text):
        raise XmlError(name)
    return f"<{name}>{escape(text, _MORE)}</{name}>"


def texts(document: bytes) -> dict[str, str]:
    """Read the texts of a document by path, such as ``Envelope/Body/Fault/faultstring``.

    Namespaces are left out; of elements with one path the first counts. A document type, and with
    it every entity of its own, is refused.

    Raises:
        XmlError: It is not well-formed, has a document type, or is too large or too deep.
    """
    if len(document) > MAX_BYTES:
        raise XmlError
    reader = _Reader()
    try:
        reader.parser.Parse(document, True)  # positional only
    except (expat.ExpatError, LookupError, ValueError):
        reader.texts.clear()
        reader.broken = True
    if reader.broken:  # not chained: parsers may quote what they could not read
        raise XmlError
    return reader.texts


class _Reader:
    """Collects texts while expat walks through a document."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.broken = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._open
        self.parser.EndElementHandler = self._close
        self.parser.CharacterDataHandler = self._add
        self._path: list[str] = []
        self._text: list[str] = []

    def _refuse(self, *_declaration: object) -> None:
        raise XmlError

    def _open(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._text.clear()
        if len(self._path) > MAX_DEPTH:
            raise XmlError

    def _close(self, _name: str) -> None:
        self.texts.setdefault("/".join(self._path), "".join(self._text).strip())
        self._path.pop()
        self._text.clear()

    def _add(self, text: str) -> None:
        self._text.append(text)
