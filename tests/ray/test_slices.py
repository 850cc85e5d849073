"""Slices of a pass, put together again, are the pass."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pytest_robust.engine.cache import Cache
from pytest_robust.engine.opened import Opened
from pytest_robust.engine.parts import DIGESTED, Part, damage, join
from pytest_robust.engine.passes import Take, run_pass
from pytest_robust.engine.slices import LEAST, slices
from pytest_robust.engine.store import Failure
from pytest_robust.in_process import collect
from pytest_robust.measurement import Measurement
from pytest_robust.settings import Settings
from pytest_robust.spec.plan import CellPlan, Plan
from tests.folder import Folder
from tests.onnx_models import classifier

BATCH = 8


@given(count=some.integers(1, 3_000_000), batch=some.integers(1, 300), side=some.integers(1, 600))
def test_slices_are_whole_batches_side_by_side(count: int, batch: int, side: int) -> None:
    cut = slices(count, batch, (side, side, 3))
    assert cut[0].start == 0
    assert cut[-1].stop == count
    assert all(one.stop == two.start for one, two in itertools.pairwise(cut))
    assert all(one.start % batch == 0 for one in cut)
    assert len(cut[0]) >= min(count, DIGESTED)
    if len(cut) > 1:
        assert len(cut[0]) >= LEAST
        assert count / len(cut) < 2 * (65_536 + batch)


def plan_of(project: Folder) -> Plan:
    found = collect([project.path / "specs/small.yaml"])
    assert not found.mistakes
    return next(iter(found.plans.values()))


def measured(
    opened: Opened, plan: Plan, cells: Sequence[CellPlan], cut: Sequence[range], batch: int = BATCH
) -> list[Measurement | Failure]:
    """Every model's result over parts that were measured by themselves."""
    derived = opened.derived(cells[0], plan.seed)
    whole = opened.canvases(cells[0], derived)
    parts: list[Part] = []
    for positions in cut:
        takes = [Take(cell.id, opened.model(cell.model, whole.dataset, batch), cell.scored) for cell in cells]
        canvases = opened.canvases(cells[0], derived, positions)
        part = run_pass(
            cells[0].shift,
            plan.seed,
            canvases,
            derived,
            takes,
            batch,
            batch,
            2,
            lambda names: None,
            lambda done, total: None,
        )
        parts.append(pickle.loads(pickle.dumps(part)))
    assert not damage(parts)
    return [join(cell.id, parts, cells[0].shift, whole.dataset, whole.shape, derived) for cell in cells]


def untimed(result: Measurement | Failure) -> Any:
    if isinstance(result, Failure):
        return result
    assert sorted(result.seconds) == ["decode", "inference", "shift", "total"]
    return {**result.to_plain(), "seconds": None}


GROUPED = """\
format: 1
scores: true
dataset: {source: manifest, path: ../images, labels: ../labels.csv, classes: 3}
models:
  net: {path: ../net.onnx}
  weak: {like: net, path: ../weak.onnx}
shifts:
  - {suite: imagenet-c, corruptions: [gaussian_noise], severities: [5]}
  - {suite: scaling, mode: feed_scaled, multiples: [0.5]}
  - {suite: fourier, phase_swap: [0.9]}
"""
"""Scores, groups, a change of size, and a view whose images need one another."""


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    from PIL import Image

    project = Folder(tmp_path_factory.mktemp("grouped"))
    data = np.load(project.path / "data.npz")
    (project.path / "images").mkdir()
    lines = ["file,label,weather"]
    for index in range(90):
        Image.fromarray(data["x"][index]).save(project.path / f"images/{index}.png")
        lines.append(f"{index}.png,{data['y'][index]},{'sun' if index % 5 else 'rain'}")
    (project.path / "labels.csv").write_text("\n".join(lines))
    project.model("weak", bias=12)
    project.spec(GROUPED)
    return project


@pytest.mark.parametrize("cuts", [[40, 80], [32], [48, 56, 88]])
def test_slices_joined_are_the_whole(grouped: Folder, tmp_path: Path, cuts: list[int]) -> None:
    plan = plan_of(grouped)
    opened = Opened(Settings(device="cpu"), Cache(tmp_path, 1 << 30))
    for shift in plan.shifts:
        cells = [cell for cell in plan.cells if cell.key == shift.label]
        assert len(cells) == 2
        whole = measured(opened, plan, cells, [range(90)])
        edges = [0, *cuts, 90]
        made = measured(opened, plan, cells, [range(*pair) for pair in itertools.pairwise(edges)])
        assert [untimed(one) for one in made] == [untimed(one) for one in whole]
        for one in whole:
            assert isinstance(one, Measurement)
            assert one.scores is not None
            assert sorted(one.groups) == ["weather=rain", "weather=sun"]
    opened.close()


def test_a_failure_is_that_of_the_first_slice_that_has_one() -> None:
    parts = [Part({"a": Failure("first")}), Part({"a": Failure("second")})]
    anything: Any = None
    assert join("a", parts, anything, anything, (1, 1, 3), None) == Failure("first")


def test_many_images_cut_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_robust.engine.slices._MOST", 20_000)
    count = 100_000
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 2, 2, 3), np.uint8)
    np.savez(tmp_path / "data.npz", x=images, y=images.sum(axis=(1, 2)).argmax(axis=1))
    classifier(tmp_path / "net.onnx")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/small.yaml").write_text(
        "format: 1\ndataset: {source: npz, path: ../data.npz, classes: 3}\nmodels:\n  net: {path: ../net.onnx}\n"
    )
    plan = plan_of(Folder(tmp_path, new=False))
    opened = Opened(Settings(device="cpu"), Cache(tmp_path / "cache", 1 << 30))
    cut = slices(count, 256, (2, 2, 3))
    assert len(cut) == 5
    whole, made = (measured(opened, plan, plan.cells, one, 256)[0] for one in ([range(count)], cut))
    assert isinstance(whole, Measurement)
    assert whole.n == count
    assert 0.99 < whole.accuracy < 1  # ties of the sums are not those of float32 means
    assert untimed(made) == untimed(whole)
    opened.close()
