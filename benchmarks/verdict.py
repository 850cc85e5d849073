"""How often the gate calls a regression: false alarms without one, power with one, on simulated runs.

One run is one model judged on 75 cells and their mean error, 76 golden tests at alpha 0.01. The cells share their
images: a small part of the images is unstable, each to its own degree, and an unstable image flips in every cell
with that probability, always in its own direction. So flips are correlated across cells as those of real models
are; rows marked "apart" have cells without anything in common, the worst case for false alarms.

Significance is the judge's own (`mcnemar_midp`, `sign_flip_midp`). It is compared with Connor's formula, with
the exact power of the rule (summed over the trinomial distribution of lost and won), and with the rule
that teams write by hand, `drop > 0.5 points`.

    python benchmarks/verdict.py [--runs 10000]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom, norm

from pytest_robust.verdict import mcnemar_midp, sign_flip_midp

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 75
ALPHA = 0.01
LEVEL = ALPHA / (CELLS + 1)
BY_HAND = 0.005
SIZES = (500, 2_000, 10_000)
DISCORDANCES = (0.01, 0.02, 0.05, 0.10)
PLANTED = ((0.02, 0.005), (0.02, 0.01), (0.05, 0.005), (0.05, 0.01), (0.05, 0.02))
"""Discordance and true drop."""


@dataclass(frozen=True)
class Runs:
    """Simulated runs: samples lost and won per cell, and whether the mean error over cells regressed.

    `lost` and `won` have the shape (runs, cells). `significant` and `rise` have the shape (runs,): the sign-flip test
    of the mean error at `LEVEL`, and its rise.
    """

    n: int
    lost: NDArray[np.int64]
    won: NDArray[np.int64]
    significant: NDArray[np.bool_]
    rise: NDArray[np.float64]

    def regressed(self, allowed: float) -> NDArray[np.bool_]:
        """The judge's rule: the observed drop is above the allowed one, and significant. Shape (runs, cells)."""
        least = least_lost(int((self.lost + self.won).max(initial=0)))
        called: NDArray[np.bool_] = self.lost >= least[self.lost + self.won]
        return called & ((self.lost - self.won) > allowed * self.n + 1e-9)

    def mean_regressed(self, allowed: float) -> NDArray[np.bool_]:
        """The same of the mean error over the cells."""
        return self.significant & (self.rise > allowed + 1e-12)

    def by_hand(self) -> NDArray[np.bool_]:
        """The plain rule, `drop > 0.5 points`."""
        drops: NDArray[np.bool_] = (self.lost - self.won) > BY_HAND * self.n + 1e-9
        return drops


@cache
def least_lost(most: int) -> NDArray[np.int64]:
    """For 0 to `most` flips, how many must be lost to be significant; one more than there are where none suffices."""
    found = np.empty(most + 1, np.int64)
    for flips in range(most + 1):
        low, high = 0, flips + 1
        while low < high:
            middle = (low + high) // 2
            if mcnemar_midp(middle, flips - middle) <= LEVEL:
                high = middle
            else:
                low = middle + 1
        found[flips] = low
    return found


def simulate(n: int, discordance: float, drop: float, runs: int, seed: int, *, apart: bool = False) -> Runs:
    """Runs of a model with this true drop in every cell."""
    generator = np.random.default_rng([seed, n, round(discordance * 1e4), round(drop * 1e4)])
    share = (1 + drop / discordance) / 2 if discordance else 0.5
    if apart:
        flips = generator.binomial(n, discordance, (runs, CELLS))
        lost = generator.binomial(flips, share)
        return Runs(n, lost, flips - lost, np.zeros(runs, bool), np.zeros(runs))
    lost, won = np.zeros((2, runs, CELLS), np.int64)
    significant, rise = np.zeros(runs, bool), np.zeros(runs)
    # Degrees of instability are U-shaped with mean 1/2, so that twice as many images are unstable as flip in a cell.
    counts = generator.binomial(n, 2 * discordance, runs)
    for run, count in enumerate(counts.tolist()):
        # Rounded at random, so that the mean stays what it is.
        degree = np.minimum(generator.beta(0.5, 0.5, count) * 256 + generator.random(count), 255).astype(np.uint8)
        drawn = np.frombuffer(generator.bytes(count * CELLS), np.uint8).reshape(count, CELLS)
        flips = (drawn < degree[:, None]).view(np.uint8)
        losing = int(generator.binomial(count, share))
        lost[run] = flips[:losing].sum(axis=0, dtype=np.uint16)
        won[run] = flips[losing:].sum(axis=0, dtype=np.uint16)
        changes = flips.sum(axis=1, dtype=np.uint16).astype(np.int64)
        changes[losing:] *= -1
        rise[run] = changes.sum() / (CELLS * n)
        significant[run] = mean_is_significant(changes)
    return Runs(n, lost, won, significant, rise)


