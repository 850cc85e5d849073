"""A pair that is damaged, edited or foreign is an error with one sentence, and never another measurement."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_robust.errors import RobustError
from pytest_robust.golden import GoldenFile, read
from pytest_robust.golden.arrays import pack, unpack
from pytest_robust.golden.document import build, digest

from .build import MODEL, SPEC, meaning, pair, sha


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
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value)[:8],
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
