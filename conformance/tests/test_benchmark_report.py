"""The outcomes of which the benchmark of the report makes a page: as many as promised, valid, with their verdicts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from conformance import runfile
from conformance.arithmetic.precision import PRECISIONS
from conformance.history import merge
from conformance.report import html
from conformance.results import to_json
from conformance.sharding import Shard
from conformance.tests.benchmark_report import where
from conformance.tests.many import write_many
from conformance.tests.stories import story
from conformance.tests.test_results import outcome

COUNT = 100


@pytest.fixture(scope="module")
def source():
    made = story()
    lacking = outcome("relu/zero", "keras", verdict="unsupported", tensors=())
    return replace(made, outcomes=(*made.outcomes, lacking))


@pytest.fixture(scope="module")
def many(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "run.jsonl"
    write_many(path, source, COUNT)
    return runfile.read(path)


def original(source, each):
    key = (each.case, each.adapter.partition("~")[0], each.phase)
    return next(one for one in source.outcomes if one.key == key)


def test_there_are_as_many_as_are_wanted_each_with_tensors_and_a_key_of_its_own(source, many):
    assert len(many.outcomes) == len({each.key for each in many.outcomes}) == COUNT
    assert all(each.tensors for each in many.outcomes)
    assert {each.adapter for each in many.outcomes} <= set(many.header.adapters)
    assert {each.case for each in many.outcomes} == {each.case for each in source.outcomes if each.tensors}


def test_a_copy_keeps_all_verdicts_and_stays_on_its_side_of_the_limit(source, many):
    for each in many.outcomes:
        known = original(source, each)
        assert (each.verdict, each.dialect, each.as_declared) == (known.verdict, known.dialect, known.as_declared)
        for mine, theirs in zip(each.tensors, known.tensors, strict=True):
            assert (mine.name, mine.step, mine.verdict, mine.shape) == (
                theirs.name,
                theirs.step,
                theirs.verdict,
                theirs.shape,
            )
            limit = PRECISIONS[mine.dtype].limit
            assert (mine.error_ratio <= limit) == (theirs.error_ratio <= limit)
            assert mine.expected == pytest.approx(theirs.expected, rel=1e-5, nan_ok=True)


def test_copies_differ_in_their_numbers_and_the_first_is_the_original(source, many):
    found: dict[tuple, list[str]] = {}
    for each in many.outcomes:
        found.setdefault((each.case, each.adapter.partition("~")[0], each.phase), []).append(
            json.dumps(to_json(each.tensors))
        )
        if "~" not in each.adapter:
            assert each == original(source, each)
    assert min(map(len, found.values())) > 1
    assert all(len(set(each)) == len(each) for each in found.values())


def test_verdicts_are_distributed_as_in_the_run(source, tmp_path):
    measured = [each for each in source.outcomes if each.tensors]
    write_many(tmp_path / "run.jsonl", source, 3 * len(measured))
    found = Counter(each.verdict for each in runfile.read(tmp_path / "run.jsonl").outcomes)
    assert found == {verdict: 3 * number for verdict, number in Counter(each.verdict for each in measured).items()}


def test_shards_are_the_same_outcomes_in_parts(source, many, tmp_path):
    runs = []
    for number in (1, 2, 3):
        write_many(tmp_path / f"{number}.jsonl", source, COUNT, Shard(number, 3))
        runs.append(runfile.read(tmp_path / f"{number}.jsonl"))
    merged = merge(runs)
    assert {each.key: each for each in merged.outcomes} == {each.key: each for each in many.outcomes}


def test_the_parts_of_a_page_are_all_of_it(many):
    page = html.render(many)
    parts = where(page)
    assert all(size > 0 for size in parts.values())
    assert {"style", "script", "matrix", "sections of operations", "page-summary", "page-texts"} < parts.keys()
    whole = sum(size for name, size in parts.items() if not name.startswith("  "))
    assert whole == len(page.encode("utf-8", "surrogatepass"))
