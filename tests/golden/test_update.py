"""What an update takes, what it leaves alone, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_robust.golden import Change, Entry, GoldenFile, Proposal, propose
from pytest_robust.golden.document import build, render

from .build import KEYS, MODEL, SPEC, entries, golden, meaning, measurement, samples, sha, update


def proposed(
    held: GoldenFile | None, offered: Mapping[str, Entry], *, mode: Any = "all", reason: str | None = None
) -> Proposal:
    return propose(
        held,
        spec=SPEC,
        model=MODEL,
        entries=offered,
        planned=KEYS,
        mode=mode,
        reason=reason,
        date="2026-11-09",
    )


def kinds(proposal: Proposal) -> dict[str, str]:
    return {change.key: change.kind for change in proposal.changes}


def lines(held: GoldenFile) -> dict[str, str]:
    """The line of each cell as the file shows it."""
    text = render(build(held)[0])
    return {line.split('"')[1]: line.rstrip(",") for line in text.splitlines() if '"canvas_digest"' in line}


def test_the_first_recording_may_be_partial() -> None:
    proposal = proposed(None, entries({"clean": 6}))
    assert proposal.refusals == proposal.notes == ()
    assert proposal.changes == (Change("clean", "cpu", "+", None, 0.75),)
    recording = proposal.golden.recordings["cpu"]
    assert (recording.model_sha256, recording.samples) == (sha("file one"), samples().digest)
    assert (recording.origin.date, recording.origin.reason) == ("2026-11-09", None)
    assert recording.origin.onnxruntime == "1.27.0"


def test_only_what_changed_is_rewritten() -> None:
    held = golden()
    proposal = proposed(held, entries({KEYS[0]: 7, KEYS[1]: 6}), reason="  better data ")
    assert proposal.changes == (
        Change(KEYS[0], "cpu", "~", 0.75, 0.875),
        Change(KEYS[1], "cpu", "=", 0.75, 0.75),
    )
    before, after = lines(held), lines(proposal.golden)
    assert {key for key in KEYS if before[key] != after[key]} == {KEYS[0]}
    assert '"date": "2026-11-09"' in after[KEYS[0]]
    assert '"reason": "better data"' in after[KEYS[0]]
    assert proposal.golden.recordings["cpu"].origin == held.recordings["cpu"].origin


@settings(deadline=None, max_examples=80)
@given(
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 8)),
    st.sampled_from(["cpu", "cuda-sm90"]),
    st.sampled_from(["all", "new"]),
    st.sampled_from(["1.27.0", "1.31.1"]),
    st.sets(st.sampled_from(KEYS), min_size=1),
)
def test_what_was_not_offered_keeps_its_line(
    rights: dict[str, int], device_class: str, mode: str, onnxruntime: str, present: set[str]
) -> None:
    held = update(None, entries(dict.fromkeys(sorted(present), 6)))
    offered = entries(rights, device_class=device_class, onnxruntime=onnxruntime)
    proposal = proposed(held, offered, mode=mode, reason="because")
    assert proposal.refusals == ()
    old, new = held.recordings["cpu"], proposal.golden.recordings["cpu"]
    for key, cell in old.cells.items():
        changed = device_class == "cpu" and mode == "all" and rights.get(key, 6) != 6
        assert (new.cells[key] is cell) is not changed
        if not changed and new.origin == old.origin:
            assert lines(GoldenFile(SPEC, MODEL, {"cpu": new}))[key] == lines(held)[key]
    taken = proposal.golden.recordings.get(device_class)
    for key, right in rights.items():
        assert taken is not None
        if mode == "all" or device_class != "cpu" or key not in old.cells:
            assert taken.cells[key].correct == min(right, 8)
    if set(kinds(proposal).values()) <= {"="}:
        assert meaning(proposal.golden) == meaning(held)


def test_a_header_that_no_cell_leans_on_any_more_is_renewed() -> None:
    held = golden()
    offered = entries(dict.fromkeys(KEYS, 7), onnxruntime="1.31.1")
    recording = proposed(held, offered).golden.recordings["cpu"]
    assert (recording.origin.onnxruntime, recording.origin.date) == ("1.31.1", "2026-11-09")
    assert not any('"date"' in line for line in lines(GoldenFile(SPEC, MODEL, {"cpu": recording})).values())
    partly = proposed(held, {key: offered[key] for key in KEYS[1:]}).golden.recordings["cpu"]
    assert partly.origin.onnxruntime == "1.27.0"
    assert partly.cells[KEYS[1]].origin.onnxruntime == "1.31.1"


def test_the_header_says_what_most_cells_share() -> None:
    sketch = samples(5, "sketch")
    offered = {
        **entries({KEYS[0]: 5}, of=sketch, onnxruntime="1.26.0"),
        **entries(dict.fromkeys(KEYS[1:], 6)),
    }
    recording = proposed(None, offered).golden.recordings["cpu"]
    assert (recording.origin.onnxruntime, recording.samples) == ("1.27.0", samples().digest)
    assert '"onnxruntime": "1.26.0"' in lines(GoldenFile(SPEC, MODEL, {"cpu": recording}))[KEYS[0]]


def test_an_unchanged_cell_keeps_its_date_under_another_runtime() -> None:
    held = golden()
    proposal = proposed(held, entries(dict.fromkeys(KEYS, 6), onnxruntime="1.31.1"), reason="upgrade")
    assert set(kinds(proposal).values()) == {"="}
    assert meaning(proposal.golden) == meaning(held)


@pytest.mark.parametrize(
    "fields",
    [
        {"canvas": "other"},
        {"geometry": "other"},
        {"preprocess": "other"},
        {"shift_version": 2},
        {"parameters": {}},
        {"source": "stored"},
        {"of": replace(samples(), digest=sha("other"))},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_equal_predictions_of_something_else_are_a_change(fields: dict[str, Any]) -> None:
    proposal = proposed(golden(), entries({"clean": 6}, **fields))
    assert kinds(proposal) == {"clean": "~"}
    assert proposal.refusals == ()


def test_a_new_model_file_needs_every_cell() -> None:
    held = golden()
    offered = entries({KEYS[0]: 8}, model="file two")
    proposal = proposed(held, offered)
    assert proposal.refusals == (
        f"the model file of resnet50 is not the one recorded on cpu (sha256 {sha('file one')[:12]} -> "
        f"{sha('file two')[:12]}), so the update needs every cell of the model: 3 of 4 were not measured "
        "(imagenet-c.fog-1, imagenet-c.fog-2, scaling.down_up-0.5); run the whole spec",
    )
    assert meaning(proposal.golden) == meaning(held)
    assert kinds(proposal) == {KEYS[0]: "~"}
    many = [f"fog-{index:02}" for index in range(38)]
    proposal = propose(
        held, spec=SPEC, model=MODEL, entries={}, planned=many, mode="all", reason=None, date="2026-11-09"
    )
    assert proposal.refusals == ()
    proposal = propose(
        held,
        spec=SPEC,
        model=MODEL,
        entries=entries({many[0]: 8}, model="file two"),
        planned=many,
        mode="all",
        reason=None,
        date="2026-11-09",
    )
    assert "37 of 38 were not measured (fog-01, fog-02, fog-03, fog-04, fog-05, ...)" in proposal.refusals[0]


def test_a_new_model_file_replaces_the_recording_whole() -> None:
    held = update(golden(), entries({"gone": 6}), planned=[*KEYS, "gone"])
    held = update(held, entries({"clean": 5}, device_class="cuda-sm90"))
    proposal = proposed(held, entries(dict.fromkeys(KEYS, 7), model="file two"))
    assert proposal.refusals == ()
    assert kinds(proposal) == {**dict.fromkeys(KEYS, "~"), "gone": "-"}
    recording = proposal.golden.recordings["cpu"]
    assert recording.model_sha256 == sha("file two")
    assert sorted(recording.cells) == sorted(KEYS)
    assert {cell.origin.date for cell in recording.cells.values()} == {"2026-11-09"}
    assert proposal.golden.recordings["cuda-sm90"] is held.recordings["cuda-sm90"]
    same = proposed(held, entries(dict.fromkeys(KEYS, 6), model="file two"))
    assert kinds(same) == {**dict.fromkeys(KEYS, "="), "gone": "-"}
    assert same.golden.recordings["cpu"].model_sha256 == sha("file two")


def test_new_changes_nothing_recorded() -> None:
    held = update(None, entries({KEYS[0]: 6, KEYS[1]: 6}))
    proposal = proposed(held, entries({KEYS[0]: 3, KEYS[1]: 6, KEYS[2]: 1}), mode="new")
    assert proposal.refusals == ()
    assert kinds(proposal) == {KEYS[0]: "=", KEYS[1]: "=", KEYS[2]: "+"}
    assert proposal.golden.recordings["cpu"].cells[KEYS[0]].correct == 6
    assert proposal.notes == (
        "recorded cells on cpu that now measure otherwise stayed as they were (clean); --robust-update takes them",
    )


def test_new_with_another_model_file_is_refused() -> None:
    held = update(None, entries({KEYS[0]: 6}))
    proposal = proposed(held, entries(dict.fromkeys(KEYS, 8), model="file two"), mode="new")
    assert len(proposal.refusals) == 1
    assert "--robust-update-new changes no recorded cell; use --robust-update" in proposal.refusals[0]
    assert meaning(proposal.golden) == meaning(held)
    other = proposed(held, entries({KEYS[0]: 8}, model="file two", device_class="cuda-sm90"), mode="new")
    assert other.refusals == ()


def test_worse_needs_a_reason() -> None:
    held = golden()
    for reason in (None, "", "  \n"):
        proposal = proposed(held, entries({KEYS[0]: 5, KEYS[1]: 7}), reason=reason)
        assert proposal.refusals == (
            "resnet50 got worse (clean 75.00 % -> 62.50 %); say why with --robust-reason=TEXT",
        )
        assert meaning(proposal.golden) == meaning(held)
    assert proposed(held, entries({KEYS[0]: 5}), reason="smaller").refusals == ()
    assert proposed(held, entries({KEYS[0]: 7})).refusals == ()


def test_the_verdicts_word_counts_as_worse_too() -> None:
    flipped = measurement(6)
    predicted = flipped.predicted.copy()
    predicted[0], predicted[7] = 2, samples().labels[7]
    entry = Entry(replace(flipped, predicted=predicted), samples(), worse=True)
    assert "got worse (clean 75.00 % -> 75.00 %)" in proposed(golden(), {"clean": entry}).refusals[0]
    elsewhere = Entry(measurement(5, device_class="cuda-sm90"), samples(), worse=True)
    assert "got worse (clean 62.50 %)" in proposed(golden(), {"clean": elsewhere}).refusals[0]
    unchanged = Entry(measurement(6), samples(), worse=True)
    assert proposed(golden(), {"clean": unchanged}).refusals == ()


def test_a_new_file_that_is_worse_needs_a_reason_too() -> None:
    proposal = proposed(golden(), entries(dict.fromkeys(KEYS, 5), model="file two"))
    assert len(proposal.refusals) == 1
    assert "got worse" in proposal.refusals[0]


def test_device_classes_are_kept_apart() -> None:
    offered = {
        **entries({KEYS[0]: 7}, device_class="cuda-sm90", model="file two"),
        **entries({KEYS[1]: 7}),
    }
    proposal = proposed(golden(), offered)
    assert proposal.refusals == ()
    assert [(change.key, change.device_class, change.kind) for change in proposal.changes] == [
        (KEYS[1], "cpu", "~"),
        (KEYS[0], "cuda-sm90", "+"),
    ]
    assert proposal.golden.recordings["cpu"].model_sha256 == sha("file one")
    assert proposal.golden.recordings["cuda-sm90"].model_sha256 == sha("file two")
    assert proposal.golden.recordings["cpu"].cells[KEYS[0]].correct == 6


def test_one_recording_never_mixes_two_files() -> None:
    offered = {**entries({KEYS[0]: 7}), **entries({KEYS[1]: 7}, model="file two")}
    proposal = proposed(None, offered)
    assert proposal.refusals == (
        "the cells of resnet50 on cpu come from 2 model files, which one golden never mixes; run them with one",
    )
    assert proposal.golden.recordings == {}


@pytest.mark.parametrize(
    ("key", "entry", "sentence"),
    [
        ("other", Entry(measurement(), samples()), "resnet50::other: the spec has no such cell"),
        ("clean", Entry(measurement(), samples(9)), "does not follow the samples that came with it"),
        ("clean", Entry(replace(measurement(), correct=7), samples()), "is not what the predictions say"),
        ("clean", Entry(measurement(parameters={"a": [float("nan")]}), samples()), "is NaN or infinite"),
        ("clean", Entry(measurement(parameters={"a": float("inf")}), samples()), "is NaN or infinite"),
    ],
)
def test_a_defective_measurement_is_refused(key: str, entry: Entry, sentence: str) -> None:
    held = golden()
    proposal = proposed(held, {key: entry}, reason="x")
    assert len(proposal.refusals) == 1
    assert sentence in proposal.refusals[0]
    assert meaning(proposal.golden) == meaning(held)
