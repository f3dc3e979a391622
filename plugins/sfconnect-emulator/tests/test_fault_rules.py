from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_emulator.faults import (
    FaultFileError,
    Faults,
    Match,
    Respond,
    Rule,
    load_rules,
    parse_rules,
    rules_from,
)
from sfconnect_emulator.wire import Request


def request(path: str = "/services/data/v68.0/query", method: str = "GET") -> Request:
    return Request.build(method, path, {})


def fired(match: Match, count: int, seed: int = 7) -> list[int]:
    """The numbers (from 1) of the requests that a rule takes among ``count``."""
    faults = Faults(seed, [Rule(Respond(), match)])
    return [number for number in range(1, count + 1) if faults.pick(request())]


class TestMatch:
    def test_of_nothing_takes_everything(self) -> None:
        assert fired(Match(), 3) == [1, 2, 3]

    def test_takes_the_nth(self) -> None:
        assert fired(Match(nth=2), 4) == [2]

    def test_takes_every_nth(self) -> None:
        assert fired(Match(every=3), 7) == [3, 6]

    def test_stops_after_some_times(self) -> None:
        assert fired(Match(every=2, times=2), 9) == [2, 4]

    def test_skips_the_first(self) -> None:
        assert fired(Match(after=2, nth=2), 6) == [4]

    def test_takes_by_chance_the_same_for_the_same_seed(self) -> None:
        match = Match(probability=0.3)

        assert fired(match, 200) == fired(match, 200)
        assert fired(match, 200) != fired(match, 200, seed=8)
        assert 30 < len(fired(match, 200)) < 90

    @given(st.sampled_from([0.0, 1.0]))
    def test_by_chance_of_none_or_all_is_certain(self, probability: float) -> None:
        assert len(fired(Match(probability=probability), 20)) == 20 * probability

    @pytest.mark.parametrize(
        ("match", "takes"),
        [
            (Match(method="get"), True),
            (Match(method="POST"), False),
            (Match(path="/query$"), True),
            (Match(path="^/query"), False),
            (Match(query="q=SELECT"), True),
            (Match(query="q=INSERT"), False),
        ],
    )
    def test_looks_at_method_path_and_query(self, match: Match, takes: bool) -> None:
        faults = Faults(7, [Rule(Respond(), match)])

        assert (faults.pick(request("/a/query?q=SELECT")) is not None) is takes

    def test_counts_only_what_fits(self) -> None:
        faults = Faults(7, [Rule(Respond(), Match(path="query", nth=2))])

        taken = [faults.pick(request(path)) is not None for path in ("/query", "/x", "/query")]

        assert taken == [False, False, True]

    def test_the_first_rule_that_takes_a_request_has_it_and_the_others_count_on(self) -> None:
        faults = Faults(7, [Rule(Respond(status=500), Match(nth=2)), Rule(Respond(), Match(nth=3))])

        statuses = []
        for _ in range(4):
            rule = faults.pick(request())
            statuses.append(rule.action.status if rule and isinstance(rule.action, Respond) else 0)

        assert statuses == [0, 500, 503, 0]


class TestParsing:
    def test_reads_every_kind_of_action(self) -> None:
        text = """[
          {"name": "slow", "match": {"path": "query"}, "action": {"type": "delay", "delay_ms": 5}},
          {"action": {"type": "respond", "status": 503, "json": [{"errorCode": "X"}]}},
          {"action": {"type": "respond", "html": "<p>"}},
          {"action": {"type": "reset"}},
          {"action": {"type": "act-then-reset"}},
          {"action": {"type": "cut", "after_bytes": 9, "chunked": true}},
          {"action": {"type": "drip", "piece_bytes": 1, "pause_ms": 2}},
          {"action": {"type": "corrupt-gzip"}},
          {"action": {"type": "expire-session"}},
          {"action": {"type": "revoke-tokens", "refresh_tokens": true}},
          {"action": {"type": "unauthorized"}}
        ]"""

        rules = parse_rules(text)

        assert [rule.label for rule in rules] == [
            "slow", "respond", "respond", "reset", "act-then-reset", "cut", "drip",
            "corrupt-gzip", "expire-session", "revoke-tokens", "unauthorized",
        ]  # fmt: skip
        assert rules_from(rules) == rules
        assert rules_from(rules[0]) == (rules[0],)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[{", "truncated"),
            ("{}", "Expected `array`"),
            ('[{"action": {"type": "explode"}}]', "explode"),
            ('[{"action": {"type": "reset", "status": 5}}]', "status"),
            ('[{"match": {"verb": "GET"}, "action": {"type": "reset"}}]', "verb"),
            ('[{"match": {"nth": 0}, "action": {"type": "reset"}}]', ">= 1"),
            ('[{"match": {"probability": 2}, "action": {"type": "reset"}}]', "<= 1"),
            ('[{"match": {"path": "("}, "action": {"type": "reset"}}]', "regular expression '('"),
            ('[{"action": {"type": "respond", "status": 99}}]', ">= 200"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, says: str) -> None:
        with pytest.raises(FaultFileError, match=re.escape(says)):
            parse_rules(text)

    def test_of_something_that_is_no_list_fails(self) -> None:
        with pytest.raises(FaultFileError):
            rules_from(5)

    def test_of_a_file_says_why_it_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(FaultFileError, match="No such file"):
            load_rules(tmp_path / "none.json")

    def test_of_a_file_gives_its_rules(self, tmp_path: Path) -> None:
        file = tmp_path / "faults.json"
        file.write_text('[{"action": {"type": "reset"}}]')

        assert [rule.label for rule in load_rules(file)] == ["reset"]
