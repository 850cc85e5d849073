"""The benchmark of the verdict claims to use the judge's own rule, and an oracle that is not ours."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import multinomial

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import Verdict, mcnemar_midp, sign_flip_midp
from tests.verdict.cases import compared, judged, row


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "verdict.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_the_verdict", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_its_rule_is_the_judges(benchmark):
    rng = np.random.default_rng(0)
    n = 2000
    lost, won = rng.integers(0, 60, (40, 1)), rng.integers(0, 40, (40, 1))
    runs = benchmark.Runs(n, lost, won, np.zeros(40, bool), np.zeros(40))
    gate = Gate(alpha=benchmark.ALPHA)
    seen = set()
    for allowed in (0.0, 0.005, 0.01):
        called = runs.regressed(allowed)[:, 0]
        for index in range(40):
            evidence = compared(n, 1500, int(lost[index, 0]), int(won[index, 0]), family=76)
            verdict = judged(evidence, row(max_regression=allowed), gate=gate).verdict
            assert called[index] == (verdict is Verdict.REGRESSED)
            seen.add(verdict)
    assert {Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS} <= seen


def test_its_test_of_the_mean_is_the_judges(benchmark):
    rng = np.random.default_rng(1)
    answers = []
    for _ in range(300):
        count = int(rng.integers(1, 140))
        changes = rng.binomial(75, rng.beta(0.5, 0.5, count)) * np.where(rng.random(count) < 0.7, 1, -1)
        answers.append(benchmark.mean_is_significant(changes))
        assert answers[-1] == (sign_flip_midp(changes) <= benchmark.LEVEL)
    assert 0.2 < np.mean(answers) < 0.8


@pytest.mark.parametrize(
    ("n", "discordance", "drop", "allowed"), [(30, 0.6, 0.3, 0.0), (30, 0.6, 0.5, 0.45), (24, 0.9, 0, 0)]
)
def test_its_power_is_the_sum_over_every_table(benchmark, n, discordance, drop, allowed):
    lost, won = (discordance + drop) / 2, (discordance - drop) / 2
    wanted = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            if mcnemar_midp(b, c) <= benchmark.LEVEL and b - c > allowed * n + 1e-9:
                wanted += multinomial.pmf([b, c, n - b - c], n, [lost, won, 1 - lost - won])
    assert benchmark.exact_power(n, discordance, drop, allowed) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("apart", [False, True])
def test_its_runs_have_the_rates_they_claim(benchmark, apart):
    n, discordance, drop, runs = 500, 0.08, 0.02, 400
    made = benchmark.simulate(n, discordance, drop, runs, 5, apart=apart)
    assert made.lost.shape == made.won.shape == (runs, 75)
    error = 4 * np.sqrt(discordance / (n * runs) * (1 if apart else 60))
    assert (made.lost + made.won).mean() / n == pytest.approx(discordance, abs=error)
    assert (made.lost - made.won).mean() / n == pytest.approx(drop, abs=error)
    together = np.corrcoef(made.lost[:, 0], made.lost[:, 1])[0, 1]
    assert (together > 0.3) != apart
    if not apart:
        assert made.rise == pytest.approx((made.lost - made.won).mean(axis=1) / n)


def test_an_unchanged_model_is_never_called_worse(benchmark):
    made = benchmark.simulate(500, 0.0, 0.0, 20, 1)
    assert not made.regressed(0.0).any()
    assert not made.mean_regressed(0.0).any()
