"""Name what a misspelt word was probably meant to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that looks most like this one, or None if none does."""
    from difflib import get_close_matches  # needed only where something is wrong

    matches = get_close_matches(word, sorted(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str], *, kind: str) -> str:
    """Write the hint for an unknown word: the nearest one, else all that there are.

    ``kind`` is the plural of what the words are, such as ``options``.
    """
    names = sorted(known)
    match = nearest(word, names)
    return f"Did you mean {match!r}?" if match else f"Known {kind}: {', '.join(names) or 'none'}."
