"""The claims are valid, each on all its seeds, and every net that they name can be trained."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from pytest_robust.registry import catalog
from pytest_robust.shifts.lp_sets import SETS
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.plan import Plan
from specs.claims import train
from specs.claims.dyntta import CORRUPTED
from specs.claims.recipes import C1, CONTRAST, L0, L2, RECIPES

SPEC = Path(__file__).parents[2] / "specs" / "claims.yaml"
PAPERS = SETS["lp-test", "cifar"]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(SPEC, catalog())


def test_every_net_has_a_recipe_and_every_recipe_a_net(plan: Plan) -> None:
    named = {model.path.resolve().relative_to(SPEC.parent / "claims").as_posix() for model in plan.models}
    assert named == {f"{name}-{seed}.onnx" for name, recipe in RECIPES.items() for seed in range(recipe.seeds)}


def test_every_net_and_every_shift_serves_a_claim(plan: Plan) -> None:
    judged = {cell.id for claim in plan.aggregates for cell in claim.members}
    unused = [cell.id for cell in plan.cells if cell.shift.suite != "clean" and cell.id not in judged]
    assert not unused


def test_a_claim_of_a_method_stands_for_each_of_its_seeds(plan: Plan) -> None:
    seeds = defaultdict(list)
    for claim in plan.aggregates:
        if match := re.fullmatch(r"(.+)-(\d)", claim.name):
            seeds[match[1]].append(int(match[2]))
            assert {model.removesuffix("-at-64")[-2:] for model in claim.models} == {f"-{match[2]}"}, claim.name
    assert len(seeds) > 15
    assert all(numbers == [0, 1, 2] for numbers in seeds.values())


def test_comparisons_are_of_twins_on_the_same_images(plan: Plan) -> None:
    for claim in plan.aggregates:
        if claim.kind in ("compare", "error_reduction"):
            shifts = Counter(cell.shift.label for cell in claim.members)
            assert set(shifts.values()) == {2}, claim.name


def test_noise_is_a_multiple_of_the_papers() -> None:
    assert C1.keys() == PAPERS.keys()
    assert sum(map(len, C1.values())) == 90
    assert all(one / CONTRAST in PAPERS[name] for name, epsilons in C1.items() for one in epsilons)
    assert [one / CONTRAST for one in (*L0["l0"], *L2["l2"])] == [0.01, 0.03, 1, 2.5]


def test_the_noise_of_the_spec_is_the_same_multiple(plan: Plan) -> None:
    norms = defaultdict(set)
    for column in plan.shifts:
        if column.entry in ("l0-noise", "p-noise"):
            norms[column.entry].add(column.shift)
            assert any(float(column.severity or 0) == pytest.approx(CONTRAST * one) for one in PAPERS[column.shift])
    assert norms["l0-noise"] == {"l0"}
    assert not norms["p-noise"] & {"l0", *L2}


def test_the_enhancer_sees_the_corruptions_that_are_judged(plan: Plan) -> None:
    judged = [column for column in plan.shifts if column.suite == "imagenet-c"]
    assert {column.shift for column in judged} == set(CORRUPTED.corruptions)
    assert {column.parameters["table"] for column in judged} == {CORRUPTED.table}


def test_the_nets_are_small() -> None:
    files = list(train.HERE.glob("*.onnx"))
    assert sum(file.stat().st_size for file in files) < 2_000_000
