"""Read, write and quote SOQL, without any I/O."""

from sfconnect.soql.binding import bind
from sfconnect.soql.errors import SoqlSyntaxError
from sfconnect.soql.parser import parse
from sfconnect.soql.quoting import like_escape, quote, quote_like
from sfconnect.soql.render import render

__all__ = [
    "SoqlSyntaxError",
    "bind",
    "like_escape",
    "parse",
    "quote",
    "quote_like",
    "render",
]
