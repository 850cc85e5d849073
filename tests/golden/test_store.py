"""The pair on disk: what is written is read back, and whatever else lies there is an error or harmless."""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_robust.errors import RobustError
from pytest_robust.golden import (
    GoldenCell,
    GoldenFile,
    Origin,
    Recording,
    prune,
    read,
    stored_models,
    unused,
    write,
)
from pytest_robust.golden.arrays import pack, unpack
from pytest_robust.golden.document import build
from pytest_robust.measurement import Samples, count_correct

from .build import KEYS, MODEL, SPEC, entries, golden, meaning, samples, sha, update


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, GoldenFile]:
    held = golden()
    write(tmp_path, held, expected=None)
    return tmp_path, held


def pair(folder: Path, model: str = MODEL) -> tuple[Path, Path]:
    (npz,) = [path for path in folder.glob("*.npz") if path.name.rsplit(".", 2)[0] == model]
    return folder / f"{model}.json", npz


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


def test_no_golden_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, MODEL) is None
    assert read(tmp_path / "missing", MODEL) is None


def test_the_layout_of_the_file(stored: tuple[Path, GoldenFile]) -> None:
    path, npz = pair(stored[0])
    text = path.read_text()
    document = json.loads(text)
    lines = text.splitlines()
    assert text.endswith("}\n")
    assert lines[:2] == ["{", f'  "digest": "{document["digest"]}",']
    assert lines[2:4] == ['  "format": 1,', f'  "model": "{MODEL}",']
    assert npz.name == f"{MODEL}.{document['digest'][:16]}.npz"
    cells = [line for line in lines if '"canvas_digest"' in line]
    assert [line.split('"')[1] for line in cells] == sorted(KEYS)
    assert cells[0] == (
        f'        "clean": {{"canvas_digest": "{sha("canvas")}", "correct": 6, "n": 8, "parameters": '
        f'{{"strength": 0.25}}, "predicted": "{document["recordings"]["cpu"]["cells"]["clean"]["predicted"]}", '
        '"shift_version": 1},'
    )
    assert document["recordings"]["cpu"]["reason"] == "a test"
    assert document["samples"] == {
        samples().digest: {
            "ids": document["samples"][samples().digest]["ids"],
            "labels": samples().labels_digest,
            "n": 8,
        }
    }


def test_the_npz_opens_with_numpy_alone(stored: tuple[Path, GoldenFile]) -> None:
    with np.load(pair(stored[0])[1]) as held:
        digest = samples().digest[:12]
        assert sorted(held) == sorted([f"ids/{digest}", f"labels/{digest}", *(f"predicted/cpu/{key}" for key in KEYS)])
        assert held[f"ids/{digest}"].tolist() == list(samples().ids)
        assert held["predicted/cpu/clean"].tolist() == [0, 1, 2, 0, 1, 2, 1, 2]
        assert held["predicted/cpu/clean"].dtype == np.dtype("<u2")


def test_the_bytes_of_an_npz_depend_on_its_content_alone(tmp_path: Path) -> None:
    one = {"b": np.arange(9, dtype=np.uint16), "a/x.npy": np.array(["é", "z"])}
    assert pack(one) == pack(dict(reversed(one.items()))) == pack({**one, "b": one["b"].astype(">u2")})
    (tmp_path / "x.npz").write_bytes(pack(one))
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    back = unpack(tmp_path / "x.npz")
    assert {name: array.tolist() for name, array in back.items()} == {
        "b": list(range(9)),
        "a/x.npy": ["é", "z"],
    }


def test_one_changed_cell_is_one_changed_line(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    path, npz = pair(folder)
    before = path.read_text().splitlines()
    written = write(folder, update(held, entries({KEYS[2]: 5}), date="2026-11-01"), expected=held)
    after = path.read_text().splitlines()
    added = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("+ ")]
    removed = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("- ")]
    assert [line.split('"')[1] for line in added] == ["digest", KEYS[2]]
    assert [line.split('"')[1] for line in removed] == ["digest", KEYS[2]]
    assert not npz.exists()
    assert set(written) == {path, pair(folder)[1]}


