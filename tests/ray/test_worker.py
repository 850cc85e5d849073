"""What a worker on a node says of what it does not see, and what travels to it."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_robust.engine.ray_task import Task, packed, resolved
from pytest_robust.engine.ray_worker import Worker
from pytest_robust.engine.store import Failure
from pytest_robust.engine.wanted import Wanted
from pytest_robust.errors import RobustError
from pytest_robust.settings import Settings
from pytest_robust.shifts.base import PixelShift
from pytest_robust.spec.plan import Plan
from tests.folder import Folder
from tests.ray.conftest import needs_ray
from tests.ray.test_slices import plan_of

pytestmark = needs_ray


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(Folder(tmp_path))


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(Settings(device="cpu"), "of-the-tests", packed([]))
    yield made
    made.close()


def task(plan: Plan, samples: str = "0" * 64) -> Task:
    wanted = tuple(resolved(Wanted(cell, plan.seed, "small.yaml")) for cell in plan.cells[:1])
    return Task("key", wanted, range(64), 32, samples, {})


def sentence(worker: Worker, given: Task) -> str:
    (found,) = worker.run(given).found.values()
    assert isinstance(found, Failure)
    assert found.traceback is None
    return found.sentence


def test_plans_travel(plan: Plan) -> None:
    for cell in plan.cells:
        want = Wanted(cell, plan.seed, "small.yaml")
        assert pickle.loads(pickle.dumps(want)) == want
    absolute = resolved(plan.cells[0])
    assert absolute.model.path.text == str(plan.cells[0].model.path.resolve())
    assert Path(absolute.model.path.text).is_absolute()


def test_a_node_that_does_not_see_the_images_says_so(plan: Plan, worker: Worker) -> None:
    given = task(plan)
    Path(str(given.wanted[0].cell.shift.dataset.path and given.wanted[0].cell.shift.dataset.path.text)).unlink()
    said = sentence(worker, given)
    assert "data.npz" in said
    assert (
        "does not see what pytest sees: images do not travel, so every node must have them under the same path" in said
    )


def test_a_node_that_sees_other_images_says_so(plan: Plan, worker: Worker) -> None:
    said = sentence(worker, task(plan))
    assert "small.yaml:2:1: the images of " in said
    assert "data.npz differ (the node " in said
    assert "sees others than pytest" in said


def test_a_worker_is_ready_with_the_users_shifts_or_says_why_not(worker: Worker) -> None:
    assert worker.greet().problem is None
    worker._shifts = b"no pickle"
    assert "a shift of your own cannot be used on the node" in str(worker.greet().problem)


def test_a_shift_that_cannot_travel_is_refused() -> None:
    import threading

    lock = threading.Lock()
    shift = PixelShift("held", "mine", 1, "ours", [1], lambda *given: {"lock": lock}, lambda images, bits: images)
    with pytest.raises(RobustError, match=r"the shift mine\.held cannot be sent to the workers of Ray \(TypeError"):
        packed([dataclasses.replace(shift)])
