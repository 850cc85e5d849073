"""Content keys: the same for the same content wherever it lies, another for whatever changes a measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_robust.data import open_dataset
from pytest_robust.engine.cache import Cache
from pytest_robust.engine.contents import Contents
from pytest_robust.engine.digests import Digests
from pytest_robust.engine.wanted import Wanted
from pytest_robust.models.files import model_digest
from pytest_robust.registry import default_registry
from pytest_robust.settings import Settings
from pytest_robust.spec.plan import (
    CellPlan,
    DatasetPlan,
    EnhancerPlan,
    Geometry,
    ModelPlan,
    PathText,
    Preprocess,
    ShiftPlan,
    Threshold,
)
from tests.models.opening import MARK, opened, text_of
from tests.onnx_models import classifier, conv_classifier
from tests.onnx_models import enhancer as enhancing

DIGITS = DatasetPlan("digits", MARK, limit=5)


@dataclass
class Keys:
    """Keys of variations of one cell, all under one cache."""

    folder: Path

    def contents(self, **settings: Any) -> Contents:
        given = Settings(**{"device": "cpu", **settings})
        cache = Cache(self.folder / "cache", 1 << 20)
        return Contents(
            given, cache, Digests(cache), lambda plan: open_dataset(plan, limit=given.limit), lambda want: None
        )

    def want(self, *, model: Any = (), shift: Any = (), seed: int = 0, **cell: Any) -> Wanted:
        path = self.folder / "net.onnx"
        if not path.exists():
            classifier(path, [[1.0] * 10] * 3)
        column = ShiftPlan("c", "imagenet-c", "contrast", 1, 1, DIGITS, MARK, {"severity": 1})
        plan = replace(ModelPlan("net", text_of(path), MARK), **dict(model))
        return Wanted(replace(CellPlan(plan, replace(column, **dict(shift)), ()), **cell), seed, "a.yaml")

    def key(self, settings: dict[str, Any] | None = None, **changes: Any) -> str:
        found = self.contents(**(settings or {})).key(self.want(**changes))
        assert found is not None
        return found


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def test_whatever_changes_a_measurement_changes_the_key(keys: Keys, tmp_path: Path) -> None:
    other = classifier(tmp_path / "other.onnx", [[2.0] * 10] * 3)
    front = enhancing(tmp_path / "front.onnx")
    found = [
        keys.key(),
        keys.key(seed=1),
        keys.key(scored=True),
        keys.key(settings={"batch_size": 7}),
        keys.key(settings={"limit": 3}),
        keys.key(model={"path": text_of(other)}),
        keys.key(model={"enhancer": EnhancerPlan(text_of(front))}),
        keys.key(model={"preprocess": Preprocess(scale=1.0)}),
        keys.key(model={"geometry": Geometry(crop=30)}),
        keys.key(model={"label_offset": 1}),
        keys.key(model={"output": "scores"}),
        keys.key(model={"output_kind": "logits"}),
        keys.key(shift={"version": 2}),
        keys.key(shift={"severity": 2}),
        keys.key(shift={"shift": "fog"}),
        keys.key(shift={"parameters": {"severity": 2}}),
        keys.key(shift={"changes_size": True}),
        keys.key(shift={"dataset": replace(DIGITS, limit=4)}),
        keys.key(shift={"dataset": replace(DIGITS, split="train")}),
        keys.key(shift={"main": DIGITS}),
    ]
    assert len(set(found)) == len(found)


def test_names_places_and_limits_of_the_judgement_do_not(keys: Keys, tmp_path: Path) -> None:
    key = keys.key()
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "renamed.onnx"
    moved.write_bytes((tmp_path / "net.onnx").read_bytes())
    pinned = model_digest(keys.want().cell.model)
    same = [
        keys.key(model={"name": "other", "path": text_of(moved)}),
        keys.key(model={"sha256": pinned.upper()}),
        keys.key(model={"candidate": True, "sha256": "0" * 64}),
        keys.key(shift={"entry": "renamed"}),
        keys.key(thresholds=(Threshold(MARK, min_accuracy=0.5),)),
        keys.key(settings={"threads": 9, "cache_size": 5, "golden": tmp_path}),
    ]
    assert set(same) == {key}
    assert Keys(tmp_path / "elsewhere").contents().key(keys.want()) == key


def test_what_cannot_be_read_has_no_key(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    monkeypatch.delenv("NOWHERE", raising=False)
    wants = [
        keys.want(model={"path": text_of(tmp_path / "gone.onnx")}),
        keys.want(model={"path": text_of(tmp_path / "broken.onnx")}),
        keys.want(model={"sha256": "0" * 64}),
        keys.want(shift={"textures": PathText("gone", tmp_path, MARK)}),
        keys.want(shift={"dataset": DatasetPlan("folder", MARK, PathText("${NOWHERE}", tmp_path, MARK))}),
        keys.want(shift={"dataset": DatasetPlan("npz", MARK, PathText("gone.npz", tmp_path, MARK))}),
        keys.want(shift={"suite": "no-such"}),
    ]
    assert [keys.contents().key(want) for want in wants] == [None] * len(wants)


def test_a_path_that_nobody_has_thought_of_is_a_defect_and_not_a_key(keys: Keys) -> None:
    with pytest.raises(TypeError, match="is a path and cannot be part of a content key"):
        keys.key(shift={"parameters": {"folder": Path("somewhere")}})


def test_where_nothing_lasts_there_are_no_keys_and_nothing_is_opened(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1 << 20, lasting=False)
    contents = Contents(Settings(), cache, Digests(cache), pytest.fail, pytest.fail)
    assert contents.key(Keys(tmp_path).want()) is None


@pytest.mark.parametrize("kind", ["plain", "external", "enhanced", "integer"])
def test_the_model_is_known_by_its_digest_without_being_read_again(tmp_path: Path, kind: str) -> None:
    """The memory of a model's content is right, also about what it needs and where it runs."""
    path = tmp_path / "net.onnx"
    if kind == "integer":
        conv_classifier(path, quantized=True)
    else:
        classifier(path, external="weights.bin" if kind == "external" else None)
    front = enhancing(tmp_path / "front.onnx") if kind == "enhanced" else None
    made = opened(path, enhancer=front).provenance if front else opened(path).provenance
    plan = ModelPlan("net", text_of(path), MARK, enhancer=EnhancerPlan(text_of(front)) if front else None)
    for _ in range(2):
        digest, integer = Keys(tmp_path).contents()._model(plan)
        assert digest == made.model_sha256 == model_digest(plan)
        assert integer == (kind == "integer")


def test_a_model_that_changes_during_the_run_is_not_what_the_key_says(keys: Keys) -> None:
    want = keys.want()
    contents = keys.contents()
    assert contents.key(want) is not None
    path = want.cell.model.path.resolve()

    class Made:
        provenance = opened(path).provenance

    assert contents.agrees(want, Made)  # type: ignore[arg-type]
    classifier(path, [[3.0] * 10] * 3)
    Made.provenance = opened(path).provenance
    assert not contents.agrees(want, Made)  # type: ignore[arg-type]
    Made.provenance = replace(opened(path).provenance, device_class="cuda-sm90")
    assert not keys.contents().agrees(want, Made)  # type: ignore[arg-type]


def test_every_built_in_shift_is_of_this_package(keys: Keys) -> None:
    """Its version stands for it; the digest of a file is for shifts of the user's own."""
    contents = keys.contents()
    for shift in default_registry().shifts():
        if shift.suite != "mine":
            assert contents._code(replace(keys.want().cell.shift, suite=shift.suite, shift=shift.name)) == []