def test_git_shows_the_change_as_two_lines_and_the_npz_as_binary(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    assert git("ls-files").splitlines() == [".gitattributes", *sorted(path.name for path in pair(folder))]
    write(folder, update(held, entries({KEYS[2]: 5})), expected=held)
    assert git("status", "--porcelain", "--", f"{MODEL}.json").strip() == f"M {MODEL}.json"
    assert git("diff", "--numstat", "--", f"{MODEL}.json").split()[:2] == ["2", "2"]
    assert git("diff", "--numstat", "--", "*.npz").split()[:2] == ["-", "-"]


def test_writing_what_was_read_touches_nothing(stored: tuple[Path, GoldenFile]) -> None:
    folder, _ = stored
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pair(folder)}
    held = read(folder, MODEL)
    assert held is not None
    assert write(folder, held, expected=held) == ()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pair(folder)} == before


@pytest.mark.parametrize("which", [0, 1], ids=["json", "npz"])
def test_cut_short_at_any_byte_is_an_error(which: int, stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    target = pair(folder)[which]
    content = target.read_bytes()
    for length in range(len(content)):
        target.write_bytes(content[:length])
        if which == 0 and length == len(content) - 1:
            assert meaning(read(folder, MODEL, spec=SPEC)) == meaning(held), "only the last newline is missing"
        else:
            with pytest.raises(RobustError, match=f"^{re.escape(str(target))} .*restore it with git"):
                read(folder, MODEL, spec=SPEC)


@pytest.mark.parametrize("which", [0, 1], ids=["json", "npz"])
def test_no_flipped_byte_becomes_another_measurement(which: int, stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    target = pair(folder)[which]
    content = target.read_bytes()
    for position in range(len(content)):
        for mask in (0x01, 0x80)[: which + 1]:
            target.write_bytes(content[:position] + bytes([content[position] ^ mask]) + content[position + 1 :])
            try:
                found = read(folder, MODEL, spec=SPEC)
            except RobustError:
                continue
            assert meaning(found) == meaning(held)


def edit(path: Path, *keys: str, to: Any) -> None:
    document = json.loads(path.read_text())
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    assert inner[keys[-1]] != to
    inner[keys[-1]] = to
    path.write_text(json.dumps(document, indent=2))


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (("recordings", "cpu", "cells", "clean", "correct"), 8),
        (("recordings", "cpu", "cells", "clean", "canvas_digest"), sha("forged")),
        (("recordings", "cpu", "cells", "clean", "parameters"), {"strength": 0.5}),
        (("recordings", "cpu", "cells", "clean", "shift_version"), 2),
        (("recordings", "cpu", "cells", "clean", "n"), float("nan")),
        (("recordings", "cpu", "model_sha256"), sha("forged")),
        (("recordings", "cpu", "reason"), "another"),
        (("recordings",), {}),
        (("digest",), "0" * 64),
        (("digest",), 7),
        (("model",), "other"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_an_edit_by_hand_is_found(keys: tuple[str, ...], to: Any, stored: tuple[Path, GoldenFile]) -> None:
    path, _ = pair(stored[0])
    edit(path, *keys, to=to)
    with pytest.raises(RobustError, match=r"resnet50\.json does not match its own digest: it was edited by hand"):
        read(stored[0], MODEL)


def test_another_layout_of_the_same_json_is_no_edit(stored: tuple[Path, GoldenFile]) -> None:
    path, _ = pair(stored[0])
    path.write_bytes(json.dumps(json.loads(path.read_text()), indent=8).replace("\n", "\r\n").encode())
    assert meaning(read(stored[0], MODEL)) == meaning(stored[1])


def test_a_forged_digest_does_not_help(stored: tuple[Path, GoldenFile]) -> None:
    """Whoever also mends the digest and renames the npz is stopped by the counts."""
    folder, held = stored
    path, npz = pair(folder)
    document, _ = build(held)
    from pytest_robust.golden.document import digest

    document["recordings"]["cpu"]["cells"]["clean"]["correct"] = 8
    forged = {**document, "digest": digest(document)}
    path.write_text(json.dumps(forged))
    npz.rename(folder / f"{MODEL}.{forged['digest'][:16]}.npz")
    with pytest.raises(RobustError, match="clean on cpu: 8 correct is not what its predictions say"):
        read(folder, MODEL)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda arrays: {**arrays, "predicted/cpu/clean": arrays["predicted/cpu/clean"][::-1]}, id="order"),
        pytest.param(lambda arrays: {**arrays, "extra": arrays["predicted/cpu/clean"]}, id="extra"),
        pytest.param(lambda arrays: {k: v for k, v in arrays.items() if not k.startswith("ids")}, id="no ids"),
        pytest.param(
            lambda arrays: {k: v[::-1] if k.startswith("ids") else v for k, v in arrays.items()}, id="other ids"
        ),
        pytest.param(
            lambda arrays: {k: v + 1 if k.startswith("labels") else v for k, v in arrays.items()}, id="labels"
        ),
        pytest.param(
            lambda arrays: {k: v.astype(float) if k.startswith("pred") else v for k, v in arrays.items()}, id="type"
        ),
    ],
)
def test_an_npz_of_other_content_is_an_error(damage: Any, stored: tuple[Path, GoldenFile]) -> None:
    _, npz = pair(stored[0])
    npz.write_bytes(pack(damage(unpack(npz))))
    with pytest.raises(RobustError, match=r"resnet50\.json (does not fit its npz|is not as pytest-robust)"):
        read(stored[0], MODEL)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON or is cut short"),
        (b"not json", "is not JSON or is cut short"),
        (b"\xff\xfe", "is not JSON or is cut short"),
        (b"[" * 100_000, "is not JSON or is cut short"),
        (b"[]", "is not a golden"),
        (b"{}", "is not a golden"),
        (b'{"format": true}', "is not a golden"),
        (b'{"format": "1"}', "is not a golden"),
        (b'{"format": 0}', "is not a golden"),
        (b'{"format": 2, "anything": [NaN]}', "has format 2, written by a newer pytest-robust; upgrade this one"),
        (b'{"format": 1}', "does not match its own digest"),
        (b'{\n<<<<<<< HEAD\n  "digest": "', "marks of a merge conflict"),
    ],
)
def test_a_file_that_is_no_golden(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content)
    with pytest.raises(RobustError, match=sentence) as error:
        read(tmp_path, "m")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_golden_of_the_right_digest_but_the_wrong_shape(tmp_path: Path) -> None:
    from pytest_robust.golden.document import digest

    shapes: list[dict[str, Any]] = [
        {},
        {"samples": 3, "recordings": []},
        {"samples": {}, "recordings": {"cpu": {}}},
    ]
    for shape in shapes:
        document: dict[str, Any] = {"format": 1, "model": "m", "spec": "s", **shape}
        document["digest"] = digest(document)
        (tmp_path / "m.json").write_text(json.dumps(document))
        (tmp_path / f"m.{document['digest'][:16]}.npz").write_bytes(pack({}))
        with pytest.raises(RobustError, match="is not as pytest-robust writes a golden"):
            read(tmp_path, "m")


