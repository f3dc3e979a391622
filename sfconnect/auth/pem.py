"""PEM text as deployment tools hand it over: found, and repaired where they have mangled it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


def pem_blocks(text: str) -> dict[str, str]:
    r"""Find the blocks of a text: what is between the lines of each, by its label.

    Taken are line ends that became ``\n`` in letters, and the whole PEM once more in base64. Of
    blocks with one label the first counts.
    """
    blocks: dict[str, str] = {}
    for label, body in _BLOCK.findall(_repaired(text)):
        blocks.setdefault(label, body)
    return blocks


def pem_block(label: str, body: str) -> str:
    """Write a block with its lines restored, where they became spaces or nothing."""
    return f"-----BEGIN {label}-----\n{_lines(body)}\n-----END {label}-----\n"


def _repaired(text: str) -> str:
    text = text.strip().strip("'\"").lstrip("\ufeff").replace("\\r", "").replace("\\n", "\n")
    if "-----BEGIN" in text:
        return text
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text
    return decoded.decode("utf-8", "replace")


def _lines(body: str) -> str:
    body = body.strip()
    if "\n" in body:
        return body
    packed = "".join(body.split())
    return "\n".join(packed[start : start + 64] for start in range(0, len(packed), 64))
