"""Which samples a limit keeps."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.data import open_dataset
from pytest_robust.data.dataset import select

names = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=30, unique=True)


@given(names, st.integers(0, 2**40), st.data())
def test_a_smaller_limit_keeps_a_part_of_a_larger_one(ids, seed, data):
    small = data.draw(st.integers(1, len(ids)))
    large = data.draw(st.integers(small, len(ids) + 3))
    kept = [ids[i] for i in select(ids, small, seed)]
    more = [ids[i] for i in select(ids, large, seed)]
    assert len(kept) == small
    assert len(more) == min(large, len(ids))
    assert set(kept) <= set(more)
    assert more == sorted(more)


@given(names, st.integers(0, 9), st.randoms())
def test_the_order_of_the_ids_does_not_matter(ids, seed, random):
    half = (len(ids) + 1) // 2
    kept = [ids[i] for i in select(ids, half, seed)]
    random.shuffle(ids)
    assert [ids[i] for i in select(ids, half, seed)] == kept


def test_the_rule_is_the_documented_one():
    ids = [f"{row:06d}" for row in range(200)]
    ranked = sorted(ids, key=lambda name: hashlib.blake2b(b"7\0" + name.encode(), digest_size=16).digest())
    assert [ids[i] for i in select(ids, 20, 7)] == sorted(ranked[:20])


def test_the_choice_is_the_same_for_ever():
    ids = [f"{row:06d}" for row in range(1000)]
    assert select(ids, 5, 0) == [49, 275, 344, 465, 882]


def test_seeds_choose_differently():
    ids = [f"{row:06d}" for row in range(1000)]
    chosen = [frozenset(select(ids, 100, seed)) for seed in range(10)]
    assert len(set(chosen)) == 10
    # Two independent choices of 100 from 1,000 share 10 +- 3.
    assert all(len(chosen[0] & other) < 25 for other in chosen[1:])


@pytest.mark.parametrize(
    ("spec", "run", "kept"),
    [(None, None, 597), (50, None, 50), (None, 20, 20), (50, 20, 20), (20, 50, 20), (9999, 600, 597)],
)
def test_the_smaller_of_both_limits_holds(spec, run, kept, plan):
    found = open_dataset(plan("digits", limit=spec, seed=1), limit=run)
    assert len(found.samples.ids) == kept
    whole = open_dataset(plan("digits", limit=kept, seed=1))
    assert found.samples.digest == whole.samples.digest


@pytest.mark.parametrize(("spec", "run"), [(0, None), (None, 0), (-3, 5)])
def test_a_limit_that_leaves_nothing_is_an_error(spec, run, plan, refused):
    refused(plan("digits", limit=spec), "specs/a.yaml:3:3: a limit of", "leaves no sample", limit=run)
