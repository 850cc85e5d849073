"""Which samples a number per class keeps."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.data import open_dataset
from pytest_robust.data.dataset import rank, select

labelled = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=6), st.integers(0, 4)),
    min_size=1,
    max_size=40,
    unique_by=lambda pair: pair[0],
)


@given(labelled, st.integers(0, 2**40), st.integers(1, 12), st.one_of(st.none(), st.integers(1, 45)))
def test_the_smallest_of_each_class_are_kept(pairs, seed, per_class, limit):
    ids, labels = [name for name, _ in pairs], [label for _, label in pairs]
    kept = select(ids, limit, seed, labels, per_class)
    ranked = sorted(select(ids, limit, seed), key=lambda i: (rank(str(seed), ids[i]), ids[i]))
    wanted = {i for i in ranked if [j for j in ranked if labels[j] == labels[i]].index(i) < per_class}
    assert set(kept) == wanted
    assert [ids[i] for i in kept] == sorted(ids[i] for i in kept)


@given(labelled, st.integers(0, 9), st.data())
def test_a_smaller_number_keeps_a_part_of_a_larger_one_under_any_limit(pairs, seed, data):
    ids, labels = [name for name, _ in pairs], [label for _, label in pairs]
    small = data.draw(st.integers(1, 10))
    large = data.draw(st.one_of(st.none(), st.integers(small, 12)))
    limit = data.draw(st.one_of(st.none(), st.integers(1, 45)))
    assert set(select(ids, limit, seed, labels, small)) <= set(select(ids, limit, seed, labels, large))


def test_the_choice_is_the_same_for_ever_and_hangs_on_the_seed(plan):
    kept = open_dataset(plan("digits", per_class=2, seed=0)).samples
    assert Counter(kept.labels.tolist()) == dict.fromkeys(range(10), 2)
    assert kept.ids[:4] == ("digits-0061", "digits-0072", "digits-0131", "digits-0371")
    assert open_dataset(plan("digits", per_class=2, seed=1)).samples.ids != kept.ids


def test_enough_for_every_class_is_the_whole_set(plan):
    whole, all_of_each = open_dataset(plan("digits")), open_dataset(plan("digits", per_class=597))
    assert all_of_each.samples.digest == whole.samples.digest
    assert whole.notes == ()
    assert len(all_of_each.notes) == 1


@pytest.fixture
def uneven(tmp_path, paint):
    """Folders a, b and c with 5, 3 and 1 images."""
    for name, count in (("a", 5), ("b", 3), ("c", 1)):
        for number in range(count):
            paint(tmp_path / "set" / name / f"{number}.png", (count, number, 0))
    return tmp_path / "set"


def test_a_class_with_too_few_images_gives_all_and_is_named(plan, uneven):
    found = open_dataset(plan("folder", path=uneven, per_class=3))
    assert Counter(found.samples.labels.tolist()) == {0: 3, 1: 3, 2: 1}
    assert found.notes == (
        "per_class is 3, and 1 of 3 classes have fewer images, all of which are taken: class 2 has 1",
    )
    assert open_dataset(plan("folder", path=uneven, per_class=1)).notes == ()
    (note,) = open_dataset(plan("folder", path=uneven, per_class=9)).notes
    assert note.endswith("class 0 has 5, class 1 has 3, class 2 has 1")


def test_a_limit_comes_first_and_the_shortage_it_makes_is_told(plan, uneven):
    found = open_dataset(plan("folder", path=uneven, per_class=2), limit=3)
    sizes = Counter(found.samples.labels.tolist())
    assert sum(sizes.values()) <= 3
    few = [label for label in range(3) if sizes[label] < 2]
    said = ", ".join(f"class {label} has {sizes[label]}" for label in few)
    assert found.notes == (
        f"per_class is 2, and {len(few)} of 3 classes have fewer images within the limit of 3, all of which are "
        f"taken: {said}",
    )
    assert open_dataset(plan("folder", path=uneven, per_class=1), limit=9).notes == ()
    everything = open_dataset(plan("folder", path=uneven), limit=2)
    assert set(everything.samples.ids) <= set(open_dataset(plan("folder", path=uneven), limit=3).samples.ids)


def test_images_and_groups_follow_the_choice(plan, uneven, tmp_path):
    rows = [f"{name}/{number}.png,{label},{name}{number}" for label, name in enumerate("ab") for number in range(3)]
    (tmp_path / "set.csv").write_text("file,label,light\n" + "\n".join(rows) + "\n")
    found = open_dataset(plan("manifest", path=uneven, labels=tmp_path / "set.csv", per_class=2))
    assert len(found.samples.ids) == 4
    for index, name in enumerate(found.samples.ids):
        count, number, _ = found.image(index)[0, 0].tolist()
        assert found.groups["light"][index] == name.removesuffix(".png").replace("/", "")
        assert name == f"{ {5: 'a', 3: 'b'}[int(count)] }/{number}.png"


def test_rows_of_an_array_are_chosen_too(plan, tmp_path):
    labels = np.array([0, 1, 1, 0, 1, 1])
    np.savez(tmp_path / "x.npz", x=np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1).repeat(3, axis=3), y=labels)
    found = open_dataset(plan("npz", path=tmp_path / "x.npz", per_class=2, seed=3))
    assert found.samples.labels.tolist().count(1) == 2
    assert [int(found.image(i)[0, 0, 0]) for i in range(4)] == [int(name) for name in found.samples.ids]