def test_files_that_cannot_be_read(stored: tuple[Path, GoldenFile]) -> None:
    folder, _ = stored
    path, npz = pair(folder)
    npz.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(RobustError, match=r"npz is only a Git LFS pointer; fetch the file with `git lfs pull`"):
        read(folder, MODEL)
    npz.unlink()
    with pytest.raises(RobustError, match=r"npz is missing, but the \.json beside it names it"):
        read(folder, MODEL)
    npz.mkdir()
    with pytest.raises(RobustError, match="cannot be read"):
        read(folder, MODEL)
    path.unlink()
    path.mkdir()
    with pytest.raises(RobustError, match=r"resnet50\.json cannot be read"):
        read(folder, MODEL)
    (folder / "file").write_text("")
    with pytest.raises(RobustError, match="cannot be read"):
        read(folder / "file", MODEL)


def test_a_pickled_array_is_never_loaded(stored: tuple[Path, GoldenFile]) -> None:
    _, npz = pair(stored[0])
    with npz.open("wb") as stream:
        np.savez(stream, allow_pickle=True, **{"predicted/cpu/clean": np.array([{}], dtype=object)})
    with pytest.raises(RobustError, match="damaged"):
        read(stored[0], MODEL)


def test_two_specs_do_not_share_a_golden(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    with pytest.raises(RobustError, match=r"belongs to the spec 'resnet', not to 'nightly'; give each spec"):
        read(folder, MODEL, spec="nightly")
    before = pair(folder)[0].read_bytes()
    with pytest.raises(RobustError, match="belongs to the spec 'resnet'"):
        write(folder, replace(held, spec="nightly"), expected=None)
    assert pair(folder)[0].read_bytes() == before
    path, _ = pair(folder)
    path.write_text(path.read_text().replace('"spec": "resnet"', '"spec": "nightly"'))
    assert meaning(read(folder, MODEL, spec="nightly")) == {**(meaning(held) or {}), "spec": "nightly"}


def test_models_whose_names_begin_alike_keep_their_files(tmp_path: Path) -> None:
    models = ("a", "a.b", "a-b", "a.0123456789abcdef", "a.json", "a.npz")
    for model in models:
        write(tmp_path, golden(model), expected=None)
    for model in models:
        held = read(tmp_path, model)
        write(tmp_path, update(held, entries({"clean": 3}), model=model), expected=held)
        assert pair(tmp_path, model)
    (tmp_path / "a.release.npz").write_bytes(b"the user's own")
    (tmp_path / "a.0123456789abcdeF.npz").write_bytes(b"the user's own")
    held = read(tmp_path, "a")
    write(tmp_path, GoldenFile(SPEC, "a"), expected=held)
    assert read(tmp_path, "a") is None
    assert all(read(tmp_path, model) for model in models[1:])
    assert len(list(tmp_path.glob("*.npz"))) == 5 + 2
    assert stored_models(tmp_path, SPEC) == tuple(sorted(models[1:]))
    assert stored_models(tmp_path, "other") == ()


@pytest.mark.parametrize("model", ["", "..", "../x", "a/b", ".hidden", "a b", "a\n"])
def test_a_model_name_never_leaves_the_folder(model: str, tmp_path: Path) -> None:
    with pytest.raises(RobustError, match="cannot name a golden"):
        read(tmp_path, model)
    with pytest.raises(RobustError, match="cannot name a golden"):
        write(tmp_path, golden(model), expected=None)


def test_other_json_files_are_no_models(stored: tuple[Path, GoldenFile]) -> None:
    folder, _ = stored
    for name, content in {"a": "", "b": "[]", "c": "{}", "d": '{"spec": "resnet", "model": "x"}'}.items():
        (folder / f"{name}.json").write_text(content)
    assert stored_models(folder, SPEC) == (MODEL,)
    assert stored_models(folder / "missing", SPEC) == ()


def test_attributes_are_made_once_and_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path, golden(), expected=None)
    attributes = tmp_path / ".gitattributes"
    assert attributes.read_text() == "*.npz binary\n"
    attributes.write_text("mine\n")
    write(tmp_path, golden("other"), expected=None)
    assert attributes.read_text() == "mine\n"


