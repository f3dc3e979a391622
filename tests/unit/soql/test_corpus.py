"""Whole files of queries: our own, and those that other parsers agree about."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sfconnect.soql import SoqlSyntaxError, parse, render

IDENTITY = Path(__file__).parents[2] / "corpus" / "identity.soql"
SAMPLES = os.environ.get("SFCONNECT_SAMPLES")
PLACES = [("python-soql-parser.json", 18), ("soql-parser-js.json", 381), ("soql-tooling.json", 89)]


def statements():
    lines = IDENTITY.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("soql", statements())
def test_a_canonical_query_renders_as_it_was_written(soql):
    assert render(parse(soql)) == soql


def test_the_identity_corpus_holds_each_query_once():
    queries = statements()

    assert len(queries) >= 150
    assert len(set(queries)) == len(queries)


def sample_cases(name):
    if SAMPLES is None:
        pytest.skip("SFCONNECT_SAMPLES names no folder of samples")
    cases = json.loads((Path(SAMPLES) / "soql" / name).read_text(encoding="utf-8"))["cases"]
    return [case for case in cases if case["verdict"] in {"valid", "invalid"}]


def is_valid(soql):
    try:
        parse(soql)
    except SoqlSyntaxError:
        return False
    return True


@pytest.mark.samples
@pytest.mark.parametrize(("name", "count"), PLACES, ids=[name for name, _ in PLACES])
def test_every_undisputed_verdict_is_shared(name, count):
    cases = sample_cases(name)

    wrong = [case["id"] for case in cases if is_valid(case["soql"]) != (case["verdict"] == "valid")]

    assert wrong == []
    assert len(cases) == count


@pytest.mark.samples
@pytest.mark.parametrize("name", [name for name, _ in PLACES])
def test_every_valid_sample_keeps_its_meaning_when_rendered(name):
    for case in sample_cases(name):
        if case["verdict"] == "valid":
            query = parse(case["soql"])
            text = render(query)

            assert parse(text) == query, case["id"]
            assert render(parse(text)) == text, case["id"]
