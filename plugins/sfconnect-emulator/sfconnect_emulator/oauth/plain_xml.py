"""XML from outside, parsed without what makes it dangerous: document types, size, depth."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.parsers import expat

MAX_BYTES, MAX_DEPTH = 1 << 20, 30


def parse(document: bytes) -> ET.Element:
    """Parse a document; comments and processing instructions vanish.

    Raises:
        ValueError: it is not well-formed, too large or too deep, or it declares a document type and
            with it entities of its own.
    """
    if len(document) > MAX_BYTES:
        raise ValueError("too large")
    builder = _Builder()
    try:
        builder.parser.Parse(document, True)
    except (expat.ExpatError, LookupError):
        raise ValueError("not well-formed XML") from None
    return builder.tree.close()


class _Builder:
    """Makes elements while expat walks through a document; ElementTree's own takes any document."""

    def __init__(self) -> None:
        self.tree = ET.TreeBuilder()
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.tree.data
        self._depth = 0

    def _doctype(self, *declared: object) -> None:
        raise ValueError("document type")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("too deep")
        named = {_name(attribute): value for attribute, value in attributes.items()}
        self.tree.start(_name(name), named)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.tree.end(_name(name))


def _name(expanded: str) -> str:
    return f"{{{expanded}" if "}" in expanded else expanded