def mean_is_significant(changes: NDArray[np.int64]) -> bool:
    """Whether the sign-flip test is significant at `LEVEL`; computed only where that is not plain to see.

    With z = sum / root of the sum of squares, Hoeffding bounds p by exp(-z^2 / 2). Of many images p is close to the
    normal tail and a little below it: at 3.3 that is four times `LEVEL`, at 3.9 a third of it.
    """
    size = math.sqrt(float(changes @ changes))
    z = float(changes.sum()) / size if size else 0.0
    low, high = (3.3, 3.9) if np.count_nonzero(changes) > 60 else (2.0, math.sqrt(-2 * math.log(LEVEL)))
    return z > high or (z > low and sign_flip_midp(changes) <= LEVEL)


def exact_power(n: int, discordance: float, drop: float, allowed: float = 0.0) -> float:
    """The probability that one cell regresses, over the trinomial distribution of lost, won and unchanged."""
    flips = np.arange(n + 1)
    chance = binom.pmf(flips, n, discordance)
    likely = flips[chance > 1e-15]
    needed = np.maximum(
        least_lost(int(likely.max()))[likely], np.floor((allowed * n + likely) / 2 + 1e-9).astype(np.int64) + 1
    )
    return float(chance[likely] @ binom.sf(needed - 1, likely, (1 + drop / discordance) / 2))


def connor_power(n: int, discordance: float, drop: float) -> float:
    """Connor's formula, solved for the power."""
    reach = math.sqrt(n) * drop - norm.isf(LEVEL) * math.sqrt(discordance)
    return float(norm.cdf(reach / math.sqrt(discordance - drop * drop)))


def percent(share: float) -> str:
    """0.012 -> `1.20`."""
    return f"{100 * share:.2f}"


def false_alarms(runs: int) -> list[list[str]]:
    """Rows of models that did not become worse: in how many runs anything is called a regression."""
    rows = []
    for n in SIZES:
        cases = [(0.0, False), *((discordance, False) for discordance in DISCORDANCES), (DISCORDANCES[-1], True)]
        for discordance, apart in cases:
            # Cells apart cost little to draw, and come so close to alpha that it takes more runs to tell.
            made = simulate(n, discordance, 0.0, 20 * runs if apart else runs, 1, apart=apart)
            called = [
                float((made.regressed(allowed).any(axis=1) | made.mean_regressed(allowed)).mean())
                for allowed in (0.0, BY_HAND)
            ]
            exact = exact_power(n, discordance, 0.0) if discordance else 0.0
            label = f"{100 * discordance:g} %" + (" apart" if apart else "")
            cell = float(made.regressed(0.0).mean())
            by_hand = float(made.by_hand().any(axis=1).mean())
            row = [f"{n:,}", label, *(percent(one) for one in called), f"{cell / LEVEL:.2f}", f"{exact / LEVEL:.2f}"]
            rows.append([*row, percent(by_hand)])
        note(f"false alarms at n = {n:,} done")
    return rows


def powers(runs: int) -> list[list[str]]:
    """Rows of models that became worse in every cell: in how many runs a cell, or the mean error, regresses."""
    rows = []
    for n in SIZES:
        for discordance, drop in PLANTED:
            made = simulate(n, discordance, drop, runs, 2)
            cell = float(made.regressed(0.0).mean())
            connor = connor_power(n, discordance, drop)
            row = [f"{n:,}", f"{100 * discordance:g} %", f"{100 * drop:g}", percent(cell)]
            row += [percent(exact_power(n, discordance, drop)), percent(connor), f"{100 * (cell - connor):+.2f}"]
            for allowed in (BY_HAND, drop):
                row += [
                    percent(float(made.regressed(allowed).mean())),
                    percent(exact_power(n, discordance, drop, allowed)),
                ]
            rows.append([*row, percent(float(made.mean_regressed(0.0).mean())), percent(float(made.by_hand().mean()))])
        note(f"power at n = {n:,} done")
    return rows


def show(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}\n")
    for line in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) + " |")


def note(text: str) -> None:
    """Say on stderr how far it is."""
    print(f"[{time.process_time():.0f} s] {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="runs per row (default 10,000)")
    runs = parser.parse_args().runs
    print(
        f"{runs:,} runs per row of {CELLS} cells and their mean error; alpha {ALPHA}, m = {CELLS + 1}. All in percent."
    )
    show(
        "No regression: share of runs (models) with any REGRESSED, to be below 1.00; and a cell's size / level",
        ["n", "discordance", "allowed 0", "allowed 0.5 pp", "cell size", "exact", "drop > 0.5 pp"],
        false_alarms(runs),
    )
    show(
        "A true drop in every cell: share of cells REGRESSED (exact beside it), of runs with a REGRESSED mean error",
        [
            *("n", "discordance", "drop pp", "allowed 0", "exact", "Connor", "less Connor"),
            *("allowed 0.5 pp", "exact", "allowed = drop", "exact", "mean error, 0", "drop > 0.5 pp"),
        ],
        powers(runs),
    )
    note("done")


if __name__ == "__main__":
    main()
