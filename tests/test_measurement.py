"""What a measurement counts and how it travels."""

import json

import numpy as np

from pytest_robust.measurement import Measurement, Provenance, count_groups

PREDICTED = np.array([0, 1, 2, 2, 1], np.uint16)
LABELS = np.array([0, 1, 2, 0, 0], np.uint16)


def test_groups_are_counted_column_by_column() -> None:
    columns = {"light": ("dim", "dim", "bright", "bright", ""), "camera": ("b", "a", "a", "a", "a")}
    assert count_groups(PREDICTED, LABELS, columns) == {
        "camera=a": {"n": 4, "correct": 2},
        "camera=b": {"n": 1, "correct": 1},
        "light=": {"n": 1, "correct": 0},
        "light=bright": {"n": 2, "correct": 1},
        "light=dim": {"n": 2, "correct": 2},
    }
    assert count_groups(PREDICTED, LABELS, {}) == {}


def test_groups_and_notes_travel_as_plain_values() -> None:
    made = Measurement(
        samples="s",
        predicted=PREDICTED,
        near_tie=np.array([True, False, False, True, False]),
        correct=3,
        shift_version=1,
        canvas_digest="c",
        provenance=Provenance("m", "1", ("CPUExecutionProvider",), "cpu", "cpu", "{}", "{}"),
        source="stored",
        groups=count_groups(PREDICTED, LABELS, {"light": ("dim", "dim", "bright", "bright", "dim")}),
        notes=("a sentence",),
    )
    plain = made.to_plain()
    assert json.loads(json.dumps(plain["groups"])) == plain["groups"]
    back = Measurement.from_plain(plain)
    assert (back.groups, back.notes, back.source) == (made.groups, ("a sentence",), "stored")
    assert back.to_plain() == plain
