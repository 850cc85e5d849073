"""The pair on disk: what is written is read back, and whatever else lies there is an error or harmless."""

from __future__ import annotations

import difflib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_robust.errors import RobustError
from pytest_robust.golden import (
    GoldenFile,
    Step,
    prune,
    read,
    store,
    stored_models,
    unused,
    write,
    write_all,
)
from pytest_robust.golden.arrays import pack, unpack
from pytest_robust.golden.record import same_spec
from pytest_robust.measurement import Samples

from .build import KEYS, MODEL, SPEC, entries, golden, meaning, pair, samples, sha, update


def test_text_that_is_no_utf8_survives(tmp_path: Path) -> None:
    """File names and arguments that are not UTF-8 reach Python as lone surrogates."""
    odd = Samples(("caf\udce9.png", "é.png"), np.array([0, 1], np.uint16), sha("odd"))
    held = update(None, entries({"clean": 1}, of=odd), reason="\udcff für Köln")
    write(tmp_path, held, expected=None)
    found = read(tmp_path, MODEL)
    assert found is not None
    assert found.recordings["cpu"].cells["clean"].samples.ids == odd.ids
    assert found.recordings["cpu"].origin.reason == "\udcff für Köln"
    assert "für Köln" in (tmp_path / f"{MODEL}.json").read_text("utf-8")


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


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
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


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("../../specs/a.yaml", "../../specs/a.yaml", True),
        ("../../specs/a.yaml", "../../nightly/a.yaml", False),
        ("../../a.yaml", "../../specs/a.yaml", False),
        ("specs/a.yaml", "../../specs/a.yaml", True),
        ("checkout/specs/a.yaml", "../../specs/a.yaml", True),
        ("nightly/a.yaml", "../../specs/a.yaml", False),
        ("a.yaml", "../../specs/a.yaml", True),
        ("a.yaml", "../../specs/aa.yaml", False),
        ("a.yaml", "b.yaml", False),
    ],
)
def test_names_of_one_spec(one: str, other: str, same: bool) -> None:
    assert same_spec(one, other) is same
    assert same_spec(other, one) is same


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


def steps(folder: Path) -> list[Step]:
    """Two goldens on disk, in folders of their own, and what shall replace them."""
    made = []
    for model in ("a", "b"):
        held = golden(model)
        write(folder / model, held, expected=None)
        made.append(Step(folder / model, update(held, entries({KEYS[0]: 4}), model=model), held))
    return made


def on_disk(steps: Sequence[Step]) -> list[dict[str, Any] | None]:
    return [meaning(read(step.folder, step.golden.model)) for step in steps]


def test_several_goldens_are_written_together(tmp_path: Path) -> None:
    both = steps(tmp_path)
    unchanged = Step(tmp_path / "c", golden("c"), golden("c"))
    removed = Step(tmp_path / "d", GoldenFile(SPEC, "d"), golden("d"))
    write(removed.folder, golden("d"), expected=None)
    written = write_all([*both, unchanged, removed])
    assert [len(files) for files in written] == [2, 2, 0, 0]
    assert on_disk(both) == [meaning(step.golden) for step in both]
    assert read(tmp_path / "d", "d") is None
    assert not (tmp_path / "c").exists()
    assert write_all([]) == []


@pytest.mark.parametrize("other", [0, 1])
def test_one_golden_that_was_overtaken_keeps_all_unwritten(other: int, tmp_path: Path) -> None:
    both = steps(tmp_path)
    theirs = both[other]
    assert theirs.expected is not None
    write(
        theirs.folder,
        update(theirs.expected, entries({KEYS[1]: 3}), model=theirs.golden.model),
        expected=theirs.expected,
    )
    before = on_disk(both)
    with pytest.raises(RobustError, match=f"{theirs.golden.model}\\.json was changed by another process"):
        write_all(both)
    assert on_disk(both) == before


def test_a_folder_that_cannot_be_written_keeps_all_unwritten(tmp_path: Path) -> None:
    first, second = steps(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RobustError, match=r"file cannot be written .* and is left as it was; check"):
        write_all([first, replace(second, folder=tmp_path / "file", expected=None)])
    assert on_disk([first, second]) == [meaning(first.expected), meaning(second.expected)]


@pytest.mark.parametrize(
    ("failing", "said"), [("a", "is left as it was; check"), ("b", "; before that a had been written;")]
)
def test_a_disk_that_fails_at_the_last_step_says_what_was_written(
    failing: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = steps(tmp_path)
    commit = store.commit

    def break_down(path: Path) -> None:
        if path.name == f"{failing}.json":
            raise OSError(5, "Input/output error")
        commit(path)

    monkeypatch.setattr(store, "commit", break_down)
    with pytest.raises(RobustError, match=said) as error:
        write_all(both)
    assert "\n" not in str(error.value)
    new = failing == "b"
    assert on_disk(both) == [meaning(both[0].golden if new else both[0].expected), meaning(both[1].expected)]
    for step in both:
        assert len(list(step.folder.glob("*.npz"))) == 1
        assert not list(step.folder.glob(".*.tmp"))
