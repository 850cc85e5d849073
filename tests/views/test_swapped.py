"""Samples mixed with partners: labels, partners and canvases."""

import json

import numpy as np
import pytest

from pytest_robust.data import open_dataset
from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog
from pytest_robust.shifts.swaps import amplitude_swap, partner_of, phase_swap
from pytest_robust.spec.plan import DatasetPlan, Geometry
from tests.views.conftest import MARK


@pytest.fixture
def npz(tmp_path, place):
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 10, 3), np.uint8)
    np.savez(tmp_path / "x.npz", x=images, y=np.arange(9) % 4)
    return DatasetPlan("npz", MARK, place("x.npz"), classes=4)


def swapped(derive, name, dataset, alpha=1, axes="chw", **options):
    return derive("fourier", name, alpha, dataset, parameters={"severity": alpha, "axes": axes}, **options)


def expand(**entry):
    suite = catalog()["fourier"]
    read = suite.options.model_validate_json(json.dumps(entry), strict=True)
    return [(one.shift, one.severity, dict(one.parameters)) for one in suite.expand(read)]


@pytest.mark.parametrize(("name", "rule"), [("amplitude_swap", amplitude_swap), ("phase_swap", phase_swap)])
@pytest.mark.parametrize(("alpha", "axes"), [(1, "chw"), (0.75, "hw")])
def test_canvases_are_mixed_with_the_partners_and_the_label_follows_the_phase(derive, npz, name, rule, alpha, axes):
    base = open_dataset(npz)
    made = swapped(derive, name, npz, alpha, axes).dataset
    partners = partner_of(0, base.samples.ids)
    geometry = Geometry(crop=8)
    for position, partner in enumerate(partners):
        canvases = [base.canvas(int(place), geometry) for place in (position, partner)]
        assert np.array_equal(made.canvas(position, geometry), rule(*canvases, alpha, axes))
    own, other = base.samples.labels, base.samples.labels[partners]
    phase, amplitude = (own, other) if name == "amplitude_swap" else (other, own)
    assert np.array_equal(made.samples.labels, phase)
    assert np.array_equal(made.amplitude_labels, amplitude)
    assert made.samples.ids == base.samples.ids


def test_kept_labels_keep_the_samples_and_changed_ones_do_not(derive, npz):
    base = open_dataset(npz).samples.digest
    assert swapped(derive, "amplitude_swap", npz).dataset.samples.digest == base
    assert swapped(derive, "phase_swap", npz).dataset.samples.digest != base
    assert swapped(derive, "phase_swap", npz, 0.75, "hw").parameters == {"alpha": 0.75, "axes": "hw"}


def test_canvases_of_different_sizes_have_no_mixture(tmp_path, derive, place, paint):
    paint(tmp_path / "f" / "cat" / "a.png", size=(8, 6))
    paint(tmp_path / "f" / "dog" / "b.png", size=(6, 8))
    plan = DatasetPlan("folder", MARK, place("f"))
    made = swapped(derive, "amplitude_swap", plan).dataset
    with pytest.raises(RobustError, match=r"cat/a\.png and its partner dog/b\.png differ in size, 8x6 and 6x8 pixels"):
        made.canvas(0, Geometry())
    with pytest.raises(RobustError, match=r"fourier\.amplitude_swap-1 needs two samples or more"):
        swapped(derive, "amplitude_swap", plan, limit=1)


def test_swaps_are_made_if_named():
    assert expand(amplitude_swap=[1, 0.5], phase_swap=[1]) == [
        ("amplitude_swap", 0.5, {"severity": 0.5, "axes": "chw"}),
        ("amplitude_swap", 1, {"severity": 1, "axes": "chw"}),
        ("phase_swap", 1, {"severity": 1, "axes": "chw"}),
    ]
    assert {row[0] for row in expand()} == {"low_pass", "high_pass", "single_frequency"}
    assert [row[0] for row in expand(low_pass=[0.5], phase_swap=[1], axes="hw")] == ["low_pass", "phase_swap"]
    with pytest.raises(ValueError, match="axes is that of amplitude_swap and phase_swap"):
        expand(axes="hw")
    with pytest.raises(ValueError, match="greater than 0"):
        expand(phase_swap=[0.5])
