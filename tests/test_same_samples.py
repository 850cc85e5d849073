"""Clean over the samples of a part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.errors import RobustError
from pytest_robust.measurement import Samples
from pytest_robust.same_samples import places


def samples(ids: str, labels: str) -> Samples:
    return Samples(tuple(ids), np.array([int(label) for label in labels], np.uint16), ids)


@given(st.lists(st.text(max_size=3), unique=True, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_every_sample_is_found_where_it_stands(names: list[str], random: object) -> None:
    whole = sorted(names)
    labels = np.arange(len(whole), dtype=np.uint16)
    part = sorted(random.sample(whole, random.randint(1, len(whole))))  # type: ignore[attr-defined]
    own = Samples(tuple(part), labels[[whole.index(name) for name in part]], "part")
    found = places(own, Samples(tuple(whole), labels, "whole"))
    assert [whole[place] for place in found] == part


@pytest.mark.parametrize(
    ("part", "stranger"), [(samples("ax", "01"), "x"), (samples("ac", "01"), "c"), (samples("x", "2"), "x")]
)
def test_what_is_not_in_the_whole_with_its_label_is_no_part(part: Samples, stranger: str) -> None:
    with pytest.raises(RobustError, match=f"^{stranger} is not a sample of clean with the same label"):
        places(part, samples("abc", "012"))
