"""Words that generated rows are made of, plain ones and ones that break careless clients."""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = (
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Ken", "Margaret", "Dennis", "Frances", "John",
    "Zo\u00eb", "Bj\u00f6rn", "Fran\u00e7ois", "Mar\u00eda", "\u0141ukasz", "\u0130brahim",
    "\u0391\u03bd\u03bd\u03b1", "\u041e\u043b\u044c\u0433\u0430", "\u5065", "\u6dd1\u82ac",
)  # fmt: skip
LAST_NAMES: Final = (
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Thompson", "Hamilton", "Ritchie",
    "Allen", "O'Neil", "M\u00fcller", "St. John-Smythe", "\u00c5ngstr\u00f6m", "de la Cruz",
    "D\u2019Angelo", "Nguy\u1ec5n", "\u7530\u4e2d", "\u0418\u0432\u0430\u043d\u043e\u0432",
    "Null", "Test",
)  # fmt: skip
COMPANY_HEADS: Final = (
    "Acme", "Globex", "Initech", "Umbrella", "Northwind", "Contoso", "Tailspin", "Hooli",
    "Stark", "Wayne", "Wonka", "Soylent", "Cyberdyne", "Tyrell", "M\u00fcller", "Caf\u00e9 du Nord",
    "Gro\u00df & S\u00f6hne", "Vandelay",
    "\u65e5\u672c\u5546\u4e8b", "\u0420\u043e\u043c\u0430\u0448\u043a\u0430",
)  # fmt: skip
COMPANY_TAILS: Final = (
    "Inc.", "GmbH", "Ltd", "S.A.", "AB", "LLC", "& Co. KG", "Holdings", "Industries", "Group",
    "Labs", "Foods", "Logistics", "Partners", "Energy",
)  # fmt: skip
CITIES: Final = (
    ("Berlin", "BE", "10115", "Germany", 52.52, 13.405),
    ("M\u00fcnchen", "BY", "80331", "Germany", 48.137154, 11.576124),
    ("San Francisco", "CA", "94105", "United States", 37.775, -122.418),
    ("Boston", "MA", "02108", "United States", 42.358056, -71.063611),
    ("S\u00e3o Paulo", "SP", "01310-100", "Brazil", -23.55, -46.633333),
    ("\u6771\u4eac", None, "100-0001", "Japan", 35.689722, 139.692222),
    ("\u05ea\u05dc \u05d0\u05d1\u05d9\u05d1", None, "6100000", "Israel", 32.08, 34.78),
    ("London", None, "EC1A 1BB", "United Kingdom", 51.507222, -0.1275),
    ("Suva", None, None, "Fiji", -18.141667, 178.441944),
)  # fmt: skip
STREETS: Final = (
    "1 Main St", "Hauptstra\u00dfe 5", "12 Rue de l'\u00c9glise", "PO Box 007",
    "Floor 3\nBuilding B\n99 Industrial Way", "c/o \"The Office\"\r\n500 High Street",
)  # fmt: skip
SENTENCES: Final = (
    "Met at the trade show; wants a call back.", "No answer.", "Renewal is due in Q3.",
    "Said: \"not before next year\".", "Price, quantity, terms: all open.", "Prefers e-mail.",
    "\u00dcberweisung erhalten.", "See https://example.com/?a=1&b=2#top", "50% off?!",
    "\u5951\u7d04\u66f8\u3092\u9001\u4ed8\u6e08\u307f\u3002",
)  # fmt: skip

AWKWARD: Final = (
    "NA", "#N/A", "N/A", "null", "None", "NaN", "true", "0", "00123", "1e5", "0x1F", "12/31/1999",
    "=1+1", "+49 30 123", "-1", "@mention", " leading space", "trailing space ", "two  spaces",
    "tab\there", "quote \"double\"", "it's", "''", "comma, semi; pipe|", "back\\slash", "\\N", "\\",
    "percent % and under_score", "<b>&amp;</b>", "{\"json\": [1]}", "%41%2F", "a/b?c=d#e", "`tick`",
    "na\u00efve caf\u00e9", "cafe\u0301 combining", "\u0130stanbul", "Stra\u00dfe",
    "\ufb01 ligature",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0645\u0631\u062d\u0628\u0627",
    "\u65e5\u672c\u8a9e\u30c6\u30ad\u30b9\u30c8", "\ud55c\uad6d\uc5b4", "\U0001f600 emoji",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001d49c\U0001d4c8\U0001d4c9\U0001d4c7",
    "no\u00a0break", "zero\u200bwidth", "\ufeffmark", "\u202eright to left", "\u2028separator",
)  # fmt: skip
"""Single-line texts: false nulls, numbers that are text, CSV and formula signs, odd Unicode."""

AWKWARD_LINES: Final = (
    "line\nbreak", "carriage\r\nreturn", "\n\nblank lines before", "a,b\n\"c\",d\r\n",
    "tab\t\nnewline",
    "ends with newline\n", "\u00e9\n\U0001f680\n\u05d0",
)  # fmt: skip
"""Texts of several lines."""

LONG_LENGTHS: Final = (1_000, 4_096, 32_000, 100_000)
EXTREME_DATES: Final = ("1700-01-01", "4000-12-31", "1899-12-31", "1970-01-01", "2000-02-29")
EXTREME_MOMENTS: Final = (
    "1700-01-01T00:00:00.000+0000", "4000-12-31T23:59:59.000+0000",
    "1969-12-31T23:59:59.000+0000", "2026-03-29T01:30:00.000+0000",
    "2038-01-19T03:14:08.000+0000",
)  # fmt: skip
EXTREME_NUMBERS: Final = (
    0.0, -0.01, 0.01, 0.1, 0.07, 1.005, 99999999999.99, -99999999999.99, 12345678.9, 1e7, 33.33,
)  # fmt: skip
EXTREME_WHOLES: Final = (0, -1, 1, 99_999_999, -99_999_999, 10_000_000)
AWKWARD_KEYS: Final = (
    "key with space", "slash/in/key", "quote'key", "percent%41", "question?&=#", "\u00fcml\u00e4ut",
    "UPPER-lower", "dot.com", "plus+sign", "00042", "semi;colon", "\U0001f511",
)  # fmt: skip
"""External ids that a URL must carry unharmed."""
