"""The survey's questions, asked of two linear nets that answer them in closed form."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from pytest_robust.attacks import Clever, OptimalBudget, ProjectedGradient
from pytest_robust.cli import main
from tests.conftest import CHECKOUT
from tests.models.opening import colours, plan_of
from tests.onnx_models import BRIGHTEST, classifier

LEVEL = 1 / 255
NAMES = ("r", "g", "b") * 2
LABELS = np.array(["rgb".index(name) for name in NAMES])
GAP, BIAS = 60, 25.5
"""Grey levels between an image's colour and the two others, and what the leaning net adds to green."""


@pytest.fixture(scope="module")
def scripts() -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    """The module that the scripts share, the script on families, and the one on CIFAR-10."""
    folder = str(CHECKOUT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        yield tuple(importlib.import_module(name) for name in ("_survey", "families", "survey"))
    finally:
        sys.path.remove(folder)


@pytest.fixture
def survey(scripts):
    return scripts[0]


@pytest.fixture
def subjects(survey, tmp_path: Path):
    """A net that names the brightest channel, and one that leans to green: wrong where the channels differ little."""
    few = colours(*NAMES, level=20 + GAP), LABELS
    larger = np.concatenate([few[0], colours(*NAMES, level=40)]), np.concatenate([LABELS, LABELS])
    plain = classifier(tmp_path / "plain.onnx")
    leaning = classifier(tmp_path / "leaning.onnx", BRIGHTEST, bias=[0, BIAS * LEVEL, 0])
    return [
        survey.open_subject(replace(plan_of(path, output_kind="logits"), name=path.stem), few, larger, family="linear")
        for path in (plain, leaning)
    ]


def test_distortion_frontier_and_clever_are_those_of_the_margins(survey, subjects, capsys) -> None:
    assert [one.accuracy for one in subjects] == [1, pytest.approx(8 / 12)]
    searches = {
        norm: OptimalBudget(ProjectedGradient(start, norm, iterations=1), attempts=14)
        for norm, start in (("linf", 0.02), ("l2", 0.5))
    }
    made = survey.success_table(subjects, searches)
    for outcomes in made.values():
        assert all(one.success.all() for one in outcomes)
    # A net turns when half the gap has gone from the own channel and come to another one; then one level more.
    pareto = survey.pareto_table(subjects, made["linf"], "linf", "the search", "12 images")
    green, other = GAP + BIAS, GAP - BIAS
    expected = [GAP / 2, (green + 2 * other) / 6]
    assert pareto.distortions / LEVEL == pytest.approx(expected, abs=1.2)
    assert np.all(pareto.distortions / LEVEL > expected)
    assert pareto.on_frontier.tolist() == [True, False]
    assert pareto.images == 6
    scores, sizes = survey.clever_table(subjects, made["l2"], Clever("l2", 3, 4), 6, "the search")
    assert scores == pytest.approx(np.array(expected) * LEVEL * 8 * 2**0.5, rel=1e-4)
    assert np.all(scores < sizes)
    assert scores == pytest.approx(sizes, rel=0.25)
    out = capsys.readouterr().out
    assert "| linf | plain | 100% of 6 | 0% |" in out
    assert "fit through the frontier: none" in out
    assert "rank correlation of the means over 2 models: 1.00" in out


def test_transfer_goes_to_the_net_that_leans(survey, subjects) -> None:
    found = survey.transfer_of(subjects, ProjectedGradient(22 * LEVEL, iterations=1))
    np.testing.assert_allclose(found.rates, [[np.nan, 4 / 6], [0, np.nan]])
    assert found.white_box.tolist() == [0, pytest.approx(4 / 6)]


def test_no_success_is_no_distortion(survey, subjects, capsys) -> None:
    made = survey.success_table(subjects[:1], {"weak": ProjectedGradient(LEVEL)})
    assert "| weak | plain | 0% of 6 | 100% | - | - | - | - | 11 |" in capsys.readouterr().out
    with pytest.raises(ValueError, match="nothing can be compared"):
        survey.pareto_table(subjects[:1], made["weak"], "linf", "weak", "6 images")


def test_variance_is_shared_out(scripts) -> None:
    families = scripts[1]
    seeds, kinds, sizes = 3, len(families.FAMILIES), len(families.SIZES)
    family = np.broadcast_to(np.arange(kinds)[None, :, None], (seeds, kinds, sizes)).astype(float)
    size = np.broadcast_to(np.arange(sizes)[None, None, :], family.shape).astype(float)
    assert families.shares(family.ravel(), seeds) == pytest.approx({"family": 1, "size": 0, "both": 0, "seed": 0})
    assert families.shares(size.ravel(), seeds) == pytest.approx({"family": 0, "size": 1, "both": 0, "seed": 0})
    mixed = families.shares(np.random.default_rng(0).random(family.size), seeds)
    assert sum(mixed.values()) == pytest.approx(1)
    # Variances of 0, 1, 2, 3 and of 0, 1: 1.25 and 0.25.
    assert families.shares((family + size).ravel(), seeds)["family"] == pytest.approx(1.25 / 1.5)


def test_means_by_group_leave_out_a_net_and_itself(scripts) -> None:
    rates = np.array([[np.nan, 0.2, 0.4], [0.6, np.nan, 0.8], [0.1, 0.3, np.nan]])
    means = scripts[1].by_group(rates, ["a", "a", "b"])
    assert means["a", "a"] == pytest.approx(0.4)
    assert means["a", "b"] == pytest.approx(0.6)
    assert means["b", "a"] == pytest.approx(0.2)
    assert np.isnan(means["b", "b"])


def test_the_spec_of_the_survey_is_one(scripts, tmp_path: Path, capsys) -> None:
    path = tmp_path / "survey.yaml"
    path.write_text(scripts[2].SPEC.replace("FEW", "5").replace("SCORED", "10"))
    assert main(["check", str(path)]) == 0
    assert "ok, 5 models, 20 shifts, 100 cells, 11 aggregates" in capsys.readouterr().out
    entries = [one["name"] for one in yaml.safe_load(path.read_text())["shifts"]]
    assert entries == [*scripts[2].NORMS, "fgsm-8", "pgd-8"]


def test_the_survey_prints_what_its_report_holds(scripts, capsys) -> None:
    attack = {"attacked": 4, "success_rate": 0.5, "distortions": {n: {"mean": 0.125} for n in ("linf", "l2", "l1")}}
    none = {"attacked": 3, "success_rate": 0.0, "distortions": None}
    sizes = dict(zip("abc", (1, 3, 2), strict=True))
    cells = [{"id": f"s::{name}::clean", "model": name, "attack": None} for name in sizes]
    for entry, norm in scripts[2].NORMS.items():
        for name, size in sizes.items():
            told = none if (name, entry) == ("b", "fgsm") else attack | {"distortions": {norm: {"mean": size / 8}}}
            cells.append({"id": f"s::{name}::{entry}.x-2", "model": name, "attack": told})
    how = {"norm": "l2", "radius": 3, "batches": 20, "points": 16, "samples": 5, "scored": 4}
    scores = [
        {"id": f"s::{name}::clean.clever", "models": [name], "clever": how | {"mean": ord(name)}} for name in sizes
    ]
    scripts[2].show({"cells": cells, "aggregates": scores})
    out = capsys.readouterr().out
    assert "| fgsm | linf | 3 to 4 | 50.0%, 0.125 | 0.0% | 50.0%, 0.25 |\n" in out
    assert "| model | images | CLEVER | budget-l2 | cw-l2 |\n" in out
    assert "| b | 4 | 98 | 0.375 | 0.375 |\n" in out
    assert "rank correlation with cw-l2 over 3 models: 0.50\n" in out
