"""The place in the tokens where the parser stands, what it may accept there, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from sfconnect.soql.ast import Query
from sfconnect.soql.errors import SoqlSyntaxError
from sfconnect.soql.tokens import Token, TokenKind, tokenize

# Python gives a program about 1,000 nested calls. A parenthesis costs the parser two of them and
# a subquery up to nine, so this leaves more than half of them to the caller.
MAX_DEPTH = 100
SUBQUERY_DEPTH = 5

# Finds two swapped letters in a word of three, and not FROM in FORMAT; one letter of two is none.
_NEARNESS = 0.65
_SHORTEST_SLIP = 3

_CHARACTER_HINTS = {
    '"': "Strings take single quotes.",
    "\u2018": "Strings take straight single quotes.",
    "\u2019": "Strings take straight single quotes.",
    "\u201c": "Strings take single quotes.",
    "\u201d": "Strings take single quotes.",
    "\u00a0": "This is a no-break space: type a plain one.",
    "*": "SOQL has no *: name the fields, or use FIELDS(ALL) with LIMIT 200.",
    "/": "SOQL has no comments and no arithmetic.",
    ";": "A query ends without a semicolon.",
}
_QUOTE_HINT = r"A quote inside a string is written \'."


class Cursor:
    """Walks over the tokens of one query; holds what the caller of the parser allows."""

    __slots__ = ("_depth", "_index", "_tokens", "apex", "binds", "soql", "subquery", "token")

    def __init__(
        self, soql: str, *, binds: bool, apex: bool, subquery: Callable[[Cursor], Query]
    ) -> None:
        self.soql = soql
        self.binds = binds
        self.apex = apex
        self.subquery = subquery
        self._tokens = tokenize(soql)
        self._index = 0
        self._depth = 0
        self.token = self._tokens[0]

    def peek(self, ahead: int = 1) -> Token:
        """Return a token after the current one."""
        return self._tokens[min(self._index + ahead, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Step over the current token and return it; never asked for at the end."""
        token = self.token
        self._index += 1
        self.token = self._tokens[self._index]
        return token

    def accept(self, word: str) -> bool:
        """Step over the keyword or sign if it is the current token."""
        if self.token.word != word:
            return False
        self.advance()
        return True

    def at_pair(self, first: str, second: str) -> bool:
        """Tell whether the next two tokens are these keywords."""
        return self.token.word == first and self.peek().word == second

    def accept_pair(self, first: str, second: str) -> bool:
        """Step over two keywords that belong together, if both are there."""
        if not self.at_pair(first, second):
            return False
        self.advance()
        self.advance()
        return True

    def expect(self, word: str) -> Token:
        """Step over the keyword or sign, or fail."""
        if self.token.word != word:
            wanted = word if word.isalpha() else f"'{word}'"
            raise self.unexpected(wanted, keywords=(word,) if word.isalpha() else ())
        return self.advance()

    def expect_one_of(self, words: Iterable[str]) -> str:
        """Step over one of the keywords and return it in upper case, or fail."""
        choice = tuple(words)
        if self.token.word not in choice:
            raise self.unexpected(_either(choice), keywords=choice)
        return self.advance().word

    def enter(self, token: Token, weight: int = 1) -> None:
        """Go one level deeper; fail where a query nests deeper than any sensible one."""
        self._depth += weight
        if self._depth > MAX_DEPTH:
            raise self.fail("the query is nested too deeply", token)

    def leave(self, weight: int = 1) -> None:
        """Come back from a level."""
        self._depth -= weight

    def fail(
        self, message: str, token: Token, *, hint: str | None = None, offset: int = 0
    ) -> SoqlSyntaxError:
        """Build the error for a place in a token; literals must stay out of the message."""
        return SoqlSyntaxError(
            message, self.soql, token.start + offset, found=token.text[offset:], hint=hint
        )

    def unexpected(
        self, wanted: str, *, keywords: Iterable[str] = (), hint: str | None = None
    ) -> SoqlSyntaxError:
        """Build the error for a current token that does not fit.

        A misspelt keyword is often taken for an alias, and only the token after it looks wrong;
        ``keywords`` are what could stand here, and a near miss just before is blamed instead.
        """
        token = self.token
        if token.kind is TokenKind.BAD:
            return self._bad_text(token)
        choice = tuple(keywords)
        before = self._tokens[self._index - 1] if self._index else None
        for suspect in (token, before):
            near = suspect and _nearest(suspect, choice)
            if suspect and near:
                message = f"expected {wanted}, found {self._describe(suspect)}"
                return self.fail(message, suspect, hint=f"Did you mean {near}?")
        if hint is None and token.kind is TokenKind.NAME and self._follows_string(token):
            hint = _QUOTE_HINT
        return self.fail(f"expected {wanted}, found {self._describe(token)}", token, hint=hint)

    def _describe(self, token: Token) -> str:
        """Name a token in an error message without repeating a literal.

        A word after a string may be the rest of a string with an unescaped quote in it.
        """
        if token.kind is TokenKind.NAME and not self._follows_string(token):
            return f"'{token.text}'"
        return f"'{token.text}'" if token.kind is TokenKind.SIGN else token.kind.value

    def _follows_string(self, token: Token) -> bool:
        before = self._tokens[max(0, self._tokens.index(token) - 1)]
        return before.kind is TokenKind.STRING

    def _bad_text(self, token: Token) -> SoqlSyntaxError:
        sign = token.text[0]
        if sign == "'":
            return self.fail("the string that begins here is not closed", token, hint=_QUOTE_HINT)
        shown = f"'{sign}'" if sign.isascii() and sign.isprintable() else f"U+{ord(sign):04X}"
        hint = _CHARACTER_HINTS.get(sign)
        return self.fail(f"the character {shown} does not belong here", token, hint=hint)


def _nearest(token: Token, keywords: tuple[str, ...]) -> str | None:
    if len(token.word) < _SHORTEST_SLIP or token.word in keywords:
        return None
    matches = get_close_matches(token.word, keywords, n=1, cutoff=_NEARNESS)
    return matches[0] if matches else None


def _either(words: tuple[str, ...]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1])) if words[1:] else words[0]