def test_leftovers_of_killed_writers_go(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    ours = [f".{MODEL}.json.tmp", f".{MODEL}.{'0' * 16}.npz.tmp", f"{MODEL}.{'0' * 16}.npz"]
    others = [f"{MODEL}.tmp", f".other.{'0' * 16}.npz.tmp", "notes.npz"]
    for name in ours + others:
        (folder / name).write_text("left")
    write(folder, update(held, entries({"clean": 5})), expected=held)
    assert not any((folder / name).exists() for name in ours)
    assert all((folder / name).exists() for name in others)
    assert read(folder, MODEL) is not None


def test_a_golden_that_changed_meanwhile_is_not_overwritten(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    theirs = update(held, entries({KEYS[1]: 4}))
    write(folder, theirs, expected=held)
    for expected in (held, None):
        with pytest.raises(RobustError, match=r"resnet50\.json was changed by another process since it was read"):
            write(folder, update(held, entries({KEYS[2]: 4})), expected=expected)
    assert meaning(read(folder, MODEL)) == meaning(theirs)
    write(folder, GoldenFile(SPEC, MODEL), expected=theirs)
    with pytest.raises(RobustError, match="changed by another process"):
        write(folder, update(held, entries({KEYS[2]: 4})), expected=held)


@pytest.mark.parametrize("below", ["", "sub", "sub/sub"])
def test_a_file_in_the_place_of_the_folder(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RobustError, match=r"the golden in .*file.* cannot be written \(.*\) and is left as it was"):
        write(tmp_path / "file" / below, golden(), expected=None)


def test_a_cell_that_contradicts_itself_is_not_written(tmp_path: Path) -> None:
    held = golden()
    recording = held.recordings["cpu"]

    def broken(**fields: Any) -> GoldenFile:
        cells = {**recording.cells, "clean": replace(recording.cells["clean"], **fields)}
        return replace(held, recordings={"cpu": replace(recording, cells=cells)})

    with pytest.raises(RobustError, match="resnet50::clean on cpu: 7 correct is not"):
        write(tmp_path, broken(correct=7), expected=None)
    with pytest.raises(RobustError, match="7 predictions for 8 samples"):
        write(tmp_path, broken(predicted=recording.cells["clean"].predicted[1:]), expected=None)
    relabelled = replace(samples(), ids=tuple(reversed(samples().ids)))
    with pytest.raises(RobustError, match="other samples have the same digest"):
        write(tmp_path, broken(samples=relabelled), expected=None)
    nameless = Samples(("a\0",), np.array([1], np.uint16), sha("nameless"))
    with pytest.raises(RobustError, match=r"the sample id 'a\\x00' ends in a NUL character"):
        write(tmp_path, broken(samples=nameless, predicted=np.array([1], np.uint16), correct=1), expected=None)
    with pytest.raises(ValueError, match="uint16"):
        write(tmp_path, broken(predicted=recording.cells["clean"].predicted.astype(np.int64)), expected=None)
    assert list(tmp_path.iterdir()) == []


def test_several_sample_sets_and_device_classes_in_one_file(tmp_path: Path) -> None:
    sketch = samples(5, "sketch")
    held = golden()
    held = update(held, entries({"sketch.sketch": 4}, of=sketch), planned=[*KEYS, "sketch.sketch"])
    held = update(held, entries({"clean": 7}, device_class="cuda-sm90"), date="2026-11-09")
    write(tmp_path, held, expected=None)
    found = read(tmp_path, MODEL)
    assert found is not None
    assert found.recordings["cpu"].cells["sketch.sketch"].samples.ids == sketch.ids
    assert found.recordings["cpu"].cells["clean"].samples.ids == samples().ids
    assert found.recordings["cuda-sm90"].cells["clean"].correct == 7
    assert found.recordings["cpu"].cells["clean"].correct == 6
    assert found.recordings["cuda-sm90"].origin.date == "2026-11-09"


def test_prune_leaves_the_other_lines_alone(stored: tuple[Path, GoldenFile]) -> None:
    folder, held = stored
    held = update(held, entries({"clean": 7, KEYS[1]: 7}, device_class="cuda-sm90"))
    write(folder, held, expected=read(folder, MODEL))
    assert unused(held, KEYS) == ()
    assert unused(held, [KEYS[1], "new"]) == tuple(sorted(set(KEYS) - {KEYS[1]}))
    before = pair(folder)[0].read_text().splitlines()
    left = prune(held, [KEYS[1], KEYS[3], "new"])
    write(folder, left, expected=held)
    after = pair(folder)[0].read_text().splitlines()
    assert unused(left, [KEYS[1], KEYS[3]]) == ()

    def bare(lines: list[str]) -> list[str]:
        return [line.rstrip(",") for line in lines if '"digest"' not in line]

    gone = [line for line in bare(before) if '"clean"' in line or f'"{KEYS[2]}"' in line]
    assert len(gone) == 3
    assert bare(after) == [line for line in bare(before) if line not in gone]
    assert left.recordings.keys() == {"cpu", "cuda-sm90"}
    assert prune(left, [KEYS[3]]).recordings.keys() == {"cpu"}
    assert write(folder, prune(left, []), expected=left) == ()
    assert sorted(path.name for path in folder.iterdir()) == [".gitattributes", ".lock"]
