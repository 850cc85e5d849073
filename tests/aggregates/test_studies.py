"""One attack over several models: matrix and frontier, by hand."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import numpy as np
import pytest

from pytest_robust.aggregates import Results
from pytest_robust.measurement import Attacked, Samples
from pytest_robust.registry import default_registry
from pytest_robust.report.schema import report_schema
from pytest_robust.spec.catalog import Catalog
from tests.aggregates.test_judging import Bench, verdict
from tests.spec.conftest import Load

HEAD = """\
format: 1
dataset: {source: digits}
models:
  a: {path: a.onnx}
  b: {path: b.onnx}
  c: {path: c.onnx}
shifts:
  - {name: pgd, suite: adversarial, attack: pgd, source: each}
  - {name: aimed, suite: adversarial, attack: pgd, source: each, targeted: random}
  - {name: from-a, suite: adversarial, attack: pgd, source: a}
  - {name: cw, suite: adversarial, attack: cw}
"""
N = 10
SAMPLES = Samples(tuple(f"{index}" for index in range(N)), (np.arange(N) % 2).astype(np.uint16), "s")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return default_registry().catalog()


@pytest.fixture
def bench(load: Load):
    def make(row: str) -> Bench:
        return Bench(load(f"{HEAD}aggregates:\n  - {row}\n"))

    return make


def bits(*rows: int) -> np.ndarray:
    return np.isin(np.arange(N), rows)


def attack(
    tried: tuple[int, ...],
    success: tuple[int, ...],
    wrong_when_clean: tuple[int, ...],
    turned: tuple[int, ...],
    *,
    size: float = 1.0,
    near: tuple[int, ...] | None = None,
) -> Results:
    """Results of a model that has all but some right when clean, and after the attack all but these and the turned."""
    labels = SAMPLES.labels
    clean = np.where(bits(*wrong_when_clean), 1 - labels, labels).astype(np.uint16)
    # two classes: whatever is turned is the other one, which is the target where there is one
    predicted = np.where(bits(*turned), 1 - labels, clean).astype(np.uint16)
    won = bits(*success)
    sizes = {norm: np.where(won, size, np.nan).astype(np.float32) for norm in ("l0", "l1", "l2", "linf")}
    targets = None if near is None else (1 - labels).astype(np.uint16)
    made = Attacked("?", bits(*tried), won, clean, sizes, np.full(N, 3, np.uint32), targets, near and bits(*near))
    return Results(SAMPLES, predicted, attacked=made)


def plain(wrong: int) -> Results:
    return Results(SAMPLES, np.where(np.arange(N) < wrong, 1 - SAMPLES.labels, SAMPLES.labels).astype(np.uint16))


def shown(made: Bench, entry: str = "pgd", severity: str = "0.03") -> None:
    """a has 0 wrong, b has 0 and 1 wrong, c has 8 and 9 wrong; a is attacked on all it has right, and so on."""
    name = "pgd_linf.to_random" if entry == "aimed" else "pgd_linf"
    near = (1, 2, 3, 4, 5) if entry == "aimed" else None
    of_a, of_b, of_c = (1, 2, 3, 4, 5, 6, 7, 8, 9), (2, 3, 4, 5, 6, 7, 8, 9), (0, 1, 2, 3, 4, 5, 6, 7)
    cells = {
        # from a: all but 9 turn a itself; b is turned on 2, 3 and 9, which did not turn a; c is turned on 1 alone,
        # and wrong on 8 and 9 anyway, which do not count
        ("a", "a"): attack(of_a, (1, 2, 3, 4, 5, 6, 7, 8), (0,), (1, 2, 3, 4, 5, 6, 7, 8), size=0.5, near=near),
        ("a", "b"): attack(of_a, (1, 2, 3, 4, 5, 6, 7, 8), (0, 1), (2, 3, 9), size=0.5, near=near),
        ("a", "c"): attack(of_a, (1, 2, 3, 4, 5, 6, 7, 8), (8, 9), (1,), size=0.5, near=near),
        # from b: nothing turns b; a is turned on 2
        ("b", "a"): attack(of_b, (), (0,), (2,), near=near),
        ("b", "b"): attack(of_b, (), (0, 1), (), near=near),
        ("b", "c"): attack(of_b, (), (8, 9), (), near=near),
        ("c", "a"): attack(of_c, of_c, (0,), (1, 2, 3, 4), size=2, near=near),
        ("c", "b"): attack(of_c, of_c, (0, 1), (), size=2, near=near),
        ("c", "c"): attack(of_c, of_c, (8, 9), of_c, size=2, near=near),
    }
    for cell in made.aggregate.members:
        source = cell.key.partition(".from_")[2].partition("-")[0]
        assert cell.key == f"{entry}.{name}.from_{source}-{severity}"
        made.now[cell.id] = cells[source, cell.model.name]


def test_the_matrix_by_hand(bench) -> None:
    made = bench("{transfer: {entry: pgd}, max: 0.5}")
    shown(made)
    report = made.judge()
    # from a to b 2 to 9 count, 8 examples, 3 turn it; to c 1 to 7, of which 1; from c to a 1 to 7, of which 4
    assert report["record"]["matrix"] == {
        "match": "untargeted",
        "sources": ["a", "b", "c"],
        "targets": ["a", "b", "c"],
        "rates": [[None, 3 / 8, 1 / 7], [1 / 8, None, 0.0], [4 / 7, 0.0, None]],
        "counted": [[0, 8, 7], [8, 0, 6], [7, 6, 0]],
        "white_box": [8 / 9, 0.0, 1.0],
        "success_rates": [8 / 9, 0.0, 1.0],
        "distortions": [
            {"linf": 0.5, "l2": 0.5, "l1": 0.5, "l0": 0.5},
            None,
            {"linf": 2.0, "l2": 2.0, "l1": 2.0, "l0": 2.0},
        ],
    }
    assert report["record"]["value"] == 4 / 7
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert report["headline"] == "largest transfer rate (c to a) 57.14% > 50.00%"
    assert report["record"]["reasons"][1:] == [
        "from a to b 37.50%, c 14.29%; white box 88.89%; success rate 88.89% of 9,"
        " mean linf 0.5, l2 0.5, l1 0.5, l0 0.5",
        "from b to a 12.50%, c 0.00%; white box 0.00%; success rate 0.00% of 8, distortion undefined",
        "from c to a 57.14%, b 0.00%; white box 100.00%; success rate 100.00% of 8, mean linf 2, l2 2, l1 2, l0 2",
    ]
    assert "  members   9 cells of a, b, c" in report["text"]
    schema = report_schema()
    jsonschema.validate(report["record"], {**schema["$defs"]["aggregate"], "$defs": schema["$defs"]})


def test_a_row_without_a_limit_only_reports(bench) -> None:
    for limits, wanted in (("max: 0.571428", "BELOW_FLOOR"), ("max: 0.571429", "PASS")):
        made = bench(f"{{transfer: {{entry: pgd}}, {limits}}}")
        shown(made)
        assert verdict(made.judge())[0] == wanted
    made = bench("{transfer: {entry: pgd}}")
    shown(made)
    report = made.judge()
    assert verdict(report) == ("PASS", False)
    assert report["headline"] == "largest transfer rate (c to a) 57.14%"
    smoke = made.judge(smoke=True)["record"]
    assert smoke["verdict"] == "PASS"
    assert not any("SMOKE" in reason for reason in smoke["reasons"])


def test_targets_match_by_their_first_or_among_their_first_five(bench) -> None:
    made = bench("{transfer: {entry: aimed, match: top5}, max: 1}")
    shown(made, "aimed")
    matrix = made.judge()["record"]["matrix"]
    # 1 to 5 are near; from a to b 2 to 9 count, to c 1 to 7
    assert matrix["match"] == "top5"
    assert matrix["rates"][0] == [None, 4 / 8, 5 / 7]
    assert matrix["white_box"][0] == 5 / 9
    made = bench("{transfer: {entry: aimed}, max: 1}")
    shown(made, "aimed")
    matrix = made.judge()["record"]["matrix"]
    assert (matrix["match"], matrix["rates"][0]) == ("top1", [None, 3 / 8, 1 / 7])


def test_one_source_on_all_models(bench) -> None:
    made = bench("{transfer: {entry: from-a}, max: 0.3}")
    shown(made, "from-a")
    matrix = made.judge()["record"]["matrix"]
    assert (matrix["sources"], matrix["targets"]) == (["a"], ["a", "b", "c"])
    assert (matrix["rates"], matrix["counted"]) == ([[None, 3 / 8, 1 / 7]], [[0, 8, 7]])
    assert matrix["white_box"] == [8 / 9]


def test_a_source_that_is_not_measured_itself_has_no_white_box_rate(load: Load) -> None:
    rows = "exclude: [{model: a, entry: from-a}]\naggregates: [{transfer: {entry: from-a}}]\n"
    made = Bench(load(HEAD + rows))
    shown(made, "from-a")
    matrix = made.judge()["record"]["matrix"]
    assert (matrix["sources"], matrix["targets"]) == (["a"], ["b", "c"])
    assert (matrix["rates"], matrix["white_box"]) == ([[3 / 8, 1 / 7]], [None])
    assert matrix["success_rates"] == [8 / 9]


def test_a_matrix_of_which_nothing_counts_leaves_its_limit_open(bench) -> None:
    made = bench("{transfer: {entry: pgd}, max: 0.5}")
    for cell in made.aggregate.members:
        made.now[cell.id] = attack((), (), tuple(range(N)), ())
    report = made.judge()
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert report["headline"] == (
        "largest transfer rate is undefined: no attacked image is one that another model has right"
    )
    assert report["record"]["value"] is None
    assert report["record"]["matrix"]["rates"] == [[None] * 3] * 3
    assert report["record"]["matrix"]["success_rates"] == [None] * 3


def test_cells_that_do_not_fit_are_errors_in_one_sentence(bench) -> None:
    made = bench("{transfer: {entry: pgd}, max: 0.5}")
    shown(made)
    strange = made.aggregate.members[4]
    made.now[strange.id] = Results(Samples(SAMPLES.ids[:3], SAMPLES.labels[:3], "t"), SAMPLES.labels[:3])
    first = made.aggregate.members[0].id
    assert made.judge()["headline"] == f"{strange.id} and {first} were measured on other samples"
    shown(made)
    made.now[strange.id] = plain(0)
    assert made.judge()["headline"] == f"{strange.id} was measured without its attack"


def frontier(made: Bench, **models: tuple[int, float | None]) -> dict[str, Any]:
    """Judge with, by model, how many are wrong when clean and the distortion; None where nothing is turned."""
    for name, (wrong, size) in models.items():
        missed, tried = tuple(range(wrong)), tuple(range(wrong, N))
        won = () if size is None else tried[:2]
        made.now[f"{name}::clean"] = plain(wrong)
        made.now[f"{name}::cw.cw-0"] = attack(tried, won, missed, won, size=size or 0)
    report: dict[str, Any] = made.judge()
    return report


def test_the_frontier_and_its_line_by_hand(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: l2}, min_r2: 0.9, on_frontier: a}")
    # a: accuracy 0.9 and 0.5; b: 0.5 and 2; c: 0.4 and 1, behind b
    report = frontier(made, a=(1, 0.5), b=(5, 2.0), c=(6, 1.0))
    slope = (2 - 0.5) / (math.log(0.5) - math.log(0.1))
    details = report["record"]["pareto"]
    assert details["norm"] == "l2"
    assert details["fit"] == pytest.approx({"a": slope, "b": 2 - slope * math.log(0.5), "r2": 1.0})
    assert [one["frontier"] for one in details["models"]] == [True, True, False]
    assert details["models"][2] == {
        "model": "c",
        "accuracy": pytest.approx(0.4),
        "distortion": 1.0,
        "success_rate": 0.5,
        "attacked": 4,
        "frontier": False,
    }
    assert verdict(report) == ("PASS", False)
    assert report["record"]["value"] == pytest.approx(1.0)
    assert report["record"]["reasons"] == [
        "R2 of l2 distortion = a ln(1 - accuracy) + b over 2 frontier models 1.0000 >= 0.9000",
        "a is on the frontier of 3 models",
        f"l2 distortion = {slope:.4g} ln(1 - accuracy) + {2 - slope * math.log(0.5):.4g}; a line through two models"
        " fits them exactly",
        "a is on the frontier: accuracy 90.00%, mean l2 distortion 0.5 (success rate 22.22% of 9)",
        "b is on the frontier: accuracy 50.00%, mean l2 distortion 2 (success rate 40.00% of 5)",
        "c is behind the frontier: accuracy 40.00%, mean l2 distortion 1 (success rate 50.00% of 4)",
    ]


def test_a_poor_fit_and_a_model_behind_the_frontier_fail(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: linf}, min_r2: 0.99, on_frontier: c}")
    report = frontier(made, a=(1, 0.5), b=(5, 2.0), c=(6, 1.0))
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert report["headline"] == (
        "c is not on the frontier: b beats it by accuracy 50.00% to 40.00%, mean linf distortion 2.0000 to 1.0000 "
        "(success rates 40.00% and 50.00%)"
    )
    close = frontier(made, a=(1, 0.5), b=(5, 1.00004), c=(6, 1.00001))
    assert "mean linf distortion 1.00004 to 1.00001 (" in close["headline"], "told apart"
    report = frontier(made, a=(1, 0.5), b=(2, 2.0), c=(6, 2.5))
    x, y = np.log([0.1, 0.2, 0.6]), np.array([0.5, 2, 2.5])
    r2 = np.corrcoef(x, y)[0, 1] ** 2
    assert report["record"]["value"] == pytest.approx(r2)
    assert report["headline"] == (
        f"R2 of linf distortion = a ln(1 - accuracy) + b over 3 frontier models {r2:.4f} < 0.9900"
    )


def test_models_that_nothing_turns_are_left_out_in_a_sentence(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: l2}, min_r2: 0.5, on_frontier: b}")
    report = frontier(made, a=(1, 0.5), b=(5, None), c=(N, None))
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert report["record"]["reasons"] == [
        "R2 of l2 distortion = a ln(1 - accuracy) + b over 1 frontier model is undefined: the frontier has 1 model, and"
        " a line needs two",
        "whether b is on the frontier is undefined: no image of it was turned",
        "b is left out: the attack turned no image, so its distortion is undefined",
        "c is left out: no image was attacked, so its distortion is undefined",
        "a is on the frontier: accuracy 90.00%, mean l2 distortion 0.5 (success rate 22.22% of 9)",
    ]
    assert [one["frontier"] for one in report["record"]["pareto"]["models"]] == [True, None, None]
    assert report["record"]["pareto"]["fit"] is None


def test_what_else_leaves_the_fit_undefined(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: l2}}")
    start = "R2 of l2 distortion = a ln(1 - accuracy) + b over {} is undefined: {}"
    for models, front, why in (
        ({"a": (0, 0.5), "b": (5, 2.0), "c": (6, 1.0)}, "2 frontier models", "a model of the frontier makes no error"),
        ({"a": (1, 1.0), "b": (1, 1.0), "c": (1, 1.0)}, "3 frontier models", "the models of the frontier are equally"),
        (
            {"a": (1, None), "b": (1, None), "c": (1, None)},
            "0 frontier models",
            "the frontier has 0 models, and a line",
        ),
    ):
        report = frontier(made, **models)
        assert verdict(report) == ("PASS", False), "without a limit it only reports"
        assert report["headline"].startswith(start.format(front, why))


def test_smoke_judges_no_frontier(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: l2}, on_frontier: c}")
    frontier(made, a=(1, 0.5), b=(5, 2.0), c=(6, 1.0))
    record = made.judge(smoke=True)["record"]
    assert record["verdict"] == "PASS"
    assert record["reasons"][-1] == "SMOKE: on_frontier not judged"


def test_a_model_that_is_expected_behind_the_frontier(bench) -> None:
    made = bench("{pareto: {entry: cw, norm: l2}, on_frontier: c, expect: {fails: it is the small one}}")
    report = frontier(made, a=(1, 0.5), b=(5, 2.0), c=(6, 1.0))
    assert report["record"]["verdict"] == "BELOW_FLOOR"
    assert report["expected"] == "it is the small one"
    assert report["record"]["reasons"][2].startswith("R2 of l2 distortion = a ln(1 - accuracy) + b over 2 frontier")
    report = frontier(made, a=(1, 0.5), b=(5, 2.0), c=(6, 3.0))
    assert report["headline"].startswith("c is on the frontier of 3 models: expected to fail (it is the small one)")
