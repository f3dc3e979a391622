"""Cut the text of a query into words, signs and literals."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class TokenKind(Enum):
    """What a token is, by its looks; whether it fits its place is the parser's question."""

    NAME = "a word"
    STRING = "a string"
    NUMBER = "a number"
    TEMPORAL = "a date or time"
    SIGN = "a sign"
    BAD = "text that is not SOQL"
    END = "the end of the query"


class Token(NamedTuple):
    """One piece of the query.

    ``word`` is the text of a name in upper case, the sign itself for a sign, and empty for all
    else: one comparison tells whether a token is the keyword or sign that is looked for.
    """

    kind: TokenKind
    text: str
    start: int
    word: str

    @property
    def end(self) -> int:
        """Index of the first character after the token."""
        return self.start + len(self.text)


# Numbers and dates are cut loosely, up to where they must end ("10abc" is one token), and judged
# by the parser, which can then say what is wrong with the whole of them.
_TOKEN = re.compile(
    r"""
      [ \t\r\n\f\v]++
    | (?P<NAME>[A-Za-z][A-Za-z0-9_]*+)
    | (?P<STRING>'[^'\\]*+(?:\\.[^'\\]*+)*+')
    | (?P<TEMPORAL>[0-9]++-[0-9]++-[0-9]++(?:[Tt][\w:.+-]*+)?+ | [0-9]++:[0-9][\w:.+-]*+)
    | (?P<NUMBER>[+-]?+\.?+[0-9](?:[Ee][+-]|[\w.])*+)
    | (?P<SIGN>!=|<>|<=|>=|[=<>(),.:])
    | (?P<BAD>'.*+|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_KINDS = {kind.name: kind for kind in TokenKind}


def tokenize(soql: str) -> list[Token]:
    """Return the tokens of a query, closed by one of kind END.

    Never raises: text that is not SOQL becomes one BAD token, and nothing after it is read. So the
    first mistake in reading order is the one that is reported, which for an unescaped quote is
    the place where the string ends too early, not the one where the last quote opens.
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(soql):
        group = match.lastgroup
        if group is None:
            continue
        text = match[0]
        word = text.upper() if group == "NAME" else text if group == "SIGN" else ""
        tokens.append(Token(_KINDS[group], text, match.start(), word))
        if group == "BAD":
            break
    tokens.append(Token(TokenKind.END, "", len(soql), ""))
    return tokens
