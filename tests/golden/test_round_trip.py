"""Any golden that can be made is read back as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_robust.golden import GoldenCell, GoldenFile, Origin, Recording, read, write
from pytest_robust.measurement import Samples, count_correct

from .build import sha

names = st.text("abcXYZ019_.-", min_size=1, max_size=8)
plain_text = st.text(max_size=6)
any_text = st.text(st.characters(), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner, max_size=3),
    max_leaves=4,
)
origins = st.builds(
    Origin,
    onnxruntime=names,
    providers=st.lists(names, max_size=2).map(tuple),
    options=st.dictionaries(names, st.integers() | plain_text, max_size=2),
    geometry=plain_text,
    preprocess=plain_text,
    date=st.sampled_from(["2026-11-01", "2026-11-02"]),
    reason=st.none() | any_text,
)
id_texts = st.text(st.characters(), max_size=5).filter(lambda name: not name.endswith("\0"))


@st.composite
def goldens(draw: st.DrawFn) -> GoldenFile:
    sets: list[Samples] = []
    for ids in draw(st.lists(st.lists(id_texts, unique=True, max_size=5), min_size=1, max_size=2)):
        labels = draw(st.lists(st.integers(0, 65535), min_size=len(ids), max_size=len(ids)))
        sets.append(Samples(tuple(ids), np.array(labels, np.uint16), sha(f"{len(sets)}")))

    def cell() -> GoldenCell:
        made = draw(st.sampled_from(sets))
        count = len(made.ids)
        predicted = np.array(draw(st.lists(st.integers(0, 65535), min_size=count, max_size=count)), np.uint16)
        return GoldenCell(
            samples=made,
            predicted=predicted,
            correct=count_correct(predicted, made.labels),
            shift_version=draw(st.integers(1, 9)),
            canvas_digest=sha(draw(names)),
            parameters=draw(st.dictionaries(plain_text, values, max_size=3)),
            origin=draw(origins),
            source=draw(st.sampled_from(["generated", "stored"])),
        )

    recordings = {}
    for device_class in draw(st.lists(names, unique=True, min_size=1, max_size=2)):
        cells = {key: cell() for key in draw(st.lists(names, unique=True, min_size=1, max_size=3))}
        recordings[device_class] = Recording(device_class, sha(draw(names)), draw(origins), sets[0].digest, cells)
    return GoldenFile(draw(names), "m.1-x", recordings)


@settings(deadline=None, max_examples=60)
@given(goldens())
def test_what_is_written_is_read_back(held: GoldenFile) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, held, expected=None)
        found = read(folder, held.model, spec=held.spec)
        assert found is not None
        assert found.recordings.keys() == held.recordings.keys()
        for device_class, recording in held.recordings.items():
            again = found.recordings[device_class]
            assert (again.model_sha256, again.origin, again.samples, again.device_class) == (
                recording.model_sha256,
                recording.origin,
                recording.samples,
                device_class,
            )
            assert again.cells.keys() == recording.cells.keys()
            for key, cell in recording.cells.items():
                twin = again.cells[key]
                assert twin.same_as(cell)
                assert (twin.n, twin.correct, twin.origin) == (cell.n, cell.correct, cell.origin)
                assert twin.predicted.dtype == np.uint16
                assert twin.samples.ids == cell.samples.ids
                assert np.array_equal(twin.samples.labels, cell.samples.labels)
        before = {path.name: path.read_bytes() for path in folder.glob("m*")}
        assert len(before) == 2
        write(folder, GoldenFile(held.spec, held.model), expected=found)
        write(folder, found, expected=None)
        assert {path.name: path.read_bytes() for path in folder.glob("m*")} == before
